"""The paper's path with nothing of ours: offline, not causal, for comparison with the live one.

    e [n, 128] ─► random linear layer ─► standardise ─► y ─► leaky tanh c ─► ZMean, ZStd
                                  moving averages per layer group, each centred on its moment ─► w+

No adaptation, no energy kept, no limit, no onset and no harmony (Jung & Jeong, "LAV", 2025). The paper gives
no formula for the standardisation: the whole track's own mean and deviation are taken, as one can offline.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from lavlive.latent.features import Features
from lavlive.latent.mapper import leaky_tanh
from lavlive.latent.path import Latent, Listener
from lavlive.parameters import GROUPS, INDEX

_WINDOWS = [INDEX[f"smoothing.{group}"] for group in GROUPS]
_LEAST_SPREAD = 1e-12


def published_latents(
    embeddings: np.ndarray,
    numbers: np.ndarray,
    rate: float,
    w_dim: int,
    hops: Iterator[np.ndarray],
    listener: Listener,
) -> Iterator[Latent]:
    """A track's latents as published.

    Args:
        embeddings: float32 [n, dimension], the whole track's.
        numbers: the parameters; of them the seed, y, c, the windows and the truncation are used.
        rate: latents per second.
        hops: the sound of each, for the meters alone.
    """
    projected = linear(embeddings, int(numbers[INDEX["projection.seed"]]), w_dim)
    spread = np.maximum(projected.std(axis=0), _LEAST_SPREAD)
    standardised = (projected - projected.mean(axis=0)) / spread
    mapped = leaky_tanh(float(numbers[INDEX["mapper.y"]]) * standardised, float(numbers[INDEX["mapper.c"]]))
    windows = numbers[_WINDOWS]
    groups = np.stack([centred(mapped, window * rate) for window in windows], axis=1)  # [n, 3, w_dim]
    for index, samples in enumerate(hops):
        features: Features = listener.step(samples)
        yield Latent(
            deviation=groups[index].astype(np.float32),
            embedding=embeddings[index],
            unsmoothed=np.repeat(mapped[index][None], len(GROUPS), axis=0).astype(np.float32),
            features=features,
            numbers=numbers,
            smoothing_delay=np.zeros(len(GROUPS)),
            times=(0.0, 0.0),
            hop=index,
            valid=True,
        )


def linear(embeddings: np.ndarray, seed: int, w_dim: int) -> np.ndarray:
    """`torch.nn.Linear` at its default initialisation under a seed: float64 [n, w_dim] of [n, dimension]."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = torch.nn.Linear(embeddings.shape[1], w_dim)
    with torch.inference_mode():
        projected: np.ndarray = (
            layer(torch.from_numpy(np.ascontiguousarray(embeddings, np.float32))).double().numpy()
        )
        return projected


def centred(values: np.ndarray, length: float) -> np.ndarray:
    """The mean of [n, d] over `length` steps around each, a real number of at least 1; at the ends, of fewer.

    Step i lasts from i − ½ to i + ½, so a window takes fractions of the steps at its own ends.
    """
    count = len(values)
    length = max(length, 1.0)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    centres = np.arange(count) + 0.5
    first = np.maximum(centres - length / 2, 0.0)
    last = np.minimum(centres + length / 2, float(count))
    mean: np.ndarray = (_integral(sums, last) - _integral(sums, first)) / (last - first)[:, None]
    return mean


def _integral(sums: np.ndarray, at: np.ndarray) -> np.ndarray:
    whole = np.minimum(at.astype(np.int64), len(sums) - 1)
    following = np.minimum(whole + 1, len(sums) - 1)
    part = (at - whole)[:, None]
    between: np.ndarray = sums[whole] + part * (sums[following] - sums[whole])
    return between
