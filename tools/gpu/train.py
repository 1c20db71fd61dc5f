"""Trains a generator on an NVIDIA GPU for some minutes, at the highest throughput that the card gives.

    tools/gpu-train --pack carried --checkpoint runs/flames/training.pt --data flames256.zip
    tools/gpu-train --carried carried --out trained --minutes 8
    tools/gpu-train --unpack trained --carried carried --to runs/flames/training.pt

The first makes a folder of at most 40 MiB: state, fixed features and pictures. The second needs torch,
numpy, safetensors, pillow and scipy beside lavlive. Every two minutes it writes into ``--out`` what it has:
``generator.safetensors`` for the show, the state (half precision, 16 MiB a file at most) and two sheets; so
nothing is lost when the machine goes away. The third makes of a state the checkpoint from which
``python -m lavlive.training generator --resume`` goes on. Adam's moments are not carried.

Never run on a GPU by us; tests run it on the CPU.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from lavlive.errors import LavliveError, TrainingError
from lavlive.generator.checkpoint import save_generator
from lavlive.generator.network import GeneratorConfig
from lavlive.training import generator_checkpoints as checkpoints
from lavlive.training.generator_growth import finish
from lavlive.training.generator_recipe import Recipe
from lavlive.training.generator_sheets import random_w, render, walk_w, write_sheet
from lavlive.training.generator_trainer import Trainer
from tools.gpu import pictures as card_pictures
from tools.gpu.features import pack, unpack
from tools.gpu.state import read_about, read_state, write_state

MOST_CARRIED = 40 << 20
BATCHES = (64, 128, 256)
_TRIAL_STEPS = 4
_RAMP_STEPS = 100
"""Adam begins without its moments: its rate rises over so many steps, or it would undo what was learned."""
_COMPILE_SECONDS = 180.0
"""With less left the compiler is not worth its time."""
_LAST_SECONDS = 20.0
"""Kept for writing at the end."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tools/gpu-train", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--pack", type=Path, metavar="FOLDER", help="make a folder to carry")
    what.add_argument("--unpack", type=Path, metavar="FOLDER", help="make a checkpoint of the state there")
    parser.add_argument("--checkpoint", type=Path, help="with --pack: training.pt of the ordinary training")
    parser.add_argument("--data", type=Path, help="with --pack: zip of pictures")
    parser.add_argument("--features", default="nudenet", help="with --pack: the fixed features")
    parser.add_argument("--to", type=Path, help="with --unpack: the checkpoint to write")
    parser.add_argument("--carried", type=Path, help="the folder that --pack made")
    parser.add_argument("--out", type=Path, help="for generator, state and sheets")
    parser.add_argument("--minutes", type=float, default=8.0, help="all in all (default: 8)")
    parser.add_argument("--keep-minutes", type=float, default=2.0, help="between two writings (default: 2)")
    parser.add_argument(
        "--batch", type=int, help="pictures a step; the fastest of 64, 128 and 256 if not given"
    )
    parser.add_argument("--rate", type=float, default=Recipe.rate_generator, help="Adam's learning rate")
    parser.add_argument("--grow", type=int, metavar="RESOLUTION", help="go on at this resolution")
    parser.add_argument(
        "--noise", action="store_true", help="let the generator use noise: a grain that stays"
    )
    parser.add_argument("--no-compile", action="store_true", help="without torch's compiler")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu for tests")
    parser.add_argument("--name", default="trained on a GPU", help="for the card")
    parser.add_argument("--licence", default="not stated", help="of the finished model, for the card")
    return parser.parse_args(arguments)


def make_carried(options: argparse.Namespace) -> None:
    """The folder of ``--pack``."""
    from lavlive.training.generator_features import feature_network

    if options.checkpoint is None or options.data is None:
        raise TrainingError("--pack needs --checkpoint and --data")
    folder: Path = options.pack
    folder.mkdir(parents=True, exist_ok=True)
    features = feature_network(options.features)
    pack(features, folder / "features.safetensors")
    config = GeneratorConfig(**_saved(options.checkpoint)["config"])
    trainer = Trainer(config, Recipe(), features, torch.zeros(3), torch.device("cpu"))
    checkpoints.load(trainer, options.checkpoint)
    write_state(trainer, folder)
    shutil.copyfile(options.data, folder / "pictures.zip")
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > MOST_CARRIED:
        raise TrainingError(
            f"{folder} has {size >> 20} MiB, more than {MOST_CARRIED >> 20}: take fewer pictures, or JPEGs"
        )
    print(f"{folder}: {size / 2**20:.1f} MiB")


def make_checkpoint(options: argparse.Namespace) -> None:
    """The checkpoint of ``--unpack``."""
    if options.to is None or options.carried is None:
        raise TrainingError("--unpack needs --to and --carried")
    checkpoints.save(opened(options.unpack, options.carried, Recipe(), torch.device("cpu")), options.to)
    print(
        f"{options.to}: go on with python -m lavlive.training generator --resume, and the options of before"
    )


def _saved(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return dict(state)
    except Exception as error:  # whatever a damaged file makes the reader raise
        raise TrainingError(f"{path} is no training checkpoint or is damaged: {error}") from error


def opened(
    state: Path, carried: Path, recipe: Recipe, device: torch.device, compiled: bool = False
) -> Trainer:
    """A trainer that goes on from a state.

    Raises:
        TrainingError: state or features are missing or damaged.
    """
    about = read_about(state)
    features = unpack(carried / "features.safetensors")
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    trainer = Trainer(about["config"], recipe, features, torch.zeros(3), device, half, compiled)
    trainer.settled = about["settled"]
    if trainer.settled:
        trainer.prepare()
    read_state(trainer, state)
    return trainer


class GpuRun:
    """One run: from the carried folder to ``--out``, until its minutes are over or it is told to stop."""

    def __init__(self, options: argparse.Namespace) -> None:
        if options.carried is None or options.out is None:
            raise TrainingError("training needs --carried and --out; see --help")
        self.began = time.perf_counter()
        self.options = options
        self.stopping = False
        self.device = torch.device(options.device)
        if self.device.type == "cuda":
            if not torch.cuda.is_available():
                raise TrainingError("there is no CUDA device here; --device cpu trains slowly")
            # Training needs no last digits.
            torch.backends.cudnn.benchmark = True
            torch.set_float32_matmul_precision("high")
        out: Path = options.out
        state = out if (out / "state-1.safetensors").exists() else options.carried
        recipe = Recipe(batch=options.batch or BATCHES[0], rate_generator=options.rate)
        self.trainer = opened(state, options.carried, recipe, self.device)
        if options.grow and options.grow > self.trainer.generator.config.resolution:
            self.trainer.grow(options.grow)
        resolution = self.trainer.generator.config.resolution
        self.pictures, broken = card_pictures.load(options.carried / "pictures.zip", resolution, self.device)
        self.steps = 0
        self.log: dict[str, Any] = {"pictures on the card": len(self.pictures), "not readable": broken}

    @property
    def left(self) -> float:
        """Seconds to go on training."""
        spare = min(_LAST_SECONDS, 0.2 * 60 * self.options.minutes)
        return float(60 * self.options.minutes - spare - (time.perf_counter() - self.began))

    def train(self) -> None:
        """Train and keep."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            batch = self.options.batch or self._fastest_batch()
            self.log["batch"] = batch
            if not self.options.no_compile and self.left > _COMPILE_SECONDS:
                self._compile()
            source = self._source(batch)
            kept = started = time.perf_counter()
            seen = self.trainer.progress.pictures
            while (self.left > 0 or not self.steps) and not self.stopping:
                losses = self._step(source)
                now = time.perf_counter()
                if now - kept > 60 * self.options.keep_minutes:
                    self.keep(losses)
                    kept = now
            took = time.perf_counter() - started
            self.log["pictures"] = self.trainer.progress.pictures - seen
            self.log["pictures/s"] = (self.trainer.progress.pictures - seen) / max(took, 1e-9)
            self.keep({})
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, stack: FrameType | None) -> None:
        self.stopping = True

    def _source(self, batch: int) -> Iterator[Tensor]:
        return card_pictures.batches(self.pictures, batch, self.trainer.progress.pictures)

    def _step(self, source: Iterator[Tensor]) -> dict[str, float]:
        """One step, its rate rising at first."""
        trainer, recipe = self.trainer, self.trainer.recipe
        share = min(1.0, (self.steps + 1) / _RAMP_STEPS)
        for optimizer, rate in (
            (trainer.optimizer_g, recipe.rate_generator),
            (trainer.optimizer_e, recipe.rate_encoder),
            (trainer.optimizer_d, recipe.rate_discriminator),
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
        began = time.perf_counter()
        losses = trainer.step(source, noise=float(self.options.noise))
        trainer.progress.seconds += time.perf_counter() - began
        self.steps += 1
        return losses

    def _fastest_batch(self) -> int:
        """The batch with the most pictures a second, of those that fit; trials are steps like any other."""
        rates: dict[int, float] = {}
        for batch in BATCHES:
            try:
                source = self._source(batch)
                self._step(source)
                began = time.perf_counter()
                for _ in range(_TRIAL_STEPS):
                    self._step(source)  # reads its losses, and so waits for the card
                rates[batch] = batch * _TRIAL_STEPS / (time.perf_counter() - began)
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                break
        if not rates:
            raise TrainingError(f"not even {BATCHES[0]} pictures a step fit on this card; give --batch")
        self.log["pictures/s by batch, not compiled"] = rates
        return max(rates, key=lambda batch: rates[batch])

    def _compile(self) -> None:
        """Put the generator's step through torch's compiler, or go on without it."""
        plain = self.trainer._synthesis
        try:
            began = time.perf_counter()
            self.trainer._synthesis = torch.compile(self.trainer.generator.synthesis, dynamic=False)
            self._step(self._source(self.log["batch"]))
            self.log["compiling took, s"] = time.perf_counter() - began
        except Exception as failure:  # no compiler here, or one that does not take it
            self.trainer._synthesis = plain
            self.log["not compiled"] = f"{type(failure).__name__}: {str(failure)[:200]}"

    def keep(self, losses: dict[str, float]) -> None:
        """Write generator, state, sheets and log."""
        trainer, out = self.trainer, self.options.out
        out.mkdir(parents=True, exist_ok=True)
        write_state(trainer, out)
        shown = finish(trainer.average, trainer.cloud, 512)
        save_generator(out / "generator.safetensors", shown, self.card())
        shown = shown.freeze().to(self.device)
        number = f"{trainer.progress.pictures:08d}"
        rows = 2 if self.device.type == "cpu" else 6
        random = render(shown, random_w(shown, 8 * rows, 0))
        walk = render(shown, walk_w(shown, 8 * rows, 0, rows))
        write_sheet(random, out / f"random-{number}.jpg")
        write_sheet(walk, out / f"walk-{number}.jpg")
        self.log |= {"kept at": trainer.progress.pictures, **losses}
        (out / "gpu-train.json").write_text(json.dumps(self.log, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(self.log), flush=True)

    def card(self) -> dict[str, Any]:
        """What a reader of the model should know."""
        progress = self.trainer.progress
        return {
            "name": self.options.name,
            "trained": True,
            "licence": self.options.licence,
            "recipe": "as python -m lavlive.training generator, continued by tools/gpu-train",
            "pictures_seen": progress.pictures,
            "hours": round(progress.seconds / 3600, 2),
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu",
        }


def main(arguments: list[str]) -> int:
    """The script."""
    options = parse(arguments)
    try:
        if options.pack is not None:
            make_carried(options)
        elif options.unpack is not None:
            make_checkpoint(options)
        else:
            GpuRun(options).train()
    except LavliveError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
