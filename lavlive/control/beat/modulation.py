"""Parameters that move with the beat."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from lavlive.parameters import INDEX, find

PERIODS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Beats in one turn: from half a beat to four bars of four."""


class Shape(Enum):
    """One turn of a modulation; the values are the words in presets."""

    SINE = "sine"
    TRIANGLE = "triangle"
    RAMP = "ramp"
    SQUARE = "square"
    DECAY = "decay"

    def at(self, phase: float) -> float:
        """The shape at a phase 0 to 1, from -1 to 1; decay falls from 1 to 0 after each beginning."""
        match self:
            case Shape.SINE:
                return math.sin(2.0 * math.pi * phase)
            case Shape.TRIANGLE:
                return 1.0 - 4.0 * abs((phase + 0.25) % 1.0 - 0.5)
            case Shape.RAMP:
                return 2.0 * phase - 1.0
            case Shape.SQUARE:
                return 1.0 if phase < 0.5 else -1.0
            case Shape.DECAY:
                return math.exp(-5.0 * phase)


@dataclass(frozen=True, slots=True)
class BeatModulation:
    """How the beat moves one continuous parameter.

    Attributes:
        name: the parameter.
        shape: see `Shape`.
        beats: length of one turn, one of `PERIODS`.
        depth: how far, as a share of the parameter's range along its curve, -1 to 1.
        low, high: bounds in the parameter's unit, out of which the beat never takes the value.
    """

    name: str
    shape: Shape
    beats: float
    depth: float
    low: float
    high: float

    def apply(self, number: float, beat: float) -> float:
        """The moved value at a beat, counted from the start of a bar.

        A value that lies outside the bounds by itself is moved towards them only.
        """
        parameter = find(self.name)
        unit = parameter.to_unit(number) + self.depth * self.shape.at(beat / self.beats % 1.0)
        moved = parameter.number(parameter.from_unit(unit))
        return min(max(moved, min(self.low, number)), max(self.high, number))

    def faded(self, share: float) -> BeatModulation:
        """The same with a share of its depth, 0 to 1."""
        return replace(self, depth=self.depth * share)

    def to_table(self) -> dict[str, object]:
        """As a preset's table; bounds at the ends of the range are left out."""
        parameter = find(self.name)
        table: dict[str, object] = {"shape": self.shape.value, "beats": self.beats, "depth": self.depth}
        if self.low > parameter.low:
            table["low"] = self.low
        if self.high < parameter.high:
            table["high"] = self.high
        return table


def modulated(numbers: np.ndarray, modulations: Iterable[BeatModulation], beat: float) -> np.ndarray:
    """A copy of all values, float64 in the table's order, with those that the beat moves at their places.

    What is loaded at run time is not among them; see `Looks.loaded_numbers`.
    """
    moved = numbers.copy()
    for modulation in modulations:
        if modulation.name not in INDEX:
            continue
        index = INDEX[modulation.name]
        moved[index] = modulation.apply(float(moved[index]), beat)
    return moved
