"""Pictures that were looked at once and kept, to tell when what draws them changes.

A picture that differs is written beside the kept one into ``tests/golden/failed``, with the difference eight
times stronger. Whoever means the change makes them anew: ``python -m tools.goldens``, and looks at them.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parents[1] / "golden"
FAILED = FOLDER / "failed"
WRITE = "LAVLIVE_WRITE_GOLDENS"
COMMAND = "python -m tools.goldens"


def writing() -> bool:
    """Whether pictures are kept now, instead of compared."""
    return WRITE in os.environ


def assert_as_kept(name: str, picture: np.ndarray, worst: int, mean: float) -> None:
    """Compare a picture, uint8 [H, W, 3], with the one kept under a name.

    Args:
        worst: levels, of 255, by which a value may differ.
        mean: levels by which they may differ on average.
    """
    path = FOLDER / f"{name}.png"
    if writing():
        FOLDER.mkdir(exist_ok=True)
        Image.fromarray(picture).save(path, optimize=True)
        return
    if not path.is_file():
        raise AssertionError(f"no picture is kept as {path.name}; make it with {COMMAND}")
    kept = np.asarray(Image.open(path).convert("RGB"))
    if kept.shape != picture.shape:
        raise AssertionError(f"{name} is {picture.shape}, and {kept.shape} is kept; {COMMAND}")
    gap = np.abs(kept.astype(np.int16) - picture)
    if gap.max() <= worst and gap.mean() <= mean:
        return
    FAILED.mkdir(parents=True, exist_ok=True)
    difference = np.minimum(gap * 8, 255).astype(np.uint8)
    saved = FAILED / f"{name}.png"
    Image.fromarray(np.concatenate([kept, picture, difference], axis=1)).save(saved)
    raise AssertionError(
        f"{name} differs from what is kept by up to {gap.max()} levels (at most {worst}), by "
        f"{gap.mean():.2f} on average (at most {mean}); kept, now and difference: {saved}. "
        f"If it is meant: {COMMAND}"
    )


def reduced(picture: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of so many pixels, uint8; what does not fill a square is left out."""
    height, width = (size // factor for size in picture.shape[:2])
    squares = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return np.rint(squares.mean(axis=(1, 3))).astype(np.uint8)
