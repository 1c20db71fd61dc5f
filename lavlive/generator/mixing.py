"""Mixtures of two generators of one shape: layers of the one in the other, and weights between both.

    share 0 of a resolution: its layers are A's      1: they are B's      between: (1 − share) · A + share · B

A block is mixed as a whole: its convolutions, their affine layers, its picture layer. Of the noise, what
either network adds is mixed, its learned strength times its constant: of the two mixed apart, where only one
network has noise, a quarter would be left of it at a half share. What leads there, the mapping network and so
W, stays A's, and with it A's keyframes. Layers of a share of 1 from one resolution on
are the layer swap of Pinkney and Adler ("Resolution Dependent GAN Interpolation", 2020).

Weights between two networks draw pictures between theirs only where both were trained on from one ancestor:
feature 7 of the one must still be feature 7 of the other. That is judged for every resolution by the cosine
of the two networks' convolutions there. Without an ancestor it is nought but for chance: within 0.01 from 4²
to 64² and within 0.07 where a layer has a few hundred weights (measured on fresh networks, and on blocks of
128² and 256² that were grown apart). The bundled bloom, silk and nebula, trained on from one network for
tens of thousands of pictures each, have 0.89 to 0.98 up to 64²; a network moved by noise of twice its
weights' own size still has 0.44. Below `KINSHIP` nothing is blended: such a resolution is A's below a share
of one half, and B's from there on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lavlive.errors import CheckpointError
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.parameters import GROUPS, INDEX, find, group_of

KINSHIP = 0.25
"""Least cosine of the convolutions of two networks that have one ancestor."""
_AMOUNTS = np.array([INDEX[f"mix.{group}"] for group in GROUPS])
_FROM = INDEX["mix.from"]
_PLACES = find("mix.from").choices
_LEAST_STRENGTH = 1e-3
"""Of the noise of a mixture, as a share of the stronger one's."""
_OF_W = ("z_dim", "class_count", "mapping_layers", "mapping_width", "class_width", "mapping_rate")
"""What two networks of one shape may differ in: A's mapping network stays."""

Shares = Mapping[int, float]
"""How much of B there is, 0 to 1, by the resolution of a block."""


def require_one_shape(one: GeneratorConfig, other: GeneratorConfig) -> None:
    """Raise CheckpointError unless two synthesis networks have the same layers; it says what differs."""
    differing = [
        f"{name} {ours} and {theirs}"
        for (name, ours), theirs in zip(asdict(one).items(), asdict(other).values(), strict=True)
        if name not in _OF_W and ours != theirs
    ]
    if differing:
        raise CheckpointError(
            f"these models have not one shape ({', '.join(differing)}): their weights cannot be mixed, only "
            "their pictures, as the fade from one model to the next does"
        )


def kinship(one: Generator, other: Generator) -> dict[int, float]:
    """Cosine of the convolutions' weights of two networks of one shape, by the resolution of a block."""
    found = {}
    blocks = zip(one.config.block_resolutions, one.synthesis.blocks, other.synthesis.blocks, strict=True)
    for resolution, ours, theirs in blocks:
        pairs = [
            (mine.detach().double(), other_weight.detach().double())
            for (name, mine), other_weight in zip(ours.named_parameters(), theirs.parameters(), strict=True)
            if name in ("conv0.weight", "conv1.weight")
        ]
        product = sum(float((mine * other_weight).sum()) for mine, other_weight in pairs)
        lengths = [sum(float(pair[side].square().sum()) for pair in pairs) for side in (0, 1)]
        found[resolution] = product / max((lengths[0] * lengths[1]) ** 0.5, 1e-30)
    return found


def shares_of(
    kin: Mapping[int, float], amounts: tuple[float, float, float], swapped_from: int | None = None
) -> dict[int, float]:
    """How much of B each block has.

    Args:
        kin: `kinship` of both.
        amounts: of the coarse, middle and fine layers, 0 to 1.
        swapped_from: the resolution from which on all layers are B's; None for nowhere.
    """
    shares = {}
    for resolution, cosine in kin.items():
        share = amounts[group_of(resolution)]
        if cosine < KINSHIP:
            share = float(share >= 0.5)
        shares[resolution] = 1.0 if swapped_from is not None and resolution >= swapped_from else share
    return shares


def shares_now(kin: Mapping[int, float], numbers: np.ndarray) -> dict[int, float]:
    """`shares_of` under the parameters' present values."""
    place = _PLACES[round(numbers[_FROM])]
    coarse, middle, fine = (float(amount) for amount in numbers[_AMOUNTS])
    return shares_of(kin, (coarse, middle, fine), None if place == "off" else int(place))


def asks_for_mixture(numbers: np.ndarray) -> bool:
    """Whether the parameters ask for anything of another model's."""
    return bool(numbers[_FROM] or numbers[_AMOUNTS].any())


def mixed(one: Generator, other: Generator, shares: Shares) -> Generator:
    """A network of its own with the shares of both, frozen.

    Raises:
        CheckpointError: they have not one shape.
    """
    require_one_shape(one.config, other.config)
    result = copy.deepcopy(one)
    with torch.no_grad():
        resolutions = one.config.block_resolutions
        for resolution, ours, theirs in zip(
            resolutions, result.synthesis.blocks, other.synthesis.blocks, strict=True
        ):
            share = shares.get(resolution, 0.0)
            if not share:
                continue
            _mix_block(ours, theirs, share)
    return result.freeze()


def mix_tensor(out: Tensor, one: Tensor, other: Tensor, share: float) -> None:
    """(1 − share) · one + share · other into `out`; exactly the one or the other at the ends."""
    if share in (0.0, 1.0):
        out.copy_(other if share else one)
    else:
        torch.lerp(one, other, share, out=out)


def _mix_block(ours: Any, theirs: Any, share: float) -> None:
    """Make a block of A's, in place, that of the mixture."""
    noises = [
        (mine, mine.noise_strength * mine.noise_constant, its.noise_strength * its.noise_constant, its)
        for mine, its in ((ours.conv0, theirs.conv0), (ours.conv1, theirs.conv1))
        if mine is not None
    ]
    strengths = [(float(mine.noise_strength), float(its.noise_strength)) for mine, _, _, its in noises]
    for mine, its in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        mix_tensor(mine, mine, its, share)
    if share == 1.0:
        return
    for (conv, mine, its, _), (one, other) in zip(noises, strengths, strict=True):
        largest = max(abs(one), abs(other))
        if not largest:
            continue
        # In another shape the constant is drawn anew, and there the strengths alone are mixed, as here.
        strength = float(conv.noise_strength)
        if abs(strength) < _LEAST_STRENGTH * largest:  # opposite ones, which leave a constant all the same
            strength = _LEAST_STRENGTH * largest
        conv.noise_strength.fill_(strength)
        conv.noise_constant.copy_(torch.lerp(mine, its, share) / strength)
