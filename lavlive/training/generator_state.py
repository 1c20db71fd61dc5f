"""Makes a small file of a training's checkpoint, to begin from another day.

    python -m lavlive.training compact runs/silk/training.pt -o silk-64.pt
    python -m lavlive.training generator --from silk-64.pt --data silk256.zip --out runs/silk-more

It holds the averaged generator, the encoder, the discriminator and the cloud of codes in half precision, and
neither the optimisers nor the last steps' weights: a sixth of the checkpoint.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lavlive.errors import CheckpointError, TrainingError
from lavlive.generator.checkpoint import write_atomically

_NETWORKS = ("average", "encoder", "discriminator", "cloud")
_NUMBERS = ("config", "progress", "rate_weight")


def write_state(path: Path, state: dict[str, Any]) -> int:
    """Write a training's state whole, or leave the older file; its size in bytes.

    Raises:
        TrainingError: the file cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    try:
        write_atomically(path, buffer.getvalue())
    except CheckpointError as error:
        raise TrainingError(str(error)) from error
    return len(buffer.getvalue())


def compact(checkpoint: Path, target: Path) -> int:
    """Write the small file; its size in bytes.

    Raises:
        TrainingError: the checkpoint cannot be read, or the file cannot be written.
    """
    try:
        state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        kept: dict[str, Any] = {name: _halved(state[name]) for name in _NETWORKS}
        kept |= {name: state[name] for name in _NUMBERS}
    except Exception as error:
        raise TrainingError(f"{checkpoint} is no training checkpoint or is damaged: {error}") from error
    return write_state(target, kept)


def _halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # What the network makes anew, such as filters, is small; counters stay whole.
    return {name: x.half() if x.is_floating_point() else x for name, x in tensors.items()}


def main(argv: list[str]) -> int:
    """The subcommand ``compact``."""
    parser = argparse.ArgumentParser(prog="python -m lavlive.training compact", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("checkpoint", type=Path, help="training.pt")
    parser.add_argument("-o", "--out", type=Path, required=True)
    options = parser.parse_args(argv)
    print(f"{options.out}: {compact(options.checkpoint, options.out) / 1e6:.1f} MB")
    return 0
