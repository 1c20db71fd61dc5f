"""Dials: directions of W that change the picture much, so scaled that one unit of any changes it equally.

Per layer group there are three kinds of candidates, eight of each, all by closed form from R, W's
correlations, and S, the group's affine layers in units of W_std (S a is what a deviation a does to styles):

    styles    eigenvectors of SᵀS: what changes the styles most per step (Shen and Zhou, "SeFa", 2021)
    W         eigenvectors of R: where W is widest (Härkönen et al., "GANSpace", 2020)
    both      R^½ times the eigenvectors of R^½ SᵀS R^½: what changes the styles most over all that W holds

A step along a direction d is one standard deviation of W along it, √(dᵀRd). What the step does to pictures
is measured as the mean change of L*, half of the pictures forth and half back. Candidates that turn the
styles in the same way as a stronger one are left out, so are those weaker than twice a random direction, and
those that would have to leave W to be as strong as the others.
"""

from __future__ import annotations

import logging
import math
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lavlive.files import replacing
from lavlive.generator.alias_free import AnyGenerator
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.runner import plain_runner
from lavlive.generator.runners.alias_free_plan import AliasFreePlan
from lavlive.generator.runners.base import Runner, picture
from lavlive.generator.runners.plan import Affine, Array
from lavlive.generator.runners.plans import AnyPlan, plan_of
from lavlive.generator.wstats import WStatistics
from lavlive.light import lightness_on_grid
from lavlive.parameters import DIALS_PER_GROUP as PER_GROUP
from lavlive.resources import cache_folder

PICTURES = 32
LEAST_EFFECT = 2.0
"""Of a random direction's."""
MOST_STEPS = 6.0
"""Standard deviations of W along a direction that one unit may be."""
_UNIT_STEPS = 2.5
"""One unit does as much as so many standard deviations along the typical dial."""
_TRIAL_PICTURES = 4
_RANDOM_DIRECTIONS = 4
_ALIKE = 0.7
"""Cosine between what two directions do to the styles, from which on they are the same dial."""
_SEED = 2021
_VERSION = 2
_MOST_WORK = 4e9
"""Products in a picture that effects are measured on. A larger network's pictures are measured as far as its
layers of lower resolution make them."""
_GROUPS = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dials:
    """What the dials of one model do.

    Attributes:
        vectors: float32 [3, 8, w_dim], what one unit of a dial adds to w in its layer group, the strongest
            direction first; zeros where a group has no such dial.
        effects: float32 [3, 8], mean change of L* that one unit was scaled to on 32 pictures; 0 where none.
        steps: float32 [3, 8], how many standard deviations of W along its direction one unit is.
        random: float32 [3], mean change of L* by one standard deviation along a random direction.
    """

    vectors: Array
    effects: Array
    steps: Array
    random: Array

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many dials the coarse, middle and fine layers have."""
        coarse, middle, fine = (int(np.count_nonzero(group)) for group in self.effects)
        return coarse, middle, fine


def no_dials(w_dim: int) -> Dials:
    """Of a model without any."""
    empty = np.zeros((_GROUPS, PER_GROUP), np.float32)
    vectors = np.zeros((_GROUPS, PER_GROUP, w_dim), np.float32)
    return Dials(vectors, empty, empty, np.zeros(_GROUPS, np.float32))


def dials_of(
    loaded: LoadedGenerator,
    statistics: WStatistics,
    groups: np.ndarray,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[float], object] = lambda share: None,
    threads: int = 1,
    folder: Path | None = None,
) -> Dials | None:
    """The dials of a model, from the cache under its hash, or found and measured now.

    Args:
        statistics: of W, over all classes.
        groups: int [L], layer group of each layer.
        stop: asked before every picture; once it is True the search ends, and None is returned.
        progress: told the share that is done, 0 to 1.
        threads: that the pictures are made with.
        folder: of the cache, if not the usual one.
    """
    path = (cache_folder() if folder is None else folder) / f"dials{_VERSION}-{loaded.hash[:32]}.npz"
    kept = read_dials(path, len(statistics.mean))
    if kept is not None:
        return kept
    generator = loaded.generator
    plan = measurable(plan_of(generator))
    runner = plain_runner(plan, threads)
    try:
        dials = find_dials(plan, runner, sample_w(generator), statistics, groups, stop, progress)
    finally:
        runner.close()
    if dials is not None:
        try:
            with replacing(path) as beside, beside.open("wb") as file:
                np.savez(file, **asdict(dials))
        except OSError as error:
            _log.warning("cannot keep the dials in %s: %s", path, error)
    return dials


def read_dials(path: Path, w_dim: int) -> Dials | None:
    """Dials from a file; None where there is none, or none that fits a W of ``w_dim`` dimensions."""
    try:
        with open(path, "rb") as kept, np.load(kept, allow_pickle=False) as stored:
            dials = Dials(stored["vectors"], stored["effects"], stored["steps"], stored["random"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, TypeError) as error:
        _log.warning("finding dials again, %s is unreadable: %s", path, error)
        return None
    expected = no_dials(w_dim)
    shapes = [(getattr(dials, name).shape, value.shape) for name, value in asdict(expected).items()]
    fits = all(found == wanted for found, wanted in shapes) and np.isfinite(dials.vectors).all()
    return dials if fits else None


def sample_w(generator: AnyGenerator, count: int = PICTURES, seed: int = _SEED) -> Array:
    """w of random z, float32 [count, w_dim]; classes are drawn evenly."""
    random = torch.Generator().manual_seed(seed)
    config = generator.config
    with torch.inference_mode():
        z = torch.randn(count, config.z_dim, generator=random)
        classes = torch.randint(max(config.class_count, 1), (count,), generator=random)
        sampled: Array = generator.mapping(z, classes).float().numpy()
    return sampled


def measurable(plan: AnyPlan) -> AnyPlan:
    """The plan, or as much of its lower resolutions as makes a picture in time.

    Networks whose pictures are sums over resolutions alone can be cut; at least up to 64², or the fine
    layers would have no say.
    """
    if isinstance(plan, AliasFreePlan):
        return plan
    work, kept = 0.0, 0
    for index, block in enumerate(plan.blocks):
        for conv in (block.conv0, block.conv1):
            if conv is not None:
                work += conv.weight.size * conv.height * conv.width / (4 if conv.up else 1)
        if block.picture is not None and (work <= _MOST_WORK or block.resolution <= 64):
            kept = index
    if plan.blocks[kept].picture is None:
        return plan
    last = plan.blocks[kept]
    return replace(
        plan,
        blocks=plan.blocks[: kept + 1],
        resolution=last.resolution,
        height=last.height,
        width=last.width,
    )


def find_dials(
    plan: AnyPlan,
    runner: Runner,
    sampled: Array,
    statistics: WStatistics,
    groups: np.ndarray,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[float], object] = lambda share: None,
) -> Dials | None:
    """Find, rank and scale the directions of one model; see the module. None where it was stopped.

    Args:
        plan: of the network that ``runner`` runs.
        sampled: float32 [pictures, w_dim], the w of the pictures that effects are measured on.
    """
    effects = _Effects(runner, sampled, groups, stop, progress)
    try:
        return _found(plan, effects, statistics, groups)
    except _Stopped:
        return None


class _Stopped(Exception):
    """Nobody wants the dials any more."""


@dataclass
class _Candidate:
    """A step along a direction: in w, and what it does to the group's styles (of unit length)."""

    step: Array
    styles: Array
    effect: float = 0.0


class _Effects:
    """Measures what steps in W do to pictures; each picture is made when it is first needed."""

    def __init__(
        self,
        runner: Runner,
        sampled: Array,
        groups: np.ndarray,
        stop: Callable[[], bool],
        progress: Callable[[float], object],
    ) -> None:
        self._runner = runner
        self._sampled = sampled
        self._groups = groups
        self._stop = stop
        self._progress = progress
        self._plain: dict[int, np.ndarray] = {}
        self._made = 0
        most = _GROUPS * (3 * PER_GROUP + _RANDOM_DIRECTIONS) * _TRIAL_PICTURES
        self._expected = most + (_GROUPS * PER_GROUP + 1) * len(sampled)

    def __call__(self, group: int, step: Array, count: int) -> float:
        """Mean change of L* by a step in w [w_dim] in the layers of a group, over ``count`` pictures."""
        changes = []
        for index in range(min(count, len(self._sampled))):
            if index not in self._plain:
                self._plain[index] = self._lightness(index, None, group)
            moved = self._lightness(index, step if index % 2 else -step, group)
            changes.append(float(np.abs(moved - self._plain[index]).mean()))
        return float(np.mean(changes))

    def _lightness(self, index: int, step: Array | None, group: int) -> np.ndarray:
        if self._stop():
            raise _Stopped
        self._made += 1
        self._progress(min(self._made / self._expected, 1.0))
        w_plus = np.repeat(self._sampled[index][None], len(self._groups), axis=0)
        if step is not None:
            w_plus[self._groups == group] += step
        return lightness_on_grid(picture(self._runner, w_plus))


def _found(plan: AnyPlan, effects: _Effects, statistics: WStatistics, groups: np.ndarray) -> Dials:
    std = statistics.std.astype(np.float64)
    scale = np.where(std > 0, std, 1.0)
    correlation = statistics.covariance.astype(np.float64) / np.outer(scale, scale)
    random = np.random.default_rng(_SEED)
    by_group: list[list[_Candidate]] = []
    baselines = []
    for group in range(_GROUPS):
        matrix = style_matrix(plan, groups, group) * std
        if not len(matrix):
            by_group.append([])
            baselines.append(0.0)
            continue
        aimless = [
            _candidate(random.standard_normal(len(std)), matrix, correlation, std)
            for _ in range(_RANDOM_DIRECTIONS)
        ]
        baselines.append(float(np.mean([effects(group, each.step, _TRIAL_PICTURES) for each in aimless])))
        found = [_candidate(d, matrix, correlation, std) for d in _directions(matrix, correlation)]
        for candidate in found:
            candidate.effect = effects(group, candidate.step, _TRIAL_PICTURES)
        least = LEAST_EFFECT * baselines[-1]
        by_group.append([each for each in _unlike(found) if each.effect >= least and each.effect > 0])
    dials = no_dials(len(std))
    trials = [each.effect for kept in by_group for each in kept]
    if not trials:
        return replace(dials, random=np.array(baselines, np.float32))
    unit = _UNIT_STEPS * math.exp(float(np.mean(np.log(trials))))
    vectors, measured, steps = (array.copy() for array in (dials.vectors, dials.effects, dials.steps))
    for group, kept in enumerate(by_group):
        ranked = []
        for candidate in kept:
            tried = min(unit / candidate.effect, MOST_STEPS)
            effect = effects(group, candidate.step * np.float32(tried), PICTURES)
            needed = tried * unit / max(effect, 1e-9)
            # Small steps change pictures in proportion; what was measured is taken back to one step.
            if needed <= MOST_STEPS and effect / tried >= LEAST_EFFECT * baselines[group]:
                ranked.append((effect / tried, needed, candidate))
        ranked.sort(key=lambda entry: -entry[0])
        for place, (_, needed, candidate) in enumerate(ranked[:PER_GROUP]):
            vectors[group, place] = candidate.step * np.float32(needed)
            measured[group, place], steps[group, place] = unit, needed
    return Dials(vectors, measured, steps, np.array(baselines, np.float32))


def style_matrix(plan: AnyPlan, groups: np.ndarray, group: int) -> Array:
    """The affine layers of a group, stacked: what w does to its styles, float32 [styles, w_dim]."""
    matrices = [affine.matrix for affine in _affines(plan) if groups[affine.row] == group]
    return np.concatenate(matrices) if matrices else np.zeros((0, plan.w_dim), np.float32)


def _affines(plan: AnyPlan) -> list[Affine]:
    if isinstance(plan, AliasFreePlan):
        return [plan.fourier.affine, *(layer.affine for layer in plan.layers)]
    return [
        layer.affine
        for block in plan.blocks
        for layer in (block.conv0, block.conv1, block.picture)
        if layer is not None
    ]


def _directions(matrix: np.ndarray, correlation: np.ndarray) -> list[np.ndarray]:
    """Candidates as deviations, of no particular length."""
    gram = matrix.T @ matrix
    spreads, wide = np.linalg.eigh(correlation)
    root = (wide * np.sqrt(np.maximum(spreads, 0.0))) @ wide.T
    styles, both = np.linalg.eigh(gram)[1], np.linalg.eigh(root @ gram @ root)[1]
    newest = slice(None, -PER_GROUP - 1, -1)
    return [*styles.T[newest], *wide.T[newest], *(root @ both).T[newest]]


def _candidate(
    direction: np.ndarray, matrix: np.ndarray, correlation: np.ndarray, std: np.ndarray
) -> _Candidate:
    length = math.sqrt(max(float(direction @ direction), 1e-30))
    unit = direction / length
    deviation = unit * math.sqrt(max(float(unit @ correlation @ unit), 0.0))
    turned = matrix @ unit
    styles = turned / max(float(np.linalg.norm(turned)), 1e-30)
    return _Candidate((deviation * std).astype(np.float32), styles.astype(np.float32))


def _unlike(candidates: list[_Candidate]) -> list[_Candidate]:
    """The strongest first, without those that do the same as a stronger one; at most eight."""
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda each: -each.effect):
        if all(abs(float(candidate.styles @ other.styles)) < _ALIKE for other in kept):
            kept.append(candidate)
    return kept[:PER_GROUP]
