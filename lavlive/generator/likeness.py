"""How far two pictures are apart, to the eye: a distance of our own, which needs no trained network.

Over a pyramid of halvings it takes three things in turn and adds them up, each as a mean of absolute values:

    colours      where things are and what colour they have
    gradients    edges, across and down
    grain        the energy of six fixed filters, edges and lines in three directions, within some pixels: how
                 rough a place is, wherever each grain lies

It is like LPIPS (Zhang and others 2018) in that places need not fit to the pixel, and unlike it in that
nothing in it was learned from people's judgements: its numbers cannot be compared with LPIPS'.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_SMALLEST = 8
"""Pixels of the last picture of a pyramid."""
_GRAIN_CELLS = 4
_SOFT = 1e-3
_SIZE = 5


class Likeness:
    """Distances from one picture.

    Args:
        picture: float [1, 3, H, W], −1 to 1.
    """

    def __init__(self, picture: Tensor) -> None:
        self._filters = _filters()
        with torch.no_grad():
            self._wanted = self._features(picture)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Distances [N] of pictures [N, 3, H, W], −1 to 1, differentiable."""
        total = torch.zeros(len(pictures))
        for found, wanted in zip(self._features(pictures), self._wanted, strict=True):
            apart = found - wanted
            total = total + (torch.sqrt(apart * apart + _SOFT**2) - _SOFT).mean((1, 2, 3))
        return total / len(self._wanted)

    def _features(self, pictures: Tensor) -> list[Tensor]:
        features = []
        level = pictures
        while min(level.shape[-2:]) >= _SMALLEST:
            features.append(level)
            features.append(2.0 * (level[:, :, 1:] - level[:, :, :-1]))
            features.append(2.0 * (level[..., 1:] - level[..., :-1]))
            lightness = level.mean(1, keepdim=True)
            energy = F.conv2d(lightness, self._filters, padding=_SIZE // 2).square()
            if min(energy.shape[-2:]) >= _GRAIN_CELLS:
                energy = F.avg_pool2d(energy, _GRAIN_CELLS)
            features.append(torch.sqrt(energy + _SOFT**2))
            level = F.avg_pool2d(level, 2)
        return features


def _filters() -> Tensor:
    """Edges and lines at 0, 60 and 120 degrees: derivatives of a Gaussian, [6, 1, 5, 5], of unit length."""
    offsets = torch.arange(_SIZE, dtype=torch.float32) - _SIZE // 2
    y, x = torch.meshgrid(offsets, offsets, indexing="ij")
    bell = torch.exp(-(x * x + y * y) / 2)
    made = []
    for turn in range(3):
        angle = turn * math.pi / 3
        along = math.cos(angle) * x + math.sin(angle) * y
        for filter_ in (along * bell, (along * along - 1) * bell):
            flat = filter_ - filter_.mean()
            made.append(flat / flat.norm())
    return torch.stack(made)[:, None]
