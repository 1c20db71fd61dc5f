"""What everything wants in one frame: hands, beat and assist together, for engine, output and panel alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lavlive.parameters import INDEX, NAMES, Value, find


@dataclass(frozen=True, eq=False)
class Controls(Mapping[str, Value]):
    """The value of every parameter in one frame, after the beat and the assist. A mapping by name.

    Attributes:
        numbers: float64 in the table's order; never changes.
        revision: grows with every change, over the whole show.
    """

    numbers: np.ndarray
    revision: int

    def __post_init__(self) -> None:
        if self.numbers.flags.writeable:
            kept = self.numbers.copy()
            kept.flags.writeable = False
            object.__setattr__(self, "numbers", kept)

    def __getitem__(self, name: str) -> Value:
        return find(name).value(float(self.numbers[INDEX[name]]))

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)

    def number(self, name: str) -> float:
        """The value as a number, without rounding: what travels in the link."""
        return float(self.numbers[INDEX[name]])


@dataclass(frozen=True, eq=False)
class CanvasValues(Mapping[str, Value]):
    """What the canvas is given in one frame: the table's values, and those of what is loaded at run time.

    Attributes:
        table: the table's values, as `Controls`.
        loaded: gives what is loaded where it does not move.
        moved: values of what is loaded as beat and sound move them.
    """

    table: Mapping[str, Value]
    loaded: Mapping[str, Value]
    moved: Mapping[str, Value]

    def __getitem__(self, name: str) -> Value:
        if name in INDEX:
            return self.table[name]
        return self.moved[name] if name in self.moved else self.loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.loaded)

    def __len__(self) -> int:
        return len(self.loaded)
