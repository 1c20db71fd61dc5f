"""Composed pieces to sound: General MIDI parts through FluidSynth, the others through our synthesiser.

FluidSynth (``apt install fluidsynth fluid-soundfont-gm``) plays the FluidR3 soundfont, which is under
the MIT licence; what it renders from our notes is free of anybody's rights.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from lavlive.errors import TrainingError
from lavlive.training import music_synth as synth
from lavlive.training.music_composer import Note, Part, Piece
from lavlive.training.music_synth import Samples

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
_TICKS_PER_SECOND = 960  # 480 per quarter note at the default 120 quarter notes a minute


def midi_file(parts: list[Part]) -> bytes:
    """A Standard MIDI File, format 0, of the parts that have a General MIDI voice.

    Drums go to channel 10; there is room for fifteen other parts.
    """
    events: list[tuple[int, int, bytes]] = []
    channels = iter(channel for channel in range(16) if channel != 9)
    for part in parts:
        channel = 9 if part.voice == "drums" else next(channels)
        if isinstance(part.voice, int):
            events.append((0, 0, bytes([0xC0 | channel, part.voice])))
        events.append((0, 0, bytes([0xB0 | channel, 10, round(64 + 63 * part.pan)])))
        for note in part.notes:
            start, end = (round(t * _TICKS_PER_SECOND) for t in (note.start, note.start + note.seconds))
            events.append((start, 2, bytes([0x90 | channel, note.pitch, note.velocity])))
            events.append((max(end, start + 1), 1, bytes([0x80 | channel, note.pitch, 0])))
    track, now = bytearray(), 0
    for time, _, message in sorted(events):
        track += _variable_length(time - now) + message
        now = time
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1, 480 >> 8, 480 & 255])
    return header + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def _variable_length(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def play_midi(midi: Path, rate: int, soundfont: Path = SOUNDFONT, gain: float = 0.5) -> Samples:
    """A MIDI file as stereo sound, float64 [n, 2].

    Raises:
        TrainingError: FluidSynth or the soundfont is missing, or it cannot play the file.
    """
    program = shutil.which("fluidsynth")
    if program is None or not soundfont.exists():
        raise TrainingError(
            "rendering MIDI needs FluidSynth and a soundfont: apt install fluidsynth fluid-soundfont-gm"
        )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.wav"
        arguments = ["-ni", "-q", "-F", str(target), "-T", "wav", "-r", str(rate), "-g", str(gain)]
        done = subprocess.run(
            [program, *arguments, str(soundfont), str(midi)], capture_output=True, text=True, check=False
        )
        if done.returncode or not target.exists():
            raise TrainingError(f"FluidSynth cannot play {midi}: {done.stderr.strip()[-200:]}")
        samples, _ = soundfile.read(target, always_2d=True)
    return np.asarray(samples)


def render(piece: Piece, rate: int = 24_000) -> Samples:
    """A piece as mono sound within ±0.9, float64 [n]: all its parts, balanced, in a room."""
    count = round((piece.seconds + 0.5) * rate)
    rng = np.random.default_rng(sum(piece.name.encode()))
    mix = np.zeros(count)
    sampled = [part for part in piece.parts if not str(part.voice).startswith("synth:")]
    if sampled:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "piece.mid"
            path.write_bytes(midi_file(sampled))
            played = play_midi(path, rate)[:count].mean(axis=1)
        mix[: len(played)] += synth.at_level(played, -20.0)
    for part in piece.parts:
        if str(part.voice).startswith("synth:"):
            mix += synth.at_level(
                _synthesise(part, count, rate, rng), _LEVELS.get(str(part.voice)[6:], -24.0)
            )
    room = synth.room(float(rng.uniform(0.6, 2.2)), rate, rng)[:, 0]
    wet = np.fft.irfft(np.fft.rfft(mix, 2 * count) * np.fft.rfft(room[:count], 2 * count))[:count]
    mix = mix + rng.uniform(0.08, 0.35) * wet
    mix = np.tanh(1.3 * synth.highpass(mix, 25.0, rate))
    fade = np.clip((count - np.arange(count)) / (0.4 * rate), 0.0, 1.0)
    return np.asarray(0.9 * mix / max(float(np.abs(mix).max()), 1e-6) * fade)


_LEVELS = {
    "drums": -19.0,
    "noise": -23.0,
    "bass": -20.0,
    "acid": -23.0,
    "reese": -20.0,
    "sub": -22.0,
    "pad": -27.0,
}


def _synthesise(part: Part, count: int, rate: int, rng: np.random.Generator) -> Samples:
    out = np.zeros(count)
    voice = str(part.voice)[6:]
    make = _drum if voice in ("drums", "noise") else _VOICES[voice]
    made: dict[tuple[int, int, int], Samples] = {}
    for note in part.notes:
        key = (note.pitch, round(note.seconds * 50), note.velocity // 12)
        if key not in made:
            made[key] = make(note, rate, rng) if voice != "noise" else _chip_drum(note, rate, rng)
        start = round(note.start * rate)
        sound = made[key][: max(0, count - start)]
        out[start : start + len(sound)] += sound * (note.velocity / 100.0)
    return out


def _shaped(
    wave: Samples, note: Note, rate: int, attack: float, decay: float, sustain: float, release: float
) -> Samples:
    return wave * synth.envelope(len(wave), rate, attack, decay, sustain, release, note.seconds)


def _drum(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    if note.pitch == 36:
        return 1.5 * synth.kick(rate)
    if note.pitch == 38:
        return 0.8 * (synth.clap(rate, rng) if note.velocity > 80 else synth.snare(rate, rng))
    return 0.3 * synth.hat(rate, rng, {42: 0.05, 46: 0.25}.get(note.pitch, 1.2), 5500.0)


def _chip_drum(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    time = np.arange(round(0.15 * rate)) / rate
    if note.pitch == 36:
        return np.sign(np.sin(2 * np.pi * np.cumsum(50 + 200 * np.exp(-time / 0.03)) / rate)) * np.exp(
            -time / 0.05
        )
    hold = 5 if note.pitch == 38 else 1
    noise = np.repeat(rng.choice([-1.0, 1.0], len(time) // hold + 1), hold)[: len(time)]
    return 0.6 * noise * np.exp(-time / (0.05 if note.pitch == 38 else 0.02))


def _count(note: Note, rate: int, tail: float) -> int:
    return round((note.seconds + tail) * rate)


def _bass(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count, hertz = _count(note, rate, 0.1), synth.pitch_hertz(note.pitch)
    time = np.arange(count) / rate
    raw = 0.7 * synth.saw(hertz, count, rate) + np.sin(2 * np.pi * hertz * time)
    return _shaped(
        synth.lowpass(raw, 200 + 1400 * np.exp(-time / 0.08), rate, 1.4), note, rate, 0.003, 0.3, 0.6, 0.08
    )


def _acid(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count, hertz = _count(note, rate, 0.08), synth.pitch_hertz(note.pitch)
    time = np.arange(count) / rate
    cutoff = 250 + note.velocity * 30 * np.exp(-time / 0.1)
    return np.tanh(
        2
        * _shaped(
            synth.lowpass(synth.saw(hertz, count, rate), cutoff, rate, 6.0), note, rate, 0.002, 0.2, 0.4, 0.05
        )
    )


def _reese(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count = _count(note, rate, 0.1)
    raw = sum(
        (synth.saw(synth.pitch_hertz(note.pitch + d), count, rate, rng.random()) for d in (-0.2, 0.0, 0.21)),
        np.zeros(count),
    )
    wobble = 500 + 300 * np.sin(2 * np.pi * 3.0 * np.arange(count) / rate)
    return _shaped(synth.lowpass(raw, wobble, rate, 1.0), note, rate, 0.01, 0.5, 0.8, 0.1)


def _sub(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count = _count(note, rate, 0.6)
    tone = np.sin(2 * np.pi * synth.pitch_hertz(note.pitch) * np.arange(count) / rate)
    return _shaped(np.tanh(1.5 * tone), note, rate, 0.1, 2.0, 0.8, 0.6)


def _stab(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count = _count(note, rate, 0.2)
    time = np.arange(count) / rate
    raw = synth.supersaw(note.pitch, count, rate, rng).mean(axis=1)
    return _shaped(
        synth.lowpass(raw, 600 + 4500 * np.exp(-time / 0.12), rate, 1.0), note, rate, 0.004, 0.3, 0.5, 0.2
    )


def _pad(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count = _count(note, rate, 1.0)
    raw = synth.supersaw(note.pitch, count, rate, rng, spread=0.08).mean(axis=1)
    return _shaped(synth.lowpass(raw, 1400.0, rate), note, rate, 0.4, 3.0, 0.9, 1.0)


def _pluck(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    return synth.pluck(note.pitch, 0.4, rate, note.velocity / 100)


def _bell(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    return synth.electric_piano(note.pitch + 12, note.seconds + 1.0, rate, 0.9)


def _lead(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count = _count(note, rate, 0.15)
    vibrato = 1 + 0.004 * np.sin(2 * np.pi * 5.0 * np.arange(count) / rate)
    raw = synth.saw(synth.pitch_hertz(note.pitch) * vibrato, count, rate)
    return _shaped(synth.lowpass(raw, 3500.0, rate, 1.1), note, rate, 0.01, 0.5, 0.7, 0.15)


def _chip(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count = _count(note, rate, 0.03)
    return _shaped(
        synth.square(synth.pitch_hertz(note.pitch), count, rate, 0.5), note, rate, 0.002, 0.25, 0.5, 0.03
    )


def _thin(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count = _count(note, rate, 0.03)
    return _shaped(
        synth.square(synth.pitch_hertz(note.pitch), count, rate, 0.15), note, rate, 0.002, 0.4, 0.6, 0.03
    )


def _triangle(note: Note, rate: int, rng: np.random.Generator) -> Samples:
    count = _count(note, rate, 0.03)
    phase = synth.pitch_hertz(note.pitch) * np.arange(count) / rate % 1.0
    return _shaped(4 * np.abs(phase - 0.5) - 1, note, rate, 0.002, 1.0, 0.9, 0.03)


_VOICES: dict[str, Callable[[Note, int, np.random.Generator], Samples]] = {
    "bass": _bass,
    "acid": _acid,
    "reese": _reese,
    "sub": _sub,
    "stab": _stab,
    "pad": _pad,
    "pluck": _pluck,
    "bell": _bell,
    "lead": _lead,
    "chip": _chip,
    "thin": _thin,
    "triangle": _triangle,
}
