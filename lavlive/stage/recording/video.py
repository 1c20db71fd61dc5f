"""Video files with sound, through PyAV, which brings ffmpeg's libraries along. The sound is AAC."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from lavlive.errors import RecordingError
from lavlive.files import replacing
from lavlive.resources import is_no_file
from lavlive.stage.recording.codecs import CODECS, encoder_of, find_codec
from lavlive.stage.recording.fragments import FragmentFile

SUFFIXES = (".mp4", ".mov", ".mkv")
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_BT709 = 1
_LIMITED_RANGE = 1
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
_CLUSTERS = {"cluster_time_limit": "1000", "flush_packets": "1"}
_TIDY = {"movflags": "faststart"}
_INTERLEAVE_SECONDS = 2


class VideoWriter:
    """Writes pictures at a constant rate, and sound beside them. A context manager; one thread.

    Args:
        path: the file, ``.mp4``, ``.mov`` or ``.mkv``; overwritten if it exists.
        width, height: size in pixels, rounded up to even numbers. Pictures of another size are scaled
            to fit, with black where the shapes differ.
        fps: pictures per second; fractions such as 30000/1001 are kept exactly when given as such.
        sample_rate: hertz of the sound; 0 for a silent video. Rates that AAC lacks become 48 000 Hz.
        channels: 1 or 2 are kept; more are mixed to one.
        surviving: True keeps what is written playable even if the process is killed; the pictures since
            the last key picture are lost, and the file is a little larger.
        codec: a name in `codecs.CODECS`.
        quick: True for little work, as during a show, and a key picture every second; else every four.

    Raises:
        RecordingError: the folder is missing or not writable, the name's ending is unknown, or there is no
            encoder.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        fps: float | Fraction = 30,
        sample_rate: int = 0,
        channels: int = 2,
        surviving: bool = False,
        codec: str = "h264",
        quick: bool = False,
    ) -> None:
        self.path = Path(path)
        self.size = (width + width % 2, height + height % 2)
        self.fps = Fraction(fps).limit_denominator(1001)
        self.pictures = 0
        self.samples = 0
        self._open = False
        self._reformatter = VideoReformatter()
        check_target(self.path, codec)
        self._fragments: FragmentFile | None = None
        try:
            self._container = self._open_container(surviving)
        except OSError as error:
            raise RecordingError(f"{self.path} cannot be written: {error.strerror}.") from error
        self._open = True
        self._video = self._add_video(codec, quick)
        self._sound: AudioStream | None = None
        self._resampler: av.AudioResampler | None = None
        self._rate, self._channels = sample_rate, channels
        if sample_rate:
            self._add_sound(1 if channels > 2 else channels)

    def _open_container(self, surviving: bool) -> OutputContainer:
        options = {"max_interleave_delta": str(_INTERLEAVE_SECONDS * 1_000_000)}
        kind = self.path.suffix.lower().lstrip(".")
        if surviving and kind != "mkv":
            self._fragments = FragmentFile(self.path)
            in_pieces: OutputContainer = av.open(
                self._fragments, "w", format=kind, options=options | _FRAGMENTS
            )
            return in_pieces
        # Readers of .mkv expect torn ends.
        whole: OutputContainer = av.open(
            str(self.path), "w", options=options | (_CLUSTERS if surviving else {})
        )
        return whole

    def _add_video(self, name: str, quick: bool) -> VideoStream:
        codec = CODECS[name]
        self._pixels = codec.pixels
        encoder = encoder_of(codec) or codec.encoders[0]
        stream = self._container.add_stream(encoder, rate=self.fps)
        assert isinstance(stream, VideoStream)
        stream.options = (
            {"qscale": "3"} if encoder == "mpeg4" else dict(codec.quick if quick else codec.thorough)
        )
        stream.width, stream.height = self.size
        stream.pix_fmt = codec.pixels
        stream.time_base = 1 / self.fps
        context = stream.codec_context
        if codec.tag and self.path.suffix.lower() != ".mkv":
            context.codec_tag = codec.tag
        if not codec.keyframes_only:
            context.gop_size = max(1, round(self.fps)) if quick else max(1, round(4 * self.fps))
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED_RANGE
        return stream

    def _add_sound(self, channels: int) -> None:
        rate = self._rate if self._rate in _AAC_RATES else 48000
        layout = "mono" if channels == 1 else "stereo"
        stream = self._container.add_stream("aac", rate=rate, layout=layout)
        assert isinstance(stream, AudioStream)
        stream.bit_rate = 96_000 * channels
        self._sound = stream
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=1024)

    def picture(self, rgb: np.ndarray, repeat: int = 1) -> None:
        """Append a picture, uint8 [H, W, 3] in sRGB, `repeat` times.

        Raises:
            OSError: the disk is full or gone.
        """
        # Not copied: nobody writes into a canvas that was given away.
        whole = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(fitted(rgb, self.size)), "rgb24")
        frame = self._reformatter.reformat(
            whole, *self.size, self._pixels, dst_colorspace=Colorspace.ITU709, interpolation="BICUBIC"
        )
        frame.time_base = 1 / self.fps
        for _ in range(repeat):
            frame.pts = self.pictures
            self.pictures += 1
            self._mux(self._video.encode(frame))

    def sound(self, samples: np.ndarray) -> None:
        """Append sound, float32 [n, channels], -1 to 1.

        Raises:
            OSError: the disk is full or gone.
        """
        if self._sound is None or self._resampler is None or not len(samples):
            return
        if self._channels > 2:
            samples = samples.mean(axis=1, keepdims=True)
        planes = np.ascontiguousarray(samples.T.astype(np.float32, copy=False))
        layout = "mono" if len(planes) == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(planes, "fltp", layout)
        frame.sample_rate = self._rate
        frame.pts = self.samples
        frame.time_base = Fraction(1, self._rate)
        self.samples += planes.shape[1]
        for piece in self._resampler.resample(frame):
            self._mux(self._sound.encode(piece))

    def close(self) -> None:
        """Finish the file; a second call does nothing.

        Raises:
            OSError: the disk is full or gone; a surviving file is playable nonetheless.
        """
        if not self._open:
            return
        self._open = False
        try:
            if self.pictures:
                self._mux(self._video.encode(None))
            if self._sound is not None and self._resampler is not None and self.samples:
                for piece in self._resampler.resample(None):
                    self._mux(self._sound.encode(piece))
                self._mux(self._sound.encode(None))
        finally:
            try:
                self._container.close()
            finally:
                if self._fragments is not None:
                    self._fragments.close()
                # Encoders keep threads and many megabytes for as long as anything refers to them.
                del self._container, self._video, self._sound, self._resampler
        self._raise_failure()

    def _mux(self, packets: list[Packet[Any]]) -> None:
        self._container.mux(packets)
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._fragments is not None and self._fragments.failure is not None:
            number, reason = self._fragments.failure
            raise OSError(number, reason, str(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def tidy(path: Path) -> None:
    """Make an ordinary file of a finished one that would have survived, which some programs for editing want.

    Where that cannot be, as for want of room, the file stays as it is: it plays.
    """
    if path.suffix.lower() == ".mkv":
        return
    with contextlib.suppress(OSError, ValueError, av.FFmpegError), replacing(path) as beside:
        kind = path.suffix.lower().lstrip(".")
        with av.open(str(path)) as made, av.open(str(beside), "w", format=kind, options=_TIDY) as tidied:
            streams = {stream.index: tidied.add_stream_from_template(stream) for stream in made.streams}
            for packet in made.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    tidied.mux(packet)


def check_target(path: Path, codec: str = "h264") -> None:
    """See whether a video can be written there.

    Raises:
        RecordingError: the folder is missing or not writable, the name's ending is unknown, or there is no
            encoder.
    """
    folder = path.absolute().parent
    if path.suffix.lower() not in SUFFIXES:
        raise RecordingError(f"{path.name} should end in one of {', '.join(SUFFIXES)}.")
    find_codec(codec, path.suffix)
    if not folder.is_dir():
        raise RecordingError(f"There is no folder {folder} to write {path.name} into.")
    if is_no_file(path) or not os.access(path if path.exists() else folder, os.W_OK):
        raise RecordingError(f"{path} cannot be written; choose another folder or name.")


def fitted(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """With black bars where the canvas has another shape than the size it is to have."""
    height, width, _ = pixels.shape
    scale = min(size[0] / width, size[1] / height)
    across, down = size[0] / scale - width, size[1] / scale - height
    if max(across, down) < 2:
        return pixels
    left, top = round(across / 2), round(down / 2)
    return np.pad(pixels, ((top, round(down) - top), (left, round(across) - left), (0, 0)))
