"""What modulation hears: onset strength and chroma, both causal, one value per hop."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_ONSET_WINDOW = 1024
_CHROMA_WINDOW = 4096
_WINDOW_RATE = 24_000
"""Hertz at which the windows have so many samples; at another rate they are as long in seconds."""
_BANDS = 40
_SILENCE = 1e-4
"""RMS amplitude below which there is nothing to hear (−80 dBFS)."""


@dataclass(frozen=True, slots=True)
class Features:
    """What is heard at one hop.

    Attributes:
        onset: 0 to 1, fast attack, slow release.
        chroma: float32 [12], share of each pitch class from C, sums to 1.
        spectrum: float32 [64], level per band in decibels over full scale, for the eye.
        silent: nothing to hear in the last 170 ms.
        power: mean square of the hop's samples, 1 = full scale.
    """

    onset: float
    chroma: np.ndarray
    spectrum: np.ndarray
    silent: bool
    power: float = 0.0


class FeatureExtractor:
    """Listens to the hops of a mono stream.

    Onset strength is the half-wave rectified rise of logarithmic band energies ("spectral flux", Bello
    et al. 2005), measured against its own recent mean and peak. Chroma folds the magnitudes between 55
    and 1 760 Hz onto twelve pitch classes (Fujishima 1999).
    """

    def __init__(self, sample_rate: int = 24_000, hop: int = 320) -> None:
        onset_window, chroma_window = (
            2 * round(length * sample_rate / _WINDOW_RATE / 2) for length in (_ONSET_WINDOW, _CHROMA_WINDOW)
        )
        self._recent = np.zeros(chroma_window, np.float32)
        self._hop_seconds = hop / sample_rate
        self._onset_window = np.hanning(onset_window).astype(np.float32)
        self._chroma_window = np.hanning(chroma_window).astype(np.float32)
        self._bands = _band_matrix(onset_window, sample_rate, _BANDS, 40.0, 11_000.0)
        self._display = _band_matrix(chroma_window, sample_rate, 64, 40.0, 11_000.0)
        self._fold = _chroma_matrix(chroma_window, sample_rate)
        self._last_bands: np.ndarray | None = None
        self._mean_flux = 0.0
        self._peak_flux = 0.05
        self._onset = 0.0
        self._chroma = np.full(12, 1 / 12)

    def step(self, samples: np.ndarray) -> Features:
        """Hear one hop, float32 [hop]."""
        count = len(samples)
        self._recent[:-count] = self._recent[count:]
        self._recent[-count:] = samples
        silent = float(np.sqrt(np.mean(self._recent**2))) < _SILENCE
        magnitudes = np.abs(np.fft.rfft(self._recent * self._chroma_window))
        levels = 20 * np.log10(self._display @ magnitudes * (4 / len(self._recent)) + 1e-6)
        return Features(
            onset=self._hear_onset(silent),
            chroma=self._hear_chroma(magnitudes, silent),
            spectrum=levels.astype(np.float32),
            silent=silent,
            power=float(np.mean(np.square(samples, dtype=np.float64))),
        )

    def _hear_onset(self, silent: bool) -> float:
        newest = np.abs(np.fft.rfft(self._recent[-len(self._onset_window) :] * self._onset_window))
        bands = np.log1p(self._bands @ newest)
        last = bands if self._last_bands is None else self._last_bands
        flux = float(np.maximum(bands - last, 0.0).mean())
        self._last_bands = bands
        above = max(flux - 1.5 * self._mean_flux, 0.0)
        self._peak_flux = max(above, 0.02, self._peak_flux * math.exp(-self._hop_seconds / 4.0))
        strength = 0.0 if silent else min(above / self._peak_flux, 1.0)
        self._mean_flux += (flux - self._mean_flux) * (1 - math.exp(-self._hop_seconds / 1.0))
        self._onset = max(strength, self._onset * math.exp(-self._hop_seconds / 0.15))
        return self._onset

    def _hear_chroma(self, magnitudes: np.ndarray, silent: bool) -> np.ndarray:
        folded = self._fold @ magnitudes
        total = float(folded.sum())
        heard = np.full(12, 1 / 12) if silent or total <= 0 else folded / total
        self._chroma = self._chroma + (heard - self._chroma) * (1 - math.exp(-self._hop_seconds / 0.08))
        chroma: np.ndarray = (self._chroma / self._chroma.sum()).astype(np.float32)
        return chroma


def _band_matrix(window: int, sample_rate: int, bands: int, low: float, high: float) -> np.ndarray:
    """Triangular bands with logarithmic centres, float32 [bands, window // 2 + 1]."""
    frequencies = np.fft.rfftfreq(window, 1 / sample_rate)
    edges = np.geomspace(low, high, bands + 2)
    width = sample_rate / window
    lower = np.minimum(edges[:-2], edges[1:-1] - width)[:, None]
    upper = np.maximum(edges[2:], edges[1:-1] + width)[:, None]
    centre = edges[1:-1, None]
    rising = (frequencies - lower) / (centre - lower)
    falling = (upper - frequencies) / (upper - centre)
    weights: np.ndarray = np.maximum(np.minimum(rising, falling), 0.0).astype(np.float32)
    return weights


def _chroma_matrix(window: int, sample_rate: int) -> np.ndarray:
    """Which bin belongs to which pitch class, float32 [12, window // 2 + 1]."""
    frequencies = np.fft.rfftfreq(window, 1 / sample_rate)
    heard = (frequencies >= 55.0) & (frequencies <= 1760.0)
    from_c = 12 * np.log2(np.where(heard, frequencies, 440.0) / 440.0) + 9
    distance = (from_c[None, :] - np.arange(12)[:, None] + 6) % 12 - 6
    return (np.exp(-0.5 * (distance / 0.35) ** 2) * heard).astype(np.float32)
