"""Moment matching: made pictures should have the features' means and spreads of real ones.

A discriminator says which pictures look real, but little about how different they should be. This term
compares the first two moments of pooled features (Mroueh et al., "McGan", 2017), kept as running averages,
since a batch is too small: the squared mean of eight samples would reward less spread.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_EPSILON = 1e-6
_CELLS = 4
_SETTLE = 20


def pool(projected: list[Tensor]) -> Tensor:
    """Features [N, C, h, w] per scale → [N, D]: each channel's mean and deviation over space, and 4² cells.

    The cells say where in the picture something is, so that not all pictures get one layout.
    """
    parts = []
    for x in projected:
        parts += [x.mean((2, 3)), (x.var((2, 3), correction=0) + _EPSILON).sqrt()]
        parts.append(F.adaptive_avg_pool2d(x, _CELLS).flatten(1))
    return torch.cat(parts, dim=1)


class RunningMoments:
    """Mean, and variance within a batch, per feature of the last few hundred samples.

    Within a batch: the variance over time would count a generator's wandering from one look to the next.
    """

    def __init__(self, keep: float = 0.98) -> None:
        self.keep = keep
        self.count = 0
        self.mean = torch.zeros(1)
        self.variance = torch.zeros(1)

    def update(self, pooled: Tensor) -> None:
        """Take in a batch [N, D] of at least two."""
        mean, variance = pooled.mean(0), pooled.var(0)
        # A plain average at first, so that the beginning has no pull.
        keep = min(self.keep, self.count / (self.count + 1))
        self.mean = torch.lerp(mean, self.mean, keep) if self.count else mean
        self.variance = torch.lerp(variance, self.variance, keep) if self.count else variance
        self.count += 1

    @property
    def deviation(self) -> Tensor:
        """Standard deviation per feature [D]."""
        return (self.variance + _EPSILON).sqrt()


def moment_loss(pooled: Tensor, made: RunningMoments, real: RunningMoments) -> Tensor:
    """For a batch [N, D] with gradients: a scalar whose gradient moves the running moments together.

    It is Σ ((μ − μ_real)/σ_real)² + (σ/σ_real − 1)² per feature, linearised; the value itself says nothing.
    It is zero until the running moments have settled.
    """
    if min(made.count, real.count) < _SETTLE:
        return 0 * pooled.sum()
    scale = 1 / real.deviation
    shift = ((made.mean - real.mean) * scale).clamp(-3, 3)
    excess = (made.deviation * scale - 1).clamp(-1, 3)
    mean = pooled.mean(0) * scale
    spread = (pooled.var(0) + _EPSILON).sqrt() * scale
    return 2 * (shift * mean + excess * spread).mean()
