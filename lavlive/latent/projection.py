"""The fixed random linear layer from latents to W, standardised, and the walk from one to the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from lavlive.errors import EncoderError
from lavlive.latent.programme import LatentStatistics, Programme
from lavlive.parameters import GROUPS

W_DIM = 512
"""Width of W of most generators, and of a path that nobody told another one."""
_SMALLEST_SPREAD = 1e-6
_PLACES = 1_000_003
"""Apart from all seeds of the projection, so that a piece's place and its motion are independent."""


@dataclass(frozen=True, slots=True)
class Directions:
    """Everything that a projection's seed decides, ready to use.

    Attributes:
        matrix: float32 [w_dim, dimension]: latent minus its mean to unit-variance u (DESIGN, steps 2 and 3;
            the bias of the linear layer falls out of v − m_v).
        onset: float32 [3, w_dim]: a direction per layer group, unit variance per element.
        chroma: float32 [w_dim, 12].
        place: float32 [w_dim, dimension]: a piece's offset from the mean of many, to unit variance.
        breath: float32 [4, w_dim], unit variance per element.
    """

    matrix: np.ndarray
    onset: np.ndarray
    chroma: np.ndarray
    place: np.ndarray
    breath: np.ndarray

    def fitted(self, other: Directions) -> Directions:
        """These in the width of others: what lies beyond is left out, what is missing taken from them."""
        width = len(other.matrix)
        kept = min(len(self.matrix), width)
        return Directions(
            np.concatenate([self.matrix[:kept], other.matrix[kept:]]),
            np.concatenate([self.onset[:, :kept], other.onset[:, kept:]], axis=1),
            np.concatenate([self.chroma[:kept], other.chroma[kept:]]),
            np.concatenate([self.place[:kept], other.place[kept:]]),
            np.concatenate([self.breath[:, :kept], other.breath[:, kept:]], axis=1),
        )


def linear_layer(
    kind: str, seed: int, dimension: int, learned: np.ndarray | None = None, w_dim: int = W_DIM
) -> np.ndarray:
    """The weight P of the linear layer, float32 [w_dim, dimension].

    `random` is the paper's: `torch.nn.Linear` at its default initialisation under the seed; a wider one has
    the narrower one's rows and more. `orthogonal` has orthonormal columns (rows, where there are fewer),
    `identity` copies latent i into W's dimension i, `learned` is the matrix given. `even` is `random` here.

    Raises:
        EncoderError: `learned` without a matrix, or with one of another shape.
    """
    generator = torch.Generator().manual_seed(seed)
    match kind:
        case "orthogonal":
            square = torch.empty(w_dim, max(dimension, w_dim))
            torch.nn.init.orthogonal_(square, generator=generator)
            return square[:, :dimension].contiguous().numpy()
        case "identity":
            return np.eye(w_dim, dimension, dtype=np.float32)
        case "learned":
            if learned is None or learned.shape != (w_dim, dimension):
                raise EncoderError(
                    f"There is no learned projection of {w_dim} x {dimension}; make one with lavlive study."
                )
            return learned.astype(np.float32)
        case _:
            # nn.Linear's default: kaiming_uniform with a = sqrt(5), which is U(±1/sqrt(dimension)).
            weight = torch.empty(w_dim, dimension)
            torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
            return weight.numpy()


def standardised(weight: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Rows scaled so that u has unit variance on the calibration clip; rows without variance become zero."""
    variance = np.einsum("id,de,ie->i", weight, covariance, weight, optimize=True)
    spread = np.sqrt(np.maximum(variance, 0.0))
    alive = spread > _SMALLEST_SPREAD * max(float(spread.max()), 1e-30)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=alive)
    scaled: np.ndarray = (weight * scale[:, None]).astype(np.float32)
    return scaled


def directions(
    kind: str,
    seed: int,
    calibration: LatentStatistics,
    learned: np.ndarray | None = None,
    w_dim: int = W_DIM,
    programme: Programme | None = None,
) -> Directions:
    """The directions under a kind and a seed, for an encoder's calibration and programme.

    `even` is a random layer behind `Programme.evening`: slow motion of music then moves pictures along many
    directions of W, not along the few that are strongest among latents.
    """
    programme = programme or Programme.guessed(calibration)
    weight = linear_layer(kind, seed, len(calibration.mean), learned, w_dim)
    if kind == "even":
        weight = weight @ programme.evening
    onset, chroma = _modulating(seed, w_dim)
    place = linear_layer("random", seed + _PLACES, len(calibration.mean), w_dim=w_dim)
    breath = np.random.default_rng([seed, 3]).standard_normal((max(w_dim, W_DIM), 4))[:w_dim].T
    return Directions(
        standardised(weight, calibration.covariance),
        onset,
        chroma,
        standardised(place, programme.place_covariance),
        np.ascontiguousarray(breath, np.float32),
    )


def _modulating(seed: int, w_dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions of onset [3, w_dim] and chroma [w_dim, 12]; wider ones go on where narrower ones end."""
    random = np.random.default_rng([seed, 1])
    onset, chroma = random.standard_normal((len(GROUPS), W_DIM)), random.standard_normal((W_DIM, 12))
    more = np.random.default_rng([seed, 2]).standard_normal((max(w_dim - W_DIM, 0), len(GROUPS) + 12))
    onset = np.concatenate([onset[:, :w_dim], more[:, : len(GROUPS)].T], axis=1)
    chroma = np.concatenate([chroma[:w_dim], more[:, len(GROUPS) :]])
    return onset.astype(np.float32), chroma.astype(np.float32)


class ProjectionWalk:
    """Which directions hold now: a walk on a great circle from the last ones to those asked for.

    The walk keeps u at unit variance all the way, so it changes what the picture shows, not how far it
    goes. Nothing is computed while nobody walks.

    Args:
        tell_lacking: is told why a kind cannot be had, and `random` takes its place; without it that is an
            EncoderError of `step`.
    """

    def __init__(
        self,
        calibration: LatentStatistics,
        learned: np.ndarray | None = None,
        w_dim: int = W_DIM,
        tell_lacking: Callable[[str], object] | None = None,
        programme: Programme | None = None,
    ) -> None:
        self.tell_lacking = tell_lacking
        self._programme = programme
        self._calibration = calibration
        self._learned = learned
        self._w_dim = w_dim
        self._asked: tuple[str, int] | None = None
        self._start: Directions | None = None
        self._goal: Directions | None = None
        self._overlap = np.zeros(w_dim)
        self._angle = math.pi / 2
        self.now: Directions | None = None

    @property
    def walking(self) -> bool:
        """Whether `now` is still on its way."""
        return self._angle < math.pi / 2

    def step(self, kind: str, seed: int, elapsed: float, duration: float, hold: bool) -> Directions:
        """Advance by `elapsed` seconds of a walk that takes `duration` seconds; `hold` stops where it is."""
        if self._asked != (kind, seed):
            self._set_out(kind, seed)
        if self.walking and not hold:
            share = elapsed / duration if duration > elapsed else 1.0
            self._angle = min(self._angle + share * math.pi / 2, math.pi / 2)
            self.now = self._between()
        assert self.now is not None
        return self.now

    def resize(self, w_dim: int) -> None:
        """Go on for a W of another width: a walk under way goes on, and no dimension that stays jumps.

        Kinds whose rows depend on the width (`orthogonal`) set out from where they are to the new ones.
        """
        if w_dim == self._w_dim:
            return
        self._w_dim = w_dim
        if self._asked is None or self._goal is None or self.now is None:
            return
        before, goal = self._goal, self._directions(*self._asked)
        shared = min(len(before.matrix), w_dim)
        # To rounding: products of another size are summed in another order.
        same = np.allclose(before.matrix[:shared], goal.matrix[:shared], rtol=1e-3, atol=1e-5)
        self._goal = goal
        if same and not self.walking:
            self.now = goal
        elif same:
            assert self._start is not None
            self._start = self._start.fitted(goal)
            self._overlap = self._overlap_with(self._start)
            self.now = self._between()
        else:
            self._start = self.now = self.now.fitted(goal)
            self._angle = 0.0
            self._overlap = self._overlap_with(self._start)

    def _set_out(self, kind: str, seed: int) -> None:
        self._asked = (kind, seed)
        self._goal = self._directions(kind, seed)
        self._start = self.now
        if self._start is None:
            self.now, self._angle = self._goal, math.pi / 2
            return
        self._angle = 0.0
        self._overlap = self._overlap_with(self._start)

    def _directions(self, kind: str, seed: int) -> Directions:
        try:
            return directions(kind, seed, self._calibration, self._learned, self._w_dim, self._programme)
        except EncoderError as error:
            if self.tell_lacking is None:
                raise
            self.tell_lacking(f"{error} A random projection takes its place.")
            return directions("random", seed, self._calibration, None, self._w_dim, self._programme)

    def _overlap_with(self, start: Directions) -> np.ndarray:
        assert self._goal is not None
        overlap: np.ndarray = np.einsum(
            "id,de,ie->i", start.matrix, self._calibration.covariance, self._goal.matrix, optimize=True
        )
        return overlap

    def _between(self) -> Directions:
        assert self._start is not None
        assert self._goal is not None
        if not self.walking:
            return self._goal
        start, goal = math.cos(self._angle), math.sin(self._angle)
        variance = np.maximum(1.0 + 2.0 * start * goal * self._overlap, 0.05)
        matrix = (start * self._start.matrix + goal * self._goal.matrix) / np.sqrt(variance)[:, None]
        return Directions(
            matrix=matrix.astype(np.float32),
            onset=start * self._start.onset + goal * self._goal.onset,
            chroma=start * self._start.chroma + goal * self._goal.chroma,
            place=start * self._start.place + goal * self._goal.place,
            breath=start * self._start.breath + goal * self._goal.breath,
        )
