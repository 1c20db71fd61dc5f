"""How a picture meets the canvas: its place, and the spline that it is scaled by.

The mathematics of `sharpen.frag` and `present.frag`, for pictures that are not doubled first; the canvas in
memory computes with it, the one in OpenGL is tested against it. A cubic B-spline is smooth to its second
derivative, so no pixel's edge shows at any size (Catmull-Rom and Mitchell leave a lattice at the 7.5 times
from 256² to a projector); a mild prefilter gives back the detail that it takes.
"""

from __future__ import annotations

import numpy as np

SHARPEN = 0.2
"""Strength a of the prefilter (−a, 1 + 2a, −a); chosen by eye on pictures of 256² shown at 1080p."""

_EDGE = 2
"""Pixels on each side that a generator draws darker, since its convolutions go on with zeros beyond them."""

_EDGED = 128
"""Pictures smaller than this keep their edges: there the two pixels would be missed."""

CRISP = 0.5
"""Of the contrast-adaptive sharpening after a picture was doubled; measured by tools/upscaling.py."""
LEAST_DOUBLED = 1.6
"""Pictures that are enlarged by less are not doubled first."""


def enlargement(scaling: str, picture: tuple[int, int], canvas: tuple[int, int]) -> float:
    """How many times larger a picture is on the canvas, along the side where that is more."""
    extent = picture_extent(scaling, picture, canvas)
    return max(part * whole / own for part, whole, own in zip(extent, canvas, picture, strict=True))


def picture_extent(scaling: str, picture: tuple[int, int], canvas: tuple[int, int]) -> tuple[float, float]:
    """Width and height of the picture in parts of the canvas's, for ``fit``, ``fill`` and ``stretch``.

    Sizes are (width, height) in pixels. Only ``fit`` shows the picture's outermost pixels.
    """
    if scaling == "fit":
        wider = (picture[0] / picture[1]) / (canvas[0] / canvas[1])
        return (1.0, 1.0 / wider) if wider > 1.0 else (wider, 1.0)
    kept = [size - 2 * _EDGE if size >= _EDGED else size for size in picture]
    over = picture[0] / kept[0], picture[1] / kept[1]
    if scaling == "stretch":
        return over
    wider = (kept[0] / kept[1]) / (canvas[0] / canvas[1])
    return (over[0] * wider, over[1]) if wider > 1.0 else (over[0], over[1] / wider)


def scaling_matrix(source: int, target: int, extent: float, zoom: float, drift: float) -> np.ndarray:
    """What takes a line of `source` pixels to one of `target`: float32 [target, source].

    `extent` is the picture's length in parts of the target; outside of it the rows are zero: bars.
    `zoom` and `drift` move the picture about its middle, as in `mixer.Mix`.
    """
    inside = ((np.arange(target) + 0.5) / target - 0.5) / extent
    texel = ((inside - drift) / zoom + 0.5) * source - 0.5
    first = np.floor(texel).astype(int)
    f = texel - first
    g = 1.0 - f
    weights = (g**3 / 6, (4 - 6 * f**2 + 3 * f**3) / 6, (4 - 6 * g**2 + 3 * g**3) / 6, f**3 / 6)
    matrix = np.zeros((target, source))
    rows = np.arange(target)
    for offset, weight in enumerate(weights):
        np.add.at(matrix, (rows, np.clip(first + offset - 1, 0, source - 1)), weight)
    matrix[np.abs(inside) > 0.5] = 0.0
    kernel: np.ndarray = (matrix @ _prefilter(source)).astype(np.float32)
    return kernel


def _prefilter(size: int) -> np.ndarray:
    rows = np.arange(size)
    matrix = np.zeros((size, size))
    for offset, weight in ((-1, -SHARPEN), (0, 1 + 2 * SHARPEN), (1, -SHARPEN)):
        np.add.at(matrix, (rows, np.clip(rows + offset, 0, size - 1)), weight)
    return matrix
