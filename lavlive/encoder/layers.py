"""What a SEANet encoder is made of, as plain layers that every runner reads.

The weight norm is folded here, once. Each layer says how much of the past it needs, so the list of
layers also is the list of the state that a stream carries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lavlive.encoder.encodec_package import encodec_modules
from lavlive.errors import EncoderError


@dataclass(frozen=True, eq=False)
class Convolution:
    """A causal convolution over time: ``weight`` [out, in, kernel], ``bias`` [out]."""

    weight: Tensor
    bias: Tensor
    stride: int
    dilation: int

    @property
    def context(self) -> int:
        """How many past input steps the first output needs: EnCodec's padding on the left."""
        return (self.weight.shape[2] - 1) * self.dilation - (self.stride - 1)


@dataclass(frozen=True, eq=False)
class Activation:
    """A function of each value: any of torch's activation modules without state."""

    module: nn.Module


@dataclass(frozen=True, eq=False)
class LstmWeights:
    """One LSTM layer, gates in torch's order i, f, g, o: [4·size, size], [4·size, size], [4·size].

    torch wants two biases, which only ever appear as their sum: ``no_bias`` is the zero one.
    """

    input: Tensor
    hidden: Tensor
    bias: Tensor
    no_bias: Tensor

    @property
    def for_torch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As ``torch.lstm`` takes them."""
        return self.input, self.hidden, self.bias, self.no_bias


@dataclass(frozen=True, eq=False)
class Recurrence:
    """Stacked LSTM layers over time; ``skip`` adds the input to the output."""

    layers: tuple[LstmWeights, ...]
    skip: bool

    @property
    def size(self) -> int:
        """Channels in and out."""
        return self.layers[0].hidden.shape[1]


@dataclass(frozen=True, eq=False)
class Residual:
    """``shortcut(x) + branch(x)``; no shortcut is the identity."""

    branch: tuple[Layer, ...]
    shortcut: tuple[Layer, ...]


Layer = Convolution | Activation | Recurrence | Residual


@dataclass(frozen=True)
class StateShape:
    """One tensor that a stream carries from hop to hop."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Network:
    """A causal encoder: ``hop`` samples in, one latent of ``dimension`` numbers out."""

    layers: tuple[Layer, ...]
    hop: int
    dimension: int

    def state_shapes(self) -> list[StateShape]:
        """The state of a stream, in the order in which the layers use it."""
        return _state_shapes(self.layers, "")


def fold(encoder: nn.Module) -> Network:
    """The layers of an ``encodec.modules.SEANetEncoder``, its normalisation folded into the weights.

    Copies all weights as float32: training ``encoder`` further changes nothing here. Raises EncoderError
    for an encoder that cannot stream: not causal, not mono, or normalised over time.
    """
    modules = encodec_modules()
    if not isinstance(encoder, modules.SEANetEncoder):
        raise EncoderError(f"{type(encoder).__name__} is no SEANetEncoder of the encodec package")
    first: Any = encoder.model
    if first[0].conv.conv.in_channels != 1:
        raise EncoderError(
            "the encoder takes more than one channel; lavlive's sound is mono: use the 24 kHz model"
        )
    with torch.no_grad():
        layers = tuple(_fold(module, modules) for module in first)
    strides = [layer.stride for layer in layers if isinstance(layer, Convolution)]
    last = layers[-1]
    if not isinstance(last, Convolution):
        raise EncoderError("the encoder does not end with a convolution: another version of encodec?")
    return Network(layers, hop=math.prod(strides), dimension=last.weight.shape[0])


def _fold(module: Any, modules: Any) -> Layer:
    if isinstance(module, modules.SConv1d):
        return _fold_convolution(module)
    if isinstance(module, modules.SLSTM):
        lstm = module.lstm
        weights = [
            LstmWeights(
                _copy(getattr(lstm, f"weight_ih_l{i}")),
                _copy(getattr(lstm, f"weight_hh_l{i}")),
                _copy(getattr(lstm, f"bias_ih_l{i}") + getattr(lstm, f"bias_hh_l{i}")),
                torch.zeros(4 * lstm.hidden_size),
            )
            for i in range(lstm.num_layers)
        ]
        return Recurrence(tuple(weights), skip=module.skip)
    if hasattr(module, "block") and hasattr(module, "shortcut"):
        shortcut = () if isinstance(module.shortcut, nn.Identity) else (_fold(module.shortcut, modules),)
        return Residual(tuple(_fold(part, modules) for part in module.block), shortcut)
    if any(True for _ in module.parameters()):
        raise EncoderError(f"{type(module).__name__} has weights of its own; lavlive cannot stream it")
    return Activation(module)


def _fold_convolution(module: Any) -> Convolution:
    if not module.causal:
        raise EncoderError("the encoder looks into the future (causal=False); a live one must be causal")
    convolution = module.conv.conv
    if not isinstance(module.conv.norm, nn.Identity):
        raise EncoderError(
            f"the norm {module.conv.norm_type} needs the whole signal; only weight_norm or none streams"
        )
    layer = Convolution(
        _folded_weight(convolution),
        _copy(convolution.bias),
        stride=convolution.stride[0],
        dilation=convolution.dilation[0],
    )
    if layer.context < 0 or convolution.groups != 1:
        raise EncoderError(f"a convolution of this shape cannot stream: {convolution}")
    return layer


def _folded_weight(convolution: Any) -> Tensor:
    if hasattr(convolution, "weight_g"):
        # With the classic weight norm, .weight is only as fresh as the last forward pass.
        direction = convolution.weight_v
        return _copy(
            convolution.weight_g * direction / torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True)
        )
    if hasattr(convolution, "weight_orig"):
        raise EncoderError("the norm spectral_norm is not supported; only weight_norm or none")
    return _copy(convolution.weight)


def without_weight_norm(length: Tensor, direction: Tensor) -> Tensor:
    """The weight [out, in, kernel] that weight norm keeps as a length [out, 1, 1] and a direction."""
    return length * direction / torch.linalg.vector_norm(direction, dim=(1, 2), keepdim=True)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32, copy=True).contiguous()


def _state_shapes(layers: Sequence[Layer], prefix: str) -> list[StateShape]:
    shapes = []
    for index, layer in enumerate(layers):
        name = f"{prefix}{index}"
        if isinstance(layer, Convolution) and layer.context:
            shapes.append(StateShape(f"{name}.context", (1, layer.weight.shape[1], layer.context)))
        elif isinstance(layer, Recurrence):
            for index in range(len(layer.layers)):
                shapes += [
                    StateShape(f"{name}.{kind}.{index}", (1, layer.size)) for kind in ("hidden", "cell")
                ]
        elif isinstance(layer, Residual):
            shapes += _state_shapes(layer.branch, f"{name}.branch.")
            shapes += _state_shapes(layer.shortcut, f"{name}.shortcut.")
    return shapes
