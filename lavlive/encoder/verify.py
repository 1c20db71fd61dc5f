"""Does the streaming encoder equal the package's own, and how fast is a hop? On a track of yours.

    python -m lavlive.encoder.verify TRACK [--encoder encodec|bundled|FILE|random] [--seconds 60]

Prints the largest absolute difference of the latents in units of their standard deviation, for each
runner and each way to cut the sound into pieces, and the time of a hop beside two baselines: ``encodec``
encoding the last second anew for every hop, and the streaming encoder in eager torch.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from torch import nn

from lavlive.encoder.base import Encoder, EncoderInfo
from lavlive.encoder.encodec_package import build_seanet_encoder
from lavlive.encoder.layers import Network, fold
from lavlive.encoder.runners import open_encoder
from lavlive.encoder.weights import read_seanet_encoder
from lavlive.errors import LavliveError, RunnerError

_RUNNERS = ("torch", "onnx", "cuda")
_TIMED_HOPS = 750


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 0 when every difference is within the tolerance, else 1, and 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m lavlive.encoder.verify", description=__doc__.split("\n")[0]
    )
    parser.add_argument("track", type=Path)
    parser.add_argument("--encoder", default="random", help="random: EnCodec's shape with seeded weights")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--runners", nargs="+", default=_RUNNERS, choices=_RUNNERS, metavar="RUNNER")
    parser.add_argument("--threads", type=int, default=1, help="of torch, for everything")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="in standard deviations of the latents")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    try:
        if chosen.encoder == "random":
            torch.manual_seed(0)
            original = build_seanet_encoder(causal=True)
            info = EncoderInfo("random weights in EnCodec's shape")
        else:
            original, info = read_seanet_encoder(chosen.encoder)
        samples = _read(chosen.track, info.sample_rate, chosen.seconds)
        worst = _compare(original, info, samples, chosen.runners)
        _time(original, info, samples)
    except (LavliveError, OSError, soundfile.LibsndfileError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if worst <= chosen.tolerance else 1


def pieces(length: int, hop: int, kind: str) -> Iterator[slice]:
    """Slices that cut ``length`` samples into pieces: ``1 hop``, ``7 hops`` or ``random``."""
    random = np.random.default_rng(0)
    start = 0
    while start < length:
        hops = {"1 hop": 1, "7 hops": 7}.get(kind) or int(random.integers(1, 120))
        yield slice(start, min(length, start + hops * hop))
        start += hops * hop


def _read(track: Path, rate: int, seconds: float) -> np.ndarray:
    with soundfile.SoundFile(track) as file:
        sound = file.read(int(seconds * file.samplerate), dtype="float32", always_2d=True)
        samples = soxr.resample(sound.mean(axis=1), file.samplerate, rate)
    return np.ascontiguousarray(samples, dtype=np.float32)


def _compare(original: nn.Module, info: EncoderInfo, samples: np.ndarray, runners: Sequence[str]) -> float:
    network = fold(original)
    samples = samples[: len(samples) // network.hop * network.hop]
    print(f"{info.title}: {len(samples) / info.sample_rate:.1f} s, {len(samples) // network.hop} latents")
    constant = _offline(original, samples, "constant")
    reflecting = _offline(original, samples, "reflect")
    spread = float(constant.std())
    worst = 0.0
    for encoder in _encoders(network, info, runners):
        for kind in ("1 hop", "7 hops", "random"):
            encoder.reset()
            latents = np.concatenate(
                [encoder.step(samples[p]) for p in pieces(len(samples), encoder.hop, kind)]
            )
            same = float(np.abs(latents - constant).max()) / spread
            later = float(np.abs(latents - reflecting)[100:].max()) / spread
            worst = max(worst, same, later)
            print(
                f"  {encoder.runner:5}  pieces of {kind:7}  to pad_mode=constant {same:.1e}   "
                f"to the reflecting default, from hop 100 on {later:.1e}"
            )
        changed = samples.copy()
        half = len(samples) // network.hop // 2 * network.hop
        changed[half:] = -changed[half:][::-1]
        encoder.reset()
        before = encoder.step(samples)[: half // network.hop]
        encoder.reset()
        after = encoder.step(changed)[: half // network.hop]
        difference = float(np.abs(before - after).max()) / spread
        worst = max(worst, difference)
        print(f"  {encoder.runner:5}  another future changes the past by {difference:.1e}")
    return worst


def _time(original: nn.Module, info: EncoderInfo, samples: np.ndarray) -> None:
    network = fold(original)
    hop, second = network.hop, info.sample_rate
    hops = min(_TIMED_HOPS, len(samples) // hop)

    def again(index: int) -> None:
        end = max(second, (index + 1) * hop)
        _offline(original, samples[end - second : end], "reflect")

    print("one hop, milliseconds: median, 95th percentile")
    figures = {"re-encoding": _milliseconds(again, min(60, hops))}
    for encoder in _encoders(network, info, _RUNNERS):
        encoder.reset()

        def step(index: int, encoder: Encoder = encoder) -> None:
            encoder.step(samples[index * hop : (index + 1) * hop])

        figures[encoder.runner] = _milliseconds(step, hops)
    for name, (median, high) in figures.items():
        to_again, to_eager = figures["re-encoding"][0] / median, figures["torch"][0] / median
        print(
            f"  {name:12} {median:7.2f} {high:7.2f}   {to_again:6.1f} times re-encoding,"
            f" {to_eager:5.1f} times eager"
        )


def _milliseconds(work: Callable[[int], object], count: int) -> tuple[float, float]:
    times = []
    for index in range(count):
        start = time.perf_counter()
        work(index)
        times.append(time.perf_counter() - start)
    median, high = np.quantile(times[count // 10 :], (0.5, 0.95)) * 1e3
    return float(median), float(high)


def _encoders(network: Network, info: EncoderInfo, runners: Sequence[str]) -> Iterator[Encoder]:
    for runner in runners:
        try:
            yield open_encoder(network, info, runner)
        except RunnerError as error:
            print(f"  {runner:5}  not here: {error}")


def _offline(encoder: nn.Module, samples: np.ndarray, pad_mode: str) -> np.ndarray:
    for module in encoder.modules():
        if hasattr(module, "pad_mode"):
            module.pad_mode = pad_mode  # type: ignore[assignment]
    with torch.no_grad():
        latents: np.ndarray = encoder(torch.from_numpy(samples)[None, None])[0].t().contiguous().numpy()
    return latents


if __name__ == "__main__":
    sys.exit(main())
