"""Tracks: files with sound in them, decoded as they play."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soxr

from lavlive.audio.block import Block, Samples, check_format
from lavlive.audio.channels import ALL, Layout, Mix
from lavlive.audio.decoding import Decoder, open_decoder
from lavlive.errors import SourceError
from lavlive.resources import is_no_file

_PIECE = 2048  # samples per channel decoded at a time
_SKIP = 65_536


class Track:
    """An open track; a context manager.

    Args:
        path: a file with sound: wav, flac, ogg, mp3, m4a, wma, the sound of mp4, mov and mkv, and more.

    Attributes:
        name: the file's name.
        rate: hertz.
        channels: 1–32.
        layout: the loudspeaker of each channel, () where it is not known.

    Raises:
        SourceError: the file is missing, a folder, a pipe or a device, not readable, not audio, empty, or in
            a format that lavlive does not hear.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.name = self.path.name
        if self.path.is_dir():
            raise SourceError(f"{self.path} is a folder; choose a track in it")
        self._decoder = _open(self.path)
        self.rate = self._decoder.rate
        self.channels = self._decoder.channels
        self.layout: Layout = self._decoder.layout
        self._frames = self._decoder.frames
        self._position = 0
        try:
            check_format(self.rate, self.channels, str(self.path))
            if self._frames == 0:
                raise SourceError(f"{self.path} holds no sound")
        except SourceError:
            self._decoder.close()
            raise

    @property
    def frames(self) -> int:
        """Length in samples per channel.

        Where no header tells it reliably the whole file is decoded once to count: about 3 s for an hour.
        """
        if self._frames is None:
            self._frames = _count(self.path)
        return self._frames

    @property
    def seconds(self) -> float:
        """How long the track lasts."""
        return self.frames / self.rate

    @property
    def mix(self) -> Mix:
        """How its channels become two or one, float32 [channels, 1 or 2]."""
        return ALL.mix(self.layout, self.channels)

    def read(self, frames: int) -> Samples:
        """The next samples, float32 [n, channels], full scale ±1; n < frames only at the end.

        Raises:
            SourceError: the file is damaged here.
        """
        samples = self._decoder.read(frames)
        self._position += len(samples)
        return samples

    def rewind(self) -> None:
        """Go back to the first sample.

        Raises:
            SourceError: the file is gone.
        """
        decoder = _open(self.path)
        self._decoder.close()
        self._decoder = decoder
        self._position = 0

    def seek(self, frame: int) -> None:
        """Go to a sample, counted from 0; one beyond the end means the end.

        What lies before it is decoded and left out: no table of a file's own is trusted, so the sample is
        the right one in every format.

        Raises:
            SourceError: the file is gone, or damaged on the way.
        """
        if frame < self._position:
            self._begin_anew()
        while self._position < frame and len(self.read(min(_SKIP, frame - self._position))):
            pass

    def _begin_anew(self) -> None:
        self.rewind()

    def blocks(self, frames: int = _PIECE) -> Iterator[Block]:
        """The rest of the track, in blocks whose times count from the track's beginning."""
        mix = self.mix
        while len(samples := self.read(frames)):
            yield Block(samples, self.rate, self._position / self.rate, mix)

    def close(self) -> None:
        """Close the file."""
        self._decoder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ResampledTrack(Track):
    """A track at another rate, for an output that does not play the track's own.

    A loop stays gapless: the filter runs on over the seam. Without a loop, the last 20 ms or so stay in it.

    Args:
        path: as for `Track`.
        rate: hertz, of what `read` gives.
    """

    def __init__(self, path: Path | str, rate: int) -> None:
        super().__init__(path)
        self._stream = soxr.ResampleStream(self.rate, rate, self.channels, dtype="float32")
        self._ratio = self.rate / rate
        self.rate = rate
        self._ready: Samples = np.zeros((0, self.channels), np.float32)

    @property
    def frames(self) -> int:
        """Length in samples per channel, at the new rate."""
        return round(super().frames / self._ratio)

    def read(self, frames: int) -> Samples:
        """The next samples at the new rate, float32 [n, channels]; n < frames only at the end."""
        pieces, count = [self._ready], len(self._ready)
        while count < frames:
            piece = self._decoder.read(max(1, round((frames - count) * self._ratio)))
            if not len(piece):
                break
            pieces.append(self._stream.resample_chunk(piece))
            count += len(pieces[-1])
        ready = np.concatenate(pieces)
        self._ready = ready[frames:]
        samples = ready[:frames]
        self._position += len(samples)
        return samples

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._stream.clear()
        self._ready = self._ready[:0]


def read_track(path: Path | str) -> Track:
    """Open a track; see `Track`."""
    return Track(path)


def _open(path: Path) -> Decoder:
    if is_no_file(path):
        raise SourceError(f"{path} is a pipe or a device, not a file; --input and --loopback hear devices")
    try:
        decoder = open_decoder(path)
    except OSError as error:
        raise SourceError(_reason(path)) from error
    if decoder is None:
        raise SourceError(_reason(path))
    return decoder


def _count(path: Path) -> int:
    """Samples per channel that can be decoded."""
    decoder, count = _open(path), 0
    try:
        while length := len(decoder.read(_SKIP)):
            count += length
    except SourceError:
        pass  # what comes before the damage can be heard
    finally:
        decoder.close()
    return count


def _reason(path: Path) -> str:
    if not path.exists():
        return f"{path} does not exist"
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if empty:
        return f"{path} is empty"
    return f"{path} is not a sound file that lavlive reads (wav, flac, ogg, mp3, m4a, wma, mp4, mov, mkv, …)"


class ReadAhead:
    """Decodes a track in its own thread, a bounded stretch ahead, for a player that must not wait.

    Args:
        track: taken over; closed by `close`.
        loop: go on from the first sample after the last, without a gap.
        seconds: how far ahead.

    Attributes:
        error: the track is damaged somewhere: what could not be decoded, or None. A looping track goes
            on with what is whole.
        loops: how often the track began again.
    """

    def __init__(self, track: Track, loop: bool, seconds: float = 2.0) -> None:
        self.error: SourceError | None = None
        self.loops = 0
        self._track = track
        self._loop = loop
        # deque's append and popleft are atomic, so the player takes without a lock.
        self._pieces: deque[Samples] = deque()
        self._most = max(2, round(seconds * track.rate / _PIECE))
        self._rest: Samples = np.zeros((0, track.channels), np.float32)
        self._decoded = False
        self._since_start = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="track decoder", daemon=True)
        self._fill()
        self._thread.start()

    def take(self, out: Samples) -> int:
        """Copy the next samples into out [n, channels]; never waits.

        Returns:
            How many were copied: fewer than n when the decoder is late or the track is over.
        """
        copied = 0
        while copied < len(out):
            if not len(self._rest):
                if not self._pieces:
                    break
                self._rest = self._pieces.popleft()
            count = min(len(out) - copied, len(self._rest))
            out[copied : copied + count] = self._rest[:count]
            self._rest = self._rest[count:]
            copied += count
        return copied

    @property
    def finished(self) -> bool:
        """All of the track has been taken, and it does not loop."""
        return self._decoded and not self._pieces and not len(self._rest)

    def close(self) -> None:
        """Stop decoding and close the track."""
        self._stop.set()
        self._thread.join()
        self._track.close()

    def _run(self) -> None:
        pause = _PIECE / self._track.rate
        while not self._decoded and not self._stop.wait(pause):
            self._fill()

    def _fill(self) -> None:
        while len(self._pieces) < self._most and not self._decoded and not self._stop.is_set():
            try:
                piece = self._track.read(_PIECE)
            except SourceError as error:
                self.error = error
                piece = self._rest[:0]
            if len(piece):
                self._pieces.append(piece)
                self._since_start += len(piece)
            else:
                self._at_end()

    def _at_end(self) -> None:
        self._decoded = not (self._loop and self._since_start)
        if self._decoded:
            return
        try:
            self._track.rewind()
        except SourceError as error:
            self.error = error
            self._decoded = True
        self._since_start = 0
        self.loops += 1
