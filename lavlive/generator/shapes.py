"""Names and shapes of a generator's weights, known without torch and without building anything.

What a file claims to hold is checked against this table before a network of that size is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def features_size(resolution: int, rows: int, columns: int) -> tuple[int, int]:
    """Height and width of features, in a network that grows from ``rows`` × ``columns``."""
    return resolution // 4 * rows, resolution // 4 * columns


def channels_at(resolution: int, base: int, most: int, least: int = 1) -> int:
    """Width of a StyleGAN2's block at a resolution."""
    return max(min(base // resolution, most), least)


def expected_shapes(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the entries in a generator's state, from the fields of its configuration."""
    w_dim, classes = config["w_dim"], config["class_count"]
    class_width = (config["class_width"] or w_dim) if classes else 0
    if classes:
        yield "mapping.embed.weight", (class_width, classes)
        yield "mapping.embed.bias", (class_width,)
    inputs = config["z_dim"] + class_width
    for index in range(config["mapping_layers"]):
        last = index == config["mapping_layers"] - 1
        outputs = w_dim if last else config["mapping_width"] or w_dim
        yield f"mapping.layers.{index}.weight", (outputs, inputs)
        yield f"mapping.layers.{index}.bias", (outputs,)
        inputs = outputs
    yield "mapping.w_mean", (w_dim,)
    yield from _alias_free(config) if "layers" in config else _stylegan2(config)


def _alias_free(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """StyleGAN3's synthesis."""
    width, w_dim = config["input_channels"], config["w_dim"]
    yield "synthesis.input.transform", (3, 3)
    yield "synthesis.input.frequencies", (width, 2)
    yield "synthesis.input.phases", (width,)
    yield "synthesis.input.weight", (width, width)
    yield "synthesis.input.affine.weight", (4, w_dim)
    yield "synthesis.input.affine.bias", (4,)
    for index, layer in enumerate(config["layers"]):
        name, kernel, channels = f"synthesis.layers.{index}", layer["kernel"], layer["channels"]
        yield f"{name}.affine.weight", (width, w_dim)
        yield f"{name}.affine.bias", (width,)
        yield f"{name}.weight", (channels, width, kernel, kernel)
        yield f"{name}.bias", (channels,)
        yield f"{name}.magnitude", ()
        if layer["up_taps"] > 1:
            yield f"{name}.up_filter", (layer["up_taps"],)
        if layer["down_taps"] > 1:
            yield f"{name}.down_filter", (layer["down_taps"],) * (2 if layer["radial"] else 1)
        width = channels


def _stylegan2(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    w_dim = config["w_dim"]
    rows, columns = config.get("rows", 4), config.get("columns", 4)
    before, channels = 0, config["picture_channels"]
    for index, resolution in enumerate(2**power for power in range(2, config["resolution"].bit_length())):
        block = f"synthesis.blocks.{index}"
        least = config.get("channel_min", 1)
        width = channels_at(resolution, config["channel_base"], config["channel_max"], least)
        if resolution == 4:
            yield f"{block}.constant", (width, rows, columns)
        elif config["architecture"] == "resnet":
            yield f"{block}.shortcut.weight", (width, before, 1, 1)
        for layer, wide in [("conv1", width)] if resolution == 4 else [("conv0", before), ("conv1", width)]:
            yield f"{block}.{layer}.affine.weight", (wide, w_dim)
            yield f"{block}.{layer}.affine.bias", (wide,)
            yield f"{block}.{layer}.weight", (width, wide, 3, 3)
            yield f"{block}.{layer}.bias", (width,)
            yield f"{block}.{layer}.noise_strength", ()
            yield f"{block}.{layer}.noise_constant", features_size(resolution, rows, columns)
        if config["architecture"] == "skip" or resolution == config["resolution"]:
            yield f"{block}.to_picture.affine.weight", (width, w_dim)
            yield f"{block}.to_picture.affine.bias", (width,)
            yield f"{block}.to_picture.weight", (channels, width, 1, 1)
            yield f"{block}.to_picture.bias", (channels,)
        before = width
