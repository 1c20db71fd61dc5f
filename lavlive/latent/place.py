"""Where in W a piece lives, and how the picture breathes while nothing sounds.

The adaptation takes a programme's slow mean away, so that every piece moves about the middle of W. What it
takes away is not lost: it says which piece this is. Projected by a layer of its own it is an anchor, about
which the picture moves: other pieces, and other sections, look different.
"""

from __future__ import annotations

import math

import numpy as np

from lavlive.latent.mapper import share_of
from lavlive.latent.programme import Programme

SECONDS = 20.0
"""Time constant of the slow mean: sections count, bars do not."""
_PRIOR_SECONDS = 6.0
"""For so long an average piece is believed in as much as what is heard, so no show begins with a leap."""
_SILENT_SECONDS = 3.0
_SOUNDING_SECONDS = 0.8
_BREATH = 0.5
_PERIODS = (31.0, 23.0, 17.0, 13.0)
"""Seconds of the breath's parts; without a common measure, so that it does not come round again for hours."""


class Place:
    """The slow mean of what is heard, as an offset from the mean of many pieces."""

    def __init__(self, programme: Programme) -> None:
        self._centre = programme.place_mean.astype(np.float64)
        self._mean = self._centre.copy()
        self._heard = 0.0

    def step(self, embedding: np.ndarray, elapsed: float, silent: bool) -> np.ndarray:
        """Offset float32 [dimension] after one more latent; silence teaches nothing.

        Args:
            embedding: e [dimension].
            elapsed: seconds since the last step.
            silent: whether the programme is silent now.
        """
        if not silent:
            self._heard += elapsed
            share = max(elapsed / (self._heard + _PRIOR_SECONDS), share_of(elapsed, SECONDS))
            self._mean += share * (embedding - self._mean)
        offset: np.ndarray = (self._mean - self._centre).astype(np.float32)
        return offset


class Breath:
    """A slow walk around where the picture stands, while nothing sounds.

    Sines of periods without a common measure, each along a direction of its own; half a W_std at most on
    average. It comes within three seconds of silence and goes within one of sound, always smoothly.
    """

    def __init__(self) -> None:
        self._level = 0.0
        self._time = 0.0

    def step(self, directions: np.ndarray, amount: float, elapsed: float, silent: bool) -> np.ndarray | None:
        """What to add to the deviation, float [w_dim] in W_std; None for nothing.

        Args:
            directions: float32 [4, w_dim], unit variance per element.
            amount: 0 to 1.
            elapsed: seconds since the last step.
            silent: whether the programme is silent now.
        """
        goal = amount if silent else 0.0
        seconds = _SILENT_SECONDS if goal > self._level else _SOUNDING_SECONDS
        self._level += share_of(elapsed, seconds) * (goal - self._level)
        if self._level < 1e-3:
            return None
        self._time += elapsed
        phases = [math.sin(2.0 * math.pi * self._time / period) for period in _PERIODS]
        scale = _BREATH * self._level / math.sqrt(len(_PERIODS) / 2)
        breath: np.ndarray = scale * (np.asarray(phases) @ directions)
        return breath
