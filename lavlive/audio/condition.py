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
from lavlive.audio.channels import Mix

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
_OPPOSITE_SECONDS = 0.5
_OPPOSITE_RATE = 6000  # Hz, of the samples that are looked at
_OPPOSITE = 0.9
"""Correlation of left and −right above which their sum is what differs between them, and not the sound."""
_ALIKE = 0.6
_OPPOSITE_FOR, _ALIKE_FOR = 1.0, 0.3
"""Seconds that it must last: no wide chord or echo shall switch."""
_FADE_SECONDS = 0.05
OPPOSITE = "left and right are each other's opposite (a balanced plug in a stereo jack?); left alone is heard"
"""What an operator is told of `Lamps.opposite`."""
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
        opposite: left and right are each other's opposite and would cancel, so left alone is heard.
        gain: decibels that the sound is raised by, by hand and automatically.
        too_quiet: music comes, but too quiet for pictures that move.
    """

    level: float = 0.0
    peak: float = 0.0
    invalid: int = 0
    clipped: int = 0
    offset: float = 0.0
    offset_lamp: bool = False
    silent: bool = True
    opposite: bool = False
    gain: float = 0.0
    too_quiet: bool = False

    @property
    def level_dbfs(self) -> float:
        """The level in dB below full scale, never under −120."""
        return 20 * math.log10(max(self.level, 1e-6))


class _Follower:
    """A one-pole low-pass, s ← a·s + (1 − a)·x, for whole arrays.

    Unrolled, s_n = aⁿ·(s_0 + (1 − a)·Σ x_k·a^{−k}): a cumulative sum per piece. Pieces are short enough
    that a^{−k} stays below e^20 and costs no digits.

    Args:
        rate: hertz.
        seconds: time constant.
        signals: how many are followed at once; with 1, arrays are [n], else [signals, n].
    """

    def __init__(self, rate: float, seconds: float, signals: int = 1) -> None:
        decay = math.exp(-1 / (seconds * rate))
        self._powers = decay ** np.arange(1, max(1, min(2048, int(20 * seconds * rate))) + 1)
        self._gain = 1 - decay
        self._values = np.zeros((signals, 1))
        self._shape = (-1,) if signals == 1 else (signals, -1)

    @property
    def value(self) -> float:
        """Of the first signal."""
        return float(self._values[0, 0])

    @value.setter
    def value(self, value: float) -> None:
        self._values[0, 0] = value

    def step(self, signals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        rows = signals.reshape(len(self._values), -1)
        followed = np.empty_like(rows)
        for start in range(0, rows.shape[1], len(self._powers)):
            piece = rows[:, start : start + len(self._powers)]
            powers = self._powers[: piece.shape[1]]
            sums = np.cumsum(piece / powers, axis=1)
            followed[:, start : start + piece.shape[1]] = powers * (self._values + self._gain * sums)
            self._values = followed[:, start + piece.shape[1] - 1 : start + piece.shape[1]].copy()
        self._values[np.abs(self._values) < _TINY] = 0.0
        return followed.reshape(self._shape)


class _Balance:
    """Two channels to one: their mean, or left alone while they are each other's opposite.

    A balanced plug in an unbalanced stereo jack gives the same sound twice, once upside down: the mean of
    the two is silence. Every eighth sample or so is enough to tell.
    """

    def __init__(self, rate: int) -> None:
        self.opposite = False
        self._every = max(1, rate // _OPPOSITE_RATE)
        self._rate = rate / self._every
        self._signals = _Follower(self._rate, _OPPOSITE_SECONDS, 5)
        self._fade = _Follower(rate, _FADE_SECONDS)
        self._taken = 0
        self._since_not_opposite = self._since_not_alike = 0

    def step(self, stereo: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        first = -self._taken % self._every
        self._taken += len(stereo)
        before = self.opposite
        looked_at = stereo[first :: self._every]
        states = self._look(looked_at[:, 0], looked_at[:, 1]) if len(looked_at) else np.zeros(0, np.bool_)
        if not before and not states.any() and self._fade.value < 1e-6:
            self._fade.value = 0.0
            middle: npt.NDArray[np.float64] = stereo.mean(axis=1)
            return middle
        state = np.concatenate(([before], states))[(np.arange(len(stereo)) - first) // self._every + 1]
        alone = self._fade.step(state.astype(np.float64))
        mono: npt.NDArray[np.float64] = stereo.mean(axis=1) + alone * (stereo[:, 0] - stereo[:, 1]) / 2
        return mono

    def _look(self, left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        means = self._signals.step(np.stack((left, right, left * left, right * right, left * right)))
        power = (means[2] - means[0] ** 2) * (means[3] - means[1] ** 2)
        # Undivided, so that silence asks nothing.
        together = means[4] - means[0] * means[1]
        squared = together * np.abs(together)
        opposite, self._since_not_opposite = _lasting(
            squared < -(_OPPOSITE**2) * power, self._since_not_opposite
        )
        alike, self._since_not_alike = _lasting(squared > -(_ALIKE**2) * power, self._since_not_alike)
        switched = (opposite >= _OPPOSITE_FOR * self._rate).astype(np.int8)
        switched -= (alike >= _ALIKE_FOR * self._rate).astype(np.int8)
        states = _held(switched, self.opposite)
        self.opposite = bool(states[-1])
        return states


def _lasting(true: npt.NDArray[np.bool_], before: int) -> tuple[npt.NDArray[np.int64], int]:
    """For how many samples in a row it has been true, with what came before; and that of the last one."""
    places = np.arange(len(true))
    last_false = np.maximum.accumulate(np.where(true, -1 - before, places))
    counts = places - last_false
    return counts, int(counts[-1])


def _held(switched: npt.NDArray[np.int8], before: bool) -> npt.NDArray[np.bool_]:
    """On after 1, off after −1, as before after 0."""
    places = np.maximum.accumulate(np.where(switched != 0, np.arange(len(switched)), -1))
    held: npt.NDArray[np.bool_] = np.where(places >= 0, switched[places] > 0, before)
    return held


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
        self._balance = _Balance(rate)
        self._quiet = round(_SILENCE_SECONDS * rate)

    def step(self, samples: Samples, mix: Mix | None = None) -> Samples:
        """Mend, mix and measure: float32 [n, channels] or [n] to mono float32 [n], finite and without DC.

        Args:
            mix: how the channels become one or two, [channels, 1 or 2]; None lets all count alike. A channel
                without a share in it is not looked at.
        """
        if not len(samples):
            return np.zeros(0, np.float32)
        mono = self._mono(samples.reshape(len(samples), -1), mix)
        self.lamps.offset = float(self._offset.step(mono)[-1])
        self.lamps.offset_lamp = abs(self.lamps.offset) > _OFFSET_LAMP
        centred = mono - self._dc.step(mono)
        centred[np.abs(centred) < _TINY] = 0.0
        self._measure(centred)
        return centred.astype(np.float32)

    def _mono(self, samples: Samples, mix: Mix | None) -> npt.NDArray[np.float64]:
        if mix is not None:
            heard = mix.any(axis=1)
            if not heard.all():
                samples, mix = samples[:, heard], mix[heard]
        sound = self._mend(samples).astype(np.float64)
        if mix is not None and not (len(mix) <= 2 and np.array_equal(mix, np.eye(len(mix)))):
            sound = sound @ mix.astype(np.float64)
        if sound.shape[1] != 2:
            self.lamps.opposite = False
            middle: npt.NDArray[np.float64] = sound.mean(axis=1)
            return middle
        mono = self._balance.step(sound)
        self.lamps.opposite = self._balance.opposite
        return mono

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
