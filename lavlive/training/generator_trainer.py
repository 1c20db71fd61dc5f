"""One generator in training: its networks, its optimisers, one step, and its checkpoint.

    real picture ─► encoder ─► code ─┐
                        N(0, I) ─────┴─► synthesis ─► pictures ─► likeness (of a code's to its original)
                                                          └─────► discriminator and moments (of all)

An autoencoder and a GAN at once (Larsen et al., "Autoencoding beyond pixels", 2016): likeness gives every
real picture a place in W, the discriminator makes what lies between them look real, too.
"""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lavlive.errors import CheckpointError, TrainingError
from lavlive.generator.checkpoint import write_atomically
from lavlive.generator.network import Generator, GeneratorConfig, Linear
from lavlive.latent import space
from lavlive.training.generator_discriminator import (
    ProjectedDiscriminator,
    discriminator_loss,
    generator_loss,
)
from lavlive.training.generator_encoder import SIDE, Cloud, PictureEncoder, RateControl, divergence, draw
from lavlive.training.generator_features import FeatureNetwork
from lavlive.training.generator_likeness import Likeness
from lavlive.training.generator_moments import RunningMoments, moment_loss, pool
from lavlive.training.generator_variety import shared_details

_FAINT = 0.25
_GENTLE = 0.3
_LIFT = 4.0
"""In deviations: the mapping's bias. So far above the leaky activation's bend it is linear."""
_FEW = 6
"""Directions along which most of 45 s of a track moves: a participation ratio of 2.3 to 6."""
_STRENGTHS = (1.0, 1.0, 0.7)
"""Of a code in the show, coarse, middle, fine: sound moves the fine layers within a tenth of a second, and at
full strength they flicker: four of 19 tracks flashed more than three times a second."""
_MOST_SEEN = 64
"""Of a side: features, most of the cost, look at a part of a larger picture, or at a smaller copy."""
_KEEP = 0.98
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Recipe:
    """What the training may choose. Rates are Adam's; half-lives and periods count pictures.

    Attributes:
        adversarial: size of the discriminator's gradient at the pictures, relative to that of likeness.
        warm_up: pictures until it has that size; 0 before half of them. Until then likeness turns from
            colours and layout to details.
        nats: what a code costs, on average; see `RateControl`.
        moments: weight of moment matching beside the discriminator.
        variety: weight of `shared_details` beside likeness.
        drawn: codes that no picture has, per picture of a batch.
        spread: the codes that no picture has are normal with a deviation between these two, half of them in
            the lowest quarter: sound, smoothed, stays at 0.3 to 0.6, and what is not trained there looks
            alike there.
        mixing_share: of them so many have a code of their own for each layer group, the others one for all.
        few_share: in so many steps they lie along a few common directions, as a piece of music moves along
            few; they should differ nevertheless.
        settle: once the generator grows, the blocks that it began with, their averaged weights, and the
            encoder stay as they are. Trained further, the lowest blocks drew a net of lines for all pictures.
    """

    batch: int = 16
    rate_generator: float = 0.005
    rate_encoder: float = 0.001
    rate_discriminator: float = 0.0002
    average_half_life: float = 5000.0
    adversarial: float = 0.5
    warm_up: int = 40_000
    nats: float = 100.0
    moments: float = 0.5
    variety: float = 3.0
    drawn: float = 0.5
    spread: tuple[float, float] = (0.3, 1.15)
    mixing_share: float = 0.5
    few_share: float = 0.5
    settle: bool = True
    seed: int = 0


def layer_groups(config: GeneratorConfig) -> list[int]:
    """0, 1 or 2 for each of the L layers: coarse 4²–8², middle 16²–32², fine above."""
    groups: list[int] = space.layer_groups(config.layer_resolutions).tolist()
    return groups


def begin(config: GeneratorConfig, mean_colour: Tensor) -> Generator:
    """A generator whose first pictures are faint shapes on the data's mean colour [3] in −1..1.

    In training w is a code: normal with mean 0 and deviation 1, of fewer numbers than w has in the show, and
    the mapping network is left out.
    """
    generator = Generator(config)
    with torch.no_grad():
        for affine in affines(generator):
            affine.weight.mul_(_GENTLE)
        for index, module in enumerate(generator.synthesis.blocks):
            block: Any = module
            if block.to_picture is not None:
                block.to_picture.weight.mul_(_FAINT)
                if index == 0:
                    block.to_picture.bias.copy_(mean_colour)
    return generator


def affines(generator: Generator) -> list[Linear]:
    """The layers that make styles of w."""
    return [m for n, m in generator.named_modules() if n.endswith("affine") and isinstance(m, Linear)]


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


@torch.no_grad()
def take_block(generator: Generator, donor: Generator) -> None:
    """Begin the finest block as that of another training, which knows what lies between pixels already.

    The lift of `grow` is in a finest block's picture layer, and taken back in one that has grown on.
    """
    resolution = generator.config.resolution
    blocks = {block.resolution: block for block in cast(Any, donor.synthesis.blocks)}
    if resolution not in blocks:
        return
    mine: Any = generator.synthesis.blocks[-1]
    mine.load_state_dict(blocks[resolution].state_dict())
    if donor.config.resolution > resolution:
        mine.to_picture.bias.sub_(1)


def affine_groups(generator: Generator) -> list[int]:
    """The layer group of each of `affines`: a picture layer takes the w of the layer after its block."""
    groups, found, index = layer_groups(generator.config), [], 0
    for module in generator.synthesis.blocks:
        block: Any = module
        found += [groups[index + offset] for offset in range(block.convolutions + 1)]
        index += block.convolutions
    return found


@torch.no_grad()
def finish(generator: Generator, cloud: Cloud, w_dim: int, seed: int = 0) -> Generator:
    """For the show: a copy whose w has ``w_dim`` numbers, with a mapping network that makes them normal.

    A code is w's part along as many fixed random directions, orthogonal to one another, placed in the
    ``cloud`` of codes; what lies across them changes nothing. So a w whose numbers are independent and of
    deviation 1 has just such a code, and the sound's random projection meets all of it. The one layer of
    the mapping maps z to w = √2 (z + lift), linear but for deviations beyond the lift; the affine layers
    are given w's mean and spread.
    """
    config = replace(generator.config, z_dim=w_dim, w_dim=w_dim)
    finished = Generator(config)
    kept = {k: v.cpu() for k, v in generator.synthesis.state_dict().items() if "affine.weight" not in k}
    finished.synthesis.load_state_dict(kept, strict=False)
    layer: Any = finished.mapping.layers[0]
    nn.init.eye_(layer.weight).div_(layer.weight_gain)
    layer.bias.fill_(_LIFT / layer.bias_gain)
    deviation = math.sqrt(2)
    mean = deviation * _LIFT
    finished.mapping.w_mean.fill_(mean)
    random = torch.Generator().manual_seed(seed)
    directions = torch.linalg.qr(torch.randn(w_dim, generator.config.w_dim, generator=random))[0]
    roots, means = cloud.root.cpu(), cloud.mean.cpu()
    for trained, module, group in zip(
        affines(generator), affines(finished), affine_groups(generator), strict=True
    ):
        weight = trained.weight.cpu() * trained.weight_gain
        bias = trained.bias.cpu() + weight @ means[group]
        weight = _STRENGTHS[group] * weight @ roots[group] @ directions.T / (module.weight_gain * deviation)
        # Rounded as the file will be, so that the two changes cancel to its last bit.
        module.weight.copy_(weight.half().float())
        module.bias.copy_(bias - module.weight_gain * mean * module.weight.sum(1))
    return finished


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
        self.generator = _placed(begin(config, mean_colour), device)
        self.encoder = _placed(PictureEncoder(config.w_dim), device)
        discriminator = ProjectedDiscriminator(features.to_device(torch.device("cpu")), recipe.seed)
        features.to_device(device)
        self.features = features
        self.discriminator = _placed(discriminator, device)
        self.cloud = Cloud(config.w_dim, device)
        self.likeness = Likeness()
        self.rate_control = RateControl(recipe.nats)
        self._prepare()

    def _prepare(self) -> None:
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
        average = _placed(grow(self.average, resolution), self.device)
        self.generator = _placed(grow(self.generator, resolution), self.device)
        if self.donor is not None:
            take_block(self.generator, self.donor)
            take_block(average, self.donor)
        self._prepare()
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

    def save(self, path: Path) -> None:
        """Write everything a resumed run needs. Raises TrainingError; the older file stays."""
        state = {
            "config": asdict(self.generator.config),
            "progress": asdict(self.progress),
            "history": self.history,
            "rate_weight": self.rate_control.weight,
            "settled": self.settled,
            **{name: getattr(self, name).state_dict() for name in _KEPT},
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        try:
            write_atomically(path, buffer.getvalue())
        except CheckpointError as error:
            raise TrainingError(str(error)) from error

    def load(self, path: Path) -> None:
        """Go on from ``save``'s file. Raises TrainingError when damaged or of another architecture."""
        state, found = self._read(path)
        self.settled = int(state.get("settled", 0))
        if found.resolution != self.generator.config.resolution:
            self.generator = _placed(Generator(found), self.device)
            self._prepare()
        try:
            for name in _KEPT:
                getattr(self, name).load_state_dict(state[name])
            self.progress = Progress(**state["progress"])
            self.history = list(state["history"])
            self.rate_control.weight = float(state["rate_weight"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{path} does not fit this lavlive's training: {error}") from error
        rates = (self.recipe.rate_generator, self.recipe.rate_encoder, self.recipe.rate_discriminator)
        for optimizer, rate in zip(
            (self.optimizer_g, self.optimizer_e, self.optimizer_d), rates, strict=True
        ):
            for group in optimizer.param_groups:
                group["lr"] = rate

    def begin_from(self, path: Path) -> None:
        """Begin with the networks of ``save``'s file, of a training that is not gone on with.

        What one family of pictures taught about light, edges and places serves the next. Raises TrainingError
        when the file is damaged, of another architecture, or not of this trainer's resolution.
        """
        state, found = self._read(path)
        here = self.generator.config.resolution
        if found.resolution != here:
            raise TrainingError(f"{path} has grown to {found.resolution}²; this begins at {here}²")
        try:
            # The average is what the other training learned, without its last steps' restlessness.
            self.generator.load_state_dict(state["average"])
            self.average.load_state_dict(state["average"])
            for name in ("encoder", "discriminator", "cloud"):
                getattr(self, name).load_state_dict(state[name])
            self.rate_control.weight = float(state["rate_weight"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{path} does not fit this lavlive's training: {error}") from error

    def take_blocks_of(self, path: Path) -> None:
        """Let new blocks begin as those of ``save``'s file. Raises TrainingError as `load` does."""
        state, found = self._read(path)
        donor = Generator(found)
        try:
            donor.load_state_dict(state["average"])
        except (KeyError, RuntimeError) as error:
            raise TrainingError(f"{path} does not fit this lavlive's training: {error}") from error
        self.donor = donor.to(self.device)

    def _read(self, path: Path) -> tuple[dict[str, Any], GeneratorConfig]:
        """A checkpoint and its architecture, which is this trainer's but for the resolution."""
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
            found = GeneratorConfig(**state["config"])
        except Exception as error:
            raise TrainingError(f"{path} is no training checkpoint or is damaged: {error}") from error
        wanted = replace(self.generator.config, resolution=found.resolution)
        if all(found.channels(side) == wanted.channels(side) for side in wanted.block_resolutions):
            # How wide the blocks are that it has not grown yet is free.
            found = replace(found, channel_min=wanted.channel_min)
        if found != wanted:
            differing = [k for k, v in asdict(wanted).items() if asdict(found)[k] != v]
            raise TrainingError(
                f"{path} has another architecture ({', '.join(differing)}); "
                "give the same options, or another --out"
            )
        return state, found


_KEPT = (
    "generator",
    "average",
    "encoder",
    "discriminator",
    "optimizer_g",
    "optimizer_e",
    "optimizer_d",
    "cloud",
)
"""Parts of a trainer with a state of their own."""


def _shrink(pictures: Tensor) -> Tensor:
    """At the size that the encoder looks at."""
    if pictures.shape[-1] == SIDE:
        return pictures
    mode = "area" if pictures.shape[-1] > SIDE else "bilinear"
    return F.interpolate(pictures, size=(SIDE, SIDE), mode=mode)


def _placed(module: M, device: torch.device) -> M:
    """The module on ``device``, its convolutions channels last, which trains faster on CPU and GPU."""
    module.to(device)
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module
