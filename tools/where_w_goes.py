"""Where in W a show goes, in figures: spread, dimensions, motion, and what makes tracks differ.

    python -m tools.where_w_goes TRACKS… [--preset NAME] [--set NAME=VALUE …] [--seconds 45] [--json FILE]

Runs the latent path over every track in turn, each from its own beginning, and prints per layer group, in
W_std:

    spread        root mean square of the deviation; the model's own w have 1
    dimensions    effective dimensions over all tracks: (Σλ)² / Σλ² of the covariance
    motion        root mean square of the change within a second
    between       root mean square distance of the tracks' means from their common mean
    within        root mean square distance of a track's deviations from its mean, mean over the tracks
    follows       rank correlation of the distances between moments in sound and in w+, mean over the tracks

The first ten seconds of a track are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lavlive.commands.typed import split_setting
from lavlive.control.looks.starting import initial_values
from lavlive.errors import LavliveError
from lavlive.latent.path import LatentPath
from lavlive.parameters import GROUPS
from lavlive.study import measures, sound
from lavlive.study.drivers import Recorded, driver_hash
from lavlive.study.material import WARM_UP, RecordedFeatures, find_tracks, hear_track, latents_of_driver


@dataclass(frozen=True)
class Figures:
    """See the module; a value for each layer group, but for ``follows``."""

    spread: list[float]
    dimensions: list[float]
    motion: list[float]
    between: list[float]
    within: list[float]
    follows: float


def effective_dimensions(values: np.ndarray) -> float:
    """(Σλ)² / Σλ² of the covariance of values [n, dimension]: how many directions they use."""
    away = values - values.mean(0)
    gram = away.T @ away if len(away) >= away.shape[1] else away @ away.T
    return float(np.trace(gram) ** 2 / np.square(gram).sum())


def figures(deviations: list[np.ndarray], heard: list[sound.Description]) -> Figures:
    """Of deviations [hops, groups, dimension] of every track, and what is known of its sound."""
    rate = round(sound.HOP_RATE)
    follows = [_follows(track, known) for track, known in zip(deviations, heard, strict=True)]
    deviations = [track[round(WARM_UP * sound.HOP_RATE) :] for track in deviations]
    everything = np.concatenate(deviations)
    means = np.stack([track.mean(0) for track in deviations])
    groups = range(everything.shape[1])

    def size(values: np.ndarray) -> list[float]:
        return [float(np.sqrt(np.square(values[:, g]).mean())) for g in groups]

    within = np.mean([size(track - track.mean(0)) for track in deviations], axis=0)
    changes = np.concatenate([track[rate:] - track[:-rate] for track in deviations])
    return Figures(
        spread=size(everything),
        dimensions=[effective_dimensions(everything[::5, g]) for g in groups],
        motion=size(changes),
        between=size(means - means.mean(0)),
        within=within.tolist(),
        follows=float(np.mean(follows)),
    )


def _follows(deviation: np.ndarray, known: sound.Description) -> float:
    ends = sound.window_ends(len(deviation), WARM_UP)
    layers = measures.distances(sound.window_means(deviation, ends))
    return measures.similarity(measures.distances(known.whole), layers, sound.STRIDE_SECONDS)


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(prog="python -m tools.where_w_goes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("tracks", nargs="+", metavar="TRACKS", help="sound files or folders of them")
    parser.add_argument("--encoder", default="bundled")
    parser.add_argument("--preset")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="NAME=VALUE")
    parser.add_argument("--seconds", type=float, default=45.0, help="of each track")
    parser.add_argument("--keep", type=Path, help="folder for decoded sound and latents, to go on sooner")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    values = initial_values(options.preset, dict(map(split_setting, options.settings)))
    with tempfile.TemporaryDirectory(prefix="lavlive-w-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        deviations, heard = [], []
        for track in tqdm(find_tracks(options.tracks, options.seconds), unit="track", disable=None):
            known = hear_track(track, options.seconds, folder)
            latents, calibration = latents_of_driver(track, options.encoder, 0, options.seconds, folder)
            path = LatentPath(
                Recorded(latents, driver_hash(options.encoder)), calibration, listener=RecordedFeatures(known)
            )
            silence = np.zeros(sound.HOP, np.float32)
            made = np.stack([path.step(silence, values.numbers).deviation for _ in latents])
            deviations.append(made)
            heard.append(known.description)
    found = figures(deviations, heard)
    for name, numbers in asdict(found).items():
        row = numbers if isinstance(numbers, list) else [numbers]
        print(f"{name:<12}" + "".join(f"{number:9.3f}" for number in row))
    print(f"{'':<12}" + "".join(f"{group:>9}" for group in GROUPS))
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LavliveError as error:
        sys.exit(f"where_w_goes: {error}")
