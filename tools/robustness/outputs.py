"""Streams under stress, measured: python -m tools.robustness.outputs rtmp|srt --seconds 60 --restarts 3.

A stage's loop of 60 pictures a second, without a window, flashes and claps once a second. The stream goes to
a real server on this machine (nginx with its module for RTMP, or ffmpeg; SRT's own tool), which is killed and
started again. Printed are the offset of claps and flashes as received, how the stream came back, what was
left out, and the loop's spacing with and without the stream.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lavlive.link.contents import Picture
from lavlive.parameters import Values
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput
from lavlive.stage.output.takers.addresses import Stream, typed_stream
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.kinds import outlets_of
from lavlive.stage.output.takers.live_encoder import LiveSettings
from lavlive.stage.output.takers.outlets import Outlets
from tests.support.receivers import Receiver, free_port, srt_server
from tools.typed import size

RATE, SOUND_RATE = 60.0, 48_000
_VALUES = Values({"show.dissolve": 0.0, "show.scaling": "stretch", "show.flash_limit": False})
_FLASH_EVERY, _FLASH_SECONDS = 1.0, 0.1
_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")


@dataclass
class Loop:
    """A stage without an engine: presents, and gives away what was presented.

    Attributes:
        outlets: to whom.
        size: of the canvas.
        dark: the picture between flashes, uint8 [H, W, 3].
        spacing: seconds between pictures.
        flashes: when each was presented, by `time.perf_counter`.
        canvas: as it was drawn last between flashes, uint8 [H, W, 3].
    """

    outlets: Outlets
    size: tuple[int, int]
    dark: np.ndarray = field(default_factory=lambda: np.full((64, 64, 3), 20, np.uint8))
    spacing: list[float] = field(default_factory=list)
    flashes: list[float] = field(default_factory=list)
    canvas: np.ndarray | None = None

    @property
    def pace(self) -> str:
        """Its spacing in words."""
        spacing = 1000 * np.array(self.spacing)
        return f"median {np.median(spacing):.2f}, p99 {np.percentile(spacing, 99):.2f} ms"

    def run(self, seconds: float, between: Callable[[float], None] = lambda _: None) -> None:
        """Show for so long; `between` is called after every picture with the time since the beginning."""
        pictures = [self.dark, np.full((64, 64, 3), 230, np.uint8)]
        heard, due, clap_at = 0, 0.0, -1.0
        with HeadlessOutput(OutputSettings(canvas=self.size)) as output:
            began = last = time.perf_counter()
            number, lit = 0, False
            while (elapsed := time.perf_counter() - began) < seconds:
                number += 1
                now = began + elapsed
                if not elapsed % _FLASH_EVERY < _FLASH_SECONDS:
                    lit = False
                elif not lit:  # the clap is of the very moment at which the flash is shown
                    lit, clap_at = True, elapsed
                    self.flashes.append(now)
                output.present(Picture(pictures[lit], number, now, now, 0), _VALUES, now)
                if self.canvas is None and not lit:
                    self.canvas = output.read_canvas().copy()
                shot = output.fetch_shot()
                if shot is not None:
                    self.outlets.offer(shot)
                if self.outlets.ask(now):
                    output.begin_shot(now, self.outlets.largest)
                block = np.arange(heard, int(elapsed * SOUND_RATE)) / SOUND_RATE
                if len(block):
                    clap = np.where((block >= clap_at) & (block < clap_at + 0.02), 0.8, 0.0).astype(
                        np.float32
                    )
                    self.outlets.hear(SoundBlock(np.repeat(clap[:, None], 2, 1), began + heard / SOUND_RATE))
                    heard += len(block)
                self.outlets.news()
                between(elapsed)
                due += 1 / RATE
                time.sleep(max(0.0, began + due - time.perf_counter()))
                shown = time.perf_counter()
                self.spacing.append(shown - last)
                last = shown


class Server:
    """A server that can be killed and started again, with a fresh receiver each time."""

    def __init__(self, kind: str) -> None:
        self.kind, self.port = kind, free_port()
        self.receivers: list[Receiver] = []
        self._stack = contextlib.ExitStack()

    @property
    def address(self) -> str:
        """Where to stream to."""
        path = "/live/SECRETKEY" if self.kind == "rtmp" else ""
        return f"{self.kind}://127.0.0.1:{self.port}{path}"

    @property
    def name(self) -> str:
        """What it is."""
        if self.kind == "srt":
            return "srt-live-transmit"
        return "nginx" if _nginx() else "ffmpeg, listening"

    def start(self) -> None:
        """Begin a life, with somebody who receives."""
        if self.kind == "srt":
            address = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
            self.receivers.append(Receiver(f"{address}?fifo_size=100000", patience=5.0))
            self._stack.enter_context(srt_server(address, self.port))
        elif _nginx():
            self._stack.enter_context(nginx(self.port))
            self.receivers.append(_Patient(self.address))
        else:
            self.receivers.append(Receiver(self.address, {"listen": "1"}, patience=5.0))

    def kill(self) -> None:
        """End a life, without a word."""
        self._stack.close()
        self._stack = contextlib.ExitStack()


class _Patient(Receiver):
    """Asks a server again until there is something."""

    def run(self) -> None:
        deadline = time.perf_counter() + 40
        while not self.received.pictures and time.perf_counter() < deadline:
            super().run()
            time.sleep(0.2)


def _nginx() -> bool:
    return shutil.which("nginx") is not None and _MODULE.exists()


@contextlib.contextmanager
def nginx(port: int) -> Iterator[None]:
    """nginx with its module for RTMP, until it is killed."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
            f"load_module {_MODULE};\nevents {{ }}\n"
            f"rtmp {{ access_log off; server {{ listen 127.0.0.1:{port};"
            f" application live {{ live on; }} }} }}\n"
        )
        process = subprocess.Popen(
            ["nginx", "-c", str(configuration), "-p", folder], stderr=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


def offsets(flashes: Sequence[float], claps: Sequence[float]) -> list[float]:
    """Seconds from each flash to the clap nearest to it, as received."""
    if not claps:
        return []
    heard = np.array(claps)
    nearest = [float(heard[np.argmin(np.abs(heard - flash))] - flash) for flash in flashes]
    # The first and the last may have lost their other half.
    return [offset for offset in nearest[1:-1] if abs(offset) < _FLASH_EVERY / 2]


def measure(kind: str, seconds: float, restarts: int, size: tuple[int, int]) -> None:
    """Run it all, and print what came of it."""
    quiet = Loop(Outlets(), size)
    quiet.run(min(seconds, 20.0))
    server = Server(kind)
    server.start()
    told: list[str] = []
    settings = LiveSettings(size, 30, 1500)
    outlets = Outlets(
        outlets_of([Stream("stream", typed_stream(server.address).target, settings)]), told.append
    )
    loop = Loop(outlets, size)
    outlets.toggle("stream")
    kills = [seconds * (number + 1) / (restarts + 1) for number in range(restarts)]
    starts = [kill + 2.0 for kill in kills]
    problems: set[str] = set()

    def between(elapsed: float) -> None:
        problems.update(outlets.conditions(time.perf_counter()).values())
        if kills and elapsed > kills[0]:
            kills.pop(0)
            server.kill()
        if starts and elapsed > starts[0]:
            starts.pop(0)
            server.start()

    loop.run(seconds, between)
    worker = outlets.all[0].worker
    outlets.close()
    server.kill()
    for receiver in server.receivers:
        receiver.join(60)
    print(f"{kind} to {server.name}, {size[0]} x {size[1]}, {seconds:.0f} s, {restarts} restarts")
    for number, receiver in enumerate(server.receivers):
        received = receiver.received
        found = [1000 * offset for offset in offsets(received.flashes(), received.claps())]
        sync = (
            f"clap − flash: median {statistics.median(found):+.1f}, "
            f"largest {max(found, key=abs):+.1f} ms of {len(found)}"
            if found
            else "nothing to compare"
        )
        print(f"  life {number + 1}: {len(received.pictures)} pictures received, {sync}")
    assert worker is not None
    print(f"  opened {worker.begun} times, {worker.sent} pictures sent, {worker.dropped} left out")
    print(f"  told: {'; '.join(sorted(problems) + told)}")
    assert not any("SECRETKEY" in line for line in [*problems, *told])
    for name, each in (("without", quiet), ("with", loop)):
        print(f"  spacing {name} it: {each.pace}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("rtmp", "srt"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--size", type=size, default="320x180")
    options = parser.parse_args()
    measure(options.kind, options.seconds, options.restarts, options.size)


if __name__ == "__main__":
    main()
