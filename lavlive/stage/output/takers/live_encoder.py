"""Canvas and sound as H.264 and AAC while they happen, into whatever takes a muxer's bytes.

Pictures have the times at which they were shown, in steps of the rate: one that is missing is a longer one
before it, never a slower stream. The sound is on the same clock without holes (`recording.steady_sound`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from lavlive.errors import OutputError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.recording.codecs import has_encoder
from lavlive.stage.recording.steady_sound import SteadySound
from lavlive.stage.recording.video import fitted

SOUND_RATE = 48_000
_KEY_SECONDS = 2
"""Between two pictures at which a viewer can begin; what the large platforms ask for."""
_SILENCE_AFTER = 0.4
_INTERLEAVE = "1000"
"""Microseconds within which the muxer puts pictures and sound in order. No longer: sound that comes late, or
not at all, would keep pictures waiting for it."""
_LEAD = 2048
"""Samples of silence before the first picture: two frames of AAC."""
_SOFTWARE = {"preset": "veryfast", "tune": "zerolatency"}
_HARDWARE: Mapping[str, Mapping[str, str]] = {
    "h264_nvenc": {"preset": "p4", "tune": "ull", "zerolatency": "1", "rc": "cbr"},
    "h264_videotoolbox": {"realtime": "1"},
    "h264_qsv": {"preset": "veryfast", "async_depth": "1"},
    "h264_amf": {"usage": "lowlatency"},
}
"""Never run by us: no such card was at hand. One that does not start is passed over."""


class Sink(Protocol):
    """Takes what a muxer writes."""

    def write(self, data: bytes) -> int: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How a stream is encoded.

    Attributes:
        size: width and height in pixels, even.
        rate: pictures a second.
        kilobits: a second, of the pictures; the sound has 160.
        encoder: ``auto`` takes a graphics card's where one starts; ``software``, or ffmpeg's name.
    """

    size: tuple[int, int] = (1280, 720)
    rate: float = 30.0
    kilobits: int = 4500
    encoder: str = "auto"


class LiveEncoder:
    """Encodes and muxes; one thread.

    Args:
        kind: of the muxer: ``flv`` or ``mpegts``.
    """

    def __init__(self, sink: Sink, kind: str, settings: LiveSettings) -> None:
        self._settings = settings
        self._rate = Fraction(settings.rate).limit_denominator(1001)
        self._frames = Frames(settings.size)
        options = {"flush_packets": "1", "max_interleave_delta": _INTERLEAVE}
        if kind == "flv":
            options["flvflags"] = "no_duration_filesize+no_metadata"
        else:  # a length tells a receiver that a picture is whole before the next one comes
            options["omit_video_pes_length"] = "0"
        self._container = av.open(sink, "w", format=kind, options=options)
        self._video = self._add_video()
        self._sound = self._container.add_stream("aac", rate=SOUND_RATE, layout="stereo")
        assert isinstance(self._sound, AudioStream)
        self._sound.bit_rate = 160_000
        self._resampler = av.AudioResampler("fltp", "stereo", SOUND_RATE, frame_size=1024)
        self._steady = SteadySound(SOUND_RATE, 2)
        self._begun: float | None = None
        self._last = -1
        self._samples = 0

    def _add_video(self) -> VideoStream:
        settings = self._settings
        name, options = choose_encoder(settings)
        stream = self._container.add_stream(name, rate=self._rate)
        assert isinstance(stream, VideoStream)
        set_up(stream.codec_context, settings)
        bits = str(settings.kilobits * 1000)
        stream.options = {"maxrate": bits, "bufsize": bits, **options}
        stream.time_base = 1 / self._rate
        return stream

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        """Encode a canvas and the sound that came.

        Raises:
            OutputError, OSError: the sink has failed.
        """
        if self._begun is None:
            self._begun = shot.time
            # Sound goes first: FLV refuses a packet that belongs before the first one that it was given.
            self._samples = -_LEAD
            self._hear(np.zeros((_LEAD, 2), np.float32))
        index = self._step(shot.time - self._begun)
        if index is not None:
            self._last = index
            self._encode(shot.pixels, index)
        self.hear(sound)
        for made in self._steady.fill(shot.time - self._begun - _SILENCE_AFTER):
            self._hear(made)

    def _step(self, time: float) -> int | None:
        """The step of the rate in which a picture stands, None for one too many.

        A loop's time wavers around the steps: two pictures that are nearest to the same one stand in it and
        in the next, and none is lost.
        """
        at = float(time * self._rate)
        index = max(round(at), self._last + 1)
        return index if index - at < 1.0 else None

    def hear(self, sound: list[SoundBlock]) -> None:
        """Encode sound; what comes before the first canvas is left out.

        Raises:
            OutputError, OSError: the sink has failed.
        """
        if self._begun is None:
            return
        for block in sound:
            for made in self._steady.take(block.samples, block.time - self._begun):
                self._hear(made)

    def _encode(self, pixels: np.ndarray, index: int) -> None:
        frame = self._frames.of(pixels)
        frame.pts, frame.time_base = index, 1 / self._rate
        self._container.mux(self._video.encode(frame))

    def _hear(self, samples: np.ndarray) -> None:
        planes = np.ascontiguousarray(samples.T.astype(np.float32, copy=False))
        frame = av.AudioFrame.from_ndarray(planes, "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self._samples, Fraction(1, SOUND_RATE)
        self._samples += planes.shape[1]
        for piece in self._resampler.resample(frame):
            self._container.mux(self._sound.encode(piece))

    def close(self) -> None:
        """Let go of encoders and memory; what the sink says about it is of no use any more."""
        with contextlib.suppress(Exception):
            self._container.close()
        del self._container, self._video, self._sound, self._resampler


class Frames:
    """Makes frames for an encoder of H.264 of canvases; one thread. What it needs for that is made once.

    Args:
        size: width and height of the frames.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._reformatter = VideoReformatter()

    def of(self, pixels: np.ndarray) -> av.VideoFrame:
        """A canvas, uint8 [H, W, 3], as a frame."""
        # The canvas is not copied: nobody writes into it.
        whole = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(fitted(pixels, self._size)), "rgb24")
        return self._reformatter.reformat(
            whole, *self._size, "yuv420p", dst_colorspace=Colorspace.ITU709, interpolation="BILINEAR"
        )


def choose_encoder(settings: LiveSettings) -> tuple[str, Mapping[str, str]]:
    """The encoder of H.264 that a stream uses here, and its options.

    Raises:
        OutputError: the one that was asked for does not start.
    """
    wanted = settings.encoder
    if wanted == "auto":
        for name, options in _HARDWARE.items():
            if starts(name, options, settings):
                return name, options
    elif wanted != "software":
        if not starts(wanted, _HARDWARE.get(wanted, {}), settings):
            raise OutputError(f'The encoder {wanted} does not start here; use encoder = "software".')
        return wanted, _HARDWARE.get(wanted, {})
    return "libx264", _SOFTWARE


def starts(name: str, options: Mapping[str, str], settings: LiveSettings) -> bool:
    """Whether an encoder can be opened: that of a card that is not there cannot."""
    if not has_encoder(name):
        return False
    context = av.CodecContext.create(name, "w")
    set_up(context, settings)
    context.time_base = Fraction(1, 30)
    context.options = dict(options)
    try:
        context.open()
    except Exception:  # whatever a driver makes of it
        return False
    return True


def set_up(context: av.VideoCodecContext, settings: LiveSettings) -> None:
    """What all encoders of H.264 are told: size, bits, key pictures and colours."""
    context.width, context.height = settings.size
    context.pix_fmt = "yuv420p"
    context.bit_rate = settings.kilobits * 1000
    context.gop_size = max(1, round(_KEY_SECONDS * settings.rate))
    context.max_b_frames = 0
    context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709
    context.color_range = 1  # limited
