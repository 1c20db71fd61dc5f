"""The live recorder: writes what the canvas shows while the show goes on, and never makes it wait."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np

from lavlive.files import unused
from lavlive.stage.recording.steady_sound import SteadySound
from lavlive.stage.recording.video import VideoWriter, check_target

WARN_BYTES = 2_000_000_000
STOP_BYTES = 50_000_000
QUEUED = 8
"""Pictures that may wait. Sound is small, and waits without pictures' limit."""
LONGEST_SOUND = 120.0
"""Seconds of sound that may wait, 46 MB of it: a disk that hangs for so long will not come back."""
_DISK_LOOK_SECONDS = 1.0
_SILENCE_AFTER = 0.5
_EARLY = 0.2
"""Of a step by which a picture may be early. A loop at the rate, or at twice or three times of it, whose time
wavers around the steps' borders would lose pictures and show others twice."""


@dataclass(frozen=True, slots=True)
class _PictureAt:
    pixels: np.ndarray
    time: float


@dataclass(frozen=True, slots=True)
class _SoundAt:
    samples: np.ndarray
    time: float


class _Stop:
    pass


def unused_path(path: Path) -> Path:
    """The path itself, or with -2, -3 … before its ending: one that does not exist."""
    return unused(path, lambda candidate: candidate.exists())


def _reserved(path: Path) -> Path:
    """The first unused path, made as an empty file, so that nobody else takes it meanwhile."""
    while True:
        candidate = unused_path(path)
        try:
            candidate.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError:  # whoever writes into it is told why it cannot be
            pass
        return candidate


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path.absolute().parent).free


class LiveRecorder:
    """Records at a constant rate in its own thread. A context manager.

    Only `wants`, `picture`, `sound`, `finish`, `stop` and the counters may be used from other threads; none
    of them waits, `stop` apart. The clock is the caller's: every call gives the time.

    Attributes:
        path: the file that is really written: an existing one is never touched.
        dropped: pictures that came while the encoder was behind; the last one is shown longer instead.
        dropped_sound: blocks of sound that were left out, which only a disk that hangs for minutes makes so.
        error: why it stopped by itself, or None.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        fps: float | Fraction = 30,
        sample_rate: int = 0,
        channels: int = 2,
        notice: Callable[[str], None] = lambda _: None,
        free_bytes: Callable[[Path], int] = _free_bytes,
        codec: str = "h264",
    ) -> None:
        """Open the file and start; `notice` gets one line about the disk, from the recorder's thread.

        Raises:
            RecordingError: the file cannot be written.
        """
        check_target(Path(path), codec)
        self.path = _reserved(Path(path))
        self.dropped = self.dropped_sound = 0
        self.error: str | None = None
        self._fps = fps
        self._rate, self._channels = sample_rate, channels
        self._notice = notice
        self._free_bytes = free_bytes
        self._warned = False
        self._looked_at_disk = -_DISK_LOOK_SECONDS
        self._begun: float | None = None
        self._last_wanted = -1
        self._last_pixels: np.ndarray | None = None
        self._queue: queue.SimpleQueue[_PictureAt | _SoundAt | _Stop] = queue.SimpleQueue()
        # Each written by one thread: what was put in, and what was taken out.
        self._pictures_in = self._pictures_out = 0
        self._sound_in = self._sound_out = 0
        self._finishing = False
        self._steady = SteadySound(sample_rate, channels)
        self._writer = VideoWriter(
            self.path, width, height, fps, sample_rate, channels, surviving=True, codec=codec, quick=True
        )
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still records."""
        return self.alive and self.error is None and not self._finishing

    @property
    def alive(self) -> bool:
        """Whether its thread has something to write, were it only the end of the file."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Pictures and blocks of sound that are not written yet."""
        return self._queue.qsize()

    def wants(self, now: float) -> bool:
        """Whether a picture is due at `now`; only then need the canvas be read."""
        if not self.running:
            return False
        return self._begun is None or self._step_of(now) > self._last_wanted

    def _step_of(self, now: float) -> int:
        """The step of the rate that a time belongs to."""
        assert self._begun is not None
        return int((now - self._begun) * self._fps + _EARLY)

    def picture(self, pixels: np.ndarray, now: float) -> None:
        """Offer the canvas, uint8 [H, W, 3], as shown at `now`; the array must not change afterwards."""
        if self._begun is None:
            self._begun = now
        self._last_wanted = self._step_of(now)
        if not self.running:
            return
        if self._pictures_in - self._pictures_out >= QUEUED:
            self.dropped += 1
            return
        self._pictures_in += 1
        self._queue.put(_PictureAt(pixels, now))

    def sound(self, samples: np.ndarray, time: float) -> None:
        """Offer sound, float32 [n, channels], whose first sample was heard at `time`."""
        if self._begun is None or not self._rate or not self.running:
            return
        if self._sound_in - self._sound_out > LONGEST_SOUND * self._rate:
            self.dropped_sound += 1
            return
        self._sound_in += len(samples)
        self._queue.put(_SoundAt(samples, time))

    def finish(self) -> None:
        """Take nothing more and finish the file, without waiting for it; `alive` says when that is done."""
        self._finishing = True
        self._queue.put(_Stop())

    def stop(self, seconds: float = 20.0) -> None:
        """Finish the file, waiting for it at most that long; a second call does nothing."""
        if self._thread.is_alive():
            self._queue.put(_Stop())
            self._thread.join(seconds)
            if self._thread.is_alive():
                self.error = "The disk is too slow; the last seconds are missing."

    # The recorder's thread

    def _run(self) -> None:
        try:
            try:
                while self._step(self._queue.get()):
                    pass
            finally:
                self._writer.close()
                if not self._writer.pictures:  # a show that never began leaves no empty file
                    self.path.unlink(missing_ok=True)
        except Exception as error:  # whatever an encoder raises, the operator must know
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self._end(f"Recording stopped: {reason}. {self.path} holds what came before.")
        finally:
            while self._queue.qsize():  # of a recording that ended by itself: memory, no more
                self._queue.get()

    def _step(self, item: _PictureAt | _SoundAt | _Stop) -> bool:
        match item:
            case _PictureAt(pixels, time):
                self._pictures_out += 1
                self._write_picture(pixels, time)
                return self._disk_allows(time)
            case _SoundAt(samples, time):
                self._sound_out += len(samples)
                self._write_sound(samples, time)
                return True
            case _:
                self._repeat_until(self._last_wanted + 1)
                for made in self._steady.end():
                    self._writer.sound(made)
                return False

    def _write_picture(self, pixels: np.ndarray, time: float) -> None:
        """Keep the rate constant: repeat the last picture over a gap, leave out one that comes too early."""
        assert self._begun is not None
        index = self._step_of(time)
        if index < self._writer.pictures:
            return
        self._repeat_until(index)
        self._writer.picture(pixels)
        self._last_pixels = pixels
        self._fill_sound(time - self._begun - _SILENCE_AFTER)

    def _repeat_until(self, count: int) -> None:
        if self._last_pixels is not None and count > self._writer.pictures:
            self._writer.picture(self._last_pixels, count - self._writer.pictures)

    def _write_sound(self, samples: np.ndarray, time: float) -> None:
        """Keep sound and pictures together: silence where sound is missing, nothing twice."""
        assert self._begun is not None
        for made in self._steady.take(samples, time - self._begun):
            self._writer.sound(made)

    def _fill_sound(self, seconds: float) -> None:
        if self._rate:
            for made in self._steady.fill(seconds):
                self._writer.sound(made)

    def _disk_allows(self, time: float) -> bool:
        if time - self._looked_at_disk < _DISK_LOOK_SECONDS:
            return True
        self._looked_at_disk = time
        free = self._free_bytes(self.path)
        if free < STOP_BYTES:
            self._end(f"Recording stopped: the disk is full. {self.path} holds what came before.")
            return False
        if free < WARN_BYTES and not self._warned:
            self._warned = True
            self._notice(
                f"Only {free / 1e9:.1f} GB are left on the disk that {self.path.name} is written to."
            )
        return True

    def _end(self, reason: str) -> None:
        self.error = reason
        self._notice(reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
