"""The other half of an autoencoder: from a picture to the deviations of w that should make it again.

A variational encoder (Kingma and Welling, "Auto-Encoding Variational Bayes", 2014) with one code for each
of the coarse, middle and fine layers. It gives the generator something that a discriminator alone does
not: every real picture has a place in W, so no few layouts can serve for all. Nothing of it is kept.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

GROUPS = 3
SIDE = 64
_WIDTHS = (32, 64, 128, 256)
_ROOT_STEPS = 100
_MOST_LOG_VARIANCE = 2.0
_LEAST_LOG_VARIANCE = -8.0


class PictureEncoder(nn.Module):
    """Pictures [N, 3, 64, 64] in −1..1 → mean and log-variance of the code, [N, 3 groups, w_dim] each."""

    def __init__(self, w_dim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in _WIDTHS:
            layers += [nn.Conv2d(inputs, width, 4, stride=2, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
            inputs = width
        self.body = nn.Sequential(*layers)
        cells = (SIDE >> len(_WIDTHS)) ** 2
        self.head = nn.Linear(inputs * cells, 2 * GROUPS * w_dim)
        with torch.no_grad():
            self.head.weight.mul_(0.3)
        self.w_dim = w_dim

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        found = self.head(self.body(pictures).flatten(1)).float()
        mean, log_variance = found.view(-1, GROUPS, 2, self.w_dim).unbind(2)
        return mean, log_variance.clamp(_LEAST_LOG_VARIANCE, _MOST_LOG_VARIANCE)


def draw(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A code from the encoder's normal distribution, of the same shape as ``mean``."""
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence from N(0, I) in nats, mean over the pictures."""
    each = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
    return each.sum((1, 2)).mean()


class RateControl:
    """The weight of the divergence, moved so that a code costs about ``nats``.

    More nats copy pictures better; fewer leave less of W that no picture has claimed, and so make better
    pictures of w that no picture has.
    """

    def __init__(self, nats: float, weight: float = 1e-3) -> None:
        self.nats = nats
        self.weight = weight

    def follow(self, divergence: float) -> None:
        """Raise the weight while codes cost too much, lower it while they cost less."""
        excess = max(min(divergence / self.nats - 1, 1.0), -1.0)
        self.weight = min(max(self.weight * math.exp(0.03 * excess), 1e-6), 1.0)


class Cloud:
    """Mean and covariance of the codes of late, per group: codes that no picture has are drawn like them.

    The divergence holds each number of a code near N(0, 1) but lets them agree with each other, and a draw in
    which they do not would be far from all pictures.
    """

    def __init__(self, dimension: int, device: torch.device, keep: float = 0.998) -> None:
        self.keep = keep
        self.mean = torch.zeros(GROUPS, dimension, device=device)
        self.covariance = torch.eye(dimension, device=device).repeat(GROUPS, 1, 1)
        self.root = self.covariance.clone()
        self._count = 0

    @torch.no_grad()
    def follow(self, codes: Tensor) -> None:
        """Take in codes [N, 3, D]."""
        away = (codes - self.mean).transpose(0, 1)
        covariance = away.transpose(1, 2) @ away / len(codes)
        self.mean.lerp_(codes.mean(0), 1 - self.keep)
        self.covariance.lerp_(covariance, 1 - self.keep)
        self._count += 1
        if self._count % _ROOT_STEPS == 0:
            self.find_root()

    def find_root(self) -> None:
        """The symmetric square root of the covariance, so that groups that share a draw stay alike."""
        values, vectors = torch.linalg.eigh(self.covariance)
        self.root = (vectors * values.clamp_min(0).sqrt()[:, None]) @ vectors.transpose(1, 2)

    def place(self, draws: Tensor) -> Tensor:
        """Draws [N, 3, D] from N(0, I) → codes."""
        return self.mean + torch.einsum("ngd,ged->nge", draws, self.root)

    def state_dict(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return {"mean": self.mean, "covariance": self.covariance}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """From a checkpoint."""
        self.mean, self.covariance = state["mean"].float(), state["covariance"].float()
        self.find_root()
