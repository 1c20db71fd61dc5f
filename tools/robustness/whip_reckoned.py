"""WHIP without a browser: python -m tools.robustness.whip_reckoned --seconds 30.

A loop flashes and claps once a second into the WHIP output, and a receiver of aiortc in this process puts
both on one clock as a browser does for its lip sync: by the senders' reports. Printed is how far claps are
from flashes on that clock; how late either arrives has no part in it, so that a busy machine can be measured,
too.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import aiortc
import av
import numpy as np

from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.addresses import Stream, WhipTarget
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.kinds import outlets_of
from lavlive.stage.output.takers.live_encoder import LiveSettings
from lavlive.stage.output.takers.outlets import Outlets
from tests.test_whip import WhipServer
from tools.robustness.outputs import offsets

_RATES = {"video": 90_000, "audio": 48_000}
_SOUND_RATE, _LOOP_RATE = 48_000, 60.0
_FLASH_SECONDS, _CLAP_SECONDS = 0.1, 0.02


class Reckoning(WhipServer):
    """Takes one session, and notes when there were flashes and claps, by the reports that came so far."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[float]] = {"video": [], "audio": []}
        self._reports: dict[str, tuple[int, int]] = {}
        self._first: dict[str, int] = {}
        self._last: dict[str, float] = {}
        self._lit = False

    async def answer(self, offer: str) -> str:
        """The answer to an offer."""
        told = await super().answer(offer)
        for transceiver in self.peer.getTransceivers():
            self._listen(transceiver.receiver, transceiver.kind)
        return told

    def _listen(self, receiver: Any, kind: str) -> None:
        handle = receiver._handle_rtcp_packet

        async def note(packet: Any) -> None:
            if isinstance(packet, aiortc.rtp.RtcpSrPacket) and packet.sender_info.ntp_timestamp:
                self._reports[kind] = packet.sender_info.ntp_timestamp, packet.sender_info.rtp_timestamp
            await handle(packet)

        receive = receiver._handle_rtp_packet

        async def note_first(packet: Any, arrival_time_ms: int) -> None:
            # What aiortc decodes is stamped from the first packet on.
            self._first.setdefault(kind, packet.timestamp)
            await receive(packet, arrival_time_ms)

        receiver._handle_rtcp_packet, receiver._handle_rtp_packet = note, note_first

    async def watch(self, track: Any) -> None:
        """Look at and listen to a track until its end."""
        try:
            while True:
                self._take(track.kind, await track.recv())
        except aiortc.mediastreams.MediaStreamError:
            pass

    def _take(self, kind: str, frame: Any) -> None:
        if isinstance(frame, av.VideoFrame):
            lit = float(frame.to_ndarray(format="gray").mean()) > 128
            self.levels.append(float(lit))
            if lit and not self._lit:
                self._note(kind, frame.pts)
            self._lit = lit
            return
        loud = np.flatnonzero(np.abs(frame.to_ndarray().reshape(-1, 2)[:, 0].astype(float)) > 8000)
        if len(loud):
            self._note(kind, frame.pts + int(loud[0]))

    def _note(self, kind: str, stamp: int) -> None:
        if kind not in self._reports:
            return
        ntp, reported = self._reports[kind]
        apart = (self._first[kind] + stamp - reported + 2**31) % 2**32 - 2**31
        at = (ntp % 2**48) / 2**32 + apart / _RATES[kind]
        if at - self._last.get(kind, -1.0) > 0.3:
            self.found[kind].append(at)
        self._last[kind] = at


def run(outlets: Outlets, seconds: float, size: tuple[int, int]) -> None:
    """A loop of 60 a second that flashes and claps."""
    dark, bright = (np.full((size[1], size[0], 3), level, np.uint8) for level in (20, 230))
    began = heard = time.perf_counter()
    lit, clap_at = False, 0.0
    while (now := time.perf_counter()) < began + seconds:
        if outlets.ask(now):
            was_lit, lit = lit, (now - began) % 1.0 < _FLASH_SECONDS
            if lit and not was_lit:  # the clap is of the moment of the flash's first picture
                clap_at = now
            outlets.offer(Shot(bright if lit else dark, now))
        times = heard + np.arange(int((now - heard) * _SOUND_RATE)) / _SOUND_RATE
        if len(times):
            clap = np.where((times >= clap_at) & (times < clap_at + _CLAP_SECONDS), 0.8, 0.0).astype(
                np.float32
            )
            outlets.hear(SoundBlock(np.repeat(clap[:, None], 2, axis=1), heard))
            heard += len(times) / _SOUND_RATE
        outlets.news()
        time.sleep(max(0.0, now + 1 / _LOOP_RATE - time.perf_counter()))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--size", default="640x360")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    server = Reckoning()
    target = WhipTarget(server.address, "http://127.0.0.1/…", "SECRET")
    outlets = Outlets(outlets_of([Stream("stream", target, LiveSettings((width, height), 30, 1500))]))
    outlets.toggle("stream")
    run(outlets, options.seconds, (width, height))
    worker = outlets.all[0].worker
    outlets.close()
    server.close()
    found = 1000 * np.array(offsets(server.found["video"], server.found["audio"]))
    assert worker is not None
    print(f"{worker.sent} pictures sent, {len(server.levels)} received")
    if len(found):
        print(
            f"clap − flash by the reports: median {np.median(found):+.1f}, p95 of its size "
            f"{np.percentile(np.abs(found), 95):.1f}, largest {max(found, key=abs):+.1f} ms of {len(found)}"
        )


if __name__ == "__main__":
    main()
