"""A model's W space: where deviations become w+."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lavlive.parameters import group_of


def layer_groups(resolutions: Sequence[int]) -> np.ndarray:
    """Group of each w+ layer by its resolution: 0 coarse (4²–8²), 1 middle (16²–32²), 2 fine."""
    return np.array([group_of(resolution) for resolution in resolutions])


def fitted(deviation: np.ndarray, width: int) -> np.ndarray:
    """A deviation [..., width] of one with another number of dimensions: cut, or at the mean beyond.

    Where a model gives way to one with a W of another width, the latent path serves the wider of both.
    """
    missing = width - deviation.shape[-1]
    if missing <= 0:
        return deviation[..., :width]
    return np.concatenate([deviation, np.zeros((*deviation.shape[:-1], missing), deviation.dtype)], axis=-1)


@dataclass(frozen=True, slots=True)
class WDistribution:
    """What w a model knows: the cloud of its own w, for distances from it.

    Attributes:
        whiten: float32 [w_dim, w_dim]; a deviation in W_std times this has unit variance over the model's w.
        quantiles: float [Q], the distances of the model's own w at evenly spaced shares from 0 to 1.
    """

    whiten: np.ndarray
    quantiles: np.ndarray

    def distances(self, deviation: np.ndarray) -> np.ndarray:
        """Mahalanobis distances [N] of deviations [N, w_dim] over √w_dim: about 1 for the model's own."""
        whitened = deviation @ self.whiten
        distances: np.ndarray = np.sqrt(np.einsum("nd,nd->n", whitened, whitened) / deviation.shape[1])
        return distances

    def shares(self, distances: np.ndarray) -> np.ndarray:
        """Share of the model's own w that are nearer, 0 to 1."""
        shares: np.ndarray = np.interp(distances, self.quantiles, np.linspace(0, 1, len(self.quantiles)))
        return shares

    @property
    def usual(self) -> float:
        """The median distance of the model's own w."""
        return float(np.interp(0.5, np.linspace(0, 1, len(self.quantiles)), self.quantiles))


@dataclass(frozen=True, slots=True)
class Space:
    """W_mean, W_std and the layers of one model (of one class, if it is conditional).

    Attributes:
        mean, std: float32 [w_dim]; the paper's ZMean and ZStd.
        groups: int [L], group of each layer.
        distribution: the model's own w, to tell what is strange to it.
    """

    mean: np.ndarray
    std: np.ndarray
    groups: np.ndarray
    distribution: WDistribution | None = None

    def w_plus(self, deviation: np.ndarray, truncation: float) -> np.ndarray:
        """w+ [L, w_dim], float32, of the groups' deviations: W_mean + ψ · W_std ⊙ deviation.

        Args:
            deviation: [3, w_dim]; of another width it is `fitted`.
        """
        grouped = self.mean + truncation * self.std * fitted(deviation, len(self.mean))
        layers: np.ndarray = grouped.astype(np.float32)[self.groups]
        return layers
