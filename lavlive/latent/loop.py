"""Closed ways through W: through kept keyframes, and through nothing in particular."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_NOISE_SEED = 0x100B
_TURNS = (1, 2, 3)
"""Waves of a noise loop: how often each turns while the loop closes once."""
_PARALLEL = 1e-4


def walked(points: Sequence[np.ndarray], phase: float, way: str, curve: str) -> np.ndarray:
    """Where a loop through points stands, float [3, w_dim].

    Args:
        points: at least one, float [3, w_dim] as deviations from the mean, around which spheres lie.
        phase: 0 to 1; both are the first point.
        way: ``around`` (1, 2, …, last, 1), ``back`` (1, last, …, 2, 1) or ``forth and back``.
        curve: ``spherical``, at an even pace from direction to direction, or ``straight``.
    """
    count = len(points)
    phase %= 1.0
    if way == "forth and back":
        place = (count - 1) * (1.0 - abs(1.0 - 2.0 * phase))
    else:
        place = count * (phase if way == "around" else 1.0 - phase)
    share = place - int(place)
    first, last = points[int(place) % count], points[(int(place) + 1) % count]
    if share == 0.0 or first is last:
        return first
    return spherical(first, last, share) if curve == "spherical" else straight(first, last, share)


def straight(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """(1 − share) · one + share · other."""
    mixed: np.ndarray = one + share * (other - one)
    return mixed


def spherical(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Row by row from one direction to the other at an even pace, the lengths straight (Shoemake 1985)."""
    lengths = [np.linalg.norm(point, axis=1, keepdims=True) for point in (one, other)]
    units = [point / np.maximum(length, 1e-12) for point, length in zip((one, other), lengths, strict=True)]
    angle = np.arccos(np.clip(np.sum(units[0] * units[1], axis=1, keepdims=True), -1.0, 1.0))
    sine = np.sin(angle)
    # Points that lie in one line with the middle have no circle between them.
    curved = sine > _PARALLEL
    safe = np.where(curved, sine, 1.0)
    direction = (np.sin((1 - share) * angle) * units[0] + np.sin(share * angle) * units[1]) / safe
    length = lengths[0] + share * (lengths[1] - lengths[0])
    mixed: np.ndarray = np.where(curved, direction * length, straight(one, other, share))
    return mixed


def noise_loop(phase: float, radius: float, w_dim: int) -> np.ndarray:
    """A closed walk about nought, float [w_dim]: of so much root mean square over a turn, in W_std."""
    waves = np.array([wave(math.tau * turns * phase) for turns in _TURNS for wave in (math.cos, math.sin)])
    walk: np.ndarray = radius * (waves @ _amplitudes(w_dim))
    return walk


@lru_cache(maxsize=8)
def _amplitudes(w_dim: int) -> np.ndarray:
    drawn: np.ndarray = np.random.default_rng(_NOISE_SEED).standard_normal((2 * len(_TURNS), w_dim))
    # Each wave's mean square is a half.
    return drawn / math.sqrt(len(_TURNS))


class Turning:
    """The phase of a loop that turns once in so many seconds; a new length goes on from where it stands."""

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._began = 0.0
        self._phase = 0.0

    def at(self, time: float, seconds: float) -> float:
        """0 to 1 at a time in seconds; the first call's is 0."""
        if self._seconds is None:
            self._began, self._seconds = time, seconds
        elif seconds != self._seconds:
            self._phase = (self._phase + (time - self._began) / self._seconds) % 1.0
            self._began, self._seconds = time, seconds
        return (self._phase + (time - self._began) / self._seconds) % 1.0
