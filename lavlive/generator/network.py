"""StyleGAN2's generator (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020).

    z [N, z] ──► MappingNetwork ──► w [N, w] ──► w+ [N, L, w] ──► SynthesisNetwork ──► [N, 3, H, W] in −1..1

The numbers follow the conventions of NVIDIA's published networks (filter gain, order of padding, epsilons,
run-time weight scaling), so that weights trained elsewhere give the same pictures here.

Modulation scales the activations instead of the weights: with styles s, conv(x, W·s)·d equals
conv(x·s, W)·d, where d_o = (Σ_i s_i² Σ_k W_oik² + ε)^−½. The weights stay constant, which batches, exports
and runs faster than a grouped convolution with one set of weights per picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lavlive.errors import CheckpointError
from lavlive.generator.shapes import channels_at, features_size

Architecture = Literal["skip", "orig", "resnet"]
_EPSILON = 1e-8
_LEAK = 0.2
_ACTIVATION_GAIN = math.sqrt(2)
# Smallest and largest value that a generator's sizes may have.
_SIZES = {
    "resolution": (4, 4096),
    "z_dim": (1, 1 << 14),
    "w_dim": (1, 1 << 14),
    "class_count": (0, 1 << 16),
    "mapping_layers": (1, 64),
    "mapping_width": (1, 1 << 14),
    "class_width": (1, 1 << 14),
    "channel_base": (1, 1 << 22),
    "channel_max": (1, 1 << 14),
    "channel_min": (1, 1 << 14),
    "picture_channels": (1, 16),
    "rows": (2, 64),
    "columns": (2, 64),
}


@dataclass(frozen=True)
class GeneratorConfig:
    """Everything that fixes the shapes and the arithmetic of a generator.

    ``channel_base`` / resolution, at least ``channel_min`` and at most ``channel_max``, is the width at a
    resolution. ``conv_clamp``
    bounds activations (networks trained in half precision have it, at 256). ``mapping_width`` and
    ``class_width`` default to ``w_dim``. ``picture_fir`` is the filter that doubles the pictures of the
    ``skip`` architecture, where it is not ``fir``: rosinality's code gives only the convolutions the filter
    that its user chose. ``rows`` and ``columns`` are those of the constant that pictures grow from: a network
    trained with 4 × 8 makes pictures twice as wide as high, and its ``resolution`` is that of a square one.

    Raises CheckpointError for values no StyleGAN2 can have.
    """

    resolution: int
    z_dim: int = 512
    w_dim: int = 512
    class_count: int = 0
    mapping_layers: int = 8
    mapping_width: int | None = None
    class_width: int | None = None
    mapping_rate: float = 0.01
    channel_base: int = 32768
    channel_max: int = 512
    architecture: Architecture = "skip"
    picture_channels: int = 3
    fir: tuple[float, ...] = field(default=(1.0, 3.0, 3.0, 1.0))
    conv_clamp: float | None = None
    picture_fir: tuple[float, ...] | None = None
    rows: int = 4
    columns: int = 4
    channel_min: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "fir", tuple(float(tap) for tap in self.fir))
        if self.picture_fir is not None:
            object.__setattr__(self, "picture_fir", tuple(float(tap) for tap in self.picture_fir))
        self._check_numbers()
        if self.resolution < 4 or self.resolution & (self.resolution - 1):
            raise CheckpointError(f"resolution {self.resolution} is not a power of two of at least 4")
        if self.architecture not in ("skip", "orig", "resnet"):
            raise CheckpointError(
                f"architecture {self.architecture!r} is unknown; lavlive knows skip, orig and resnet"
            )
        if any(len(taps) != 4 or sum(taps) == 0 for taps in (self.fir, self.picture_taps)):
            raise CheckpointError("the resampling filter needs four taps with a sum other than zero")
        if self.picture_fir is not None and self.architecture != "skip":
            raise CheckpointError(f"the architecture {self.architecture} doubles no pictures: no picture_fir")

    def _check_numbers(self) -> None:
        # The numbers may come from a damaged or hostile file: no network is built of what cannot be meant.
        for name, (lowest, highest) in _SIZES.items():
            size = getattr(self, name)
            if size is None and name in ("mapping_width", "class_width"):
                continue
            if type(size) is not int or not lowest <= size <= highest:
                raise CheckpointError(f"a generator cannot have {name} {size!r}: {lowest} to {highest}")
        clamp = 1.0 if self.conv_clamp is None else self.conv_clamp
        numbers = (*self.fir, *self.picture_taps, self.mapping_rate, clamp)
        if not all(math.isfinite(number) for number in numbers) or clamp <= 0:
            raise CheckpointError(f"a generator cannot have these numbers: {self}")

    @property
    def picture_taps(self) -> tuple[float, ...]:
        """The filter that doubles pictures."""
        return self.fir if self.picture_fir is None else self.picture_fir

    @property
    def block_resolutions(self) -> list[int]:
        """4, 8, … up to ``resolution``."""
        return [2**power for power in range(2, self.resolution.bit_length())]

    @property
    def num_ws(self) -> int:
        """Length L of w+."""
        return 2 * len(self.block_resolutions)

    @property
    def layer_resolutions(self) -> list[int]:
        """The resolution at which each of the L entries of w+ works first."""
        rest = [resolution for resolution in self.block_resolutions[1:] for _ in range(2)]
        return [4, *rest, self.resolution]

    def size(self, resolution: int) -> tuple[int, int]:
        """Height and width of the features at ``resolution``."""
        return features_size(resolution, self.rows, self.columns)

    def channels(self, resolution: int) -> int:
        """Width of the block at ``resolution``."""
        return channels_at(resolution, self.channel_base, self.channel_max, self.channel_min)


def normal(*shape: int, deviation: float = 1.0) -> Tensor:
    """Normal numbers; on torch's device without memory, which imports for seconds to draw any, the shape."""
    numbers = torch.empty(shape)
    return numbers if numbers.is_meta else numbers.normal_(std=deviation)


class Linear(nn.Module):
    """A fully connected layer whose weights are scaled at run time (equalised learning rate)."""

    def __init__(
        self, inputs: int, outputs: int, *, activate: bool = False, bias: float = 0.0, rate: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(outputs, inputs, deviation=1 / rate))
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.weight_gain = rate / math.sqrt(inputs)
        self.bias_gain = rate
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] → [N, outputs]."""
        y = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return F.leaky_relu(y, _LEAK) * _ACTIVATION_GAIN if self.activate else y


def normalize_second_moment(x: Tensor) -> Tensor:
    """Scale each row of [N, C] to a mean square of one."""
    return x * (x.square().mean(1, keepdim=True) + _EPSILON).rsqrt()


class MappingSizes(Protocol):
    """What of a configuration the mapping network needs; see ``GeneratorConfig``."""

    @property
    def z_dim(self) -> int: ...
    @property
    def w_dim(self) -> int: ...
    @property
    def class_count(self) -> int: ...
    @property
    def mapping_layers(self) -> int: ...
    @property
    def mapping_width(self) -> int | None: ...
    @property
    def class_width(self) -> int | None: ...
    @property
    def mapping_rate(self) -> float: ...


class MappingNetwork(nn.Module):
    """z, and a class where the network has classes, to w.

    ``w_mean`` is the running mean of w, which training keeps.
    """

    w_mean: Tensor

    def __init__(self, config: MappingSizes) -> None:
        super().__init__()
        self.class_count = config.class_count
        class_width = (config.class_width or config.w_dim) if config.class_count else 0
        width = config.mapping_width or config.w_dim
        widths = [config.z_dim + class_width, *[width] * (config.mapping_layers - 1), config.w_dim]
        self.embed = Linear(config.class_count, class_width) if config.class_count else None
        self.layers = nn.ModuleList(
            Linear(inputs, outputs, activate=True, rate=config.mapping_rate)
            for inputs, outputs in pairwise(widths)
        )
        self.register_buffer("w_mean", torch.zeros(config.w_dim))

    def forward(self, z: Tensor, class_index: Tensor | None = None) -> Tensor:
        """z [N, z] and class_index int64 [N] (class 0 when not given) → w [N, w]."""
        x = normalize_second_moment(z)
        if self.embed is not None:
            if class_index is None:
                class_index = torch.zeros(len(z), dtype=torch.int64, device=z.device)
            one_hot = F.one_hot(class_index, self.class_count).to(x.dtype)
            x = torch.cat([x, normalize_second_moment(self.embed(one_hot))], dim=1)
        for layer in self.layers:
            x = layer(x)
        return x


class Resample(nn.Module):
    """The FIR filter that follows every doubling of the resolution (Zhang 2019; StyleGAN2, appendix B)."""

    kernel: Tensor

    def __init__(self, fir: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.tensor([tap / sum(fir) * 2 for tap in fir]), persistent=False)

    def forward(self, x: Tensor, padding: tuple[int, int]) -> Tensor:
        """Filter [N, C, H, W] along both axes, padded by (before, after), with the gain of a doubling."""
        channels = x.shape[1]
        # Convolution proper, not correlation: the taps run backwards.
        taps = self.kernel.flip(0).to(x.dtype)
        x = F.pad(x, (*padding, *padding))
        x = F.conv2d(x, taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
        return F.conv2d(x, taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)

    def upsample(self, x: Tensor) -> Tensor:
        """[N, C, H, W] → [N, C, 2H, 2W]: zeros between the samples, then the filter."""
        n, channels, height, width = x.shape
        spread = x.new_zeros(n, channels, height, 2, width, 2)
        spread[:, :, :, 0, :, 0] = x
        return self.forward(spread.reshape(n, channels, 2 * height, 2 * width), (2, 1))


class ModulatedConv(nn.Module):
    """A 3×3 convolution under a style: modulation, demodulation, noise, bias and activation.

    With ``up`` it doubles the resolution: transposed convolution, then the filter.
    """

    noise_constant: Tensor

    def __init__(self, config: GeneratorConfig, inputs: int, outputs: int, resolution: int, up: bool) -> None:
        super().__init__()
        self.affine = Linear(config.w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(normal(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_constant", normal(*config.size(resolution)))
        self.resample = Resample(config.fir) if up else None
        self.clamp = config.conv_clamp
        self.weight_square: Tensor | None = None

    def freeze(self) -> None:
        """Compute once what depends on the weights alone, for a network that is no longer trained."""
        self.weight_square = self.weight.detach().square().sum((2, 3))

    def forward(
        self, x: Tensor, w: Tensor, noise: float | Tensor, random_noise: bool, gain: float = 1.0
    ) -> Tensor:
        """x [N, inputs, h, w], w [N, w_dim] → [N, outputs, H, W]."""
        styles = self.affine(w)
        square = self.weight.square().sum((2, 3)) if self.weight_square is None else self.weight_square
        demodulation = (F.linear(styles.square(), square) + _EPSILON).rsqrt()
        x = x * styles[:, :, None, None]
        if self.resample is None:
            x = F.conv2d(x, self.weight, padding=1)
        else:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = self.resample(x, (1, 1))
        x = x * demodulation[:, :, None, None]
        if random_noise:
            x = x + torch.randn_like(x[:, :1]) * (self.noise_strength * noise)
        else:
            x = x + self.noise_constant * (self.noise_strength * noise)
        x = F.leaky_relu(x + self.bias[:, None, None], _LEAK) * (_ACTIVATION_GAIN * gain)
        return x if self.clamp is None else x.clamp(-self.clamp * gain, self.clamp * gain)


class ToPicture(nn.Module):
    """Features to picture channels: a 1×1 convolution under a style, without demodulation."""

    def __init__(self, config: GeneratorConfig, inputs: int) -> None:
        super().__init__()
        self.affine = Linear(config.w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(normal(config.picture_channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.picture_channels))
        self.style_gain = 1 / math.sqrt(inputs)
        self.clamp = config.conv_clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, inputs, H, W], w [N, w_dim] → [N, picture_channels, H, W]."""
        styles = self.affine(w) * self.style_gain
        y = F.conv2d(x * styles[:, :, None, None], self.weight) + self.bias[:, None, None]
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


class Shortcut(nn.Module):
    """The 1×1 convolution past a block in the ``resnet`` architecture, doubling the resolution."""

    def __init__(self, config: GeneratorConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(outputs, inputs, 1, 1))
        self.weight_gain = 1 / math.sqrt(inputs)
        self.resample = Resample(config.fir)

    def forward(self, x: Tensor, gain: float) -> Tensor:
        """[N, inputs, h, w] → [N, outputs, 2h, 2w]."""
        doubled: Tensor = self.resample.upsample(F.conv2d(x, self.weight * self.weight_gain))
        return doubled * gain


class SynthesisBlock(nn.Module):
    """All layers of one resolution. The first block starts from a learned constant."""

    def __init__(self, config: GeneratorConfig, resolution: int) -> None:
        super().__init__()
        outputs = config.channels(resolution)
        first, last = resolution == 4, resolution == config.resolution
        self.resolution = resolution
        self.constant: Tensor | None = None
        self.conv0: ModulatedConv | None = None
        self.shortcut: Shortcut | None = None
        self.to_picture: ToPicture | None = None
        if first:
            self.constant = nn.Parameter(normal(outputs, config.rows, config.columns))
        else:
            inputs = config.channels(resolution // 2)
            self.conv0 = ModulatedConv(config, inputs, outputs, resolution, up=True)
            if config.architecture == "resnet":
                self.shortcut = Shortcut(config, inputs, outputs)
        self.conv1 = ModulatedConv(config, outputs, outputs, resolution, up=False)
        if last or config.architecture == "skip":
            self.to_picture = ToPicture(config, outputs)
        self.resample = Resample(config.picture_taps)

    @property
    def convolutions(self) -> int:
        """How many entries of w+ the block uses up; its picture layer borrows the next one."""
        return 1 if self.conv0 is None else 2

    def forward(
        self, x: Tensor | None, picture: Tensor | None, ws: Tensor, noise: float | Tensor, random_noise: bool
    ) -> tuple[Tensor, Tensor | None]:
        """ws [N, convolutions + 1, w_dim]; x and picture of the block before → those of this one."""
        if self.constant is not None:
            x = self.constant.expand(len(ws), -1, -1, -1)
            x = self.conv1(x, ws[:, 0], noise, random_noise)
        elif self.conv0 is not None and x is not None:
            if self.shortcut is not None:
                gain = math.sqrt(0.5)
                past = self.shortcut(x, gain)
                x = self.conv0(x, ws[:, 0], noise, random_noise)
                x = past + self.conv1(x, ws[:, 1], noise, random_noise, gain)
            else:
                x = self.conv0(x, ws[:, 0], noise, random_noise)
                x = self.conv1(x, ws[:, 1], noise, random_noise)
        assert x is not None
        if picture is not None:
            picture = self.resample.upsample(picture)
        if self.to_picture is not None:
            contribution = self.to_picture(x, ws[:, self.convolutions])
            picture = contribution if picture is None else picture + contribution
        return x, picture


class SynthesisNetwork(nn.Module):
    """w+ to a picture."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(SynthesisBlock(config, r) for r in config.block_resolutions)

    def forward(self, w_plus: Tensor, noise: float | Tensor = 1.0, *, random_noise: bool = False) -> Tensor:
        """w+ [N, L, w_dim] → pictures [N, 3, H, W], about −1..1, not clipped.

        ``noise`` scales the learned noise strengths. The noise itself is constant, so a picture that
        stands still does not flicker; training asks for ``random_noise``.
        """
        x: Tensor | None = None
        picture: Tensor | None = None
        index = 0
        for module in self.blocks:
            block: Any = module
            ws = w_plus[:, index : index + block.convolutions + 1]
            x, picture = block(x, picture, ws, noise, random_noise)
            index += block.convolutions
        assert picture is not None
        return picture


class MappedGenerator(nn.Module):
    """Mapping and synthesis together: what StyleGAN2's and StyleGAN3's generators have in common."""

    config: Any
    mapping: MappingNetwork
    synthesis: Any

    @property
    def num_ws(self) -> int:
        """Length L of w+."""
        length: int = self.config.num_ws
        return length

    @property
    def layer_resolutions(self) -> list[int]:
        """The resolution at which each of the L entries of w+ works first."""
        resolutions: list[int] = self.config.layer_resolutions
        return resolutions

    def freeze(self) -> Self:
        """Switch to evaluation and stop gradients; returns itself."""
        return self.eval().requires_grad_(False)

    def forward(self, z: Tensor, class_index: Tensor | None = None, noise: float | Tensor = 1.0) -> Tensor:
        """z [N, z] → pictures [N, 3, H, W], about −1..1, with one w for all layers."""
        w = self.mapping(z, class_index)
        pictures: Tensor = self.synthesis(w[:, None].expand(-1, self.num_ws, -1), noise)
        return pictures


class Generator(MappedGenerator):
    """StyleGAN2."""

    config: GeneratorConfig
    synthesis: SynthesisNetwork

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.synthesis = SynthesisNetwork(config)

    def freeze(self) -> Self:
        """Switch to evaluation, stop gradients and compute the weights' squares once; returns itself."""
        super().freeze()
        for module in self.modules():
            if isinstance(module, ModulatedConv):
                module.freeze()
        return self
