"""How music moves among an encoder's latents, and where pieces lie.

    slow     covariance of latents averaged over 0.4 s, around each piece's mean: what pictures show of motion
    place    mean and covariance of whole pieces: how far pieces lie from each other

Measured on real tracks by ``python -m tools.measure_programme`` and shipped for the bundled encoder. For
other encoders both are guessed from the calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from safetensors import SafetensorError, safe_open

from lavlive.resources import shipped

FILE = "programme.safetensors"
_BETWEEN = 2.4
"""Variance between pieces by that within them, of the bundled encoder on 18 tracks; else a guess."""
_FAINTEST = 0.01
"""Of the largest slow variance: directions below it are not evened out further, or noise would steer."""


class LatentStatistics(Protocol):
    """Mean and covariance of an encoder's latents on ordinary music."""

    @property
    def mean(self) -> np.ndarray:
        """float32 [dimension]."""

    @property
    def covariance(self) -> np.ndarray:
        """float32 [dimension, dimension]."""


@dataclass(frozen=True, eq=False)
class Programme:
    """See the module.

    Attributes:
        slow: float32 [dimension, dimension].
        place_mean: float32 [dimension].
        place_covariance: float32 [dimension, dimension].
        measured: False where it is guessed from the calibration.
    """

    slow: np.ndarray
    place_mean: np.ndarray
    place_covariance: np.ndarray
    measured: bool = True

    @classmethod
    def guessed(cls, calibration: LatentStatistics) -> Programme:
        """What is assumed of an encoder that nobody measured."""
        covariance = np.asarray(calibration.covariance, np.float32)
        return cls(
            covariance, np.asarray(calibration.mean, np.float32), _BETWEEN * covariance, measured=False
        )

    @cached_property
    def evening(self) -> np.ndarray:
        """slow^(−1/4), float32 [dimension, dimension]: halfway to slow motion alike in all directions.

        Slow motion of music lies along few directions of an encoder's latents, so pictures move along few
        directions of W. Evened out all the way, what is nearly noise would steer as much as the rest.
        Found once: a seed that is rolled again during the show needs no eigenvectors anew.
        """
        values, vectors = np.linalg.eigh(self.slow.astype(np.float64))
        scale = np.maximum(values, _FAINTEST * max(float(values[-1]), 1e-30)) ** -0.25
        even: np.ndarray = ((vectors * scale) @ vectors.T).astype(np.float32)
        return even


def programme_of(encoder_hash: str, calibration: LatentStatistics) -> Programme:
    """What is shipped for the encoder of that hash, else what is guessed from its calibration."""
    try:
        with safe_open(shipped("data") / FILE, framework="numpy") as file:
            if (file.metadata() or {}).get("encoder") == encoder_hash:
                return Programme(
                    *(file.get_tensor(name) for name in ("slow", "place_mean", "place_covariance"))
                )
    except (SafetensorError, OSError):
        pass
    return Programme.guessed(calibration)
