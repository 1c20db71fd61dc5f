"""A StyleGAN3's plan as a torch module: one w+ to one picture in bytes, in float32, by plain operators.

Channels come last, where torch's convolutions of one channel each, which the filters are, are quickest. The
zeros between samples are never made: spreading and filtering is one transposed convolution.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lavlive.generator.alias_free import EPSILON, GAIN, LEAK
from lavlive.generator.bends import RESOLUTIONS, Bends, at
from lavlive.generator.runners.alias_free_plan import AliasFreePlan, FilteredPlan, FourierPlan
from lavlive.generator.runners.bending import bent
from lavlive.generator.runners.plan import Array
from lavlive.generator.runners.planned import LayerStyles, as_bytes


class _Fourier(nn.Module):
    transform: Tensor
    frequencies: Tensor
    phases: Tensor
    weight: Tensor
    across: Tensor
    down: Tensor

    def __init__(self, plan: FourierPlan) -> None:
        super().__init__()
        self.styles = LayerStyles(plan.affine)
        self.bandwidth, self.limit = plan.bandwidth, plan.limit
        _keep(
            self,
            transform=plan.transform,
            frequencies=plan.frequencies,
            phases=plan.phases,
            weight=plan.weight,
            across=plan.places_across,
            down=plan.places_down,
        )

    def forward(self, w_plus: Tensor) -> Tensor:
        turned = self.styles(w_plus)
        turned = turned / torch.linalg.vector_norm(turned[:2])
        cosine, sine, across, down = turned.unbind()
        rotation = torch.stack((cosine, -sine, sine, cosine)).view(2, 2)
        shift = torch.mv(rotation, torch.stack((-across, -down)))
        # The fixed transform comes first, then w's shift, then its turn.
        matrix = rotation @ self.transform[:2, :2]
        offset = torch.mv(rotation, self.transform[:2, 2]) + shift
        frequencies = self.frequencies @ matrix
        phases = self.phases + self.frequencies @ offset
        above = (torch.linalg.vector_norm(frequencies, dim=1) - self.bandwidth) / (
            self.limit - self.bandwidth
        )
        angles = self.down[:, None, None] * frequencies[:, 1] + phases
        angles = angles + self.across[:, None] * frequencies[:, 0]
        waves = angles.mul_(2 * math.pi).sin_().mul_((1 - above).clamp_(0, 1))
        return (waves @ self.weight.t()).permute(2, 0, 1)[None]


class _Filtered(nn.Module):
    weight: Tensor
    square: Tensor | None
    bias: Tensor

    def __init__(self, plan: FilteredPlan) -> None:
        super().__init__()
        self.styles = LayerStyles(plan.affine)
        self.resolution = plan.resolution
        self.up, self.down, self.clamp = plan.up, plan.down, plan.clamp
        self.kernel = plan.weight.shape[2]
        _keep(self, weight=plan.weight, square=plan.square, bias=plan.bias[None, :, None, None])
        self.weight = self.weight.contiguous(memory_format=torch.channels_last)
        outputs = len(plan.bias)
        self.padding = plan.padding
        self.cut = 0
        self.spreading: list[str] = []
        self.gathering: list[str] = []
        if plan.up_taps is not None:
            self.spreading = self._kernels("spread", plan.up_taps, outputs)
            # A transposed convolution answers from the first tap's reach on to the last sample's.
            reach = len(plan.up_taps) - 1
            after = reach - (plan.up - 1)
            left, right, top, bottom = plan.padding
            self.padding = (left - reach, right - after, top - reach, bottom - after)
            if len(set(self.padding)) == 1 and left <= reach:
                # What is cut off alike on all sides need not be made.
                self.cut, self.padding = reach - left, (0, 0, 0, 0)
        if plan.down_taps is not None:
            # Convolution proper, not correlation: the taps run backwards.
            self.gathering = self._kernels("gather", np.flip(plan.down_taps).copy(), outputs)

    def _kernels(self, name: str, taps: Array, channels: int) -> list[str]:
        """Keep a filter as convolutions of one channel each, across and down, or one for a round one."""
        kernel = torch.from_numpy(taps)
        kernels = [kernel] if kernel.ndim == 2 else [kernel[None], kernel[:, None]]
        for index, each in enumerate(kernels):
            self.register_buffer(f"{name}{index}", each.expand(channels, 1, *each.shape).contiguous())
        return [f"{name}{index}" for index in range(len(kernels))]

    def forward(self, x: Tensor, w_plus: Tensor) -> Tensor:
        styles = self.styles(w_plus)
        if self.square is None:
            x = F.conv2d(x, self.weight * styles.view(1, -1, 1, 1)) + self.bias
        else:
            styles = styles * styles.square().mean().rsqrt()
            demodulation = (torch.mv(self.square, styles.square()) + EPSILON).rsqrt_() * GAIN
            x = F.conv2d(x * styles.view(1, -1, 1, 1), self.weight, padding=self.kernel - 1)
            x = torch.addcmul(self.bias, x, demodulation.view(1, -1, 1, 1))
        for name in self.spreading:
            kernel: Tensor = getattr(self, name)
            stride, cut = _along(kernel, self.up, 1), _along(kernel, self.cut, 0)
            x = F.conv_transpose2d(x, kernel, stride=stride, padding=cut, groups=x.shape[1])
        if any(self.padding):
            x = F.pad(x, self.padding)
        if self.square is not None:
            x = F.leaky_relu_(x, LEAK)
        if self.clamp is not None:
            x = x.clamp_(-self.clamp, self.clamp)
        for name in self.gathering:
            kernel = getattr(self, name)
            x = F.conv2d(x, kernel, stride=_along(kernel, self.down, 1), groups=x.shape[1])
        return x


def _along(kernel: Tensor, number: int, otherwise: int) -> tuple[int, int]:
    """A number for the axes that a filter has taps on, and another one for those that it has none on."""
    return number if kernel.shape[2] > 1 else otherwise, number if kernel.shape[3] > 1 else otherwise


class PlannedAliasFree(nn.Module):
    """w+ [L, w_dim] float32 to a picture uint8 [H, W, 3]; ``noise`` is taken and means nothing here."""

    def __init__(self, plan: AliasFreePlan) -> None:
        super().__init__()
        self.fourier = _Fourier(plan.fourier)
        self.layers = nn.ModuleList(_Filtered(layer) for layer in plan.layers)
        self.scale = plan.scale
        self.bent_after = _bent_after(plan)
        self.requires_grad_(False)

    def forward(self, w_plus: Tensor, noise: Tensor, bends: Bends = ()) -> Tensor:
        x: Tensor = self.fourier(w_plus)
        for index, module in enumerate(self.layers):
            layer: Any = module
            x = layer(x, w_plus)
            if bends and index in self.bent_after:
                resolution = self.bent_after[index]
                x = bent(x, resolution, at(bends, resolution))
        return as_bytes(x, self.scale)[0]


def _bent_after(plan: AliasFreePlan) -> dict[int, int]:
    """After which layers features are bent, and as those of what resolution: the last that work up to it."""
    places: dict[int, int] = {}
    for index, layer in enumerate(plan.layers[:-1]):
        for resolution in RESOLUTIONS:
            if resolution // 2 < layer.resolution <= resolution < 2 * plan.resolution:
                places = {at: each for at, each in places.items() if each != resolution} | {index: resolution}
    return places


def _keep(module: nn.Module, **arrays: Array | None) -> None:
    for name, array in arrays.items():
        module.register_buffer(name, None if array is None else torch.from_numpy(array))
