"""Each stage of the path on its own, beside the baselines, in turn and in one process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from lavlive.audio.block import Block
from lavlive.audio.hops import HopCutter
from lavlive.bench.baselines import EagerStream, LastSecond, Textbook
from lavlive.bench.exported import exported_baselines
from lavlive.bench.measure import Samples, Summary, interleave
from lavlive.diagnosis.meters import Diagnosis
from lavlive.encoder.calibration import calibrate, calibration_clip
from lavlive.encoder.weights import load_encoder, read_seanet_encoder
from lavlive.engine.loading import load_distribution
from lavlive.generator.checkpoint import LoadedGenerator, stylegan2_of
from lavlive.generator.importing import open_model
from lavlive.generator.runner import Runner, available_runners, open_runner, spare_threads
from lavlive.generator.wstats import w_statistics
from lavlive.latent.path import LatentPath
from lavlive.latent.space import Space, layer_groups
from lavlive.link.memory import SharedBlock
from lavlive.parameters import Values
from lavlive.resources import generator_file

_PICTURES = 16


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster lavlive is than a baseline that ran in turn with it.

    Attributes:
        times: by the tenth percentiles. Other programs only ever slow a task down, and a baseline whose
            threads wait for each other most of all.
        median, p5, p95: of the ratios turn by turn, by the quickest call of each. What ran in one turn ran
            within half a second, so a processor whose pace changes for seconds changes both.
    """

    what: str
    baseline: str
    times: float
    median: float
    p5: float
    p95: float

    @classmethod
    def of(cls, what: str, baseline: str, samples: Mapping[str, Samples]) -> Ratio:
        """Of two tasks that `interleave` ran."""
        ours, theirs = samples[what], samples[baseline]
        p5, median, p95 = np.percentile(theirs.turns / ours.turns, (5, 50, 95)).tolist()
        return cls(what, baseline, theirs.summary.p10 / ours.summary.p10, median, p5, p95)


@dataclass(frozen=True, slots=True)
class Difference:
    """Between a runner's pictures and those of float32 torch, in levels of 255."""

    runner: str
    largest: int
    mean: float


@dataclass(frozen=True)
class StageResults:
    """What `measure_stages` found.

    Attributes:
        encoder, generator: names of the models.
        summaries: by stage, milliseconds.
        ratios: against the baselines.
        differences: of the pictures.
    """

    encoder: str
    generator: str
    summaries: dict[str, Summary]
    ratios: list[Ratio]
    differences: list[Difference]

    @property
    def best(self) -> list[Ratio]:
        """Of every stage the ratio to the fastest of its baselines: what we are worth to a capable user."""
        least: dict[str, Ratio] = {}
        for ratio in self.ratios:
            if ratio.what not in least or ratio.times < least[ratio.what].times:
                least[ratio.what] = ratio
        return list(least.values())


def open_generator(path: str | None) -> LoadedGenerator:
    """A bundled generator by its name, or that of a file; the first bundled one for None."""
    return open_model(generator_file(path))


def music(encoder: Any, count: int) -> np.ndarray:
    """Hops of the demo track, float32 [count, hop], again from its start where it is shorter."""
    clip = calibration_clip(encoder.sample_rate)
    return np.resize(clip[: len(clip) // encoder.hop * encoder.hop], (count, encoder.hop))


def cycle(items: Any, use: Callable[[Any], object]) -> Callable[[], object]:
    """A task that uses the next item at every call, so that nothing is measured twice on the same input."""
    position = 0

    def task() -> object:
        nonlocal position
        position += 1
        return use(items[position % len(items)])

    return task


def likely_w_plus(loaded: LoadedGenerator, count: int) -> np.ndarray:
    """w+ as sound would make them: float32 [count, L, w_dim], groups that deviate by one W_std."""
    statistics = w_statistics(loaded.generator, loaded.hash)
    groups = layer_groups(loaded.generator.layer_resolutions)
    space = Space(statistics.mean, statistics.std, groups)
    random = np.random.default_rng(0)
    deviations = random.standard_normal((count, 3, len(statistics.mean))).astype(np.float32)
    return np.stack([space.w_plus(deviation, 1.0) for deviation in deviations])


def measure_stages(
    model: str | None, encoder_name: str, runners: list[str], seconds: float, threads: int | None = None
) -> StageResults:
    """Time every stage for about ``seconds`` in all.

    Args:
        model: a bundled generator's name or a file; None for the first bundled one.
        runners: of the generator; empty for all that can be had.
    """
    loaded = open_generator(model)
    share = seconds / 3
    encoder, encoder_rows, encoder_ratios = _measure_encoder(encoder_name, share)
    pictures, picture_rows, picture_ratios, differences = _measure_generator(loaded, runners, share, threads)
    rows = {**encoder_rows, **_measure_rest(encoder, pictures, share), **picture_rows}
    return StageResults(
        encoder.info.title,
        str(loaded.card.get("name", model)),
        rows,
        encoder_ratios + picture_ratios,
        differences,
    )


def _measure_encoder(name: str, seconds: float) -> tuple[Any, dict[str, Summary], list[Ratio]]:
    encoder = load_encoder(name)
    original, info = read_seanet_encoder(name)
    hops = music(encoder, 64)
    last_second = LastSecond(original, info.sample_rate)
    eager = EagerStream(original)
    ours = f"encode one hop ({encoder.runner})"
    baselines = {
        "(a) encodec on the last second": last_second.step,
        "(b) encodec's layers, eager stream": eager.step,
    }
    tasks = {ours: cycle(hops, encoder.step), **{n: cycle(hops, step) for n, step in baselines.items()}}
    samples = interleave(tasks, seconds)
    ratios = [Ratio.of(ours, baseline, samples) for baseline in baselines]
    return encoder, {name: part.summary for name, part in samples.items()}, ratios


def _measure_rest(encoder: Any, pictures: np.ndarray, seconds: float) -> dict[str, Summary]:
    """Everything between device and stage but the two networks."""
    values = Values().numbers
    path = LatentPath(encoder, calibrate(encoder))
    cutter = HopCutter(encoder.hop, encoder.sample_rate)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (640, 2)).astype(np.float32)
    rest: list[float] = []
    latents = [path.step(hop, values) for hop in music(encoder, 64)]
    diagnosis = Diagnosis(path.rate, load_distribution(None))
    with SharedBlock.create() as link:

        def hand_over(pixels: np.ndarray) -> None:
            link.write_picture(pixels, 0.0, 0.0, 0)
            link.read_picture()

        tasks = {
            "condition, resample and cut one hop": lambda: cutter.step(Block(noise, 48_000, 0.0)),
            "map": cycle(music(encoder, 64), lambda hop: rest.append(path.step(hop, values).times[1])),
            "diagnose one hop and publish": cycle(latents, lambda it: link.write_signs(diagnosis.step(it))),
            "hand over": cycle(pictures, hand_over),
        }
        samples = interleave(tasks, seconds)
    summaries = {name: part.summary for name, part in samples.items() if name != "map"}
    # The path's own clock leaves the encoder out.
    return {**summaries, "map, modulate and smooth": Summary.of(rest)}


def _picture_into(runner: Runner, out: np.ndarray, w_plus: np.ndarray) -> None:
    runner.picture_into(w_plus, 1.0, out)


def _open_runners(loaded: LoadedGenerator, runners: list[str], threads: int | None) -> dict[str, Runner]:
    """Every runner; those of the CPU with as many threads as a show gives them and with all, as torch has."""
    opened = {}
    for name in runners or [name for name, lacking in available_runners().items() if lacking is None]:
        if name not in ("torch", "openvino"):
            opened[name] = open_runner(loaded, name)[0]
            continue
        counts = [threads] if threads else sorted({spare_threads(), os.cpu_count() or 1})
        for count in counts:
            opened[f"{name}, threads: {count}"] = open_runner(loaded, name, threads=count)[0]
    return opened


def _measure_generator(
    loaded: LoadedGenerator, runners: list[str], seconds: float, threads: int | None
) -> tuple[np.ndarray, dict[str, Summary], list[Ratio], list[Difference]]:
    generator = stylegan2_of(loaded)
    opened = _open_runners(loaded, runners, threads)
    config = generator.config
    out = np.empty((*config.size(config.resolution), 3), np.uint8)
    w_plus = likely_w_plus(loaded, _PICTURES)
    book = "(c) textbook StyleGAN2"
    textbook = Textbook(generator.synthesis)
    tasks: dict[str, Callable[[], object]] = {
        f"generate ({name})": cycle(w_plus, partial(_picture_into, runner, out))
        for name, runner in opened.items()
    }

    def by_the_book(w: np.ndarray) -> torch.Tensor:
        # The torch runner sets its own number.
        torch.set_num_threads(threads or os.cpu_count() or 1)
        return textbook.picture(torch.from_numpy(w)[None])

    tasks[book] = cycle(w_plus, by_the_book)
    exported = exported_baselines(generator, threads)
    for name, make in exported.makers.items():
        tasks[f"(d) {name}"] = cycle(w_plus, make)
    for name, reason in exported.lacking.items():
        print(f"Not compared with the textbook by {name}: {reason}", file=sys.stderr)
    samples = interleave(tasks, seconds)
    summaries = {name: part.summary for name, part in samples.items()}
    ratios = [
        Ratio.of(name, baseline, samples)
        for name in samples
        if name.startswith("generate")
        for baseline in samples
        if not baseline.startswith("generate")
    ]
    exact = np.stack([textbook.picture(torch.from_numpy(w)[None])[0].numpy() for w in w_plus])
    differences = []
    for name, runner in opened.items():
        gaps = np.empty(exact.shape, np.int16)
        for index, w in enumerate(w_plus):
            runner.picture_into(w, 1.0, out)
            gaps[index] = np.abs(out.astype(np.int16) - exact[index])
        differences.append(Difference(name, int(gaps.max()), float(gaps.mean())))
        runner.close()
    return exact, summaries, ratios, differences
