"""Dials: directions of W that change the picture much, so scaled that one unit of any changes it equally.

Per layer group there are three kinds of candidates, eight of each, all by closed form from R, W's
correlations, and S, the group's affine layers in units of W_std (S a is what a deviation a does to styles):

    styles    eigenvectors of SᵀS: what changes the styles most per step (Shen and Zhou, "SeFa", 2021)
    W         eigenvectors of R: where W is widest (Härkönen et al., "GANSpace", 2020)
    both      R^½ times the eigenvectors of R^½ SᵀS R^½: what changes the styles most over all that W holds

A step along a direction d is one standard deviation of W along it, √(dᵀRd). What steps do to pictures is
measured as the mean change of L*, half of the pictures forth and half back: of all candidates, with 2.5
steps, on a few pictures, then of the best eight, with about as many steps as make a unit, on 32. In a large
network only the ten that turn the styles most are tried, and as many pictures are made, 4 at least, as make
the means sure to 8 % or as the work allows. Left out are candidates that turn the styles in the same way as
a stronger one, those weaker than twice a random direction, and those that would have to leave W to be as
strong as the others.
"""

from __future__ import annotations

import logging
import math
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from lavlive.files import replacing
from lavlive.generator.alias_free import AnyGenerator
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.dial_pictures import DialPictures, RunnerPictures, Stopped
from lavlive.generator.runners.alias_free_plan import AliasFreePlan
from lavlive.generator.runners.plan import Affine, Array
from lavlive.generator.runners.plans import AnyPlan, plan_of
from lavlive.generator.wstats import WStatistics
from lavlive.parameters import DIALS_PER_GROUP as PER_GROUP
from lavlive.resources import cache_folder

PICTURES = 32
LEAST_EFFECT = 2.0
"""Of a random direction's."""
MOST_STEPS = 6.0
"""Standard deviations of W along a direction that one unit may be."""
_UNIT_STEPS = 2.5
"""One unit does as much as so many standard deviations along the typical dial."""
_POWER = 0.8
"""Pictures change about as this power of a step: the longer it is, the less any more of it does."""
_TRIAL_PICTURES = 4
_RANDOM_DIRECTIONS = 4
_ALIKE = 0.7
"""Cosine between what two directions do to the styles, from which on they are the same dial."""
_SEED = 2021
_VERSION = 2
_MOST_CANDIDATES = 10
"""In a layer group of a large network: those that turn the styles most."""
_FEW_TRIAL_PICTURES, _FEWEST_PICTURES = 2, 4
"""Of a large network."""
_MOST_WORK = 6e11
"""Products in the pictures that a group's dials are measured on, where those are not sure before."""
_SURE = 0.08
"""Standard error of a mean change, relative, from which on no more pictures are made."""
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
        random: float32 [3], mean change of L* by a standard deviation along a random direction, in a step of
            2.5 of them.
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
    vectors = np.zeros((_GROUPS, PER_GROUP, w_dim), np.float32)
    effects, steps = np.zeros((2, _GROUPS, PER_GROUP), np.float32)
    return Dials(vectors, effects, steps, np.zeros(_GROUPS, np.float32))


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
    kept = remembered_dials(loaded, folder)
    if kept is not None:
        return kept
    generator = loaded.generator
    dials = find_dials(plan_of(generator), sample_w(generator), statistics, groups, stop, progress, threads)
    if dials is not None:
        path = _remembered_in(loaded, folder)
        try:
            with replacing(path) as beside, beside.open("wb") as file:
                np.savez(file, **asdict(dials))
        except OSError as error:
            _log.warning("cannot keep the dials in %s: %s", path, error)
    return dials


def remembered_dials(loaded: LoadedGenerator, folder: Path | None = None) -> Dials | None:
    """What a search has left in the cache under a model's hash; None where nobody has searched."""
    return read_dials(_remembered_in(loaded, folder), loaded.generator.config.w_dim)


def _remembered_in(loaded: LoadedGenerator, folder: Path | None) -> Path:
    return (cache_folder() if folder is None else folder) / f"dials{_VERSION}-{loaded.hash[:32]}.npz"


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


def find_dials(
    plan: AnyPlan,
    sampled: Array,
    statistics: WStatistics,
    groups: np.ndarray,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[float], object] = lambda share: None,
    threads: int = 1,
) -> Dials | None:
    """Find, rank and scale the directions of one model; see the module. None where it was stopped.

    Args:
        plan: of the network.
        sampled: float32 [pictures, w_dim], the w of the pictures that effects are measured on.
        threads: that pictures are made with.
    """
    pictures: DialPictures | RunnerPictures
    if isinstance(plan, AliasFreePlan):
        pictures = RunnerPictures(plan, sampled, groups, threads, stop)
    else:
        torch.set_num_threads(threads)  # OpenMP keeps this per calling thread
        pictures = DialPictures(plan, sampled, groups, stop)
    try:
        return _Search(plan, pictures, len(sampled), statistics, groups, progress).found()
    except Stopped:
        return None
    finally:
        pictures.close()


@dataclass
class _Candidate:
    """A step along a direction: in w, and what it does to the group's styles (of unit length).

    Attributes:
        strength: length of the change of styles by the step.
        trial: changes of L* by 2.5 of the steps, one of each picture tried.
        tried: steps that ``changes`` were measured with.
    """

    step: Array
    styles: Array
    strength: float
    trial: list[float] = field(default_factory=list)
    tried: float = 1.0
    changes: list[float] = field(default_factory=list)

    def needed(self, unit: float) -> float:
        """Steps that change pictures by ``unit``, from those that were measured, which do nearly that."""
        return self.tried * _further(unit, self.changes)


def _further(wanted: float, changes: list[float]) -> float:
    """How much longer a step has to be to change pictures as wanted."""
    return math.pow(wanted / max(float(np.mean(changes)), 1e-9), 1.0 / _POWER)


class _Search:
    """The search in one model: candidates in closed form, a trial of all, a measurement of the best."""

    def __init__(
        self,
        plan: AnyPlan,
        pictures: DialPictures | RunnerPictures,
        count: int,
        statistics: WStatistics,
        groups: np.ndarray,
        progress: Callable[[float], object],
    ) -> None:
        self._pictures = pictures
        self._progress = progress
        self._std = statistics.std.astype(np.float64)
        scale = np.where(self._std > 0, self._std, 1.0)
        correlation = statistics.covariance.astype(np.float64) / np.outer(scale, scale)
        random = np.random.default_rng(_SEED)
        self._candidates: dict[int, list[_Candidate]] = {}
        self._aimless: dict[int, list[_Candidate]] = {}
        for group in range(_GROUPS):
            matrix = style_matrix(plan, groups, group) * self._std
            if not len(matrix):
                continue
            gram = matrix.T @ matrix
            found = [
                _candidate(each, matrix, correlation, self._std) for each in _directions(gram, correlation)
            ]
            if pictures.is_large:
                found = _unlike(found, lambda each: each.strength)[:_MOST_CANDIDATES]
            self._candidates[group] = found
            self._aimless[group] = [
                _candidate(random.standard_normal(len(self._std)), matrix, correlation, self._std)
                for _ in range(_RANDOM_DIRECTIONS)
            ]
        is_large = pictures.is_large
        self._trials = min(count, _FEW_TRIAL_PICTURES if is_large else _TRIAL_PICTURES)
        self._least = min(count, _FEWEST_PICTURES if is_large else PICTURES)
        self._most = min(count, PICTURES)

    def found(self) -> Dials:
        """Raises `Stopped` where nobody wants them."""
        baselines = self._try()
        dials = replace(no_dials(len(self._std)), random=np.array(baselines, np.float32))
        trials = [float(np.mean(each.trial)) for group, kept in self._candidates.items() for each in kept]
        if not trials:
            return dials
        unit = math.exp(float(np.mean(np.log(trials))))
        self._measure(unit)
        for group, kept in self._candidates.items():
            ranked = []
            for each in kept:
                needed = each.needed(unit)
                per_step = unit / needed
                if needed <= MOST_STEPS and per_step >= LEAST_EFFECT * baselines[group]:
                    ranked.append((per_step, needed, each))
            ranked.sort(key=lambda entry: -entry[0])
            for place, (_, needed, each) in enumerate(ranked):
                dials.vectors[group, place] = each.step * np.float32(needed)
                dials.effects[group, place], dials.steps[group, place] = unit, needed
        return dials

    def _try(self) -> list[float]:
        """Try all candidates, leave the best in each group, and return what random directions do."""
        for index in range(self._trials):
            for place, (group, found) in enumerate(self._candidates.items()):
                each = [*found, *self._aimless[group]]
                changes = self._changes(index, group, [one.step * np.float32(_UNIT_STEPS) for one in each])
                for one, change in zip(each, changes, strict=True):
                    one.trial.append(float(change))
                self._progress(0.4 * (index + (place + 1) / _GROUPS) / self._trials)
        baselines = [0.0] * _GROUPS
        for group, found in self._candidates.items():
            aimless = float(np.mean([one.trial for one in self._aimless[group]]))
            baselines[group] = aimless / _UNIT_STEPS
            strong = [one for one in found if np.mean(one.trial) >= max(LEAST_EFFECT * aimless, 1e-9)]
            self._candidates[group] = _unlike(strong, lambda one: float(np.mean(one.trial)))[:PER_GROUP]
        return baselines

    def _measure(self, unit: float) -> None:
        """Measure steps of about a unit, on as many pictures as it takes to be sure."""
        for kept in self._candidates.values():
            for each in kept:
                each.tried = min(_UNIT_STEPS * _further(unit, each.trial), MOST_STEPS)
        unsure = {group for group, kept in self._candidates.items() if kept}
        for index in range(self._most):
            for group in sorted(unsure):
                kept = self._candidates[group]
                changes = self._changes(index, group, [each.step * np.float32(each.tried) for each in kept])
                for each, change in zip(kept, changes, strict=True):
                    each.changes.append(float(change))
                work = self._pictures.work(group) * (1 + len(kept)) * (index + 1)
                is_even = index % 2 == 1  # as many forth as back
                if is_even and index + 1 >= self._least and (_are_sure(kept) or work >= _MOST_WORK):
                    unsure.discard(group)
            self._progress(0.4 + 0.6 * min((index + 1) / self._least, 1.0))
            if not unsure:
                break
        counts = [max((len(each.changes) for each in kept), default=0) for kept in self._candidates.values()]
        _log.info("dials were measured on %s pictures", ", ".join(map(str, counts)))

    def _changes(self, index: int, group: int, steps: list[Array]) -> np.ndarray:
        """Half of the pictures forth and half back."""
        return self._pictures.changes(index, group, np.stack(steps) * np.float32(1 if index % 2 else -1))


def _are_sure(candidates: list[_Candidate]) -> bool:
    """Whether another picture would hardly change what they do, beside each other and together."""
    changes = np.array([each.changes for each in candidates])
    together = changes.mean(0)
    beside = changes / np.maximum(together, 1e-9)
    errors = [
        each.std() / max(each.mean(), 1e-9) / math.sqrt(changes.shape[1]) for each in (*beside, together)
    ]
    return bool(max(errors) <= _SURE)


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


def _directions(gram: np.ndarray, correlation: np.ndarray) -> list[np.ndarray]:
    """Candidates as deviations, of no particular length."""
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
    spread = math.sqrt(max(float(unit @ correlation @ unit), 0.0))
    turned = matrix @ unit
    strength = float(np.linalg.norm(turned))
    styles = turned / max(strength, 1e-30)
    return _Candidate((unit * spread * std).astype(np.float32), styles.astype(np.float32), strength * spread)


def _unlike(candidates: list[_Candidate], strength: Callable[[_Candidate], float]) -> list[_Candidate]:
    """The strongest first, without those that do the same as a stronger one."""
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=strength, reverse=True):
        if all(abs(float(candidate.styles @ other.styles)) < _ALIKE for other in kept):
            kept.append(candidate)
    return kept
