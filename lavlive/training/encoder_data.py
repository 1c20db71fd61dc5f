"""What the encoder learns from: a folder of music, composed here or the user's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from lavlive.errors import TrainingError
from lavlive.files import replacing
from lavlive.training.music_composer import GENRES, Piece, compose
from lavlive.training.music_render import render

SAMPLE_RATE = 24_000
NEAR_SECONDS = 1.2
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".opus")
_HELD_OUT_FROM = 9000
"""Seeds from here on make the pieces that no encoder is trained on."""

Mono = NDArray[np.float32]


@dataclass(frozen=True)
class Track:
    """A piece of music at `SAMPLE_RATE`, float32 [n].

    Where they are known: ``sections`` are (name, start, end) and ``bar_seconds`` is a bar, in seconds.
    """

    name: str
    samples: Mono
    sections: tuple[tuple[str, float, float], ...] = ()
    bar_seconds: float | None = None


def read_track(path: Path, seconds: float | None = None) -> Track:
    """A sound file of any rate and channels, mixed to mono and resampled.

    Args:
        seconds: read no more than this from the start.

    Raises:
        TrainingError: not a sound file, or nothing but silence or broken samples in it.
    """
    try:
        with soundfile.SoundFile(path) as file:
            frames = -1 if seconds is None else round(seconds * file.samplerate)
            samples = file.read(frames, dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except (OSError, soundfile.LibsndfileError) as error:
        raise TrainingError(f"{path} is not a sound file that can be read: {error}") from error
    if not len(samples) or not np.isfinite(samples).all() or np.abs(samples).max() < 1e-5:
        raise TrainingError(f"{path} holds no sound (empty, silent or broken samples)")
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return Track(path.stem, np.asarray(samples, np.float32), *_notes_beside(path))


def _notes_beside(path: Path) -> tuple[tuple[tuple[str, float, float], ...], float | None]:
    notes = path.with_suffix(".json")
    if not notes.exists():
        return (), None
    try:
        content = json.loads(notes.read_text())
        sections = tuple((str(name), float(start), float(end)) for name, start, end in content["sections"])
        return sections, 240.0 / float(content["tempo"])
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise TrainingError(
            f"{notes} does not give tempo and sections as [name, start, end]: {error}"
        ) from error


def read_folder(
    folder: Path, seconds: float | None = None, report: Callable[[str], None] = print
) -> list[Track]:
    """All sound files under a folder, sorted by path; those that cannot be read are reported and left out.

    Raises:
        TrainingError: no such folder, or no sound in it.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder: give one with sound files ({', '.join(SUFFIXES)})")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    tracks = []
    for path in paths:
        try:
            tracks.append(read_track(path, seconds))
        except TrainingError as error:
            report(f"left out: {error}")
    if not tracks:
        raise TrainingError(f"{folder} has no sound file that can be read ({', '.join(SUFFIXES)})")
    return tracks


class Segments:
    """Random stretches of music for training, at other levels, sometimes two at once, with a little noise.

    They come in pairs that begin at most `NEAR_SECONDS` from each other, and in fours from one track: what
    the contrastive loss tells near from far by.
    """

    def __init__(self, tracks: list[Track], seconds: float, seed: int) -> None:
        self.length = round(seconds * SAMPLE_RATE / 320) * 320
        self._tracks = [track.samples for track in tracks if len(track.samples) > self.length]
        if not self._tracks:
            raise TrainingError(f"every sound file is shorter than a training segment of {seconds} s")
        weights = np.array([len(samples) for samples in self._tracks], float)
        self._weights = weights / weights.sum()
        self._rng = np.random.default_rng(seed)

    def state(self) -> dict[str, object]:
        """Where the random numbers stand, for a checkpoint."""
        return dict(self._rng.bit_generator.state)

    def restore(self, state: dict[str, object]) -> None:
        """Go on from a `state`."""
        self._rng.bit_generator.state = state

    def batch(self, size: int) -> Mono:
        """Float32 [size, 1, length]; segments 2k and 2k + 1 are near each other in one track."""
        segments: list[Mono] = []
        while len(segments) < size:
            track = self._track()
            for _ in range(2):
                segments += self._pair(track)
        return np.stack(segments[:size])[:, None]

    def singles(self, size: int) -> Mono:
        """Float32 [size, 1, length]; each from a place of its own, for what has no use for pairs."""
        segments: list[Mono] = []
        while len(segments) < size:
            track = self._track()
            segments += self._heard(track, (int(self._rng.integers(len(track) - self.length)),))
        return np.stack(segments)[:, None]

    def _pair(self, track: Mono) -> list[Mono]:
        rng = self._rng
        last = len(track) - self.length
        reach = round(NEAR_SECONDS * SAMPLE_RATE)
        first = int(rng.integers(last))
        return self._heard(track, (first, int(np.clip(first + rng.integers(-reach, reach + 1), 0, last))))

    def _heard(self, track: Mono, starts: tuple[int, ...]) -> list[Mono]:
        rng = self._rng
        # Equal levels within a pair: how loud it is tells much about where in the music we are.
        level = rng.uniform(-16.0, 2.0)
        second, second_level = self._track(), level + rng.uniform(-20.0, -6.0)
        place = int(rng.integers(len(second) - self.length))
        layered = rng.random() < 0.15
        segments = []
        for start in starts:
            sound = track[start : start + self.length] * 10.0 ** (level / 20.0)
            if layered:
                sound = sound + second[place : place + self.length] * 10.0 ** (second_level / 20.0)
            # A trace of noise: a line-in is never quite silent.
            noise = rng.standard_normal(self.length) * 10.0 ** (rng.uniform(-90.0, -60.0) / 20.0)
            sign = rng.choice((-1.0, 1.0))
            segments.append(np.clip(sign * (sound + noise), -1.0, 1.0).astype(np.float32))
        return segments

    def _track(self) -> Mono:
        return self._tracks[int(self._rng.choice(len(self._tracks), p=self._weights))]


def make_data(folder: Path, pieces_per_genre: int, held_out_per_genre: int = 2) -> None:
    """Compose and render music into ``folder``/train and ``folder``/heldout, skipping what is there.

    Each piece is a 24 kHz mono WAV with a JSON beside it that names its genre, tempo and sections.

    Raises:
        TrainingError: FluidSynth is missing or the disk is full.
    """
    seeds = [("train", seed) for seed in range(pieces_per_genre)]
    seeds += [("heldout", _HELD_OUT_FROM + seed) for seed in range(held_out_per_genre)]
    jobs = [(part, genre, seed) for part, seed in seeds for genre in GENRES]
    for part, genre, seed in tqdm(jobs, desc="composing", unit="piece"):
        target = folder / part / f"{genre}-{seed:04d}.wav"
        if target.exists():
            continue
        piece = compose(genre, seed)
        try:
            _write_piece(target, piece, render(piece, SAMPLE_RATE))
        except (OSError, soundfile.LibsndfileError) as error:
            raise TrainingError(f"cannot write {target}: {error}") from error


def _write_piece(target: Path, piece: Piece, samples: NDArray[np.float64]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    notes = {"genre": piece.genre, "tempo": piece.tempo, "sections": piece.sections}
    target.with_suffix(".json").write_text(json.dumps(notes))
    with replacing(target) as part:
        soundfile.write(part, samples, SAMPLE_RATE, "PCM_16", format="WAV")
