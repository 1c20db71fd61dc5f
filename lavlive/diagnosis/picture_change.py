"""How much a picture differs from the one before, to the eye."""

from __future__ import annotations

import numpy as np

from lavlive.light import lightness_on_grid


class PictureChange:
    """Mean absolute difference of lightness L* (CIE 1976, 0 to 100) between pictures that follow each other.

    One L* is about what an eye can just tell side by side.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def step(self, pixels: np.ndarray) -> float:
        """The change to this picture, uint8 [H, W, 3], from the last one; 0 at first and after a new size."""
        lightness = lightness_on_grid(pixels)
        last, self._last = self._last, lightness
        if last is None or last.shape != lightness.shape:
            return 0.0
        return float(np.abs(lightness - last).mean())
