"""The fixed random linear layer from latents to W, standardised, and the walk from one to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from lavlive.errors import EncoderError
from lavlive.parameters import GROUPS

W_DIM = 512
_SMALLEST_SPREAD = 1e-6


class Calibration(Protocol):
    """How an encoder's latents are distributed on ordinary music."""

    @property
    def mean(self) -> np.ndarray:
        """float32 [dimension]."""

    @property
    def covariance(self) -> np.ndarray:
        """float32 [dimension, dimension]."""


@dataclass(frozen=True, slots=True)
class Directions:
    """Everything that a projection's seed decides, ready to use.

    Attributes:
        matrix: float32 [512, dimension]: latent minus its mean to unit-variance u (DESIGN, steps 2 and 3;
            the bias of the linear layer falls out of v − m_v).
        onset: float32 [3, 512]: a direction per layer group, unit variance per element.
        chroma: float32 [512, 12].
    """

    matrix: np.ndarray
    onset: np.ndarray
    chroma: np.ndarray


def linear_layer(kind: str, seed: int, dimension: int, learned: np.ndarray | None = None) -> np.ndarray:
    """The weight P of the linear layer, float32 [512, dimension].

    `random` is the paper's: `torch.nn.Linear` at its default initialisation under the seed. `orthogonal`
    has orthonormal columns, `identity` copies latent i into W's dimension i, `learned` is the matrix given.

    Raises:
        EncoderError: `learned` without a matrix, or with one of another shape.
    """
    generator = torch.Generator().manual_seed(seed)
    match kind:
        case "orthogonal":
            square = torch.empty(W_DIM, max(dimension, W_DIM))
            torch.nn.init.orthogonal_(square, generator=generator)
            return square[:, :dimension].contiguous().numpy()
        case "identity":
            return np.eye(W_DIM, dimension, dtype=np.float32)
        case "learned":
            if learned is None or learned.shape != (W_DIM, dimension):
                raise EncoderError(
                    f"There is no learned projection of {W_DIM} x {dimension}; make one with lavlive study."
                )
            return learned.astype(np.float32)
        case _:
            # nn.Linear's default: kaiming_uniform with a = sqrt(5), which is U(±1/sqrt(dimension)).
            weight = torch.empty(W_DIM, dimension)
            torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
            return weight.numpy()


def standardised(weight: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Rows scaled so that u has unit variance on the calibration clip; rows without variance become zero."""
    variance = np.einsum("id,de,ie->i", weight, covariance, weight, optimize=True)
    spread = np.sqrt(np.maximum(variance, 0.0))
    alive = spread > _SMALLEST_SPREAD * max(float(spread.max()), 1e-30)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=alive)
    return (weight * scale[:, None]).astype(np.float32)


def directions(
    kind: str, seed: int, calibration: Calibration, learned: np.ndarray | None = None
) -> Directions:
    """The directions under a kind and a seed, for an encoder's calibration."""
    weight = linear_layer(kind, seed, len(calibration.mean), learned)
    random = np.random.default_rng([seed, 1])
    return Directions(
        matrix=standardised(weight, calibration.covariance),
        onset=random.standard_normal((len(GROUPS), W_DIM)).astype(np.float32),
        chroma=random.standard_normal((W_DIM, 12)).astype(np.float32),
    )


class ProjectionWalk:
    """Which directions hold now: a walk on a great circle from the last ones to those asked for.

    The walk keeps u at unit variance all the way, so it changes what the picture shows, not how far it
    goes. Nothing is computed while nobody walks.
    """

    def __init__(self, calibration: Calibration, learned: np.ndarray | None = None) -> None:
        self._calibration = calibration
        self._learned = learned
        self._asked: tuple[str, int] | None = None
        self._start: Directions | None = None
        self._goal: Directions | None = None
        self._overlap = np.zeros(W_DIM)
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

    def _set_out(self, kind: str, seed: int) -> None:
        self._asked = (kind, seed)
        self._goal = directions(kind, seed, self._calibration, self._learned)
        self._start = self.now
        if self._start is None:
            self.now, self._angle = self._goal, math.pi / 2
            return
        self._angle = 0.0
        self._overlap = np.einsum(
            "id,de,ie->i", self._start.matrix, self._calibration.covariance, self._goal.matrix, optimize=True
        )

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
        )
