"""Between sRGB's encoding and linear light (IEC 61966-2-1), fast enough for whole canvases.

The shaders have the same in ``shaders/srgb.glsl``; a test holds the two together.
"""

from __future__ import annotations

import numpy as np

_STEPS = 4096


def to_linear(encoded: np.ndarray) -> np.ndarray:
    """Linear light of sRGB values, both 0 to 1, float32 of the same shape."""
    linear: np.ndarray = _TO_LINEAR[np.rint(np.clip(encoded, 0.0, 1.0) * _STEPS).astype(np.int32)]
    return linear


def to_encoded(linear: np.ndarray) -> np.ndarray:
    """The inverse of `to_linear`, exact."""
    linear = np.clip(linear, 0.0, 1.0)
    curved = 1.055 * np.power(linear, 1 / 2.4, dtype=np.float32) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, curved).astype(np.float32)


def _curve(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


OF_BYTES = _curve(np.arange(256) / 255.0)
"""Linear light of the 256 values of a byte, float64."""
_TO_LINEAR = _curve(np.arange(_STEPS + 1) / _STEPS).astype(np.float32)


_WEIGHTS = np.array([0.2126, 0.7152, 0.0722])
_DARK = 216 / 24389


def lightness(linear: np.ndarray) -> np.ndarray:
    """L* (CIE 1976, 0 to 100) of linear light, [..., 3] to [...]."""
    luminance = linear @ _WEIGHTS
    bright: np.ndarray = 116.0 * np.cbrt(luminance) - 16.0
    return np.where(luminance <= _DARK, luminance * (24389 / 27), bright)


def lightness_on_grid(pixels: np.ndarray, cells: int = 64) -> np.ndarray:
    """L* of some pixels of a picture, uint8 [H, W, 3]: of a grid of about ``cells`` each way, each as it is.

    Means over the grid estimate those over all pixels, at a price that does not grow with the resolution.
    """
    down, across = max(1, pixels.shape[0] // cells), max(1, pixels.shape[1] // cells)
    return lightness(OF_BYTES[pixels[down // 2 :: down, across // 2 :: across]])
