"""A stream in pieces of any size, from its first sample on."""

from __future__ import annotations

import numpy as np

from lavlive.encoder.base import Encoder


class Pieces:
    """Feeds an encoder what comes, and gives each latent as soon as its last sample is there.

    The n-th latent is that of samples n·hop to (n + 1)·hop and comes with sample (n + 1)·hop + ahead. Before
    the first sample the encoder hears silence.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._hop = encoder.hop
        self._sound = np.zeros(encoder.hop, np.float32)
        # Hops end where a latent can be given, not where its own samples end.
        self._filled = encoder.delay * encoder.hop - encoder.ahead
        self._silent = encoder.delay
        encoder.reset()

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Float32 [any] to the latents that it completes, float32 [n, dimension]."""
        missing = self._hop - self._filled
        if len(samples) < missing:
            self._sound[self._filled : self._filled + len(samples)] = samples
            self._filled += len(samples)
            return np.empty((0, self._encoder.dimension), np.float32)
        sound = np.concatenate([self._sound[: self._filled], samples]).astype(np.float32, copy=False)
        whole = len(sound) // self._hop * self._hop
        rest = sound[whole:]
        self._filled = len(rest)
        self._sound[: self._filled] = rest
        latents = self._encoder.step(sound[:whole])
        before = min(self._silent, len(latents))
        self._silent -= before
        return latents[before:]
