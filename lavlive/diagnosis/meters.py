"""The four failure signatures measured while they happen: static output, jitter, lag, glitches.

Causal, without a clock, and a few dozen microseconds a hop: running totals and filters over [3, w_dim]. All
of it sees ψ · deviation, that is w+ − W_mean in units of W_std, so the meters read alike for every model.
"""

from __future__ import annotations

import math

import numpy as np

from lavlive.diagnosis.signs import Signs
from lavlive.latent.path import Latent
from lavlive.latent.space import WDistribution, fitted
from lavlive.parameters import GROUPS

__all__ = ["Diagnosis", "Signs", "WDistribution"]

SPREAD_SECONDS = 10.0
JITTER_SECONDS = 2.0
STRANGE_SECONDS = 2.0
STRANGE_EVERY = 5
"""Hops; the distance costs more than all the rest, and no glitch is shorter than a few pictures."""
JITTER_HERTZ = 8.0
"""Where motion turns into flicker: the eye is most sensitive there (de Lange 1958; Kelly 1961)."""
LONGEST_LAG = 0.6
"""Seconds; a longer one could be mistaken for the next beat's."""
_CORRELATION_SECONDS = 20.0
_CLEAR_CORRELATION = 0.35
"""What onsets of one place and motion of another reach in one case of twenty, over 20 s of six tracks."""
_NOTHING = 1e-12


class Diagnosis:
    """Meters over the latents of one path, hop by hop. One thread owns it.

    Args:
        rate: hops per second.
        distribution: the model's own w; without it strangeness is NaN. May be replaced at any hop; by one of
            another width, which the deviations are fitted to, the meters of spread and jitter begin anew.
    """

    def __init__(self, rate: float, distribution: WDistribution | None = None) -> None:
        self.distribution = distribution
        self._rate = rate
        self._begin(0)
        self._long = _Mean(round(SPREAD_SECONDS * rate), 2 * len(GROUPS))
        self._short = _Mean(round(JITTER_SECONDS * rate), len(GROUPS))
        self._far = _Mean(round(STRANGE_SECONDS * rate / STRANGE_EVERY), len(GROUPS))
        self._strangeness = self._distance = np.full(len(GROUPS), np.nan)
        self._hop = 0
        self._following = _Following(rate, len(GROUPS) + 1)

    def _begin(self, width: int) -> None:
        """Forget what has one number per dimension of W, of which there are `width` now."""
        self._width = width
        self._spread = _Spread(round(SPREAD_SECONDS * self._rate))
        self._flicker = HighPass(JITTER_HERTZ, self._rate)
        self._last: np.ndarray | None = None

    def step(self, latent: Latent, picture_change: float = 0.0) -> Signs:
        """The meters after one more hop.

        Args:
            picture_change: mean change of the newest picture from the one before, in L*.
        """
        width = latent.deviation.shape[1] if self.distribution is None else len(self.distribution.whiten)
        deviation = latent.truncation * fitted(latent.deviation, width).astype(np.float64)
        if width != self._width:
            self._begin(width)
        diversity = self._spread.step(deviation)
        above = self._flicker.step(deviation)
        power = np.einsum("gd,gd->g", above, above) / deviation.shape[1]
        heard = (not latent.features.silent, latent.features.onset, latent.features.power)
        long = self._long.step(np.concatenate([power, heard]))
        lags, correlations = self._following.step(
            latent.features.onset, np.append(self._speed(deviation), picture_change)
        )
        if self._hop % STRANGE_EVERY == 0:
            self._look_from_afar(deviation)
        self._hop += 1
        return Signs(
            diversity=diversity,
            jitter=np.sqrt(self._short.step(power)),
            jitter_share=np.minimum(long[:3] / np.maximum(diversity**2, _NOTHING), 1.0),
            lag=latent.smoothing_delay,
            onset_lag=lags[:3],
            onset_correlation=correlations[:3],
            strangeness=self._strangeness,
            distance=self._distance,
            picture_change=picture_change,
            picture_lag=float(lags[3]),
            picture_correlation=float(correlations[3]),
            sounding=float(long[3]),
            onset=float(long[4]),
            heard=self._spread.count / self._rate,
            level=10.0 * math.log10(max(float(long[5]), _NOTHING)),
        )

    def _look_from_afar(self, deviation: np.ndarray) -> None:
        distribution = self.distribution
        if distribution is None:
            self._strangeness = self._distance = np.full(len(GROUPS), np.nan)
            return
        squares = distribution.distances(deviation.astype(np.float32)).astype(np.float64) ** 2
        distances = np.sqrt(self._far.step(squares))
        self._strangeness, self._distance = distribution.shares(distances), distances / distribution.usual

    def _speed(self, deviation: np.ndarray) -> np.ndarray:
        """Of each group, in W_std per second."""
        moved = deviation - (deviation if self._last is None else self._last)
        self._last = deviation
        speed: np.ndarray = np.sqrt(np.einsum("gd,gd->g", moved, moved) / deviation.shape[1]) * self._rate
        return speed


class _Spread:
    """Standard deviation over the last hops, root mean square over the dimensions."""

    def __init__(self, hops: int) -> None:
        self._hops = hops
        self._ring = np.zeros((0, 0, 0), np.float32)
        self._sum = np.zeros(0)
        self._squares = np.zeros(0)
        self._next = 0
        self.count = 0

    def step(self, deviation: np.ndarray) -> np.ndarray:
        """The spread [groups] with one more deviation [groups, dimension]."""
        if not self.count:
            self._ring = np.zeros((self._hops, *deviation.shape), np.float32)
            self._sum = np.zeros(deviation.shape)
            self._squares = np.zeros(len(deviation))
        oldest = self._ring[self._next].astype(np.float64)
        self._ring[self._next] = deviation
        newest = self._ring[self._next].astype(np.float64)
        self._next = (self._next + 1) % self._hops
        self.count = min(self.count + 1, self._hops)
        self._sum += newest
        self._sum -= oldest
        self._squares += np.einsum("gd,gd->g", newest, newest) - np.einsum("gd,gd->g", oldest, oldest)
        away = self._squares / self.count - np.einsum("gd,gd->g", self._sum, self._sum) / self.count**2
        spread: np.ndarray = np.sqrt(np.maximum(away / deviation.shape[1], 0.0))
        return spread


class _Mean:
    """Mean over the last hops of a few numbers."""

    def __init__(self, hops: int, width: int) -> None:
        self._ring = np.zeros((hops, width))
        self._sum = np.zeros(width)
        self._next = 0
        self._count = 0

    def step(self, numbers: np.ndarray) -> np.ndarray:
        """The mean [width] with one more row [width]."""
        self._sum += numbers - self._ring[self._next]
        self._ring[self._next] = numbers
        self._next = (self._next + 1) % len(self._ring)
        self._count = min(self._count + 1, len(self._ring))
        return np.maximum(self._sum, 0.0) / self._count


class HighPass:
    """A second-order Butterworth high-pass over arrays of any shape, by the bilinear transform.

    Args:
        hertz: where the power is halved; below half of `rate`.
        rate: steps per second.
    """

    def __init__(self, hertz: float, rate: float) -> None:
        if not 0 < hertz < rate / 2:
            raise ValueError(
                f"a high-pass at {hertz} Hz needs more than {2 * hertz} steps a second, not {rate}"
            )
        k = math.tan(math.pi * hertz / rate)
        norm = 1.0 / (1.0 + math.sqrt(2.0) * k + k * k)
        self._gain = norm
        self._a1, self._a2 = 2.0 * (k * k - 1.0) * norm, (1.0 - math.sqrt(2.0) * k + k * k) * norm
        self._z1: np.ndarray | None = None
        self._z2: np.ndarray | None = None

    def step(self, x: np.ndarray) -> np.ndarray:
        """What of x lies above; begins as if x had always been what it is at the first call."""
        scaled = self._gain * x
        if self._z1 is None or self._z2 is None:
            self._z1, self._z2 = -scaled, scaled
        above = scaled + self._z1
        self._z1 = self._z2 - 2.0 * scaled - self._a1 * above
        self._z2 = scaled - self._a2 * above
        return above


class _Following:
    """How a few signals follow onsets: causal cross-correlation over delays from 0 to `LONGEST_LAG`.

    Means, variances and products are exponentially weighted over some ten seconds.
    """

    def __init__(self, rate: float, signals: int) -> None:
        self._rate = rate
        self._keep = math.exp(-1.0 / (_CORRELATION_SECONDS * rate))
        lags = round(LONGEST_LAG * rate) + 1
        self._onsets = np.zeros(8 * lags)
        self._end = lags
        self._lags = lags
        self._products = np.zeros((signals, lags))
        self._mean = np.zeros(signals + 1)
        self._variance = np.zeros(signals + 1)
        self._count = 0

    def step(self, onset: float, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Delay in seconds [signals] (NaN where unclear) and the correlation there [signals]."""
        self._count += 1
        share = max(1.0 - self._keep, 1.0 / self._count)
        away = np.append(signals, onset) - self._mean
        self._mean += share * away
        self._variance += share * (away**2 * (1.0 - share) - self._variance)
        if self._end == len(self._onsets):
            self._onsets[: self._lags] = self._onsets[-self._lags :]
            self._end = self._lags
        self._onsets[self._end] = away[-1]
        self._end += 1
        recent = self._onsets[self._end - self._lags : self._end][::-1]
        self._products += share * (np.multiply.outer(away[:-1], recent) - self._products)
        scale = np.sqrt(np.maximum(self._variance[:-1] * self._variance[-1], _NOTHING))
        best = self._products.argmax(axis=1)
        correlation = np.clip(self._products[np.arange(len(best)), best] / scale, -1.0, 1.0)
        lags = np.where(correlation >= _CLEAR_CORRELATION, best / self._rate, np.nan)
        return lags, correlation
