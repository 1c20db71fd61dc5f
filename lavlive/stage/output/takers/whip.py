"""WHIP (RFC 9725): the canvas and the show's sound by WebRTC, through aiortc (the extra ``whip``).

stage's loop ── worker ── take, hear ──► loop of the connection ──► pictures: thread that encodes ──► network
                                                                └─► sound: every 20 ms ──► network
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urljoin

import numpy as np

from lavlive.errors import OutputError, OutputMissingError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.addresses import WhipTarget
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.live_encoder import SOUND_RATE, LiveSettings
from lavlive.stage.recording.steady_sound import SteadySound

_SECONDS = 10.0
"""For an answer of the server, and for the connection to come about."""
_SILENCE_AFTER = 0.4
_LONGEST_ANSWER = 1 << 20
_MOST_REDIRECTS = 4
_Result = TypeVar("_Result")


class WhipTaker:
    """One WebRTC connection; its loop runs in a thread of its own.

    Args:
        now: the clock by which canvases and sound have their times.

    Raises:
        OutputMissingError: aiortc is missing.
        OutputError: the server cannot be reached, or refuses.
    """

    def __init__(
        self, target: WhipTarget, settings: LiveSettings, now: Callable[[], float] = time.perf_counter
    ) -> None:
        try:
            import aiortc
        except ImportError:
            raise OutputMissingError("WHIP needs aiortc: pip install 'lavlive[whip]'.") from None
        self._target, self._settings, self._now = target, settings, now
        self._tracks: list[Any] = []
        self._aiortc = aiortc
        self._resource: str | None = None
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
        # Classes of aiortc's are only there once it is imported.
        from lavlive.stage.output.takers.whip_clock import Reports, ShowClock
        from lavlive.stage.output.takers.whip_tracks import PICTURE_RATE, Pictures, Sound

        self._clock = clock = ShowClock(self._now)
        self._pictures, self._sound = pictures, sound = Pictures(self._settings, clock), Sound(clock)
        self._tracks = [pictures, sound]
        video = self._peer.addTransceiver(pictures, direction="sendonly")
        audio = self._peer.addTransceiver(sound, direction="sendonly")
        Reports(video.sender, pictures, clock, PICTURE_RATE, pictures.want_key, pictures.limit)
        Reports(audio.sender, sound, clock, SOUND_RATE)
        known = rtc.RTCRtpSender.getCapabilities("video").codecs
        video.setCodecPreferences(sorted(known, key=lambda codec: codec.mimeType != "video/H264"))
        await self._peer.setLocalDescription(await self._peer.createOffer())
        answer = await asyncio.to_thread(self._offer, self._peer.localDescription.sdp)
        try:
            await self._peer.setRemoteDescription(rtc.RTCSessionDescription(answer, "answer"))
        except (ValueError, AttributeError, IndexError, rtc.exceptions.InvalidStateError):
            raise OutputError(f"{self._target.url} answers with what is no session.") from None
        self._pictures.whole = not _takes_h264(answer)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), _SECONDS)
        if self._peer.connectionState != "connected":
            raise OutputError(f"{self._target.url} answered, but no connection came about.")
        clock.begin()

    def _changed(self) -> None:
        if self._peer.connectionState in ("connected", "failed", "closed"):
            self._connected.set()

    def _offer(self, offer: str) -> str:
        head = {"Content-Type": "application/sdp"}
        if self._target.token:
            head["Authorization"] = f"Bearer {self._target.token}"
        address = self._target.address
        for _ in range(_MOST_REDIRECTS):
            request = urllib.request.Request(address, offer.encode(), head, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                    place = answer.headers.get("Location")
                    self._resource = urljoin(address, place) if place else None
                    return str(answer.read(_LONGEST_ANSWER).decode("utf-8", "replace"))
            except urllib.error.HTTPError as error:
                other = urljoin(address, error.headers.get("Location") or "")
                safe = other.startswith("https:" if address.startswith("https:") else "http")
                if error.code in (307, 308) and other != address and safe:
                    address = other  # RFC 9725: a server spreads its load so
                    continue
                hint = "; check address and key" if error.code in (401, 403, 404) else ""
                raise OutputError(f"{self._target.url} refuses the stream ({error.code}){hint}.") from None
            except (OSError, ValueError) as error:  # the text of urllib's own errors holds no address
                reason = getattr(error, "reason", error)
                told = getattr(reason, "strerror", None) or type(reason).__name__
                raise OutputError(f"{self._target.url} cannot be reached: {told}.") from None
        raise OutputError(f"{self._target.url} sends the stream from one address to the next.")

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        """Hand over a canvas and the sound that came.

        Raises:
            OutputError: the connection has ended.
        """
        self.hear(sound)
        made = list(self._steady.fill(shot.time - self._clock.begun - _SILENCE_AFTER))
        self._loop.call_soon_threadsafe(self._give, shot, made)

    def hear(self, sound: list[SoundBlock]) -> None:
        """Hand over sound that came.

        Raises:
            OutputError: the connection has ended.
        """
        ended = any(track.readyState == "ended" for track in self._tracks)
        if ended or self._peer.connectionState in ("failed", "closed"):
            raise OutputError(f"{self._target.url} has ended the connection.")
        begun = self._clock.begun
        made = [piece for block in sound for piece in self._steady.take(block.samples, block.time - begun)]
        self._loop.call_soon_threadsafe(self._give, None, made)

    def _give(self, shot: Shot | None, sound: list[np.ndarray]) -> None:
        if shot is not None:
            self._pictures.give(shot)
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
        for track in self._tracks:  # that never began is ended by nobody else
            track.stop()

    def _delete(self, resource: str) -> None:
        head = {"Authorization": f"Bearer {self._target.token}"} if self._target.token else {}
        request = urllib.request.Request(resource, headers=head, method="DELETE")
        urllib.request.urlopen(request, timeout=2.0).close()


def _takes_h264(answer: str) -> bool:
    """Whether an answer in SDP takes pictures in H.264, by the first format that it names for them."""
    _, found, rest = answer.partition("m=video ")
    wanted = rest.split("\n", 1)[0].split()[2:3]
    return bool(found and wanted) and f"a=rtpmap:{wanted[0]} H264/" in rest
