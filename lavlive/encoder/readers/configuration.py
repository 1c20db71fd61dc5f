"""An encoder described by numbers: SEANet's, as EnCodec's published models and their relatives have them.

Défossez et al., "High Fidelity Neural Audio Compression", 2022; the fields are named as in ``encodec``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lavlive.errors import CheckpointError

ACTIVATIONS = ("ELU", "ReLU", "LeakyReLU", "Tanh", "Sigmoid", "SiLU", "GELU")
PADDINGS = ("constant", "reflect", "replicate")
_LARGEST_NUMBER = 4096
_LONGEST_HOP = 2**20
_LONGEST_SEGMENT = 20.0


@dataclass(frozen=True)
class SeanetConfig:
    """Everything that fixes the shapes and the arithmetic of an encoder.

    Attributes:
        sample_rate: hertz.
        channels: of the sound: 1, or 2 for a stereo model.
        dimension: numbers per latent.
        ratios: strides, in the decoder's order, as ``encodec`` lists them; a stride's kernel is twice it.
        dilation_base: the j-th residual layer of a resolution has this to the power of j.
        true_skip: residual layers add their input itself instead of a convolution of it.
        lstm: layers of the LSTM, 0 for none.
        causal: hears no sample later than the latent's own.
        norm: ``none`` (a weight norm is folded into the weights) or ``time_group_norm``.
        pad_mode: how a signal is continued at its ends offline.
        normalize: each segment is divided by its root mean square.
        segment: seconds that are encoded as one, None for streams without an end.
    """

    sample_rate: int = 24_000
    channels: int = 1
    dimension: int = 128
    n_filters: int = 32
    n_residual_layers: int = 1
    ratios: tuple[int, ...] = (8, 5, 4, 2)
    activation: str = "ELU"
    kernel_size: int = 7
    last_kernel_size: int = 7
    residual_kernel_size: int = 3
    dilation_base: int = 2
    true_skip: bool = False
    compress: int = 2
    lstm: int = 2
    causal: bool = True
    norm: str = "none"
    pad_mode: str = "reflect"
    normalize: bool = False
    segment: float | None = None

    def __post_init__(self) -> None:
        """Raise CheckpointError for numbers that no encoder can have."""
        if not isinstance(self.ratios, tuple | list) or not 1 <= len(self.ratios) <= 16:
            raise CheckpointError(f"its ratios {ascii(self.ratios)[:60]} are no list of strides")
        object.__setattr__(self, "ratios", tuple(self.ratios))
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "bool" and type(value) is not bool:
                raise CheckpointError(f"its {field.name} is {ascii(value)[:60]}, which is no yes or no")
            if field.type == "int" and field.name != "sample_rate" and not _is_size(value, 0):
                raise CheckpointError(f"its {field.name} = {ascii(value)[:60]} cannot be")
        if not all(_is_size(ratio, 1) for ratio in self.ratios) or self.hop > _LONGEST_HOP:
            raise CheckpointError(f"its ratios {ascii(list(self.ratios))[:60]} make no possible hop")
        least = (self.channels, self.dimension, self.n_filters, self.compress)
        if min(least) < 1 or min(self.kernel_size, self.last_kernel_size, self.residual_kernel_size) < 1:
            raise CheckpointError("one of its sizes is 0")
        if self.channels > 2:
            raise CheckpointError(f"it hears {self.channels} channels; lavlive has one or two")
        if type(self.sample_rate) is not int or not 4_000 <= self.sample_rate <= 192_000:
            raise CheckpointError(f"{ascii(self.sample_rate)[:60]} is no possible sample rate")
        if self.activation not in ACTIVATIONS:
            raise CheckpointError(f"its activation must be one of {', '.join(ACTIVATIONS)}")
        if self.norm not in ("none", "time_group_norm"):
            raise CheckpointError(f"its norm {ascii(self.norm)[:40]} is none that lavlive has")
        if self.pad_mode not in PADDINGS:
            raise CheckpointError(f"its padding {ascii(self.pad_mode)[:40]} is none of {', '.join(PADDINGS)}")
        if self.segment is not None and not _is_time(self.segment):
            raise CheckpointError(f"its segments of {ascii(self.segment)[:40]} s cannot be")
        if (self.norm != "none" or self.normalize) and self.segment is None:
            raise CheckpointError("it needs the whole sound's level first, and names no segments: not live")
        if self.segment is not None and round(self.segment * self.sample_rate) % self.hop:
            raise CheckpointError(f"its segments of {self.segment} s are no whole latents")

    @property
    def hop(self) -> int:
        """Samples per latent."""
        return math.prod(self.ratios)

    def hyperparameters(self) -> dict[str, Any]:
        """The arguments of ``encodec``'s ``SEANetEncoder``."""
        others = ("sample_rate", "normalize", "segment")
        arguments = {name: value for name, value in asdict(self).items() if name not in others}
        return {**arguments, "ratios": list(self.ratios), "norm_params": {}, **self._activation_params()}

    def _activation_params(self) -> dict[str, Any]:
        return {} if self.activation == "ELU" else {"activation_params": {}}

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Names and shapes of all weights, named as in ``SEANetEncoder``, a weight norm folded."""
        yield from self._convolution("model.0", self.channels, self.n_filters, self.kernel_size)
        index, width = 1, self.n_filters
        for ratio in reversed(self.ratios):
            for _ in range(self.n_residual_layers):
                name, hidden = f"model.{index}", width // self.compress
                yield from self._convolution(f"{name}.block.1", width, hidden, self.residual_kernel_size)
                yield from self._convolution(f"{name}.block.3", hidden, width, 1)
                if not self.true_skip:
                    yield from self._convolution(f"{name}.shortcut", width, width, 1)
                index += 1
            yield from self._convolution(f"model.{index + 1}", width, 2 * width, 2 * ratio)
            index, width = index + 2, 2 * width
        for layer in range(self.lstm):
            for kind in ("ih", "hh"):
                yield f"model.{index}.lstm.weight_{kind}_l{layer}", (4 * width, width)
                yield f"model.{index}.lstm.bias_{kind}_l{layer}", (4 * width,)
        index += 1 if self.lstm else 0
        yield from self._convolution(f"model.{index + 1}", width, self.dimension, self.last_kernel_size)

    def _convolution(
        self, name: str, inputs: int, outputs: int, kernel: int
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.conv.conv.weight", (outputs, inputs, kernel)
        yield f"{name}.conv.conv.bias", (outputs,)
        if self.norm == "time_group_norm":
            yield f"{name}.conv.norm.weight", (outputs,)
            yield f"{name}.conv.norm.bias", (outputs,)


def configuration(values: Mapping[str, Any]) -> SeanetConfig:
    """A configuration from what a file says. Raises CheckpointError for a field that there is not."""
    known = {field.name for field in fields(SeanetConfig)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise CheckpointError(f"its hyperparameter {ascii(unknown[0])[:40]} is none that lavlive knows")
    return SeanetConfig(**values)


def _is_size(value: object, least: int) -> bool:
    return type(value) is int and least <= value <= _LARGEST_NUMBER


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and 0 < value <= _LONGEST_SEGMENT  # type: ignore[operator]
