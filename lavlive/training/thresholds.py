"""What two thresholds of the failure signatures rest on: when motion no longer follows, when w looks wrong.

    python -m lavlive.training.thresholds FOLDER [--model FILE] [--tracks NAME …]

FOLDER holds tracks, as `lavlive.training.study_tracks` makes it. Prints how well motion follows onsets for
windows of several lengths, beside what other tracks' onsets reach; and, for several spreads and leaks, how
far w+ and the pictures made of it lie from the model's own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from lavlive.diagnosis.meters import Diagnosis
from lavlive.encoder.calibration import calibrate
from lavlive.encoder.weights import load_encoder
from lavlive.engine.loading import load_model
from lavlive.engine.picture_worker import Model
from lavlive.generator.importing import open_model
from lavlive.latent.features import Features
from lavlive.latent.path import LatentPath
from lavlive.latent.programme import LatentStatistics
from lavlive.parameters import INDEX, Value, Values
from lavlive.resources import generator_file
from lavlive.study.pictures import thumbnail
from lavlive.training.signatures import Ear, Heard, windows

WINDOWS = (0.1, 0.3, 0.5, 0.7, 1.0, 4.0)
SPREADS = ((1.0, 0.1), (2.0, 0.1), (4.0, 0.1), (2.0, 1.0), (4.0, 1.0))
"""y and c."""
_SETTLED = 10.0
_EVERY = 0.6
"""Seconds from picture to picture."""
_OWN = 500


def followed(heard: Heard, onsets: list[Features], window: float, calibration: LatentStatistics) -> float:
    """Highest correlation of these onsets with the fine layers' motion, at a delay to 0.6 s: the meter's."""
    heard.reset()
    path = LatentPath(heard, calibration, listener=Ear(onsets))
    values = Values({**windows(window), "smoothing.keep_energy": 0.0})
    diagnosis = Diagnosis(path.rate)
    silence = np.zeros(heard.hop, np.float32)
    seen = []
    for _ in range(min(len(heard.embeddings), len(onsets))):
        signs = diagnosis.step(path.step(silence, values.numbers))
        seen.append(float(signs.onset_correlation[2]))
    return float(np.median(seen[round(_SETTLED * path.rate) :]))


def statistics(picture: np.ndarray) -> np.ndarray:
    """Fourteen numbers of a picture, uint8 [H, W, 3]: light and colour and their spreads, clipping, edges."""
    lab = thumbnail(picture).reshape(-1, 3)
    grey = picture.mean(axis=2) / 255.0
    edges = []
    for scale in (1, 2, 4, 8):
        side = len(grey) // scale
        small = grey[: side * scale, : side * scale].reshape(side, scale, side, scale).mean(axis=(1, 3))
        edges.append(np.log(np.mean(np.abs(np.diff(small, axis=0))) + 1e-4))
        edges.append(np.log(np.abs(np.diff(small, axis=1)).std() + 1e-4))
    clipped = [np.log(np.mean(grey < 0.02) + 1e-2), np.log(np.mean(picture > 250) + 1e-3)]
    return np.array([lab[:, 0].mean(), *lab.std(axis=0), *edges, *clipped])


class Likeness:
    """How far pictures are from a model's own, by Mahalanobis' distance of their statistics.

    Args:
        own: statistics of the model's own pictures [n, 14]; half of them say where 99 % lie.
    """

    def __init__(self, own: np.ndarray) -> None:
        known, judged = own[::2], own[1::2]
        self._mean = known.mean(axis=0)
        covariance = np.cov(known, rowvar=False)
        self._inverse = np.linalg.inv(
            covariance + 0.01 * np.diag(np.diag(covariance)) + 1e-9 * np.eye(len(covariance))
        )
        self._edge, self._usual = 1.0, 1.0
        distances = self._distances(judged)
        self._edge, self._usual = float(np.quantile(distances, 0.99)), float(np.median(distances))

    def __call__(self, rows: np.ndarray) -> tuple[float, float]:
        """Share beyond 99 % of the model's own, and the median distance as a multiple of theirs."""
        distances = self._distances(rows)
        return float(np.mean(distances > self._edge)), float(np.median(distances)) / self._usual

    def _distances(self, rows: np.ndarray) -> np.ndarray:
        away = rows - self._mean
        return np.asarray(np.sqrt(np.einsum("ni,ij,nj->n", away, self._inverse, away)))


def own_pictures(model: Model, path: Path) -> Iterable[np.ndarray]:
    """Statistics of pictures of `_OWN` random z."""
    mapping = open_model(path).generator.mapping
    z = torch.randn(_OWN, 512, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ws = mapping(z).numpy()
    buffer = np.zeros_like(model.buffer)
    for w in ws:
        model.runner.picture_into(np.repeat(w[None], len(model.space(0).groups), axis=0), 1.0, buffer)
        yield statistics(buffer)


def strange(
    heard: Heard, settings: dict[str, Value], model: Model, calibration: LatentStatistics
) -> tuple[float, list[np.ndarray]]:
    """The median of the meter of strangeness (of its worst group), and the statistics of the pictures."""
    heard.reset()
    path = LatentPath(heard, calibration, listener=Ear(heard.features))
    values, space = Values(settings), model.space(0)
    diagnosis = Diagnosis(path.rate, space.distribution)
    silence = np.zeros(heard.hop, np.float32)
    far, pictures = [], []
    buffer = np.zeros_like(model.buffer)
    for hop in range(len(heard.embeddings)):
        latent = path.step(silence, values.numbers)
        signs = diagnosis.step(latent)
        if hop < _SETTLED * path.rate:
            continue
        far.append(float(signs.distance.max()))
        if hop % round(_EVERY * path.rate) == 0:
            noise = float(latent.numbers[INDEX["generator.noise"]])
            model.runner.picture_into(space.w_plus(latent.deviation, latent.truncation), noise, buffer)
            pictures.append(statistics(buffer))
    return float(np.median(far)), pictures


def main(argv: list[str]) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m lavlive.training.thresholds")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=generator_file(None))
    parser.add_argument(
        "--tracks",
        nargs="*",
        default=["techno", "ambient", "folk", "breakbeat", "orchestral", "rock-guitar"],
        help="pictures are made of the first three",
    )
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    encoder = load_encoder("bundled")
    calibration = calibrate(encoder)
    heard = [Heard(options.folder / f"{name}.ogg", encoder) for name in options.tracks]
    print("window, s   correlation of onsets and motion   with other tracks' onsets")
    for window in WINDOWS:
        own = [followed(one, one.features, window, calibration) for one in heard]
        other = [
            followed(a, b.features, window, calibration)
            for a, b in zip(heard, heard[1:] + heard[:1], strict=True)
        ]
        print(
            f"{window:9.1f}   {np.mean(own):.2f} ({min(own):.2f} to {max(own):.2f})   {np.mean(other):.2f}",
            flush=True,
        )
    model = load_model(str(options.model))[0]
    likeness = Likeness(np.array(list(own_pictures(model, options.model))))
    print("y, c        distance of w+   pictures beyond 99 % of the model's own   their distance, median")
    for y, c in SPREADS:
        runs = [strange(one, {"mapper.y": y, "mapper.c": c}, model, calibration) for one in heard[:3]]
        looks = [likeness(np.array(rows)) for _, rows in runs]
        distances = ", ".join(f"{far:.2f}" for far, _ in runs)
        beyond = ", ".join(f"{share:.0%}" for share, _ in looks)
        print(
            f"{y:g}, {c:g}   {distances}   {beyond}   {', '.join(f'{usual:.1f}' for _, usual in looks)}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
