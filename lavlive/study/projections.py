"""Projections that are not random: aligned with W's principal directions, and learned from tracks.

Both are given to lavlive as `learned` projections, whose rows it standardises like those of any other.
"""

from __future__ import annotations

import numpy as np

from lavlive.latent.programme import LatentStatistics

_RIDGE = 0.03
"""Of the mean variance of a latent's dimensions."""


def principal_directions(covariance: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions [w_dim, w_dim] (columns) of W in W_std, most variance first, and their spreads."""
    scale = np.maximum(std.astype(np.float64), 1e-12)
    variances, directions = np.linalg.eigh(covariance.astype(np.float64) / np.outer(scale, scale))
    order = np.argsort(-variances)
    return directions[:, order], np.sqrt(np.maximum(variances[order], 0.0))


def aligned(calibration: LatentStatistics, directions: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """The latents' k-th principal component drives W's k-th: float32 [w_dim, dimension]."""
    variances, components = np.linalg.eigh(calibration.covariance.astype(np.float64))
    order = np.argsort(-variances)
    deviations = np.sqrt(np.maximum(variances[order], 1e-9 * variances.max()))
    whitened = (components[:, order] / deviations).T
    count = min(len(whitened), len(directions))
    return np.asarray((directions[:, :count] * spreads[:count]) @ whitened[:count], np.float32)


def learned(
    latents: np.ndarray, sounds: np.ndarray, directions: np.ndarray, calibration: LatentStatistics
) -> np.ndarray:
    """Ridge regression from latents to what the sound is like, laid along W's principal directions.

    The target's k-th principal component goes to W's k-th direction, so that moments which sound alike lie
    near in W. Fitted on windows of some tracks, to be judged on others.

    Args:
        latents: float [windows, dimension], means over windows.
        sounds: float [windows, d], descriptions of the same windows.
        directions: of `principal_directions`.
        calibration: the encoder's; its mean is what lavlive takes off.

    Returns:
        float32 [w_dim, dimension].
    """
    x = latents.astype(np.float64) - calibration.mean
    x -= x.mean(axis=0)
    centred = sounds - sounds.mean(axis=0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    target = centred @ components.T
    gram = x.T @ x / len(x)
    gram += _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram, x.T @ target / len(x))[:, : len(directions)]
    return np.asarray(directions[:, : weights.shape[1]] @ weights.T, np.float32)
