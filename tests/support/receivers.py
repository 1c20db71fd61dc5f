"""Receivers of streams: ffmpeg as a server of RTMP, SRT's own tool; ear and eye for claps and flashes."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import av
import numpy as np
import pytest

from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.base import SoundBlock, Taker
from tests.support.waiting import end

SIZE, RATE = (160, 90), 48_000
FLASHES = (0.9, 1.75, 2.6)
"""Seconds at which there is a flash, and a clap."""
_FLASH_SECONDS = 0.1


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that nobody has at the moment."""
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Received:
    """What came: brightness of each picture and loudness of the sound, with their times in the stream."""

    pictures: list[tuple[float, float]] = field(default_factory=list)
    sound: list[tuple[float, np.ndarray]] = field(default_factory=list)
    shape: tuple[int, ...] = ()
    failure: str = ""

    def flashes(self) -> list[float]:
        """When flashes began."""
        lit = [(time, level > 128) for time, level in self.pictures]
        return [time for (_, before), (time, now) in itertools.pairwise(lit) if now and not before]

    def claps(self) -> list[float]:
        """When claps began."""
        found: list[float] = []
        for begin, samples in self.sound:
            for index in np.flatnonzero(np.abs(samples) > 0.25):
                at = begin + int(index) / RATE
                if not found or at - found[-1] > 0.3:
                    found.append(at)
        return found


class Receiver(threading.Thread):
    """Opens an address as ffmpeg does, and decodes until its end, or until nothing came for `patience` s."""

    def __init__(self, address: str, options: dict[str, str] | None = None, patience: float = 5.0) -> None:
        super().__init__(daemon=True)
        self.received = Received()
        self._address, self._options, self._patience = address, options or {}, patience
        self.start()

    def run(self) -> None:
        found = self.received
        try:
            with av.open(self._address, options=self._options, timeout=(20.0, self._patience)) as container:
                for frame in container.decode():
                    if isinstance(frame, av.VideoFrame):
                        pixels = frame.to_ndarray(format="gray")
                        found.shape = pixels.shape
                        found.pictures.append((frame.time, float(pixels.mean())))
                    elif isinstance(frame, av.AudioFrame):
                        found.sound.append((frame.time, frame.to_ndarray()[0]))
        except av.FFmpegError as error:
            found.failure = type(error).__name__


def feed(
    taker: Taker, seconds: float = 3.2, begin: float = 50.0, rate: float = 30.0, ppm: float = 0.0
) -> None:
    """Give a taker pictures and sound of a clock of ours, with a clap and a flash at the same moments."""
    true = RATE * (1 + ppm * 1e-6)
    heard = 0
    for number in range(int(seconds * rate)):
        time = number / rate
        lit = any(flash <= time < flash + _FLASH_SECONDS for flash in FLASHES)
        block = np.arange(heard, int(time * true)) / true
        claps = [(block >= flash) & (block < flash + 0.02) for flash in FLASHES]
        samples = np.repeat(np.where(np.any(claps, axis=0), 0.8, 0.0)[:, None], 2, axis=1).astype(np.float32)
        sound = [SoundBlock(samples, begin + heard / true)] if len(samples) else []
        heard += len(samples)
        pixels = np.full((SIZE[1], SIZE[0], 3), 230 if lit else 20, np.uint8)
        taker.take(Shot(pixels, begin + time), sound)


@contextmanager
def srt_server(output: str, port: int, options: str = "") -> Iterator[None]:
    """SRT's own tool, which hands what it receives on to an address."""
    program = shutil.which("srt-live-transmit")
    if program is None:
        pytest.skip("srt-live-transmit (srt-tools) is not installed")
    command = [
        program,
        "-q",
        "-a:no",
        "-loglevel:fatal",
        f"srt://127.0.0.1:{port}?mode=listener{options}",
        output,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        end(process)
