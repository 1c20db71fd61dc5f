"""A model's W space: where deviations become w+."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COARSE_UP_TO = 8
MIDDLE_UP_TO = 32


def layer_groups(resolutions: Sequence[int]) -> np.ndarray:
    """Group of each w+ layer by its resolution: 0 coarse (4²–8²), 1 middle (16²–32²), 2 fine."""
    return np.array([0 if r <= COARSE_UP_TO else 1 if r <= MIDDLE_UP_TO else 2 for r in resolutions])


@dataclass(frozen=True, slots=True)
class Space:
    """W_mean, W_std and the layers of one model (of one class, if it is conditional).

    Attributes:
        mean, std: float32 [512]; the paper's ZMean and ZStd.
        groups: int [L], group of each layer.
    """

    mean: np.ndarray
    std: np.ndarray
    groups: np.ndarray

    def w_plus(self, deviation: np.ndarray, truncation: float) -> np.ndarray:
        """w+ [L, 512], float32, of the groups' deviations [3, 512]: W_mean + ψ · W_std ⊙ deviation."""
        grouped = self.mean + truncation * self.std * deviation
        layers: np.ndarray = grouped.astype(np.float32)[self.groups]
        return layers
