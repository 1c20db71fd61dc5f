"""The level at which pictures hear the sound: a gain by hand, and a slow one that finds itself.

The encoder hears loudness as well as music: 40 dB down, w spreads a tenth as far. The automatic gain raises
what is too quiet until its loud parts reach `TARGET`; it never lowers anything, so what comes at a usual
level is heard as it is. Music moves in all bands, noise and hum do not: only while sound moves like music
(`_MUSIC`) is anything learned, so the noise of a silent room is left as quiet as it came. Once found, a
gain is held through pauses.

Steps are hops, so the same samples give the same output in any blocks, live and offline.
"""

from __future__ import annotations

import math

import numpy as np

from lavlive.audio.block import Samples

TARGET = -23.0
"""dBFS, of the loud parts' power over 0.4 s: of eighteen mastered tracks the quietest has −22."""
MOST = 40.0
"""Decibels that the automatic gain raises at most."""
FLOOR = -75.0
"""dBFS; below it lies nothing but what converters make of silence."""
TOO_QUIET = -40.0
"""dBFS after all gains, of the loud parts: pictures hardly move."""

_POWER_SECONDS = 0.4
_RISE_SECONDS, _FALL_SECONDS = 1.0, 20.0
_UP, _DOWN = 6.0, 24.0
"""Decibels per second that the automatic gain moves at most."""
_FOUND = 1.0
"""Decibels around the target within which it rests."""
_FRAME_SECONDS = 0.05
_SPREAD_SECONDS = 3.0
_LEARN_SECONDS = 1.5
_BANDS = (300.0, 1000.0, 3000.0, 11_000.0)
"""Hertz. Below, even noise moves by decibels within 50 ms."""
_MUSIC = 1.35
"""Decibels that the bands move on the average, standard deviation over 3 s: noise and hum 0.8 at most, the
quietest 3 s of eighteen tracks and the demo 1.8 at least."""
_LOUDEST = 2.0
"""Largest magnitude that the automatic gain makes: what a sudden loud sound meets before the gain is down."""
_TINY = 1e-12


class Level:
    """Gains for the hops of one source. One thread owns it.

    Args:
        hop: samples.
        rate: hertz.

    Attributes:
        gain: decibels, set by hand; always in force.
        automatic: whether the slow gain works; switched off, it goes back to 0.
        automatic_gain: decibels that it gives now, 0 to `MOST`.
        loudness: dBFS of the loud parts as they come in; −120 before anything came.
        music: whether what comes moves like music.
    """

    def __init__(self, hop: int, rate: int) -> None:
        self.gain = 0.0
        self.automatic = False
        self.automatic_gain = 0.0
        self.loudness = -120.0
        self.music = False
        self._seconds = hop / rate
        self._window = np.hanning(hop)
        frequencies = np.fft.rfftfreq(hop, 1 / rate)
        self._starts = np.searchsorted(frequencies, _BANDS)
        self._frame_hops = max(1, round(_FRAME_SECONDS / self._seconds))
        self._energies = np.zeros(len(_BANDS) - 1)
        self._hops = 0
        self._frames = 0
        self._mean = np.zeros(len(_BANDS) - 1)
        self._variance = np.zeros(len(_BANDS) - 1)
        self._power = 0.0
        self._loud_power = 0.0
        self._factor: float | None = None

    @property
    def too_quiet(self) -> bool:
        """Music comes, but even with all gains too quiet for pictures that move."""
        return self.music and self.loudness + self.gain + self.automatic_gain < TOO_QUIET

    def step(self, samples: Samples) -> Samples:
        """One hop, float32 [hop], at its new level: float32 [hop]."""
        sound = samples.astype(np.float64)
        power = float(np.mean(sound * sound))
        self._listen(sound)
        self._follow(power)
        self._move()
        factor = 10.0 ** ((self.gain + self.automatic_gain) / 20.0)
        before = factor if self._factor is None else self._factor
        if self.automatic_gain > 0:
            most = max(_LOUDEST / max(float(np.abs(sound).max()), _TINY), 10.0 ** (self.gain / 20.0))
            before, factor = min(before, most), min(factor, most)
        self._factor = factor
        if before == factor == 1.0:
            return samples
        # From hop to hop in a straight line: a step would be heard as a click.
        ramp = before + (factor - before) * np.arange(1, len(sound) + 1) / len(sound)
        levelled: Samples = (sound * ramp).astype(np.float32)
        return levelled

    def _listen(self, sound: np.ndarray) -> None:
        """Whether it moves like music: how far the bands' levels spread over some seconds."""
        spectrum = np.abs(np.fft.rfft(sound * self._window)) ** 2
        self._energies += np.add.reduceat(spectrum, self._starts)[: len(self._energies)]
        self._hops += 1
        if self._hops % self._frame_hops:
            return
        levels = 10.0 * np.log10(self._energies / self._frame_hops + _TINY)
        self._energies[:] = 0.0
        self._frames += 1
        share = max(1.0 - math.exp(-self._frame_hops * self._seconds / _SPREAD_SECONDS), 1.0 / self._frames)
        away = levels - self._mean
        self._mean += share * away
        self._variance += share * (away * away * (1.0 - share) - self._variance)
        heard = self._frames * self._frame_hops * self._seconds
        loud_enough = 10.0 * math.log10(self._power + _TINY) > FLOOR
        moves = float(np.sqrt(self._variance).mean()) > _MUSIC
        self.music = heard >= _LEARN_SECONDS and loud_enough and moves

    def _follow(self, power: float) -> None:
        self._power += (power - self._power) * (1.0 - math.exp(-self._seconds / _POWER_SECONDS))
        if not self.music:
            return
        if not self._loud_power:
            self._loud_power = self._power
        seconds = _RISE_SECONDS if self._power > self._loud_power else _FALL_SECONDS
        self._loud_power += (self._power - self._loud_power) * (1.0 - math.exp(-self._seconds / seconds))
        self.loudness = 10.0 * math.log10(self._loud_power + _TINY)

    def _move(self) -> None:
        if not self.automatic:
            wanted = 0.0
        elif not self.music:
            return
        else:
            wanted = min(max(TARGET - self.loudness - self.gain, 0.0), MOST)
            if wanted and abs(wanted - self.automatic_gain) < _FOUND:
                return
        step = wanted - self.automatic_gain
        most = (_UP if step > 0 else _DOWN) * self._seconds
        self.automatic_gain += min(max(step, -most), most)
