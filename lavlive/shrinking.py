"""Pictures made smaller by means over their pixels: thumbnails, sheets, small pictures to choose from."""

from __future__ import annotations

import numpy as np


def averaged(pixels: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A picture, uint8 [H, W, C], as [rows, columns, C]: means, or the nearest pixels where it has fewer."""
    height, width = pixels.shape[:2]
    if rows > height or columns > width:
        nearest: np.ndarray = pixels[
            (np.arange(rows) * height // rows)[:, None], np.arange(columns) * width // columns
        ]
        return nearest
    tops = np.linspace(0, height, rows + 1).astype(int)
    lefts = np.linspace(0, width, columns + 1).astype(int)
    sums = np.add.reduceat(pixels, tops[:-1], axis=0, dtype=np.uint32)
    sums = np.add.reduceat(sums, lefts[:-1], axis=1)
    counts = np.outer(np.diff(tops), np.diff(lefts))
    means: np.ndarray = np.rint(sums / counts[:, :, None]).astype(np.uint8)
    return means
