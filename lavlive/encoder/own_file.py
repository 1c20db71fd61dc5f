"""lavlive's own encoder file: safetensors, with the hyperparameters and a card as JSON in its header.

Causal encoders only, mono. Nothing in such a file is ever run, and nothing that its header says is believed.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from lavlive.encoder.assembling import assemble
from lavlive.encoder.base import Calibration, EncoderInfo
from lavlive.encoder.layers import Convolution, Layer, Network, Recurrence, Residual, fold
from lavlive.encoder.readers.configuration import configuration
from lavlive.encoder.readers.layouts import checked
from lavlive.errors import CheckpointError, EncoderError
from lavlive.files import write_whole
from lavlive.weightfiles.safetensorsfile import read_tensors
from lavlive.weightfiles.weights import Weights
from lavlive.weightfiles.window import Window

FORMAT = "lavlive-encoder-1"
_KEPT = "calibration_"
_CARD_LIMIT = 1 << 20


def save_encoder(
    path: str | Path,
    encoder: nn.Module,
    hyperparameters: Mapping[str, Any],
    card: Mapping[str, Any],
    calibration: Calibration | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a causal ``SEANetEncoder`` as lavlive's own file, its weight norm folded.

    Args:
        path: the .safetensors to write; it appears whole or not at all.
        encoder: with ``causal=True``.
        hyperparameters: those that ``encoder`` was built with, apart from ``causal``, ``norm``, ``pad_mode``.
        card: anything JSON can hold; ``trained``, ``licence`` and ``sample_rate`` (hertz) are read back.
        calibration: mean and covariance of its latents on music, so that a start needs no measuring.
        dtype: of the weights in the file.

    Raises EncoderError when the encoder does not fit its hyperparameters or the file cannot be written.
    """
    network = fold(encoder)
    if network.ahead:
        raise EncoderError("lavlive's own files hold causal encoders, and this one hears ahead")
    tensors = {name: tensor.to(dtype) for name, tensor in _unfolded_names(network).items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise EncoderError(f"{name} holds values that are not finite or do not fit {dtype}; not saved")
    if calibration is not None:
        tensors["calibration_mean"] = torch.from_numpy(np.asarray(calibration.mean, np.float32))
        tensors["calibration_covariance"] = torch.from_numpy(np.asarray(calibration.covariance, np.float32))
    chosen = {
        k: v for k, v in hyperparameters.items() if k not in ("causal", "norm", "pad_mode", "norm_params")
    }
    metadata = {
        "format": FORMAT,
        "hyperparameters": json.dumps(chosen),
        "card": json.dumps(dict(card), ensure_ascii=False),
    }
    content = save_tensors(tensors, metadata)
    parse_own(content, "saved")
    write_atomically(Path(path), content)


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside ``path``, then rename over it. Raises EncoderError, leaving the older file."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise EncoderError(f"cannot write {path}: {error.strerror or error}") from error


def read_own(path: Path, name: str) -> tuple[nn.Module, EncoderInfo]:
    """The encoder in a file of lavlive's, called ``name``. Raises EncoderError."""
    try:
        with open(path, "rb") as file:
            return _parse(Window.whole(file), name, path)
    except OSError as error:
        raise EncoderError(f"cannot read {path}: {error.strerror or error}") from error


def parse_own(content: bytes, name: str) -> tuple[nn.Module, EncoderInfo]:
    """``read_own`` of a file's bytes."""
    return _parse(Window.whole(io.BytesIO(content)), name, name)


def _parse(window: Window, name: str, shown: object) -> tuple[nn.Module, EncoderInfo]:
    try:
        metadata, tensors = read_tensors(window)
        if metadata.get("format") != FORMAT:
            raise EncoderError(f"{shown} is no encoder of lavlive (its header says no {FORMAT})")
        card = _table(metadata, "card")
        hyperparameters = _table(metadata, "hyperparameters")
        hyperparameters.pop("activation_params", None)
        rate = card.get("sample_rate", 24_000)
        config = configuration(
            {**hyperparameters, "sample_rate": rate, "causal": True, "pad_mode": "constant"}
        )
        kept = {key: tensor for key, tensor in tensors.items() if key.startswith(_KEPT)}
        weights = checked(config, Weights({key: t for key, t in tensors.items() if key not in kept}))
        calibration = _kept_calibration(Weights(kept), config.dimension)
    except CheckpointError as error:
        raise EncoderError(f"{shown} is damaged or no encoder of lavlive: {error}") from error
    info = EncoderInfo(
        name=name,
        sample_rate=config.sample_rate,
        trained=card.get("trained") is True,
        hash=_hash(window),
        licence=str(card.get("licence", "unknown")),
        card=card,
        calibration=calibration,
    )
    return assemble(config, weights, shown), info


def _table(metadata: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        table = json.loads(metadata.get(name, "")[:_CARD_LIMIT])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"its {name} is no JSON") from error
    if not isinstance(table, dict):
        raise CheckpointError(f"its {name} is no table")
    return table


def _hash(window: Window) -> str:
    window.file.seek(0)
    return hashlib.file_digest(window.file, "sha256").hexdigest()  # type: ignore[arg-type]


def _kept_calibration(kept: Weights, dimension: int) -> Calibration | None:
    if "calibration_mean" not in kept or "calibration_covariance" not in kept:
        return None
    mean, covariance = kept.take("calibration_mean"), kept.take("calibration_covariance")
    if mean.shape != (dimension,) or covariance.shape != (dimension, dimension):
        raise CheckpointError(f"its calibration does not fit its {dimension} dimensions")
    return Calibration(mean, covariance)


def _unfolded_names(network: Network) -> dict[str, Tensor]:
    """Tensors under the names that a ``SEANetEncoder`` with ``norm="none"`` gives them."""
    tensors: dict[str, Tensor] = {}

    def collect(layer: Layer, name: str) -> None:
        if isinstance(layer, Convolution):
            tensors[f"{name}.conv.conv.weight"] = layer.weight
            tensors[f"{name}.conv.conv.bias"] = layer.bias
        elif isinstance(layer, Recurrence):
            for index, weights in enumerate(layer.layers):
                tensors[f"{name}.lstm.weight_ih_l{index}"] = weights.input
                tensors[f"{name}.lstm.weight_hh_l{index}"] = weights.hidden
                tensors[f"{name}.lstm.bias_ih_l{index}"] = weights.bias
                tensors[f"{name}.lstm.bias_hh_l{index}"] = weights.no_bias
        elif isinstance(layer, Residual):
            for index, part in enumerate(layer.branch):
                collect(part, f"{name}.block.{index}")
            for part in layer.shortcut:
                collect(part, f"{name}.shortcut")

    for index, layer in enumerate(network.layers):
        collect(layer, f"model.{index}")
    return tensors
