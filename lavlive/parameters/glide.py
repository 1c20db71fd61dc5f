"""Continuous parameters on their way to new values."""

from __future__ import annotations

import math

import numpy as np

from lavlive.parameters.table import GLIDES, TABLE


class Glide:
    """Moves the continuous parameters smoothly towards their targets; the others jump.

    An exponential approach: after `seconds` a step is 95 % done. The first call jumps, so a run that
    starts with given values has them from its first hop.
    """

    def __init__(self, seconds: float = 0.05) -> None:
        self._time_constant = seconds / 3.0
        self.numbers = np.full(len(TABLE), np.nan)

    def step(self, targets: np.ndarray, elapsed: float) -> np.ndarray:
        """Advance by `elapsed` seconds towards `targets` [len(TABLE)]; returns the present numbers."""
        keep = math.exp(-elapsed / self._time_constant)
        moved = targets + (self.numbers - targets) * keep
        near = np.abs(moved - targets) <= 1e-6 * (1.0 + np.abs(targets))
        self.numbers = np.where(GLIDES & np.isfinite(moved) & ~near, moved, targets)
        return self.numbers

    def jump(self, targets: np.ndarray) -> None:
        """Be at the targets at once."""
        self.numbers = targets.copy()
