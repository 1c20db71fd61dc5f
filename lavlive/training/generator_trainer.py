"""One generator in training: its networks, its optimisers, one step, and its checkpoint."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from lavlive.errors import CheckpointError, TrainingError
from lavlive.generator.checkpoint import write_atomically
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.training.generator_codes import PictureCodes, likeness_loss
from lavlive.training.generator_discriminator import (
    ProjectedDiscriminator,
    augment,
    discriminator_loss,
    generator_loss,
)
from lavlive.training.generator_features import FeatureNetwork

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Recipe:
    """What the training may choose. Rates are Adam's; half-lives and periods count pictures.

    ``sound_share`` of the pictures come from W_mean + s·W_std ⊙ N(0, I), the way sound drives the
    generator, with s even in ``sound_spread``; the others from the mapping network. In ``mixing_share`` of
    the pictures the coarse, middle and fine layers have each their own w. ``coded_share`` of a batch are
    made from the codes of the batch's real pictures and should be like them; the weight of that falls from
    ``likeness`` to a tenth within ``likeness_pictures``.
    """

    batch: int = 12
    rate_generator: float = 0.002
    rate_discriminator: float = 0.001
    average_half_life: float = 5000.0
    sound_share: float = 0.5
    sound_spread: tuple[float, float] = (0.4, 1.2)
    mixing_share: float = 0.5
    feature_resolution: int = 64
    colour: float = 1.0
    coded_share: float = 0.5
    likeness: float = 10.0
    likeness_pictures: float = 20_000.0
    seed: int = 0


def layer_groups(config: GeneratorConfig) -> list[int]:
    """0, 1 or 2 for each of the L layers: coarse 4²–8², middle 16²–32², fine above."""
    return [0 if r <= 8 else 1 if r <= 32 else 2 for r in config.layer_resolutions]


def grow(generator: Generator, resolution: int) -> Generator:
    """The same generator with more blocks, which add nothing to the picture until they have learned."""
    config = replace(generator.config, resolution=resolution)
    grown = Generator(config)
    missing, unexpected = grown.load_state_dict(generator.state_dict(), strict=False)
    if unexpected or any(not name.startswith("synthesis.blocks.") for name in missing):
        raise TrainingError(f"cannot grow from {generator.config.resolution}² to {resolution}²")
    old = len(generator.synthesis.blocks)
    for module in list(grown.synthesis.blocks)[old:]:
        block: Any = module
        if block.to_picture is not None:
            nn.init.zeros_(block.to_picture.weight)
            nn.init.zeros_(block.to_picture.bias)
    return grown


@dataclass
class Progress:
    """How far a training has come."""

    pictures: int = 0
    seconds: float = 0.0


class Trainer:
    """Generator, averaged generator and discriminator with one training step.

    With several ``workers`` each takes a share of the batch in its own thread on replicas that share the
    weights; torch's own threads wait for one another at every layer, which costs much where other programs
    want the cores too.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        recipe: Recipe,
        features: FeatureNetwork,
        codes: PictureCodes,
        device: torch.device,
        workers: int = 1,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.device = device
        self.workers = workers
        self.codes = codes.to_device(device)
        self.progress = Progress()
        self.history: list[dict[str, Any]] = []
        self.generator = _placed(Generator(config), device)
        discriminator = ProjectedDiscriminator(features.to_device(torch.device("cpu")), recipe.seed)
        features.to_device(device)
        self.discriminator = _placed(discriminator, device)
        self._pool = ThreadPoolExecutor(workers)
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
        self.w_std = torch.ones(self.generator.config.w_dim, device=self.device)
        self._make_replicas()
        self.measure_w()

    def _make_replicas(self) -> None:
        self.replicas = [(self.generator, self.discriminator)]
        for _ in range(self.workers - 1):
            pair = (copy.deepcopy(self.generator), _copy_discriminator(self.discriminator))
            for module, original in zip(pair, self.replicas[0], strict=True):
                _share_weights(module, original)
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
        pictures = augment(pictures, self.recipe.colour)
        size = self.recipe.feature_resolution
        if pictures.shape[-1] < size:
            pictures = nn.functional.interpolate(pictures, size=(size, size), mode="bilinear")
        return pictures.contiguous(memory_format=torch.channels_last)

    def step(self, real: Tensor) -> dict[str, float]:
        """Train on a batch [N, 3, R, R] in −1..1; the losses, and the logits' signs."""
        shares = real.to(self.device).chunk(self.workers)
        replicas = self.replicas[: len(shares)]
        fall = min(self.progress.pictures / self.recipe.likeness_pictures, 1.0)
        weight = self.recipe.likeness * (1 - 0.9 * fall)
        made: list[Tensor] = [torch.empty(0)] * len(shares)

        def train_discriminator(index: int) -> float:
            generator, discriminator = replicas[index]
            made[index] = generator.synthesis(self.draw_w(generator, len(shares[index])), random_noise=True)
            discriminator.heads.requires_grad_(True)
            discriminator.zero_grad(set_to_none=True)
            with torch.no_grad():
                seen_real = discriminator.project(self._view(shares[index]))
                seen_fake = discriminator.project(self._view(made[index].detach()))
            loss = discriminator_loss(discriminator(seen_real), discriminator(seen_fake))
            loss.backward()
            return float(loss)

        def train_generator(index: int) -> float:
            generator, discriminator = replicas[index]
            discriminator.heads.requires_grad_(False)
            generator.zero_grad(set_to_none=True)
            loss = generator_loss(discriminator(discriminator.project(self._view(made[index]))))
            if coded := round(len(made[index]) * self.recipe.coded_share):
                loss = loss + weight * likeness_loss(made[index][:coded], shares[index][:coded])
            loss.backward()
            made[index] = torch.empty(0)
            return float(loss)

        loss_d = self._on_all(train_discriminator, len(shares))
        _gather_gradients([pair[1] for pair in replicas])
        self.optimizer_d.step()
        loss_g = self._on_all(train_generator, len(shares))
        if not math.isfinite(loss_d + loss_g):
            raise TrainingError("the losses are no longer finite; resume from the last checkpoint")
        _gather_gradients([pair[0] for pair in replicas])
        self.optimizer_g.step()
        self.progress.pictures += len(real)
        self._follow(len(real))
        return {"loss_d": loss_d, "loss_g": loss_g}

    def _on_all(self, work: Callable[[int], float], count: int) -> float:
        return sum(self._pool.map(work, range(count))) / count

    @torch.no_grad()
    def _follow(self, count: int) -> None:
        """Move the averaged weights; early in training they follow faster."""
        half_life = min(self.recipe.average_half_life, 0.05 * self.progress.pictures)
        keep = 0.5 ** (count / max(half_life, 1e-8))
        for kept, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(new, 1 - keep)
        for kept, new in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            kept.copy_(new)
        if self.progress.pictures // count % 20 == 0:
            self.measure_w()

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
    # The discriminator's buffers follow what each replica sees; the generator's are the same for all.
    if isinstance(module, Generator):
        module.mapping.w_mean = cast(Generator, original).mapping.w_mean


def _gather_gradients(modules: Sequence[nn.Module]) -> None:
    """Mean of the replicas' gradients into the first."""
    for parameters in zip(*(module.parameters() for module in modules), strict=True):
        gradients = [p.grad for p in parameters if p.grad is not None]
        if len(gradients) > 1:
            parameters[0].grad = torch.stack(gradients).mean(0)
