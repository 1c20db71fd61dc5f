"""A simulated wall: a conductor and nodes with clocks of their own, over a network that delays and loses.

Events in their order, no clock and no sleep: ten minutes pass in seconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from lavlive.parameters import Values
from lavlive.wall.conductor import Conductor, Hop, Snapshot
from lavlive.wall.follower import Due, Follower
from lavlive.wall.messages import Ping, encode


def _taken(conductor: Conductor, report: bytes, now: float) -> None:
    conductor.take(report, now)


@dataclass
class Network:
    """Each way delays by `base` and up to `jitter` seconds more, evenly spread, and loses a share."""

    base: float = 0.001
    jitter: float = 0.040
    loss: float = 0.02


@dataclass
class NodeClock:
    """What a node's clock shows, and how fast it goes wrong."""

    offset: float = 0.0
    drift: float = 0.0

    def at(self, time: float) -> float:
        return time + self.offset + self.drift * time


@dataclass
class SimulatedNode:
    follower: Follower
    clock: NodeClock
    shown: list[tuple[float, Due | None]] = field(default_factory=list)
    dead: bool = False


class SimulatedWall:
    """Time is the true one; the conductor's clock shows it.

    Args:
        hop, step: seconds between two hops of sound, and between two looks of a node.
        hearing: seconds that the sound is old when its hop is told.
    """

    def __init__(
        self,
        clocks: list[NodeClock],
        network: Network,
        seed: int = 0,
        hop: float = 1 / 75,
        step: float = 0.01,
        hearing: float = 0.02,
        width: int = 2,
    ) -> None:
        self.now = 0.0
        self.network = network
        self.values = Values()
        self.nodes = [
            SimulatedNode(Follower(f"node {number}", "test"), clock) for number, clock in enumerate(clocks)
        ]
        self.conductor: Conductor | None = None
        self.loaded: dict[str, str] = {}
        self.sent = 0
        self._chance = np.random.default_rng(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._hop, self._step, self._hearing, self._width = hop, step, hearing, width
        self._number = 0
        self.start()
        for node in self.nodes:
            self._later(0.0, lambda node=node: self._look(node))  # type: ignore[misc]

    def start(self, run: int = 1) -> None:
        """A conductor begins."""
        conductor = self.conductor = Conductor(run, "test")
        self._show()
        self._later(self.now, lambda: self._tell(conductor))

    def kill(self) -> None:
        """The conductor is gone."""
        self.conductor = None

    def set(self, name: str, value: object) -> None:
        """A hand moves."""
        self.values.set(name, value)
        self._show()

    def load(self, **loaded: str) -> None:
        """A hand loads: model, model_hash, mix, mix_hash, as of `Look`."""
        self.loaded |= loaded
        self._show()

    def _show(self) -> None:
        assert self.conductor is not None
        self.conductor.show(Snapshot(self.values.numbers.copy(), self.values.revision, **self.loaded))  # type: ignore[arg-type]

    def run(self, until: float) -> None:
        """Let everything happen up to a time."""
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = until

    def differences(self, after: float) -> np.ndarray:
        """Seconds between the contents of the two nodes that are furthest apart at the same true time."""
        shown = [
            {round(at / self._step): due.time for at, due in node.shown if due is not None and at >= after}
            for node in self.nodes
        ]
        common = set(shown[0]).intersection(*shown[1:])
        return np.ptp([[each[at] for at in common] for each in shown], axis=0)

    def _later(self, at: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at, next(self._order), event))

    def _send(self, event: Callable[[], None]) -> None:
        self.sent += 1
        if self._chance.random() >= self.network.loss:
            delay = self.network.base + self.network.jitter * self._chance.random()
            self._later(self.now + delay, event)

    def _tell(self, conductor: Conductor) -> None:
        if conductor is not self.conductor:
            return
        self._number += 1
        # Content that is its own capture time, as far as float16 holds it.
        captured = self.now - self._hearing
        deviation = np.full((3, self._width), captured % 100.0)
        for message in conductor.step(Hop(self._number, captured, deviation), self.now):
            payload = encode(message)
            for node in self.nodes:
                self._send(lambda node=node, payload=payload: self._arrive(node, payload))  # type: ignore[misc]
        self._later(self.now + self._hop, lambda: self._tell(conductor))

    def _arrive(self, node: SimulatedNode, payload: bytes) -> None:
        node.follower.take(payload, node.clock.at(self.now))

    def _look(self, node: SimulatedNode) -> None:
        if node.dead:
            return
        now, conductor = node.clock.at(self.now), self.conductor
        for message in node.follower.asks(now):
            if conductor is not None and isinstance(message, Ping):
                self._send(lambda ping=message: self._ask(conductor, node, encode(ping)))  # type: ignore[misc]
        node.shown.append((self.now, node.follower.step(now)))
        if conductor is not None and node.follower.wants_report(now):
            report = encode(node.follower.report(60.0, 0.1, "model", ""))
            self._send(partial(_taken, conductor, report, self.now))
        self._later(self.now + self._step, lambda: self._look(node))

    def _ask(self, conductor: Conductor, node: SimulatedNode, payload: bytes) -> None:
        pong = conductor.take(payload, self.now) if conductor is self.conductor else None
        if pong is not None:
            answer = encode(pong)
            self._send(lambda: self._arrive(node, answer))
