"""Codes of real pictures: a z for each, so that a young generator learns colours and layouts by example.

The code is the picture's thumbnail in whitened principal components, so that codes are spread like the z of
a generator: mean zero, unit variance, uncorrelated. Components beyond the thumbnail's are left to chance.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SIDE = 16
_MOST = 128


class PictureCodes:
    """Principal components of thumbnails, from a sample of pictures [N, 3, R, R] in −1..1."""

    def __init__(self, sample: Tensor, z_dim: int) -> None:
        self.side = min(_SIDE, sample.shape[-1])
        flat = self._thumbnails(sample).double()
        self.z_dim = z_dim
        self.mean_colour = sample.mean((0, 2, 3))
        self.mean = flat.mean(0).float()
        centred = flat - flat.mean(0)
        _, spread, directions = torch.linalg.svd(centred, full_matrices=False)
        kept = min(_MOST, z_dim, int((spread > 1e-3 * spread[0]).sum()))
        deviation = spread[:kept] / len(flat) ** 0.5
        self.whiten = (directions[:kept] / deviation[:, None]).T.float().contiguous()
        # Mixed, so that no dimension of z stands for one component.
        random = torch.Generator().manual_seed(0)
        self.rotation = torch.linalg.qr(torch.randn(z_dim, z_dim, generator=random))[0]

    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures [N, 3, R, R] → z [N, z_dim]."""
        known = (self._thumbnails(pictures) - self.mean) @ self.whiten
        free = torch.randn(len(pictures), self.z_dim - known.shape[1], device=known.device)
        return torch.cat([known, free], dim=1) @ self.rotation

    def _thumbnails(self, pictures: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(pictures, self.side).flatten(1)

    def to_device(self, device: torch.device) -> PictureCodes:
        """Move the components; returns itself."""
        self.mean, self.whiten = self.mean.to(device), self.whiten.to(device)
        self.rotation = self.rotation.to(device)
        return self


def likeness_loss(made: Tensor, real: Tensor) -> Tensor:
    """L1 between pictures [N, 3, R, R] at 8², 16² and 32²: colours and layout, not detail."""
    sides = [side for side in (8, 16, 32) if side <= made.shape[-1]]
    small = [(F.adaptive_avg_pool2d(made, side), F.adaptive_avg_pool2d(real, side)) for side in sides]
    return torch.stack([F.l1_loss(a, b) for a, b in small]).sum()
