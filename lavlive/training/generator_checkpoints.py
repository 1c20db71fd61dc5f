"""Checkpoints of a generator's training: written whole, gone on with, or begun from."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from lavlive.errors import TrainingError
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.training.generator_state import write_state
from lavlive.training.generator_trainer import Progress, Trainer, placed

_KEPT = (
    "generator",
    "average",
    "encoder",
    "discriminator",
    "optimizer_g",
    "optimizer_e",
    "optimizer_d",
    "cloud",
)
"""Parts of a trainer with a state of their own."""


def save(trainer: Trainer, path: Path) -> None:
    """Write everything a resumed run needs. Raises TrainingError; the older file stays."""
    state = {
        "config": asdict(trainer.generator.config),
        "progress": asdict(trainer.progress),
        "history": trainer.history,
        "rate_weight": trainer.rate_control.weight,
        "settled": trainer.settled,
        **{name: getattr(trainer, name).state_dict() for name in _KEPT},
    }
    write_state(path, state)


def load(trainer: Trainer, path: Path) -> None:
    """Go on from ``save``'s file. Raises TrainingError when damaged or of another architecture."""
    state, found = _read(trainer, path)
    trainer.settled = int(state.get("settled", 0))
    if found.resolution != trainer.generator.config.resolution:
        trainer.generator = placed(Generator(found), trainer.device)
        trainer.prepare()
    try:
        for name in _KEPT:
            getattr(trainer, name).load_state_dict(state[name])
        trainer.progress = Progress(**state["progress"])
        trainer.history = list(state["history"])
        trainer.rate_control.weight = float(state["rate_weight"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} does not fit this lavlive's training: {error}") from error
    rates = (trainer.recipe.rate_generator, trainer.recipe.rate_encoder, trainer.recipe.rate_discriminator)
    for optimizer, rate in zip(
        (trainer.optimizer_g, trainer.optimizer_e, trainer.optimizer_d), rates, strict=True
    ):
        for group in optimizer.param_groups:
            group["lr"] = rate


def begin_from(trainer: Trainer, path: Path) -> None:
    """Begin with the networks of ``save``'s file, of a training that is not gone on with.

    What one family of pictures taught about light, edges and places serves the next. Raises TrainingError
    when the file is damaged, of another architecture, or not of this trainer's resolution.
    """
    state, found = _read(trainer, path)
    here = trainer.generator.config.resolution
    if found.resolution != here:
        raise TrainingError(f"{path} has grown to {found.resolution}²; this begins at {here}²")
    try:
        # The average is what the other training learned, without its last steps' restlessness.
        trainer.generator.load_state_dict(state["average"])
        trainer.average.load_state_dict(state["average"])
        for name in ("encoder", "discriminator", "cloud"):
            getattr(trainer, name).load_state_dict(state[name])
        trainer.rate_control.weight = float(state["rate_weight"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} does not fit this lavlive's training: {error}") from error


def take_blocks_of(trainer: Trainer, path: Path) -> None:
    """Let new blocks begin as those of ``save``'s file. Raises TrainingError as `load` does."""
    state, found = _read(trainer, path)
    donor = Generator(found)
    try:
        donor.load_state_dict(state["average"])
    except (KeyError, RuntimeError) as error:
        raise TrainingError(f"{path} does not fit this lavlive's training: {error}") from error
    trainer.donor = donor.to(trainer.device)


def _read(trainer: Trainer, path: Path) -> tuple[dict[str, Any], GeneratorConfig]:
    """A checkpoint and its architecture, which is this trainer's but for the resolution."""
    try:
        state: dict[str, Any] = torch.load(path, map_location=trainer.device, weights_only=True)
        found = GeneratorConfig(**state["config"])
    except Exception as error:
        raise TrainingError(f"{path} is no training checkpoint or is damaged: {error}") from error
    wanted = replace(trainer.generator.config, resolution=found.resolution)
    if all(found.channels(side) == wanted.channels(side) for side in wanted.block_resolutions):
        # How wide the blocks are that it has not grown yet is free.
        found = replace(found, channel_min=wanted.channel_min)
    if found != wanted:
        differing = [k for k, v in asdict(wanted).items() if asdict(found)[k] != v]
        raise TrainingError(
            f"{path} has another architecture ({', '.join(differing)}); "
            "give the same options, or another --out"
        )
    return state, found
