"""Generators of NVIDIA's TensorFlow code: stylegan2 and stylegan2-ada, pickles of (G, D, Gs).

Each network holds its variables as numpy arrays, the source text that built it, which we drop, and the
networks inside it. Convolutions are [height, width, in, out] there, a style's bias counts from 0 instead
of 1, and the kernel of a doubling convolution is mirrored.
"""

from __future__ import annotations

import re
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
)
from lavlive.weightfiles.arrays import Array, Stored, StoredArray
from lavlive.weightfiles.names import TensorflowNetwork
from lavlive.weightfiles.weights import Weights

FORMAT = "NVIDIA stylegan2 or stylegan2-ada for TensorFlow"
_VERSION = 4
_LICENCE = (
    "Models that NVIDIA published are under the Nvidia Source Code License-NC or CC BY-NC: not for "
    "commercial use. Of others the file does not say; ask whoever trained it."
)
_LAYER_PARTS = {
    "affine.weight": "mod_weight",
    "affine.bias": "mod_bias",
    "weight": "weight",
    "bias": "bias",
    "noise_strength": "noise_strength",
}


def convert(network: TensorflowNetwork) -> Conversion:
    """From ``Gs``. Raises CheckpointError when it is not StyleGAN2's generator."""
    version = network.state.get("version")
    if not isinstance(version, int) or version < _VERSION:
        raise CheckpointError("a network of StyleGAN (the first) or older, which lavlive does not play")
    settings = network.state.get("static_kwargs")
    settings = settings if isinstance(settings, dict) else {}
    weights = Weights(_variables(network))
    _check_kind(network, settings, weights)
    config = _mapping_config(settings, weights) | _synthesis_config(settings, weights)
    last = _picture_layer(config["resolution"], weights)

    def take(name: str) -> Array | None:
        if name.startswith("mapping."):
            return _take_mapping(name, weights)
        return _take_synthesis(name, weights, last)

    notes = colour_notes(weights.shape(f"{last}/bias", 1)[0])
    return Conversion(FORMAT, config, assemble(config, take), notes, _LICENCE)


def _variables(network: TensorflowNetwork) -> dict[str, Stored | float]:
    """The network's own variables and those of the networks in it, by path."""
    found: dict[str, Stored | float] = {}
    components = network.state.get("components")
    parts: list[tuple[str, object]] = [("", network)]
    if isinstance(components, dict):
        parts += [(f"{name}/", part) for name, part in components.items()]
    for prefix, part in parts:
        variables = part.state.get("variables") if isinstance(part, TensorflowNetwork) else None
        for pair in variables if isinstance(variables, list) else []:
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
                raise CheckpointError("damaged: a variable without a name")
            if isinstance(pair[1], StoredArray | float):
                found[prefix + pair[0]] = pair[1]
    return found


def _check_kind(network: TensorflowNetwork, settings: dict[object, object], weights: Weights) -> None:
    if "synthesis/4x4/Conv/mod_weight" not in weights:
        built = network.state.get("build_func_name")
        if "Output/weight" in weights:
            raise CheckpointError("a discriminator, which judges pictures and makes none; find the Gs")
        raise CheckpointError(f"a network built by {ascii(built)[:40]}, which is no StyleGAN2 generator")
    if "mapping/LabelConcat/weight" in weights:
        raise CheckpointError(
            "a class-conditional StyleGAN2 of the first TensorFlow code, which joins class and z in a way "
            "that lavlive does not; those of stylegan2-ada work"
        )
    for setting in ("nonlinearity", "mapping_nonlinearity"):
        if settings.get(setting, "lrelu") != "lrelu":
            raise CheckpointError(
                "a StyleGAN2 with another activation than lrelu, which lavlive does not play"
            )
    if settings.get("normalize_latents", True) is not True:
        raise CheckpointError("a StyleGAN2 that does not normalise z, which lavlive does not play")


def _mapping_config(settings: dict[object, object], weights: Weights) -> dict[str, Any]:
    classes = class_width = count = 0
    if "mapping/LabelEmbed/weight" in weights:
        classes, class_width = weights.shape("mapping/LabelEmbed/weight", 2)
    while f"mapping/Dense{count}/weight" in weights:
        count += 1
    inputs, width = weights.shape("mapping/Dense0/weight", 2)
    rate = settings.get("mapping_lrmul", 0.01)
    if not isinstance(rate, int | float) or not 0 < rate <= 100:
        raise CheckpointError("damaged: its mapping's learning rate is no number")
    return {
        "z_dim": inputs - class_width,
        "w_dim": weights.shape(f"mapping/Dense{count - 1}/weight", 2)[1],
        "class_count": classes,
        "class_width": class_width or None,
        "mapping_layers": count,
        "mapping_width": width,
        "mapping_rate": float(rate),
    }


def _synthesis_config(settings: dict[object, object], weights: Weights) -> dict[str, Any]:
    blocks = [re.match(r"synthesis/(\d{1,5})x\1/Conv1/weight$", name) for name in weights]
    resolutions = block_resolutions(max((int(match[1]) for match in blocks if match), default=0))
    widths = {4: weights.shape("synthesis/4x4/Conv/weight", 4)[3]}
    for resolution in resolutions[1:]:
        widths[resolution] = weights.shape(f"synthesis/{resolution}x{resolution}/Conv1/weight", 4)[3]
    base, widest = channel_rule(widths)
    architecture = "orig"
    if "synthesis/8x8/Skip/weight" in weights:
        architecture = "resnet"
    elif "synthesis/4x4/ToRGB/weight" in weights:
        architecture = "skip"
    taps = settings.get("resample_kernel", [1, 3, 3, 1])
    if taps is None:
        taps = [1, 1]
    if not isinstance(taps, list | tuple) or not all(isinstance(tap, int | float) for tap in taps):
        raise CheckpointError("damaged: its resampling filter is no list of numbers")
    clamp = settings.get("conv_clamp")
    if clamp is not None and (not isinstance(clamp, int | float) or not clamp > 0):
        raise CheckpointError("damaged: its clamp is no number")
    return {
        "resolution": resolutions[-1],
        **constant_size(weights.shape("synthesis/4x4/Const/const", 4)),
        "channel_base": base,
        "channel_max": widest,
        "picture_channels": 3,
        "architecture": architecture,
        "fir": filter_taps(np.array(taps, np.float32)),
        "conv_clamp": None if clamp is None else float(clamp),
    }


def _picture_layer(resolution: int, weights: Weights) -> str:
    """Where the last picture layer lies; configurations B to D call it by the level of detail."""
    named = f"synthesis/{resolution}x{resolution}/ToRGB"
    return named if f"{named}/weight" in weights else "synthesis/ToRGB_lod0"


def _take_mapping(name: str, weights: Weights) -> Array | None:
    if name == "mapping.w_mean":
        return weights.take("dlatent_avg") if "dlatent_avg" in weights else None
    theirs = re.sub(r"mapping\.layers\.(\d+)\.", r"mapping/Dense\1/", name)
    theirs = theirs.replace("mapping.embed.", "mapping/LabelEmbed/")
    return weights.take(theirs).T


def _take_synthesis(name: str, weights: Weights, last: str) -> Array:
    match = re.match(r"synthesis\.blocks\.(\d+)\.(\w+)\.?(.*)$", name)
    if match is None:
        raise CheckpointError(f"of another kind: it has no {name}")
    block, layer, part = int(match[1]), match[2], match[3]
    folder = f"synthesis/{4 << block}x{4 << block}"
    if layer == "constant":
        constant: Array = weights.take(f"{folder}/Const/const")[0]
        return constant
    if part == "noise_constant":
        noise: Array = weights.take(f"synthesis/noise{2 * block - (layer == 'conv0')}")[0, 0]
        return noise
    if layer == "shortcut":
        return weights.take(f"{folder}/Skip/weight")[::-1, ::-1].transpose(3, 2, 0, 1)
    if layer == "to_picture":
        theirs = f"{folder}/ToRGB" if f"{folder}/ToRGB/weight" in weights else last
    else:
        theirs = f"{folder}/{ {'conv0': 'Conv0_up', 'conv1': 'Conv1' if block else 'Conv'}[layer] }"
    if part == "noise_strength" and f"{theirs}/noise_strength" not in weights:
        return np.zeros((), np.float32)  # trained with use_noise=False
    array = weights.take(f"{theirs}/{_LAYER_PARTS[part]}")
    if part == "affine.weight":
        return array.T
    if part == "affine.bias":
        return array + 1
    if part == "weight":
        if layer == "conv0":
            array = array[::-1, ::-1]
        array = array.transpose(3, 2, 0, 1)
    return in_colour(array) if layer == "to_picture" else array
