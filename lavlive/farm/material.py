"""What a picture is made of, and groups of pictures that anybody can draw without the others.

    track ─► latent pass, once and in sequence ─► Material of each picture ─► Spool, a file
                                                                               │ Group: pre-roll and pictures
                                                                               ▼
                                                                             workers

A picture of the generator depends on its w+ alone. The canvas remembers: the dissolve, effects with feedback,
the flash limiter. So a group is drawn from some seconds before its first picture on.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import IO, Self

import numpy as np

from lavlive.parameters import Value

KEY_SECONDS = 4
"""Between two key pictures of a video; a group is a whole number of these."""
PREROLL_SECONDS = 3.0
"""What a canvas is expected to remember; where that is too short the head sees it and takes more."""
_MOST_KEYS = 8


@dataclass(frozen=True, slots=True)
class Material:
    """All that a picture and its canvas are made of.

    Attributes:
        w: float32 [3, w_dim], w of each layer group.
        numbers: float64 of all parameters, in the table's order: noise and bends are taken from them.
        moved: values of effects as beat and sound move them.
        sound: float32 [frames, channels], what came since the picture before; None where no effect hears.
    """

    w: np.ndarray
    numbers: np.ndarray
    moved: dict[str, float]
    sound: np.ndarray | None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How all pictures of a film are drawn; the same for every worker.

    Attributes:
        model: a bundled generator's name or a file, which every worker's machine has.
        model_hash: of it, or the worker refuses.
        software: version of lavlive, or the worker refuses.
        runner, aspect, fill: of the model.
        size: of the canvas and the film, pixels.
        rate: pictures per second.
        codec: of the film.
        ending: of its file.
        values: parameters by name, those of effects too.
        shaders: a folder of shaders beside the bundled ones and the user's.
        sound_rate: frames per second of `Material.sound`.
        mix: the model that is mixed in, as `model`; None for none.
        mix_hash: of it, or the worker refuses.
    """

    model: str | None
    model_hash: str
    software: str
    runner: str
    aspect: float | None
    fill: str
    size: tuple[int, int]
    rate: Fraction
    codec: str
    ending: str
    values: Mapping[str, Value]
    shaders: str | None
    sound_rate: int
    mix: str | None = None
    mix_hash: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures in a row.

    Attributes:
        number: of the group in the film.
        begin: of its pre-roll, number of a picture.
        first, end: its pictures are from `first` up to but without `end`.
        opening: the film's first picture, with which every canvas begins.
        pictures: the material from `begin` to `end`.
    """

    number: int
    begin: int
    first: int
    end: int
    opening: Material
    pictures: tuple[Material, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What became of a group.

    Attributes:
        number: of the group.
        video: a file of its pictures, without sound.
        before: the canvas just before its first picture, uint8 [H, W, 3]; None for the film's first group.
        last: the canvas of its last picture.
        notes: what the user should know, a line each.
    """

    number: int
    video: bytes
    before: np.ndarray | None
    last: np.ndarray
    notes: tuple[str, ...]


def group_bounds(pictures: int, rate: Fraction, workers: int) -> list[tuple[int, int]]:
    """First and end of each group, as long as lets all workers be done first; none above 32 s."""
    key = max(1, round(KEY_SECONDS * rate))
    keys = -(-pictures // key)

    def lasts(length: int) -> float:
        rounds = -(-keys // (length * workers))
        return rounds * (length * KEY_SECONDS + PREROLL_SECONDS)

    length = key * min(range(1, _MOST_KEYS + 1), key=lasts)
    return [(first, min(first + length, pictures)) for first in range(0, pictures, length)]


class Spool:
    """The material of every picture, in a temporary file: an hour's is more than fits into memory."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="lavlive-farm-")  # noqa: SIM115
        self._places: list[int] = []

    def __len__(self) -> int:
        return len(self._places)

    def append(self, material: Material) -> None:
        """Keep the next picture's."""
        self._places.append(self._file.seek(0, 2))
        pickle.dump(material, self._file, pickle.HIGHEST_PROTOCOL)

    def __getitem__(self, number: int) -> Material:
        self._file.seek(self._places[number])
        material: Material = pickle.load(self._file)  # what this process wrote
        return material

    def group(self, number: int, first: int, end: int, before: int) -> Group:
        """A group with `before` pictures of pre-roll, or as many as there are."""
        begin = max(first - before, 0)
        pictures = tuple(self[index] for index in range(begin, end))
        return Group(number, begin, first, end, self[0], pictures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
