"""From latents to deviations in units of W_std: adaptation to the programme, spread y, leaky tanh c."""

from __future__ import annotations

import math

import numpy as np

from lavlive.parameters import find

_NEAR_SECONDS = 5.0
_QUICKEST_SECONDS = 2.0
_SWITCH_SECONDS = 2.0
_PRIOR_SECONDS = 2.0
_LARGEST_SCALE = 3.0
_UNASKED_SECONDS = float(find("mapper.adapt").default)
"""With which the programme is followed while nobody asks for it."""


def leaky_tanh(x: np.ndarray, c: float) -> np.ndarray:
    """c·x + (1 − c)·tanh(x): slope 1 at the origin for every c, slope c far out.

    Our reading: the paper names c and gives no formula.
    """
    held: np.ndarray = c * x + (1.0 - c) * np.tanh(x)
    return held


class Adaptation:
    """Where the programme lies among latents, and how far it spreads: u = P (e − m) / s.

    P standardises to unit variance on the calibration clip. Music lies elsewhere as a whole (up to four
    spreads away on eighteen tracks), where the leaky tanh holds it still, but spreads about as far (0.8 to
    1.4). So what counts is the mean; per hop of dt seconds, while it sounds:

        m ← m + ρ (e − m),   ρ = max(dt / heard, min(r · (1 + q⁴), dt / 2 s)),   r = 1 − exp(−dt / adapt)
        s² ← s² + max(dt / (heard + 2 s), r) · (‖P (e − n)‖² / w_dim − s²)

    with n the mean of about the last 5 s and q = ‖P (n − m)‖ / (√w_dim · s). At first m is the plain mean of
    what was heard, within seconds near enough; then it follows with `adapt`, so that sections stay visible
    for that long. Something more than a spread away, another track, is caught up with quickly (q⁴). s sees
    the motion around n, which a change of tracks does not inflate; it is held within a factor of 3, so that
    the noise of a silent room is not taken for music. All of it is our own.

    m lives among latents, not in W: another projection finds it as it is.
    """

    def __init__(self, calibrated: np.ndarray) -> None:
        self._calibrated = calibrated.astype(np.float64)
        self._mean = self._calibrated.copy()
        self._near = self._calibrated.copy()
        self._power = 1.0
        self._heard = 0.0
        self._believed: float | None = None

    def step(
        self, embedding: np.ndarray, matrix: np.ndarray, adapt: float, elapsed: float, silent: bool = False
    ) -> np.ndarray:
        """The standardised projection u [w_dim] of one latent.

        Args:
            embedding: e [dimension].
            matrix: P [w_dim, dimension].
            adapt: time constant in seconds; 0 is off: m and s are the calibration clip's.
            elapsed: seconds since the last step.
            silent: whether the programme is silent now, when nothing is learned.
        """
        if not silent:
            self._follow(embedding, matrix, adapt if adapt > 0 else _UNASKED_SECONDS, elapsed)
        believed = self._believe(adapt > 0, elapsed)
        mean = self._calibrated + believed * (self._mean - self._calibrated)
        u: np.ndarray = matrix @ (embedding - mean).astype(np.float32)
        scaled: np.ndarray = u / self._scale**believed
        return scaled

    @property
    def _scale(self) -> float:
        return min(max(math.sqrt(self._power), 1.0 / _LARGEST_SCALE), _LARGEST_SCALE)

    def _follow(self, embedding: np.ndarray, matrix: np.ndarray, adapt: float, elapsed: float) -> None:
        self._heard += elapsed
        slow, first = share_of(elapsed, adapt), elapsed / self._heard
        self._near += max(first, share_of(elapsed, _NEAR_SECONDS)) * (embedding - self._near)
        away = np.stack([embedding - self._near, self._near - self._mean], axis=1)
        moved = matrix @ away.astype(np.float32)
        motion, offset = np.einsum("ik,ik->k", moved, moved) / len(moved)
        hurry = 1.0 + (float(offset) / self._scale**2) ** 2
        follow = max(first, min(slow * hurry, share_of(elapsed, _QUICKEST_SECONDS)))
        self._mean += follow * (embedding - self._mean)
        learn = max(elapsed / (self._heard + _PRIOR_SECONDS), slow)
        self._power += learn * (float(motion) - self._power)

    def _believe(self, asked: bool, elapsed: float) -> float:
        """How far m and s are used, 0 to 1: switched on or off, they come and go within seconds."""
        goal = 1.0 if asked else 0.0
        if self._believed is None or abs(self._believed - goal) < 1e-6:
            self._believed = goal
        self._believed += share_of(elapsed, _SWITCH_SECONDS) * (goal - self._believed)
        return self._believed


def share_of(elapsed: float, seconds: float) -> float:
    """How far a mean with a time constant of `seconds` moves toward what it follows in `elapsed` seconds."""
    return 1.0 - math.exp(-elapsed / seconds)
