"""Decoders: a file's sound as float32, from its first sample to the last that is there.

libsndfile reads plain PCM files and Vorbis. Everything else goes through ffmpeg's libraries (PyAV), which
know more kinds, go on after damage, and find an end that a header does not tell or tells wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

import av
import numpy as np
import soundfile
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from lavlive.audio.block import Samples
from lavlive.audio.channels import SPEAKERS, Layout
from lavlive.errors import SourceError

_LIBSNDFILE_IS_BEST = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "OGG")
_PCM = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,dtshd,eac3,flac,flv,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "ogg,rm,tak,truehd,tta,voc,w64,wav,wv"
)
"""No playlists: a file must not make lavlive open others, or the network."""
_SCALES = {"u8": 2.0**-7, "s16": 2.0**-15, "s32": 2.0**-31, "s64": 2.0**-63}
_LONGEST_PADDING = 4096
"""Samples: what a codec fills its last frame up with. A header that is further off is wrong."""


class Decoder(Protocol):
    """An open file that is read from its beginning to its end.

    Attributes:
        rate: hertz.
        channels: at least 1.
        layout: the loudspeaker of each channel, () where it is not known.
        frames: length in samples per channel where the file tells it reliably, else None.
    """

    rate: int
    channels: int
    layout: Layout
    frames: int | None

    def read(self, frames: int) -> Samples:
        """The next samples, float32 [n, channels]; n < frames only at the end.

        Raises:
            SourceError: the file is damaged here.
        """

    def close(self) -> None:
        """Close the file."""


def open_decoder(path: Path) -> Decoder | None:
    """The best decoder for a file, or None when it holds no sound that anybody here can read.

    Raises:
        SourceError: it is a sound file without a single sample.
        OSError: it cannot be read.
    """
    plain = _open_plain(path)
    if plain is not None and plain.is_best:
        return plain
    try:
        decoder = AvDecoder(path)
    except (av.error.FFmpegError, _NoSound):
        if plain is not None and plain.frames == 0:
            plain.close()
            raise SourceError(f"{path} holds no sound") from None
        return plain
    if plain is not None:
        plain.close()
    return decoder


def _open_plain(path: Path) -> PlainDecoder | None:
    try:
        return PlainDecoder(path)
    except (soundfile.LibsndfileError, TypeError, ValueError):
        return None


class _StraightFile(soundfile.SoundFile):  # type: ignore[misc]  # its package has no types
    """A sound file that is read from its beginning to its end.

    soundfile seeks after every read from a file that can be sought in, to where it is already. In some
    formats the decoder then starts anew, and what comes out is broken at every read. So this file says that
    it cannot be sought in.
    """

    def seekable(self) -> bool:
        return False


class PlainDecoder:
    """A file that libsndfile reads; see `Decoder`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _StraightFile(path)
        self.rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.layout: Layout = ()
        # Of Vorbis the last page tells, which a file that was cut short does not have.
        self.frames = int(self._file.frames) if self._file.subtype in _PCM else None
        self.is_best = (
            self._file.format in _LIBSNDFILE_IS_BEST
            and (self._file.subtype in _PCM or self._file.subtype == "VORBIS")
            and int(self._file.frames) > 0
            and self.channels <= 2  # libsndfile does not say which loudspeaker is which
        )

    def read(self, frames: int) -> Samples:
        """See `Decoder.read`."""
        try:
            samples: Samples = self._file.read(frames, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise SourceError(
                f"{self._path} is damaged after {self._file.tell() / self.rate:.1f} s"
            ) from error
        return samples

    def close(self) -> None:
        """See `Decoder.close`."""
        self._file.close()


class _NoSound(Exception):
    """A container without a sound stream, or one of which nothing can be decoded."""


class AvDecoder:
    """The first sound stream of a file, through ffmpeg's libraries; see `Decoder`.

    Packets that cannot be decoded are left out. What encoders put before and after the sound is cut off
    where the file tells how much it is (mp3 with LAME's header, mp4, Opus, Vorbis).

    Raises:
        av.error.FFmpegError: no kind of file that is known here.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.frames = None
        self._file: BinaryIO = path.open("rb")
        try:
            # Given a file and no name, ffmpeg opens nothing else.
            options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
            self._container = av.open(self._file, options=options, metadata_errors="replace")
            if not self._container.streams.audio:
                raise _NoSound
            stream: AudioStream = self._container.streams.audio[0]
            self._pieces = self._decode(stream)
            first = next(self._pieces, None)
            if first is None:
                raise _NoSound
        except Exception:
            self.close()
            raise
        self._rest: Samples = first

    rate: int = 0
    channels: int = 0
    layout: Layout = ()
    frames: int | None

    def read(self, frames: int) -> Samples:
        """See `Decoder.read`."""
        pieces, count = [self._rest], len(self._rest)
        while count < frames and (piece := next(self._pieces, None)) is not None:
            pieces.append(piece)
            count += len(piece)
        samples = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        self._rest = samples[frames:]
        return samples[:frames]

    def close(self) -> None:
        """See `Decoder.close`."""
        container = getattr(self, "_container", None)
        if container is not None:
            container.close()
        self._file.close()

    def _decode(self, stream: AudioStream) -> Iterator[Samples]:
        """Pieces of sound, float32 [n, channels], to the end of the data."""
        given = 0
        converter: _Converter | None = None
        for frame in self._frames(stream):
            if not frame.samples:
                continue
            if converter is None:
                self.rate, self.channels = int(frame.sample_rate), frame.layout.nb_channels
                self.layout = _layout(frame)
                converter = _Converter(frame)
            piece = converter(frame)
            most = self._end(stream) - given
            if 0 < len(piece) - most <= _LONGEST_PADDING and most >= 0:
                piece = piece[:most]
            given += len(piece)
            if len(piece):
                yield piece

    def _frames(self, stream: AudioStream) -> Iterator[AudioFrame]:
        with suppress(av.error.FFmpegError):  # of the demuxer: the data end in the middle of something
            for packet in self._container.demux(stream):
                with suppress(av.error.FFmpegError):
                    yield from packet.decode()

    def _end(self, stream: AudioStream) -> int:
        """How many samples there are by an mp4's own account; of others, any number."""
        if "mov" not in self._container.format.name or not stream.duration or stream.time_base is None:
            return 1 << 62
        return round(stream.duration * stream.time_base * self.rate)


class _Converter:
    """Decoded frames to float32 [n, channels]; one of another format than the first is made like it."""

    def __init__(self, first: AudioFrame) -> None:
        self._like = self._format(first)
        self._resampler: av.AudioResampler | None = None
        self._resampled_from: tuple[str, int, int] | None = None
        self._layout = first.layout.name

    def __call__(self, frame: AudioFrame) -> Samples:
        if self._format(frame)[1:] == self._like[1:]:
            return _samples(frame)
        if self._resampled_from != self._format(frame):
            self._resampled_from = self._format(frame)
            self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._like[1])
        assert self._resampler is not None
        frame.pts = None
        pieces = [_samples(piece) for piece in self._resampler.resample(frame)]
        return np.concatenate([np.zeros((0, self._like[2]), np.float32), *pieces])

    @staticmethod
    def _format(frame: AudioFrame) -> tuple[str, int, int]:
        return frame.format.name, int(frame.sample_rate), frame.layout.nb_channels


def _samples(frame: AudioFrame) -> Samples:
    values = frame.to_ndarray()
    channels = frame.layout.nb_channels
    planes = values.T if frame.format.is_planar else values.reshape(-1, channels)
    scale = _SCALES.get(frame.format.packed.name)
    if scale is None:
        return np.ascontiguousarray(planes, np.float32)
    centred = planes.astype(np.float64) - (128 if frame.format.packed.name == "u8" else 0)
    return (centred * scale).astype(np.float32)


def _layout(frame: AudioFrame) -> Layout:
    names = tuple(channel.name for channel in frame.layout.channels)
    return names if len(names) == frame.layout.nb_channels and SPEAKERS.issuperset(names) else ()
