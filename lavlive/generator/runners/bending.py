"""The arithmetic of bends, for every runner."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from lavlive.generator.bends import CHANNELWISE, Bend, Bends

_STRONGEST_THRESHOLD = 3.0
_NARROWEST_FOLD = 0.5
_REACH = 8
"""The widest that erode and dilate reach, as a part of the picture's side."""


def bent(x: Tensor, resolution: int, bends: Bends) -> Tensor:
    """Features [1, C, h, w] after bends that all bend this block; ``x`` itself is not changed."""
    for bend in bends:
        if bend.share >= 1.0:
            x = _changed(x, bend)
            continue
        chosen = _chosen(bend.seed, resolution, x.shape[1], bend.share, x.device)
        x = x.index_copy(1, chosen, _changed(x.index_select(1, chosen), bend).to(x.dtype))
    return x


@lru_cache(maxsize=64)
def _chosen(seed: int, resolution: int, channels: int, share: float, device: torch.device) -> Tensor:
    numbers = Bend("", str(resolution), share, seed, 0.0).features(resolution, channels)
    return torch.from_numpy(numbers).to(device)


def _changed(x: Tensor, bend: Bend) -> Tensor:
    amount, strength = bend.amount, abs(bend.amount)
    if bend.kind in CHANNELWISE:
        return x * bend.factor
    match bend.kind:
        case "translate x":
            return _moved(x, [[1.0, 0.0, -2.0 * amount], [0.0, 1.0, 0.0]])
        case "translate y":
            return _moved(x, [[1.0, 0.0, 0.0], [0.0, 1.0, -2.0 * amount]])
        case "rotate":
            return _rotated(x, math.pi * amount)
        case "zoom":
            scale = 4.0**-amount
            return _moved(x, [[scale, 0.0, 0.0], [0.0, scale, 0.0]])
        case "mirror":
            return torch.lerp(x, _mirrored(x, 3 if amount > 0 else 2), strength)
        case "threshold":
            least = strength * _STRONGEST_THRESHOLD * _size(x)
            return x - torch.maximum(torch.minimum(x, least), -least)
        case "erode":
            return -_dilated(-x, strength)
        case "dilate":
            return _dilated(x, strength)
        case "wrap":
            limit = _size(x) * (_NARROWEST_FOLD / strength) + 1e-6
            turns = (x - limit) / (4 * limit)
            folded = ((turns - turns.floor()) * (4 * limit) - 2 * limit).abs() - limit
            # What lies within stays exactly what it is.
            return torch.where(x.abs() <= limit, x, folded)
    raise ValueError(f"there is no bend {bend.kind!r}")


def _moved(x: Tensor, theta: list[list[float]]) -> Tensor:
    """Each place from another one: an affine map of −1..1; beyond the edge lies the mirror."""
    grid = F.affine_grid(torch.tensor([theta], device=x.device), [1, *x.shape[1:]], align_corners=False)
    moved = F.grid_sample(x.float(), grid, padding_mode="reflection", align_corners=False)
    return moved.to(x.dtype)


def _rotated(x: Tensor, angle: float) -> Tensor:
    height, width = x.shape[2:]
    cosine, sine = math.cos(angle), math.sin(angle)
    return _moved(x, [[cosine, -sine * height / width, 0.0], [sine * width / height, cosine, 0.0]])


def _mirrored(x: Tensor, axis: int) -> Tensor:
    length = x.shape[axis]
    places = torch.arange(length, device=x.device)
    return x.index_select(axis, torch.minimum(places, length - 1 - places))


def _size(x: Tensor) -> Tensor:
    """Root mean square of each feature, [1, C, 1, 1]."""
    return x.float().square().mean((2, 3), keepdim=True).sqrt().to(x.dtype)


def _dilated(x: Tensor, strength: float) -> Tensor:
    reach = strength * max(1.0, min(x.shape[2:]) / _REACH)
    whole = int(reach)
    near = _greatest(x, whole) if whole else x
    return torch.lerp(near, _greatest(near, 1), reach - whole)


def _greatest(x: Tensor, reach: int) -> Tensor:
    """The greatest within a square, along rows, then columns, by doubling windows: quicker than pooling."""
    for axis in (3, 2):
        edges = (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach)
        x = F.pad(x, edges, value=-math.inf)
        wide, window = 2 * reach + 1, 1
        while window < wide:
            step = min(window, wide - window)
            length = x.shape[axis] - step
            x = torch.maximum(x.narrow(axis, 0, length), x.narrow(axis, step, length))
            window += step
    return x
