"""How unlike two pictures are: by pixels at several sizes, by features, and by their texture in places.

Pixels alone would make soft clouds, since a filament that is a little off costs twice. So fixed features
(Johnson et al., "Perceptual losses", 2016) and, above all, the mean and spread of features within cells
(after Gatys et al., "Image style transfer", 2016) count as well: there should be as much fine structure as
in the real picture, about where it is there, line by line or not.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_EPSILON = 1e-4
_SIZES = 5
_KEEP = 0.99


class Likeness:
    """Distances with features [N, C, h, w] per tap, each channel scaled by its size in real pictures."""

    def __init__(self, pixels: float = 2.0, features: float = 1.0, texture: float = 2.0) -> None:
        self.pixels = pixels
        self.features = features
        self.texture = texture
        self.detail = 1.0
        """Weight of features and texture: layouts come first."""
        self._sizes: list[Tensor] = []

    @torch.no_grad()
    def measure(self, taps: list[Tensor]) -> None:
        """Follow the size of every channel in real pictures."""
        sizes = [tap.float().square().mean((0, 2, 3), keepdim=True).add(_EPSILON).sqrt() for tap in taps]
        if not self._sizes:
            self._sizes = sizes
        self._sizes = [torch.lerp(new, old, _KEEP) for old, new in zip(self._sizes, sizes, strict=True)]

    def __call__(
        self, made: Tensor, real: Tensor, made_taps: list[Tensor], real_taps: list[Tensor]
    ) -> Tensor:
        """Scalar for pictures [N, 3, R, R] and their taps; ``measure`` has to have been called."""
        total = self.pixels * pyramid_distance(made, real)
        count = len(made_taps)
        for mine, theirs, size in zip(made_taps, real_taps, self._sizes, strict=True):
            a, b = mine.float() / size, theirs.float() / size
            total = total + (self.detail * self.features / count) * (a - b).abs().mean()
            total = total + (self.detail * self.texture / count) * _cell_distance(a, b)
        return total


def pyramid_distance(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of [N, 3, R, R], averaged over up to five sizes, each half the last."""
    distances = [(made - real).abs().mean()]
    while len(distances) < _SIZES and made.shape[-1] >= 2:
        made, real = F.avg_pool2d(made, 2), F.avg_pool2d(real, 2)
        distances.append((made - real).abs().mean())
    return torch.stack(distances).mean()


def _cell_distance(a: Tensor, b: Tensor) -> Tensor:
    total = a.new_zeros(())
    for cells in (8, 4):
        side = max(a.shape[-1] // cells, 2)
        if a.shape[-1] < side:
            continue
        # Cells that stood still would be seen as a grid.
        top, left = (int(torch.randint(side, ())) for _ in range(2))
        inside = (..., slice(top, None), slice(left, None)) if a.shape[-1] >= 2 * side else ...
        (mean_a, spread_a), (mean_b, spread_b) = _cells(a[inside], side), _cells(b[inside], side)
        total = total + (mean_a - mean_b).abs().mean() + (spread_a - spread_b).abs().mean()
    return total / 2


def _cells(x: Tensor, side: int) -> tuple[Tensor, Tensor]:
    mean = F.avg_pool2d(x, side)
    square = F.avg_pool2d(x.square(), side)
    return mean, (square - mean.square()).clamp_min(0).add(_EPSILON).sqrt()
