"""What a study keeps of each track, so that it is decoded and encoded once."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lavlive.audio.hops import HopCutter
from lavlive.audio.tracks import read_track
from lavlive.encoder.calibration import calibrate
from lavlive.errors import SourceError, UsageError
from lavlive.files import write_whole
from lavlive.latent.features import FeatureExtractor, Features
from lavlive.latent.programme import LatentStatistics
from lavlive.resources import shipped
from lavlive.study import drivers, sound

WARM_UP = 10.0
"""Seconds at the beginning that no measure sees: there smoothing, energy and adaptation find their level."""
SHORTEST = 20.0
SOUND_FILES = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".opus", ".aif", ".aiff")


@dataclass(frozen=True)
class StudyTrack:
    """A track of a study.

    Attributes:
        name: of the file, without its ending; made unique by a number.
        path: where it lies.
        digest: of the file and of how much of it is heard.
    """

    name: str
    path: Path
    digest: str


@dataclass(frozen=True)
class Heard:
    """What is known of a track without any driver.

    Attributes:
        description: of its sound, see `sound`.
        onset, silent: float and bool [hops], what the path hears.
        chroma: float32 [hops, 12].
    """

    description: sound.Description
    onset: np.ndarray
    silent: np.ndarray
    chroma: np.ndarray


class RecordedFeatures:
    """What the path heard of a track, told again hop by hop, from the beginning after its end."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._spectrum = np.full(64, -120.0, np.float32)
        self._next = 0

    def step(self, samples: np.ndarray) -> Features:
        """The next hop's features, whatever the samples say."""
        heard = self._heard
        index = self._next % len(heard.onset)
        self._next += 1
        return Features(
            float(heard.onset[index]), heard.chroma[index], self._spectrum, bool(heard.silent[index])
        )


def find_tracks(given: list[str], seconds: float) -> list[StudyTrack]:
    """The files given, and the sound files in the folders given.

    Raises:
        UsageError: there are none, or a file or folder is not there.
    """
    paths: list[Path] = []
    for text in given:
        path = Path(text).expanduser()
        if path.is_dir():
            paths += sorted(p for p in path.iterdir() if p.suffix.lower() in SOUND_FILES)
        elif path.is_file():
            paths.append(path)
        else:
            raise UsageError(f"The track {path} does not exist.")
    if not paths:
        raise UsageError(
            f"No tracks: {', '.join(given)} holds no sound files. "
            "Fetch some free ones: python -m lavlive.training.study_tracks FOLDER"
        )
    tracks: list[StudyTrack] = []
    for path in paths:
        taken = {track.name for track in tracks}
        name, number = path.stem, 2
        while name in taken:
            name, number = f"{path.stem}-{number}", number + 1
        digest = hashlib.sha256(path.read_bytes() + repr(seconds).encode()).hexdigest()[:24]
        tracks.append(StudyTrack(name, path, digest))
    return tracks


def hear_track(track: StudyTrack, seconds: float, folder: Path) -> Heard:
    """Decode and describe a track's first `seconds`, or read what is kept of that.

    Raises:
        SourceError: it cannot be read, or is too short to say anything.
    """
    heard = kept_track(track, folder)
    if heard is not None:
        return heard
    samples = read_samples(track, seconds)
    features = FeatureExtractor(sound.RATE, sound.HOP)
    steps = [features.step(hop) for hop in samples.reshape(-1, sound.HOP)]
    heard = Heard(
        sound.describe(samples, WARM_UP),
        np.array([step.onset for step in steps]),
        np.array([step.silent for step in steps]),
        np.array([step.chroma for step in steps]),
    )
    save_whole(
        _path(folder, track),
        onset=heard.onset,
        silent=heard.silent,
        chroma=heard.chroma,
        flux=heard.description.flux,
        **heard.description.blocks,
    )
    return heard


def kept_track(track: StudyTrack, folder: Path) -> Heard | None:
    """What `hear_track` kept, or None."""
    path = _path(folder, track)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            blocks = {name: kept[name] for name in sound.BLOCKS}
            return Heard(
                sound.Description(blocks, kept["flux"]), kept["onset"], kept["silent"], kept["chroma"]
            )
    except Exception:  # a damaged zip raises nearly anything; it can always be made again
        return None


def read_samples(track: StudyTrack, seconds: float) -> np.ndarray:
    """The track's first seconds as the path hears them: mono float32 [n·320] at 24 kHz.

    Raises:
        SourceError: it cannot be read, or has less than `SHORTEST` seconds.
    """
    cutter = HopCutter(sound.HOP, sound.RATE)
    hops: list[np.ndarray] = []
    wanted = round(seconds * sound.HOP_RATE)
    with read_track(track.path) as opened:
        for block in opened.blocks():
            hops += [hop.samples for hop in cutter.step(block)]
            if len(hops) >= wanted:
                break
        else:
            hops += [hop.samples for hop in cutter.flush()]
    if len(hops) < SHORTEST * sound.HOP_RATE:
        raise SourceError(
            f"{track.path} lasts {len(hops) / sound.HOP_RATE:.0f} s; a study needs {SHORTEST:.0f} s of each"
        )
    return np.concatenate(hops[:wanted])


def latents_of_driver(
    track: StudyTrack, driver: str, seed: int, seconds: float, folder: Path
) -> tuple[np.ndarray, LatentStatistics]:
    """A track's latents by a driver, float32 [hops, dimension], and the driver's calibration; kept.

    Raises:
        EncoderError: the driver cannot be had.
        SourceError: the track cannot be read.
    """
    stem = _stem(driver, seed)
    path, calibration_path = folder / f"latents-{track.digest}-{stem}.npz", folder / f"driver-{stem}.npz"
    if path.is_file() and calibration_path.is_file():
        with np.load(path, allow_pickle=False) as kept, np.load(calibration_path, allow_pickle=False) as how:
            return kept["latents"], _Kept(how["mean"], how["covariance"])
    encoder = drivers.open_driver(driver, seed)
    calibration = calibrate(encoder)
    # The same latents as hop by hop, sooner.
    latents = encoder.encode(read_samples(track, seconds))
    save_whole(calibration_path, mean=calibration.mean, covariance=calibration.covariance)
    save_whole(path, latents=latents)
    return latents, calibration


def save_whole(path: Path, **arrays: np.ndarray) -> None:
    """Write an npz that appears whole or not at all: several processes may make the same one."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_whole(path, content.getvalue())


@dataclass(frozen=True, eq=False)
class _Kept:
    mean: np.ndarray
    covariance: np.ndarray


def _stem(driver: str, seed: int) -> str:
    # Only an untrained encoder has a seed of its own.
    own = seed if driver == drivers.UNTRAINED else 0
    return f"{hashlib.sha256(driver_identity(driver).encode()).hexdigest()[:12]}-{own}"


def driver_identity(driver: str) -> str:
    """A driver's name, and for weights in a file what is in it."""
    path = shipped("data") / "encoder.safetensors" if driver == "bundled" else Path(driver)
    if driver == drivers.ENCODEC or not path.is_file():
        return driver
    return f"{driver} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _path(folder: Path, track: StudyTrack) -> Path:
    return folder / f"track-{track.digest}.npz"
