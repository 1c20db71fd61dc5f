"""The last linear map of the shipped encoder: which directions of the latents count how much.

Most of a codec's latents tell the waveform of the instant, which flickers at 75 Hz. Fisher's linear
discriminant (1936), fitted on the training music, finds the directions that change from second to second
more than within a second. The map turns the latents that way and gives each direction a weight between
that view (``power`` 0.5 and more) and plain whitening (0). It is invertible, so nothing is lost, and is
folded into the encoder's last convolution, so it costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor

from lavlive.training.encoder_data import Mono, Track

_HOP = 320
_BLOCK = 75
_WARM_UP = 20
_RIDGE = 0.01


def fit_metric(
    describe: Callable[[Mono], NDArray[np.float32]], tracks: list[Track], power: float = 0.25
) -> Tensor:
    """The map [D, D] for features [hops, D] of sound, fitted on blocks of one second; total variance D.

    Args:
        describe: sound, whole hops of mono float32, to features.
        power: 0 whitens the flicker within a second; more favours what lasts a second.
    """
    within, means = [], []
    for track in tracks:
        features = describe(track.samples[: len(track.samples) // _HOP * _HOP])[_WARM_UP:].astype(np.float64)
        blocks = features[: len(features) // _BLOCK * _BLOCK].reshape(-1, _BLOCK, features.shape[1])
        mean = blocks.mean(axis=1, keepdims=True)
        within.append((blocks - mean).reshape(-1, features.shape[1]))
        means.append(mean[:, 0])
    flicker = np.cov(np.concatenate(within), rowvar=False)
    lasting = np.cov(np.concatenate(means), rowvar=False)
    dimension = len(flicker)
    flicker += _RIDGE * np.trace(flicker) / dimension * np.eye(dimension)
    # Directions as columns, unit flicker in each; what of the music lasts in each is its eigenvalue.
    lasts, directions = eigh(lasting, flicker)
    # Nothing is given less than a hundredth of the most: the map must stay invertible in half precision.
    weights = np.maximum(lasts / lasts.max(), 1e-4) ** power
    change = (directions * weights).T
    total = np.trace(change @ (flicker + lasting) @ change.T)
    return torch.from_numpy((change * np.sqrt(dimension / total)).astype(np.float32))
