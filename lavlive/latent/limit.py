"""How far from W's mean a picture may go."""

from __future__ import annotations

import numpy as np

LARGEST_DEVIATION = 4.0
"""Largest root mean square deviation of a layer group, in W_std: further out no generator was trained."""
FREE_DEVIATION = 2.5
"""Up to here nothing is held back; from here on what comes further out moves less and less."""


def spread_of(deviation: np.ndarray) -> np.ndarray:
    """Root mean square of each layer group's deviation [3, w_dim]: [3]."""
    spread: np.ndarray = np.sqrt(np.mean(deviation**2, axis=1))
    return spread


def held_back(deviation: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Deviations [3, w_dim] of these spreads with `soft_limit`; the same array where nothing is held back."""
    if (spread <= FREE_DEVIATION).all():
        return deviation
    limited: np.ndarray = deviation * (soft_limit(spread) / np.maximum(spread, 1e-9))[:, None]
    return limited


def soft_limit(spread: np.ndarray) -> np.ndarray:
    """Spreads in W_std, held below `LARGEST_DEVIATION`: f + r·x / (1 + x), x = (s − f) / r, beyond f = 2.5.

    r = 4 − f. It rises for ever, so that y keeps its effect however far the sound drives, and bends without a
    corner.
    """
    room = LARGEST_DEVIATION - FREE_DEVIATION
    beyond = np.maximum(spread - FREE_DEVIATION, 0.0) / room
    limited: np.ndarray = np.minimum(spread, FREE_DEVIATION) + room * beyond / (1.0 + beyond)
    return limited
