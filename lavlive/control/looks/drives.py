"""Drives: parameters of shaders, and hands in W, moved by sound, by the method that moves the picture.

    value = base + depth · range / 2 · leaky_tanh(y · p·a_g; c)

p is a fixed random unit direction under the drive's seed, a_g the smoothed deviation of a layer group, y
and c the mapper's. So the same sound, spread, leak and windows that move the picture move the shader.
Besides there are drives by what is heard: onset, level, three bands, harmony. They have no state: the same
sound gives the same values, live and offline.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from lavlive.parameters import GROUPS, ParameterKind, find

SOURCES = (*GROUPS, "onset", "level", "bass", "mid", "treble", "chroma")
"""What can drive, as presets name it."""

LARGEST_SEED = 9999
_BANDS = {"bass": slice(0, 18), "mid": slice(18, 42), "treble": slice(42, 64)}
"""Of the 64 bands of the spectrum, 40 Hz to 11 kHz: up to 200 Hz, up to 1.6 kHz, and above."""
_QUIETEST_DB, _LOUDEST_DB = -60.0, -12.0
_FIFTHS = np.exp(2j * np.pi * 7 * np.arange(12) / 12)


@dataclass(frozen=True, slots=True)
class Heard:
    """What drives hear at one moment.

    Attributes:
        deviation: float [3, w], the smoothed deviation of each layer group, in W_std.
        onset: 0 to 1.
        spectrum: [64], decibels over full scale.
        chroma: [12], sums to 1.
    """

    deviation: np.ndarray
    onset: float = 0.0
    spectrum: np.ndarray | None = None
    chroma: np.ndarray | None = None


@dataclass(frozen=True)
class Drive:
    """How sound moves one continuous parameter of a shader, or of what hands do in W.

    Attributes:
        name: the parameter.
        source: one of `SOURCES`.
        depth: how far, -1 to 1; 0 is bit for bit no drive.
        seed: which direction in W, or which key at the top of the circle for ``chroma``.
    """

    name: str
    source: str
    depth: float
    seed: int = 0

    def swing(self, heard: Heard, y: float, c: float) -> float:
        """Where the source stands: about -1 to 1 for the groups and harmony, 0 to 2 for the others."""
        if self.source in GROUPS:
            deviation = heard.deviation[GROUPS.index(self.source)]
            x = y * float(direction(self.seed, len(deviation)) @ deviation)
            return c * x + (1.0 - c) * math.tanh(x)
        match self.source:
            case "onset":
                return 2.0 * heard.onset
            case "level" if heard.spectrum is not None:
                return 2.0 * _loudness(10.0 * math.log10(float(np.sum(10.0 ** (heard.spectrum / 10.0)))))
            case "chroma" if heard.chroma is not None:
                turned = complex((heard.chroma * _FIFTHS).sum()) * np.exp(-2j * np.pi * self.seed / 12)
                return max(min(4.0 * float(turned.real), 1.0), -1.0)
            case band if heard.spectrum is not None and band in _BANDS:
                return 2.0 * _loudness(float(np.max(heard.spectrum[_BANDS[band]])))
        return 0.0

    def apply(self, number: float, heard: Heard, y: float, c: float) -> float:
        """The moved value, held inside the parameter's range."""
        if self.depth == 0.0:
            return number
        parameter = find(self.name)
        half = (parameter.high - parameter.low) / 2.0
        moved = number + self.depth * half * self.swing(heard, y, c)
        return min(max(moved, parameter.low), parameter.high) if math.isfinite(moved) else number

    def faded(self, share: float) -> Drive:
        """The same with a share of its depth, 0 to 1."""
        return replace(self, depth=self.depth * share)

    def to_table(self) -> dict[str, object]:
        """As a preset's table."""
        return {"source": self.source, "depth": self.depth, "seed": self.seed}


SILENCE = Heard(np.zeros((3, 1)))
"""What drives hear before there is sound."""


def _loudness(decibels: float) -> float:
    return min(max((decibels - _QUIETEST_DB) / (_LOUDEST_DB - _QUIETEST_DB), 0.0), 1.0)


@lru_cache(maxsize=512)
def direction(seed: int, dimension: int) -> np.ndarray:
    """The unit direction under a seed, float64 [dimension]."""
    vector: np.ndarray = np.random.default_rng([seed, 0x1A5]).normal(size=dimension)
    direction: np.ndarray = vector / np.linalg.norm(vector)
    return direction


def driven(numbers: dict[str, float], drives: Iterable[Drive], heard: Heard, y: float, c: float) -> None:
    """Move those of `numbers`, values by parameter, that are driven; in place."""
    for drive in drives:
        if drive.name in numbers:
            numbers[drive.name] = drive.apply(numbers[drive.name], heard, y, c)


def drive_all(names: Iterable[str], seed: int) -> list[Drive]:
    """A drive for every continuous one of some parameters: groups by turns, seeds that follow each other."""
    continuous = [name for name in names if find(name).kind is ParameterKind.CONTINUOUS]
    return [
        Drive(name, GROUPS[place % len(GROUPS)], 0.5, (seed + place) % (LARGEST_SEED + 1))
        for place, name in enumerate(continuous)
    ]
