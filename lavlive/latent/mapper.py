"""From standardised projections to deviations in units of W_std: spread y, leaky tanh c, adaptation."""

from __future__ import annotations

import math

import numpy as np

_RELAX_SECONDS = 2.0
_SMALLEST_VARIANCE = 1e-4


def leaky_tanh(x: np.ndarray, c: float) -> np.ndarray:
    """c·x + (1 − c)·tanh(x): slope 1 at the origin for every c, slope c far out.

    Our reading: the paper names c and gives no formula.
    """
    return c * x + (1.0 - c) * np.tanh(x)


class Mapper:
    """a = leaky_tanh(y · u; c), with u optionally adapted to the programme of the last seconds.

    The adaptation follows mean and variance of u with one time constant, rests in silence, and lets go
    of what it learned within seconds when it is switched off.
    """

    def __init__(self, dimension: int = 512) -> None:
        self._mean = np.zeros(dimension)
        self._variance = np.ones(dimension)
        self._adapted = False

    def step(
        self, u: np.ndarray, y: float, c: float, adapt: float, elapsed: float, silent: bool = False
    ) -> np.ndarray:
        """Map u [512] to the deviation a [512], in W_std.

        Args:
            y: spread, ≥ 0.
            c: leak, 0 to 1.
            adapt: time constant of the adaptation in seconds; 0 is off.
            elapsed: seconds since the last step.
            silent: whether the programme is silent now, which freezes the adaptation.
        """
        if adapt > 0 and not silent:
            self._follow(u, 1.0 - math.exp(-elapsed / adapt))
        elif adapt <= 0 and self._adapted:
            self._relax(math.exp(-elapsed / _RELAX_SECONDS))
        if self._adapted:
            u = (u - self._mean) / np.sqrt(np.maximum(self._variance, _SMALLEST_VARIANCE))
        return leaky_tanh(y * u, c)

    def _follow(self, u: np.ndarray, rate: float) -> None:
        self._adapted = True
        away = u - self._mean
        self._mean += rate * away
        self._variance += rate * (away**2 * (1.0 - rate) - self._variance)

    def _relax(self, keep: float) -> None:
        self._mean *= keep
        self._variance = 1.0 + (self._variance - 1.0) * keep
        rested = np.abs(self._mean).max() < 1e-6 and np.abs(self._variance - 1.0).max() < 1e-6
        self._adapted = not rested
