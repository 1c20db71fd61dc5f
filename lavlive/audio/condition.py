"""What every sample passes before it is believed: mixed to mono, made finite, freed of DC, measured.

Bad sound is a fact of the stage (a loose cable, a driver that hands out garbage), so nothing here
raises: it is mended and counted, and the counts are the operator's lamps. Everything is causal, and the
same samples in any chunks give the same output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lavlive.audio.block import Samples

CLIP = 0.999
"""Full scale, less than the last step of 16 bits."""
_LIMIT = 4.0  # 12 dB above full scale: past what any mix reaches, so it is a fault
_DC_CORNER = 2.0  # Hz; at 40 Hz it shifts the phase by 3°, and DC is gone after a quarter of a second
_OFFSET_SECONDS = 0.5
_OFFSET_LAMP = 0.02
_LEVEL_SECONDS = 0.3  # a VU meter's
_PEAK_FALL = 1.5  # seconds to 1/e
_SILENCE = 1e-3  # −60 dBFS
_SILENCE_SECONDS = 0.5
_TINY = 1e-15  # −300 dBFS; above float32's denormals, which cost a CPU a hundred times the work


@dataclass(slots=True)
class Lamps:
    """What the operator sees of the sound that comes in.

    Attributes:
        level: RMS over about 0.3 s, 1 = full scale.
        peak: largest magnitude, falling back over about 1.5 s.
        invalid: samples that were NaN or infinite, and were replaced by 0; a count.
        clipped: samples at or above full scale in any channel; a count.
        offset: DC in the sound, full scale ±1, before it is removed.
        offset_lamp: the offset is worth a look at the cable or the interface.
        silent: nothing above −60 dBFS for half a second.
    """

    level: float = 0.0
    peak: float = 0.0
    invalid: int = 0
    clipped: int = 0
    offset: float = 0.0
    offset_lamp: bool = False
    silent: bool = True

    @property
    def level_dbfs(self) -> float:
        """The level in dB below full scale, never under −120."""
        return 20 * math.log10(max(self.level, 1e-6))


class _Follower:
    """A one-pole low-pass, s ← a·s + (1 − a)·x, for whole arrays.

    Unrolled, s_n = aⁿ·(s_0 + (1 − a)·Σ x_k·a^{−k}): a cumulative sum per piece. Pieces are short enough
    that a^{−k} stays below e^20 and costs no digits.
    """

    def __init__(self, rate: int, seconds: float) -> None:
        decay = math.exp(-1 / (seconds * rate))
        self._powers = decay ** np.arange(1, max(1, min(2048, int(20 * seconds * rate))) + 1)
        self._gain = 1 - decay
        self.value = 0.0

    def step(self, signal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        followed = np.empty_like(signal)
        for start in range(0, len(signal), len(self._powers)):
            piece = signal[start : start + len(self._powers)]
            powers = self._powers[: len(piece)]
            followed[start : start + len(piece)] = powers * (
                self.value + self._gain * np.cumsum(piece / powers)
            )
            self.value = float(followed[start + len(piece) - 1])
        if abs(self.value) < _TINY:
            self.value = 0.0
        return followed


class Conditioner:
    """Any channels to one, gated and measured.

    Args:
        rate: hertz.
        lamps: counts to go on from, when the rate of a running source changes.
    """

    def __init__(self, rate: int, lamps: Lamps | None = None) -> None:
        self.rate = rate
        self.lamps = Lamps() if lamps is None else lamps
        self._dc = _Follower(rate, 1 / (2 * math.pi * _DC_CORNER))
        self._offset = _Follower(rate, _OFFSET_SECONDS)
        self._power = _Follower(rate, _LEVEL_SECONDS)
        self._quiet = round(_SILENCE_SECONDS * rate)

    def step(self, samples: Samples) -> Samples:
        """Mix, mend and measure: float32 [n, channels] or [n] to mono float32 [n], finite and without DC."""
        if not len(samples):
            return np.zeros(0, np.float32)
        sound = self._mend(samples.reshape(len(samples), -1))
        mono = sound.mean(axis=1, dtype=np.float64)
        self.lamps.offset = float(self._offset.step(mono)[-1])
        self.lamps.offset_lamp = abs(self.lamps.offset) > _OFFSET_LAMP
        centred = mono - self._dc.step(mono)
        centred[np.abs(centred) < _TINY] = 0.0
        self._measure(centred)
        return centred.astype(np.float32)

    def _mend(self, sound: Samples) -> Samples:
        finite = np.isfinite(sound)
        if not finite.all():
            self.lamps.invalid += int(finite.size - np.count_nonzero(finite))
            sound = np.where(finite, sound, np.float32(0))
        magnitude = np.abs(sound)
        if magnitude.max() >= CLIP:
            self.lamps.clipped += int(np.count_nonzero((magnitude >= CLIP).any(axis=1)))
            sound = np.clip(sound, -_LIMIT, _LIMIT)
        return sound

    def _measure(self, mono: npt.NDArray[np.float64]) -> None:
        magnitude = np.abs(mono)
        self.lamps.level = math.sqrt(max(0.0, float(self._power.step(mono * mono)[-1])))
        fallen = self.lamps.peak * math.exp(-len(mono) / (_PEAK_FALL * self.rate))
        self.lamps.peak = max(fallen, float(magnitude.max()))
        loud = np.flatnonzero(magnitude > _SILENCE)
        self._quiet = len(mono) - 1 - int(loud[-1]) if len(loud) else self._quiet + len(mono)
        self.lamps.silent = self._quiet >= round(_SILENCE_SECONDS * self.rate)
