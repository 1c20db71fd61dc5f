"""WHIP's stamps and reports: a receiver that reckons as browsers do puts pictures and sound where they were.

No network and no browser: aiortc's own senders send onto a wire that keeps what it is given, in a loop whose
time jumps from one thing to wait for to the next.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.live_encoder import LiveSettings
from lavlive.stage.output.takers.whip import _takes_h264

rtp = pytest.importorskip("aiortc.rtp")
rtcrtpsender = pytest.importorskip("aiortc.rtcrtpsender")
parameters = pytest.importorskip("aiortc.rtcrtpparameters")

from lavlive.stage.output.takers.whip_clock import Reports, ShowClock  # noqa: E402
from lavlive.stage.output.takers.whip_tracks import PICTURE_RATE, PIECE, Pictures, Rhythm, Sound  # noqa: E402

SETTINGS = LiveSettings((64, 36), 30, 200, "software")
SOUND_RATE = 48_000
BEGUN = 5000.0
"""Of the show's clock, seconds."""
STALL = (0.6, 0.78)
"""Seconds during which the show's loop hands over nothing."""


class _Jumps(selectors.DefaultSelector):
    """Nobody waits: time goes on at once."""

    now = BEGUN

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout else timeout)
        if not ready and timeout:
            self.now += timeout
        return ready


class Wire:
    """Keeps what is sent, with the time, in place of an encrypted connection."""

    state = "connected"
    _stats_id = "wire"

    def __init__(self, now: Any) -> None:
        self.now = now
        self.packets: list[tuple[float, Any]] = []
        self.reports: list[tuple[float, Any]] = []

    def _register_rtp_sender(self, *_: Any) -> None:
        pass

    def _unregister_rtp_sender(self, *_: Any) -> None:
        pass

    async def _send_rtp(self, data: bytes) -> None:
        if rtp.is_rtcp(data):
            parsed = rtp.RtcpPacket.parse(data)
            self.reports += [(self.now(), each) for each in parsed if isinstance(each, rtp.RtcpSrPacket)]
        else:
            self.packets.append((self.now(), rtp.RtpPacket.parse(data)))


class Sending:
    """Both tracks, their senders and what they sent in two seconds of a show whose loop is uneven."""

    def __init__(self) -> None:
        jumps = _Jumps()
        self.loop = asyncio.SelectorEventLoop(jumps)
        self.loop.time = lambda: jumps.now  # type: ignore[method-assign]
        self.loop.run_in_executor = self.encode  # type: ignore[method-assign, assignment]
        self.clock = ShowClock(self.loop.time)
        self.clock.begin()
        self.random = np.random.default_rng(0)
        self.wires: dict[str, Wire] = {}
        self.senders: dict[str, Any] = {}
        self.shots: list[float] = []

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    async def encode(self, _: Any, work: Callable[..., Any], *given: Any) -> Any:
        """A thread that takes 5 to 50 ms of the loop's own time."""
        made = work(*given)
        await asyncio.sleep(self.random.uniform(0.005, 0.05))
        return made

    async def open(self) -> None:
        self.pictures, self.sound = Pictures(SETTINGS, self.clock), Sound(self.clock)
        for track, name, clock_rate, called in (
            (self.pictures, "video/H264", PICTURE_RATE, (self.pictures.want_key, self.pictures.limit)),
            (self.sound, "audio/opus", SOUND_RATE, ()),
        ):
            wire = self.wires[track.kind] = Wire(self.loop.time)
            sender = self.senders[track.kind] = rtcrtpsender.RTCRtpSender(track, wire)
            Reports(sender, track, self.clock, clock_rate, *called)
            codec = parameters.RTCRtpCodecParameters(name, clock_rate, payloadType=100)
            await sender.send(parameters.RTCRtpSendParameters(codecs=[codec], muxId="0"))

    async def show(self, seconds: float = 2.0) -> None:
        """Pictures at 30 and sound at 60 a second, as a loop at 60 gives them; sound is 40 ms ahead."""
        await self.open()
        random = self.random
        given, number = 0, 0
        while (elapsed := self.loop.time() - BEGUN) < seconds:
            if not STALL[0] < elapsed < STALL[1]:
                until = int((elapsed + 0.04) * SOUND_RATE)
                self.sound.give(np.zeros((until - given, 2), np.float32))
                given = until
                if number % 2 == 0:
                    pixels = random.integers(0, 255, (36, 64, 3), np.uint8)
                    shot = Shot(pixels, self.loop.time() - random.uniform(0.005, 0.03))
                    self.pictures.give(shot)
                    self.shots.append(shot.time)
            number += 1
            await asyncio.sleep(random.uniform(0.005, 0.028))

    async def close(self) -> None:
        for sender in self.senders.values():
            await sender.stop()

    def placed(self, kind: str, rate: int) -> np.ndarray:
        """The show's time of each stamp, by each report: [reports, stamps] in seconds from the beginning."""
        wire = self.wires[kind]
        stamps = list(dict.fromkeys(packet.timestamp for _, packet in wire.packets))
        rows = []
        for _, report in wire.reports:
            info = report.sender_info
            base = info.ntp_timestamp / 2**32 - 2_208_988_800 - self.clock.date
            rows.append(
                [base + ((stamp - info.rtp_timestamp + 2**31) % 2**32 - 2**31) / rate for stamp in stamps]
            )
        return np.array(rows)


@pytest.fixture(scope="module")
def sent() -> Any:
    """What was sent, reports twenty times a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rtcrtpsender, "random", SimpleNamespace(random=lambda: -0.45))
        patch.setattr(rtcrtpsender, "random32", lambda: 2**32 - 2000)
        sending = Sending()
        sending.run(sending.show())
        yield sending
        sending.run(sending.close())
        sending.loop.close()


def test_every_report_puts_every_picture_at_the_moment_at_which_it_was_shown(sent: Sending) -> None:
    placed = sent.placed("video", PICTURE_RATE)
    assert placed.shape[0] > 20
    assert placed.shape[1] > 30
    shown = np.array(sent.shots) - BEGUN
    for found in placed.T:
        assert np.abs(shown - found[0]).min() < 2e-5
        assert np.ptp(found) < 2e-5


def test_every_report_puts_every_packet_of_sound_at_the_moment_to_which_it_belongs(sent: Sending) -> None:
    placed = sent.placed("audio", SOUND_RATE)
    assert placed.shape[0] > 20
    # Opus decodes 6.5 ms before what a packet was given
    belongs = np.arange(placed.shape[1]) * PIECE / SOUND_RATE - 0.0065
    np.testing.assert_allclose(placed, np.broadcast_to(belongs, placed.shape), atol=3e-5)


def test_sound_goes_every_20_ms_though_it_comes_in_bursts(sent: Sending) -> None:
    times = np.array([at for at, _ in sent.wires["audio"].packets])
    settled = times[(times > BEGUN + 0.3) & (times < BEGUN + STALL[0])]
    assert len(settled) > 10
    np.testing.assert_allclose(np.diff(settled), 0.02, atol=0.0015)
    late = times[times > BEGUN + STALL[1] + 0.1]
    assert np.diff(late).min() > 0.015


def test_a_stall_holds_sound_no_longer_than_is_good_for_it() -> None:
    rhythm = Rhythm()
    assert rhythm.due(1.0, 1.01) == pytest.approx(1.01)
    assert rhythm.due(1.02, 1.5) == pytest.approx(1.5)
    assert rhythm.due(1.04, 1.05) == pytest.approx(1.09)
    for number in range(200):
        belongs = 1.06 + 0.02 * number
        due = rhythm.due(belongs, belongs + 0.01)
    assert due == pytest.approx(belongs + 0.01)


def test_a_receiver_gets_a_key_picture_when_it_asks_and_no_more_bits_than_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sending = Sending()
    bits: list[tuple[bool, int]] = []

    async def ask() -> None:
        await sending.open()
        encode = sending.pictures._encoder.encode

        def watch(shot: Shot, stamp: int, key: bool, most: int) -> Any:
            packet = encode(shot, stamp, key, most)
            assert packet is not None
            bits.append((packet.is_keyframe, sending.pictures._encoder._context.bit_rate))
            return packet

        monkeypatch.setattr(sending.pictures._encoder, "encode", watch)
        sender = sending.senders["video"]

        async def show(number: int) -> None:
            sending.pictures.give(Shot(np.full((36, 64, 3), number, np.uint8), BEGUN + number / 30))
            while len(bits) <= number:
                await asyncio.sleep(0.001)

        await show(0)
        await show(1)
        remb = rtp.pack_remb_fci(100_000, [sender._ssrc])
        await sender._handle_rtcp_packet(rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_PLI, 1, sender._ssrc))
        await show(2)
        await sender._handle_rtcp_packet(rtp.RtcpPsfbPacket(rtp.RTCP_PSFB_APP, 1, 0, remb))
        await show(3)
        await sending.close()

    sending.run(ask())
    sending.loop.close()
    assert [key for key, _ in bits] == [True, False, True, False]
    assert [rate for _, rate in bits] == [200_000, 200_000, 200_000, 100_000]


@pytest.mark.parametrize(
    ("answer", "takes"),
    [
        ("m=audio 9 X 96\r\nm=video 9 UDP/TLS/RTP/SAVPF 99 97\r\na=rtpmap:99 H264/90000\r\n", True),
        ("m=video 9 UDP/TLS/RTP/SAVPF 97 99\r\na=rtpmap:97 VP8/90000\r\na=rtpmap:99 H264/90000\r\n", False),
        ("m=audio 9 X 96\r\n", False),
    ],
)
def test_aiortc_encodes_where_the_answer_takes_no_h264(answer: str, takes: bool) -> None:
    assert _takes_h264(answer) is takes
