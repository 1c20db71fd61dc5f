"""The latent path: one hop of sound in, the deviations of the layer groups out.

    samples [320] ─► encoder ─► e [128] ─► adaptation, projection ─► u [w_dim] ─► leaky tanh ─► a [w_dim]
                 └─► features ─► onset, chroma ─────────────────────► modulation ─► [3, w_dim]
                                                          smoothing ─► energy ─► limit ─► Latent

It has no clock, no threads and no random state of its own: the same samples and parameters give the
same latents, live and offline.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lavlive.encoder.base import Encoder
from lavlive.latent.features import FeatureExtractor, Features
from lavlive.latent.limit import LARGEST_DEVIATION, held_back, spread_of
from lavlive.latent.mapper import Adaptation, leaky_tanh
from lavlive.latent.modulation import modulate
from lavlive.latent.place import Breath, Place
from lavlive.latent.programme import LatentStatistics, Programme, programme_of
from lavlive.latent.projection import W_DIM, Directions, ProjectionWalk
from lavlive.latent.smoothing import EnergyKeeper, GroupSmoother
from lavlive.parameters import GROUPS, INDEX, TABLE, Glide, find

_BAD_HOPS_UNTIL_RESET = 38
_KIND = find("projection.kind")


def _indices(prefix: str) -> list[int]:
    return [INDEX[f"{prefix}.{group}"] for group in GROUPS]


_WINDOWS = _indices("smoothing")
_ONSETS = _indices("modulation.onset")
_CHROMAS = _indices("modulation.chroma")
_ROUNDNESS = INDEX["smoothing.roundness"]
_PLACE = INDEX["mapper.place"]
_IDLE = INDEX["show.idle"]


@dataclass(frozen=True, slots=True)
class Latent:
    """What one hop of sound asks the generator to show.

    Attributes:
        deviation: float32 [3, w_dim], per layer group, in W_std.
        embedding: float32 [dimension], the encoder's output.
        unsmoothed: float32 [3, w_dim], the deviation before smoothing.
        features: onset, chroma and spectrum.
        numbers: the parameters as they were used, gliding ones on their way.
        smoothing_delay: float [3], seconds.
        times: seconds spent on encoding and on all the rest.
        hop: counts from 0.
        valid: False where the sound gave no finite latent and the last good one stands in.
    """

    deviation: np.ndarray
    embedding: np.ndarray
    unsmoothed: np.ndarray
    features: Features
    numbers: np.ndarray
    smoothing_delay: np.ndarray
    times: tuple[float, float]
    hop: int
    valid: bool

    @property
    def truncation(self) -> float:
        """ψ of this hop."""
        return float(self.numbers[INDEX["generator.truncation"]])


class Listener(Protocol):
    """What tells the path of onset, chroma and silence: a `FeatureExtractor`, or a record of one."""

    def step(self, samples: np.ndarray) -> Features:
        """Hear one hop, float32 [320]."""


class LatentPath:
    """Encoder, projection, mapper, modulation and smoothing with their state. One thread owns it.

    Attributes:
        w_dim: width of the W that it makes deviations for; `resize` changes it.
    """

    def __init__(
        self,
        encoder: Encoder,
        calibration: LatentStatistics,
        learned: np.ndarray | None = None,
        clock: Callable[[], float] = time.perf_counter,
        listener: Listener | None = None,
        w_dim: int = W_DIM,
        programme: Programme | None = None,
    ) -> None:
        programme = programme or programme_of(encoder.hash, calibration)
        self.encoder = encoder
        self.w_dim = w_dim
        self.rate = encoder.sample_rate / encoder.hop
        self._clock = clock
        self._walk = ProjectionWalk(calibration, learned, w_dim, programme=programme)
        self._features = listener or FeatureExtractor(encoder.sample_rate, encoder.hop)
        self._adaptation = Adaptation(calibration.mean)
        self._place = Place(programme)
        self._breath = Breath()
        self._smoother = GroupSmoother(self.rate, dimension=w_dim)
        self._energy = EnergyKeeper(self.rate, dimension=w_dim)
        self._glide = Glide()
        self._last_embedding = calibration.mean.copy()
        self._bad_hops = 0
        self._hop = 0
        self.invalid = 0
        """Hops whose latent was not finite."""
        self.limited = 0
        """Hops at which a group would have gone beyond `LARGEST_DEVIATION`."""

    def resize(self, w_dim: int) -> None:
        """Go on for a model with another width of W: the walk, the windows and the programme stay.

        The dimensions that both have go on without a jump; those that are new begin at the mean.
        """
        if w_dim == self.w_dim:
            return
        self.w_dim = w_dim
        self._walk.resize(w_dim)
        self._smoother.resize(w_dim)
        self._energy.resize(w_dim)

    def go_on_without(self, tell: Callable[[str], object]) -> None:
        """Tell of a projection that cannot be had, instead of raising, and use a random one."""
        self._walk.tell_lacking = tell

    def step(self, samples: np.ndarray, targets: np.ndarray) -> Latent:
        """Take one hop, float32 [hop], with the parameters' target values [len(TABLE)]."""
        assert len(targets) == len(TABLE)
        elapsed = 1.0 / self.rate
        began = self._clock()
        embedding, valid = self._encode(samples)
        encoded = self._clock()
        numbers = self._glide.step(targets, elapsed)
        features = self._features.step(samples)
        directions = self._walk.step(
            str(_KIND.value(numbers[INDEX["projection.kind"]])),
            int(numbers[INDEX["projection.seed"]]),
            elapsed,
            float(numbers[INDEX["projection.glide"]]),
            numbers[INDEX["projection.hold"]] >= 0.5,
        )
        standardised = self._adaptation.step(
            embedding,
            directions.matrix,
            adapt=float(numbers[INDEX["mapper.adapt"]]),
            elapsed=elapsed,
            silent=features.silent,
        )
        y, c = float(numbers[INDEX["mapper.y"]]), float(numbers[INDEX["mapper.c"]])
        mapped = leaky_tanh(y * standardised, c)
        mapped = mapped + self._anchor(embedding, directions, numbers, features.silent)
        raw = modulate(mapped, features, directions, numbers[_ONSETS], numbers[_CHROMAS])
        windows = numbers[_WINDOWS]
        smoothed = self._smoother.step(raw, windows, float(numbers[_ROUNDNESS]))
        kept = self._energy.step(raw, smoothed, float(numbers[INDEX["smoothing.keep_energy"]]))
        latent = Latent(
            deviation=self._limit(kept).astype(np.float32),
            embedding=embedding,
            unsmoothed=raw.astype(np.float32),
            features=features,
            numbers=numbers,
            smoothing_delay=GroupSmoother.delay(windows, self.rate),
            times=(encoded - began, self._clock() - encoded),
            hop=self._hop,
            valid=valid,
        )
        self._hop += 1
        return latent

    def _anchor(
        self, embedding: np.ndarray, directions: Directions, numbers: np.ndarray, silent: bool
    ) -> np.ndarray | float:
        """Where the piece lives in W, and the breath of silence: [w_dim] in W_std, or 0."""
        elapsed = 1.0 / self.rate
        offset = self._place.step(embedding, elapsed, silent)
        amount = float(numbers[_PLACE])
        anchor: np.ndarray | float = 0.0
        if amount > 0:
            anchor = amount * np.tanh(directions.place @ offset)
        breath = self._breath.step(directions.breath, float(numbers[_IDLE]), elapsed, silent)
        return anchor if breath is None else anchor + breath

    def _encode(self, samples: np.ndarray) -> tuple[np.ndarray, bool]:
        embedding = self.encoder.step(samples)[-1]
        if np.isfinite(embedding).all():
            self._bad_hops = 0
            self._last_embedding = embedding
            return embedding, True
        self.invalid += 1
        self._bad_hops += 1
        if self._bad_hops % _BAD_HOPS_UNTIL_RESET == 0:
            self.encoder.reset()
        return self._last_embedding, False

    def _limit(self, deviation: np.ndarray) -> np.ndarray:
        spread = spread_of(deviation)
        self.limited += bool((spread > LARGEST_DEVIATION).any())
        return held_back(deviation, spread)
