"""A generator's network on its way to the show: begun, grown, given another's block, finished."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from lavlive.errors import TrainingError
from lavlive.generator.network import Generator, GeneratorConfig, Linear
from lavlive.latent import space
from lavlive.training.generator_encoder import Cloud

_FAINT = 0.25
_GENTLE = 0.3
_LIFT = 4.0
"""In deviations: the mapping's bias. So far above the leaky activation's bend it is linear."""
_STRENGTHS = (1.0, 1.0, 0.7)
"""Of a code in the show, coarse, middle, fine: sound moves the fine layers within a tenth of a second, and at
full strength they flicker: four of 19 tracks flashed more than three times a second."""


def layer_groups(config: GeneratorConfig) -> list[int]:
    """0, 1 or 2 for each of the L layers: coarse 4²–8², middle 16²–32², fine above."""
    groups: list[int] = space.layer_groups(config.layer_resolutions).tolist()
    return groups


def begin(config: GeneratorConfig, mean_colour: Tensor) -> Generator:
    """A generator whose first pictures are faint shapes on the data's mean colour [3] in −1..1.

    In training w is a code: normal with mean 0 and deviation 1, of fewer numbers than w has in the show, and
    the mapping network is left out.
    """
    generator = Generator(config)
    with torch.no_grad():
        for affine in affines(generator):
            affine.weight.mul_(_GENTLE)
        for index, module in enumerate(generator.synthesis.blocks):
            block: Any = module
            if block.to_picture is not None:
                block.to_picture.weight.mul_(_FAINT)
                if index == 0:
                    block.to_picture.bias.copy_(mean_colour)
    return generator


def affines(generator: Generator) -> list[Linear]:
    """The layers that make styles of w."""
    return [m for n, m in generator.named_modules() if n.endswith("affine") and isinstance(m, Linear)]


def grow(generator: Generator, resolution: int) -> Generator:
    """The same generator with more blocks, which add nothing to the picture until they have learned.

    Doubling a picture takes what lies beyond its edge as zero, a middle grey. So the old blocks' picture is
    raised by one and lowered again at the end: beyond the edge it is black, and no pale frame appears.
    """
    config = replace(generator.config, resolution=resolution)
    grown = Generator(config)
    missing, unexpected = grown.load_state_dict(generator.state_dict(), strict=False)
    if unexpected or any(not name.startswith("synthesis.blocks.") for name in missing):
        raise TrainingError(f"cannot grow from {generator.config.resolution}² to {resolution}²")
    old = len(generator.synthesis.blocks)
    pictures: list[Any] = [block.to_picture for block in grown.synthesis.blocks]
    with torch.no_grad():
        for to_picture in pictures[old:]:
            to_picture.weight.zero_()
            to_picture.bias.zero_()
        pictures[old - 1].bias.add_(1)
        pictures[-1].bias.sub_(1)
    return grown


@torch.no_grad()
def take_block(generator: Generator, donor: Generator) -> None:
    """Begin the finest block as that of another training, which knows what lies between pixels already.

    The lift of `grow` is in a finest block's picture layer, and taken back in one that has grown on.
    """
    resolution = generator.config.resolution
    blocks = {block.resolution: block for block in cast(Any, donor.synthesis.blocks)}
    if resolution not in blocks:
        return
    mine: Any = generator.synthesis.blocks[-1]
    mine.load_state_dict(blocks[resolution].state_dict())
    if donor.config.resolution > resolution:
        mine.to_picture.bias.sub_(1)


def affine_groups(generator: Generator) -> list[int]:
    """The layer group of each of `affines`: a picture layer takes the w of the layer after its block."""
    groups, found, index = layer_groups(generator.config), [], 0
    for module in generator.synthesis.blocks:
        block: Any = module
        found += [groups[index + offset] for offset in range(block.convolutions + 1)]
        index += block.convolutions
    return found


@torch.no_grad()
def finish(generator: Generator, cloud: Cloud, w_dim: int, seed: int = 0) -> Generator:
    """For the show: a copy whose w has ``w_dim`` numbers, with a mapping network that makes them normal.

    A code is w's part along as many fixed random directions, orthogonal to one another, placed in the
    ``cloud`` of codes; what lies across them changes nothing. So a w whose numbers are independent and of
    deviation 1 has just such a code, and the sound's random projection meets all of it. The one layer of
    the mapping maps z to w = √2 (z + lift), linear but for deviations beyond the lift; the affine layers
    are given w's mean and spread.
    """
    config = replace(generator.config, z_dim=w_dim, w_dim=w_dim)
    finished = Generator(config)
    kept = {k: v.cpu() for k, v in generator.synthesis.state_dict().items() if "affine.weight" not in k}
    finished.synthesis.load_state_dict(kept, strict=False)
    layer: Any = finished.mapping.layers[0]
    nn.init.eye_(layer.weight).div_(layer.weight_gain)
    layer.bias.fill_(_LIFT / layer.bias_gain)
    deviation = math.sqrt(2)
    mean = deviation * _LIFT
    finished.mapping.w_mean.fill_(mean)
    random = torch.Generator().manual_seed(seed)
    directions = torch.linalg.qr(torch.randn(w_dim, generator.config.w_dim, generator=random))[0]
    roots, means = cloud.root.cpu(), cloud.mean.cpu()
    for trained, module, group in zip(
        affines(generator), affines(finished), affine_groups(generator), strict=True
    ):
        weight = trained.weight.cpu() * trained.weight_gain
        bias = trained.bias.cpu() + weight @ means[group]
        weight = _STRENGTHS[group] * weight @ roots[group] @ directions.T / (module.weight_gain * deviation)
        # Rounded as the file will be, so that the two changes cancel to its last bit.
        module.weight.copy_(weight.half().float())
        module.bias.copy_(bias - module.weight_gain * mean * module.weight.sum(1))
    return finished
