"""``lavlive model directions``: what each dial of a model does, as a sheet of pictures, and its name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from tqdm import tqdm

from lavlive.commands.options import ModelDirectionsOptions, text_of
from lavlive.errors import UsageError
from lavlive.files import write_whole
from lavlive.generator.dial_files import (
    DIAL_NAMES,
    FoundDials,
    find_beside,
    keep_dials,
    read_names,
    write_names,
)
from lavlive.generator.dials import sample_w
from lavlive.generator.importing import open_model
from lavlive.generator.runner import plain_runner, spare_threads
from lavlive.generator.runners.base import picture
from lavlive.generator.runners.plans import plan_of
from lavlive.latent.space import layer_groups
from lavlive.parameters import GROUPS
from lavlive.resources import generator_file
from lavlive.shrinking import averaged
from lavlive.stage.output.font import text_image

TURNS = (-3.0, -1.5, 0.0, 1.5, 3.0)
_SIDE = 112
"""Pixels of a small picture."""
_LABEL = 12
_GAP = 10
_CODECS = {".jpg": ("mjpeg", "yuvj444p"), ".jpeg": ("mjpeg", "yuvj444p"), ".png": ("png", "rgb24")}


def directions(options: ModelDirectionsOptions) -> str:
    """Find a model's dials and, as asked, draw their sheet, name some, or keep them beside the model.

    Returns:
        What was done, a line each.

    Raises:
        CheckpointError: no generator, a dial that cannot be, or a folder that cannot be written to.
    """
    given = {dial.removeprefix("dial."): name for dial, name in options.names.items()}
    file = generator_file(text_of(options.model))
    loaded = open_model(file)
    groups = layer_groups(loaded.generator.layer_resolutions)
    lines = []
    if given:
        known = read_names(file, loaded.hash)
        lines.append(f"{write_names(file, loaded.hash, known | given)}: {len(known | given)} names")
    with tqdm(total=100, unit="%", desc=file.stem, disable=None) as bar:
        found = find_beside(
            file,
            loaded,
            groups,
            progress=lambda share: bar.update(int(100 * share) - bar.n),
            threads=spare_threads(),
        )
    assert found is not None
    for note in found.notes:
        print(f"lavlive: {note}", file=sys.stderr)
    dials = found.dials
    if options.keep:
        lines.append(f"{keep_dials(file, loaded.hash, dials)}: the dials, found without a search from now on")
    counts = ", ".join(f"{count} {group}" for count, group in zip(dials.counts, GROUPS, strict=True))
    lines.append(f"{file.stem}: {counts}; one unit changes L* by {dials.effects.max():.2f} on average")
    lines += [_line(found, dial, index) for index, dial in enumerate(DIAL_NAMES) if _effect(found, index)]
    if options.sheet is not None:
        sheet = Path(options.sheet)
        runner = plain_runner(plan_of(loaded.generator), spare_threads())
        w = sample_w(loaded.generator, 1, options.seed)[0]

        def turned(group: int, vector: np.ndarray) -> np.ndarray:
            w_plus = np.repeat(w[None], len(groups), axis=0)
            w_plus[groups == group] += vector
            return picture(runner, w_plus)

        write_picture(sheet, _sheet(found, turned))
        runner.close()
        lines.append(f"{sheet}: {', '.join(f'{turn:g}' for turn in TURNS)} of each dial")
    return "\n".join(lines)


def _effect(found: FoundDials, index: int) -> float:
    return float(found.dials.effects.reshape(-1)[index])


def _line(found: FoundDials, dial: str, index: int) -> str:
    steps = float(found.dials.steps.reshape(-1)[index])
    random = float(found.dials.random[index // found.dials.steps.shape[1]])
    against = _effect(found, index) / steps / random if random > 0 else float("inf")
    name = found.names.get(dial, "")
    return (
        f"  dial.{dial:<9} {name:<20} a unit is {steps:.2f} standard deviations of W; "
        f"{against:.1f} times a random direction"
    )


def _sheet(found: FoundDials, turned: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
    """All dials, uint8 [H, W, 3]: a column per layer group, a row per dial."""
    dials = found.dials
    rows = max(*dials.counts, 1)
    width = len(TURNS) * _SIDE + _GAP
    sheet = np.zeros((rows * (_SIDE + _LABEL + 4), len(GROUPS) * width - _GAP, 3), np.uint8)
    for group, name in enumerate(GROUPS):
        for row in range(dials.counts[group]):
            top, left = row * (_SIDE + _LABEL + 4), group * width
            dial = f"{name}.{row + 1}"
            label = text_image(f"{dial}  {found.names.get(dial, '')}".strip())[:, : width - _GAP]
            sheet[top : top + len(label), left : left + label.shape[1]] = label[:, :, None]
            for place, turn in enumerate(TURNS):
                small = _shrunk(turned(group, dials.vectors[group, row] * np.float32(turn)), _SIDE)
                x = left + place * _SIDE
                sheet[top + _LABEL : top + _LABEL + len(small), x : x + small.shape[1]] = small
    return sheet


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """A picture, uint8 [H, W, 3], made to fit a square of ``side`` by taking means of its pixels."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    return averaged(pixels, max(1, round(height * scale)), max(1, round(width * scale)))


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 [H, W, 3] as a jpg or a png, by the name's ending.

    Raises:
        UsageError: the file cannot be written.
    """
    name, layout = _CODECS[path.suffix.lower()]
    codec = av.CodecContext.create(name, "w")
    codec.width, codec.height, codec.pix_fmt = pixels.shape[1], pixels.shape[0], layout
    codec.time_base = Fraction(1)
    if name == "mjpeg":
        codec.options = {"qmin": "2", "qmax": "3"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(format=layout)
    packets = [*codec.encode(frame), *codec.encode(None)]
    try:
        write_whole(path, b"".join(bytes(packet) for packet in packets))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error
