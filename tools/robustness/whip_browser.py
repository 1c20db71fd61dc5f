"""WHIP into a browser: python -m tools.robustness.whip_browser --seconds 60.

A stage's loop flashes and claps once a second into the WHIP output; headless Chromium (Debian's `chromium`)
is the receiver. A small server between them takes the offer by WHIP's POST, hands it to a page in the
browser, and gives the page's answer back; pictures and sound go from lavlive to Chromium directly. Printed
are what arrived and how far claps are from flashes in the browser, by its own clock. Chromium is no part of
lavlive and its tests.
"""

from __future__ import annotations

import argparse
import json
import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from lavlive.stage.output.takers.addresses import Stream, WhipTarget
from lavlive.stage.output.takers.kinds import outlets_of
from lavlive.stage.output.takers.live_encoder import LiveSettings
from lavlive.stage.output.takers.outlets import Outlets
from tools.robustness.outputs import Loop, offsets
from tools.typed import size

_PAGE = Path(__file__).with_name("whip_page.html")


class Between:
    """The server between lavlive and the page.

    Attributes:
        told: what the page told last.
        asked: set once the page waits for an offer.
        ended: whether lavlive ended the session as WHIP wants it.
    """

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.asked = threading.Event()
        self.ended = False
        self._offers: queue.Queue[bytes] = queue.Queue()
        self._answers: queue.Queue[bytes] = queue.Queue()
        between = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/offer":
                    between.asked.set()
                    self._give(200, between._offers.get())
                else:
                    self._give(200, _PAGE.read_bytes(), "text/html; charset=utf-8")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/answer":
                    between._answers.put(body)
                    self._give(204)
                elif self.path == "/told":
                    between.told = json.loads(body)
                    self._give(204)
                elif self.headers.get("Authorization") == "Bearer SECRETKEY":
                    between._offers.put(body)
                    self._give(201, between._answers.get(timeout=20), "application/sdp")
                else:
                    self._give(401)

            def do_DELETE(self) -> None:
                between.ended = self.path == "/session"
                self._give(200)

            def _give(self, status: int, body: bytes = b"", kind: str = "text/plain") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if status == 201:
                    self.send_header("Location", "/session")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.1,), daemon=True).start()


def browser(program: str, address: str, folder: str) -> subprocess.Popen[bytes]:
    """Chromium without a window, which may play without a click and tells its real addresses."""
    command = [
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--mute-audio",
        "--no-first-run",
        "--autoplay-policy=no-user-gesture-required",
        "--disable-features=WebRtcHideLocalIpsWithMdns",
        f"--user-data-dir={folder}",
        address,
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def report(between: Between, outlets: Outlets, loop: Loop, problems: set[str]) -> bool:
    """Print what came of it; returns whether the browser saw and heard the show."""
    told, worker = between.told, outlets.all[0].worker
    stats = told.get("stats", {})
    video, sound = stats.get("video", {}), stats.get("audio", {})
    print(
        f"browser: {told.get('state')}, {stats.get('codec')}, {told.get('width')} x {told.get('height')}, "
        f"{told.get('pictures', 0)} pictures seen; decoded {video.get('framesDecoded')}, dropped "
        f"{video.get('framesDropped')}, {video.get('packetsLost')} packets lost"
    )
    print(
        f"its sound: {sound.get('packetsLost')} packets lost, {sound.get('concealedSamples')} samples of "
        f"{sound.get('totalSamplesReceived')} made up"
    )
    flashes, claps = ([at / 1000 for at in told.get(name, [])] for name in ("flashes", "claps"))
    found = [1000 * offset for offset in offsets(flashes, claps)]
    if found:
        print(
            f"clap − flash: median {statistics.median(found):+.1f}, p95 of its size "
            f"{np.percentile(np.abs(found), 95):.1f}, largest {max(found, key=abs):+.1f} ms of {len(found)}"
        )
    if told.get("apart"):
        apart = -np.array(told["apart"][3:] or told["apart"])
        jitter = [
            1000 * each.get("jitterBufferDelay", 0) / max(each.get("jitterBufferEmittedCount", 0), 1)
            for each in (sound, video)
        ]
        print(
            f"by the browser's own account sound plays {np.median(apart):+.1f} ms later than its picture; "
            f"it holds sound for {jitter[0]:.0f} ms, pictures for {jitter[1]:.0f} ms"
        )
    if worker is not None:
        print(f"opened {worker.begun} times, {worker.sent} pictures sent, {worker.dropped} left out")
    print(f"the show's spacing: {loop.pace}")
    print(f"told: {'; '.join(sorted(problems)) or 'nothing'}{told.get('error') or ''}")
    return bool(found)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--size", type=size, default="320x180")
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("Chromium is missing: apt install chromium.", file=sys.stderr)
        return 2
    between = Between()
    target = WhipTarget(f"{between.address}/whip", f"{between.address}/…", "SECRETKEY")
    outlets = Outlets(outlets_of([Stream("stream", target, LiveSettings(options.size, 30, 1500))]))
    problems: set[str] = set()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        child = browser(program, between.address, folder)
        try:
            if not between.asked.wait(60):
                print("The browser does not open the page.", file=sys.stderr)
                return 1
            loop = Loop(outlets, options.size)
            outlets.toggle("stream")
            loop.run(
                options.seconds,
                lambda _: problems.update(outlets.conditions(time.perf_counter()).values()),
            )
            good = report(between, outlets, loop, problems)
            outlets.close()
            print(f"session ended as WHIP wants it: {between.ended}")
        finally:
            child.terminate()
            child.wait(20)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
