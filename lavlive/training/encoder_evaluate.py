"""What an encoder is worth: how well its codec rebuilds unheard music, and how well it drives pictures.

As a driver it is judged where the mapper reads it: latents go through the default random projection, are
standardised with the statistics of the demo track and pass the leaky tanh (y = 1, c = 0.1). There, two
hops of the same bar should be nearer to each other than two hops of different bars. The figure is the
area under the ROC curve of that decision: 0.5 is chance, 1 is perfect. Pairs less than 0.2 s apart do not
count, and the same hops are drawn for every candidate.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn
from tqdm import tqdm

from lavlive.encoder.seanet import StreamingEncoder
from lavlive.errors import TrainingError
from lavlive.resources import shipped
from lavlive.training import demo_track
from lavlive.training.encoder_codec import MelDistance, mel_filters
from lavlive.training.encoder_data import SAMPLE_RATE, Mono, Track, read_track

HOP = 320
HOPS_PER_SECOND = SAMPLE_RATE / HOP
DEFAULT_BAR = 2.0
Features = NDArray[np.float32]
Describe = Callable[[Mono], Features]
Figures = dict[str, dict[str, dict[str, dict[str, float]]]]
"""{track: {"rebuilding" or "driving": {candidate: {figure: value}}}}"""


@dataclass(frozen=True)
class Reconstruction:
    """SI-SDR in dB (higher is better) and multi-scale log-mel distance in dB (lower is better)."""

    si_sdr: float
    mel: float


@dataclass(frozen=True)
class Driving:
    """Areas under the ROC curve, of single hops and of means over 0.4 s: within bars, within sections.

    Those of sections compare different bars that carry the same name with bars of another name, and are
    NaN where a track's sections are not known. ``dimensions`` is the participation ratio of the features'
    covariance: over how many directions their movement is spread.
    """

    bar: float
    bar_smooth: float
    section: float
    section_smooth: float
    dimensions: float


class Coding(Protocol):
    """A codec in evaluation: the sound's copy comes first. No ``stages``: past the quantiser."""

    def __call__(self, sound: Tensor, stages: int) -> tuple[Tensor, Tensor, Tensor]:
        """One clip [1, 1, 320·T] to (copy, latents, commitment loss)."""


def candidates(encoder: nn.Module) -> dict[str, Describe]:
    """The trained encoder, the same one untrained, and 128 log-mel bands, each as sound to [hops, 128].

    Args:
        encoder: the ``encodec`` package's module, without weight norm.

    Raises:
        TrainingError: it does not give 128 numbers each 320 samples.
    """
    trained, untrained = StreamingEncoder(encoder), StreamingEncoder(_untrained(encoder))
    if (trained.dimension, trained.hop) != (128, HOP):
        raise TrainingError(
            f"the encoder gives {trained.dimension} numbers each {trained.hop} samples: "
            f"only encoders with 128 each {HOP} can be measured"
        )
    return {"trained": trained.encode, "untrained": untrained.encode, "log-mel": log_mel}


def _untrained(encoder: nn.Module) -> nn.Module:
    """The same network with torch's default start, as if built anew after ``manual_seed(0)``."""
    twin = deepcopy(encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in twin.modules():
            if isinstance(layer, nn.Conv1d | nn.LSTM):
                layer.reset_parameters()
    return twin


def log_mel(samples: Mono, bands: int = 128, window: int = 1024) -> Features:
    """Log-mel features of each hop, from the window that ends with the hop: float32 [hops, bands]."""
    padded = np.concatenate([np.zeros(window - HOP, np.float32), samples])
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::HOP][: len(samples) // HOP]
    shape = np.hanning(window).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * shape, axis=1)) ** 2 / shape.sum() ** 2
    return np.asarray(np.log10(power @ mel_filters(bands, window).numpy().T + 1e-8), np.float32)


class Mapper:
    """The latent path's projection and leaky tanh at their defaults, standardised on a calibration clip."""

    def __init__(self, describe: Describe, clip: Mono) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layer = nn.Linear(128, 512)
        self._describe = describe
        self._weight, self._bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        projected = describe(clip) @ self._weight.T + self._bias
        self._mean, self._std = projected.mean(axis=0), projected.std(axis=0) + 1e-9

    def __call__(self, samples: Mono) -> Features:
        """Sound to what moves W: float32 [hops, 512]."""
        u = (self._describe(samples) @ self._weight.T + self._bias - self._mean) / self._std
        return np.asarray(0.1 * u + 0.9 * np.tanh(u), np.float32)


def driving(features: Features, track: Track, seed: int = 0, pairs: int = 20_000) -> Driving:
    """How well features [hops, any] of a track tell its bars, and its sections where they are known."""
    bar = _bar_seconds(track)
    smooth = _moving_mean(features, round(0.4 * HOPS_PER_SECOND))
    time = np.arange(len(features)) / HOPS_PER_SECOND
    bars = (time / bar).astype(int)
    names = _section_names(track, time)
    figures = {}
    for kind, labels in (("bar", bars), ("section", names)):
        rng = np.random.default_rng(seed)
        first, second = rng.integers(0, len(features), (2, 30 * pairs))
        far = np.abs(time[first] - time[second]) >= (0.2 if kind == "bar" else bar)
        known = (labels[first] >= 0) & (labels[second] >= 0) & far
        same = labels[first] == labels[second]
        own, other = (np.flatnonzero(known & mask)[:pairs] for mask in (same, ~same))
        for name, values in ((kind, features), (f"{kind}_smooth", smooth)):
            if min(len(own), len(other)) < 100:
                figures[name] = float("nan")
                continue
            near, apart = (np.linalg.norm(values[first[i]] - values[second[i]], axis=1) for i in (own, other))
            figures[name] = roc_area(-near, -apart)
    spread = np.linalg.svd(features - features.mean(axis=0), compute_uv=False) ** 2
    return Driving(**figures, dimensions=float(spread.sum() ** 2 / max(float((spread**2).sum()), 1e-12)))


def roc_area(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """The chance that a positive score is above a negative one (Mann and Whitney 1947)."""
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)].sum()
    count = len(positive)
    return float((ranks - count * (count + 1) / 2) / (count * len(negative)))


def _bar_seconds(track: Track) -> float:
    return track.bar_seconds or DEFAULT_BAR


def _section_names(track: Track, time: NDArray[np.float64]) -> NDArray[np.int64]:
    labels = np.full(len(time), -1)
    order = sorted({name for name, _, _ in track.sections})
    for name, start, end in track.sections:
        labels[(time >= start) & (time < end)] = order.index(name)
    return labels


def _moving_mean(features: Features, hops: int) -> Features:
    total = np.cumsum(np.concatenate([np.zeros((1, features.shape[1])), features.astype(np.float64)]), axis=0)
    places = np.arange(1, len(features) + 1)
    starts = np.maximum(0, places - hops)
    return np.asarray((total[places] - total[starts]) / (places - starts)[:, None], np.float32)


def si_sdr(copy: Mono, sound: Mono) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019)."""
    target = sound * (float(copy @ sound) / max(float(sound @ sound), 1e-12))
    error = copy - target
    return float(10.0 * np.log10(max(float(target @ target), 1e-12) / max(float(error @ error), 1e-12)))


def reconstructions(codec: Coding, samples: Mono) -> dict[str, Reconstruction]:
    """The codec without and with its quantiser, next to a 32-band vocoder and to noise of the same level."""
    with torch.inference_mode():
        sound = torch.from_numpy(samples)[None, None]
        copies = {
            "codec": codec(sound, 0)[0][0, 0].numpy(),
            "codec, 8 codebooks": codec(sound, 8)[0][0, 0].numpy(),
        }
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(len(samples)).astype(np.float32)
    copies |= {"32 log-mel bands on noise": _vocode(samples, noise), "noise": noise * samples.std()}
    distance = MelDistance()
    figures = {}
    for name, copy in copies.items():
        with torch.inference_mode():
            mel = 10.0 * float(distance(torch.from_numpy(copy)[None, None], sound))
        figures[name] = Reconstruction(si_sdr(copy, samples), mel)
    return figures


def _vocode(samples: Mono, noise: Mono, window: int = 1024) -> Mono:
    """Noise given the spectral envelope of 32 mel bands at the encoder's hop: what log-mel can rebuild."""
    shape = torch.hann_window(window)
    filters = mel_filters(32, window)

    def analyse(sound: Mono) -> torch.Tensor:
        return torch.stft(
            torch.from_numpy(sound), window, HOP, window=shape, pad_mode="constant", return_complex=True
        )

    wanted, given = analyse(samples), analyse(noise)
    bands = (filters @ wanted.abs().square()) / filters.sum(dim=1, keepdim=True)
    spread = filters / filters.sum(dim=0, keepdim=True).clamp_min(1e-6)
    envelope = (spread.t() @ bands).sqrt()
    shaped = given / given.abs().square().mean().sqrt() * envelope
    copy = torch.istft(shaped, window, HOP, window=shape, length=len(samples))
    return np.asarray(copy.numpy(), np.float32)


def demo_as_track() -> Track:
    """The demo track with the sections of its script."""
    track = read_track(shipped("data") / "demo.ogg")
    sections = tuple((section.name, section.start, section.end) for section in demo_track.SECTIONS)
    return Track("demo", track.samples, sections, demo_track.BAR)


def evaluate(encoder: nn.Module, tracks: list[Track], codec: Coding | None = None) -> Figures:
    """Figures of every track: how the ``encoder`` drives, and what ``codec``, if any, rebuilds.

    ``encoder`` as in `candidates`.
    """
    clip = demo_as_track().samples
    clip = clip[: len(clip) // HOP * HOP]
    mappers = {name: Mapper(describe, clip) for name, describe in candidates(encoder).items()}
    figures: Figures = {}
    for track in tqdm(tracks, desc="evaluating", unit="track"):
        samples = np.ascontiguousarray(track.samples[: len(track.samples) // HOP * HOP])
        figures[track.name] = {
            "driving": {name: asdict(driving(mapper(samples), track)) for name, mapper in mappers.items()}
        }
        if codec is not None:
            rebuilt = reconstructions(codec, samples)
            figures[track.name]["rebuilding"] = {name: asdict(value) for name, value in rebuilt.items()}
    return figures


def means(figures: Figures, kind: str) -> dict[str, dict[str, float]]:
    """Means over tracks of one kind of figures, leaving out what is not known: {candidate: figures}."""
    table: dict[str, dict[str, float]] = {}
    for name, sample in next(iter(figures.values()))[kind].items():
        table[name] = {}
        for figure in sample:
            values = np.array([track[kind][name][figure] for track in figures.values()])
            known = values[np.isfinite(values)]
            table[name][figure] = float(known.mean()) if len(known) else float("nan")
    return table


def report(figures: Figures, title: str) -> str:
    """The means as Markdown tables, with the number of tracks on which the encoder beats the others."""
    lines = [f"### {title} ({len(figures)} track{'s' if len(figures) > 1 else ''})", ""]
    if all("rebuilding" in kinds for kinds in figures.values()):
        lines += ["| rebuilding | SI-SDR, dB | mel distance, dB |", "|---|---|---|"]
        for name, values in means(figures, "rebuilding").items():
            lines.append(f"| {name} | {values['si_sdr']:.1f} | {values['mel']:.2f} |")
        lines.append("")
    lines += [
        "| driving, AUC | bar | bar, 0.4 s | section | section, 0.4 s | dimensions |",
        "|---|---|---|---|---|---|",
    ]
    for name, values in means(figures, "driving").items():
        cells = [f"{value:.3f}" if np.isfinite(value) else "–" for value in values.values()]
        cells[-1] = f"{values['dimensions']:.1f}"
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for other in ("untrained", "log-mel"):
        wins = sum(
            track["driving"]["trained"]["bar"] > track["driving"][other]["bar"] for track in figures.values()
        )
        lines.append(f"\nBars: better than {other} on {wins} of {len(figures)} tracks.")
    return "\n".join(lines)
