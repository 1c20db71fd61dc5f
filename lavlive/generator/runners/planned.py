"""A plan as a torch module: one w+ to one picture in bytes, on any device and in any float type."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lavlive.generator.bends import Bends, at
from lavlive.generator.runners.bending import bent
from lavlive.generator.runners.plan import (
    EPSILON,
    LEAK,
    Affine,
    BlockPlan,
    ConvPlan,
    PicturePlan,
    Plan,
    folded_kernel,
)

Activation = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""(x, demodulation, noise, bias, following styles) → leaky(x · d + n + b) · s."""


def eager_activation(x: Tensor, demodulation: Tensor, noise: Tensor, bias: Tensor, follow: Tensor) -> Tensor:
    """The activation as a chain of torch's own operators, in place where that saves memory."""
    y = torch.addcmul(bias, x, demodulation).add_(noise)
    return F.leaky_relu_(y, LEAK).mul_(follow)


def as_bytes(pictures: Tensor, scale: float = 1.0) -> Tensor:
    """Pictures [N, 3, H, W], −1..1 once they are multiplied by ``scale``, to uint8 [N, H, W, 3].

    The numbers given are overwritten.
    """
    levels = pictures.mul_(127.5 * scale).add_(128.0).clamp_(0.0, 255.0)
    return levels.permute(0, 2, 3, 1).to(torch.uint8, memory_format=torch.contiguous_format)


def trimmed(x: Tensor, trim: tuple[int, int]) -> Tensor:
    """Features or pictures [N, C, H, W] without ``trim``'s rows and columns at each side."""
    rows, columns = trim
    return x[:, :, rows : x.shape[2] - rows, columns : x.shape[3] - columns]


class LayerStyles(nn.Module):
    """w to styles [inputs]."""

    matrix: Tensor
    bias: Tensor

    def __init__(self, affine: Affine) -> None:
        super().__init__()
        self.row = affine.row
        self.register_buffer("matrix", torch.from_numpy(affine.matrix))
        self.register_buffer("bias", torch.from_numpy(affine.bias))

    def forward(self, w_plus: Tensor) -> Tensor:
        return torch.addmv(self.bias, self.matrix, w_plus[self.row])


class _Conv(nn.Module):
    """One modulated convolution. In half precision, weights and styles are scaled to a largest magnitude
    near one before the convolution; the demodulation, kept in float32, takes the scale out again.
    """

    weight: Tensor
    square: Tensor
    noise: Tensor
    bias: Tensor
    across: Tensor
    down: Tensor

    def __init__(self, plan: ConvPlan, taps: Tensor, dtype: torch.dtype, fold: bool) -> None:
        super().__init__()
        self.styles = LayerStyles(plan.affine)
        self.is_half = dtype == torch.float16
        self.dtype = dtype
        self.up, self.fold = plan.up, fold and plan.up
        self.gain, self.clamp = plan.gain, plan.clamp
        weight = torch.from_numpy(plan.weight)
        scale = 1.0
        if self.is_half:
            scale = 1.0 / (float(weight.abs().max()) * math.sqrt(weight[0].numel()) + 1e-30)
        self.epsilon = EPSILON * scale * scale
        self.register_buffer("square", torch.from_numpy(plan.square) * (scale * scale))
        if self.fold:
            weight = torch.from_numpy(folded_kernel(plan.weight, taps.numpy()))
        elif self.up:
            weight = weight.transpose(0, 1)
        weight = (weight * scale).to(dtype)
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        outputs = len(plan.bias)
        self.register_buffer("noise", torch.from_numpy(plan.noise)[None, None].to(dtype))
        self.register_buffer("bias", torch.from_numpy(plan.bias)[None, :, None, None].to(dtype))
        backwards = taps.flip(0).to(dtype)
        self.register_buffer("across", backwards.view(1, 1, 1, 4).expand(outputs, 1, 1, 4).contiguous())
        self.register_buffer("down", backwards.view(1, 1, 4, 1).expand(outputs, 1, 4, 1).contiguous())

    def scales(self, w_plus: Tensor) -> tuple[Tensor, Tensor]:
        """Styles [1, inputs, 1, 1] and demodulation [1, outputs, 1, 1], in the type of the convolution."""
        styles = self.styles(w_plus)
        epsilon: float | Tensor = self.epsilon
        if self.is_half:
            largest = styles.abs().amax() + 1e-30
            styles = styles / largest
            epsilon = self.epsilon / (largest * largest)
        demodulation = (torch.mv(self.square, styles.square()) + epsilon).rsqrt() * self.gain
        return styles.to(self.dtype).view(1, -1, 1, 1), demodulation.to(self.dtype).view(1, -1, 1, 1)

    def forward(
        self, x: Tensor, demodulation: Tensor, noise: Tensor, follow: Tensor, activation: Activation
    ) -> Tensor:
        """x, already times the styles, → the layer's output times ``follow``."""
        if self.fold:
            x = F.pixel_shuffle(F.conv2d(x, self.weight, padding=1), 2)
        elif self.up:
            x = F.conv_transpose2d(x, self.weight, stride=2)
            x = F.conv2d(x, self.across, padding=(0, 1), groups=x.shape[1])
            x = F.conv2d(x, self.down, padding=(1, 0), groups=x.shape[1])
        else:
            x = F.conv2d(x, self.weight, padding=1)
        if self.clamp is None:
            return activation(x, demodulation, self.noise * noise, self.bias, follow)
        x = activation(x, demodulation, self.noise * noise, self.bias, torch.ones_like(follow))
        return x.clamp_(-self.clamp, self.clamp).mul_(follow)


class _ToPicture(nn.Module):
    """A modulated 1×1 convolution; the styles go into its few weights."""

    weight: Tensor
    bias: Tensor

    def __init__(self, plan: PicturePlan) -> None:
        super().__init__()
        self.styles = LayerStyles(plan.affine)
        self.clamp = plan.clamp
        self.register_buffer("weight", torch.from_numpy(plan.weight))
        self.register_buffer("bias", torch.from_numpy(plan.bias)[None, :, None, None])

    def forward(self, x: Tensor, w_plus: Tensor) -> Tensor:
        weight = self.weight * self.styles(w_plus)
        y = F.conv2d(x, weight.to(x.dtype)[:, :, None, None]).float() + self.bias
        return y if self.clamp is None else y.clamp_(-self.clamp, self.clamp)


class _Block(nn.Module):
    constant: Tensor | None
    shortcut: Tensor | None

    def __init__(self, plan: BlockPlan, taps: Tensor, dtype: torch.dtype, fold: bool) -> None:
        super().__init__()
        self.dtype = dtype
        self.resolution = plan.resolution
        self.trim = plan.trim
        constant = None if plan.constant is None else torch.from_numpy(plan.constant)[None].to(dtype)
        self.register_buffer("constant", constant)
        self.conv0 = None if plan.conv0 is None else _Conv(plan.conv0, taps, dtype, fold)
        self.conv1 = _Conv(plan.conv1, taps, dtype, fold)
        self.to_picture = None if plan.picture is None else _ToPicture(plan.picture)
        shortcut = None
        if plan.shortcut is not None:
            shortcut = torch.from_numpy(plan.shortcut)[:, :, None, None].to(dtype)
        self.register_buffer("shortcut", shortcut)


class PlannedSynthesis(nn.Module):
    """w+ [L, w_dim] float32 and noise (a float32 scalar) to a picture uint8 [H, W, 3].

    Args:
        half_from: blocks of this resolution and above run in float16; None for float32 throughout.
        fold: up-convolutions as one convolution to four phases instead of transposed convolution and filter.
        activation: see ``Activation``.
    """

    taps: Tensor

    def __init__(
        self,
        plan: Plan,
        half_from: int | None = None,
        fold: bool = False,
        activation: Activation = eager_activation,
    ) -> None:
        super().__init__()
        taps = torch.from_numpy(plan.taps)
        self.activation = activation

        def dtype(resolution: int) -> torch.dtype:
            return torch.float16 if half_from is not None and resolution >= half_from else torch.float32

        self.blocks = nn.ModuleList(_Block(b, taps, dtype(b.resolution), fold) for b in plan.blocks)
        outer_taps = torch.from_numpy(plan.outer_taps)
        outer = torch.outer(outer_taps, outer_taps)
        self.register_buffer("taps", outer)
        self.requires_grad_(False)

    def forward(self, w_plus: Tensor, noise: Tensor, bends: Bends = ()) -> Tensor:
        x: Tensor | None = None
        picture: Tensor | None = None
        for module in self.blocks:
            block: Any = module
            strength = noise.to(block.dtype)
            x = self._features(block, x, w_plus, strength)
            here = at(bends, block.resolution)
            if here:
                x = bent(x, block.resolution, here)
            if picture is not None:
                picture = trimmed(self._doubled(picture), block.trim)
            if block.to_picture is not None:
                part = block.to_picture(x, w_plus)
                picture = part if picture is None else picture.add_(part)
        assert picture is not None
        return as_bytes(picture)[0]

    def _features(self, block: Any, x: Tensor | None, w_plus: Tensor, noise: Tensor) -> Tensor:
        styles1, demodulation1 = block.conv1.scales(w_plus)
        one = torch.ones((), dtype=block.dtype, device=w_plus.device)
        past: Tensor | None = None
        if block.constant is not None:
            x = block.constant * styles1
        else:
            assert x is not None
            x = x.to(block.dtype)
            if block.shortcut is not None:
                past = trimmed(self._doubled(F.conv2d(x, block.shortcut)), block.trim)
            styles0, demodulation0 = block.conv0.scales(w_plus)
            x = block.conv0(x * styles0, demodulation0, noise, styles1, self.activation)
            x = trimmed(x, block.trim)
        y: Tensor = block.conv1(x, demodulation1, noise, one, self.activation)
        return y if past is None else past + y

    def _doubled(self, x: Tensor) -> Tensor:
        kernel = self.taps.to(x.dtype).expand(x.shape[1], 1, 4, 4)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])
