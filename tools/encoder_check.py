"""Compares full-size encoders of other codebases with themselves heard through lavlive, and times both.

    python -m tools.encoder_check TRACK --seconds 30 --transformers FOLDER

The models are randomly initialised and saved by their own code: the ``encodec`` package's at 24 and 48 kHz,
and transformers' at 24, 32 and 48 kHz (``--transformers`` names a folder that holds the package, if it is not
installed). Their latents of the track, made there and offline, are compared with lavlive's, offline and
streamed in pieces of several sizes. Differences are the largest one, in deviations of the reference's
latents; a stream's leave out what the ends' padding changes: the first second, and the last latents, which
wait for sound.

The time is that of one latent on one thread, in one run: lavlive's next hop, against the other codebase's
network encoding the last second anew, which is what gives a latent without a stream. Random weights say
nothing about meaning, and all about numbers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lavlive.audio.tracks import ResampledTrack
from lavlive.encoder.encodec_package import encodec_modules
from lavlive.encoder.offline import encode_offline
from lavlive.encoder.pieces import Pieces
from lavlive.encoder.weights import load_encoder, read_network

SIZES = (1, 319, 997, 24_000)
SHAPES: dict[int, dict[str, object]] = {
    24_000: {},
    32_000: {
        "sampling_rate": 32_000,
        "num_filters": 64,
        "upsampling_ratios": [8, 5, 4, 4],
        "use_causal_conv": False,
        "use_conv_shortcut": False,
        "codebook_size": 2048,
        "target_bandwidths": [2.2],
    },
    48_000: {
        "sampling_rate": 48_000,
        "audio_channels": 2,
        "normalize": True,
        "chunk_length_s": 1.0,
        "overlap": 0.01,
        "norm_type": "time_group_norm",
        "use_causal_conv": False,
    },
}
"""What differs from transformers' defaults in the published configurations."""


@dataclass
class Reference:
    """A randomly initialised model in its own codebase."""

    name: str
    rate: int
    encoder: nn.Module
    save: Callable[[Path], Path]

    def latents(self, samples: np.ndarray) -> np.ndarray:
        """Float32 [samples] to float32 [n, dimension]; at 48 kHz whole seconds, each at its own level."""
        sound = torch.from_numpy(samples)[None, None]
        if self.rate != 48_000:
            return self.encoder(sound)[0].t().numpy()
        seconds = []
        for second in sound.split(self.rate, dim=2):
            level = second.square().mean().sqrt() + 1e-8
            seconds.append(self.encoder((second / level).expand(1, 2, -1))[0])
        return torch.cat(seconds, dim=1).t().numpy()


def of_transformers(rate: int) -> Reference:
    from transformers import EncodecConfig, EncodecModel  # type: ignore[import-not-found, unused-ignore]

    model = EncodecModel(EncodecConfig(**SHAPES[rate])).eval()

    def save(folder: Path) -> Path:
        model.save_pretrained(folder)
        return folder

    return Reference(f"transformers {rate // 1000} kHz", rate, model.encoder, save)


def of_encodec(rate: int) -> Reference:
    encodec_modules()
    import encodec

    make = (
        encodec.EncodecModel.encodec_model_24khz
        if rate == 24_000
        else encodec.EncodecModel.encodec_model_48khz
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make(pretrained=False).eval()

    def save(folder: Path) -> Path:
        torch.save(model.state_dict(), folder / "encodec.th")
        return folder / "encodec.th"

    return Reference(f"encodec {rate // 1000} kHz", rate, model.encoder, save)


def streams(reference: Reference, path: Path, samples: np.ndarray, expected: np.ndarray) -> tuple[str, float]:
    """A cell per size of piece, and the look-ahead in seconds."""
    encoder = load_encoder(path)
    cells = []
    skipped = reference.rate // encoder.hop
    for size in SIZES:
        pieces = Pieces(encoder)
        parts = [pieces.step(samples[start : start + size]) for start in range(0, len(samples), size)]
        latents = np.concatenate(parts)
        if reference.rate == 48_000:
            skipped = 0  # each second begins anew
        apart = np.abs(latents[skipped:] - expected[skipped : len(latents)]).max() / expected.std()
        cells.append(f"{apart:.1e} ({len(latents)})")
    return "  ".join(cells), encoder.lookahead


def unheard(path: Path, samples: np.ndarray) -> float:
    """How far a latent moves when all that lies beyond its look-ahead is replaced by loud noise."""
    encoder = load_encoder(path)
    wanted = 40
    last = wanted * encoder.hop + encoder.ahead if encoder.ahead else wanted * encoder.hop
    other = samples.copy()
    other[last:] = np.random.default_rng(0).uniform(-1, 1, len(other) - last)
    end = last + encoder.hop * 4
    first, second = (Pieces(encoder).step(sound[:end])[:wanted] for sound in (samples, other))
    return float(np.abs(first - second).max() / first.std())


def times(reference: Reference, path: Path, samples: np.ndarray) -> str:
    encoder = load_encoder(path)
    encoder.reset()
    hop = encoder.hop
    ours: list[float] = []
    theirs: list[float] = []
    second = reference.rate // hop
    for at in range(second, 4 * second):
        begin = time.perf_counter()
        encoder.step(samples[at * hop : (at + 1) * hop])
        ours.append(time.perf_counter() - begin)
        if at % (second // 5) == 0:
            begin = time.perf_counter()
            reference.latents(samples[(at + 1) * hop - reference.rate : (at + 1) * hop])
            theirs.append(time.perf_counter() - begin)
    mean, again = 1e3 * float(np.mean(ours)), 1e3 * float(np.median(theirs))
    p95 = 1e3 * float(np.percentile(ours, 95))
    return (
        f"{encoder.runner}: mean {mean:.2f}, p95 {p95:.2f} ms of {1e3 * hop / reference.rate:.1f} ms;"
        f" the last second anew {again:.1f} ms: {again / mean:.0f} x"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.encoder_check", description=__doc__)
    parser.add_argument("track", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--transformers", type=Path, help="a folder that holds the package")
    options = parser.parse_args()
    if options.transformers is not None:
        sys.path.append(str(options.transformers))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with torch.inference_mode():
        for make, rate in (
            (of_encodec, 24_000),
            (of_encodec, 48_000),
            (of_transformers, 24_000),
            (of_transformers, 32_000),
            (of_transformers, 48_000),
        ):
            check(make(rate), options.track, options.seconds)


def heard(track: Path, rate: int, seconds: float) -> np.ndarray:
    """The track's beginning at ``rate``, float32 [samples]."""
    with ResampledTrack(track, rate) as opened:
        return np.ascontiguousarray(opened.read(int(seconds * rate)).mean(axis=1))


def check(reference: Reference, track: Path, seconds: float) -> None:
    samples = heard(track, reference.rate, seconds)
    with tempfile.TemporaryDirectory() as folder:
        path = reference.save(Path(folder))
        network, info = read_network(path)
        samples = np.ascontiguousarray(samples[: len(samples) // network.hop * network.hop])
        expected = reference.latents(samples)
        offline = encode_offline(network, samples, "reflect")
        apart = np.abs(offline - expected).max() / expected.std()
        cells, lookahead = streams(reference, path, samples, expected)
        print(f"{reference.name}: {len(expected)} latents, {info.sample_rate / network.hop:g} a second")
        print(f"  offline {apart:.1e}; streamed in pieces of {', '.join(map(str, SIZES))}: {cells}")
        moved = ""
        if network.segment is None:
            moved = f"; what lies beyond it moves a latent by {unheard(path, samples):.0e}"
        print(f"  look-ahead {1e3 * lookahead:.1f} ms{moved}")
        print(f"  {times(reference, path, samples)}", flush=True)


if __name__ == "__main__":
    main()
