"""NDI: the canvas and the show's sound on the local network, through cyndilib (the extra ``ndi``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from lavlive.errors import OutputMissingError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.four_bytes import FourBytes

SOUND_RATE = 48_000
_MOST_SOUND = SOUND_RATE
_PIECE = 480
"""Samples that are sent at once, always: of shorter pieces cyndilib 0.1 sends the second channel from memory
that nobody has written, which is noise at full force."""


class NdiTaker:
    """A source on the network, without an alpha channel; its size follows the canvas's.

    Args:
        name: under which receivers find it.
        rate: canvases a second, which receivers are told.
        now: the clock by which canvases and sound have their times.

    Raises:
        OutputMissingError: cyndilib is missing.
    """

    def __init__(self, name: str, rate: float = 60.0, now: Callable[[], float] = time.perf_counter) -> None:
        self._ndi = _library()
        self._name, self._rate, self._now = name, rate, now
        self._sender: Any = None
        self._size = (0, 0)
        self._four_bytes = FourBytes()
        self._heard = np.zeros((0, 2), np.float32)
        self._late = self._ends = 0.0

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        """Send a canvas and the sound that came."""
        height, width, _ = shot.pixels.shape
        if (width, height) != self._size:
            self._open(width, height)
        # NDI's formats of two bytes cost more to make than they spare when NDI compresses them.
        self._sender.write_video(self._four_bytes.of(shot.pixels).reshape(-1))
        self._late = self._now() - shot.time
        self.hear(sound)

    def hear(self, sound: list[SoundBlock]) -> None:
        """Send the sound that belongs to the canvas that was sent last, or to the time since.

        It comes before its picture, which has to be read back and compressed. What comes before the first
        canvas is left out.
        """
        if self._sender is None:
            return
        for block in sound:
            self._heard = np.concatenate([self._heard, block.samples])[-_MOST_SOUND:]
            self._ends = block.time + len(block.samples) / SOUND_RATE
        if not len(self._heard):
            return
        due = self._now() - self._late
        while (left := len(self._heard)) >= _PIECE and self._ends - (left - _PIECE) / SOUND_RATE <= due:
            self._sender.write_audio(np.ascontiguousarray(self._heard[:_PIECE].T))
            self._heard = self._heard[_PIECE:]

    def _open(self, width: int, height: int) -> None:
        self.close()
        ndi = self._ndi
        picture = ndi.VideoSendFrame()
        picture.set_resolution(width, height)
        picture.set_frame_rate(Fraction(self._rate).limit_denominator(1001))
        picture.set_fourcc(ndi.FourCC.RGBX)
        sound = ndi.AudioSendFrame()
        sound.sample_rate, sound.num_channels = SOUND_RATE, 2
        sound.set_max_num_samples(_PIECE)
        # Clocked by the show: the library must not hold canvases back.
        self._sender = ndi.Sender(self._name, clock_video=False, clock_audio=False)
        self._sender.set_video_frame(picture)
        self._sender.set_audio_frame(sound)
        self._sender.open()
        self._size = (width, height)

    def close(self) -> None:
        """Go from the network."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()


class _Names:
    """What is used of cyndilib."""

    def __init__(self) -> None:
        from cyndilib.audio_frame import AudioSendFrame
        from cyndilib.sender import Sender
        from cyndilib.video_frame import VideoSendFrame
        from cyndilib.wrapper.ndi_structs import FourCC

        self.AudioSendFrame, self.VideoSendFrame = AudioSendFrame, VideoSendFrame
        self.Sender, self.FourCC = Sender, FourCC


def _library() -> _Names:
    try:
        return _Names()
    except ImportError:
        raise OutputMissingError("NDI needs cyndilib: pip install 'lavlive[ndi]'.") from None
