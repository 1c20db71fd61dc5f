"""Grades a generator's colours to those of its set, as the last step before it ships.

    python -m lavlive.training grade runs/silk/generator.safetensors --data silk256.zip

The decoder of an autoencoder paints the mean of what a picture might have been, which is paler and flatter
than any of them. So brightness is stretched about its mean and colour away from grey, by one factor each,
until pictures of w as sound draws it have the mean and spread of brightness and the spread of colour that the
set has. Both are one linear map of RGB, which the picture layers take in: the show computes nothing more.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from lavlive.errors import TrainingError
from lavlive.generator.checkpoint import load_generator, save_generator, stylegan2_of
from lavlive.generator.network import Generator
from lavlive.training.generator_data import levelled, load_pictures, to_tensor
from lavlive.training.generator_metrics import sound_w
from lavlive.training.generator_sheets import render

_LUMA = (0.2126, 0.7152, 0.0722)
_ROUNDS = 4
_MOST = 1.8
"""Times in all: a training that needs more is not finished."""


@dataclass(frozen=True)
class Tone:
    """Of all pixels of a set: mean and deviation of luma, and the deviation of what differs from grey."""

    mean: float
    spread: float
    colour: float

    @classmethod
    def of(cls, pictures: Tensor) -> Self:
        """Of pictures [N, 3, H, W] in −1..1."""
        pixels = (pictures.double() + 1) / 2
        luma = torch.einsum("nchw,c->nhw", pixels, torch.tensor(_LUMA, dtype=torch.float64))
        away = pixels - luma[:, None]
        return cls(float(luma.mean()), float(luma.std()), float(away.square().mean().sqrt()))


@torch.no_grad()
def turn(generator: Generator, matrix: Tensor, offset: float) -> None:
    """Let a picture p in 0..1 become ``matrix`` @ p + ``offset``, before it is clipped.

    Args:
        generator: of the ``skip`` architecture; its picture layers are changed.
        matrix: [3, 3].

    Raises:
        TrainingError: another architecture, or pictures that are not in colour.
    """
    config = generator.config
    if config.architecture != "skip" or config.picture_channels != 3:
        raise TrainingError(f"only generators of the architecture skip, in colour, can be graded: {config}")
    blocks: Any = generator.synthesis.blocks
    layers = [block.to_picture for block in blocks]
    for layer in layers:
        weight, bias = layer.weight, layer.bias
        weight.copy_(torch.einsum("oc,cihw->oihw", matrix, weight))
        bias.copy_(matrix @ bias)
    # The layers' sum is 2 p − 1, of which the last one carries the − 1.
    layers[-1].bias.add_(matrix.sum(1) - 1 + 2 * offset)


def grade(generator: Generator, real: Tensor, seed: int = 0) -> dict[str, float]:
    """Give a generator the tone of ``real`` [N, 3, R, R] in −1..1; returns both factors.

    Raises TrainingError as `turn` does.
    """
    wanted = Tone.of(real)
    w_plus = sound_w(generator, len(real), seed)
    luma = torch.tensor(_LUMA).expand(3, 3)
    done = {"contrast": 1.0, "colour": 1.0}
    for _ in range(_ROUNDS):
        # Clipping, after which tones are compared, takes a part of each step away.
        found = Tone.of(to_tensor(render(generator, w_plus)))
        contrast = _within(wanted.spread / found.spread, done["contrast"])
        colour = _within(wanted.colour / found.colour, done["colour"])
        turn(generator, contrast * luma + colour * (torch.eye(3) - luma), wanted.mean - contrast * found.mean)
        done = {"contrast": done["contrast"] * contrast, "colour": done["colour"] * colour}
    return done


def _within(factor: float, before: float) -> float:
    return min(max(factor, 1 / (_MOST * before)), _MOST / before)


def main(argv: list[str]) -> int:
    """The subcommand ``grade``."""
    parser = argparse.ArgumentParser(prog="python -m lavlive.training grade", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", type=Path, help="generator.safetensors; it is changed")
    parser.add_argument("--data", type=Path, required=True, help="the folder or zip of training")
    parser.add_argument("--work", type=Path, default=Path("runs/evaluate"), help="for decoded pictures")
    parser.add_argument("--samples", type=int, default=128, help="pictures that are compared")
    options = parser.parse_args(argv)
    loaded = load_generator(options.model)
    if "graded" in loaded.card:
        raise TrainingError(f"{options.model} is graded already: {loaded.card['graded']}")
    generator = stylegan2_of(loaded)
    pictures = load_pictures(options.data, generator.config.resolution, options.work / "decoded").train
    real = levelled(pictures[: options.samples])
    done = {name: round(factor, 3) for name, factor in grade(generator, real).items()}
    save_generator(options.model, generator, {**loaded.card, "graded": done})
    print(", ".join(f"{name} × {factor}" for name, factor in done.items()))
    return 0
