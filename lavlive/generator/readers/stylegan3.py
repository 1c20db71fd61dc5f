"""Generators of NVIDIA's stylegan3 in its own two configurations, t and r, which have alias-free layers.

Each layer's module says its rates, factors and cutoffs, and holds its filters; all of that is taken from the
file, so that models trained with other settings than the published ones play as well.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from lavlive.errors import CheckpointError
from lavlive.generator.readers.conversion import Conversion, assemble, colour_notes, in_colour
from lavlive.weightfiles.arrays import Array, StoredArray
from lavlive.weightfiles.names import ModuleState
from lavlive.weightfiles.weights import Weights

FORMAT = "NVIDIA stylegan3-{kind}"
_LAYER = re.compile(r"synthesis\.L(\d{1,3})_(\d{1,5})_(\d{1,5})$")
_THEIR_NAMES = {
    "magnitude": "magnitude_ema",
    "frequencies": "freqs",
    "w_mean": "w_avg",
}
Modules = dict[str, ModuleState]


def is_alias_free(modules: Modules) -> bool:
    """Whether a network has StyleGAN3's layers."""
    return "synthesis.input" in modules or any(_LAYER.match(name) for name in modules)


def convert(modules: Modules, weights: Weights, mapping: dict[str, Any], licence: str) -> Conversion:
    """From the modules and tensors of a pickled ``Generator`` by their dotted names.

    Args:
        mapping: of the configuration, what concerns the mapping network.

    Raises:
        CheckpointError: it is damaged, or none of StyleGAN3's.
    """
    names = _layer_names(modules)
    config = mapping | _synthesis_config(modules, weights, names)

    def take(name: str) -> Array | None:
        layer = re.match(r"synthesis\.layers\.(\d+)\.", name)
        if layer:
            name = f"{names[int(layer[1])]}.{name[layer.end() :]}"
        theirs = re.sub(r"mapping\.layers\.", "mapping.fc", name)
        theirs = ".".join(_THEIR_NAMES.get(part, part) for part in theirs.split("."))
        if theirs == "mapping.w_avg" and theirs not in weights:
            return None
        if theirs == "synthesis.input.transform" and theirs not in weights:
            return np.eye(3, dtype=np.float32)
        array = weights.take(theirs)
        if theirs.endswith(".magnitude_ema") and not array > 0:
            raise CheckpointError(f"damaged: {theirs} is {array}, and no size of anything")
        last = theirs.startswith(f"{names[-1]}.") and theirs.rpartition(".")[2] in ("weight", "bias")
        return in_colour(array) if last and "affine" not in theirs else array

    kind = "r" if config["layers"][0]["kernel"] == 1 else "t"
    notes = colour_notes(weights.shape(f"{names[-1]}.bias", 1)[0])
    half = sum(modules[name].attributes.get("use_fp16") == 1 for name in names)
    if half:
        notes.append(f"{half} layers were trained in half precision; lavlive keeps all in float32")
    weights_by_name = assemble(config, take, "StyleGAN3")
    return Conversion(FORMAT.format(kind=kind), config, weights_by_name, notes, licence)


def _layer_names(modules: Modules) -> list[str]:
    """The layers in their order."""
    found = {int(match[1]): name for name in modules if (match := _LAYER.match(name))}
    if sorted(found) != list(range(len(found))) or len(found) < 2:
        raise CheckpointError(f"damaged: a StyleGAN3 with the layers {sorted(found)[:8]}")
    if "synthesis.input" not in modules:
        raise CheckpointError("damaged: a StyleGAN3 without its Fourier features")
    return [found[index] for index in range(len(found))]


def _synthesis_config(modules: Modules, weights: Weights, names: list[str]) -> dict[str, Any]:
    synthesis, first = modules["synthesis"], modules["synthesis.input"]
    layers = [_layer_config(name, modules[name], weights, name == names[-1]) for name in names]
    rates = [_number(modules[name], "in_sampling_rate", whole=True) for name in names]
    rate = input_rate = int(_number(first, "sampling_rate", whole=True))
    for name, layer, given in zip(names, layers, rates, strict=True):
        if given != rate or rate * layer["up"] % layer["down"]:
            raise CheckpointError(f"damaged: {name} works at another rate than the layer before it")
        rate = rate * layer["up"] // layer["down"]
    clamp = modules[names[0]].attributes.get("conv_clamp")
    if clamp is not None:
        clamp = _number(modules[names[0]], "conv_clamp")
    scale = 1.0 if "output_scale" not in synthesis.attributes else _number(synthesis, "output_scale")
    return {
        "resolution": layers[-1]["size"],
        "input_channels": weights.shape("synthesis.input.weight", 2)[0],
        "input_size": _side(first, "size"),
        "input_rate": input_rate,
        "bandwidth": _number(first, "bandwidth"),
        "layers": layers,
        "picture_channels": 3,
        "clamp": clamp,
        "output_scale": scale,
    }


def _layer_config(name: str, module: ModuleState, weights: Weights, last: bool) -> dict[str, Any]:
    channels, _, kernel, _ = weights.shape(f"{name}.weight", 4)
    down_shape = _filter_shape(name, "down", module, weights)
    match = _LAYER.match(name)
    assert match is not None
    return {
        "channels": 3 if last else channels,
        "size": _side(module, "out_size") if "out_size" in module.attributes else int(match[2]),
        "kernel": kernel,
        "up": int(_number(module, "up_factor", whole=True)),
        "down": int(_number(module, "down_factor", whole=True)),
        "up_taps": _filter_shape(name, "up", module, weights)[0],
        "down_taps": down_shape[0],
        "radial": len(down_shape) == 2,
        "cutoff": _number(module, "out_cutoff"),
    }


def _filter_shape(name: str, way: str, module: ModuleState, weights: Weights) -> tuple[int, ...]:
    """Of a layer's filter; (1,) where it has none and needs none."""
    buffer = f"{name}.{way}_filter"
    if buffer in weights:
        shape = weights.shape(buffer)
        if len(shape) not in ((1,) if way == "up" else (1, 2)) or 0 in shape or len(set(shape)) != 1:
            raise CheckpointError(f"of another kind: the filter {buffer} is {shape}")
        return shape
    if _number(module, f"{way}_factor", whole=True) != 1 or module.attributes.get(f"{way}_taps", 1) != 1:
        raise CheckpointError(f"damaged: it lacks the filter {buffer}")
    return (1,)


def _number(module: ModuleState, name: str, whole: bool = False) -> float:
    value = module.attributes.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1e6:
        number = float(value)
        if not whole or number.is_integer():
            return number
    raise CheckpointError(f"damaged: a StyleGAN3 layer whose {name} is {ascii(value)[:40]}")


def _side(module: ModuleState, name: str) -> int:
    """A size of the network's features, which are square."""
    value = module.attributes.get(name)
    sides: list[Any] = [value]
    if isinstance(value, StoredArray):
        sides = value.read().reshape(-1).tolist() if math.prod(value.shape) <= 2 else []
    elif isinstance(value, list | tuple):
        sides = list(value)
    plain = all(isinstance(side, int | float) and side == int(side) for side in sides)
    if not sides or not plain or len(set(sides)) != 1:
        raise CheckpointError("a StyleGAN3 whose features are not square, which lavlive does not play")
    return int(sides[0])
