"""Trains a generator on pictures; `generator_options` says how it is asked."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from lavlive.errors import TrainingError
from lavlive.generator.checkpoint import save_generator
from lavlive.generator.network import GeneratorConfig
from lavlive.training import generator_checkpoints as checkpoints
from lavlive.training.generator_data import PictureSet, batches, load_pictures
from lavlive.training.generator_features import feature_network
from lavlive.training.generator_growth import finish, grow
from lavlive.training.generator_options import GeneratorOptions, parse
from lavlive.training.generator_recipe import Recipe
from lavlive.training.generator_sheets import random_w, render, walk_w, write_sheet
from lavlive.training.generator_trainer import Trainer


def stage_ends(first: int, resolution: int, shares: str) -> list[tuple[int, float]]:
    """Resolution of every stage, and the share of the whole at which it ends.

    Raises TrainingError for a resolution that no generator has, or shares that are no numbers.
    """
    for name, value in (("resolution", resolution), ("first-resolution", first)):
        if value < 8 or value & (value - 1):
            raise TrainingError(f"--{name} {value} is not a power of two of at least 8")
    resolutions = [min(first, resolution)]
    while resolutions[-1] < resolution:
        resolutions.append(2 * resolutions[-1])
    try:
        parts = [float(part) for part in shares.split(",")]
    except ValueError as error:
        raise TrainingError(f"--shares {shares!r}: expected numbers with commas between") from error
    if min(parts) < 0 or sum(parts) <= 0:
        raise TrainingError(f"--shares {shares!r}: shares are not negative, and not all zero")
    parts = (parts + [parts[-1]] * len(resolutions))[: len(resolutions)]
    ends = np.cumsum(parts) / sum(parts)
    return [(r, float(end)) for r, end in zip(resolutions, ends, strict=True)]


def fast_half(device: str) -> bool:
    """Whether bfloat16 is faster than float32 there."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # Not every torch that will do has this: without it, float32 is never wrong.
    supported: Callable[[], bool] = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return device == "cpu" and supported()


class Run:
    """One training run: it ends when its budget is used up, or when it is told to stop."""

    def __init__(self, options: GeneratorOptions) -> None:
        self.options = options
        self.out = options.out
        self.checkpoint = self.out / "training.pt"
        self.stages = stage_ends(options.first_resolution, options.resolution, options.shares)
        self.stopping = False
        if not options.resume and self.checkpoint.exists():
            raise TrainingError(f"{self.checkpoint} exists; say --resume to go on, or choose another --out")
        if options.resume and not self.checkpoint.exists():
            raise TrainingError(f"there is no {self.checkpoint} to resume from")
        self.data: dict[int, PictureSet] = {}
        resolution = self.stages[0][0]
        self._pictures(resolution)
        device = options.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        half = options.precision == "bfloat16" or (options.precision == "auto" and fast_half(device))
        config = GeneratorConfig(
            resolution,
            z_dim=options.code,
            w_dim=options.code,
            mapping_layers=1,
            channel_base=options.channel_base,
            channel_max=options.channel_max,
            channel_min=options.channel_min,
        )
        recipe = Recipe(
            batch=options.batch,
            rate_generator=options.rate,
            adversarial=options.adversarial,
            warm_up=options.warm_up,
            nats=options.nats,
            moments=options.moments,
            variety=options.variety,
            drawn=options.drawn,
            spread=options.spread,
            settle=options.settle,
            seed=options.seed,
        )
        features = feature_network(options.features)
        some = next(batches(self._pictures(resolution).train, 256, np.random.default_rng(options.seed)))
        colour = some.mean((0, 2, 3))
        self.trainer = Trainer(config, recipe, features, colour, torch.device(device), half, options.compile)
        if options.resume:
            checkpoints.load(self.trainer, self.checkpoint)
        elif options.start is not None:
            checkpoints.begin_from(self.trainer, options.start)
        if options.blocks_from is not None:
            checkpoints.take_blocks_of(self.trainer, options.blocks_from)

    def _pictures(self, resolution: int) -> PictureSet:
        if resolution not in self.data:
            loaded = load_pictures(self.options.data, resolution, self.out / "decoded")
            self.data = {resolution: loaded}
            if loaded.broken:
                tqdm.write(f"{loaded.broken} pictures could not be read and are left out")
        return self.data[resolution]

    def _done(self) -> float:
        """Share of the whole that is done."""
        progress = self.trainer.progress
        if self.options.pictures:
            return progress.pictures / float(self.options.pictures)
        return progress.seconds / (60 * (self.options.minutes or 90.0))

    def _stop(self, number: int, stack: FrameType | None) -> None:
        self.stopping = True

    def train(self) -> None:
        """Train to the end of the budget or until SIGINT or SIGTERM; both leave a checkpoint."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for resolution, end in self.stages:
                trained = self.trainer.generator.config.resolution
                if self.stopping or resolution < trained or self._done() >= end:
                    continue
                if resolution > trained:
                    self.trainer.grow(resolution)
                self._stage(resolution, end)
            self.keep()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stage(self, resolution: int, end: float) -> None:
        trainer = self.trainer
        random = np.random.default_rng((trainer.recipe.seed, trainer.progress.pictures))
        source: Iterator[Tensor] = batches(self._pictures(resolution).train, trainer.recipe.batch, random)
        # Noise is the easy way to fool a discriminator. In the show it is a grain, the same in all pictures.
        noise = 1.0 if self.options.noise and resolution == self.options.resolution else 0.0
        since_sheet = 0.0
        with tqdm(desc=f"{resolution}²", unit="picture", initial=trainer.progress.pictures) as bar:
            while self._done() < end and not self.stopping:
                started = time.perf_counter()
                seen = trainer.progress.pictures
                losses = trainer.step(source, noise)
                spent = time.perf_counter() - started
                trainer.progress.seconds += spent
                since_sheet += spent
                bar.update(trainer.progress.pictures - seen)
                bar.set_postfix({name: f"{value:.2f}" for name, value in losses.items()}, refresh=False)
                if since_sheet > 60 * self.options.sheet_minutes:
                    since_sheet = 0.0
                    trainer.history.append(
                        {"pictures": trainer.progress.pictures, "seconds": trainer.progress.seconds, **losses}
                    )
                    self.keep()

    def keep(self) -> None:
        """Write the checkpoint, the generator for the show and two sheets."""
        trainer = self.trainer
        checkpoints.save(trainer, self.checkpoint)
        average = trainer.average
        options = self.options
        final = options.resolution
        grown = grow(average, final) if average.config.resolution < final else average
        shown = finish(grown, trainer.cloud, options.w_dim)
        save_generator(self.out / "generator.safetensors", shown, self.card())
        average = finish(average, trainer.cloud, options.w_dim).freeze()
        name = f"{trainer.progress.pictures:08d}"
        rows = 6
        write_sheet(render(average, random_w(average, 8 * rows, 0)), self.out / f"random-{name}.jpg")
        write_sheet(render(average, walk_w(average, 8 * rows, 0, rows)), self.out / f"walk-{name}.jpg")
        tqdm.write(f"{name} pictures, {trainer.progress.seconds / 60:.1f} minutes: kept in {self.out}")

    def _shares(self) -> str:
        """What ``--shares`` has to be for the stages that came about: a run may have been stopped early."""
        progress = self.trainer.progress
        ends = [0, *progress.grown, progress.pictures]
        ends += [progress.pictures] * (len(self.stages) + 1 - len(ends))
        return ",".join(f"{part / max(progress.pictures, 1):.3g}" for part in np.diff(ends))

    def card(self) -> dict[str, Any]:
        """What a reader of the model should know; figures are added by ``evaluate``."""
        trainer, options = self.trainer, self.options
        return {
            "name": options.name or self.out.name,
            "trained": True,
            "licence": options.licence,
            "data": f"{options.data.name}, dim pictures brightened, each under its eight symmetries",
            "recipe": (
                "StyleGAN2 generator, trained as the decoder of a variational autoencoder with a code for "
                "each layer group and, at once, against a projected discriminator (hinge loss, moments "
                f"matched) on fixed features of {options.features}; details compared across a batch; "
                f"averaged weights, grown from {self.stages[0][0]}² to {options.resolution}²; w is normal, "
                "as sound draws it"
            ),
            "command": "python -m lavlive.training generator "
            f"--data {options.data.name} --resolution {options.resolution} --shares {self._shares()} "
            f"--channel-base {options.channel_base} --channel-max {options.channel_max} "
            f"--channel-min {options.channel_min} "
            f"--code {options.code} --batch {options.batch} --rate {options.rate} "
            f"--adversarial {options.adversarial} "
            f"--warm-up {options.warm_up} --nats {options.nats} --moments {options.moments} "
            f"--variety {options.variety} --spread {options.spread[0]} {options.spread[1]} "
            f"--drawn {options.drawn} {'' if options.settle else '--no-settle '}"
            f"{'--noise ' if options.noise else ''}"
            f"--features {options.features} --precision {options.precision} --seed {options.seed} "
            f"--pictures {trainer.progress.pictures}",
            "seed": options.seed,
            "trained_resolution": trainer.generator.config.resolution,
            "pictures_seen": trainer.progress.pictures,
            "hours": round(trainer.progress.seconds / 3600, 2),
            "device": str(trainer.device),
        }


def main(argv: list[str]) -> int:
    """The subcommand ``generator``."""
    Run(parse(argv)).train()
    return 0
