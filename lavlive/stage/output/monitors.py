"""Monitors: finding the one that was asked for, and noticing when it goes away and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import glfw

from lavlive.errors import DisplayError

_ROUNDED = 2
"""Pixels by which a place may differ where screen coordinates are scaled."""


class Geometry(NamedTuple):
    """A rectangle in screen coordinates, which are below zero left of and above the primary monitor."""

    x: int
    y: int
    width: int
    height: int

    def inside(self, size: tuple[int, int]) -> Geometry:
        """A rectangle of that size, or smaller, in the middle of this one and wholly within."""
        width, height = min(size[0], self.width), min(size[1], self.height)
        return Geometry(
            self.x + (self.width - width) // 2, self.y + (self.height - height) // 2, width, height
        )

    def covered_by(self, other: Geometry) -> bool:
        """Whether the other one is this one, to a rounding."""
        return all(abs(one - two) <= _ROUNDED for one, two in zip(self, other, strict=True))

    def shared(self, other: Geometry) -> int:
        """The area that both have in common."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(0, across) * max(0, down)


@dataclass(frozen=True, slots=True)
class Monitor:
    """A monitor as the window system names it; place and size in screen coordinates, `rate` in hertz."""

    index: int
    name: str
    x: int
    y: int
    width: int
    height: int
    rate: int
    handle: Any = None

    @property
    def geometry(self) -> Geometry:
        """Where it lies on the desktop."""
        return Geometry(self.x, self.y, self.width, self.height)

    def __str__(self) -> str:
        rate = f" at {self.rate} Hz" if self.rate else ""
        return f"{self.index}: {self.name}, {self.width} x {self.height}{rate}"


def list_monitors() -> list[Monitor]:
    """All monitors, the primary one first. GLFW must be initialised."""
    monitors = []
    for index, handle in enumerate(glfw.get_monitors() or ()):
        mode = glfw.get_video_mode(handle)
        if mode is None:  # unplugged since the list was made
            continue
        raw = glfw.get_monitor_name(handle)
        name = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
        x, y = glfw.get_monitor_pos(handle)
        monitors.append(
            Monitor(index, name, x, y, mode.size.width, mode.size.height, mode.refresh_rate, handle)
        )
    return monitors


def find_monitor(wanted: int | str | None, monitors: Sequence[Monitor]) -> Monitor:
    """The monitor of an index (also as text), a name, or a part of a name; None is the primary one.

    Raises:
        DisplayError: none or several match; the message names all monitors.
    """
    if not monitors:
        raise DisplayError("There is no monitor. Connect one, or use --headless.")
    if wanted is None:
        return monitors[0]
    text = str(wanted).strip()
    matches = [m for m in monitors if text == str(m.index)]
    if not text.lstrip("-").isdigit():
        matches = [m for m in monitors if text.lower() == m.name.lower()]
        matches = matches or [m for m in monitors if text and text.lower() in m.name.lower()]
    if len(matches) == 1:
        return matches[0]
    listed = "; ".join(map(str, matches or monitors))
    if matches:
        raise DisplayError(f"Several monitors match {text!r}: {listed}. Use the number.")
    raise DisplayError(f"There is no monitor {text!r}. There are: {listed}.")


class MonitorPresence(Enum):
    """What became of the monitor that the window fills."""

    THERE = "there"
    LOST = "lost"
    AWAY = "away"
    RETURNED = "returned"


class MonitorWatch:
    """Follows one monitor by name through changing lists of monitors."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self._there = True

    def step(self, monitors: Sequence[Monitor], still_on_it: bool = True) -> MonitorPresence:
        """What the newest list says; `still_on_it` False means that the window was moved off it."""
        matches = [m for m in monitors if m.name == self.monitor.name]
        nearest = min(matches, key=self._distance, default=None)
        if self._there:
            if nearest is not None and still_on_it:
                return MonitorPresence.THERE
            self._there = False
            return MonitorPresence.LOST
        if nearest is None:
            return MonitorPresence.AWAY
        self.monitor = nearest
        self._there = True
        return MonitorPresence.RETURNED

    def _distance(self, other: Monitor) -> int:
        return abs(other.x - self.monitor.x) + abs(other.y - self.monitor.y)
