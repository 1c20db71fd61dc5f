"""Weights by the names that a file gives them: each is checked as it is taken."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from lavlive.errors import CheckpointError
from lavlive.weightfiles.arrays import Array, Stored

_LARGEST_WEIGHTS = 512 << 20
LARGEST_WEIGHT = 1e8
"""No trained weight comes near; of larger ones a network's numbers overflow."""


class Weights:
    """The arrays of a file by its own names; each is checked as it is taken."""

    def __init__(self, stored: Mapping[str, Stored | float]) -> None:
        self._stored = stored
        self._spent = 0

    def __contains__(self, name: str) -> bool:
        return name in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def shape(self, name: str, dimensions: int | None = None) -> tuple[int, ...]:
        """The shape of ``name``. Raises CheckpointError when it is missing or has other dimensions."""
        if name not in self._stored:
            raise CheckpointError(f"damaged or of another kind: it lacks {name}")
        stored = self._stored[name]
        shape = () if isinstance(stored, float) else stored.shape
        if dimensions is not None and (len(shape) != dimensions or 0 in shape):
            raise CheckpointError(
                f"of another kind: {name} is {shape}, and should have {dimensions} dimensions"
            )
        return shape

    def take(self, name: str) -> Array:
        """The numbers of ``name``, float32; finite, or the file is refused."""
        self._spent += 4 * math.prod(self.shape(name))
        if self._spent > _LARGEST_WEIGHTS:
            raise CheckpointError(
                f"larger than {_LARGEST_WEIGHTS >> 20} MB of weights, which no network that lavlive plays has"
            )
        stored = self._stored[name]
        if not isinstance(stored, float) and stored.kind.whole:
            raise CheckpointError(f"{name} holds whole numbers ({stored.kind.code}), which no weights are")
        array = np.array(stored, np.float32) if isinstance(stored, float) else stored.read()
        check_values(name, array)
        return array


def check_values(name: str, array: Array) -> None:
    """Raise CheckpointError unless all of ``array`` are numbers that a network can compute with."""
    if not np.isfinite(array).all():
        raise CheckpointError(f"{name} holds values that are not finite: training failed, or damage")
    largest = float(np.abs(array).max(initial=0.0))
    if largest > LARGEST_WEIGHT:
        raise CheckpointError(f"{name} holds {largest:.3g}, far larger than any trained weight: damaged")
