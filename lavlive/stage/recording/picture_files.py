"""A video as pictures, a PNG each, and its sound beside them, for programs that cut and compose."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
import soundfile

from lavlive.errors import RecordingError
from lavlive.files import unused

SUFFIX = ".png"
_DIGITS = 6


class PictureFiles:
    """Writes ``name-000001.png``, ``name-000002.png`` …, and ``name.wav``. A context manager; one thread.

    Every file is whole as soon as it is there, so whatever ends the writer leaves what was made.

    Args:
        path: ``name.png``; `first_of` says where the first picture goes.
        sample_rate: hertz of the sound; 0 for none.

    Raises:
        RecordingError: the folder is missing or not writable.
    """

    def __init__(self, path: Path, width: int, height: int, sample_rate: int = 0, channels: int = 2) -> None:
        folder = path.absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise RecordingError(f"There is no folder {folder} that {path.name} can be written into.")
        self.path, self.size = path, (width, height)
        self.pictures = 0
        self._sound: soundfile.SoundFile | None = None
        if sample_rate:
            target = path.with_suffix(".wav")
            self._sound = soundfile.SoundFile(target, "w", sample_rate, channels, "PCM_24")

    def picture(self, rgb: np.ndarray) -> None:
        """Append a picture, uint8 [H, W, 3] in sRGB.

        Raises:
            OSError: the disk is full or gone.
        """
        self.pictures += 1
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
        if (frame.width, frame.height) != self.size:
            frame = frame.reformat(*self.size, interpolation="BICUBIC")
        encoder = av.CodecContext.create("png", "w")
        encoder.width, encoder.height, encoder.pix_fmt = *self.size, "rgb24"
        frame.pts, encoder.time_base = 0, Fraction(1, 25)
        packets = [*encoder.encode(frame), *encoder.encode(None)]
        target = numbered(self.path, self.pictures)
        beside = target.with_name(f".{target.name}.part")
        beside.write_bytes(b"".join(bytes(packet) for packet in packets))
        beside.replace(target)

    def sound(self, samples: np.ndarray) -> None:
        """Append sound, float32 [n, channels], -1 to 1."""
        if self._sound is not None:
            self._sound.write(samples)
            self._sound.flush()

    def close(self) -> None:
        """Finish the sound; a second call does nothing."""
        if self._sound is not None:
            self._sound.close()
            self._sound = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def numbered(path: Path, number: int) -> Path:
    """Where the picture of that number goes, from 1."""
    return path.with_name(f"{path.stem}-{number:0{_DIGITS}}{SUFFIX}")


def unused_sequence(path: Path) -> Path:
    """The path itself, or with -2, -3 … before its ending: one of which neither picture nor sound exists."""
    return unused(path, lambda each: numbered(each, 1).exists() or each.with_suffix(".wav").exists())
