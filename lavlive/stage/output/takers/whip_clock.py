"""The clock of a WebRTC connection, and what its senders report of it.

A receiver puts sound and picture together by what the senders report: which moment of one clock each track's
time stamps belong to. aiortc reports the moment at which a packet was *sent* as the one its stamp belongs to;
pictures are sent some milliseconds after what they show, sound earlier or later than that, and neither
evenly, so that a receiver's lip sync follows how busy this machine is. Here stamps and reports are on the
show's clock alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc import rtp

_NTP_BEFORE_UNIX = 2_208_988_800
"""Seconds from 1900 to 1970."""
_STAMPS = 1 << 32
LEAST_BITS = 100_000
"""A second; with less there is no picture to speak of, whatever the receiver says."""


@dataclass
class ShowClock:
    """Seconds of the show's clock, and the NTP time that belongs to them.

    It never jumps, though the computer's date may.

    Attributes:
        now: seconds of the clock by which pictures and sound have their times.
        begun: where the stamps of both tracks begin.
        date: seconds since 1970 at `begun`.
    """

    now: Callable[[], float] = time.perf_counter
    begun: float = 0.0
    date: float = 0.0

    def begin(self) -> None:
        """Let the stamps begin at this moment."""
        self.begun, self.date = self.now(), time.time()

    def ntp(self, moment: float) -> int:
        """NTP's 64 bits of a moment of `now`."""
        return round((self.date + _NTP_BEFORE_UNIX + moment - self.begun) * (1 << 32))


class Reports:
    """Stands between one of aiortc's senders and what it reports and is told; its loop's.

    Args:
        sender: an `RTCRtpSender`; its methods for RTCP are replaced.
        track: its track, a `whip_tracks.Stamped`, which knows the stamp of what was sent.
        rate: of the stamps, a second.
        key_picture: called where the receiver needs a picture that stands for itself.
        bits: called with the bits a second that the receiver's network takes.
    """

    def __init__(
        self,
        sender: Any,
        track: Any,
        clock: ShowClock,
        rate: int,
        key_picture: Callable[[], None] = lambda: None,
        bits: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._sender, self._track, self._clock, self._rate = sender, track, clock, rate
        self._key_picture, self._bits = key_picture, bits
        # aiortc adds a random number to every stamp, which nobody else is told.
        self._origin: int | None = None
        self._send, self._handle = sender._send_rtcp, sender._handle_rtcp_packet
        sender._send_rtcp, sender._handle_rtcp_packet = self._report, self._told

    async def _report(self, packets: list[Any]) -> None:
        for packet in packets:
            if isinstance(packet, rtp.RtcpSrPacket) and not self._corrected(packet.sender_info):
                return  # before anything was sent there is nothing to report
        await self._send(packets)

    def _corrected(self, info: rtp.RtcpSenderInfo) -> bool:
        if self._origin is None and info.packet_count and self._track.sent is not None:
            self._origin = (info.rtp_timestamp - self._track.sent) % _STAMPS
        if self._origin is None:
            return False
        now = self._clock.now()
        info.ntp_timestamp = self._clock.ntp(now)
        info.rtp_timestamp = (self._origin + round((now - self._clock.begun) * self._rate)) % _STAMPS
        return True

    async def _told(self, packet: Any) -> None:
        if isinstance(packet, rtp.RtcpPsfbPacket):
            if packet.fmt in (rtp.RTCP_PSFB_PLI, rtp.RTCP_PSFB_FIR):
                self._key_picture()
            elif packet.fmt == rtp.RTCP_PSFB_APP:
                self._limit(packet.fci)
        await self._handle(packet)

    def _limit(self, told: bytes) -> None:
        try:
            bits, sources = rtp.unpack_remb_fci(told)
        except ValueError:
            return
        if self._sender._ssrc in sources:
            self._bits(bits)
