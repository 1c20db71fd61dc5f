"""What can drive the pictures: codec encoders, and the features that they compete with.

Each is an `Encoder`, so that the one latent path takes them all and each is calibrated in the same way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np

from lavlive.encoder.base import Encoder, EncoderInfo
from lavlive.encoder.fetch import encodec_path
from lavlive.encoder.layers import fold
from lavlive.encoder.runners import open_encoder
from lavlive.encoder.weights import load_encoder, make_untrained
from lavlive.errors import UsageError
from lavlive.latent.features import FeatureExtractor
from lavlive.study import sound

UNTRAINED, LOG_MEL, HAND_CRAFTED, ENCODEC = "untrained", "log-mel", "hand-crafted", "encodec"


class Describer(Protocol):
    """Hears a stream hop by hop."""

    def step(self, hop: np.ndarray) -> np.ndarray:
        """Numbers [dimension] of one more hop, float32 [320]."""


class FeatureEncoder:
    """Features of sound in the shape of an encoder: causal, a row a hop.

    Args:
        kind: makes a describer that has heard nothing.
    """

    sample_rate, hop = sound.RATE, sound.HOP
    trained, hash, licence, runner = True, "", "MIT", "numpy"
    ahead, lookahead, delay = 0, 0.0, 0

    def __init__(self, name: str, dimension: int, kind: type[LogMel] | type[HandCrafted]) -> None:
        self.name = name
        self.dimension = dimension
        self.info = EncoderInfo(name, trained=True, licence="MIT")
        self._kind = kind
        self._describer: Describer = kind()

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Float32 [n·320] to float32 [n, dimension]."""
        return self._rows(self._describer, samples)

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """A whole clip as its own stream."""
        return self._rows(self._kind(), samples)

    def reset(self) -> None:
        """Forget everything heard."""
        self._describer = self._kind()

    def save_state(self) -> dict[str, np.ndarray]:
        """Refused: a study's streams are never moved."""
        raise NotImplementedError("features for a study keep no state that could be moved")

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Refused: a study's streams are never moved."""
        raise NotImplementedError("features for a study keep no state that could be moved")

    def _rows(self, describer: Describer, samples: np.ndarray) -> np.ndarray:
        hops = samples.reshape(-1, self.hop)
        rows = [describer.step(hop) for hop in hops]
        return np.asarray(rows, np.float32).reshape(len(hops), self.dimension)


class LogMel:
    """128 log-mel bands of the last 1024 samples: what most audio-reactive work hears."""

    bands, size = 128, 1024

    def __init__(self) -> None:
        self._recent = np.zeros(self.size, np.float32)
        self._shape = np.hanning(self.size).astype(np.float32)
        self._filters = sound.mel_bands(self.bands, self.size).T

    def step(self, hop: np.ndarray) -> np.ndarray:
        """Float64 [128]."""
        self._recent = np.concatenate([self._recent[len(hop) :], hop])
        power = np.abs(np.fft.rfft(self._recent * self._shape) / self._shape.sum()) ** 2
        return np.asarray(np.log10(power @ self._filters + 1e-8))


class HandCrafted:
    """Onset, chroma and spectral centroid: the explicit features that the paper sets itself against."""

    size = 2048

    def __init__(self) -> None:
        self._features = FeatureExtractor()
        self._recent = np.zeros(self.size, np.float32)
        self._shape = np.hanning(self.size).astype(np.float32)

    def step(self, hop: np.ndarray) -> np.ndarray:
        """Float64 [14]: onset, twelve pitch classes, centroid in octaves."""
        heard = self._features.step(hop)
        self._recent = np.concatenate([self._recent[len(hop) :], hop])
        magnitudes = np.abs(np.fft.rfft(self._recent * self._shape))[None] / self._shape.sum()
        return np.concatenate([[heard.onset], heard.chroma, sound.centroid(magnitudes, self.size)])


class Recorded:
    """Latents that an encoder gave before, played again: a study encodes each track once.

    Args:
        latents: float32 [hops, dimension]; after their end they begin again.
        hash: of the encoder that gave them, which tells how music moves among them.
    """

    sample_rate, hop = sound.RATE, sound.HOP
    name, trained, licence, runner = "recorded", True, "MIT", "numpy"
    ahead, lookahead, delay = 0, 0.0, 0

    def __init__(self, latents: np.ndarray, hash: str = "") -> None:
        self.hash = hash
        self.dimension = latents.shape[1]
        self.info = EncoderInfo(self.name, trained=True)
        self._latents = latents
        self._given = 0

    def step(self, samples: np.ndarray) -> np.ndarray:
        """The next latents, whatever the samples say: float32 [n, dimension]."""
        first = self._given
        self._given += max(1, len(samples) // self.hop)
        return self._latents[np.arange(first, self._given) % len(self._latents)]

    def reset(self) -> None:
        """Nothing to forget."""

    def save_state(self) -> dict[str, np.ndarray]:
        """Where in the record it stands."""
        return {"given": np.array([self._given])}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from there."""
        self._given = int(state["given"][0])

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """The record from its beginning, as long as the samples."""
        return self._latents[: len(samples) // self.hop]


def driver_names(encoder: str) -> list[str]:
    """All drivers that can be had here: the chosen encoder first, EnCodec's weights where they are cached."""
    names = [encoder, UNTRAINED, LOG_MEL, HAND_CRAFTED]
    if encoder != ENCODEC and encodec_path().exists():
        names.insert(1, ENCODEC)
    return names


def open_driver(name: str, seed: int = 0) -> Encoder:
    """A driver by name; `seed` is that of an untrained encoder's weights.

    Raises:
        EncoderError: a file of weights that cannot be used.
        UsageError: an encoder at another rate than the study's.
    """
    match name:
        case "log-mel":
            return FeatureEncoder(name, LogMel.bands, LogMel)
        case "hand-crafted":
            return FeatureEncoder(name, 14, HandCrafted)
        case "untrained":
            return open_encoder(fold(make_untrained(seed)), EncoderInfo(name), "torch")
    encoder = load_encoder(name)
    if (encoder.sample_rate, encoder.hop) != (sound.RATE, sound.HOP):
        raise UsageError(
            f"A study needs an encoder at {sound.RATE} Hz with hops of {sound.HOP}; {encoder.name} has "
            f"{encoder.sample_rate} Hz and {encoder.hop}."
        )
    return encoder


@lru_cache
def driver_hash(driver: str) -> str:
    """The hash of a driver's weights, as the live path knows it; empty for features and random weights."""
    return load_encoder(driver).hash if driver == "bundled" else ""
