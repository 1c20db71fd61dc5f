"""How much a picture differs from the one before, to the eye."""

from __future__ import annotations

import numpy as np

from lavlive.light import OF_BYTES

_GRID = 64


def _lightness_of(linear: np.ndarray) -> np.ndarray:
    small = linear <= 216 / 24389
    return np.where(small, linear * (24389 / 27), 116.0 * np.cbrt(linear) - 16.0)


_WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


class PictureChange:
    """Mean absolute difference of lightness L* (CIE 1976, 0 to 100) between pictures that follow each other.

    Over a grid of at most 64 x 64 pixels, each as it is: the mean over all pixels, estimated, at a price
    that does not grow with the resolution. One L* is about what an eye can just tell side by side.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def step(self, pixels: np.ndarray) -> float:
        """The change to this picture, uint8 [H, W, 3], from the last one; 0 at first and after a new size."""
        down, across = max(1, pixels.shape[0] // _GRID), max(1, pixels.shape[1] // _GRID)
        lightness = _lightness_of(OF_BYTES[pixels[down // 2 :: down, across // 2 :: across]] @ _WEIGHTS)
        last, self._last = self._last, lightness
        if last is None or last.shape != lightness.shape:
            return 0.0
        return float(np.abs(lightness - last).mean())
