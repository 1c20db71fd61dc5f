"""Means with the uncertainty that tracks and seeds bring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REPLICATES = 2000


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval.

    Attributes:
        mean: over tracks, of the means over seeds.
        low, high: percentiles 2.5 and 97.5 of the bootstrap.
        tracks: how many there were.
    """

    mean: float
    low: float
    high: float
    tracks: int

    @property
    def known(self) -> bool:
        """Whether there was anything to measure."""
        return self.tracks > 0

    def text(self, digits: int = 2, sign: bool = False) -> str:
        """``0.31 [0.25, 0.37]``; a dash where nothing is known."""
        if not self.known:
            return "–"
        form = f"{'+' if sign else ''}.{digits}f"
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]".replace("-", "−")


def estimate(values: np.ndarray, replicates: int = REPLICATES, seed: int = 0) -> Estimate:
    """Bootstrap over tracks, and over the seeds within each (Efron & Tibshirani 1993; nested).

    Args:
        values: [tracks] or [tracks, seeds]; NaN where a track has no value.

    A track without any value is left out.
    """
    table = np.asarray(values, np.float64)
    table = table[:, None] if table.ndim == 1 else table
    rows = [row[np.isfinite(row)] for row in table]
    rows = [row for row in rows if len(row)]
    if not rows:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    random = np.random.default_rng(seed)
    means = np.empty((replicates, len(rows)))
    for index, row in enumerate(rows):
        drawn = random.integers(0, len(row), (replicates, len(row)))
        means[:, index] = row[drawn].mean(axis=1)
    tracks = random.integers(0, len(rows), (replicates, len(rows)))
    totals = np.take_along_axis(means, tracks, axis=1).mean(axis=1)
    low, high = np.percentile(totals, [2.5, 97.5])
    return Estimate(float(np.mean([row.mean() for row in rows])), float(low), float(high), len(rows))


def spread_by(values: np.ndarray) -> tuple[float, float]:
    """Standard deviation between seeds (within tracks) and between tracks (of their means).

    Args:
        values: [tracks, seeds].
    """
    table = np.asarray(values, np.float64)
    alive = table[np.isfinite(table).all(axis=1)]
    if len(alive) < 2 or alive.shape[1] < 2:
        return float("nan"), float("nan")
    within = float(np.sqrt(alive.var(axis=1, ddof=1).mean()))
    return within, float(alive.mean(axis=1).std(ddof=1))
