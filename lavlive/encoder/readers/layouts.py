"""From the layouts that encoders are published in to the names of ``encodec``'s ``SEANetEncoder``.

encodec        .th                        encoder.model.0.conv.conv.weight_g
audiocraft     compression_state_dict.bin the same under ``best_state``, its settings as text
transformers   model.safetensors or       encoder.layers.0.conv.weight_g, or
               pytorch_model.bin          encoder.layers.0.conv.parametrizations.weight.original0;
               with config.json           inside MusicGen under ``audio_encoder.``
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lavlive.encoder.readers.configuration import SeanetConfig
from lavlive.errors import CheckpointError
from lavlive.weightfiles.arrays import Array, Stored
from lavlive.weightfiles.weights import Weights

_PREFIXES = ("encoder.", "audio_encoder.encoder.", "module.encoder.", "model.encoder.")
_LAYER = r"(?:model|layers)\.(\d+)\."
_INNER = re.compile(
    _LAYER + r"(?:(block\.\d+|shortcut)\.)?"
    r"(?:(?:conv\.)?conv\.(weight|bias|weight_g|weight_v|parametrizations\.weight\.original[01])"
    r"|(?:conv\.)?norm\.(weight|bias)|lstm\.(\w+))"
)
_LENGTH, _DIRECTION = "weight_g", "weight_v"
_NEW_NAMES = {"parametrizations.weight.original0": _LENGTH, "parametrizations.weight.original1": _DIRECTION}
_RATES = {(8, 5, 4, 2): (24_000, True), (8, 5, 4, 4): (32_000, False)}
"""Sample rate in hertz, and whether it is causal, of the published mono models, by their ratios."""


@dataclass
class EncoderReading:
    """An encoder in lavlive's terms.

    ``weights`` are float32 under the names of ``SEANetEncoder`` with ``norm="none"``, or with its group norm;
    ``notes`` have one line for each thing that the file did not say.
    """

    format: str
    config: SeanetConfig
    weights: dict[str, Array]
    notes: list[str] = field(default_factory=list)


def canonical(table: Mapping[str, Stored | float]) -> dict[str, Stored | float]:
    """The encoder's tensors in ``table`` under canonical names, a weight norm still in two parts.

    Raises CheckpointError where there are none, or one that the layout has no place for.
    """
    for prefix in _PREFIXES:
        own = {name[len(prefix) :]: stored for name, stored in table.items() if name.startswith(prefix)}
        if any(re.match(_LAYER, name) for name in own):
            break
    else:
        raise CheckpointError("holds no encoder's weights: it is no EnCodec checkpoint")
    found: dict[str, Stored | float] = {}
    for name, stored in own.items():
        match = _INNER.fullmatch(name)
        if match is None:
            raise CheckpointError(f"an encoder of another kind: it has {ascii(name)[:80]}")
        index, inside, part, norm, lstm = match.groups()
        stem = f"model.{index}." + (f"{inside}." if inside else "")
        if lstm:
            key = f"{stem}lstm.{lstm}"
        elif norm:
            key = f"{stem}conv.norm.{norm}"
        else:
            key = f"{stem}conv.conv.{_NEW_NAMES.get(part, part)}"
        if key in found:
            raise CheckpointError(f"damaged: it holds {ascii(name)[:80]} twice")
        found[key] = stored
    return found


def inferred(weights: Weights) -> SeanetConfig:
    """What the shapes of the weights tell of an encoder; what they do not is as published.

    Raises CheckpointError where that is not known either.
    """
    grouped = "model.0.conv.norm.weight" in weights
    n_filters, channels, kernel = _convolution_shape(weights, "model.0")
    ratios, residuals, compress, residual_kernel, true_skip = [], 0, 2, 3, True
    index, blocks = 1, 0
    while f"model.{index}.lstm.weight_ih_l0" not in weights and index < 100:
        if f"model.{index}.block.1.conv.conv.bias" in weights:
            hidden, width, residual_kernel = _convolution_shape(weights, f"model.{index}.block.1")
            compress = width // max(hidden, 1)
            true_skip = f"model.{index}.shortcut.conv.conv.bias" not in weights
            blocks += 1
        elif f"model.{index}.conv.conv.bias" in weights:
            outputs, inputs, size = _convolution_shape(weights, f"model.{index}")
            if outputs != 2 * inputs or size % 2:
                break  # the last one, of an encoder without an LSTM
            ratios.append(size // 2)
            residuals, blocks = blocks, 0
        index += 1
    lstm = 0
    while f"model.{index}.lstm.weight_ih_l{lstm}" in weights:
        lstm += 1
    last = f"model.{index + 2}" if lstm else f"model.{index}"
    dimension, _, last_kernel = _convolution_shape(weights, last)
    config = SeanetConfig(
        channels=channels,
        dimension=dimension,
        n_filters=n_filters,
        n_residual_layers=residuals,
        ratios=tuple(reversed(ratios)),
        kernel_size=kernel,
        last_kernel_size=last_kernel,
        residual_kernel_size=residual_kernel,
        true_skip=true_skip,
        compress=compress,
        lstm=lstm,
    )
    if grouped:
        if config.ratios != (8, 5, 4, 2):
            raise CheckpointError(_UNKNOWN_RATE.format(list(config.ratios)))
        return replace(
            config, sample_rate=48_000, causal=False, norm="time_group_norm", normalize=True, segment=1.0
        )
    if config.ratios not in _RATES:
        raise CheckpointError(_UNKNOWN_RATE.format(list(config.ratios)))
    rate, causal = _RATES[config.ratios]
    return replace(config, sample_rate=rate, causal=causal)


_UNKNOWN_RATE = (
    "the file does not say its sample rate, and no published encoder has the ratios {}; "
    "give it with its config.json"
)


def checked(config: SeanetConfig, weights: Weights) -> dict[str, Array]:
    """All weights that an encoder of ``config`` has, their weight norm folded.

    Raises CheckpointError for one that is missing, of another shape or not usable, and for one too many.
    """
    expected = dict(config.shapes())
    # Shapes first: nothing is read of a file whose tensors do not belong to its configuration.
    for name, shape in expected.items():
        if name in weights:
            _check_shape(weights, name, shape)
        else:
            _check_shape(weights, f"{name}_v", shape)
            _check_shape(weights, f"{name}_g", (shape[0], *[1] * (len(shape) - 1)))
    known = set(expected) | {f"{name}{part}" for name in expected for part in ("_g", "_v")}
    for name in weights:
        if name not in known:
            raise CheckpointError(
                f"the weights do not fit the encoder's shape: {name}, which no encoder of its kind has"
            )
    return {name: _folded(weights, name) for name in expected}


def _check_shape(weights: Weights, name: str, shape: tuple[int, ...]) -> None:
    if weights.shape(name) != shape:
        raise CheckpointError(
            f"the weights do not fit the encoder's shape: {name} is {weights.shape(name)}, not {shape}"
        )


def _folded(weights: Weights, name: str) -> Array:
    if name in weights:
        return weights.take(name)
    length, direction = weights.take(f"{name}_g"), weights.take(f"{name}_v")
    norm = np.sqrt(np.square(direction, dtype=np.float64).sum((1, 2), keepdims=True))
    if not norm.all():
        raise CheckpointError(f"{name}_v has a row of zeros, which gives no direction: damaged")
    kernel: Array = (length * direction / norm).astype(np.float32)
    return kernel


def _convolution_shape(weights: Weights, name: str) -> tuple[int, int, int]:
    for part in ("weight", _DIRECTION):
        if f"{name}.conv.conv.{part}" in weights:
            outputs, inputs, size = weights.shape(f"{name}.conv.conv.{part}", 3)
            return outputs, inputs, size
    raise CheckpointError(f"the weights do not fit the encoder's shape: it lacks {name}.conv.conv.weight")
