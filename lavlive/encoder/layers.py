"""What a SEANet encoder is made of, as plain layers that every runner reads.

The weight norm is folded here, once. Each layer says how much of the past it needs, so the list of
layers also is the list of the state that a stream carries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lavlive.encoder.encodec_package import encodec_modules
from lavlive.errors import EncoderError


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution over time: ``weight`` [out, in, kernel], ``bias`` [out].

    ``ahead`` is how many input steps after its own an output hears: 0 for a causal one, EnCodec's padding on
    the right for others. In a stream its outputs come that much later.
    """

    weight: Tensor
    bias: Tensor
    stride: int
    dilation: int
    ahead: int = 0

    @property
    def context(self) -> int:
        """How many input steps before its newest block an output hears in a stream: EnCodec's padding."""
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


@dataclass(frozen=True, eq=False)
class Delay:
    """Lets a stream of ``channels`` wait for ``steps``: a shortcut for a branch that hears ahead."""

    channels: int
    steps: int


@dataclass(frozen=True, eq=False)
class TimeNorm:
    """A group norm of one group, over all channels and the whole time of a segment: [channels] each."""

    weight: Tensor
    bias: Tensor
    epsilon: float


Layer = Convolution | Activation | Recurrence | Residual | Delay | TimeNorm


@dataclass(frozen=True)
class StateShape:
    """One tensor that a stream carries from hop to hop."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Network:
    """An encoder: ``hop`` samples in, one latent of ``dimension`` numbers out.

    Attributes:
        pad_mode: how a signal is continued at its ends offline: ``constant`` (zeros) or ``reflect``.
        segment: samples that are encoded as one, None for streams without an end.
        normalize: whether a segment is divided by its root mean square first.
    """

    layers: tuple[Layer, ...]
    hop: int
    dimension: int
    pad_mode: str = "constant"
    segment: int | None = None
    normalize: bool = False

    @property
    def ahead(self) -> int:
        """How many samples after a latent's own hop it hears; in segments, as the first of each."""
        if self.segment is not None:
            return self.segment - self.hop
        return _ahead(self.layers)[0]

    @property
    def delay(self) -> int:
        """Latents of the silence before a stream, which come first: hops until the first latent's."""
        return -(-self.ahead // self.hop)

    def state_shapes(self) -> list[StateShape]:
        """The state of a stream, in the order in which the layers use it."""
        return _state_shapes(self.layers, "")


def fold(encoder: nn.Module, segment: int | None = None, normalize: bool = False) -> Network:
    """The layers of an ``encodec.modules.SEANetEncoder``, its normalisation folded into the weights.

    Copies all weights as float32: training ``encoder`` further changes nothing here. lavlive's sound is mono,
    which a stereo encoder hears in both channels: its first convolution's weights are added up.

    Args:
        segment: samples that are encoded as one; without it an encoder that is normalised over time, which
            needs an end, is refused.
        normalize: see ``Network``.

    Raises EncoderError for an encoder that cannot be heard live.
    """
    modules = encodec_modules()
    if not isinstance(encoder, modules.SEANetEncoder):
        raise EncoderError(f"{type(encoder).__name__} is no SEANetEncoder of the encodec package")
    model: Any = encoder.model
    with torch.no_grad():
        layers = tuple(layer for module in model for layer in _fold(module, modules))
    first = layers[0]
    if isinstance(first, Convolution):
        layers = (replace(first, weight=first.weight.sum(1, keepdim=True)), *layers[1:])
    if segment is None and any(isinstance(layer, TimeNorm) for layer in layers):
        raise EncoderError("the norm time_group_norm needs segments, of which there is no length")
    convolutions = [layer for layer in layers if isinstance(layer, Convolution)]
    if not isinstance(layers[-1], Convolution | TimeNorm):
        raise EncoderError("the encoder does not end with a convolution: another version of encodec?")
    hop, dimension = math.prod(layer.stride for layer in convolutions), convolutions[-1].weight.shape[0]
    return Network(layers, hop, dimension, model[0].pad_mode, segment, normalize)


def _fold(module: Any, modules: Any) -> tuple[Layer, ...]:
    """The layers that a module becomes."""
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
        return (Recurrence(tuple(weights), skip=module.skip),)
    if hasattr(module, "block") and hasattr(module, "shortcut"):
        shortcut = () if isinstance(module.shortcut, nn.Identity) else _fold(module.shortcut, modules)
        branch = tuple(layer for part in module.block for layer in _fold(part, modules))
        waits = _ahead(branch)[0] - _ahead(shortcut)[0]
        inputs = next(layer.weight.shape[1] for layer in branch if isinstance(layer, Convolution))
        # In a stream what a branch gives comes later: the shortcut waits for it.
        return (Residual(branch, (Delay(inputs, waits), *shortcut) if waits else shortcut),)
    if any(True for _ in module.parameters()):
        raise EncoderError(f"{type(module).__name__} has weights of its own; lavlive cannot stream it")
    return (Activation(module),)


def _fold_convolution(module: Any) -> tuple[Layer, ...]:
    convolution, norm = module.conv.conv, module.conv.norm
    layer = Convolution(
        _folded_weight(convolution),
        _copy(convolution.bias),
        stride=convolution.stride[0],
        dilation=convolution.dilation[0],
    )
    if layer.context < 0 or convolution.groups != 1:
        raise EncoderError(f"a convolution of this shape cannot stream: {convolution}")
    if not module.causal:
        layer = replace(layer, ahead=layer.context // 2)
    if isinstance(norm, nn.Identity):
        return (layer,)
    if isinstance(norm, nn.GroupNorm) and norm.num_groups == 1 and not module.causal:
        return layer, TimeNorm(_copy(norm.weight), _copy(norm.bias), norm.eps)
    raise EncoderError(
        f"the norm {module.conv.norm_type} cannot be heard live; only weight_norm, none and time_group_norm"
    )


def _ahead(layers: Sequence[Layer]) -> tuple[int, int]:
    """How many input steps after its own block an output of ``layers`` hears, and the block's length."""
    ahead, block = 0, 1
    for layer in layers:
        if isinstance(layer, Convolution):
            ahead += layer.ahead * block
            block *= layer.stride
        elif isinstance(layer, Residual):
            ahead += max(_ahead(layer.branch)[0], _ahead(layer.shortcut)[0]) * block
    return ahead, block


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


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32, copy=True).contiguous()


def _state_shapes(layers: Sequence[Layer], prefix: str) -> list[StateShape]:
    shapes = []
    for index, layer in enumerate(layers):
        name = f"{prefix}{index}"
        if isinstance(layer, Convolution) and layer.context:
            shapes.append(StateShape(f"{name}.context", (1, layer.weight.shape[1], layer.context)))
        elif isinstance(layer, Delay):
            shapes.append(StateShape(f"{name}.delay", (1, layer.channels, layer.steps)))
        elif isinstance(layer, Recurrence):
            for index in range(len(layer.layers)):
                shapes += [
                    StateShape(f"{name}.{kind}.{index}", (1, layer.size)) for kind in ("hidden", "cell")
                ]
        elif isinstance(layer, Residual):
            shapes += _state_shapes(layer.branch, f"{name}.branch.")
            shapes += _state_shapes(layer.shortcut, f"{name}.shortcut.")
    return shapes
