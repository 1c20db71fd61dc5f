"""Fetch real, freely licensed music for studies and evaluation from Debian's packages.

    python -m lavlive.training.study_tracks FOLDER

Nothing of it is trained on, nothing of it is kept in the repository. On Debian and its descendants this
needs no root: packages that are not installed are downloaded with apt-get and unpacked in a temporary
folder. MIDI files are played through FluidSynth.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from tqdm import tqdm

from lavlive.errors import LavliveError, TrainingError
from lavlive.files import replacing
from lavlive.training.music_render import play_midi
from lavlive.training.music_synth import Samples


class StudyTrack(NamedTuple):
    """A stretch of a file in a Debian package.

    ``member`` is a path from the root, with ``!`` before a path inside a zip; times in seconds.
    """

    name: str
    package: str
    member: str
    start: float
    seconds: float
    licence: str
    author: str


_NEXUIZ = "usr/share/games/nexuiz/data/music.pk3!sound/cdtracks/"
_SINGULARITY = "usr/share/games/singularity/music/"
_HYPERROGUE = "usr/share/hyperrogue/music/"
_OPENMSX = "usr/share/games/openttd/baseset/openmsx/"
_ALIENTRAP = "Alientrap and contributors"
_BY_SA = "CC-BY-SA-3.0"

TRACKS = (
    StudyTrack("techno", "nexuiz-music", _NEXUIZ + "subcities.ogg", 60, 90, "GPL-2+", _ALIENTRAP),
    StudyTrack("trance", "nexuiz-music", _NEXUIZ + "neuronal-diving.ogg", 60, 90, "GPL-2+", _ALIENTRAP),
    StudyTrack("breakbeat", "nexuiz-music", _NEXUIZ + "breakdown-easy.ogg", 60, 90, "GPL-2+", _ALIENTRAP),
    StudyTrack("electro", "nexuiz-music", _NEXUIZ + "sixtyfour_revisited.ogg", 30, 90, "GPL-2+", _ALIENTRAP),
    StudyTrack("industrial", "nexuiz-music", _NEXUIZ + "ninesix.ogg", 30, 90, "GPL-2+", _ALIENTRAP),
    StudyTrack(
        "electronica", "singularity-music", _SINGULARITY + "Media Threat.ogg", 60, 90, _BY_SA, "Max McCracken"
    ),
    StudyTrack(
        "ambient", "singularity-music", _SINGULARITY + "Orbital Elevator.ogg", 60, 90, _BY_SA, "Max McCracken"
    ),
    StudyTrack(
        "dark-ambient",
        "singularity-music",
        _SINGULARITY + "Through Space.ogg",
        60,
        90,
        _BY_SA,
        "Max McCracken",
    ),
    StudyTrack(
        "orchestral", "hyperrogue-music", _HYPERROGUE + "hr-savino-palace.ogg", 0, 90, _BY_SA, "Will Savino"
    ),
    StudyTrack(
        "caribbean", "hyperrogue-music", _HYPERROGUE + "hr-savino-caribbean.ogg", 0, 90, _BY_SA, "Will Savino"
    ),
    StudyTrack(
        "acoustic",
        "hyperrogue-music",
        _HYPERROGUE + "hr-domina-mountain.ogg",
        0,
        90,
        _BY_SA,
        "Lincoln Domina",
    ),
    StudyTrack(
        "synth-game", "hyperrogue-music", _HYPERROGUE + "hr3-motion.ogg", 0, 90, _BY_SA, "Shawn Parrotte"
    ),
    StudyTrack(
        "boogie-piano",
        "openttd-openmsx",
        _OPENMSX + "boogi_marabi_redfarn.mid",
        0,
        90,
        "GPL-2",
        "Jim Redfarn",
    ),
    StudyTrack(
        "rock-guitar", "openttd-openmsx", _OPENMSX + "flying_scotsman.mid", 0, 90, "GPL-2", "OpenMSX authors"
    ),
    StudyTrack(
        "big-band", "openttd-openmsx", _OPENMSX + "keep_on_rolling.mid", 0, 90, "GPL-2", "OpenMSX authors"
    ),
    StudyTrack("folk", "openttd-openmsx", _OPENMSX + "linns_basket.mid", 0, 90, "GPL-2", "OpenMSX authors"),
    StudyTrack(
        "light-game",
        "planetblupi-music-ogg",
        "usr/share/planetblupi/music/music004.ogg",
        30,
        90,
        "GPL-3+",
        "Epsitec SA",
    ),
    StudyTrack(
        "march", "asc-music", "usr/share/games/asc/music/time_to_strike.mp3", 60, 90, "GPL-2+", "ASC authors"
    ),
)


def fetch(folder: Path, root: Path = Path("/")) -> list[Path]:
    """Put every track into ``folder`` as NAME.ogg, unless it is there; the paths of all.

    Args:
        root: where installed packages lie.

    Raises:
        TrainingError: a package cannot be had, or the folder cannot be written.
    """
    made = []
    with tempfile.TemporaryDirectory() as scratch:
        for track in tqdm(TRACKS, unit="track"):
            target = folder / f"{track.name}.ogg"
            made.append(target)
            if target.exists():
                continue
            base = root if (root / _file_of(track)).exists() else _unpack(track.package, Path(scratch))
            samples, rate = _read(base, track)
            _write(target, samples, rate)
    return made


def _file_of(track: StudyTrack) -> str:
    return track.member.split("!")[0]


def _unpack(package: str, scratch: Path) -> Path:
    target = scratch / package
    if target.exists():
        return target
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise TrainingError(f"the tracks come from Debian packages; install {package} or run this on Debian")
    downloads = scratch / "debs"
    downloads.mkdir(exist_ok=True)
    # As root apt would hand the download to a user who may not write here.
    for command in (
        ["apt-get", "-o", "APT::Sandbox::User=root", "download", package],
        ["dpkg-deb", "-x", f"{package}.deb", str(target)],
    ):
        if command[0] == "dpkg-deb":
            found = sorted(downloads.glob(f"{package}_*.deb"))
            command[2] = str(found[0]) if found else command[2]
        done = subprocess.run(command, cwd=downloads, capture_output=True, text=True, check=False)
        if done.returncode:
            raise TrainingError(f"cannot get the Debian package {package}: {done.stderr.strip()[-200:]}")
    return target


def _read(base: Path, track: StudyTrack) -> tuple[Samples, int]:
    path = base / _file_of(track)
    try:
        if path.suffix == ".mid":
            rate = 44_100
            samples = play_midi(path, rate)
            heard = np.flatnonzero(np.abs(samples).max(axis=1) > 1e-3)
            first = int(heard[0]) if len(heard) else 0
            samples = samples[first : first + round(track.seconds * rate)]
            return 0.8 * samples / max(float(np.abs(samples).max()), 1e-9), rate
        source: Path | io.BytesIO = path
        if "!" in track.member:
            source = io.BytesIO(zipfile.ZipFile(path).read(track.member.split("!")[1]))
        with soundfile.SoundFile(source) as file:
            file.seek(min(round(track.start * file.samplerate), file.frames))
            return file.read(round(track.seconds * file.samplerate), always_2d=True), file.samplerate
    except (OSError, KeyError, zipfile.BadZipFile, soundfile.LibsndfileError) as error:
        raise TrainingError(f"{track.package} does not hold {track.member} as expected: {error}") from error


def _write(target: Path, samples: Samples, rate: int) -> None:
    try:
        with (
            replacing(target) as part,
            soundfile.SoundFile(
                part, "w", rate, samples.shape[1], "VORBIS", format="OGG", compression_level=0.3
            ) as file,
        ):
            for start in range(0, len(samples), 65_536):
                file.write(samples[start : start + 65_536])
    except (OSError, soundfile.LibsndfileError) as error:
        raise TrainingError(f"cannot write {target}: {error}") from error


def main(argv: list[str] | None = None) -> int:
    """Fetch the tracks into a folder and print what each is."""
    parser = argparse.ArgumentParser(
        prog="python -m lavlive.training.study_tracks", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(argv).folder
    fetch(folder)
    for track in TRACKS:
        file = track.member.split("/")[-1]
        print(f"{track.name:13s} {track.licence:13s} {track.author:27s} {track.package}: {file}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LavliveError as error:
        print(f"lavlive.training.study_tracks: {error}", file=sys.stderr)
        sys.exit(2)
