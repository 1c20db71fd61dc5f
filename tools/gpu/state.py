"""A training's state small enough to carry: half precision, no moments of Adam, files of 16 MiB at most.

    state-1.safetensors, state-2.safetensors, …

Adam begins anew after it; everything else goes on. `tools/gpu-train --unpack` makes of it the checkpoint
that ``python -m lavlive.training generator --resume`` goes on from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lavlive.errors import CheckpointError, TrainingError
from lavlive.generator.checkpoint import write_atomically
from lavlive.generator.network import GeneratorConfig
from lavlive.training.generator_trainer import Progress, Trainer

FORMAT = "lavlive-training-state-1"
MOST_BYTES = 16 << 20
_PARTS = ("generator", "average", "encoder", "discriminator", "cloud")
_HEADER_ROOM = 256 << 10
_EXACT = 4096
"""Tensors of fewer numbers (statistics, the cloud of codes) stay in float32: they cost nothing."""


def write_state(trainer: Trainer, folder: Path) -> list[Path]:
    """Write a trainer's state; each file appears whole or not at all, and surplus older ones go."""
    about = {
        "format": FORMAT,
        "config": json.dumps(asdict(trainer.generator.config)),
        "progress": json.dumps(asdict(trainer.progress)),
        "rate_weight": json.dumps(trainer.rate_control.weight),
        "settled": json.dumps(trainer.settled),
    }
    paths = []
    for number, tensors in enumerate(_in_files(_compact(trainer)), start=1):
        paths.append(folder / f"state-{number}.safetensors")
        write_atomically(paths[-1], save(tensors, {**about, "part": str(number)}))
    for old in folder.glob("state-*.safetensors"):
        if old not in paths:
            old.unlink()
    return paths


def _compact(trainer: Trainer) -> Iterator[tuple[str, Tensor]]:
    for part in _PARTS:
        for name, tensor in getattr(trainer, part).state_dict().items():
            value = tensor.detach().cpu()
            if value.is_floating_point() and value.numel() >= _EXACT and not name.startswith("covariance"):
                half = value.half()
                value = half if bool(torch.isfinite(half).all()) else value
            yield f"{part}.{name}", value.contiguous()


def _in_files(tensors: Iterator[tuple[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    held: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors:
        wanted = tensor.numel() * tensor.element_size()
        if held and size + wanted > MOST_BYTES - _HEADER_ROOM:
            yield held
            held, size = {}, 0
        held[name] = tensor
        size += wanted
    yield held


def read_about(folder: Path) -> dict[str, Any]:
    """Configuration (`GeneratorConfig`), progress (`Progress`), rate_weight and settled.

    Raises:
        TrainingError: there is no state, or it is damaged.
    """
    first = folder / "state-1.safetensors"
    try:
        with safe_open(first, framework="pt") as file:
            header = file.metadata() or {}
        if header.get("format") != FORMAT:
            raise TrainingError(f"{first} is no training state of lavlive")
        return {
            "config": GeneratorConfig(**json.loads(header["config"])),
            "progress": Progress(**json.loads(header["progress"])),
            "rate_weight": float(json.loads(header["rate_weight"])),
            "settled": int(json.loads(header["settled"])),
        }
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, CheckpointError) as error:
        raise TrainingError(f"{first} is missing or damaged: {error}") from error


def read_state(trainer: Trainer, folder: Path) -> None:
    """Go on from a state with a trainer of the same configuration.

    Raises:
        TrainingError: the state is missing, damaged or of another architecture.
    """
    about = read_about(folder)
    if about["config"] != trainer.generator.config:
        raise TrainingError(f"the state in {folder} is of another architecture: {about['config']}")
    tensors: dict[str, Tensor] = {}
    try:
        for path in sorted(folder.glob("state-*.safetensors")):
            with safe_open(path, framework="pt") as file:
                tensors |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for part in _PARTS:
            kept = getattr(trainer, part)
            present = kept.state_dict()
            found = {name: tensors[f"{part}.{name}"].to(present[name]) for name in present}
            kept.load_state_dict(found)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise TrainingError(f"the state in {folder} is damaged or not whole: {error}") from error
    trainer.progress = about["progress"]
    trainer.rate_control.weight = about["rate_weight"]
