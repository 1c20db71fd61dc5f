"""A network with wider finest blocks that draws the same pictures, so that it can be mixed with a wider one.

The channels that are added are read by nobody: every weight from them is nought.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lavlive.generator.network import Generator


def in_one_width(one: Generator, other: Generator) -> tuple[Generator, Generator]:
    """Both networks, their finest blocks as wide as the wider one's; the wider one is itself."""
    least = max(one.config.channel_min, other.config.channel_min)
    return widened(one, least), widened(other, least)


def widened(generator: Generator, least: int) -> Generator:
    """A network whose blocks have at least so many channels; itself where they have.

    Its pictures are the same but for the rounding of sums that have more terms.
    """
    if generator.config.channel_min >= least:
        return generator
    wide = Generator(replace(generator.config, channel_min=least))
    narrow: dict[str, Tensor] = generator.state_dict()
    with torch.no_grad():
        for name, numbers in wide.state_dict().items():
            numbers.zero_()
            numbers[tuple(slice(0, length) for length in narrow[name].shape)] = narrow[name]
        for mine, its in zip(wide.synthesis.blocks, generator.synthesis.blocks, strict=True):
            _keep_gains(mine, its)
    return wide.freeze()


def _keep_gains(wide: Any, narrow: Any) -> None:
    """Two layers divide by the root of how many channels they read, which are more now."""
    if wide.to_picture is not None:
        wide.to_picture.weight.mul_(narrow.to_picture.style_gain / wide.to_picture.style_gain)
    if wide.shortcut is not None:
        wide.shortcut.weight.mul_(narrow.shortcut.weight_gain / wide.shortcut.weight_gain)
