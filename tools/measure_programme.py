"""Measures how music moves among the bundled encoder's latents: python -m tools.measure_programme TRACKS…

Writes lavlive/data/programme.safetensors; see ``lavlive.latent.programme``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from lavlive.encoder.weights import load_encoder
from lavlive.errors import LavliveError
from lavlive.latent.programme import FILE
from lavlive.resources import shipped
from lavlive.study import sound
from lavlive.study.material import WARM_UP, find_tracks, latents_of_driver

_SLOW_SECONDS = 0.4


def slowly(latents: np.ndarray) -> np.ndarray:
    """Moving averages over 0.4 s of latents [hops, dimension], around their mean."""
    length = round(_SLOW_SECONDS * sound.HOP_RATE)
    sums = np.cumsum(latents - latents.mean(0), axis=0, dtype=np.float64)
    means: np.ndarray = (sums[length:] - sums[:-length]) / length
    return means


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure_programme", description=__doc__)
    parser.add_argument("tracks", nargs="+", metavar="TRACKS")
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--keep", type=Path, help="folder for decoded sound and latents, to go on sooner")
    parser.add_argument("-o", dest="out", type=Path, default=shipped("data") / FILE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lavlive-programme-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        pieces = []
        for track in find_tracks(options.tracks, options.seconds):
            latents, _ = latents_of_driver(track, "bundled", 0, options.seconds, folder)
            pieces.append(latents[round(WARM_UP * sound.HOP_RATE) :])
    means = np.stack([piece.mean(0) for piece in pieces])
    slow = np.cov(np.concatenate([slowly(piece) for piece in pieces]), rowvar=False)
    tensors = {"slow": slow, "place_mean": means.mean(0), "place_covariance": np.cov(means, rowvar=False)}
    metadata = {"encoder": load_encoder("bundled").hash, "pieces": str(len(pieces))}
    save_file(
        {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()},
        options.out,
        metadata,
    )
    print(f"{options.out}: {len(pieces)} pieces of {options.seconds:g} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LavliveError as error:
        sys.exit(f"measure_programme: {error}")
