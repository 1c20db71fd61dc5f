"""The takers of one show: switched on and off while it goes on, fed with what they need, and told about."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.base import SoundBlock, Taker
from lavlive.stage.output.takers.worker import Worker

_JOIN_SECONDS = 5.0
"""So long the end of a show waits for takers to let go of their connections."""


@dataclass(frozen=True)
class OutletSpec:
    """One place where the canvas can go.

    Attributes:
        name: what the performer calls it, each another: ``ndi``, ``stream``, ``twitch``.
        kind: of taker, as in `kinds.KINDS`; actions switch all of a kind.
        where: what the performer reads about it, without secrets.
        open: opens the taker; called in its own thread.
        rate: canvases a second, at most.
        size: the largest width and height that it has use for; None for the canvas's.
    """

    name: str
    kind: str
    where: str
    open: Callable[[], Taker]
    rate: float = 60.0
    size: tuple[int, int] | None = None


class Outlet:
    """One of them, on or off.

    Attributes:
        worker: what serves it while it is on, or was until its end.
    """

    def __init__(self, spec: OutletSpec) -> None:
        self.spec = spec
        self.worker: Worker | None = None
        self.wanted = False
        self._due = float("-inf")

    def switch(self, on: bool) -> None:
        """Begin, or end; nothing happens where it is so already."""
        if on == self.wanted:
            return
        self.wanted = on
        if on:
            self.worker = Worker(self.spec.name, self.spec.open)
        elif self.worker is not None:
            self.worker.stop()

    def due(self, now: float) -> bool:
        """Whether it has use for the canvas of `now`."""
        return self.wanted and self.worker is not None and self.worker.ready and now >= self._due

    def offer(self, shot: Shot) -> None:
        """Give it a canvas that it was due for."""
        if self.worker is None or not self.wanted:
            return
        period = 1.0 / self.spec.rate
        # In even steps, half a display's period of slack, and without hurry after a pause.
        self._due = max(self._due + period, shot.time + 0.5 * period)
        self.worker.offer(shot)


class Outlets:
    """All of them; the main thread's, which waits only in `close`.

    Args:
        specs: what there is.
        tell: is given lines for the operator.

    Attributes:
        all: each outlet, in order.
    """

    def __init__(
        self, specs: Sequence[OutletSpec] = (), tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.all = [Outlet(spec) for spec in specs]
        self._tell = tell
        self._asked: list[Outlet] = []
        self._was_on: set[str] = set()
        self._replaced: list[Worker] = []

    def put(self, spec: OutletSpec, instead_of: Outlet | None = None) -> Outlet:
        """Another outlet from now on, off, at the end or in the place of one that goes."""
        made = Outlet(spec)
        if instead_of is None or instead_of not in self.all:
            self.all.append(made)
            return made
        instead_of.switch(False)
        self._replaced = [worker for worker in self._replaced if worker.alive]
        if instead_of.worker is not None:
            self._replaced.append(instead_of.worker)
        self.all[self.all.index(instead_of)] = made
        return made

    def toggle(self, kind: str) -> bool:
        """End those of a kind that are on, else begin them all; False where there is none."""
        of_kind = [outlet for outlet in self.all if outlet.spec.kind == kind]
        on = not any(outlet.wanted for outlet in of_kind)
        for outlet in of_kind:
            outlet.switch(on)
        return bool(of_kind)

    @property
    def hearing(self) -> bool:
        """Whether any of them wants sound."""
        return any(outlet.wanted for outlet in self.all)

    def ask(self, now: float) -> bool:
        """Whether the canvas of `now` has takers; `offer` gives it to those."""
        self._asked = [outlet for outlet in self.all if outlet.due(now)]
        return bool(self._asked)

    @property
    def largest(self) -> tuple[int, int] | None:
        """The largest width and height that those want who were asked last; None for the canvas's own."""
        sizes = [outlet.spec.size for outlet in self._asked]
        known = [size for size in sizes if size is not None]
        if not known or len(known) < len(sizes):
            return None
        return max(width for width, _ in known), max(height for _, height in known)

    def offer(self, shot: Shot) -> None:
        """Give a canvas to those who were due."""
        asked, self._asked = self._asked, []
        for outlet in asked:
            outlet.offer(shot)

    def hear(self, block: SoundBlock) -> None:
        """Give sound to all that are on."""
        for outlet in self.all:
            if outlet.wanted and outlet.worker is not None:
                outlet.worker.hear(block)

    def conditions(self, now: float) -> dict[str, str]:
        """What the operator should read as long as it lasts, by the name of the outlet."""
        told: dict[str, str] = {}
        for outlet in self.all:
            name, worker = outlet.spec.name, outlet.worker
            if not outlet.wanted or worker is None:
                continue
            if worker.problem:
                told[name] = f"{_capital(name)}: {worker.problem}"
            elif worker.slow(now):
                told[name] = (
                    f"{_capital(name)}: {outlet.spec.where} takes pictures too slowly; some are left out"
                )
        return told

    def news(self) -> None:
        """Tell which have come on since the last call, and put out those that can never be."""
        for outlet in self.all:
            worker, name = outlet.worker, outlet.spec.name
            is_on = outlet.wanted and worker is not None and worker.ready
            if is_on and name not in self._was_on:
                self._tell(f"{_capital(name)}: on, to {outlet.spec.where}")
            elif name in self._was_on and not outlet.wanted:
                self._tell(f"{_capital(name)}: off")
            if is_on:
                self._was_on.add(name)
            else:
                self._was_on.discard(name)
            if outlet.wanted and worker is not None and not worker.alive:
                outlet.wanted = False
                self._tell(f"{_capital(name)}: {worker.problem}")

    def close(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """End all, waiting a few seconds at most, of `clock`, however many they are."""
        workers = [outlet.worker for outlet in self.all if outlet.worker is not None] + self._replaced
        for outlet in self.all:
            outlet.switch(False)
        end = clock() + _JOIN_SECONDS
        for worker in workers:
            worker.join(max(end - clock(), 0.0))


def _capital(name: str) -> str:
    return "NDI" if name == "ndi" else name[:1].upper() + name[1:]
