"""The encoder's weights: the bundled ones, the published ones, and any file.

lavlive's own file is safetensors, with the hyperparameters and a card as JSON in its header. EnCodec's
published checkpoint is read with tensors only: nothing in any of these files is ever run.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from lavlive.encoder.base import Calibration, Encoder, EncoderInfo
from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.fetch import (
    ENCODEC_LICENCE,
    ENCODEC_NOTICE,
    ENCODEC_SHA256,
    encodec_path,
    fetch_encodec,
)
from lavlive.encoder.layers import (
    Convolution,
    Layer,
    Network,
    Recurrence,
    Residual,
    fold,
    without_weight_norm,
)
from lavlive.encoder.runners import open_encoder
from lavlive.errors import EncoderError
from lavlive.files import write_whole
from lavlive.resources import shipped

__all__ = [
    "BUNDLED_HYPERPARAMETERS",
    "ENCODEC_LICENCE",
    "ENCODEC_NOTICE",
    "fetch_encodec",
    "load_encoder",
    "make_untrained",
    "read_seanet_encoder",
    "save_encoder",
]

FORMAT = "lavlive-encoder-1"

BUNDLED_HYPERPARAMETERS: dict[str, Any] = {
    "channels": 1,
    "dimension": 128,
    "n_filters": 16,
    "n_residual_layers": 1,
    "ratios": [8, 5, 4, 2],
    "kernel_size": 7,
    "last_kernel_size": 7,
    "residual_kernel_size": 3,
    "dilation_base": 2,
    "true_skip": False,
    "compress": 2,
    "lstm": 2,
}
"""What an untrained encoder is built with: EnCodec at 24 kHz with half its channels."""

ACTIVATIONS = ("ELU", "ReLU", "LeakyReLU", "Tanh", "Sigmoid", "SiLU", "GELU")
_FIXED = {"causal": True, "norm": "none", "norm_params": {}, "pad_mode": "constant"}
_LARGEST_NUMBER = 4096
_LARGEST_FILE = 512 * 2**20


def load_encoder(
    name_or_path: str | Path = "bundled", runner: str = "auto", threads: int = 1, device: str = "auto"
) -> Encoder:
    """An encoder, ready to hear a stream.

    Args:
        name_or_path: ``bundled``; ``encodec``, the published weights once fetched; or a file: lavlive's
            .safetensors or EnCodec's 24 kHz checkpoint (.th).
        runner: ``auto``, ``torch``, ``onnx`` or ``cuda``.
        threads: of the CPU, for one hop.
        device: ``cpu`` keeps ``auto`` off a graphics card.

    Raises EncoderError for the weights, RunnerError for a runner that was asked for by name and is not there.
    """
    encoder, info = read_seanet_encoder(name_or_path)
    return open_encoder(fold(encoder), info, runner, threads, device)


def read_seanet_encoder(name_or_path: str | Path) -> tuple[nn.Module, EncoderInfo]:
    """The ``encodec`` package's own module with these weights, offline and padding with zeros.

    For measurements and for training further; ``name_or_path`` and errors as in ``load_encoder``.
    """
    if str(name_or_path) == "bundled":
        return _read_own(shipped("data") / "encoder.safetensors", "bundled")
    if str(name_or_path) == "encodec":
        path = encodec_path()
        if not path.exists():
            raise EncoderError(
                "EnCodec's weights are not on this machine yet: run `lavlive model fetch encodec` "
                f"(93 MB, {ENCODEC_LICENCE}),\nor give a local copy with --encoder FILE."
            )
        return _read_published(path, "encodec", expected=ENCODEC_SHA256)
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        raise EncoderError(f"no encoder {str(name_or_path)!r}: give bundled, encodec or a file that exists")
    if path.suffix == ".safetensors":
        return _read_own(path, path.name)
    return _read_published(path, path.name)


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
    _parse_own(content, "saved")
    write_atomically(Path(path), content)


def make_untrained(seed: int = 0) -> nn.Module:
    """An encoder of the bundled shape with random weights, the same for the same ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_seanet_encoder(**BUNDLED_HYPERPARAMETERS, causal=True, pad_mode="constant")


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside ``path``, then rename over it. Raises EncoderError, leaving the older file."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise EncoderError(f"cannot write {path}: {error.strerror or error}") from error


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


def _read_own(path: Path, name: str) -> tuple[nn.Module, EncoderInfo]:
    return _parse_own(_read_bytes(path), name, path)


def _parse_own(content: bytes, name: str, path: Path | None = None) -> tuple[nn.Module, EncoderInfo]:
    shown = path or name
    try:
        tensors = load_tensors(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header.get("__metadata__", {})
        if metadata.get("format") != FORMAT:
            raise EncoderError(f"{shown} is no encoder of lavlive (its header says no {FORMAT})")
        hyperparameters = json.loads(metadata["hyperparameters"])
        card = json.loads(metadata["card"])
        if not isinstance(hyperparameters, dict) or not isinstance(card, dict):
            raise ValueError("its header holds no tables")
    except (SafetensorError, ValueError, KeyError) as error:
        raise EncoderError(f"{shown} is damaged or no encoder of lavlive: {error}") from error
    weights = {key: tensor.float() for key, tensor in tensors.items() if not key.startswith("calibration_")}
    encoder = _assemble(hyperparameters, weights, shown)
    rate = card.get("sample_rate", 24_000)
    if not isinstance(rate, int) or not 4_000 <= rate <= 192_000:
        raise EncoderError(f"{shown} names no possible sample rate: {rate!r}")
    info = EncoderInfo(
        name=name,
        sample_rate=rate,
        trained=card.get("trained") is True,
        hash=hashlib.sha256(content).hexdigest(),
        licence=str(card.get("licence", "unknown")),
        card=card,
        calibration=_kept_calibration(tensors, hyperparameters.get("dimension", 128), shown),
    )
    return encoder, info


def _kept_calibration(tensors: Mapping[str, Tensor], dimension: int, shown: object) -> Calibration | None:
    mean, covariance = tensors.get("calibration_mean"), tensors.get("calibration_covariance")
    if mean is None or covariance is None:
        return None
    if mean.shape != (dimension,) or covariance.shape != (dimension, dimension):
        raise EncoderError(f"{shown}: its calibration does not fit its {dimension} dimensions")
    return Calibration(mean.float().numpy(), covariance.float().numpy())


def _read_published(path: Path, name: str, expected: str | None = None) -> tuple[nn.Module, EncoderInfo]:
    """EnCodec's 24 kHz checkpoint: a dict of tensors for the whole codec, of which we take the encoder."""
    raw = _read_bytes(path)
    digest = hashlib.sha256(raw).hexdigest()
    if expected is not None and digest != expected:
        raise EncoderError(f"{path} is damaged (wrong SHA-256): run `lavlive model fetch encodec` again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file makes the unpickler raise nearly anything
        raise EncoderError(
            f"{path} is no EnCodec checkpoint, or holds more than tensors; nothing in it was run"
        ) from error
    if not isinstance(content, dict):
        raise EncoderError(f"{path} holds no table of tensors")
    prefix = "encoder."
    weights = {
        str(key)[len(prefix) :]: value.float()
        for key, value in content.items()
        if str(key).startswith(prefix) and isinstance(value, Tensor)
    }
    if not weights:
        raise EncoderError(f"{path} holds no encoder's weights: not an EnCodec checkpoint")
    if any(".conv.norm." in key for key in weights):
        raise EncoderError(
            f"{path} is EnCodec's 48 kHz model, which looks into the future: take the 24 kHz one"
        )
    published = digest == ENCODEC_SHA256
    info = EncoderInfo(
        name=name,
        trained=True,
        hash=digest,
        licence=ENCODEC_LICENCE if published else "unknown",
        card={"notice": ENCODEC_NOTICE} if published else {},
    )
    return _assemble({}, _fold_weight_norm(weights), path), info


def _fold_weight_norm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    folded = {}
    for key, tensor in weights.items():
        if key.endswith(".weight_g"):
            stem = key.removesuffix("_g")
            direction = weights.get(f"{stem}_v")
            if direction is None or direction.ndim != 3 or tensor.ndim != 3:
                continue
            folded[stem] = without_weight_norm(tensor, direction)
        elif not key.endswith(".weight_v"):
            folded[key] = tensor
    return folded


def _assemble(hyperparameters: Mapping[str, Any], weights: Mapping[str, Tensor], shown: object) -> nn.Module:
    """The encoder of these hyperparameters with these weights; allocates no more than the weights have."""
    _check_hyperparameters(hyperparameters, shown)
    try:
        with torch.device("meta"):
            encoder = build_seanet_encoder(**{**hyperparameters, **_FIXED})
        encoder.load_state_dict(dict(weights), assign=True)
    except (RuntimeError, TypeError, ValueError, ArithmeticError, AttributeError, AssertionError) as error:
        first = str(error).strip().splitlines()
        detail = (first[1] if len(first) > 1 else first[0] if first else "").strip()[:200]
        raise EncoderError(f"{shown}: the weights do not fit the encoder's shape: {detail}") from error
    for name, tensor in encoder.named_parameters():
        if not torch.isfinite(tensor).all():
            raise EncoderError(f"{shown}: {name} holds values that are not finite")
    return encoder.eval()


def _check_hyperparameters(hyperparameters: Mapping[str, Any], shown: object) -> None:
    for name, value in hyperparameters.items():
        numbers = value if isinstance(value, list) else [value]
        if name in ("activation", "activation_params"):
            continue
        if not all(isinstance(n, int) and 0 <= n <= _LARGEST_NUMBER for n in numbers) or len(numbers) > 16:
            raise EncoderError(f"{shown}: the hyperparameter {name} = {value!r} cannot be")
    if math.prod(hyperparameters.get("ratios", [])) > 2**20:
        raise EncoderError(f"{shown}: the ratios {hyperparameters['ratios']} make too long a hop")
    if hyperparameters.get("activation", "ELU") not in ACTIVATIONS:
        raise EncoderError(f"{shown}: the activation must be one of {', '.join(ACTIVATIONS)}")


def _read_bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise EncoderError(f"{path} is too large for an encoder ({path.stat().st_size:,} bytes)")
        return path.read_bytes()
    except OSError as error:
        raise EncoderError(f"cannot read {path}: {error.strerror or error}") from error
