"""What lavlive is compared with, run beside it with the same weights.

- ``encodec`` encoding the last second anew for every hop: what the package offers for a stream.
- The package's own layers made to stream in the plain way, eagerly.
- StyleGAN2 by the book: weights modulated per picture, grouped convolution, float32.
- The same, exported and run by a fast library: see ``exported``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lavlive.generator.network import ModulatedConv, SynthesisNetwork, ToPicture


class LastSecond:
    """The package's encoder over the last second of sound, for every hop."""

    def __init__(self, encoder: nn.Module, sample_rate: int) -> None:
        self._encoder = encoder.eval()
        self._sound = torch.zeros(1, 1, sample_rate)

    def step(self, samples: np.ndarray) -> np.ndarray:
        """float32 [hop] → the newest latent, float32 [1, dimension]."""
        with torch.inference_mode():
            heard = torch.from_numpy(samples)[None, None]
            self._sound = torch.cat((self._sound[:, :, len(samples) :], heard), 2)
            newest: Tensor = self._encoder(self._sound)[0, :, -1:]
            return newest.t().numpy()


class EagerStream:
    """The package's layers, each keeping its own past: a stream without further thought to speed."""

    def __init__(self, encoder: nn.Module) -> None:
        model: Any = encoder.eval().model
        self._layers = list(model)
        self._pasts: dict[int, Any] = {}

    def step(self, samples: np.ndarray) -> np.ndarray:
        """float32 [hop] → float32 [1, dimension]."""
        with torch.inference_mode():
            x = torch.from_numpy(samples)[None, None]
            for layer in self._layers:
                x = self._through(layer, x)
            return x[0].t().numpy()

    def _through(self, layer: Any, x: Tensor) -> Tensor:
        match type(layer).__name__:
            case "SConv1d":
                return self._convolved(layer.conv.conv, x)
            case "SLSTM":
                y, self._pasts[id(layer)] = layer.lstm(x.permute(2, 0, 1), self._pasts.get(id(layer)))
                y = y.permute(1, 2, 0)
                heard: Tensor = y + x if layer.skip else y
                return heard
            case "SEANetResnetBlock":
                y = x
                for part in layer.block:
                    y = self._through(part, y)
                return self._through(layer.shortcut, x) + y
        result: Tensor = layer(x)
        return result

    def _convolved(self, convolution: nn.Conv1d, x: Tensor) -> Tensor:
        reach = (convolution.kernel_size[0] - 1) * convolution.dilation[0] - convolution.stride[0] + 1
        past = self._pasts.get(id(convolution))
        if past is None:
            past = x.new_zeros(1, x.shape[1], reach)
        x = torch.cat((past, x), 2)
        self._pasts[id(convolution)] = x[:, :, x.shape[2] - reach :]
        y: Tensor = convolution(x)
        return y


class Textbook:
    """StyleGAN2's synthesis as published (Karras et al., 2020, section 2.2): W″ per picture, then grouped
    convolution, in float32 or, on a GPU, in half precision.
    """

    def __init__(self, synthesis: SynthesisNetwork) -> None:
        self._synthesis = synthesis

    def picture(self, w_plus: Tensor, noise: float = 1.0) -> Tensor:
        """w+ [N, L, w_dim] → uint8 [N, H, W, 3]."""
        with torch.inference_mode():
            return self.forward(w_plus, noise)

    def forward(self, w_plus: Tensor, noise: float = 1.0) -> Tensor:
        """As `picture`, in whatever mode torch is, for who exports or compiles it."""
        x: Any = None
        picture: Any = None
        index = 0
        for module in self._synthesis.blocks:
            block: Any = module
            x, picture = self._block(block, x, picture, w_plus[:, index:], noise)
            index += block.convolutions
        levels = (picture * 127.5 + 128).clamp(0, 255).to(torch.uint8)
        pictures: Tensor = levels.permute(0, 2, 3, 1).contiguous()
        return pictures

    def _block(self, block: Any, x: Any, picture: Any, ws: Tensor, noise: float) -> tuple[Tensor, Any]:
        if block.constant is not None:
            x = self._convolved(block.conv1, block.constant.expand(len(ws), -1, -1, -1), ws[:, 0], noise)
        else:
            gain = 1.0 if block.shortcut is None else math.sqrt(0.5)
            past = None if block.shortcut is None else block.shortcut(x, gain)
            x = self._convolved(block.conv0, x, ws[:, 0], noise)
            x = self._convolved(block.conv1, x, ws[:, 1], noise, gain)
            x = x if past is None else past + x
        if picture is not None:
            picture = _resampled(_spread(picture), block.resample.kernel, (2, 1))
        if block.to_picture is not None:
            part = self._to_picture(block.to_picture, x, ws[:, block.convolutions])
            picture = part if picture is None else picture + part
        return x, picture

    def _convolved(
        self, layer: ModulatedConv, x: Tensor, w: Tensor, noise: float, gain: float = 1.0
    ) -> Tensor:
        n, inputs, height, width = _numbers(x.shape)
        weight = layer.weight[None] * layer.affine(w)[:, None, :, None, None]
        weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        outputs = layer.weight.shape[0]
        x = x.reshape(1, n * inputs, height, width)
        if layer.resample is None:
            x = F.conv2d(x, weight.reshape(n * outputs, inputs, 3, 3), padding=1, groups=n)
        else:
            weight = weight.transpose(1, 2).reshape(n * inputs, outputs, 3, 3)
            x = F.conv_transpose2d(x, weight, stride=2, groups=n)
            x = _resampled(x, layer.resample.kernel, (1, 1))
        x = x.reshape(n, outputs, *_numbers(x.shape[2:]))
        x = x + layer.noise_constant * (layer.noise_strength * noise)
        x = F.leaky_relu(x + layer.bias[:, None, None], 0.2) * (math.sqrt(2) * gain)
        return x if layer.clamp is None else x.clamp(-layer.clamp * gain, layer.clamp * gain)

    def _to_picture(self, layer: ToPicture, x: Tensor, w: Tensor) -> Tensor:
        n, inputs, height, width = _numbers(x.shape)
        weight = layer.weight[None] * (layer.affine(w) * layer.style_gain)[:, None, :, None, None]
        x = x.reshape(1, n * inputs, height, width)
        y = F.conv2d(x, weight.reshape(-1, inputs, 1, 1), groups=n)
        y = y.reshape(n, -1, height, width) + layer.bias[:, None, None]
        return y if layer.clamp is None else y.clamp(-layer.clamp, layer.clamp)


def _numbers(shape: Sequence[int]) -> list[int]:
    """A shape as plain numbers: an exporter follows shapes, and then knows no kernel's size."""
    return [int(size) for size in shape]


def _spread(x: Tensor) -> Tensor:
    n, channels, height, width = _numbers(x.shape)
    spread = x.new_zeros(n, channels, height, 2, width, 2)
    spread[:, :, :, 0, :, 0] = x
    return spread.reshape(n, channels, 2 * height, 2 * width)


def _resampled(x: Tensor, taps: Tensor, padding: tuple[int, int]) -> Tensor:
    """The 4×4 filter over every channel."""
    kernel = torch.outer(taps, taps).flip(0, 1).to(x.dtype)
    (channels,) = _numbers(x.shape[1:2])
    return F.conv2d(
        F.pad(x, (*padding, *padding)), kernel.expand(channels, 1, 4, 4).contiguous(), groups=channels
    )
