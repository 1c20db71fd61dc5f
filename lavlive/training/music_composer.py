"""A composer of practice music in eight genres, from nothing but a seed.

The pieces need not be great; they must be many, free of anybody's rights, and have what music has:
chords, bass, melody, drums, and sections that differ. Each section keeps its own choice of parts and
patterns, and returns with them, as a verse does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Note(NamedTuple):
    """One note: start and length in seconds, MIDI pitch, velocity 1..127."""

    start: float
    seconds: float
    pitch: int
    velocity: int


@dataclass
class Part:
    """One instrument's notes. ``voice``: a General MIDI program 0..127, ``drums``, or ``synth:NAME``."""

    voice: int | str
    pan: float = 0.0
    notes: list[Note] = field(default_factory=list)


@dataclass(frozen=True)
class Piece:
    """A composed piece; ``sections`` are (name, start, end) in seconds, equal names sound alike."""

    name: str
    genre: str
    tempo: float
    seconds: float
    sections: tuple[tuple[str, float, float], ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Genre:
    """What the pieces of a genre have in common.

    Patterns are sixteen steps, ``x`` loud, ``o`` soft, ``-`` rest; drums are rows for kick, snare, hat.
    """

    tempo: tuple[float, float]
    chords: tuple[int | str, ...]
    bass: tuple[int | str, ...]
    lead: tuple[int | str, ...]
    drums: tuple[tuple[str, str, str], ...] = ()
    kit: str = "drums"
    chord_patterns: tuple[str, ...] = ("x---------------",)
    bass_patterns: tuple[str, ...] = ("x-------x-------",)
    arpeggio: float = 0.3
    lead_density: float = 0.35
    register: int = 0
    pad: tuple[int | str, ...] = ()


_REST = "-" * 16
GENRES: dict[str, Genre] = {
    "techno": Genre(
        tempo=(124, 138),
        chords=("synth:stab", 81, 90),
        bass=("synth:bass", "synth:acid", 38),
        lead=("synth:pluck", "synth:acid", 80),
        drums=(
            ("x---x---x---x---", "----x-------x---", "--x---x---x---x-"),
            ("x---x---x---x---", "----o--o----o--o", "xoxoxoxoxoxoxoxo"),
            ("x---x---x---x-o-", _REST, "o-x-o-x-o-x-o-xo"),
        ),
        kit="synth:drums",
        chord_patterns=("--x--x----x--x--", "x--x--x---------", "------x-------x-"),
        bass_patterns=("--x---x---x---x-", "-xxx-xxx-xxx-xxx", "x--x--x-x--x--x-"),
        arpeggio=0.8,
        lead_density=0.2,
        pad=("synth:pad", 89),
    ),
    "house": Genre(
        tempo=(116, 126),
        chords=(4, 16, "synth:stab", 0),
        bass=(33, 36, "synth:bass"),
        lead=(11, 62, "synth:lead", 73),
        drums=(
            ("x---x---x---x---", "----x-------x---", "--x---x---x---x-"),
            ("x---x---x---x--o", "----x-------x-o-", "o-xoo-xoo-xoo-xo"),
        ),
        kit="synth:drums",
        chord_patterns=("--x--x--x--x--x-", "x--x--x-----x---", "---x--x----x--x-"),
        bass_patterns=("x--x---x--x-----", "--x---x---x---x-", "x-----x--x-x----"),
        arpeggio=0.3,
        pad=(48, 50, "synth:pad"),
    ),
    "drum_and_bass": Genre(
        tempo=(164, 176),
        chords=(4, 89, "synth:stab"),
        bass=("synth:reese", "synth:bass", 39),
        lead=("synth:pluck", 81, 54, 11),
        drums=(
            ("x---------x-----", "----x-------x---", "x-x-x-x-x-x-x-x-"),
            ("x-x-------x--x--", "----x--o-o--x--o", "xoxoxoxoxoxoxoxo"),
        ),
        chord_patterns=("x---------------", "x-----x---------"),
        bass_patterns=("x-----x-----x---", "x---------x-----", "x--x--x-------x-"),
        arpeggio=0.5,
        lead_density=0.25,
        pad=("synth:pad", 91, 94),
    ),
    "ambient": Genre(
        tempo=(62, 84),
        chords=(88, 89, 91, 92, "synth:pad"),
        bass=(39, 43, "synth:sub"),
        lead=(11, 14, 98, 108, "synth:bell", 75),
        chord_patterns=("x---------------",),
        bass_patterns=("x---------------",),
        arpeggio=0.35,
        lead_density=0.16,
        pad=(52, 95, "synth:pad"),
    ),
    "piano_ballad": Genre(
        tempo=(64, 92),
        chords=(0, 1),
        bass=(0, 32),
        lead=(0, 40, 71, 68),
        drums=(("x-------x-------", "----o-------o---", "o---o---o---o---"),),
        chord_patterns=("x---x---x---x---", "x-o-x-o-x-o-x-o-", "x-------x-------"),
        bass_patterns=("x-------x-------", "x-----o-x-------"),
        arpeggio=0.6,
        lead_density=0.3,
        pad=(48, 49),
    ),
    "chiptune": Genre(
        tempo=(120, 168),
        chords=("synth:chip",),
        bass=("synth:triangle",),
        lead=("synth:chip", "synth:thin"),
        drums=(
            ("x-------x-x-----", "----x-------x---", "x-o-x-o-x-o-x-o-"),
            ("x---x---x---x---", _REST, "--x---x---x---x-"),
        ),
        kit="synth:noise",
        chord_patterns=("x-x-x-x-x-x-x-x-", "x--x--x-x--x--x-"),
        bass_patterns=("x-x-x-x-x-x-x-x-", "x--xx--xx--xx-x-"),
        arpeggio=0.9,
        lead_density=0.55,
        register=12,
    ),
    "orchestra": Genre(
        tempo=(72, 132),
        chords=(48, 49, 60, 61, 52),
        bass=(42, 43, 58),
        lead=(40, 68, 71, 73, 56, 60),
        drums=((_REST, "x-------x--ox-oo", _REST), ("x-------o-------", _REST, _REST)),
        chord_patterns=("x---------------", "x-o-x-o-x-o-x-o-", "x-------x---x---"),
        bass_patterns=("x-------x-------", "x---x---x---x---"),
        arpeggio=0.4,
        lead_density=0.4,
        pad=(46, 47, 45),
    ),
    "rock": Genre(
        tempo=(96, 156),
        chords=(29, 30, 27),
        bass=(33, 34),
        lead=(30, 29, 18, 26),
        drums=(
            ("x-------x-x-----", "----x-------x---", "x-x-x-x-x-x-x-x-"),
            ("x--x---xx-x-----", "----x-------x--o", "x---x---x---x---"),
            ("x-x-x-x-x-x-x-x-", "----x-------x---", "x-x-x-x-x-x-x-x-"),
        ),
        chord_patterns=("x-x-x-x-x-x-x-x-", "x--x--x-x-------", "x-------x-------"),
        bass_patterns=("x-x-x-x-x-x-x-x-", "x--x--x-x-x-----"),
        arpeggio=0.1,
        lead_density=0.4,
        pad=(16, 18),
    ),
}

_MINOR = (0, 2, 3, 5, 7, 8, 10)
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_PROGRESSIONS = (
    (0, 5, 2, 6),
    (0, 3, 4, 3),
    (0, 4, 5, 3),
    (0, 5, 3, 4),
    (0, 6, 5, 4),
    (0, 0, 3, 5),
    (1, 4, 0, 5),
)
_FORMS = ("ABAC", "AABC", "ABCB", "ABACA")
_KICK, _SNARE, _HAT, _OPEN_HAT, _CRASH = 36, 38, 42, 46, 49


@dataclass
class _Section:
    """The choices that make a section sound like itself."""

    progression: tuple[int, ...]
    uses: dict[str, bool]
    chord_pattern: str
    bass_pattern: str
    drums: tuple[str, str, str] | None
    arpeggio: tuple[int, ...]
    rhythm: list[bool]
    contour: list[int]
    loudness: float
    fills: bool


def compose(genre_name: str, seed: int, seconds: float = 36.0) -> Piece:
    """A piece of a genre, about ``seconds`` long (whole bars), the same for the same seed."""
    genre = GENRES[genre_name]
    rng = np.random.default_rng([seed, sorted(GENRES).index(genre_name)])
    tempo = float(np.round(rng.uniform(*genre.tempo)))
    bar = 240.0 / tempo
    form = _FORMS[rng.integers(len(_FORMS))]
    bars_each = max(2, round(seconds / bar / len(form) / 2) * 2)
    key, scale = int(rng.integers(12)), (_MINOR, _MAJOR)[int(rng.random() < 0.4)]
    sections = {letter: _plan(genre, rng, index) for index, letter in enumerate(sorted(set(form)))}
    parts = {
        "chords": Part(_pick(genre.chords, rng), float(rng.uniform(-0.4, 0.4))),
        "bass": Part(_pick(genre.bass, rng)),
        "lead": Part(_pick(genre.lead, rng), float(rng.uniform(-0.4, 0.4))),
        "arpeggio": Part(_pick(genre.lead + genre.chords, rng), float(rng.uniform(-0.6, 0.6))),
        "pad": Part(_pick(genre.pad or genre.chords, rng)),
        "drums": Part(genre.kit),
    }
    spans = []
    for index, letter in enumerate(form):
        start = index * bars_each
        spans.append((letter, start * bar, (start + bars_each) * bar))
        for number in range(bars_each):
            _write_bar(
                parts,
                sections[letter],
                genre,
                rng,
                key,
                scale,
                number,
                (start + number) * bar,
                bar,
                bars_each,
            )
    return Piece(
        name=f"{genre_name}-{seed:04d}",
        genre=genre_name,
        tempo=tempo,
        seconds=len(form) * bars_each * bar,
        sections=tuple(spans),
        parts=tuple(part for part in parts.values() if part.notes),
    )


def _pick(choices: tuple[int | str, ...], rng: np.random.Generator) -> int | str:
    return choices[int(rng.integers(len(choices)))]


def _plan(genre: Genre, rng: np.random.Generator, index: int) -> _Section:
    # A is the main idea; B and C leave parts out or bring others in.
    chance = (0.9, 0.7, 0.55)[min(index, 2)]
    uses = {name: bool(rng.random() < chance) for name in ("chords", "bass", "drums")}
    uses |= {
        "lead": bool(rng.random() < (0.5, 0.8, 0.6)[min(index, 2)]),
        "arpeggio": bool(rng.random() < genre.arpeggio),
        "pad": bool(genre.pad) and bool(rng.random() < 0.5),
    }
    if not any(uses[name] for name in ("chords", "arpeggio", "pad")):
        uses["chords"] = True
    return _Section(
        progression=_PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))],
        uses=uses,
        chord_pattern=str(rng.choice(genre.chord_patterns)),
        bass_pattern=str(rng.choice(genre.bass_patterns)),
        drums=genre.drums[int(rng.integers(len(genre.drums)))] if genre.drums else None,
        arpeggio=tuple(int(step) for step in rng.permutation(8)),
        rhythm=[
            bool(rng.random() < genre.lead_density * (1.6 if step % 4 == 0 else 0.8)) for step in range(32)
        ],
        contour=[int(step) for step in rng.integers(-2, 3, 32)],
        loudness=float(rng.uniform(0.75, 1.0)),
        fills=bool(rng.random() < 0.6),
    )


def _write_bar(
    parts: dict[str, Part],
    section: _Section,
    genre: Genre,
    rng: np.random.Generator,
    key: int,
    scale: tuple[int, ...],
    number: int,
    start: float,
    bar: float,
    bars: int,
) -> None:
    step_seconds = bar / 16
    degree = section.progression[number % 4]
    chord = [48 + genre.register + key % 12 + _in_scale(scale, degree + third) for third in (0, 2, 4, 6)]
    # Voicings stay within an octave or so around middle C, whatever the chord.
    chord = [pitch - 12 if pitch > 66 + genre.register else pitch for pitch in chord]
    root = 36 + (key + _in_scale(scale, degree)) % 12

    def play(name: str, step: float, length: float, pitch: int, velocity: float) -> None:
        human = rng.normal(0.0, 0.003)
        loud = int(np.clip(velocity * section.loudness * rng.uniform(0.92, 1.06), 8, 127))
        parts[name].notes.append(
            Note(max(0.0, start + step * step_seconds + human), length * step_seconds, pitch, loud)
        )

    def hits(pattern: str) -> list[tuple[int, int, float]]:
        places = [step for step, mark in enumerate(pattern) if mark != "-"]
        return [
            (place, end - place, 100.0 if pattern[place] == "x" else 66.0)
            for place, end in pairwise([*places, 16])
        ]

    uses = section.uses
    if uses["chords"]:
        for place, length, loud in hits(section.chord_pattern):
            for pitch in chord[: 3 if genre.register else 4]:
                play("chords", place, min(length, 16) * 0.95, pitch + 12, 0.75 * loud)
    if uses["pad"]:
        for pitch in chord[:3]:
            play("pad", 0, 16, pitch + 12, 58)
    if uses["bass"]:
        for place, length, loud in hits(section.bass_pattern):
            leap = 12 if place >= 12 and rng.random() < 0.25 else 0
            play("bass", place, min(length, 6) * 0.9, root + leap, loud)
    if uses["arpeggio"]:
        ladder = [*chord, *(pitch + 12 for pitch in chord)]
        stride = 1 if genre.tempo[0] > 100 else 2
        for place in range(0, 16, stride):
            pitch = ladder[section.arpeggio[place // stride % 8]] + 12
            play("arpeggio", place, 1.4 * stride, pitch, 84 if place % 4 == 0 else 62)
    if uses["lead"]:
        place_in_scale = degree
        phrase = 16 * (number % 2)
        for place in range(16):
            if not section.rhythm[phrase + place]:
                continue
            place_in_scale += section.contour[phrase + place]
            following = next((q for q in range(place + 1, 16) if section.rhythm[phrase + q]), 16)
            pitch = 60 + genre.register + key % 12 + _in_scale(scale, place_in_scale)
            play("lead", place, min(following - place, 8) * 0.95, pitch if pitch < 88 else pitch - 12, 98)
    if uses["drums"] and section.drums:
        for pattern, drum in zip(section.drums, (_KICK, _SNARE, _HAT), strict=True):
            for place, _, loud in hits(pattern):
                play("drums", place, 1, drum, loud if drum != _HAT else 0.75 * loud)
        if number == 0:
            play("drums", 0, 4, _CRASH, 80)
        if section.fills and number == bars - 1:
            for place in range(8, 16, 1 if rng.random() < 0.5 else 2):
                play("drums", place, 1, _SNARE, 50 + 4 * place)
            play("drums", 14, 2, _OPEN_HAT, 70)


def _in_scale(scale: tuple[int, ...], degree: int) -> int:
    octave, place = divmod(degree, len(scale))
    return 12 * octave + scale[place]
