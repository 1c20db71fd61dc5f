"""What a WebRTC connection sends: pictures in H.264 and sound in Opus, stamped with the show's times.

Both tracks count from the beginning of one `ShowClock`. Pictures are encoded in a thread of their own, sound
goes in packets of 20 ms, as evenly as it was recorded, and neither waits for the other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.video.frame import PictureType

from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.live_encoder import (
    SOUND_RATE,
    Frames,
    LiveSettings,
    choose_encoder,
    set_up,
)
from lavlive.stage.output.takers.whip_clock import LEAST_BITS, ShowClock

PICTURE_RATE = 90_000
"""Stamps a second of a track of pictures."""
PIECE = SOUND_RATE // 50
"""Samples of one packet of Opus."""
_MOST_PIECES = 50
_SOUND_BITS = 160_000
_OPUS_LOOKS_BACK = 312
"""Samples by which Opus's decoder is behind what it is given; the stamp says so."""
_FOR_BROWSERS = {
    "libx264": {"profile": "baseline", "forced-idr": "1"},
    "h264_nvenc": {"profile": "baseline", "forced-idr": "1"},
}
"""Every browser takes this profile, and asks for a key picture when one is torn."""
_DECAY = 0.0005
"""Seconds by which sound is held less with every packet."""
_MOST_HELD = 0.04


class Stamped(MediaStreamTrack):  # type: ignore[misc]
    """A track that knows the stamp of what its sender has sent.

    Attributes:
        sent: the stamp of the last that was sent; None before the first, and while one is being sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent: int | None = None
        self._handed: int | None = None
        self._there = asyncio.Event()

    async def recv(self) -> av.Packet | av.VideoFrame:
        """The next one, for aiortc, which asks for it as soon as the last is on its way."""
        self.sent = self._handed
        made = await self._next()
        self.sent, self._handed = None, made.pts
        return made

    async def _next(self) -> av.Packet | av.VideoFrame:
        raise NotImplementedError

    async def _wait(self) -> None:
        """Until something was given.

        Raises:
            MediaStreamError: the track has been stopped.
        """
        await self._there.wait()
        if self.readyState == "ended":
            raise MediaStreamError

    def stop(self) -> None:
        """End it; whoever waits for more is told."""
        super().stop()
        self._there.set()


class PictureEncoder:
    """H.264 as browsers want it; one thread.

    Args:
        settings: size, rate and encoder.
    """

    def __init__(self, settings: LiveSettings) -> None:
        name, options = choose_encoder(settings)
        self._frames = Frames(settings.size)
        self._bits = bits = settings.kilobits * 1000
        self._context = av.CodecContext.create(name, "w")
        set_up(self._context, settings)
        self._context.time_base = Fraction(1, PICTURE_RATE)
        self._context.framerate = Fraction(settings.rate).limit_denominator(1001)
        limits = {"maxrate": str(bits), "bufsize": str(bits)}
        self._context.options = {**limits, **options, **_FOR_BROWSERS.get(name, {})}
        self._last: int | None = None

    def encode(self, shot: Shot, stamp: int, key: bool, bits: int) -> av.Packet | None:
        """A canvas, or None for one that is not later than the last.

        Args:
            stamp: in parts of `PICTURE_RATE`.
            key: whether the picture stands for itself.
            bits: a second, from now on.
        """
        if self._last is not None and stamp <= self._last:
            return None
        self._last = stamp
        if bits != self._bits:
            self._context.bit_rate = self._bits = bits
        frame = self._frames.of(shot.pixels)
        frame.pts, frame.time_base = stamp, Fraction(1, PICTURE_RATE)
        frame.pict_type = PictureType.I if key else PictureType.NONE
        return next(iter(self._context.encode(frame)), None)


class Pictures(Stamped):
    """Gives the newest canvas, each once, encoded.

    Attributes:
        whole: whether aiortc encodes, as it must where the receiver takes no H.264.
    """

    kind = "video"

    def __init__(self, settings: LiveSettings, clock: ShowClock) -> None:
        super().__init__()
        self.whole = False
        self._clock = clock
        self._frames = Frames(settings.size)
        self._encoder = PictureEncoder(settings)
        self._thread = ThreadPoolExecutor(1, "whip pictures")
        self._newest: Shot | None = None
        self._key = True
        self._most = self._bits = settings.kilobits * 1000

    def give(self, shot: Shot) -> None:
        """Take a canvas; one that nobody has asked for yet is forgotten."""
        self._newest = shot
        self._there.set()

    def want_key(self) -> None:
        """Let the next picture stand for itself."""
        self._key = True

    def limit(self, bits: int) -> None:
        """Keep within so many bits a second."""
        self._bits = min(max(bits, LEAST_BITS), self._most)

    async def _next(self) -> av.Packet | av.VideoFrame:
        while True:
            await self._wait()
            self._there.clear()
            shot, self._newest = self._newest, None
            if shot is None:
                continue
            key, self._key = self._key, False
            made = await asyncio.get_running_loop().run_in_executor(self._thread, self._made, shot, key)
            if made is not None:
                return made
            self._key |= key

    def _made(self, shot: Shot, key: bool) -> av.Packet | av.VideoFrame | None:
        stamp = round((shot.time - self._clock.begun) * PICTURE_RATE)
        if not self.whole:
            return self._encoder.encode(shot, stamp, key, self._bits)
        frame = self._frames.of(shot.pixels)
        frame.pts, frame.time_base = stamp, Fraction(1, PICTURE_RATE)
        return frame

    def stop(self) -> None:
        """End it, and let go of the thread."""
        super().stop()
        self._thread.shutdown(wait=False, cancel_futures=True)


@dataclass
class Rhythm:
    """When packets of sound go, so that they are as far apart as what they hold, however they come.

    Each is held until the latest of them would have come, which is forgotten slowly, but none for long.

    Attributes:
        lead: how long after the moment that it belongs to a packet goes, seconds.
    """

    lead: float = float("-inf")

    def due(self, belongs: float, there: float) -> float:
        """When a packet goes.

        Args:
            belongs: the moment at which its sound ends, seconds.
            there: when it was complete.
        """
        late = there - belongs
        self.lead = min(max(self.lead - _DECAY, late), late + _MOST_HELD)
        return belongs + self.lead


@dataclass(frozen=True, slots=True)
class _Piece:
    samples: np.ndarray
    stamp: int
    there: float


class Sound(Stamped):
    """Gives sound in packets of 20 ms, evenly and without a hole."""

    kind = "audio"

    def __init__(self, clock: ShowClock) -> None:
        super().__init__()
        self._clock = clock
        self._rhythm = Rhythm()
        self._rest = np.zeros((0, 2), np.float32)
        self._given = 0
        self._pieces: deque[_Piece] = deque(maxlen=_MOST_PIECES)
        self._encoder = av.CodecContext.create("libopus", "w")
        self._encoder.sample_rate, self._encoder.layout, self._encoder.format = SOUND_RATE, "stereo", "flt"
        self._encoder.bit_rate = _SOUND_BITS
        self._encoder.time_base = Fraction(1, SOUND_RATE)
        self._encoder.options = {"application": "audio"}

    def give(self, samples: np.ndarray) -> None:
        """Take the next samples, float32 [n, 2]; of more than a second that waits the oldest is left out."""
        self._rest = np.concatenate([self._rest, samples])
        now = self._clock.now()
        while len(self._rest) >= PIECE:
            self._pieces.append(_Piece(self._rest[:PIECE], self._given, now))
            self._rest = self._rest[PIECE:]
            self._given += PIECE
        if self._pieces:
            self._there.set()

    async def _next(self) -> av.Packet:
        while not self._pieces:
            self._there.clear()
            await self._wait()
        piece = self._pieces.popleft()
        due = self._rhythm.due(self._clock.begun + (piece.stamp + PIECE) / SOUND_RATE, piece.there)
        if (wait := due - self._clock.now()) > 0:
            await asyncio.sleep(wait)
        frame = av.AudioFrame.from_ndarray(piece.samples.reshape(1, -1), "flt", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, piece.stamp, Fraction(1, SOUND_RATE)
        (packet,) = self._encoder.encode(frame)
        packet.pts = piece.stamp - _OPUS_LOOKS_BACK
        packet.time_base = Fraction(1, SOUND_RATE)
        return packet
