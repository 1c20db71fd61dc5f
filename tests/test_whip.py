"""WHIP: a server in this process answers the offer and sees the pictures and hears the sound."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import av
import numpy as np
import pytest

from lavlive.errors import OutputError, OutputMissingError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.addresses import WhipTarget, typed_stream
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.live_encoder import LiveSettings
from lavlive.stage.output.takers.whip import WhipTaker
from tests.support.waiting import wait_until

SETTINGS = LiveSettings((160, 90), 30, 400)


class WhipServer:
    """Takes one session; anything but the right token is refused."""

    def __init__(self) -> None:
        self.levels: list[float] = []
        self.loudest = 0.0
        self.deleted = False
        self.codec = ""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.headers.get("Authorization") != "Bearer SECRET":
                    self.send_error(401)
                    return
                assert self.headers["Content-Type"] == "application/sdp"
                if self.path == "/elsewhere":
                    self.send_response(307)
                    self.send_header("Location", "/whip")
                    self.end_headers()
                    return
                answer = asyncio.run_coroutine_threadsafe(server.answer(offer), server.loop).result(20)
                self.send_response(201)
                self.send_header("Location", "/session/1")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            def do_DELETE(self) -> None:
                server.deleted = self.path == "/session/1"
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/whip"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    async def answer(self, offer: str) -> str:
        import aiortc

        self.peer = aiortc.RTCPeerConnection()
        self.tasks: list[asyncio.Task[None]] = []

        @self.peer.on("track")
        def on_track(track: Any) -> None:
            self.tasks.append(asyncio.ensure_future(self.watch(track)))

        await self.peer.setRemoteDescription(aiortc.RTCSessionDescription(offer, "offer"))
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        return str(self.peer.localDescription.sdp)

    async def watch(self, track: Any) -> None:
        import aiortc

        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.levels.append(float(frame.to_ndarray(format="gray").mean()))
                else:
                    self.loudest = max(self.loudest, float(np.abs(frame.to_ndarray()).max()) / 32768)
        except aiortc.mediastreams.MediaStreamError:
            pass

    async def end(self) -> None:
        await self.peer.close()
        await asyncio.gather(*self.tasks)

    def close(self) -> None:
        if hasattr(self, "peer"):
            asyncio.run_coroutine_threadsafe(self.end(), self.loop).result(10)
        self.http.shutdown()
        self.http.server_close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


def test_a_whip_server_that_sends_on_to_another_address_sees_and_hears_the_show() -> None:
    pytest.importorskip("aiortc")
    server = WhipServer()
    target = WhipTarget(server.address.replace("/whip", "/elsewhere"), "http://127.0.0.1/…", "SECRET")
    taker = WhipTaker(target, SETTINGS)
    tone = 0.5 * np.sin(np.arange(1600) * 0.05)[:, None].repeat(2, axis=1).astype(np.float32)
    begun = time.perf_counter()
    for number in range(600):
        time.sleep(0.01)
        pixels = np.full((90, 160, 3), 200, np.uint8)
        taker.take(Shot(pixels, begun + number / 30), [SoundBlock(tone, begun + number / 30)])
        if len(server.levels) > 5 and server.loudest > 0.4:
            break
    taker.close()
    wait_until(lambda: server.deleted)
    server.close()
    assert server.levels[-1] == pytest.approx(200, abs=6)
    assert server.loudest == pytest.approx(0.5, abs=0.15)


def test_a_wrong_key_and_a_server_that_is_away_are_told_without_key_and_address() -> None:
    pytest.importorskip("aiortc")
    server = WhipServer()
    with pytest.raises(OutputError, match=r"refuses the stream \(401\); check address and key") as told:
        WhipTaker(WhipTarget(server.address + "/PRIVATE", "http://127.0.0.1/…", "WRONG"), SETTINGS)
    assert "PRIVATE" not in str(told.value)
    assert "WRONG" not in str(told.value)
    server.close()
    stream = typed_stream(f"http://127.0.0.1:{server.http.server_port}/whip/PRIVATE")
    assert isinstance(stream.target, WhipTarget)
    with pytest.raises(OutputError, match="cannot be reached") as told:
        WhipTaker(stream.target, SETTINGS)
    assert "PRIVATE" not in str(told.value)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiortc", None)
    with pytest.raises(OutputMissingError, match=r"pip install 'lavlive\[whip\]'"):
        WhipTaker(WhipTarget("http://h/x", "http://h/…"), SETTINGS)
