"""What every reader hands back: a configuration, and weights under lavlive's own names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lavlive.errors import CheckpointError
from lavlive.generator.shapes import channels_at, expected_shapes, features_size
from lavlive.weightfiles.arrays import Array

_LARGEST_RESOLUTION = 2048
_LARGEST_CONSTANT = 64


@dataclass
class Conversion:
    """A generator in lavlive's terms.

    ``config`` holds the fields of ``GeneratorConfig``, ``weights`` the entries of its state, and ``notes``
    one line for each thing that the file lacked or that was changed on the way.
    """

    format: str
    config: dict[str, Any]
    weights: dict[str, Array]
    notes: list[str] = field(default_factory=list)
    licence: str = "The file does not say; ask whoever trained it, and mind the licence of its data."


def constant_size(shape: tuple[int, ...]) -> dict[str, int]:
    """``rows`` and ``columns`` of a configuration, from the shape [..., H, W] of a constant.

    Raises CheckpointError for one that no network grows from.
    """
    rows, columns = shape[-2:]
    if not (2 <= rows <= _LARGEST_CONSTANT and 2 <= columns <= _LARGEST_CONSTANT):
        raise CheckpointError(
            f"drawn from a constant of {rows} × {columns}; lavlive plays those from 2 × 2 to "
            f"{_LARGEST_CONSTANT} × {_LARGEST_CONSTANT}"
        )
    return {"rows": rows, "columns": columns}


def size_at(config: Mapping[str, Any], resolution: int) -> tuple[int, int]:
    """Height and width of the features at ``resolution``, from a configuration."""
    return features_size(resolution, config["rows"], config["columns"])


def assemble(
    config: Mapping[str, Any], take: Callable[[str], Array | None], network: str = "StyleGAN2"
) -> dict[str, Array]:
    """All weights of a generator of ``config``; ``take`` gives each by lavlive's name.

    Raises CheckpointError when one has not the shape that the configuration asks for. Only W's mean may
    be None: it can be measured.
    """
    weights = {}
    for name, shape in expected_shapes(config):
        array = take(name)
        if array is None and name == "mapping.w_mean":
            continue
        if array is None or array.shape != shape:
            found = "missing" if array is None else str(array.shape)
            raise CheckpointError(f"of another kind: {name} is {found}, {network} needs {shape}")
        weights[name] = np.asarray(array, np.float32, order="C")
    return weights


def block_resolutions(resolution: object) -> list[int]:
    """4, 8, … up to ``resolution``. Raises CheckpointError when StyleGAN2 has no such size."""
    if not isinstance(resolution, int) or not 8 <= resolution <= _LARGEST_RESOLUTION:
        raise CheckpointError(f"of another kind: its resolution is {resolution}")
    if resolution & (resolution - 1):
        raise CheckpointError(f"of another kind: its resolution {resolution} is no power of two")
    return [2**power for power in range(2, resolution.bit_length())]


def channel_rule(widths: Mapping[int, int]) -> tuple[int, int]:
    """``channel_base`` and ``channel_max`` that give the width at each resolution.

    Raises CheckpointError when no pair does: the network's widths were chosen by hand.
    """
    widest = max(widths.values())
    base = max(resolution * width for resolution, width in widths.items())
    for resolution, width in widths.items():
        if channels_at(resolution, base, widest) != width:
            raise CheckpointError(
                f"a StyleGAN2 whose widths follow no rule ({width} channels at {resolution}²), which lavlive "
                "cannot play"
            )
    return base, widest


def filter_taps(kernel: Array) -> list[float]:
    """Four taps of a separable filter from its square [4, 4] or its row, of any gain.

    Raises CheckpointError for another length or a filter that is not separable.
    """
    taps = kernel.sum(0) if kernel.ndim == 2 else kernel
    total = float(taps.sum())
    if total == 0 or taps.ndim != 1:
        raise CheckpointError("of another kind: its resampling filter is empty")
    taps = taps / total
    if kernel.ndim == 2 and np.abs(np.outer(taps, taps) - kernel / kernel.sum()).max() > 1e-4:
        raise CheckpointError("a StyleGAN2 with a filter that is not separable, which lavlive cannot play")
    if len(taps) in (2, 3):  # the same filter, written with four taps
        taps = np.array([0, *taps, 0][:4])
    if len(taps) != 4:
        raise CheckpointError(
            f"a StyleGAN2 with a filter of {len(taps)} taps; lavlive plays those with 2 to 4"
        )
    # 1, 3, 3, 1 comes back as itself, not as 0.99999994, 3, …
    eighths = taps * 8
    near = np.abs(eighths - np.round(eighths)).max() < 1e-5
    return [float(tap) for tap in (np.round(eighths) if near else taps)]


def in_colour(array: Array) -> Array:
    """A picture layer's weights for 1 or 4 channels (axis 0) as those for 3: grey thrice, alpha dropped."""
    if len(array) == 1:
        return array.repeat(3, 0)
    if len(array) in (3, 4):
        return array[:3]
    raise CheckpointError(f"a StyleGAN2 for pictures of {len(array)} channels; lavlive shows 1, 3 or 4")


def colour_notes(channels: int) -> list[str]:
    """What to tell of pictures that have not three channels."""
    notes = {1: "grey pictures, in three equal channels", 4: "the alpha channel was dropped"}
    return [notes[channels]] if channels in notes else []
