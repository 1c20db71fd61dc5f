"""What shaders hear: the wave and the spectrum of the newest sound, as rows of a texture.

The spectrum is taken over a fixed time, so that a column means the same frequency at any sample rate:
column i of n covers i to i + 1 parts of n of 0 to 22 050 Hz. Its height follows loudness in decibels, from
-72 dB (0) to 0 dB (1) of a full sine; it rises at once and falls slowly.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

_WINDOW_SECONDS = 2048 / 44_100
_BINS = 1024
"""Each 21.5 Hz wide, up to 22 050 Hz."""
_WAVE_SECONDS = 1024 / 44_100
_FLOOR_DB = -72.0
_FALL_SECONDS = 0.18


class SoundTextures(Protocol):
    """What a shader hears."""

    def wave(self, columns: int) -> np.ndarray:
        """float32 [channels, columns], about 0.5."""

    def spectrum(self, columns: int) -> np.ndarray:
        """float32 [channels, columns], 0 to 1."""


class SoundView:
    """Keeps the newest sound; one thread."""

    def __init__(self) -> None:
        self._recent = np.zeros((2, 0), np.float32)
        self._rate = 48_000
        self._levels = np.zeros((2, _BINS), np.float32)
        self._waited, self._stale = 0.0, False

    def take(self, samples: np.ndarray, rate: int) -> None:
        """Hear float32 [frames, channels]; mono is heard on both."""
        if rate != self._rate:
            self._rate = rate
            self._recent = np.zeros((2, 0), np.float32)
        stereo = np.nan_to_num(samples[:, [0, min(1, samples.shape[1] - 1)]].T.astype(np.float32))
        length = math.ceil(max(_WINDOW_SECONDS, _WAVE_SECONDS) * rate)
        self._recent = np.concatenate([self._recent, stereo], axis=1)[:, -length:]

    def step(self, elapsed: float) -> None:
        """Advance by `elapsed` seconds; once a frame. The spectrum is computed when somebody looks."""
        self._waited += max(elapsed, 0.0)
        self._stale = True

    def wave(self, columns: int) -> np.ndarray:
        """float32 [2, columns]: the last 23 ms about 0.5, oldest first."""
        frames = max(1, round(_WAVE_SECONDS * self._rate))
        recent = self._padded(frames)
        places = np.linspace(0, frames - 1, columns)
        rows = [np.interp(places, np.arange(frames), row) for row in recent]
        levels: np.ndarray = (0.5 + 0.5 * np.clip(np.stack(rows), -1.0, 1.0)).astype(np.float32)
        return levels

    def spectrum(self, columns: int) -> np.ndarray:
        """float32 [2, columns], 0 to 1."""
        if self._stale:
            fall = math.exp(-self._waited / _FALL_SECONDS)
            self._levels = np.maximum(self._heard(), self._levels * fall)
            self._waited, self._stale = 0.0, False
        if columns >= _BINS:
            places = (np.arange(columns) * _BINS) // columns
            return self._levels[:, places]
        edges = (np.arange(columns) * _BINS) // columns
        return np.maximum.reduceat(self._levels, edges, axis=1).astype(np.float32)

    def _padded(self, frames: int) -> np.ndarray:
        recent = self._recent[:, -frames:]
        return np.pad(recent, ((0, 0), (frames - recent.shape[1], 0)))

    def _heard(self) -> np.ndarray:
        frames = max(16, round(_WINDOW_SECONDS * self._rate))
        window = np.hanning(frames).astype(np.float32)
        amplitude = np.abs(np.fft.rfft(self._padded(frames) * window)) * (2.0 / window.sum())
        levels = np.clip(1.0 - 20.0 * np.log10(np.maximum(amplitude, 1e-9)) / _FLOOR_DB, 0.0, 1.0)
        found = np.zeros((2, _BINS), np.float32)
        count = min(_BINS, levels.shape[1])
        found[:, :count] = levels[:, :count]
        return found
