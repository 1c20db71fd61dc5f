"""Generators of rosinality's stylegan2-pytorch: the state dictionary ``g_ema`` of a ``torch.save`` file."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

import numpy as np

from lavlive.errors import CheckpointError
from lavlive.generator.readers.conversion import (
    Conversion,
    assemble,
    block_resolutions,
    channel_rule,
    colour_notes,
    constant_size,
    filter_taps,
    in_colour,
    size_at,
)
from lavlive.weightfiles.arrays import Array, Stored, StoredTensor
from lavlive.weightfiles.weights import Weights

FORMAT = "rosinality stylegan2-pytorch"
# Fixed in that code, and not written to its files.
_MAPPING_RATE = 0.01
_UNKNOWN_RATE = (
    f"the mapping's learning rate (lr_mlp) is not in the file; {_MAPPING_RATE}, that code's own, is taken. "
    "Of a model trained with another, W's statistics are wrong, and so is where sound moves the picture"
)
_LICENCE = (
    "The file does not say. Models converted from NVIDIA's keep their licence, which forbids commercial "
    "use; of others ask whoever trained it."
)
_LAYER_PARTS = {
    "affine.weight": "conv.modulation.weight",
    "affine.bias": "conv.modulation.bias",
    "weight": "conv.weight",
    "bias": "activate.bias",
    "noise_strength": "noise.weight",
}


def looks_like(names: Container[object]) -> bool:
    """Whether a table has the names of this code's generator."""
    return "input.input" in names and "conv1.conv.weight" in names and "style.1.weight" in names


def convert(state: Mapping[object, object], mean: object) -> Conversion:
    """From ``g_ema`` and ``latent_avg``, where there is one.

    Raises CheckpointError when the state is not that of this code's generator.
    """
    stored: dict[str, Stored] = {}
    for key, value in state.items():
        name = str(key).removeprefix("module.")
        if name in stored:
            raise CheckpointError(f"damaged: it holds {name} twice, with and without “module.”")
        if isinstance(value, StoredTensor):
            stored[name] = value
    if not looks_like(stored):
        raise CheckpointError("its g_ema is not the generator of rosinality's stylegan2-pytorch")
    if isinstance(mean, StoredTensor):
        stored["latent_avg"] = mean
    weights = Weights(stored)
    config = _config(weights)
    notes = [*colour_notes(weights.shape("to_rgb1.conv.weight", 5)[1]), _UNKNOWN_RATE]
    if "noises.noise_0" not in weights:
        notes.append("no constant noise in the file: drawn anew, the same each time")
    random = np.random.default_rng(0)

    def take(name: str) -> Array | None:
        theirs = _their_name(name)
        if theirs == "latent_avg" and theirs not in weights:
            return None
        if theirs.startswith("noises.") and theirs not in weights:
            resolution = 4 << (int(theirs.rsplit("_", 1)[1]) + 1) // 2
            return random.standard_normal(size_at(config, resolution), np.float32)
        array = weights.take(theirs)
        if theirs.endswith(".conv.weight") or theirs.startswith(("noises.", "input.")):
            array = array[0]
        if theirs.startswith("noises."):
            array = array[0]
        elif theirs.endswith("noise.weight") or theirs == "latent_avg":
            array = array.reshape(() if theirs != "latent_avg" else -1)
        if theirs.startswith("to_rgb") and not theirs.endswith(("modulation.weight", "modulation.bias")):
            array = in_colour(array.reshape(-1) if theirs.endswith(".bias") else array)
        return array

    return Conversion(FORMAT, config, assemble(config, take), notes, _LICENCE)


def _config(weights: Weights) -> dict[str, Any]:
    count = sum(re.match(r"style\.\d+\.weight$", name) is not None for name in weights)
    width, z_dim = weights.shape("style.1.weight", 2)
    blocks = sum(re.match(r"to_rgbs\.\d+\.bias$", name) is not None for name in weights)
    if blocks > 10:
        raise CheckpointError("damaged: it has more blocks than any StyleGAN2")
    resolutions = block_resolutions(4 << blocks)
    widths = {4: weights.shape("input.input", 4)[1]}
    for index, resolution in enumerate(resolutions[1:]):
        widths[resolution] = weights.shape(f"convs.{2 * index}.conv.weight", 5)[1]
    base, widest = channel_rule(widths)
    # That code's option blur_kernel goes to the convolutions; its pictures are always doubled by 1, 3, 3, 1.
    fir = _kernel(weights, r"convs\.\d+\.conv\.blur\.kernel")
    picture_fir = _kernel(weights, r"to_rgbs\.\d+\.upsample\.kernel")
    return {
        "z_dim": z_dim,
        "w_dim": weights.shape(f"style.{count}.weight", 2)[0],
        "class_count": 0,
        "class_width": None,
        "mapping_layers": count,
        "mapping_width": width,
        "mapping_rate": _MAPPING_RATE,
        "resolution": resolutions[-1],
        **constant_size(weights.shape("input.input", 4)),
        "channel_base": base,
        "channel_max": widest,
        "picture_channels": 3,
        "architecture": "skip",
        "fir": fir,
        "conv_clamp": None,
        "picture_fir": None if picture_fir == fir else picture_fir,
    }


def _kernel(weights: Weights, pattern: str) -> list[float]:
    """The taps of the filters whose buffers' names match; the code's own default where a file has none.

    Raises CheckpointError where they differ from layer to layer.
    """
    found = [filter_taps(weights.take(name)) for name in weights if re.fullmatch(pattern, name)]
    if any(taps != found[0] for taps in found):
        raise CheckpointError(
            "a StyleGAN2 whose resampling filters differ from layer to layer, which lavlive cannot play"
        )
    return found[0] if found else [1.0, 3.0, 3.0, 1.0]


def _their_name(name: str) -> str:
    if name == "mapping.w_mean":
        return "latent_avg"
    if name == "synthesis.blocks.0.constant":
        return "input.input"
    mapping = re.match(r"mapping\.layers\.(\d+)\.(\w+)$", name)
    if mapping:
        return f"style.{int(mapping[1]) + 1}.{mapping[2]}"
    match = re.match(r"synthesis\.blocks\.(\d+)\.(conv0|conv1|to_picture)\.(.+)$", name)
    if match is None:
        raise CheckpointError(f"of another kind: it has no {name}")
    block, layer, part = int(match[1]), match[2], match[3]
    if layer == "to_picture":
        picture = f"to_rgbs.{block - 1}" if block else "to_rgb1"
        return f"{picture}.bias" if part == "bias" else f"{picture}.{_LAYER_PARTS[part]}"
    index = 2 * block - (2 if layer == "conv0" else 1)  # −1 is the layer at 4²
    if part == "noise_constant":
        return f"noises.noise_{index + 1}"
    return f"{f'convs.{index}' if block else 'conv1'}.{_LAYER_PARTS[part]}"
