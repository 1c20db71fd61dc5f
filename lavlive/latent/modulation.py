"""Onset and chroma added to the deviations, per layer group."""

from __future__ import annotations

import numpy as np

from lavlive.latent.features import Features
from lavlive.latent.projection import Directions


def modulate(
    deviation: np.ndarray,
    features: Features,
    directions: Directions,
    onset_depths: np.ndarray,
    chroma_depths: np.ndarray,
) -> np.ndarray:
    """One deviation per layer group, float [3, w_dim], in W_std.

    a^g = a + depth_onset^g · onset · d^g + depth_chroma^g · Q (chroma − 1/12), as DESIGN's step 6.

    Args:
        deviation: the mapper's a [w_dim].
        onset_depths, chroma_depths: [3] each, in W_std, for coarse, middle and fine.
    """
    grouped = np.repeat(deviation[None, :], 3, axis=0)
    if onset_depths.any():
        grouped += (onset_depths * features.onset)[:, None] * directions.onset
    if chroma_depths.any():
        harmony = directions.chroma @ (features.chroma - 1 / 12)
        grouped += chroma_depths[:, None] * harmony[None, :]
    return grouped
