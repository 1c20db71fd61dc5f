"""The demo track: forty seconds of house music that lavlive plays when nobody tells it otherwise.

Composed and synthesised here from a fixed seed; MIT like the rest of the project. Twenty bars at 120
bpm over Fm9 | D♭maj9 | A♭maj9 | E♭, in F minor: a filtered intro, a groove, a break with an electric
piano, a build, and a drop. The end runs into the start, so that it loops without a seam.

    python -m lavlive.training demo-track [-o FILE] [--wav FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from lavlive.errors import TrainingError
from lavlive.files import replacing
from lavlive.resources import shipped
from lavlive.training import music_synth as synth
from lavlive.training.music_synth import Loop, Samples

RATE = 44_100
TEMPO = 120.0
BEAT = 60.0 / TEMPO
BAR = 4 * BEAT
STEP = BAR / 16
BARS = 20
SECONDS = BARS * BAR
SEED = 120
# Vorbis overshoots what it is given: this much room keeps the decoded track below full scale.
_CEILING = 0.75


class Section(NamedTuple):
    """A stretch of the track: its name, and where it starts and ends in seconds."""

    name: str
    start: float
    end: float


SECTIONS = (
    Section("intro", 0 * BAR, 2 * BAR),
    Section("groove", 2 * BAR, 6 * BAR),
    Section("break", 6 * BAR, 10 * BAR),
    Section("build", 10 * BAR, 12 * BAR),
    Section("drop", 12 * BAR, 20 * BAR),
)

# Root of the bass, then the voicing that the chords, the pad and the arpeggio share.
_CHORDS = (
    (41, (53, 60, 63, 67, 68)),
    (37, (53, 56, 60, 63, 68)),
    (44, (51, 60, 63, 67, 70)),
    (39, (55, 58, 63, 65, 70)),
)
# The hook of the drop: for each bar of the progression (step, note, length in steps).
_HOOK = (
    ((0, 72, 3), (3, 75, 3), (6, 77, 4), (10, 75, 2), (12, 72, 2), (14, 70, 2)),
    ((0, 68, 3), (3, 72, 3), (6, 75, 4), (10, 77, 2), (12, 75, 4)),
    ((0, 79, 3), (3, 75, 3), (6, 72, 4), (10, 75, 2), (12, 77, 2), (14, 79, 2)),
    ((0, 82, 3), (3, 79, 3), (6, 77, 4), (10, 75, 2), (12, 70, 2), (14, 75, 2)),
)


def section_at(seconds: float) -> Section:
    """The section that sounds at a time, the track being looped."""
    place = seconds % SECONDS
    return next(section for section in SECTIONS if section.start <= place < section.end)


def _bars_of(*names: str) -> list[int]:
    return [bar for bar in range(BARS) if section_at((bar + 0.5) * BAR).name in names]


def _place(bar: int) -> int:
    # Intro and build stand on the second half of the progression, so that groove and drop open on Fm.
    return (bar + 2) % 4 if bar < 10 else bar % 4


def _chord(bar: int) -> tuple[int, tuple[int, ...]]:
    return _CHORDS[_place(bar)]


def _kick_times() -> list[float]:
    times = [bar * BAR + beat * BEAT for bar in _bars_of("groove", "drop") for beat in range(4)]
    # The last beat before the drop stays empty.
    times += [10 * BAR + beat * BEAT for beat in range(4)] + [11 * BAR + half * BEAT / 2 for half in range(6)]
    return sorted(times)


def _drums(rng: np.random.Generator) -> dict[str, Samples]:
    kicks, claps, hats, rolls = (Loop(SECONDS, RATE) for _ in range(4))
    drum = synth.kick(RATE)
    for time in _kick_times():
        kicks.add(drum, time)
    for bar in _bars_of("groove", "drop"):
        for beat in (1, 3):
            claps.add(synth.clap(RATE, rng), bar * BAR + beat * BEAT)
        if bar in (5, 15, 19):
            claps.add(synth.clap(RATE, rng), bar * BAR + 3.75 * BEAT, 0.6)
    for bar in _bars_of("intro", "groove", "drop"):
        busy = bar >= 12
        for step in range(16):
            # A hair of swing on the off sixteenths, and accents that breathe.
            time = bar * BAR + step * STEP + (0.012 if step % 2 else 0.0)
            strength = (0.55, 0.22, 0.4, 0.26)[step % 4] * rng.uniform(0.8, 1.1)
            if step % 2 == 0 or busy:
                hats.add(synth.hat(RATE, rng, 0.05), time, strength, 0.25 * np.sin(step * 1.7))
            if step % 4 == 2 and bar >= 4:
                hats.add(synth.hat(RATE, rng, 0.24, 6200.0), time, 0.55, -0.15)
    steps = [(10 * 16 + step) for step in range(0, 16, 2)] + [(11 * 16 + step) for step in range(12)]
    times = [step * STEP for step in steps] + [11 * BAR + (8.5 + step) * STEP for step in range(4)]
    for time in times:
        rise = (time - 10 * BAR) / (2 * BAR)
        rolls.add(synth.snare(RATE, rng, 180.0 + 90.0 * rise), time, 0.25 + 0.75 * rise)
    return {"kick": kicks.samples, "clap": claps.samples, "hat": hats.samples, "roll": rolls.samples}


def _bass() -> Samples:
    loop = Loop(SECONDS, RATE)
    rolling = (2, 3, 6, 7, 10, 11, 14, 15)
    walking = (2, 6, 9, 10, 14)
    for bar in _bars_of("groove", "drop"):
        root = _chord(bar)[0]
        for step in rolling if bar >= 12 else walking:
            octave = 12 if step in (7, 15) else 0
            count = round(1.7 * STEP * RATE)
            time = np.arange(count) / RATE
            hertz = synth.pitch_hertz(root + octave)
            raw = 0.6 * synth.saw(hertz, count, RATE) + 0.5 * synth.square(hertz, count, RATE, 0.4)
            bright = 1900.0 if bar >= 12 else 1100.0
            tone = synth.lowpass(raw, 140.0 + bright * np.exp(-time / 0.06), RATE, 1.8)
            tone = tone + 0.8 * np.sin(2 * np.pi * hertz * time)
            tone *= synth.envelope(count, RATE, 0.003, 0.2, 0.5, 0.05, 1.4 * STEP)
            loop.add(np.tanh(1.4 * tone), bar * BAR + step * STEP, 1.0 if step % 4 == 2 else 0.75)
    return loop.samples


def _chords(rng: np.random.Generator) -> Samples:
    """Supersaw stabs and holds; the filter opens over the groove and stands open in the drop."""
    loop = Loop(SECONDS, RATE)
    for bar in _bars_of("intro", "groove", "build", "drop"):
        drop = bar >= 12
        hits: tuple[tuple[int, int], ...] = (
            ((0, 16),) if drop or bar < 2 else ((0, 3), (3, 3), (6, 4), (10, 6))
        )
        if bar in (10, 11):
            hits = tuple((step, 2) for step in range(0, 12 if bar == 11 else 16, 2))
        for step, length in hits:
            count = round((length * STEP + 0.25) * RATE)
            chord = sum(
                (synth.supersaw(note, count, RATE, rng) for note in _chord(bar)[1]), np.zeros((count, 2))
            )
            shape = synth.envelope(count, RATE, 0.006, 0.5, 0.75, 0.22, length * STEP)
            loop.add(chord * shape[:, None], bar * BAR + step * STEP)
    time = np.arange(len(loop.samples)) / RATE
    marks = np.array([0, 2, 6, 10, 11.8, 12, 16, 19, 20]) * BAR
    cutoff = np.exp(np.interp(time, marks, np.log([500, 900, 3200, 700, 7500, 5200, 9000, 6500, 500])))
    return synth.around(loop.samples, RATE, cutoff)


def _pad(rng: np.random.Generator) -> Samples:
    loop = Loop(SECONDS, RATE)
    for bar in range(BARS):
        count = round((BAR + 1.2) * RATE)
        for note in _chord(bar)[1]:
            voice = synth.supersaw(note, count, RATE, rng, voices=4, spread=0.07)
            shape = synth.envelope(count, RATE, 0.35, 3.0, 0.85, 1.1, BAR)
            loop.add(voice * shape[:, None], bar * BAR, 1.0 if 6 <= bar < 10 else 0.5)
    time = np.arange(len(loop.samples)) / RATE
    sweep = 950.0 + 500.0 * np.sin(2 * np.pi * time / (4 * BAR))
    return synth.around(loop.samples, RATE, sweep)


def _arpeggio(rng: np.random.Generator) -> Samples:
    loop = Loop(SECONDS, RATE)
    order = (0, 2, 4, 1, 3, 2, 4, 3, 0, 3, 1, 4, 2, 3, 1, 2)
    for bar in range(BARS):
        notes = _chord(bar)[1]
        for step in range(16):
            if bar == 11 and step >= 12:
                continue
            place = bar + step / 16
            bright = float(
                np.interp(place, [0, 2, 6, 7, 10, 12, 18, 20], [0.25, 0.4, 0.8, 0.2, 0.35, 1.0, 0.8, 0.25])
            )
            gain = float(np.interp(place, [0, 6, 10, 12, 20], [0.8, 0.7, 0.45, 1.0, 0.8]))
            octave = 12 if (step // 4 + bar) % 3 else 24
            accent = 1.0 if step % 3 == 0 else 0.6
            tone = synth.pluck(notes[order[step]] + octave, 0.4, RATE, bright)
            loop.add(
                tone,
                bar * BAR + step * STEP,
                gain * accent * rng.uniform(0.9, 1.05),
                0.5 * np.sin(step * 2.4),
            )
    return loop.samples


def _piano() -> Samples:
    """The break: held chords on an electric piano, the hook hinted at above them."""
    loop = Loop(SECONDS, RATE)
    for bar in _bars_of("break"):
        root, notes = _chord(bar)
        loop.add(synth.electric_piano(root, BAR, RATE, 0.7), bar * BAR)
        for index, note in enumerate(notes):
            start = bar * BAR + 0.02 * index
            loop.add(synth.electric_piano(note, 0.95 * BAR, RATE, 0.55), start, 0.6, 0.12 * (index - 2))
        for step, note, length in _HOOK[_place(bar)][:4]:
            loop.add(synth.electric_piano(note, length * STEP, RATE, 0.95), bar * BAR + step * STEP, 0.8, 0.1)
    return loop.samples


def _lead(rng: np.random.Generator) -> Samples:
    loop = Loop(SECONDS, RATE)
    for bar in _bars_of("drop"):
        for step, note, length in _HOOK[_place(bar)]:
            count = round((length * STEP + 0.2) * RATE)
            time = np.arange(count) / RATE
            vibrato = 1.0 + 0.004 * np.sin(2 * np.pi * 5.3 * time) * np.clip(time / 0.3, 0, 1)
            voices = [
                synth.saw(synth.pitch_hertz(note + d) * vibrato, count, RATE, rng.random())
                for d in (-0.07, 0.07)
            ]
            tone = (
                np.stack(voices, axis=1)
                + 0.6 * synth.square(synth.pitch_hertz(note - 12), count, RATE)[:, None]
            )
            shape = synth.envelope(count, RATE, 0.008, 0.4, 0.6, 0.16, length * STEP)
            filtered = synth.lowpass(tone, 900.0 + 5200.0 * np.exp(-time / 0.25), RATE, 1.0)
            loop.add(filtered * shape[:, None], bar * BAR + step * STEP, 0.75 if bar < 16 else 1.0)
    return loop.samples


def _effects(rng: np.random.Generator) -> Samples:
    """The riser into the drop, the impact under it, and a reversed cymbal before each new section."""
    loop = Loop(SECONDS, RATE)
    count = round((2 * BAR - 0.5 * BEAT) * RATE)
    rise = np.arange(count) / count
    wind = (
        synth.bandpass(rng.standard_normal((count, 2)), 300.0 * 30.0**rise, RATE, 1.2) * (rise**1.6)[:, None]
    )
    siren = synth.lowpass(synth.saw(110.0 * 8.0**rise, count, RATE), 400.0 * 16.0**rise, RATE, 1.2) * rise**2
    loop.add(wind * 1.6 + 0.35 * siren[:, None], 10 * BAR)
    count = round(3.0 * RATE)
    time = np.arange(count) / RATE
    boom = np.sin(2 * np.pi * np.cumsum(34.0 + 50.0 * np.exp(-time / 0.3)) / RATE) * np.exp(-time / 0.8)
    crash = synth.highpass(rng.standard_normal((count, 2)), 3800.0, RATE) * np.exp(-time / 0.75)[:, None]
    for bar, size in ((2, 0.45), (6, 0.6), (12, 1.0), (16, 0.5)):
        loop.add(0.9 * size * boom[:, None] * np.ones(2) + 0.38 * size * crash, bar * BAR)
        back = (crash * np.clip(time / 0.01, 0, 1)[:, None])[: round(BAR * RATE)][::-1]
        loop.add(back, bar * BAR - BAR, 0.28 * size)
    return loop.samples


def compose() -> Samples:
    """The finished track, float64 [1 764 000, 2] at 44 100 Hz within ±0.75; the same at every call."""
    rng = np.random.default_rng(SEED)
    buses = _drums(rng) | {
        "bass": _bass(),
        "chords": _chords(rng),
        "pad": _pad(rng),
        "arpeggio": _arpeggio(rng),
        "piano": _piano(),
        "lead": _lead(rng),
        "effects": _effects(rng),
    }
    # Each bus is set by its loudness where it plays; then what it sends to echo and room.
    desk = {
        "kick": (-13.0, 0.0, 0.0),
        "clap": (-19.5, 0.0, 0.22),
        "hat": (-27.0, 0.0, 0.05),
        "roll": (-22.5, 0.0, 0.25),
        "bass": (-17.5, 0.0, 0.0),
        "chords": (-23.0, 0.05, 0.2),
        "pad": (-28.0, 0.0, 0.4),
        "arpeggio": (-24.5, 0.35, 0.3),
        "piano": (-21.0, 0.22, 0.4),
        "lead": (-22.5, 0.28, 0.3),
        "effects": (-26.5, 0.0, 0.3),
    }
    count = len(buses["kick"])
    hits = _kick_times()
    deep, light = (synth.duck(count, RATE, hits, depth, 0.34)[:, None] for depth in (0.82, 0.5))
    ducked = {"bass": deep, "chords": deep, "pad": deep, "arpeggio": light, "lead": light, "effects": light}
    dry, echo, wet = (np.zeros((count, 2)) for _ in range(3))
    for name, (level, to_echo, to_room) in desk.items():
        sound = synth.at_level(buses[name], level)
        if name not in ("kick", "bass", "effects"):
            sound = synth.around(sound, RATE, 140.0, "high")
        sound = sound * ducked.get(name, 1.0)
        dry += sound
        echo += to_echo * sound
        wet += to_room * sound
    echoes = synth.ping_pong(echo, 0.75 * BEAT, RATE)
    room = synth.reverberate(wet + 0.3 * echoes, synth.room(2.4, RATE, rng))
    mix = dry + (echoes + room) * (0.35 + 0.65 * light)
    mix = synth.around(mix, RATE, 24.0, "high")
    mix += 0.45 * synth.around(mix, RATE, 4500.0, "high")
    return synth.limit(np.tanh(1.1 * mix), RATE, _CEILING)


def write_track(path: Path, samples: Samples, quality: float = 0.55) -> None:
    """Write a loop as Ogg Vorbis (``quality`` 0..1) or WAV, by the suffix; never half a file.

    Raises:
        TrainingError: the file cannot be written.
    """
    kind = ("OGG", "VORBIS") if path.suffix == ".ogg" else ("WAV", "PCM_16")
    level = 1.0 - quality if kind[0] == "OGG" else None
    try:
        with (
            replacing(path) as part,
            soundfile.SoundFile(part, "w", RATE, 2, kind[1], format=kind[0], compression_level=level) as file,
        ):
            # libsndfile's Vorbis writer overflows the stack on long blocks.
            for start in range(0, len(samples), 65_536):
                file.write(samples[start : start + 65_536])
    except (OSError, soundfile.LibsndfileError) as error:
        raise TrainingError(f"cannot write {path}: {error}") from error


def main(argv: list[str] | None = None) -> int:
    """Compose the demo track and write it."""
    parser = argparse.ArgumentParser(
        prog="python -m lavlive.training demo-track", description=__doc__.split("\n")[0]
    )
    parser.add_argument("-o", "--output", type=Path, default=shipped("data") / "demo.ogg")
    parser.add_argument("--wav", type=Path, help="also write the uncompressed track here")
    options = parser.parse_args(argv)
    samples = compose()
    write_track(options.output, samples)
    if options.wav:
        write_track(options.wav, samples)
    size = options.output.stat().st_size
    peak = np.abs(samples).max()
    print(f"{options.output}: {len(samples) / RATE:.1f} s, {size / 1e6:.2f} MB, peak {peak:.2f}")
    return 0
