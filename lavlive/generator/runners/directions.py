"""The few directions of W that a generator looks at, where they are few.

A generator trained by lavlive reads its codes along 64 fixed directions of w's 512 numbers (see
``training.generator_growth.finish``), so all its styles are products with matrices of that rank, but for the
rounding of the file's weights. Then w is projected once, and everything linear in it is eight times smaller.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lavlive.generator.runners.plan import Array

_MOST = 96
_MARGIN = 16
_TOLERANCE = 3e-4
"""Of the matrices' Frobenius norm, lost at most: about what rounding to float16 changed in them."""
_FAINTEST = 1e-3


def common_directions(matrices: Sequence[Array]) -> Array | None:
    """Orthonormal columns V, float32 [w_dim, r], with A V Vᵀ = A for every matrix A [n, w_dim], nearly.

    None where more than 96 are needed. Found by a random sample of the rows' span (Halko, Martinsson and
    Tropp, "Finding structure with randomness", 2011), and then checked against all of it.
    """
    stacked = np.concatenate(matrices)
    width = stacked.shape[1]
    if width <= _MOST + _MARGIN:
        return None
    random = np.random.default_rng(0)
    sample = stacked.T @ random.standard_normal((len(stacked), _MOST + _MARGIN)).astype(np.float32)
    span = np.linalg.qr(sample)[0]
    within = stacked @ span
    energies, turns = np.linalg.eigh((within.T @ within).astype(np.float64))
    kept = energies > _FAINTEST**2 * energies[-1]
    if not 0 < kept.sum() <= _MOST:
        return None
    directions: Array = np.ascontiguousarray(span @ turns[:, kept], np.float32)
    whole = float(np.square(stacked, dtype=np.float64).sum())
    lost = whole - float(np.square(stacked @ directions, dtype=np.float64).sum())
    return directions if math.sqrt(max(lost, 0.0) / whole) <= _TOLERANCE else None
