"""Generators of NVIDIA's stylegan2-ada-pytorch, and of stylegan3's code in any configuration.

Both write a pickle of modules, each with its class's name, attributes and source text. We read names,
attributes and numbers.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from lavlive.errors import CheckpointError
from lavlive.generator.readers import stylegan3
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
from lavlive.weightfiles.arrays import Array, StoredTensor
from lavlive.weightfiles.names import ModuleState
from lavlive.weightfiles.weights import Weights

FORMAT = "NVIDIA stylegan2-ada-pytorch, or stylegan3 in its stylegan2 configuration"
_DEPTH = 8
_MODULES = 10_000
_THEIR_NAMES = {
    "constant": "const",
    "to_picture": "torgb",
    "shortcut": "skip",
    "noise_constant": "noise_const",
    "w_mean": "w_avg",
}
_LICENCE = (
    "Models that NVIDIA published are under the Nvidia Source Code License-NC or CC BY-NC: not for "
    "commercial use. Of others the file does not say; ask whoever trained it."
)
EG3D = "an EG3D generator: it renders a volume with a camera, and lavlive plays pictures of StyleGAN2"
STYLEGAN_XL = (
    "a StyleGAN-XL generator: StyleGAN3's layers in two stages, under another mapping; lavlive does not play "
    "it. Use a model trained with stylegan3 or stylegan2-ada-pytorch"
)
Modules = dict[str, ModuleState]


def convert(generator: ModuleState) -> Conversion:
    """From a pickled ``Generator``. Raises CheckpointError when it is none of StyleGAN2's or StyleGAN3's."""
    modules, weights = _flatten(generator)
    _check_kind(generator, modules)
    if stylegan3.is_alias_free(modules):
        return stylegan3.convert(modules, weights, _mapping_config(modules, weights), _LICENCE)
    config = _mapping_config(modules, weights) | _synthesis_config(modules, weights)

    def take(name: str) -> Array | None:
        block = re.match(r"synthesis\.blocks\.(\d+)\.", name)
        if block:
            name = f"synthesis.b{4 << int(block[1])}.{name[block.end() :]}"
        theirs = re.sub(r"mapping\.layers\.", "mapping.fc", name)
        theirs = ".".join(_THEIR_NAMES.get(part, part) for part in theirs.split("."))
        if theirs == "mapping.w_avg" and theirs not in weights:
            return None
        if theirs not in weights and theirs.endswith(".noise_strength"):
            return np.zeros((), np.float32)  # trained with use_noise=False
        if theirs not in weights and theirs.endswith(".noise_const"):
            resolution = int(theirs.split(".")[1][1:])
            return np.zeros(size_at(config, resolution), np.float32)
        array = weights.take(theirs)
        return in_colour(array) if re.search(r"\.torgb\.(weight|bias)$", theirs) else array

    last = f"synthesis.b{config['resolution']}"
    notes = colour_notes(weights.shape(f"{last}.torgb.bias", 1)[0])
    half = sum(module.attributes.get("use_fp16") is True for module in modules.values())
    if half:
        notes.append(f"{half} blocks were trained in half precision; lavlive keeps all in float32")
    return Conversion(FORMAT, config, assemble(config, take), notes, _LICENCE)


def _flatten(generator: ModuleState) -> tuple[Modules, Weights]:
    """All modules and all tensors by their dotted names."""
    modules: Modules = {}
    tensors: dict[str, StoredTensor] = {}
    waiting = [("", generator, 0)]
    while waiting:
        prefix, module, depth = waiting.pop()
        if depth > _DEPTH or len(modules) > _MODULES:
            raise CheckpointError("damaged: its modules are nested without end")
        modules[prefix[:-1]] = module
        for kind in ("_parameters", "_buffers"):
            for name, tensor in module.children(kind).items():
                if isinstance(tensor, StoredTensor):
                    tensors[f"{prefix}{name}"] = tensor
        for name, child in module.children("_modules").items():
            if isinstance(child, ModuleState):
                waiting.append((f"{prefix}{name}.", child, depth + 1))
    return modules, Weights(tensors)


def _check_kind(generator: ModuleState, modules: Modules) -> None:
    if "TriPlane" in generator.class_name or any(name.startswith("backbone.") for name in modules):
        raise CheckpointError(EG3D)
    if "Superres" in generator.class_name or "mapping.embed_proj" in modules:
        raise CheckpointError(STYLEGAN_XL)
    if "Discriminator" in generator.class_name:
        raise CheckpointError("a discriminator, which judges pictures and makes none; find the G_ema")
    drawn = "synthesis.b4.conv1" in modules or stylegan3.is_alias_free(modules)
    if "mapping.fc0" not in modules or not drawn:
        raise CheckpointError(
            f"a network of the class {ascii(generator.class_name)[:60]}, which is no StyleGAN2 or 3 generator"
        )


def _mapping_config(modules: Modules, weights: Weights) -> dict[str, Any]:
    classes = class_width = count = 0
    if "mapping.embed.weight" in weights:
        class_width, classes = weights.shape("mapping.embed.weight", 2)
    while f"mapping.fc{count}" in modules:
        _check_activation(modules[f"mapping.fc{count}"])
        count += 1
    width, inputs = weights.shape("mapping.fc0.weight", 2)
    rate = modules["mapping.fc0"].attributes.get("bias_gain", 0.01)
    if not isinstance(rate, int | float) or not 0 < rate <= 100:
        raise CheckpointError("damaged: its mapping's learning rate is no number")
    return {
        "z_dim": inputs - class_width,
        "w_dim": weights.shape(f"mapping.fc{count - 1}.weight", 2)[0],
        "class_count": classes,
        "class_width": class_width or None,
        "mapping_layers": count,
        "mapping_width": width,
        "mapping_rate": float(rate),
    }


def _synthesis_config(modules: Modules, weights: Weights) -> dict[str, Any]:
    blocks = [name for name in modules if re.match(r"synthesis\.b\d{1,5}$", name)]
    resolutions = block_resolutions(max(int(name[11:]) for name in blocks))
    architecture = modules["synthesis.b4"].attributes.get("architecture", "skip")
    widths = {}
    for resolution in resolutions:
        widths[resolution] = weights.shape(f"synthesis.b{resolution}.conv1.weight", 4)[0]
        _check_activation(modules[f"synthesis.b{resolution}.conv1"])
    base, widest = channel_rule(widths)
    if architecture not in ("skip", "orig", "resnet"):
        raise CheckpointError(
            f"a StyleGAN2 of the architecture {ascii(architecture)[:40]}, unknown to lavlive"
        )
    clamp = modules["synthesis.b4.conv1"].attributes.get("conv_clamp")
    if clamp is not None and (not isinstance(clamp, int | float) or not clamp > 0):
        raise CheckpointError("damaged: its clamp is no number")
    return {
        "resolution": resolutions[-1],
        **constant_size(weights.shape("synthesis.b4.const", 3)),
        "channel_base": base,
        "channel_max": widest,
        "picture_channels": 3,
        "architecture": architecture,
        "fir": filter_taps(weights.take("synthesis.b8.conv0.resample_filter")),
        "conv_clamp": None if clamp is None else float(clamp),
    }


def _check_activation(module: ModuleState) -> None:
    activation = module.attributes.get("activation", "lrelu")
    if activation != "lrelu":
        raise CheckpointError(
            f"a StyleGAN2 with the activation {ascii(activation)[:40]}; lavlive plays those with lrelu"
        )
