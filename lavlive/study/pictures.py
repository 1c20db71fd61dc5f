"""Pictures as the eye might compare them: small, in CIE L*a*b*."""

from __future__ import annotations

import numpy as np

from lavlive.light import OF_BYTES

SIDE = 16
_LINEAR = OF_BYTES.astype(np.float32)
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (1976, D65) of the picture's mean light on a grid of 16 × 16: float32 [768].

    Args:
        picture: uint8 [H, W, 3], sRGB, sides that 16 divides.

    Distances between thumbnails divided by 16 are root mean square ΔE per place.
    """
    height, width = picture.shape[0] // SIDE, picture.shape[1] // SIDE
    light = _LINEAR[picture].reshape(SIDE, height, SIDE, width, 3).mean(axis=(1, 3))
    relative = np.maximum(light @ _XYZ.T / _WHITE, 0.0)
    bent = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    x, y, z = bent[..., 0], bent[..., 1], bent[..., 2]
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
    return np.asarray(lab.reshape(-1), np.float32)


def change(thumbnails: np.ndarray, steps: int = 1) -> np.ndarray:
    """Root mean square ΔE from each thumbnail to the one `steps` later, float64 [n − steps]."""
    moved = np.diff(thumbnails[::steps].astype(np.float64), axis=0)
    return np.asarray(np.sqrt((moved**2).sum(axis=1)) / SIDE)
