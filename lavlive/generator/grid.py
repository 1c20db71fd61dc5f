"""Pictures of another shape from the same weights: the learned constant in another size.

StyleGAN2 is convolutions all the way from its constant, 4 × 4 numbers a channel, so a constant of 4 × 7 makes
pictures of 4 : 7, whole and without seams. Cost grows with the pixels: 1.75 times for 16:9.

    native 4 × 4 ──► 4 × 7 for 16:9 · 5 × 4 for 4:5 · 4 × 14 for two projectors side by side
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Fill = Literal["stretch", "mirror", "tile", "pad"]
"""How a constant meets another size: interpolated, in mirrors, repeated, or with nothing beside it."""


@dataclass(frozen=True, order=True)
class Grid:
    """Rows and columns of a generator's constant."""

    rows: int
    columns: int

    @property
    def aspect(self) -> float:
        """Width by height."""
        return self.columns / self.rows

    def __str__(self) -> str:
        return f"{self.rows} × {self.columns}"


def grid_for(aspect: float | None, native: Grid) -> Grid:
    """The grid nearest to ``aspect`` (width by height) that is nowhere smaller than ``native``.

    None is the model's own shape. A model that was trained on another shape keeps it where that is as near.
    """
    if aspect is None:
        return native
    wide = Grid(native.rows, max(native.columns, round(native.rows * aspect)))
    tall = Grid(max(native.rows, round(native.columns / aspect)), native.columns)
    # Sorted, the smaller one comes first where both are as near.
    return min(sorted({native, wide, tall}), key=lambda grid: round(abs(math.log(grid.aspect / aspect)), 9))


def centred(grid: Grid, native: Grid) -> Grid:
    """The grid to begin with so that what the model learned comes to lie in the middle of ``grid``.

    Where ``grid`` has an odd number of rows or columns more, half of them is no whole number: then one more
    is begun with, and once features have doubled, one is taken off each side.
    """
    return Grid(grid.rows + (grid.rows - native.rows) % 2, grid.columns + (grid.columns - native.columns) % 2)


def refilled(constant: Array, grid: Grid, fill: Fill = "stretch") -> Array:
    """A constant float32 [channels, rows, columns] in the size of ``grid``; itself where that is its own.

    ``stretch`` interpolates between its numbers (bilinear, corners kept); ``mirror`` and ``tile`` go on;
    ``pad`` leaves zeros beside it, which is what the first convolution has always seen there.
    """
    rows, columns = constant.shape[1:]
    if (grid.rows, grid.columns) == (rows, columns):
        return constant
    if fill == "stretch":
        return np.ascontiguousarray(_stretched(_stretched(constant, 1, grid.rows), 2, grid.columns))
    if fill == "pad":
        wide = np.zeros((len(constant), grid.rows, grid.columns), constant.dtype)
        top, left = (grid.rows - rows) // 2, (grid.columns - columns) // 2
        wide[:, top : top + rows, left : left + columns] = constant
        return wide
    take = _mirrored if fill == "mirror" else _repeated
    return np.ascontiguousarray(constant[:, take(rows, grid.rows)][:, :, take(columns, grid.columns)])


def _stretched(values: Array, axis: int, length: int) -> Array:
    source = values.shape[axis]
    places = np.linspace(0, source - 1, length)
    before = np.minimum(places.astype(int), max(source - 2, 0))
    after = np.minimum(before + 1, source - 1)
    shape = [1] * values.ndim
    shape[axis] = length
    share = (places - before).astype(np.float32).reshape(shape)
    mixed: Array = values.take(before, axis) * (1 - share) + values.take(after, axis) * share
    return mixed


def _mirrored(source: int, length: int) -> npt.NDArray[np.int64]:
    """The constant in the middle, mirrors of it on either side."""
    places = (np.arange(length) - (length - source) // 2) % (2 * source)
    return np.where(places < source, places, 2 * source - 1 - places)


def _repeated(source: int, length: int) -> npt.NDArray[np.int64]:
    """The constant in the middle, repeated on either side."""
    return (np.arange(length) - (length - source) // 2) % source


def noise_for(constant: Array, height: int, width: int, layer: int, seed: int = 0) -> Array:
    """A layer's noise, float32 [height, width]: its own where it fits, else drawn anew under the seed."""
    if constant.shape == (height, width):
        return constant
    return np.random.default_rng((seed, layer)).standard_normal((height, width), np.float32)
