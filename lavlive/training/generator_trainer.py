"""One generator in training: its networks, its optimisers, one step, and its checkpoint."""

from __future__ import annotations

import copy
import io
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lavlive.errors import CheckpointError, TrainingError
from lavlive.generator.checkpoint import write_atomically
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.training.generator_discriminator import (
    ProjectedDiscriminator,
    augment,
    discriminator_loss,
    generator_loss,
)
from lavlive.training.generator_features import FeatureNetwork
from lavlive.training.generator_moments import RunningMoments, moment_loss, pool

_FAINT = 0.25
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Recipe:
    """What the training may choose. Rates are Adam's; half-lives and periods count pictures.

    ``sound_share`` of the pictures come from W_mean + s·W_std ⊙ N(0, I), the way sound drives the
    generator, with s even in ``sound_spread``; the others from the mapping network. In ``mixing_share`` of
    the pictures the coarse, middle and fine layers have each their own w. ``moments`` weighs the moment
    matching.
    """

    batch: int = 8
    rate_generator: float = 0.002
    rate_discriminator: float = 0.0005
    average_half_life: float = 5000.0
    sound_share: float = 0.5
    sound_spread: tuple[float, float] = (0.4, 1.2)
    mixing_share: float = 0.5
    feature_resolution: int = 64
    augment: float = 0.0
    moments: float = 3.0
    seed: int = 0


def layer_groups(config: GeneratorConfig) -> list[int]:
    """0, 1 or 2 for each of the L layers: coarse 4²–8², middle 16²–32², fine above."""
    return [0 if r <= 8 else 1 if r <= 32 else 2 for r in config.layer_resolutions]


def begin(config: GeneratorConfig, mean_colour: Tensor) -> Generator:
    """A generator whose first pictures are faint shapes on the data's mean colour [3] in −1..1."""
    generator = Generator(config)
    with torch.no_grad():
        for index, module in enumerate(generator.synthesis.blocks):
            block: Any = module
            if block.to_picture is not None:
                block.to_picture.weight.mul_(_FAINT)
                if index == 0:
                    block.to_picture.bias.copy_(mean_colour)
    return generator


def grow(generator: Generator, resolution: int) -> Generator:
    """The same generator with more blocks, which add nothing to the picture until they have learned.

    Doubling a picture takes what lies beyond its edge as zero, a middle grey. So the old blocks' picture is
    raised by one and lowered again at the end: beyond the edge it is black, and no pale frame appears.
    """
    config = replace(generator.config, resolution=resolution)
    grown = Generator(config)
    missing, unexpected = grown.load_state_dict(generator.state_dict(), strict=False)
    if unexpected or any(not name.startswith("synthesis.blocks.") for name in missing):
        raise TrainingError(f"cannot grow from {generator.config.resolution}² to {resolution}²")
    old = len(generator.synthesis.blocks)
    pictures: list[Any] = [block.to_picture for block in grown.synthesis.blocks]
    with torch.no_grad():
        for to_picture in pictures[old:]:
            to_picture.weight.zero_()
            to_picture.bias.zero_()
        pictures[old - 1].bias.add_(1)
        pictures[-1].bias.sub_(1)
    return grown


@dataclass
class Progress:
    """How far a training has come."""

    pictures: int = 0
    seconds: float = 0.0


class Trainer:
    """Generator, averaged generator and discriminator with one training step.

    Several ``workers`` train in threads of their own on replicas that share the weights, without waiting
    for one another (Recht et al., "Hogwild!", 2011); torch's own threads would wait at every layer, which
    costs much where other programs want the cores too. So a run on one CPU is not repeatable to the bit.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        recipe: Recipe,
        features: FeatureNetwork,
        mean_colour: Tensor,
        device: torch.device,
        workers: int = 1,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.device = device
        self.workers = workers
        self.progress = Progress()
        self.history: list[dict[str, Any]] = []
        self.generator = _placed(begin(config, mean_colour), device)
        discriminator = ProjectedDiscriminator(features.to_device(torch.device("cpu")), recipe.seed)
        features.to_device(device)
        self.discriminator = _placed(discriminator, device)
        self._pool = ThreadPoolExecutor(workers)
        self._lock = threading.Lock()
        self._prepare()

    def _prepare(self) -> None:
        """Optimisers, average and replicas for the present networks."""
        recipe = self.recipe
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.optimizer_g = torch.optim.Adam(
            self.generator.parameters(), lr=recipe.rate_generator, betas=(0.0, 0.99)
        )
        self.optimizer_d = torch.optim.Adam(
            self.discriminator.heads.parameters(), lr=recipe.rate_discriminator, betas=(0.0, 0.99)
        )
        self.moments_real, self.moments_made = RunningMoments(), RunningMoments()
        self.w_std = torch.ones(self.generator.config.w_dim, device=self.device)
        self._make_replicas()
        self.measure_w()

    def _make_replicas(self) -> None:
        original = (self.generator, self.discriminator)
        self.replicas = [original]
        if self.workers > 1:
            # A copy for every worker: autograd forbids writing to what another thread still differentiates.
            self.replicas = []
            for _ in range(self.workers):
                pair = (copy.deepcopy(self.generator), _copy_discriminator(self.discriminator))
                for module, theirs in zip(pair, original, strict=True):
                    _share_weights(module, theirs)
                self.replicas.append(pair)

    def grow(self, resolution: int) -> None:
        """Go on at a higher resolution with what was learned; the averages grow too."""
        average = _placed(grow(self.average, resolution), self.device)
        self.generator = _placed(grow(self.generator, resolution), self.device)
        self._prepare()
        self.average = average.eval().requires_grad_(False)

    @torch.no_grad()
    def measure_w(self) -> None:
        """Take W's mean and spread anew from 1000 z."""
        config = self.generator.config
        z = torch.randn(1000, config.z_dim, device=self.device)
        w = self.generator.mapping(z)
        self.generator.mapping.w_mean.copy_(w.mean(0))
        self.w_std.copy_(w.std(0))

    def draw_w(self, generator: Generator, count: int) -> Tensor:
        """w+ [count, L, w_dim] as the recipe says."""
        recipe, config = self.recipe, generator.config
        groups = torch.tensor(layer_groups(config), device=self.device)
        mapped = generator.mapping(torch.randn(3 * count, config.z_dim, device=self.device))
        low, high = recipe.sound_spread
        spread = low + (high - low) * torch.rand(count, 1, device=self.device)
        deviation = torch.randn(3, count, config.w_dim, device=self.device) * spread * self.w_std
        sound = generator.mapping.w_mean + deviation
        is_sound = torch.rand(count, 1, device=self.device) < recipe.sound_share
        w = torch.where(is_sound, sound, mapped.view(3, count, -1))
        apart = torch.rand(3, count, 1, device=self.device) < recipe.mixing_share
        w = torch.where(apart, w, w[:1])
        return w[groups].transpose(0, 1)

    def _view(self, pictures: Tensor) -> Tensor:
        """What the discriminator sees: augmented, at least at the features' resolution."""
        pictures = augment(pictures, self.recipe.augment)
        size = self.recipe.feature_resolution
        if pictures.shape[-1] < size:
            pictures = nn.functional.interpolate(pictures, size=(size, size), mode="bilinear")
        return pictures.contiguous(memory_format=torch.channels_last)

    def step(self, source: Iterator[Tensor], noise: float = 1.0, rounds: int = 4) -> dict[str, float]:
        """Train every worker on ``rounds`` batches [N, 3, R, R] in −1..1; the mean losses.

        ``spread`` in the result is the made pictures' deviation in features, relative to that of real ones.

        ``noise`` scales the noise inputs. Raises TrainingError when a loss is no longer finite.
        """

        def work(replica: tuple[Generator, ProjectedDiscriminator]) -> list[tuple[float, float]]:
            losses = []
            for _ in range(rounds):
                with self._lock:
                    real = next(source)
                losses.append(self._train(*replica, real.to(self.device), noise))
            return losses

        losses = [pair for pairs in self._pool.map(work, self.replicas) for pair in pairs]
        loss_d, loss_g = (sum(column) / len(losses) for column in zip(*losses, strict=True))
        if not math.isfinite(loss_d + loss_g):
            raise TrainingError("the losses are no longer finite; resume from the last checkpoint")
        self.measure_w()
        made, real = self.moments_made, self.moments_real
        spread = float((made.deviation / real.deviation).mean())
        return {"loss_d": loss_d, "loss_g": loss_g, "spread": spread}

    def _train(
        self, generator: Generator, discriminator: ProjectedDiscriminator, real: Tensor, noise: float
    ) -> tuple[float, float]:
        """One step of both networks; the pictures are made once and serve both."""
        count = len(real)
        made = generator.synthesis(self.draw_w(generator, count), noise, random_noise=noise > 0)
        discriminator.heads.requires_grad_(True)
        discriminator.zero_grad(set_to_none=True)
        with torch.no_grad():
            seen_real = discriminator.project(self._view(real))
            seen_made = discriminator.project(self._view(made.detach()))
        loss_d = discriminator_loss(discriminator(seen_real), discriminator(seen_made))
        loss_d.backward()
        with self._lock:
            _lend_gradients(discriminator, self.discriminator)
            self.optimizer_d.step()

        discriminator.heads.requires_grad_(False)
        generator.zero_grad(set_to_none=True)
        seen_made = discriminator.project(self._view(made))
        loss_g = generator_loss(discriminator(seen_made))
        pooled = pool(seen_made)
        with self._lock:
            self.moments_made.update(pooled.detach())
            self.moments_real.update(pool(seen_real))
        matched = moment_loss(pooled, self.moments_made, self.moments_real)
        (loss_g + self.recipe.moments * matched).backward()
        with self._lock:
            _lend_gradients(generator, self.generator)
            self.optimizer_g.step()
            self.progress.pictures += count
            self._follow(count)
        return loss_d.item(), loss_g.item()

    @torch.no_grad()
    def _follow(self, count: int) -> None:
        """Move the averaged weights; early in training they follow faster."""
        half_life = min(self.recipe.average_half_life, 0.05 * self.progress.pictures)
        keep = 0.5 ** (count / max(half_life, 1e-8))
        for kept, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(new, 1 - keep)
        for buffer, newer in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            buffer.copy_(newer)

    def save(self, path: Path) -> None:
        """Write everything a resumed run needs. Raises TrainingError; the older file stays."""
        state = {
            "config": asdict(self.generator.config),
            "progress": asdict(self.progress),
            "history": self.history,
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer_g": self.optimizer_g.state_dict(),
            "optimizer_d": self.optimizer_d.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        try:
            write_atomically(path, buffer.getvalue())
        except CheckpointError as error:
            raise TrainingError(str(error)) from error

    def load(self, path: Path) -> None:
        """Go on from ``save``'s file. Raises TrainingError when damaged or of another architecture."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            found = GeneratorConfig(**state["config"])
        except Exception as error:
            raise TrainingError(f"{path} is no training checkpoint or is damaged: {error}") from error
        wanted = replace(self.generator.config, resolution=found.resolution)
        if found != wanted:
            differing = [k for k, v in asdict(wanted).items() if asdict(found)[k] != v]
            raise TrainingError(
                f"{path} has another architecture ({', '.join(differing)}); "
                "give the same options, or another --out"
            )
        if found.resolution != self.generator.config.resolution:
            self.generator = _placed(Generator(found), self.device)
            self._prepare()
        try:
            self.generator.load_state_dict(state["generator"])
            self.average.load_state_dict(state["average"])
            self.discriminator.load_state_dict(state["discriminator"])
            self.optimizer_g.load_state_dict(state["optimizer_g"])
            self.optimizer_d.load_state_dict(state["optimizer_d"])
            self.progress = Progress(**state["progress"])
            self.history = list(state["history"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{path} does not fit this lavlive's training: {error}") from error
        for group in self.optimizer_g.param_groups:
            group["lr"] = self.recipe.rate_generator
        for group in self.optimizer_d.param_groups:
            group["lr"] = self.recipe.rate_discriminator
        self._make_replicas()
        self.measure_w()


def _copy_discriminator(discriminator: ProjectedDiscriminator) -> ProjectedDiscriminator:
    """A copy that shares the feature network, which nobody changes."""
    shared = discriminator.shared_features
    memo = {id(shared): shared}
    return copy.deepcopy(discriminator, memo)


def _placed(module: M, device: torch.device) -> M:
    """The module on ``device``, its convolutions channels last, which trains faster on CPU and GPU."""
    module.to(device)
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def _share_weights(module: nn.Module, original: nn.Module) -> None:
    for mine, theirs in zip(module.parameters(), original.parameters(), strict=True):
        mine.data = theirs.data
    for held, shared in zip(module.buffers(), original.buffers(), strict=True):
        held.data = shared.data


def _lend_gradients(module: nn.Module, original: nn.Module) -> None:
    """Let the original, whose optimiser steps, see a replica's gradients."""
    for mine, theirs in zip(module.parameters(), original.parameters(), strict=True):
        theirs.grad = mine.grad
