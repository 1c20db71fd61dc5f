"""Causal moving averages per layer group, with fractional windows, and the motion that they take away."""

from __future__ import annotations

import math

import numpy as np

from lavlive.parameters import INDEX, TABLE

_ENERGY_SECONDS = 20.0
_LARGEST_GAIN = 12.0
_FAINT = 0.02
_FARTHEST = 3.0
_NOTHING = 1e-12


class MovingAverage:
    """The causal moving average of each layer group over so many hops, a real number.

    w̄_t = (Σ_{i<⌊N⌋} w_{t−i} + (N − ⌊N⌋) · w_{t−⌊N⌋}) / N with N ≥ 1, so that turning a window's knob never
    makes the picture jump. Until N hops have been heard the average is over those that there are. Sums are
    kept as running totals in double precision, so a step costs the same for every window.
    """

    def __init__(self, longest: int, groups: int, dimension: int) -> None:
        self._capacity = longest + 3
        self._totals = np.zeros((self._capacity, groups, dimension))
        self._count = 0

    def step(self, values: np.ndarray, hops: np.ndarray) -> np.ndarray:
        """Average the newest values [groups, dimension] over `hops` [groups]."""
        previous = self._total(self._count - 1) if self._count else 0.0
        self._totals[self._count % self._capacity] = previous + values
        self._count += 1
        return np.stack([self.average(group, float(number)) for group, number in enumerate(hops)])

    def average(self, group: int, hops: float) -> np.ndarray:
        """The average of one group over so many hops up to the newest: float64 [dimension]."""
        hops = min(max(hops, 1.0), float(self._count))
        whole = int(hops)
        rest = hops - whole
        newest = self._count - 1
        total = self._total(newest)[group] - self._total(newest - whole)[group]
        if rest > 0:
            oldest = self._total(newest - whole)[group] - self._total(newest - whole - 1)[group]
            total = total + rest * oldest
        average: np.ndarray = total / hops
        return average

    def _total(self, index: int) -> np.ndarray:
        """Sum of everything up to hop `index`; hop −1 and before count as nothing."""
        if index < 0:
            return np.zeros(self._totals.shape[1:])
        total: np.ndarray = self._totals[index % self._capacity]
        return total

    def reset(self) -> None:
        """Forget everything heard."""
        self._count = 0

    def resize(self, dimension: int) -> None:
        """Go on with another number of dimensions: those that are new begin as if they had always been 0."""
        self._totals = _resized(self._totals, dimension)


class GroupSmoother:
    """Smooths each layer group over its own window, once or twice.

    With roundness 0 it is the paper's moving average over N = window · rate hops. An average of few vectors
    starts and stops with every one that comes and goes, and where the lost motion is restored
    (`EnergyKeeper`) that is seen as trembling. With roundness r two averages follow each other, over
    N − r (N − 1)/2 and 1 + r (N − 1)/2 hops: the delay, (N − 1)/2 hops, and the reach, N hops, stay what they
    are. At 1 the weights rise and fall as a triangle, and of white noise, brought back to its spread, a step
    is √(6 / N) times as large as the single average makes it.
    """

    def __init__(self, rate: float, groups: int = 3, dimension: int = 512) -> None:
        longest = math.ceil(TABLE[INDEX["smoothing.coarse"]].high * rate)
        self.rate = rate
        self._first = MovingAverage(longest, groups, dimension)
        self._second = MovingAverage(longest // 2 + 1, groups, dimension)

    def step(self, deviation: np.ndarray, windows: np.ndarray, roundness: float = 0.0) -> np.ndarray:
        """Smooth the newest deviation [groups, dimension] over `windows` [groups], in seconds.

        Args:
            deviation: in W_std.
            windows: of each group, at least one hop.
            roundness: 0 to 1; see the class.
        """
        hops = np.maximum(windows * self.rate, 1.0)
        further = roundness * (hops - 1.0) / 2.0
        once = self._first.step(deviation, hops - further)
        twice = self._second.step(once, 1.0 + further)
        return twice if roundness > 0 else once

    def reset(self) -> None:
        """Forget everything heard."""
        self._first.reset()
        self._second.reset()

    def resize(self, dimension: int) -> None:
        """Go on with another number of dimensions; see `MovingAverage.resize`."""
        self._first.resize(dimension)
        self._second.resize(dimension)

    @staticmethod
    def delay(windows: np.ndarray, rate: float) -> np.ndarray:
        """The delay that the windows add, in seconds, whatever the roundness: (N − 1)/2 hops."""
        return (np.maximum(windows * rate, 1.0) - 1.0) / 2.0 / rate


class EnergyKeeper:
    """Restores the motion that averaging takes away, and leaves the place where it happens alone.

        kept = w̄ + (g^k − 1) · (w̄ − μ̄),   g = √((σ² + ε²) / (σ̄² + ε²)) within 1 to 12

    per layer group, where μ̄ is the mean of the smoothed deviation over about the last twenty seconds (the
    first ones: over all that was heard), σ and σ̄ the spreads around such means before and after smoothing,
    root mean square over the dimensions. DESIGN compares distances from W_mean instead, which an offset
    keeps alike however still the picture stands; of zero-mean music both say the same (averages of N
    independent vectors: g = √N). ε = 0.02 W_std: what hardly moves is not worth restoring, and silence is
    nothing at all. Never does the restored motion go further than 3 σ, so music that sets in does not leap.
    """

    def __init__(self, rate: float, groups: int = 3, dimension: int = 512) -> None:
        self._rate = 1.0 - math.exp(-1.0 / (_ENERGY_SECONDS * rate))
        self._count = 0
        self._means = np.zeros((2, groups, dimension))
        self._powers = np.zeros((2, groups))

    def resize(self, dimension: int) -> None:
        """Go on with another number of dimensions; see `GroupSmoother.resize`."""
        self._means = _resized(self._means, dimension)

    def step(self, raw: np.ndarray, smoothed: np.ndarray, keep: float) -> np.ndarray:
        """The smoothed deviation [groups, dimension], with `keep` (0 to 1) of its lost motion restored."""
        self._count += 1
        share = max(self._rate, 1.0 / self._count)
        motion = np.stack([raw, smoothed]) - self._means
        self._means += share * motion
        motion *= 1.0 - share
        power = np.einsum("sgd,sgd->sg", motion, motion) / motion.shape[2]
        self._powers += share * (power - self._powers)
        before, after = self._powers + _FAINT**2
        farthest = _FARTHEST**2 * self._powers[0] / np.maximum(power[1], _NOTHING)
        gain = np.sqrt(np.clip(np.minimum(before / after, farthest), 1.0, _LARGEST_GAIN**2)) ** keep
        kept: np.ndarray = smoothed + (gain - 1.0)[:, None] * motion[1]
        return kept


def _resized(values: np.ndarray, dimension: int) -> np.ndarray:
    """With so many dimensions on the last axis: the first ones as they are, zero beyond."""
    resized = np.zeros((*values.shape[:-1], dimension))
    kept = min(values.shape[-1], dimension)
    resized[..., :kept] = values[..., :kept]
    return resized
