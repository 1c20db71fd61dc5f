"""When each picture is seen: cross-dissolve, freeze, blackout, master, and gentle motion while nothing comes.

No pixels here. Every step says what to draw now, as a handful of numbers that any canvas can follow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lavlive.link.contents import Picture
from lavlive.parameters import Value

BLACKOUT_SECONDS = 0.3
MASTER_SECONDS = 0.1
"""From one end of the master fader to the other, at least: its steps are not seen, a hand is not held up."""
STALL_SECONDS = 0.5
"""Without a new picture for this long, the last one begins to move."""

_ALIVE_IN_SECONDS = 4.0
_ALIVE_OUT_SECONDS = 3.0
_ALIVE_ZOOM = 0.06
_ALIVE_DRIFT = 0.02
_ALIVE_PERIOD = 24.0


@dataclass(frozen=True, slots=True)
class Mix:
    """What the canvas shows now.

    Attributes:
        new: pixels uint8 [H, W, 3] to dissolve to from what is seen now; None to go on with the present ones.
        position: 0 = what was seen when the present picture came, 1 = the present picture alone.
        zoom: at least 1; about the picture's centre.
        drift: shift right and down in parts of the picture, never beyond what `zoom` leaves room for.
        light: 0 = black, 1 = as the picture is.
    """

    new: np.ndarray | None
    position: float
    zoom: float
    drift: tuple[float, float]
    light: float


def _idle_picture(size: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    distance = np.hypot(x * 0.8 + 0.15, y * 1.1 - 0.1)
    glow = np.exp(-2.2 * distance**2)[..., None] * np.array([0.16, 0.13, 0.24])
    floor = np.array([0.03, 0.03, 0.045])
    picture: np.ndarray = np.rint(255 * (glow + floor)).astype(np.uint8)
    return picture


IDLE = _idle_picture(64)
"""What a canvas shows before its first picture: a dim glow, uint8 [64, 64, 3]."""


def _ease(x: float) -> float:
    return x * x * (3 - 2 * x)


def _towards(target: float, present: float, step: float) -> float:
    return present + min(max(target - present, -step), step)


class Mixer:
    """Follows the pictures through time; `step` is called once for each time the display shows something."""

    def __init__(self) -> None:
        self._now: float | None = None
        self._sequence = 0
        self._last_new = -math.inf
        self._position = 1.0
        self._alive = 0.0
        self._phase = 0.0
        self._light = 1.0
        self._master: float | None = None
        self._first = True

    def step(self, picture: Picture | None, values: Mapping[str, Value], now: float) -> Mix:
        """Advance to `now`; a clock that runs backwards counts as standing still."""
        elapsed = max(0.0, now - self._now) if self._now is not None else 0.0
        self._now = now
        new = self._take(picture, bool(values["show.freeze"]), now)
        self._dissolve(new is not None, float(values["show.dissolve"]), elapsed)
        if self._first:
            self._first, self._position = False, 1.0
        self._move(bool(values["show.freeze"]), elapsed, now)
        self._light = _towards(
            0.0 if values["show.blackout"] else 1.0, self._light, elapsed / BLACKOUT_SECONDS
        )
        wanted = float(values["show.master"])
        before = wanted if self._master is None else self._master
        self._master = _towards(wanted, before, elapsed / MASTER_SECONDS)
        amount = _ease(self._alive)
        drift = amount * _ALIVE_DRIFT
        return Mix(
            new,
            self._position,
            1.0 + amount * _ALIVE_ZOOM * (1.0 - 0.4 * math.cos(self._phase)),
            (drift * math.sin(self._phase), drift * 0.5 * math.sin(2 * self._phase)),
            _ease(self._light) * self._master,
        )

    def _take(self, picture: Picture | None, frozen: bool, now: float) -> np.ndarray | None:
        if picture is not None and picture.sequence != self._sequence:
            self._last_new = now
            if not frozen:
                self._sequence = picture.sequence
                return picture.pixels
        return None

    def _dissolve(self, fresh: bool, seconds: float, elapsed: float) -> None:
        if fresh:
            self._position = 0.0
        self._position = min(1.0, self._position + elapsed / seconds) if seconds > 0 else 1.0

    def _move(self, frozen: bool, elapsed: float, now: float) -> None:
        if frozen:
            return
        if now - self._last_new > STALL_SECONDS:
            self._alive = min(1.0, self._alive + elapsed / _ALIVE_IN_SECONDS)
        else:
            self._alive = max(0.0, self._alive - elapsed / _ALIVE_OUT_SECONDS)
        if self._alive > 0:
            self._phase += 2 * math.pi * elapsed / _ALIVE_PERIOD
        else:
            self._phase = 0.0
