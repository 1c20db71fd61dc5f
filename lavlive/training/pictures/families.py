"""The families by name, and when a picture is one to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lavlive.errors import TrainingError
from lavlive.training.pictures import bloom, cymatics, flames, flow, nebula, silk
from lavlive.training.pictures.shapes import Light

Pixels = npt.NDArray[np.uint8]
_TRIES = 24
_LIT = 0.12
_LEAST_LIT, _MOST_LIT = 0.12, 0.97
_MOST_WHITE = 0.12
_LEAST_CONTRAST = 0.09


@dataclass(frozen=True)
class Family:
    """A formula.

    Attributes:
        name: on the command line, and first in the pictures' names.
        says: one line for a listing.
        draw: from random numbers and a side to a picture, float32 [side, side, 3], 0..1.
        ready: raises TrainingError when something that the formula needs is not installed.
    """

    name: str
    says: str
    draw: Callable[[np.random.Generator, int], Light]
    ready: Callable[[], None] = lambda: None


FAMILIES = {
    family.name: family
    for family in (
        Family("bloom", "flowers seen through, petal upon petal, bright at every rim", bloom.draw),
        Family("cymatics", "standing waves of a round plate, lit where it stands still", cymatics.draw),
        Family("flames", "fractal flames, by the program flam3", flames.draw, flames.ready),
        Family("flow", "long exposures of sparks along currents without sources", flow.draw),
        Family("nebula", "glowing gas with ridges and dust, and suns inside", nebula.draw),
        Family("silk", "folds of cloth in dark light", silk.draw),
    )
}


def picture(family: Family, seed: int, side: int) -> Pixels:
    """The picture of a seed, uint8 [side, side, 3]: the first of the seed's that is worth keeping.

    Raises:
        TrainingError: none of its first tries is.
    """
    for trial in range(_TRIES):
        light = family.draw(np.random.default_rng((seed, trial)), side)
        if worth_keeping(light):
            shown: Pixels = (np.clip(light, 0, 1) * 255 + 0.5).astype(np.uint8)
            return shown
    raise TrainingError(f"none of {_TRIES} {family.name} pictures of seed {seed} is worth keeping")


def worth_keeping(light: Light) -> bool:
    """Whether a picture [side, side, 3] has a bright place and dark ones, and is not burnt out."""
    brightest = light.max(axis=-1)
    lit = float((brightest > _LIT).mean())
    white = float((light.min(axis=-1) > 0.9).mean())
    peak = float(np.percentile(brightest, 99))
    side = light.shape[0] // 8
    cells = brightest[: 8 * side, : 8 * side].reshape(8, side, 8, side).mean(axis=(1, 3))
    contrast = float(cells.std())
    return _LEAST_LIT < lit < _MOST_LIT and white < _MOST_WHITE and peak > 0.6 and contrast > _LEAST_CONTRAST
