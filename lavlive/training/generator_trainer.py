"""One generator in training: its networks, its optimisers, and one step.

    real picture ─► encoder ─► code ─┐
                        N(0, I) ─────┴─► synthesis ─► pictures ─► likeness (of a code's to its original)
                                                          └─────► discriminator and moments (of all)

An autoencoder and a GAN at once (Larsen et al., "Autoencoding beyond pixels", 2016): likeness gives every
real picture a place in W, the discriminator makes what lies between them look real, too.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lavlive.errors import TrainingError
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.training.generator_discriminator import (
    ProjectedDiscriminator,
    discriminator_loss,
    generator_loss,
)
from lavlive.training.generator_encoder import SIDE, Cloud, PictureEncoder, RateControl, divergence, draw
from lavlive.training.generator_features import FeatureNetwork
from lavlive.training.generator_growth import begin, grow, layer_groups, take_block
from lavlive.training.generator_likeness import Likeness
from lavlive.training.generator_moments import RunningMoments, moment_loss, pool
from lavlive.training.generator_recipe import Recipe
from lavlive.training.generator_variety import shared_details

_FEW = 6
"""Directions along which most of 45 s of a track moves: a participation ratio of 2.3 to 6."""
_MOST_SEEN = 64
"""Of a side: features, most of the cost, look at a part of a larger picture, or at a smaller copy."""
_KEEP = 0.98
M = TypeVar("M", bound=nn.Module)


@dataclass
class Progress:
    """How far a training has come; ``grown`` holds the pictures seen at each growth of the generator."""

    pictures: int = 0
    seconds: float = 0.0
    grown: list[int] = field(default_factory=list)


class Trainer:
    """Generator, averaged generator, encoder and discriminator with one training step.

    Args:
        half: convolutions in bfloat16, about twice as fast where the processor has instructions for it.
        compiled: the generator's step through torch's compiler, twice as fast again; it needs a C++
            compiler and, at each resolution, a minute.
    """

    def __init__(
        self,
        config: GeneratorConfig,
        recipe: Recipe,
        features: FeatureNetwork,
        mean_colour: Tensor,
        device: torch.device,
        half: bool = False,
        compiled: bool = False,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.device = device
        self.half = half
        self.compiled = compiled
        self.progress = Progress()
        self.settled = 0
        """Blocks up to this resolution are trained no more; if there are any, neither is the encoder."""
        self.history: list[dict[str, Any]] = []
        self.donor: Generator | None = None
        """A generator of another training, whose blocks new blocks begin as."""
        self.generator = placed(begin(config, mean_colour), device)
        self.encoder = placed(PictureEncoder(config.w_dim), device)
        discriminator = ProjectedDiscriminator(features.to_device(torch.device("cpu")), recipe.seed)
        features.to_device(device)
        self.features = features
        self.discriminator = placed(discriminator, device)
        self.cloud = Cloud(config.w_dim, device)
        self.likeness = Likeness()
        self.rate_control = RateControl(recipe.nats)
        self.prepare()

    def prepare(self) -> None:
        """Optimisers and average for the present networks."""
        recipe = self.recipe
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        for module in self.generator.synthesis.blocks:
            block: Any = module
            block.requires_grad_(block.resolution > self.settled)
        learning = [p for p in self.generator.synthesis.parameters() if p.requires_grad]
        self.optimizer_g = torch.optim.Adam(learning, lr=recipe.rate_generator, betas=(0.5, 0.99))
        self.optimizer_e = torch.optim.Adam(
            self.encoder.parameters(), lr=recipe.rate_encoder, betas=(0.9, 0.99)
        )
        self.optimizer_d = torch.optim.Adam(
            self.discriminator.heads.parameters(), lr=recipe.rate_discriminator, betas=(0.0, 0.99)
        )
        self.moments_real, self.moments_made = RunningMoments(), RunningMoments()
        self._sizes: dict[str, float] = {}
        self._groups = torch.tensor(layer_groups(self.generator.config), device=self.device)
        synthesis: Callable[..., Tensor] = self.generator.synthesis
        self._synthesis = torch.compile(synthesis, dynamic=False) if self.compiled else synthesis

    def grow(self, resolution: int) -> None:
        """Go on at a higher resolution with what was learned; the average grows too."""
        if self.recipe.settle and not self.settled:
            self.settled = self.generator.config.resolution
            self.generator = self.average
        self.progress.grown.append(self.progress.pictures)
        average = placed(grow(self.average, resolution), self.device)
        self.generator = placed(grow(self.generator, resolution), self.device)
        if self.donor is not None:
            take_block(self.generator, self.donor)
            take_block(average, self.donor)
        self.prepare()
        self.average = average.eval().requires_grad_(False)

    def draw_codes(self, count: int) -> Tensor:
        """Codes [count, 3 groups, w_dim] that no picture has, as the recipe says."""
        recipe = self.recipe
        low, high = recipe.spread
        spread = low + (high - low) * torch.rand(count, 1, 1, device=self.device).square()
        width = self.generator.config.w_dim
        codes = torch.randn(count, 3, width, device=self.device)
        if torch.rand(()) < recipe.few_share:
            few = min(_FEW, width)
            common = torch.randn(few, width, device=self.device) / math.sqrt(few)
            codes = codes[..., :few] @ common
        codes = codes * spread
        apart = torch.rand(count, 1, 1, device=self.device) < recipe.mixing_share
        return self.cloud.place(torch.where(apart, codes, codes[:, :1]))

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.half)

    def _taps(self, pictures: Tensor) -> list[Tensor]:
        with self._autocast():
            taps: list[Tensor] = self.features(pictures.contiguous(memory_format=torch.channels_last))
            return taps

    def _project(self, taps: list[Tensor], pictures: Tensor) -> list[Tensor]:
        with self._autocast():
            return [x.float() for x in self.discriminator.project(taps, pictures)]

    def _view(self) -> Callable[[Tensor], Tensor]:
        """What features look at in this step: all of a picture, or of a large one a part or a smaller one."""
        resolution = self.generator.config.resolution
        if resolution < SIDE:
            return lambda x: F.interpolate(x, size=(SIDE, SIDE), mode="bilinear")
        if resolution <= _MOST_SEEN:
            return lambda x: x
        if torch.rand(()) < 0.4:
            return lambda x: F.interpolate(x, size=(_MOST_SEEN, _MOST_SEEN), mode="area")
        top, left = (int(torch.randint(resolution - _MOST_SEEN + 1, ())) for _ in range(2))
        return lambda x: x[:, :, top : top + _MOST_SEEN, left : left + _MOST_SEEN]

    def step(self, source: Iterator[Tensor], noise: float = 1.0) -> dict[str, float]:
        """Train on one batch [N, 3, R, R] in −1..1 of ``source``; what was lost by the way.

        ``noise`` scales the noise inputs. Raises TrainingError when a loss is no longer finite.
        """
        recipe = self.recipe
        real = next(source).to(self.device)
        count = len(real)
        learning = not self.settled
        with self._autocast(), torch.set_grad_enabled(learning):
            mean, log_variance = self.encoder(_shrink(real))
        share = self._adversarial_share()
        codes = draw(mean, log_variance)
        if learning:
            self.cloud.follow(codes)
        if share > 0:
            codes = torch.cat([codes, self.draw_codes(max(round(recipe.drawn * count), 2))])
        with self._autocast():
            made = self._synthesis(codes[:, self._groups], noise, random_noise=noise > 0)
        made = made.float()
        view = self._view()
        seen = view(real)
        with torch.no_grad():
            real_taps = self._taps(seen)
            projected = self._project(real_taps, seen)
        self.likeness.measure(real_taps)
        leaf = made.detach().requires_grad_()
        looked = view(leaf)
        made_taps = self._taps(looked)
        self.likeness.detail = min(self.progress.pictures / max(recipe.warm_up, 1), 1.0)
        unlike = self.likeness(leaf[:count], real, [tap[:count] for tap in made_taps], real_taps)
        shared = shared_details(leaf)
        (pull,) = torch.autograd.grad(unlike + recipe.variety * shared, leaf, retain_graph=share > 0)
        losses = {"unlike": unlike.item(), "shared": shared.item()}
        if share > 0:
            push, found = self._adversary(leaf, looked, made_taps, projected, count)
            losses |= found
            pull = pull + push * (share * self._ratio(pull[:count], push))
        cost = divergence(mean, log_variance)
        losses["nats"] = cost.item()
        if not all(math.isfinite(value) for value in losses.values()):
            raise TrainingError("the losses are no longer finite; resume from the last checkpoint")
        for optimizer in (self.optimizer_g, self.optimizer_e):
            optimizer.zero_grad(set_to_none=True)
        if learning:
            torch.autograd.backward([made, self.rate_control.weight * cost], [pull, None])
            nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
            self.optimizer_e.step()
            self.rate_control.follow(losses["nats"])
        else:
            made.backward(pull)
        self.optimizer_g.step()
        self.progress.pictures += count
        self._follow(count)
        return losses

    def _adversary(
        self, leaf: Tensor, looked: Tensor, taps: list[Tensor], real: list[Tensor], count: int
    ) -> tuple[Tensor, dict[str, float]]:
        """A step of the discriminator, then its gradient at the pictures ``leaf``, and losses."""
        discriminator = self.discriminator
        projected = self._project(taps, looked)
        discriminator.heads.requires_grad_(True)
        self.optimizer_d.zero_grad(set_to_none=True)
        loss_d = discriminator_loss(discriminator(real), discriminator([x.detach() for x in projected]))
        loss_d.backward()
        self.optimizer_d.step()
        discriminator.heads.requires_grad_(False)
        loss_g = generator_loss(discriminator(projected))
        pooled = pool([x[count:] for x in projected])
        self.moments_made.update(pooled.detach())
        self.moments_real.update(pool(real))
        matched = moment_loss(pooled, self.moments_made, self.moments_real)
        (push,) = torch.autograd.grad(loss_g + self.recipe.moments * matched, leaf)
        spread = float((self.moments_made.deviation / self.moments_real.deviation).mean())
        return push, {"loss_d": loss_d.item(), "loss_g": loss_g.item(), "spread": spread}

    def _adversarial_share(self) -> float:
        recipe = self.recipe
        if recipe.warm_up <= 0:
            return recipe.adversarial
        return recipe.adversarial * min(max(2 * self.progress.pictures / recipe.warm_up - 1, 0.0), 1.0)

    def _ratio(self, pull: Tensor, push: Tensor) -> float:
        """How many times larger likeness's gradient is than the discriminator's, lately."""
        for name, gradient in (("pull", pull), ("push", push)):
            size = float(gradient.square().mean().sqrt())
            before = self._sizes.get(name, size)
            self._sizes[name] = _KEEP * before + (1 - _KEEP) * size
        return self._sizes["pull"] / max(self._sizes["push"], 1e-12)

    @torch.no_grad()
    def _follow(self, count: int) -> None:
        """Move the averaged weights; early in training they follow faster."""
        half_life = min(self.recipe.average_half_life, 0.05 * self.progress.pictures)
        keep = 0.5 ** (count / max(half_life, 1e-8))
        averaged: list[Tensor] = list(self.average.parameters())
        torch._foreach_lerp_(averaged, list[Tensor](self.generator.parameters()), 1 - keep)


def _shrink(pictures: Tensor) -> Tensor:
    """At the size that the encoder looks at."""
    if pictures.shape[-1] == SIDE:
        return pictures
    mode = "area" if pictures.shape[-1] > SIDE else "bilinear"
    return F.interpolate(pictures, size=(SIDE, SIDE), mode=mode)


def placed(module: M, device: torch.device) -> M:
    """The module on ``device``, its convolutions channels last, which trains faster on CPU and GPU."""
    module.to(device)
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module
