"""What a track sounds like, described without any encoder: what pictures are compared with.

A window of one second, every half second, is described by three blocks that weigh the same: timbre
(mean and spread of 13 mel-frequency cepstral coefficients, Davis & Mermelstein 1980), harmony (chroma,
Fujishima 1999) and dynamics (level, brightness, how much begins). None of it passes through an encoder or
through the generator. It is not independent of every driver: cepstra are a linear map of log-mel bands and
the hand-crafted driver hears chroma too, so those two start with an advantage here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lavlive.audio import hops

RATE, HOP = hops.HOP_RATE, hops.HOP
HOP_RATE = RATE / HOP
WINDOW_SECONDS = 1.0
STRIDE_SECONDS = 0.5
BLOCKS = ("timbre", "harmony", "dynamics")

_FFT = 2048
_BANDS = 40
_CEPSTRA = 13


@dataclass(frozen=True)
class Description:
    """What is compared with pictures.

    Attributes:
        blocks: float64 [windows, d] per name in `BLOCKS`, standard over the track, each block with a mean
            square of 1 per window.
        flux: float64 [hops], how much begins at each hop (half-wave rectified rise of log bands), 75 Hz.
    """

    blocks: dict[str, np.ndarray]
    flux: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """All blocks side by side, float64 [windows, d]."""
        return np.concatenate([self.blocks[name] for name in BLOCKS], axis=1)


def window_ends(hops: int, warm_up: float) -> np.ndarray:
    """Index of the last hop, exclusive, of each window after `warm_up` seconds: int [windows]."""
    length, stride = round(WINDOW_SECONDS * HOP_RATE), STRIDE_SECONDS * HOP_RATE
    first = warm_up * HOP_RATE + length
    return np.round(np.arange(first, hops + 1e-9, stride)).astype(int)


def window_means(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Mean of [hops, ...] over each window, float64 [windows, prod(...)]."""
    flat = np.asarray(values).reshape(len(values), -1)
    length = round(WINDOW_SECONDS * HOP_RATE)
    return np.array([flat[end - length : end].mean(axis=0, dtype=np.float64) for end in ends])


def describe(samples: np.ndarray, warm_up: float) -> Description:
    """Describe mono float32 [n·320] at 24 kHz from `warm_up` seconds on."""
    magnitudes = spectra(samples, _FFT)
    hops = len(magnitudes)
    ends = window_ends(hops, warm_up)
    bands = np.log10(magnitudes**2 @ mel_bands(_BANDS, _FFT).T + 1e-8)
    cepstra = bands @ _cosines(_BANDS, _CEPSTRA).T
    rises = np.maximum(np.diff(bands, axis=0, prepend=bands[:1]), 0.0).mean(axis=1)
    level = bands.max(axis=1)
    brightness = centroid(magnitudes, _FFT)
    means, squares = window_means(cepstra, ends), window_means(cepstra**2, ends)
    spread = np.sqrt(np.maximum(squares - means**2, 0.0))
    beginnings = np.stack([level, brightness, np.sqrt(rises)], axis=1)
    blocks = {
        "timbre": _standard(np.concatenate([means[:, 1:], spread[:, 1:]], axis=1)),
        "harmony": _standard(window_means(chroma(magnitudes, _FFT), ends)),
        "dynamics": _standard(window_means(beginnings, ends)),
    }
    return Description(blocks, rises)


def spectra(samples: np.ndarray, size: int) -> np.ndarray:
    """Magnitudes of the causal window that ends with each hop, float32 [hops, size // 2 + 1]; a full-scale
    sine has about 0.5.
    """
    padded = np.concatenate([np.zeros(size - HOP, np.float32), samples])
    pieces = np.lib.stride_tricks.sliding_window_view(padded, size)[::HOP][: len(samples) // HOP]
    shape = np.hanning(size).astype(np.float32)
    magnitudes = [np.abs(np.fft.rfft(part * shape, axis=1)) for part in np.array_split(pieces, 16)]
    return np.asarray(np.concatenate(magnitudes) / shape.sum(), np.float32)


def mel_bands(bands: int, size: int, low: float = 30.0, high: float = 11_500.0) -> np.ndarray:
    """Triangular bands with equal steps in mel (O'Shaughnessy 1987), float64 [bands, size // 2 + 1]."""
    edges = 700.0 * (10 ** (np.linspace(_mel(low), _mel(high), bands + 2) / 2595.0) - 1.0)
    # Where bands are narrower than a bin, each still hears its nearest bins.
    width = RATE / size
    centre = edges[1:-1, None]
    lower = np.minimum(edges[:-2, None], centre - width)
    upper = np.maximum(edges[2:, None], centre + width)
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    rising, falling = (frequencies - lower) / (centre - lower), (upper - frequencies) / (upper - centre)
    return np.asarray(np.maximum(np.minimum(rising, falling), 0.0))


def chroma(magnitudes: np.ndarray, size: int) -> np.ndarray:
    """Share of each pitch class between 55 and 1 760 Hz, float64 [hops, 12]; even where nothing sounds."""
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    heard = (frequencies >= 55.0) & (frequencies <= 1760.0)
    from_c = 12 * np.log2(np.where(heard, frequencies, 440.0) / 440.0) + 9
    distance = (from_c[None, :] - np.arange(12)[:, None] + 6) % 12 - 6
    folded = magnitudes @ (np.exp(-0.5 * (distance / 0.5) ** 2) * heard).T + 1e-7
    return np.asarray(folded / folded.sum(axis=1, keepdims=True))


def centroid(magnitudes: np.ndarray, size: int) -> np.ndarray:
    """Spectral centroid in octaves above 20 Hz, float64 [hops]."""
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    power = magnitudes.astype(np.float64) ** 2 + 1e-12
    return np.asarray(np.log2(np.maximum(power @ frequencies / power.sum(axis=1), 20.0) / 20.0))


def _mel(hertz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hertz / 700.0))


def _cosines(bands: int, count: int) -> np.ndarray:
    places = (np.arange(bands) + 0.5) / bands
    cosines: np.ndarray = np.cos(np.pi * np.arange(count)[:, None] * places) * np.sqrt(2.0 / bands)
    return cosines


def _standard(values: np.ndarray) -> np.ndarray:
    spread = values.std(axis=0)
    alive = spread > 1e-9
    centred = (values - values.mean(axis=0)) * np.divide(1.0, spread, out=np.zeros_like(spread), where=alive)
    standard: np.ndarray = centred / np.sqrt(max(int(alive.sum()), 1))
    return standard
