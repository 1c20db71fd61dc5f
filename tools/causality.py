"""What causality costs the paper's path: windows centred on their moment against windows that end there.

    python -m tools.causality TRACKS… [--seconds 45] [--json FILE]

Every track is encoded whole, as published, by three encoders: lavlive's own (24 kHz, causal, trained), and
EnCodec's published shapes at 24 kHz (causal) and at 32 kHz (hears 75 ms ahead, 50 latents a second) with
random weights. Random weights say nothing about what the published ones hear; the pair shows what rate,
context and windows do by themselves. Each is projected, standardised over the track and mapped (y, c), then
averaged per layer group, over the default windows and over longer ones, once centred and once causally.
Printed, as means over the tracks:

    follows   rank correlation of the distances between moments in sound and in w+ (1: the same geometry)
    answers   highest correlation of onsets with the speed of w+, over delays up to 1.5 s
    late      the delay at which it is reached, seconds
    same      correlation of the causal w+ with the centred one of the same moment
    shifted   the same, once the causal one is moved back by its windows' own delay, (N − 1)/2 latents
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from lavlive.audio.tracks import ResampledTrack
from lavlive.control.looks.starting import initial_values
from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.layers import Network, fold
from lavlive.encoder.offline import encode_offline
from lavlive.encoder.weights import read_network
from lavlive.errors import LavliveError
from lavlive.latent.mapper import leaky_tanh
from lavlive.latent.published import centred, linear
from lavlive.latent.smoothing import GroupSmoother
from lavlive.parameters import GROUPS
from lavlive.study import measures, sound
from lavlive.study.material import WARM_UP, find_tracks, hear_track

W_DIM = 512
LONGER = (4.0, 1.0, 0.2)
"""Seconds for coarse, middle and fine: windows that a slow piece is shown with."""


@dataclass(frozen=True)
class Row:
    """See the module."""

    encoder: str
    windows: str
    centred: bool
    follows: float
    answers: float
    late: float
    same: float
    shifted: float


def encoders() -> Iterator[tuple[str, int, Network]]:
    """Name, hertz and layers."""
    network, info = read_network("bundled")
    yield "bundled 24 kHz", info.sample_rate, network
    for rate, ratios, filters, causal in (
        (24_000, [8, 5, 4, 2], 32, True),
        (32_000, [8, 5, 4, 4], 64, False),
    ):
        torch.manual_seed(0)
        shape = {"ratios": ratios, "n_filters": filters, "causal": causal, "lstm": 2, "dimension": 128}
        yield f"random {rate // 1000} kHz", rate, fold(build_seanet_encoder(**shape))


def causal(mapped: np.ndarray, windows: np.ndarray, rate: float) -> np.ndarray:
    """Moving averages that end at their moment, float64 [n, groups, d]."""
    smoother = GroupSmoother(rate, len(GROUPS), mapped.shape[1])
    return np.stack([smoother.step(np.repeat(now[None], len(GROUPS), axis=0), windows) for now in mapped])


def at_study_rate(values: np.ndarray, rate: float, hops: int) -> np.ndarray:
    """Nearest in time at the study's rate: [hops, ...]."""
    return values[np.minimum(np.round(np.arange(hops) * rate / sound.HOP_RATE).astype(int), len(values) - 1)]


def figures(path: np.ndarray, known: sound.Description) -> tuple[float, float, float]:
    """Follows, answers and late of a path [hops, groups, d] at the study's rate."""
    ends = sound.window_ends(len(path), WARM_UP)
    layers = measures.distances(sound.window_means(path, ends))
    follows = measures.similarity(measures.distances(known.whole), layers, sound.STRIDE_SECONDS)
    onsets, speed = known.flux[: len(path)], measures.speed(path)
    return follows, *measures.answer(onsets, speed, sound.HOP_RATE, longest=1.5)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation over all moments and numbers."""
    return measures.correlation(one.ravel(), other.ravel())


def shifted(late: np.ndarray, windows: np.ndarray, rate: float, there: np.ndarray) -> float:
    """Mean over the groups of the correlation once each is moved back by its delay."""
    found = []
    for group, delay in enumerate(GroupSmoother.delay(windows, rate)):
        steps = round(delay * rate)
        length = round(2 * delay * rate) + 1  # both ends' windows take in fewer
        found.append(alike(late[steps + length :, group], there[length : len(there) - steps, group]))
    return float(np.mean(found))


def both_ways(
    mapped: np.ndarray, windows: np.ndarray, rate: float, known: sound.Description
) -> Iterator[tuple[float, ...]]:
    """The figures of a track [n, d] with centred and with causal windows."""
    hops = int(len(mapped) / rate * sound.HOP_RATE)
    there = np.stack([centred(mapped, window * rate) for window in windows], axis=1)
    late = causal(mapped, windows, rate)
    yield *figures(at_study_rate(there, rate, hops), known), 1.0, 1.0
    kept = alike(late, there), shifted(late, windows, rate, there)
    yield *figures(at_study_rate(late, rate, hops), known), *kept


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(prog="python -m tools.causality", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("tracks", nargs="+", metavar="TRACKS", help="sound files or folders of them")
    parser.add_argument("--seconds", type=float, default=45.0, help="of each track")
    parser.add_argument("--seed", type=int, default=0, help="of the projection")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    values = initial_values(None, {})
    y, c = values.number("mapper.y"), values.number("mapper.c")
    windows = {
        "default": np.array([values.number(f"smoothing.{group}") for group in GROUPS]),
        "longer": np.array(LONGER),
    }
    rows: dict[tuple[str, str, bool], list[tuple[float, ...]]] = {}
    tracks = find_tracks(options.tracks, options.seconds)
    with tempfile.TemporaryDirectory(prefix="lavlive-causality-") as folder, torch.inference_mode():
        heard = {track: hear_track(track, options.seconds, Path(folder)).description for track in tracks}
        for name, rate, network in encoders():
            for track in tqdm(tracks, desc=name, unit="track", disable=None):
                with ResampledTrack(track.path, rate) as opened:
                    samples = opened.read(int(options.seconds * rate)).mean(axis=1)
                samples = np.ascontiguousarray(samples[: len(samples) // network.hop * network.hop])
                projected = linear(encode_offline(network, samples, "reflect"), options.seed, W_DIM)
                standard = (projected - projected.mean(0)) / np.maximum(projected.std(0), 1e-12)
                mapped, pace = leaky_tanh(y * standard, c), rate / network.hop
                for which, lengths in windows.items():
                    for middle, measured in enumerate(both_ways(mapped, lengths, pace, heard[track])):
                        rows.setdefault((name, which, middle == 0), []).append(measured)
    table = [Row(*key, *np.nanmean(found, axis=0).tolist()) for key, found in rows.items()]
    print(f"{'':<34}" + "".join(f"{name:>9}" for name in ("follows", "answers", "late", "same", "shifted")))
    for row in table:
        head = f"{row.encoder:<16}{row.windows:<9}{'centred' if row.centred else 'causal':<9}"
        print(
            head + "".join(f"{n:9.3f}" for n in (row.follows, row.answers, row.late, row.same, row.shifted))
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in table], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LavliveError as error:
        sys.exit(f"causality: {error}")
