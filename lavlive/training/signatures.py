"""The thresholds of the failure signatures, measured: every provocation on every track.

    python -m lavlive.training.signatures FOLDER [--models FILE|bundled|random …] [--tracks NAME …]

FOLDER holds tracks, as `lavlive.training.study_tracks` makes it. Prints, for the defaults, each provocation
and each shipped preset, how far the meter of each signature went on each track as a multiple of its threshold
(above 1 is beyond), and which failures were named.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from lavlive.audio.tracks import read_track
from lavlive.control.looks.starting import preset_library
from lavlive.diagnosis.meters import Diagnosis
from lavlive.diagnosis.report import Report
from lavlive.diagnosis.signs import Signature, excesses, worst
from lavlive.encoder.base import Encoder
from lavlive.encoder.calibration import calibrate
from lavlive.encoder.weights import load_encoder
from lavlive.engine.loading import load_distribution
from lavlive.engine.offline import hops_of
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.wstats import measure_w, whitening
from lavlive.latent.features import FeatureExtractor, Features
from lavlive.latent.path import LatentPath
from lavlive.latent.programme import LatentStatistics
from lavlive.latent.space import WDistribution
from lavlive.parameters import GROUPS, ONE_HOP, Value, Values

_SECONDS = 30.0
"""Of each track: the last 20 s count."""


def windows(seconds: float) -> dict[str, Value]:
    """Windows alike in all groups."""
    return {f"smoothing.{group}": seconds for group in GROUPS}


_SHOWN = ("diversity", "jitter", "jitter_share", "lag", "strangeness", "distance")

PROVOCATIONS: dict[str, dict[str, Value]] = {
    "static": {"mapper.y": 0.05},
    "jitter": windows(ONE_HOP),
    "lag": {**windows(1.2), "mapper.y": 1.5},
    "glitch": {"mapper.y": 4.0, "mapper.c": 1.0},
}
"""What provokes each signature, and by the table in docs/diagnosis.md nothing else."""


class Heard:
    """A track as the encoder and the ear heard it once; plays as both, again and again."""

    def __init__(self, track: Path, encoder: Encoder) -> None:
        self.info, self.name, self.hash = encoder.info, encoder.name, encoder.hash
        self.sample_rate, self.hop, self.dimension = encoder.sample_rate, encoder.hop, encoder.dimension
        self.ahead, self.lookahead, self.delay = encoder.ahead, encoder.lookahead, encoder.delay
        self.trained, self.licence = encoder.trained, encoder.licence
        self.runner = encoder.runner
        encoder.reset()
        ear = FeatureExtractor(encoder.sample_rate, encoder.hop)
        self.embeddings: list[np.ndarray] = []
        self.features: list[Features] = []
        with read_track(str(track)) as opened:
            for hop in hops_of(opened, encoder):
                self.embeddings.append(encoder.step(hop.samples).copy())
                self.features.append(ear.step(hop.samples))
                if hop.time >= _SECONDS:
                    break
        self._next = 0

    def step(self, samples: np.ndarray) -> np.ndarray:
        """The next embedding, float32 [1, 128], whatever the samples are."""
        self._next += 1
        return self.embeddings[self._next - 1]

    def reset(self) -> None:
        """Begin again."""
        self._next = 0

    def save_state(self) -> dict[str, np.ndarray]:
        """Where it is."""
        return {"next": np.array(self._next)}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from there."""
        self._next = int(state["next"])

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """All of it, float32 [hops, 128]."""
        return np.concatenate(self.embeddings)


class Ear:
    """Tells features again that were heard before."""

    def __init__(self, features: list[Features]) -> None:
        self._features = iter(features)

    def step(self, samples: np.ndarray) -> Features:
        """The next ones, whatever the samples are."""
        return next(self._features)


def random_model(seed: int = 1) -> WDistribution:
    """What w a generator of random weights knows: 64², eight mapping layers."""
    torch.manual_seed(seed)
    generator = Generator(GeneratorConfig(64, channel_base=2048)).freeze()
    statistics = measure_w(generator)
    return WDistribution(whitening(statistics.covariance, statistics.std), statistics.own)


def _deciding(report: Report) -> dict[str, float]:
    """Median over the track of the excess that decides each verdict."""
    settled = [signs for signs in report.signs if signs.heard >= 10.0]
    return {
        signature.value: float(
            np.median([worst(signature, excesses(signs)[signature])[0] for signs in settled])
        )
        for signature in Signature
    }


def measure(
    heard: Heard, settings: Mapping[str, object], distribution: WDistribution, calibration: LatentStatistics
) -> Report:
    """The meters over a track under these settings."""
    heard.reset()
    path = LatentPath(heard, calibration, listener=Ear(heard.features))
    diagnosis, report, values = Diagnosis(path.rate, distribution), Report(), Values(settings)
    silence = np.zeros(heard.hop, np.float32)
    for index in range(len(heard.embeddings)):
        latent = path.step(silence, values.numbers)
        report.add(index / path.rate, diagnosis.step(latent), values.numbers)
    return report


def looks(presets: bool) -> dict[str, Mapping[str, object]]:
    """The defaults, the provocations, and the shipped presets as they are before the beat moves them."""
    shipped = preset_library().all() if presets else []
    return {"defaults": {}, **PROVOCATIONS, **{f"preset {each.name}": dict(each.values) for each in shipped}}


def main(argv: list[str]) -> int:
    """Print the table; the exit status is 1 where a provocation is not named alone or a default is."""
    parser = argparse.ArgumentParser(prog="python -m lavlive.training.signatures")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="*", default=["bundled", "random"])
    parser.add_argument("--tracks", nargs="*", default=["techno", "ambient", "folk"])
    parser.add_argument("--no-presets", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    encoder = load_encoder("bundled")
    calibration = calibrate(encoder)
    rows, wrong = [], 0
    heard = {name: Heard(options.folder / f"{name}.ogg", encoder) for name in options.tracks}
    for model in options.models:
        distribution = (
            random_model() if model == "random" else load_distribution(None if model == "bundled" else model)
        )
        for look, settings in looks(not options.no_presets).items():
            for name, track in heard.items():
                report = measure(track, settings, distribution, calibration)
                shares, deciding = report.shares(), _deciding(report)
                named = [signature for signature, share in shares.items() if share >= 0.5]
                meters = {meter: report.median(meter).tolist() for meter in _SHOWN}
                rows.append(
                    {"model": model, "look": look, "track": name, "named": named}
                    | {"shares": shares, "excess": deciding, "meters": meters}
                )
                expected = [look] if look in PROVOCATIONS else []
                wrong += not look.startswith("preset") and named != expected
                excess = "  ".join(f"{each} {value:5.2f}" for each, value in deciding.items())
                print(f"{model:8.8} {look:22} {name:12} {excess}  {shares or ''}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows), encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
