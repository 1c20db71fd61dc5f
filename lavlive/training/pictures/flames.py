"""Flames: fractal flames of random genomes, rendered by the program flam3 (Debian: flam3-utils).

Random genomes have no author, the colours come from flam3's palettes, and a picture that a GPL program makes
is not under the GPL. flam3-genome seeds itself from the clock as well, so only here are pictures of one seed
not always the same.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.random import Generator

from lavlive.errors import TrainingError
from lavlive.training.pictures.shapes import Light

_SIDE_OF_GENOMES = 100
_SECONDS = 120.0


def ready() -> None:
    """See that flam3 is there. Raises TrainingError."""
    for program in ("flam3-genome", "flam3-render"):
        if shutil.which(program) is None:
            raise TrainingError(f"flames need the program {program}; under Debian: apt install flam3-utils")


def draw(random: Generator, side: int) -> Light:
    """One flame, float32 [side, side, 3], 0..1. Raises TrainingError when flam3 fails."""
    from PIL import Image

    seed = str(int(random.integers(1, 2**31)))
    with tempfile.TemporaryDirectory(prefix="lavlive-flame-") as folder:
        genome = _run(["flam3-genome"], {"seed": seed, "repeat": "1"}, None, folder)
        settings = {"ss": f"{side / _SIDE_OF_GENOMES:g}", "qs": "60", "nthreads": "1", "format": "png"}
        _run(["flam3-render"], {**settings, "prefix": "flame"}, genome, folder)
        found = sorted(Path(folder).glob("*.png"))
        if not found:
            raise TrainingError("flam3-render made no picture")
        with Image.open(io.BytesIO(found[0].read_bytes())) as opened:
            picture = opened.convert("RGB")
        short = min(picture.size)
        left, top = (picture.width - short) // 2, (picture.height - short) // 2
        box = (left, top, left + short, top + short)
        square = picture.resize((side, side), Image.Resampling.LANCZOS, box=box)
    return (np.asarray(square) / np.float32(255)).astype(np.float32)


def _run(command: list[str], settings: dict[str, str], given: bytes | None, folder: str) -> bytes:
    ready()
    try:
        done = subprocess.run(
            command,
            input=given,
            env={**os.environ, **settings},
            cwd=folder,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TrainingError(f"{command[0]} failed: {error}") from error
    return done.stdout
