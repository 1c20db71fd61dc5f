"""WHIP (RFC 9725): the canvas and the show's sound by WebRTC, through aiortc (the extra ``whip``).

aiortc encodes at a bit rate of its own, which follows what the receiver tells of the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Coroutine
from fractions import Fraction
from typing import Any, TypeVar
from urllib.parse import urljoin

import av
import numpy as np

from lavlive.errors import OutputError, OutputMissingError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.addresses import WhipTarget
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.live_encoder import SOUND_RATE, LiveSettings, frame_of
from lavlive.stage.recording.steady_sound import SteadySound

_SECONDS = 10.0
"""For an answer of the server, and for the connection to come about."""
_PIECE = SOUND_RATE // 50
"""Samples of one packet of Opus."""
_CLOCK = Fraction(1, 90_000)
_MOST_SOUND = SOUND_RATE
_SILENCE_AFTER = 0.4
_LONGEST_ANSWER = 1 << 20
_Result = TypeVar("_Result")


class WhipTaker:
    """One WebRTC connection; its loop runs in a thread of its own.

    Raises:
        OutputMissingError: aiortc is missing.
        OutputError: the server cannot be reached, or refuses.
    """

    def __init__(self, target: WhipTarget, settings: LiveSettings) -> None:
        try:
            import aiortc
        except ImportError:
            raise OutputMissingError("WHIP needs aiortc: pip install 'lavlive[whip]'.") from None
        self._target, self._settings = target, settings
        self._aiortc = aiortc
        self._resource: str | None = None
        self._begun: float | None = None
        self._steady = SteadySound(SOUND_RATE, 2)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="whip", daemon=True)
        self._thread.start()
        try:
            self._do(self._open())
        except BaseException:
            self.close()
            raise

    def _do(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(3 * _SECONDS)
        except TimeoutError:
            raise OutputError(f"{self._target.url} does not answer.") from None

    async def _open(self) -> None:
        rtc = self._aiortc
        self._peer = rtc.RTCPeerConnection()
        self._connected = asyncio.Event()
        self._peer.on("connectionstatechange", self._changed)
        self._pictures, self._sound = _tracks(rtc)
        video = self._peer.addTransceiver(self._pictures, direction="sendonly")
        self._peer.addTransceiver(self._sound, direction="sendonly")
        known = rtc.RTCRtpSender.getCapabilities("video").codecs
        video.setCodecPreferences(sorted(known, key=lambda codec: codec.mimeType != "video/H264"))
        await self._peer.setLocalDescription(await self._peer.createOffer())
        answer = await asyncio.to_thread(self._offer, self._peer.localDescription.sdp)
        try:
            await self._peer.setRemoteDescription(rtc.RTCSessionDescription(answer, "answer"))
        except (ValueError, AttributeError, IndexError, rtc.exceptions.InvalidStateError):
            raise OutputError(f"{self._target.url} answers with what is no session.") from None
        try:
            await asyncio.wait_for(self._connected.wait(), _SECONDS)
        except TimeoutError:
            raise OutputError(f"{self._target.url} answered, but no connection came about.") from None

    def _changed(self) -> None:
        if self._peer.connectionState in ("connected", "failed", "closed"):
            self._connected.set()

    def _offer(self, offer: str) -> str:
        head = {"Content-Type": "application/sdp"}
        if self._target.token:
            head["Authorization"] = f"Bearer {self._target.token}"
        request = urllib.request.Request(self._target.address, offer.encode(), head, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                place = answer.headers.get("Location")
                self._resource = urljoin(self._target.address, place) if place else None
                return str(answer.read(_LONGEST_ANSWER).decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            hint = "; check address and key" if error.code in (401, 403, 404) else ""
            raise OutputError(f"{self._target.url} refuses the stream ({error.code}){hint}.") from None
        except (OSError, ValueError) as error:  # the text of urllib's own errors holds no address
            reason = getattr(error, "reason", error)
            told = getattr(reason, "strerror", None) or type(reason).__name__
            raise OutputError(f"{self._target.url} cannot be reached: {told}.") from None

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        """Hand over a canvas and the sound that came.

        Raises:
            OutputError: the connection has ended.
        """
        if self._peer.connectionState in ("failed", "closed"):
            raise OutputError(f"{self._target.url} has ended the connection.")
        if self._begun is None:
            self._begun = shot.time
        time = shot.time - self._begun
        frame = frame_of(shot.pixels, self._settings.size)
        frame.pts, frame.time_base = round(time / _CLOCK), _CLOCK
        made = [
            piece for block in sound for piece in self._steady.take(block.samples, block.time - self._begun)
        ]
        made += self._steady.fill(time - _SILENCE_AFTER)
        self._loop.call_soon_threadsafe(self._give, frame, made)

    def _give(self, frame: av.VideoFrame, sound: list[np.ndarray]) -> None:
        self._pictures.give(frame)
        for piece in sound:
            self._sound.give(piece)

    def close(self) -> None:
        """End the session, at the server too; never raises."""
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(3.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(3.0)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self) -> None:
        if self._resource is not None:
            with contextlib.suppress(Exception):
                await asyncio.to_thread(self._delete, self._resource)
        await self._peer.close()

    def _delete(self, resource: str) -> None:
        head = {"Authorization": f"Bearer {self._target.token}"} if self._target.token else {}
        request = urllib.request.Request(resource, headers=head, method="DELETE")
        urllib.request.urlopen(request, timeout=2.0).close()


def _tracks(rtc: Any) -> tuple[Any, Any]:
    """A track of pictures and one of sound; classes of aiortc's are only there once it is imported."""

    class Pictures(rtc.MediaStreamTrack):  # type: ignore[misc]
        """Gives the newest picture, each once."""

        kind = "video"

        def __init__(self) -> None:
            super().__init__()
            self._newest: av.VideoFrame | None = None
            self._there = asyncio.Event()

        def give(self, frame: av.VideoFrame) -> None:
            self._newest = frame
            self._there.set()

        async def recv(self) -> av.VideoFrame:
            await self._there.wait()
            self._there.clear()
            return self._newest

    class Sound(rtc.MediaStreamTrack):  # type: ignore[misc]
        """Gives sound in pieces of 20 ms, without a hole."""

        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._waiting = np.zeros((0, 2), np.float32)
            self._there = asyncio.Event()
            self._given = 0

        def give(self, samples: np.ndarray) -> None:
            self._waiting = np.concatenate([self._waiting, samples])
            if (late := len(self._waiting) - _MOST_SOUND) > 0:
                self._waiting = self._waiting[late:]
                self._given += late
            self._there.set()

        async def recv(self) -> av.AudioFrame:
            while len(self._waiting) < _PIECE:
                self._there.clear()
                await self._there.wait()
            piece, self._waiting = self._waiting[:_PIECE], self._waiting[_PIECE:]
            whole = np.rint(np.clip(piece, -1.0, 1.0) * 32767.0).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(whole.reshape(1, -1), "s16", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self._given, Fraction(1, SOUND_RATE)
            self._given += _PIECE
            return frame

    return Pictures(), Sound()
