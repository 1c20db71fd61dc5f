"""Training of the encoder, or of a decoder for one: resumable, its checkpoints never half written."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from lavlive.errors import TrainingError
from lavlive.files import replacing
from lavlive.training.encoder_codec import (
    Codec,
    MelDistance,
    ResidualQuantizer,
    contrast_in_time,
    redundancy,
)
from lavlive.training.encoder_data import Segments, Track

_CHECKPOINT = "checkpoint.pt"
CODEC = "a codec"
DECODER = "a decoder for a frozen encoder"
_AVERAGING = 0.998


@dataclass(frozen=True)
class DecoderRecipe:
    """What decides how a decoder and its quantiser learn, apart from the music.

    Attributes:
        steps: length of the learning-rate schedule.
        batch, seconds: segments per step and their length.
        wave, mel, commitment: weights of the losses.
    """

    steps: int = 6000
    batch: int = 8
    seconds: float = 0.8
    rate: float = 1.5e-3
    seed: int = 0
    wave: float = 1.0
    mel: float = 1.0
    commitment: float = 0.1


@dataclass(frozen=True)
class Recipe(DecoderRecipe):
    """The same for a whole codec.

    Attributes:
        filters: SEANet's ``n_filters``.
        contrast, spectrum, redundancy: weights of the losses that make the encoder a driver.
    """

    steps: int = 1700
    filters: int = 8
    contrast: float = 0.5
    spectrum: float = 2.0
    redundancy: float = 2.0


class Training:
    """One training run in a folder: `advance` trains, `save` writes, `resume` goes on from what is there.

    A subclass says what there is to train, its `losses`, each weighed by the recipe's number of that name,
    and what else a checkpoint must hold.
    """

    kind = ""
    """What a checkpoint of this training holds, for people."""

    def __init__(self, folder: Path, network: nn.Module, recipe: DecoderRecipe, device: torch.device) -> None:
        self.folder, self.network, self.recipe, self.device = folder, network, recipe, device
        self.optimiser = torch.optim.AdamW(
            network.parameters(), recipe.rate, betas=(0.8, 0.99), weight_decay=1e-4
        )
        self.averaged = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.step, self.trained_seconds = 0, 0.0

    def losses(self) -> dict[str, Tensor]:
        """The losses of one batch by name."""
        raise NotImplementedError

    def extras(self) -> dict[str, Any]:
        """What a checkpoint holds beside weights, optimiser and counts."""
        return {}

    def check(self, content: Mapping[str, Any], path: Path) -> None:
        """Raise TrainingError for a checkpoint that this training cannot go on from."""

    def restore(self, content: Mapping[str, Any]) -> None:
        """Take over what `extras` gave."""

    def advance(self) -> dict[str, float]:
        """One step; the losses by name."""
        began = time.perf_counter()
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate * _schedule(self.step, self.recipe.steps)
        self.network.train()
        losses = self.losses()
        total = torch.stack([getattr(self.recipe, name) * loss for name, loss in losses.items()]).sum()
        self.optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 3.0)
        self.optimiser.step()
        self._average()
        self.step += 1
        self.trained_seconds += time.perf_counter() - began
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def save(self) -> None:
        """Write the checkpoint; a failure leaves the older one as it was.

        Raises:
            TrainingError: the disk is full or the folder cannot be written.
        """
        content = {
            "kind": self.kind,
            "recipe": asdict(self.recipe),
            "step": self.step,
            "trained_seconds": self.trained_seconds,
            "codec": self.network.state_dict(),
            "averaged": self.averaged,
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            **self.extras(),
        }
        target = self.folder / _CHECKPOINT
        try:
            with replacing(target) as beside, beside.open("wb") as file:
                torch.save(content, file)
        except (OSError, RuntimeError) as error:
            raise TrainingError(
                f"cannot write {target}: {error}; the checkpoint before it is kept: make room and run again"
            ) from error

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one.

        Raises:
            TrainingError: it is damaged or of another training.
        """
        path = self.folder / _CHECKPOINT
        if not path.exists():
            return
        content = read_checkpoint(path, self.kind)
        self.check(content, path)
        try:
            self.network.load_state_dict(content["codec"])
            self.averaged = {name: value.to(self.device) for name, value in content["averaged"].items()}
            self.optimiser.load_state_dict(content["optimiser"])
            self.restore(content)
            torch.set_rng_state(content["random"])
            self.step, self.trained_seconds = content["step"], content["trained_seconds"]
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise TrainingError(f"{path} is not a checkpoint of this training: {error}") from error

    def _average(self) -> None:
        # Early on the average must not remember the random start.
        decay = min(_AVERAGING, (1 + self.step) / (10 + self.step))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.averaged[name].lerp_(value, 1 - decay)
            else:
                self.averaged[name].copy_(value)


class Run(Training):
    """Training of a whole codec; the constructor resumes.

    Raises:
        TrainingError: the folder's checkpoint is damaged or of other filters than the recipe's.
    """

    kind = CODEC

    def __init__(self, folder: Path, tracks: list[Track], recipe: Recipe, device: str = "cpu") -> None:
        torch.manual_seed(recipe.seed)
        self.codec = Codec(recipe.filters).to(device)
        super().__init__(folder, self.codec, recipe, torch.device(device))
        self.batch, self.filters = recipe.batch, recipe.filters
        self.mel = MelDistance().to(self.device)
        self.segments = Segments(tracks, recipe.seconds, recipe.seed)
        self.resume()

    def losses(self) -> dict[str, Tensor]:
        """Those of the codec and those that make its encoder a driver."""
        sound = torch.from_numpy(self.segments.batch(self.batch)).to(self.device)
        copy, latents, commitment = self.codec(sound, stages_of(self.step, self.codec.quantizer))
        return {
            "wave": wave_loss(copy, sound),
            "mel": self.mel(copy, sound),
            "commitment": commitment,
            "contrast": contrast_in_time(latents),
            "spectrum": self.codec.probe(latents, sound),
            "redundancy": redundancy(latents),
        }

    def extras(self) -> dict[str, Any]:
        """Where the random numbers of the segments stand."""
        return {"segments": self.segments.state()}

    def check(self, content: Mapping[str, Any], path: Path) -> None:
        """Refuse another width."""
        filters = content["recipe"]["filters"]
        if filters != self.filters:
            raise TrainingError(
                f"{path} has {filters} filters, not {self.filters}: take as many or another folder"
            )

    def restore(self, content: Mapping[str, Any]) -> None:
        """Let the segments go on."""
        self.segments.restore(content["segments"])


def stages_of(step: int, quantizer: ResidualQuantizer) -> int:
    """How many codebooks a step trains, none at every other step.

    Half the time the latents go past the quantiser: what ships are the latents themselves. Otherwise now
    more, now fewer codebooks, so that the first learn to stand alone.
    """
    return int(torch.randint(1, len(quantizer.books) + 1, ())) if step % 2 else 0


def wave_loss(copy: Tensor, sound: Tensor) -> Tensor:
    """L1 of two waveforms [N, 1, samples], relative to the level of the second."""
    level = sound.square().mean(dim=2, keepdim=True).sqrt() + 0.01
    return functional.l1_loss(copy / level, sound / level)


def read_checkpoint(path: Path, kind: str | None = None) -> dict[str, Any]:
    """A checkpoint's content, read without running anything from it.

    Args:
        kind: refuse a checkpoint of anything else.

    Raises:
        TrainingError: it is missing, damaged, or something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TrainingError(f"no checkpoint at {path}: train first") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        raise TrainingError(f"{path} is damaged or not a checkpoint: {str(error)[:200]}") from error
    if not isinstance(content, dict) or "recipe" not in content or "codec" not in content:
        raise TrainingError(f"{path} is not a checkpoint of the encoder's training")
    content.setdefault("kind", CODEC)
    if kind is not None and content["kind"] != kind:
        raise TrainingError(f"{path} holds {content['kind']}, not {kind}: take another folder")
    return content


def read_run(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """`read_checkpoint` of a run's folder."""
    return read_checkpoint(folder / _CHECKPOINT, kind)


def codec_of(folder: Path) -> tuple[Codec, dict[str, Any]]:
    """The averaged codec of a run's folder and its checkpoint's content (recipe, step, trained_seconds)."""
    content = read_run(folder, CODEC)
    codec = Codec(content["recipe"]["filters"])
    codec.load_state_dict(content["averaged"])
    return codec.eval(), content


def train(
    run: Training,
    save_every_seconds: float = 120.0,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Train until the recipe's steps are done or ``until`` says so; saves now and then and at the end.

    Each fifty steps one line of mean losses goes to the folder's ``log.jsonl``.
    """
    saved, sums, count = time.perf_counter(), dict[str, float](), 0
    with tqdm(total=run.recipe.steps, initial=run.step, unit="step", mininterval=10.0) as bar:
        while run.step < run.recipe.steps and not until():
            for name, loss in run.advance().items():
                sums[name] = sums.get(name, 0.0) + loss
            count += 1
            bar.update()
            if run.step % 50 == 0:
                means = {name: round(total / count, 4) for name, total in sums.items()}
                bar.set_postfix(means)
                _log(run, means)
                sums, count = {}, 0
            if time.perf_counter() - saved > save_every_seconds:
                run.save()
                saved = time.perf_counter()
    run.save()


def _log(run: Training, means: dict[str, float]) -> None:
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        with (run.folder / "log.jsonl").open("a") as file:
            file.write(
                json.dumps({"step": run.step, "trained_seconds": round(run.trained_seconds), **means}) + "\n"
            )
    except OSError as error:
        raise TrainingError(f"cannot write the log in {run.folder}: {error}") from error


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / 100)
    return warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps)))))
