"""StyleGAN3's generator (Karras et al., "Alias-Free Generative Adversarial Networks", 2021), both t and r.

    z ──► MappingNetwork ──► w+ [N, L, w] ──► Fourier features ──► filtered layers ──► [N, 3, H, W] in −1..1

Every layer is a modulated convolution and a leaky ReLU at a higher rate of samples: up by a low-pass filter,
bent, down by another, so that the sharp corner of the ReLU leaves nothing beyond what the samples can carry.
Features reach over the picture's edges by a margin, which the last layers cut off.

Config t has 3×3 convolutions and separable filters, config r 1×1 convolutions and round filters on the way
down. Which of them a network is does not matter here: its file says the sizes of both, and holds the filters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lavlive.errors import CheckpointError
from lavlive.generator.network import (
    Generator,
    GeneratorConfig,
    Linear,
    MappedGenerator,
    MappingNetwork,
    normal,
)

EPSILON = 1e-8
LEAK = 0.2
GAIN = math.sqrt(2)
_MOST_LAYERS = 62
_MOST_CHANNELS = 1 << 14
_MOST_TAPS = 64
_WIDEST_MARGIN = 128
_MOST_OVERSAMPLING = 4
_FACTORS = (1, 2, 4)
_SIZES = {
    "z_dim": (1, 1 << 14),
    "w_dim": (1, 1 << 14),
    "class_count": (0, 1 << 16),
    "mapping_layers": (1, 64),
    "mapping_width": (1, 1 << 14),
    "class_width": (1, 1 << 14),
    "picture_channels": (1, 16),
    "input_channels": (1, _MOST_CHANNELS),
}


@dataclass(frozen=True)
class FilteredLayer:
    """One layer's sizes.

    Attributes:
        channels: of its output.
        size: height and width of its output, margins included.
        kernel: side of its convolution.
        up, down: by how much its leaky ReLU's samples are denser than its input's and its output's.
        up_taps, down_taps: lengths of its filters; 1 for none.
        radial: whether the filter on the way down is round, [taps, taps], not separable.
        cutoff: the highest frequency in its output, periods per width of a square picture.
    """

    channels: int
    size: int
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    radial: bool
    cutoff: float

    def check(self) -> None:
        """Raise CheckpointError for what no layer can have."""
        whole = (self.channels, self.size, self.kernel, self.up, self.down, self.up_taps, self.down_taps)
        if any(type(number) is not int or number < 1 for number in whole) or type(self.radial) is not bool:
            raise CheckpointError(f"a StyleGAN3 layer cannot have these sizes: {self}")
        if (
            self.channels > _MOST_CHANNELS
            or self.kernel not in (1, 3, 5, 7)
            or self.up not in _FACTORS
            or self.down not in _FACTORS
            or max(self.up_taps, self.down_taps) > _MOST_TAPS
            or self.up_taps < self.up
            or self.down_taps < self.down
            or not isinstance(self.cutoff, int | float)
            or not 0 < self.cutoff < 1e5
        ):
            raise CheckpointError(f"a StyleGAN3 layer cannot have these sizes: {self}")


@dataclass(frozen=True)
class AliasFreeConfig:
    """Everything that fixes the shapes and the arithmetic of a StyleGAN3 generator.

    ``input_size``, ``input_rate`` and ``bandwidth`` are those of the Fourier features: samples along a side,
    samples per width of the picture, and highest frequency. The last of ``layers`` makes the picture: it
    convolves 1×1 and neither filters nor bends. ``clamp`` bounds activations.

    Raises CheckpointError for values no StyleGAN3 can have.
    """

    resolution: int
    input_channels: int
    input_size: int
    input_rate: int
    bandwidth: float
    layers: tuple[FilteredLayer, ...]
    z_dim: int = 512
    w_dim: int = 512
    class_count: int = 0
    mapping_layers: int = 2
    mapping_width: int | None = None
    class_width: int | None = None
    mapping_rate: float = 0.01
    picture_channels: int = 3
    clamp: float | None = 256.0
    output_scale: float = 0.25

    def __post_init__(self) -> None:
        read = tuple(FilteredLayer(**each) if isinstance(each, dict) else each for each in self.layers)
        object.__setattr__(self, "layers", read)
        for name, (lowest, highest) in _SIZES.items():
            size = getattr(self, name)
            if size is None and name in ("mapping_width", "class_width"):
                continue
            if type(size) is not int or not lowest <= size <= highest:
                raise CheckpointError(f"a generator cannot have {name} {size!r}: {lowest} to {highest}")
        clamp = 1.0 if self.clamp is None else self.clamp
        numbers = (self.mapping_rate, clamp, self.output_scale, self.bandwidth)
        if not all(isinstance(number, int | float) and 0 < number < 1e6 for number in numbers):
            raise CheckpointError("a StyleGAN3 cannot have these gains and limits")
        if any(
            type(size) is not int or not 4 <= size <= 4096 or size & (size - 1)
            for size in (self.resolution, self.input_rate)
        ):
            raise CheckpointError(
                f"resolution {self.resolution} and input rate {self.input_rate} are not powers of two"
            )
        if self.bandwidth >= self.input_rate / 2:
            raise CheckpointError("its Fourier features are finer than their samples")
        if not 2 <= len(self.layers) <= _MOST_LAYERS:
            raise CheckpointError(
                f"a StyleGAN3 of {len(self.layers)} layers; lavlive plays 2 to {_MOST_LAYERS}"
            )
        self._check_layers()

    def _check_layers(self) -> None:
        # The numbers may come from a damaged or hostile file: no network is built of what cannot be meant.
        if type(self.input_size) is not int or not 0 <= self.input_size - self.input_rate <= _WIDEST_MARGIN:
            raise CheckpointError(f"its Fourier features cannot have a size of {self.input_size}")
        rate = self.input_rate
        for layer in self.layers:
            layer.check()
            dense = rate * layer.up
            rate = dense // layer.down
            too_dense = dense > _MOST_OVERSAMPLING * self.resolution or dense % layer.down
            if too_dense or not 4 <= rate <= self.resolution or not 0 <= layer.size - rate <= _WIDEST_MARGIN:
                raise CheckpointError(f"a StyleGAN3 layer cannot have these sizes: {layer}")
        last = self.layers[-1]
        plain = (last.kernel, last.up, last.down, last.up_taps, last.down_taps) == (1, 1, 1, 1, 1)
        if not plain or (last.channels, last.size) != (self.picture_channels, self.resolution):
            raise CheckpointError("its last layer does not make pictures as StyleGAN3's does")

    @property
    def kind(self) -> str:
        """``t`` or ``r`` where it is one of them, else ``t/r``."""
        kernels = {layer.kernel for layer in self.layers[:-1]}
        radial = any(layer.radial for layer in self.layers)
        return "r" if kernels == {1} and radial else "t" if kernels == {3} and not radial else "t/r"

    @property
    def rates(self) -> list[int]:
        """Samples per width of a square picture, of every layer's output."""
        rates, rate = [], self.input_rate
        for layer in self.layers:
            rate = rate * layer.up // layer.down
            rates.append(rate)
        return rates

    @property
    def num_ws(self) -> int:
        """Length L of w+: the Fourier features' and every layer's."""
        return 1 + len(self.layers)

    @property
    def layer_resolutions(self) -> list[int]:
        """The resolution at which each of the L entries of w+ works.

        It is that of the finest detail in its output, twice the cutoff. The samples themselves are never
        fewer than 16² and say less.
        """
        return [round(2 * cutoff) for cutoff in (self.bandwidth, *(layer.cutoff for layer in self.layers))]

    @property
    def block_resolutions(self) -> list[int]:
        """Powers of two at which layers work, or up to which they do."""
        working = self.layer_resolutions
        return [
            2**power
            for power in range(2, self.resolution.bit_length())
            if any(2 ** (power - 1) < each <= 2**power for each in working)
        ]

    @property
    def paddings(self) -> list[tuple[int, int]]:
        """Samples, before and after, that each layer adds to its convolution's output once it is spread.

        Those before are what keeps samples of all rates centred on the picture; below nought they are cut.
        """
        paddings, size = [], self.input_size
        for layer in self.layers:
            total = (layer.size - 1) * layer.down + 1 - (size + layer.kernel - 1) * layer.up
            total += layer.up_taps + layer.down_taps - 2
            before = (total + layer.up) // 2
            paddings.append((before, total - before))
            size = layer.size
        return paddings

    def size(self, resolution: int) -> tuple[int, int]:
        """Height and width of a picture, for its own ``resolution``."""
        return resolution, resolution


class FourierInput(nn.Module):
    """Sines of many directions and frequencies, which w turns and moves, and a matrix that mixes them."""

    transform: Tensor
    frequencies: Tensor
    phases: Tensor

    def __init__(self, config: AliasFreeConfig) -> None:
        super().__init__()
        channels = config.input_channels
        self.config = config
        self.affine = Linear(config.w_dim, 4)
        self.weight = nn.Parameter(normal(channels, channels))
        self.register_buffer("transform", torch.eye(3))
        radius = normal(channels, 1).abs()
        direction = normal(channels, 2)
        # Directions and radii as training begins with; a trained file brings its own.
        direction = direction / direction.norm(dim=1, keepdim=True).clamp(min=1e-6)
        self.register_buffer("frequencies", direction * radius.clamp(max=1.0) * config.bandwidth)
        self.register_buffer("phases", normal(channels, deviation=0.25))

    def forward(self, w: Tensor) -> Tensor:
        """w [N, w_dim] → [N, channels, size, size]."""
        config = self.config
        turned = self.affine(w)
        turned = turned / turned[:, :2].norm(dim=1, keepdim=True)
        cosine, sine, across, down = turned.unbind(1)
        zero, one = torch.zeros_like(cosine), torch.ones_like(cosine)
        rotation = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], 1).view(-1, 3, 3)
        shift = torch.stack([one, zero, -across, zero, one, -down, zero, zero, one], 1).view(-1, 3, 3)
        transform = rotation @ shift @ self.transform
        frequencies = self.frequencies @ transform[:, :2, :2]
        phases = self.phases + (self.frequencies @ transform[:, :2, 2:]).squeeze(2)
        amplitudes = in_band(frequencies.norm(dim=2), config)
        places = centred(config.input_size, config.input_rate).to(w)
        angles = (
            places[None, :, None, None] * frequencies[:, None, None, :, 1]
            + places[None, None, :, None] * frequencies[:, None, None, :, 0]
            + phases[:, None, None]
        )
        waves = torch.sin(angles * (2 * math.pi)) * amplitudes[:, None, None]
        mixed = waves @ (self.weight.t() / math.sqrt(config.input_channels))
        return mixed.permute(0, 3, 1, 2)


def in_band(lengths: Tensor, config: AliasFreeConfig) -> Tensor:
    """Amplitudes of frequencies: 1 within the band, 0 from half the samples' rate on, falling between."""
    above = (lengths - config.bandwidth) / (config.input_rate / 2 - config.bandwidth)
    return (1 - above).clamp(0, 1)


def centred(count: int, rate: int) -> Tensor:
    """Places of ``count`` samples about the middle of the picture, whose width is 1."""
    return (torch.arange(count, dtype=torch.float32) + (0.5 - count / 2)) / rate


class FilteredConv(nn.Module):
    """A modulated convolution, bias, and the filtered leaky ReLU; the last of a network only convolves."""

    magnitude: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(
        self, config: AliasFreeConfig, layer: FilteredLayer, inputs: int, padding: tuple[int, int], last: bool
    ) -> None:
        super().__init__()
        self.layer, self.padding, self.last, self.clamp = layer, padding, last, config.clamp
        self.affine = Linear(config.w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(normal(layer.channels, inputs, layer.kernel, layer.kernel))
        self.bias = nn.Parameter(torch.zeros(layer.channels))
        self.register_buffer("magnitude", torch.ones(()))
        self.register_buffer("up_filter", _box(layer.up_taps, False))
        self.register_buffer("down_filter", _box(layer.down_taps, layer.radial))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [N, inputs, h, h], w [N, w_dim] → [N, channels, size, size]."""
        layer = self.layer
        styles = self.affine(w)
        gain = self.magnitude.rsqrt()
        if self.last:
            styles = styles / math.sqrt(x.shape[1])
            x = F.conv2d(x * (styles * gain)[:, :, None, None], self.weight)
        else:
            weight = self.weight * self.weight.square().mean((1, 2, 3), keepdim=True).rsqrt()
            styles = styles * styles.square().mean(1, keepdim=True).rsqrt()
            demodulation = (F.linear(styles.square(), weight.square().sum((2, 3))) + EPSILON).rsqrt()
            x = F.conv2d(x * (styles * gain)[:, :, None, None], weight, padding=layer.kernel - 1)
            x = x * demodulation[:, :, None, None]
        x = x + self.bias[:, None, None]
        x = spread(x, layer.up, self.padding)
        if self.up_filter is not None:
            x = filtered(x, self.up_filter * layer.up, 1)
        if not self.last:
            x = F.leaky_relu(x, LEAK) * GAIN
        if self.clamp is not None:
            x = x.clamp(-self.clamp, self.clamp)
        return x if self.down_filter is None else filtered(x, self.down_filter, layer.down)


def _box(taps: int, radial: bool) -> Tensor | None:
    if taps == 1:
        return None
    shape = (taps, taps) if radial else (taps,)
    return torch.full(shape, 1 / math.prod(shape))


def spread(x: Tensor, factor: int, padding: tuple[int, int]) -> Tensor:
    """Samples with zeros between and after them, and around them (below nought: cut off) on both axes."""
    if factor > 1:
        n, channels, height, width = x.shape
        wide = x.new_zeros(n, channels, height, factor, width, factor)
        wide[:, :, :, 0, :, 0] = x
        x = wide.reshape(n, channels, height * factor, width * factor)
    return F.pad(x, (*padding, *padding))


def filtered(x: Tensor, taps: Tensor, stride: int) -> Tensor:
    """Every channel by a filter, [taps] along both axes or [taps, taps], without padding."""
    channels = x.shape[1]
    # Convolution proper, not correlation: the taps run backwards.
    if taps.ndim == 2:
        kernel = taps.flip((0, 1)).expand(channels, 1, -1, -1)
        return F.conv2d(x, kernel, stride=stride, groups=channels)
    backwards = taps.flip(0)
    across, down = (
        backwards.view(shape).expand(channels, 1, -1, -1) for shape in ((1, 1, 1, -1), (1, 1, -1, 1))
    )
    x = F.conv2d(x, across, stride=(1, stride), groups=channels)
    return F.conv2d(x, down, stride=(stride, 1), groups=channels)


class AliasFreeSynthesis(nn.Module):
    """w+ to a picture."""

    def __init__(self, config: AliasFreeConfig) -> None:
        super().__init__()
        self.config = config
        self.input = FourierInput(config)
        widths = [config.input_channels, *(layer.channels for layer in config.layers)]
        paddings, last = config.paddings, len(config.layers) - 1
        self.layers = nn.ModuleList(
            FilteredConv(config, layer, widths[index], paddings[index], index == last)
            for index, layer in enumerate(config.layers)
        )

    def forward(self, w_plus: Tensor, noise: float | Tensor = 1.0) -> Tensor:
        """w+ [N, L, w_dim] → pictures [N, 3, H, W], about −1..1, not clipped. It has no ``noise``."""
        x = self.input(w_plus[:, 0])
        for index, module in enumerate(self.layers):
            layer: Any = module
            x = layer(x, w_plus[:, index + 1])
        pictures: Tensor = x * self.config.output_scale
        return pictures


class AliasFreeGenerator(MappedGenerator):
    """StyleGAN3; it has no ``noise``."""

    config: AliasFreeConfig
    synthesis: AliasFreeSynthesis

    def __init__(self, config: AliasFreeConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.synthesis = AliasFreeSynthesis(config)


AnyConfig = GeneratorConfig | AliasFreeConfig
AnyGenerator = Generator | AliasFreeGenerator
"""Of either network."""
