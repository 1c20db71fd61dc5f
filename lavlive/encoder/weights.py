"""The encoder's weights: the bundled ones, the published ones, and any file.

lavlive's own file is safetensors. The layouts in which EnCodec is published are read by
``lavlive.encoder.readers`` in a process of its own: nothing in any of these files is ever run.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load_file
from torch import nn

from lavlive.encoder.assembling import assemble
from lavlive.encoder.base import Encoder, EncoderInfo
from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.fetch import (
    ENCODEC_LICENCE,
    ENCODEC_NOTICE,
    ENCODEC_SHA256,
    PUBLISHED,
    encodec_path,
    fetch_encodec,
    published_path,
)
from lavlive.encoder.layers import Network, fold
from lavlive.encoder.own_file import FORMAT, read_own, save_encoder, write_atomically
from lavlive.encoder.readers.configuration import SeanetConfig, configuration
from lavlive.encoder.readers.recognise import config_beside, find_weights
from lavlive.encoder.runners import open_encoder
from lavlive.errors import CheckpointError, EncoderError
from lavlive.resources import shipped
from lavlive.weightfiles.reading import Limits, check_file, file_hash, read_in_child

__all__ = [
    "BUNDLED_HYPERPARAMETERS",
    "ENCODEC_LICENCE",
    "ENCODEC_NOTICE",
    "FORMAT",
    "fetch_encodec",
    "load_encoder",
    "make_untrained",
    "read_network",
    "read_seanet_encoder",
    "save_encoder",
    "write_atomically",
]

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

_READER = "lavlive.encoder.readers.child"
_OWN_BEGINNING = f'"format":"{FORMAT}"'.encode()
_HEAD = 1 << 16


def load_encoder(
    name_or_path: str | Path = "bundled", runner: str = "auto", threads: int = 1, device: str = "auto"
) -> Encoder:
    """An encoder, ready to hear a stream.

    Args:
        name_or_path: ``bundled``; a published one once fetched: ``encodec``, ``encodec-32khz``,
            ``encodec-48khz``; or a file: lavlive's .safetensors, the encodec package's .th, audiocraft's
            compression_state_dict.bin, transformers' model.safetensors or pytorch_model.bin beside its
            config.json, or the folder of the last two.
        runner: ``auto``, ``torch``, ``onnx`` or ``cuda``.
        threads: of the CPU, for one hop.
        device: ``cpu`` keeps ``auto`` off a graphics card.

    Raises EncoderError for the weights, RunnerError for a runner that was asked for by name and is not there.
    """
    return open_encoder(*read_network(name_or_path), runner, threads, device)


def read_network(name_or_path: str | Path) -> tuple[Network, EncoderInfo]:
    """The folded layers of an encoder; arguments and errors as in ``load_encoder``."""
    encoder, info, config = _read(name_or_path)
    segment = None if config.segment is None else round(config.segment * config.sample_rate)
    return fold(encoder, segment, config.normalize), info


def read_seanet_encoder(name_or_path: str | Path) -> tuple[nn.Module, EncoderInfo]:
    """The ``encodec`` package's own module with these weights, offline; a causal one pads with zeros.

    For measurements and for training further; ``name_or_path`` and errors as in ``load_encoder``.
    """
    encoder, info, _ = _read(name_or_path)
    return encoder, info


def _read(name_or_path: str | Path) -> tuple[nn.Module, EncoderInfo, SeanetConfig]:
    name = str(name_or_path)
    if name == "bundled":
        return _own(shipped("data") / "encoder.safetensors", name)
    if name in PUBLISHED:
        return _published(name)
    path = Path(name_or_path).expanduser()
    if not path.is_file() and not path.is_dir():
        raise EncoderError(
            f"no encoder {name!r}: give bundled, {', '.join(PUBLISHED)}, or a file that exists"
        )
    try:
        path = find_weights(path)
        check_file(path)
    except CheckpointError as error:
        raise EncoderError(str(error)) from error
    return _own(path, path.name) if _is_own(path) else _foreign(path, path.name)


def _published(name: str) -> tuple[nn.Module, EncoderInfo, SeanetConfig]:
    published = PUBLISHED[name]
    path = encodec_path() if name == "encodec" else published_path(name)
    if not path.exists():
        raise EncoderError(
            f"EnCodec's weights are not on this machine yet: run `lavlive model fetch {name}` "
            f"({published.megabytes} MB, {published.licence}),\nor give a local copy with --encoder FILE."
        )
    expected = ENCODEC_SHA256 if name == "encodec" else published.files[-1].sha256
    try:
        digest = file_hash(path)
    except CheckpointError as error:
        raise EncoderError(str(error)) from error
    if not digest.startswith(expected):
        raise EncoderError(f"{path} is damaged (wrong SHA-256): run `lavlive model fetch {name}` again")
    encoder, info, config = _foreign(path, name, digest)
    card = {"notice": published.notice}
    return encoder, replace(info, licence=published.licence, card=card), config


def _own(path: Path, name: str) -> tuple[nn.Module, EncoderInfo, SeanetConfig]:
    encoder, info = read_own(path, name)
    return encoder, info, SeanetConfig(sample_rate=info.sample_rate)


def _is_own(path: Path) -> bool:
    """Whether a file says of itself that lavlive wrote it."""
    with open(path, "rb") as file:
        return _OWN_BEGINNING in file.read(_HEAD).replace(b" ", b"")


def _foreign(path: Path, name: str, digest: str | None = None) -> tuple[nn.Module, EncoderInfo, SeanetConfig]:
    """An encoder of any layout but lavlive's own, read in a process of its own."""
    try:
        with tempfile.TemporaryDirectory(prefix="lavlive-") as folder:
            weights = Path(folder) / "weights.safetensors"
            answer = read_in_child(_READER, path, weights, Limits())
            config = configuration(answer["config"])
            arrays = load_file(weights)
        digest = digest or file_hash(path)
        beside = config_beside(path)
        if beside is not None:
            digest = hashlib.sha256((digest + file_hash(beside)).encode()).hexdigest()
    except CheckpointError as error:
        raise EncoderError(f"{path}: {error}") from error
    if config.causal:
        # A stream begins after silence.
        config = replace(config, pad_mode="constant")
    is_published = digest == ENCODEC_SHA256
    info = EncoderInfo(
        name=name,
        sample_rate=config.sample_rate,
        trained=True,
        hash=digest,
        licence=ENCODEC_LICENCE if is_published else "unknown",
        card={"format": answer["format"], **({"notice": ENCODEC_NOTICE} if is_published else {})},
        notes=(*answer["notes"], *_notes(config)),
    )
    return assemble(config, arrays, path), info, config


def _notes(config: SeanetConfig) -> list[str]:
    notes = []
    if config.channels == 2:
        notes.append("a stereo encoder: it hears lavlive's mono sound in both channels")
    if config.segment is not None:
        notes.append(
            f"an encoder of whole segments: latents come {config.segment:g} s late and are made all at once"
        )
    return notes


def make_untrained(seed: int = 0) -> nn.Module:
    """An encoder of the bundled shape with random weights, the same for the same ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_seanet_encoder(**BUNDLED_HYPERPARAMETERS, causal=True, pad_mode="constant")
