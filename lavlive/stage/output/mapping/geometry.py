"""From a slice to the triangles that draw it: homography of four corners, Bézier surface of a grid."""

from __future__ import annotations

import numpy as np

from lavlive.stage.output.mapping.surfaces import GRID, Corners, Point, Slice

_STEPS = 24
"""Cells of a bent slice, across and down; straight ones are exact with one."""


def homography(corners: Corners) -> np.ndarray:
    """What takes the unit square to four corners, float64 [3, 3]: [x·w, y·w, w] = H [s, t, 1].

    After Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3. For corners that
    go round without a dent w is positive inside the square.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = np.asarray(corners, float)
    sum_x, sum_y = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    dx1, dx2, dy1, dy2 = x1 - x2, x3 - x2, y1 - y2, y3 - y2
    below = dx1 * dy2 - dx2 * dy1
    g = (sum_x * dy2 - dx2 * sum_y) / below
    h = (dx1 * sum_y - sum_x * dy1) / below
    return np.array(
        [
            [x1 - x0 + g * x1, x3 - x0 + h * x3, x0],
            [y1 - y0 + g * y1, y3 - y0 + h * y3, y0],
            [g, h, 1.0],
        ]
    )


def through(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [n, 2] through a homography, [n, 2]."""
    raised = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(raised[:, :2] / raised[:, 2:])


def flat_grid() -> tuple[Point, ...]:
    """A grid that bends nothing."""
    steps = np.linspace(0.0, 1.0, GRID)
    return tuple((float(x), float(y)) for y in steps for x in steps)


def bent(grid: tuple[Point, ...], places: np.ndarray) -> np.ndarray:
    """Places [n, 2] of the unit square on a bicubic Bézier surface of 4 × 4 control points, [n, 2]."""
    points = np.asarray(grid, float).reshape(GRID, GRID, 2)
    across, down = _bernstein(places[:, 0]), _bernstein(places[:, 1])
    return np.asarray(np.einsum("nj,ni,jic->nc", down, across, points))


def _bernstein(t: np.ndarray) -> np.ndarray:
    """Weights of four control points, [n, 4]."""
    u = 1.0 - t
    return np.stack([u**3, 3 * u * u * t, 3 * u * t * t, t**3], axis=1)


def mesh(part: Slice) -> np.ndarray:
    """The triangles of a slice, float32 [n, 5]: place in the slice, then x·w, y·w and w on the screen.

    A graphics card that interpolates in perspective draws the homography exactly.
    """
    steps = 1 if part.grid is None else _STEPS
    edge = np.linspace(0.0, 1.0, steps + 1)
    left, top = np.meshgrid(edge[:-1], edge[:-1])
    right, bottom = np.meshgrid(edge[1:], edge[1:])
    corners = [(left, top), (right, top), (left, bottom), (left, bottom), (right, top), (right, bottom)]
    places = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=2).reshape(-1, 2)
    inside = places if part.grid is None else bent(part.grid, places)
    raised = np.column_stack([inside, np.ones(len(inside))]) @ homography(part.corners).T
    # A grid may reach beyond the corners, to where the perspective turns over.
    raised[:, 2] = np.maximum(raised[:, 2], 1e-3)
    return np.ascontiguousarray(np.column_stack([places, raised]), np.float32)
