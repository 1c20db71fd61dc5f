"""The conductor's side without a network: what it tells, and what it hears of its nodes.

One thread calls `step` every few milliseconds; `show` may be called by another one, and `take` by a third:
each hands over one whole object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lavlive.parameters import GLIDES
from lavlive.wall.buffer import DelayChooser
from lavlive.wall.messages import (
    TABLE_HASH,
    Look,
    Moment,
    Ping,
    Pong,
    Report,
    StrangeMessageError,
    pack,
    pack_spent,
    read_from_node,
)

SLOWEST_SECONDS = 0.045
"""Between two Moments, also where no sound comes: more than 20 a second."""
REPEAT_SECONDS = 0.1
"""So long is every step told after a switch was turned: of the 25 of them one arrives, whatever is lost."""
LOOK_SECONDS = 1.0
IDENTIFY_SECONDS = 5.0
GONE_SECONDS = 3.0
"""A node that has not told how it fares for so long is gone."""
FORGOTTEN_SECONDS = 60.0
_MOST_NODES = 256
_SWITCHES = ~GLIDES


@dataclass(frozen=True, slots=True)
class Hop:
    """What the engine made of one hop of sound.

    Attributes:
        number: another for each hop of one link.
        captured: conductor's clock.
        deviation: float [3, w].
    """

    number: int
    captured: float
    deviation: np.ndarray


@dataclass(frozen=True)
class Snapshot:
    """What the show wants in one frame.

    Attributes:
        numbers: float64 in the parameters' order, with what beat and assist do.
        revision: of them.
        tempo, beat, moved, onset, spectrum, chroma: as of `Moment`.
        spent: [577], conductor's clock, until when places of the canvas may not flash again; or None.
        preset, model, model_hash, loaded, shaders, mix, mix_hash: as of `Look`.
    """

    numbers: np.ndarray
    revision: int
    tempo: float = 0.0
    beat: float = 0.0
    moved: dict[str, float] = field(default_factory=dict)
    onset: float = 0.0
    spectrum: np.ndarray | None = None
    chroma: np.ndarray | None = None
    spent: np.ndarray | None = None
    preset: str = ""
    model: str = ""
    model_hash: str = ""
    loaded: dict[str, bool | int | float | str] = field(default_factory=dict)
    shaders: dict[str, str] = field(default_factory=dict)
    mix: str = ""
    mix_hash: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """What the conductor knows of a node: its newest report, and when that came by the conductor's clock."""

    report: Report
    heard: float

    def there(self, now: float) -> bool:
        """Whether it still tells how it fares."""
        return now - self.heard < GONE_SECONDS


class Wall(Protocol):
    """A show's part in a wall of machines, as the operator sees it.

    Attributes:
        conducts: whether it leads others; else it follows.
    """

    conducts: bool

    @property
    def node_delay(self) -> float:
        """Seconds from the sound to when its picture is due on the nodes."""

    @property
    def nodes(self) -> list[Node]:
        """The nodes of a conductor."""

    def there(self, node: Node, now: float) -> bool:
        """Whether a node still tells how it fares."""

    def identify(self, node: str, now: float) -> None:
        """Have a node show its name; "*" for all."""


class Conductor:
    """Makes the messages of one run.

    Args:
        run: names this run; another for each.
        software: version of lavlive.

    Attributes:
        strange: messages that were none.
        told: the last line about such a message, for the operator.
        delay: seconds after its capture at which nodes show what is heard.
    """

    def __init__(self, run: int, software: str) -> None:
        self._run = run
        self._software = software
        self._snapshot: Snapshot | None = None
        self._chooser = DelayChooser()
        self._nodes: dict[str, Node] = {}
        self._hop: Hop | None = None
        self._sequence = 0
        self._sent = self._stepped = self._looked = -np.inf
        self._repeat_until = -np.inf
        self._switches: bytes = b""
        self._look: Look | None = None
        self._identify = ("", -np.inf)
        self._asked_look = False
        self.strange = 0
        self.told = ""

    @property
    def delay(self) -> float:
        return self._chooser.seconds

    def show(self, snapshot: Snapshot) -> None:
        """Tell this from now on."""
        self._snapshot = snapshot

    def identify(self, node: str, now: float) -> None:
        """Have a node show its name for some seconds; "*" for all."""
        self._identify = (node, now + IDENTIFY_SECONDS)

    def nodes(self, now: float) -> list[Node]:
        """The nodes heard of within the last minute, by name."""
        return [node for _, node in sorted(self._nodes.items()) if now - node.heard < FORGOTTEN_SECONDS]

    def take(self, payload: bytes, now: float) -> Pong | None:
        """Hear a node; returns the answer for it, if it wants one.

        What is no message is counted.
        """
        try:
            message = read_from_node(payload)
        except StrangeMessageError as error:
            self.strange += 1
            self.told = f"A node told {error}"
            return None
        if isinstance(message, Ping):
            return Pong(
                node=message.node,
                number=message.number,
                sent=message.sent,
                came=now,
                answered=now,
                show=self._run,
            )
        known = self._nodes.get(message.node)
        if known is None and len(self._nodes) >= _MOST_NODES:
            self._nodes = {name: node for name, node in self._nodes.items() if node.there(now)}
            if len(self._nodes) >= _MOST_NODES:
                self.told = f"More than {_MOST_NODES} nodes; {message.node} is not counted"
                return None
        self._asked_look |= known is None or not known.there(now)
        self._nodes[message.node] = Node(message, now)
        return None

    def step(self, hop: Hop | None, now: float) -> list[Moment | Look]:
        """What is to be told to all nodes now.

        Args:
            hop: the newest one, again and again until another comes; None before the first.
        """
        snapshot = self._snapshot
        if snapshot is None:
            return []
        self._follow_nodes(now)
        messages: list[Moment | Look] = []
        look = self._look_of(snapshot)
        if look != self._look or self._asked_look or now - self._looked >= LOOK_SECONDS:
            self._look, self._looked, self._asked_look = look, now, False
            messages.append(look)
        fresh = hop is not None and (self._hop is None or hop.number != self._hop.number)
        self._hop = hop
        switches = snapshot.numbers[_SWITCHES].tobytes() + self._identified(now).encode()
        if switches != self._switches:
            self._switches, self._repeat_until = switches, now + REPEAT_SECONDS
        if fresh or now < self._repeat_until or now - self._sent >= SLOWEST_SECONDS:
            self._sent = now
            messages.append(self._moment(snapshot, hop, now))
        return messages

    def _follow_nodes(self, now: float) -> None:
        elapsed = now - self._stepped if np.isfinite(self._stepped) else 0.0
        self._stepped = now
        # A copy: reports come in another thread.
        reports = [node.report for node in list(self._nodes.values()) if node.there(now)]
        self._chooser.step([report.lateness + report.ahead for report in reports], elapsed)

    def _identified(self, now: float) -> str:
        node, until = self._identify
        return node if now < until else ""

    def _moment(self, snapshot: Snapshot, hop: Hop | None, now: float) -> Moment:
        self._sequence += 1
        return Moment(
            show=self._run,
            sequence=self._sequence,
            captured=hop.captured if hop is not None else now,
            sent=now,
            delay=self._chooser.seconds,
            width=hop.deviation.shape[1] if hop is not None else 0,
            deviation=pack(hop.deviation, "<f2") if hop is not None else b"",
            numbers=pack(snapshot.numbers, "<f4"),
            revision=snapshot.revision,
            tempo=snapshot.tempo,
            beat=snapshot.beat,
            moved=snapshot.moved,
            onset=snapshot.onset,
            spectrum=pack(snapshot.spectrum, "<f2") if snapshot.spectrum is not None else b"",
            chroma=pack(snapshot.chroma, "<f2") if snapshot.chroma is not None else b"",
            identify=self._identified(now),
            spent=pack_spent(snapshot.spent, now) if snapshot.spent is not None else b"",
        )

    def _look_of(self, snapshot: Snapshot) -> Look:
        return Look(
            show=self._run,
            software=self._software,
            table=TABLE_HASH,
            preset=snapshot.preset,
            model=snapshot.model,
            model_hash=snapshot.model_hash,
            loaded=snapshot.loaded,
            shaders=snapshot.shaders,
            mix=snapshot.mix,
            mix_hash=snapshot.mix_hash,
        )
