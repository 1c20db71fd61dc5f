"""A small synthesiser: oscillators, filters, drums and the effects of a mixing desk.

Everything is numpy and seeded by its caller, so a piece is the same on every machine. Stereo is
float64 [samples, 2]. A `Loop` is a ring of time: whatever rings on past its end comes in again at its
start, and the effects here wrap in the same way, so that a piece made of them repeats without a seam.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

Samples = NDArray[np.float64]


def pitch_hertz(midi_note: float) -> float:
    """Frequency of a MIDI note number in equal temperament, A4 (69) at 440 Hz."""
    return float(440.0 * 2.0 ** ((midi_note - 69.0) / 12.0))


class Loop:
    """A stereo stretch of time of ``seconds`` at ``rate`` whose end is joined to its start."""

    def __init__(self, seconds: float, rate: int) -> None:
        self.rate = rate
        self.samples: Samples = np.zeros((round(seconds * rate), 2))

    def add(self, sound: Samples, seconds: float, gain: float = 1.0, pan: float = 0.0) -> None:
        """Mix in a mono [n] or stereo [n, 2] sound at a time; ``pan`` from -1 (left) to 1 (right)."""
        if sound.ndim == 1:
            angle = (pan + 1.0) * np.pi / 4.0
            sound = sound[:, None] * np.array([np.cos(angle), np.sin(angle)]) * np.sqrt(2.0)
        place = round(seconds * self.rate) % len(self.samples)
        while len(sound):
            part = sound[: len(self.samples) - place]
            self.samples[place : place + len(part)] += gain * part
            sound, place = sound[len(part) :], 0


def _poly_blep(phase: Samples, step: Samples) -> Samples:
    """Correction that rounds a unit step at phase 0 over one sample on each side (Välimäki 2007)."""
    correction = np.zeros_like(phase)
    after = np.flatnonzero(phase < step)
    t = phase[after] / step[after]
    correction[after] = t + t - t * t - 1.0
    before = np.flatnonzero(phase > 1.0 - step)
    t = (phase[before] - 1.0) / step[before]
    correction[before] = t * t + t + t + 1.0
    return correction


def saw(hertz: float | Samples, count: int, rate: int, phase: float = 0.0) -> Samples:
    """A band-limited sawtooth, -1..1, of ``count`` samples; ``hertz`` may move sample by sample."""
    step = np.broadcast_to(np.asarray(hertz, float) / rate, (count,))
    place = (phase + np.cumsum(step)) % 1.0
    return 2.0 * place - 1.0 - _poly_blep(place, np.asarray(step))


def square(hertz: float, count: int, rate: int, width: float = 0.5) -> Samples:
    """A band-limited pulse wave whose upper half lasts ``width`` of a period."""
    return 0.5 * (saw(hertz, count, rate) - saw(hertz, count, rate, 1.0 - width))


def supersaw(
    midi_note: float, count: int, rate: int, rng: np.random.Generator, voices: int = 5, spread: float = 0.11
) -> Samples:
    """Several saws detuned over ±``spread`` semitones, spread over the stereo field: [count, 2]."""
    sound = np.zeros((count, 2))
    for place in np.linspace(-1.0, 1.0, voices):
        voice = saw(pitch_hertz(midi_note + place * spread), count, rate, rng.random())
        angle = (0.85 * place + 1.0) * np.pi / 4.0
        sound += voice[:, None] * np.array([np.cos(angle), np.sin(angle)])
    mixed: Samples = sound / np.sqrt(voices)
    return mixed


def envelope(
    count: int, rate: int, attack: float, decay: float, sustain: float, release: float, gate: float
) -> Samples:
    """An ADSR curve 0..1; times in seconds, ``gate`` the time at which the key is let go."""
    time = np.arange(count) / rate
    held = np.where(
        time < attack,
        time / max(attack, 1e-4),
        sustain + (1.0 - sustain) * np.exp(-(time - attack) / max(decay, 1e-4)),
    )
    after = np.exp(-np.maximum(time - gate, 0.0) / max(release / 3.0, 1e-4))
    fade = np.clip((count / rate - time) / 0.004, 0.0, 1.0)
    return held * after * fade


def lowpass(sound: Samples, cutoff: float | Samples, rate: int, resonance: float = 0.8) -> Samples:
    """A two-pole low-pass whose cutoff (hertz) may move; coefficients are renewed every 128 samples."""
    return _swept(sound, cutoff, rate, resonance, "low")


def highpass(sound: Samples, cutoff: float | Samples, rate: int, resonance: float = 0.7) -> Samples:
    """A two-pole high-pass, as `lowpass`."""
    return _swept(sound, cutoff, rate, resonance, "high")


def bandpass(sound: Samples, cutoff: float | Samples, rate: int, resonance: float = 1.5) -> Samples:
    """A two-pole band-pass of unit gain at its centre, as `lowpass`."""
    return _swept(sound, cutoff, rate, resonance, "band")


def _swept(sound: Samples, cutoff: float | Samples, rate: int, resonance: float, kind: str) -> Samples:
    """Robert Bristow-Johnson's biquads, coefficient by coefficient along the sound."""
    curve = np.clip(np.broadcast_to(np.asarray(cutoff, float), (len(sound),)), 15.0, 0.45 * rate)
    if np.ptp(curve) < 1e-9:
        return np.asarray(signal.lfilter(*_biquad(curve[0], rate, resonance, kind), sound, axis=0))
    out = np.empty_like(sound)
    state = np.zeros((2, *sound.shape[1:]))
    for start in range(0, len(sound), 128):
        b, a = _biquad(curve[start], rate, resonance, kind)
        out[start : start + 128], state = signal.lfilter(b, a, sound[start : start + 128], axis=0, zi=state)
    return out


def _biquad(hertz: float, rate: int, q: float, kind: str) -> tuple[list[float], list[float]]:
    omega = 2.0 * np.pi * hertz / rate
    cosine, alpha = np.cos(omega), np.sin(omega) / (2.0 * q)
    b = {
        "low": [(1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2],
        "high": [(1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2],
        "band": [alpha, 0.0, -alpha],
    }[kind]
    return [value / (1 + alpha) for value in b], [1.0, -2 * cosine / (1 + alpha), (1 - alpha) / (1 + alpha)]


def around(effect_input: Samples, rate: int, cutoff: float | Samples, kind: str = "low") -> Samples:
    """Filter a whole loop so that its end runs on into its start: the second of two rounds is kept."""
    twice = np.concatenate([effect_input, effect_input])
    curve = np.tile(np.broadcast_to(np.asarray(cutoff, float), (len(effect_input),)), 2)
    return _swept(twice, curve, rate, 0.75, kind)[len(effect_input) :]


def kick(rate: int, seconds: float = 0.42, low: float = 47.0, punch: float = 175.0) -> Samples:
    """A bass drum: a sine that falls from ``low`` + ``punch`` to ``low`` hertz, with a click."""
    time = np.arange(round(seconds * rate)) / rate
    hertz = low + punch * np.exp(-time / 0.028) + 900.0 * np.exp(-time / 0.0022)
    body = np.sin(2 * np.pi * np.cumsum(hertz) / rate) * np.exp(-time / 0.16)
    fade = np.clip((seconds - time) / 0.03, 0.0, 1.0)
    driven: Samples = np.tanh(2.2 * body) / np.tanh(2.2) * fade
    return driven


def hat(rate: int, rng: np.random.Generator, seconds: float, cutoff: float = 7500.0) -> Samples:
    """A hi-hat: high-passed noise and six inharmonic squares, dying away within ``seconds``."""
    count = round(seconds * 2.5 * rate)
    time = np.arange(count) / rate
    metal = sum(
        (square(f, count, rate) for f in (2950.0, 3870.0, 4520.0, 5630.0, 6340.0, 8010.0)), np.zeros(count)
    )
    sound = 0.7 * rng.standard_normal(count) + 0.12 * metal
    return highpass(sound, cutoff, rate) * np.exp(-time / (0.4 * seconds)) * np.clip(time / 0.0008, 0, 1)


def clap(rate: int, rng: np.random.Generator) -> Samples:
    """A clap: four bursts of band-passed noise some milliseconds apart, the last with a tail."""
    time = np.arange(round(0.32 * rate)) / rate
    bursts = sum(
        (np.where(time >= t, np.exp(-(time - t) / 0.0045), 0.0) for t in (0.0, 0.011, 0.021)),
        np.zeros(len(time)),
    )
    bursts += np.where(time >= 0.030, 0.9 * np.exp(-np.maximum(time - 0.030, 0) / 0.062), 0.0)
    return bandpass(rng.standard_normal(len(time)), 1500.0, rate, 0.9) * bursts


def snare(rate: int, rng: np.random.Generator, tone: float = 190.0) -> Samples:
    """A snare drum: two short sines under high-passed noise."""
    time = np.arange(round(0.24 * rate)) / rate
    body = np.sin(2 * np.pi * tone * time) + 0.6 * np.sin(2 * np.pi * 1.68 * tone * time)
    noise = highpass(rng.standard_normal(len(time)), 1800.0, rate)
    return (0.7 * body * np.exp(-time / 0.045) + 0.55 * noise * np.exp(-time / 0.07)) * np.clip(
        (0.24 - time) / 0.02, 0, 1
    )


def pluck(midi_note: float, seconds: float, rate: int, brightness: float = 1.0) -> Samples:
    """A bright plucked tone: two saws an octave apart through a closing filter."""
    count = round(seconds * rate)
    time = np.arange(count) / rate
    hertz = pitch_hertz(midi_note)
    raw = saw(hertz, count, rate) + 0.5 * square(2.0 * hertz * 1.002, count, rate, 0.35)
    cutoff = 500.0 + 1.4 * hertz + 5200.0 * brightness * np.exp(-time / 0.07)
    return lowpass(raw, cutoff, rate, 1.4) * envelope(count, rate, 0.002, 0.16, 0.0, 0.1, seconds)


def electric_piano(midi_note: float, seconds: float, rate: int, velocity: float = 0.8) -> Samples:
    """A tine piano by frequency modulation: a 1:1 pair and a 14:1 pair (as Chowning's, 1973)."""
    count = round((seconds + 0.5) * rate)
    time = np.arange(count) / rate
    omega = 2 * np.pi * pitch_hertz(midi_note) * time
    body = np.sin(omega + 1.3 * velocity * np.exp(-time / 0.9) * np.sin(omega))
    tine = np.sin(omega + 0.9 * velocity * np.exp(-time / 0.12) * np.sin(14.0 * omega))
    return (0.75 * body + 0.3 * tine) * envelope(count, rate, 0.003, 1.3, 0.08, 0.45, seconds) * velocity


def room(seconds: float, rate: int, rng: np.random.Generator, darkness: float = 0.6) -> Samples:
    """A stereo reverberation [n, 2] of unit energy: noise that dies away, its treble first."""
    count = round(1.3 * seconds * rate)
    time = np.arange(count) / rate
    noise = rng.standard_normal((count, 2))
    bright = (
        highpass(noise, 2500.0, rate) * np.exp(-6.9 * time / (seconds * (1.0 - 0.75 * darkness)))[:, None]
    )
    dark = lowpass(highpass(noise, 220.0, rate), 2500.0, rate) * np.exp(-6.9 * time / seconds)[:, None]
    response = (bright * (1.0 - 0.5 * darkness) + dark) * np.clip((time - 0.012) / 0.02, 0, 1)[:, None]
    return np.asarray(response / np.sqrt(np.sum(response**2, axis=0)))


def reverberate(sound: Samples, response: Samples) -> Samples:
    """Circular convolution of a loop [n, 2] with a room's response: tails wrap."""
    count = len(sound)
    folded = np.zeros((count, 2))
    np.add.at(folded, np.arange(len(response)) % count, response)
    spectrum = np.fft.rfft(sound, axis=0) * np.fft.rfft(folded, axis=0)
    return np.asarray(np.fft.irfft(spectrum, count, axis=0))


def ping_pong(sound: Samples, seconds: float, rate: int, feedback: float = 0.55, echoes: int = 7) -> Samples:
    """Echoes that change sides and grow darker; they wrap round the loop."""
    out = np.zeros_like(sound)
    mono = sound.mean(axis=1)
    for echo in range(1, echoes + 1):
        mono = around(mono, rate, 5200.0)
        out[:, echo % 2] += feedback ** (echo - 1) * np.roll(mono, round(echo * seconds * rate))
    return out


def duck(count: int, rate: int, hits: list[float], depth: float, recovery: float) -> Samples:
    """The gain curve of a side-chain: down by ``depth`` at each hit, back within ``recovery`` seconds."""
    gain = np.ones(count)
    shape = np.arange(round(recovery * rate)) / (recovery * rate)
    dip = 1.0 - depth * (1.0 - np.sin(0.5 * np.pi * shape) ** 2)
    attack = round(0.004 * rate)
    for hit in hits:
        start = round(hit * rate)
        places = np.arange(start, start + len(dip)) % count
        gain[places] = np.minimum(gain[places], dip)
    return np.asarray(ndimage.uniform_filter1d(gain, 2 * attack, mode="wrap"))


def loudness(sound: Samples) -> float:
    """Root mean square of a sound where it is not silent."""
    power = np.mean(np.square(sound), axis=tuple(range(1, sound.ndim)))
    heard = power > 1e-7 * max(float(power.max()), 1e-12)
    return float(np.sqrt(power[heard].mean())) if heard.any() else 0.0


def at_level(sound: Samples, decibels: float) -> Samples:
    """Scale a sound so that its `loudness` is so many decibels below full scale."""
    level = loudness(sound)
    return sound * (10.0 ** (decibels / 20.0) / level) if level > 0.0 else sound


def limit(sound: Samples, rate: int, ceiling: float = 0.89, lookahead: float = 0.004) -> Samples:
    """A look-ahead limiter on a loop: no sample beyond ``ceiling``, gain moved without clicks."""
    peak = np.abs(sound).max(axis=1)
    wanted = np.minimum(1.0, ceiling / np.maximum(peak, 1e-9))
    width = 2 * round(lookahead * rate) + 1
    held = ndimage.minimum_filter1d(wanted, 2 * width + 1, mode="wrap")
    gain = ndimage.uniform_filter1d(held, width, mode="wrap")
    limited: Samples = np.clip(sound * gain[:, None], -ceiling, ceiling)
    return limited
