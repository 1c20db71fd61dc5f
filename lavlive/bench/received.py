"""The other end of an output, in a process of its own: python -m lavlive.bench.received stream|ndi WHERE.

For every picture that arrives it writes a line: when, in seconds of `time.perf_counter`, which processes of
one machine share on Linux, and by how much it differs from the one before, in levels of 255.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lavlive.errors import UsageError

OUTPUTS = ("stream", "ndi")
_SMALL = 4
NDI_HERE = '{"ndi": {"networks": {"ips": "127.0.0.1,"}}}'
"""ndi-config.v1.json of a receiver that finds the senders of this machine without a service for names."""


def stream_pictures(address: str) -> Iterator[np.ndarray]:
    """Pictures of an MPEG transport stream as they come, [H, W] of brightness."""
    import av

    options = {"fflags": "nobuffer", "flags": "low_delay", "analyzeduration": "500000", "probesize": "100000"}
    with av.open(address, options=options) as container:
        container.streams.video[0].thread_type = "NONE"
        for packet in container.demux(video=0):
            with contextlib.suppress(av.error.InvalidDataError):  # before the first key picture
                for frame in packet.decode():
                    yield frame.to_ndarray(format="gray")


def received_by_ndi(
    name: str, until: float = math.inf
) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
    """Pictures, uint8 [H, W, 3], and sound, float32 [channels, n], of an NDI source as they come.

    Args:
        name: a part of the source's name.
        until: when to end, also before there is such a source, by `time.perf_counter`.
    """
    from cyndilib.audio_frame import AudioRecvFrame
    from cyndilib.finder import Finder
    from cyndilib.receiver import ReceiveFrameType, Receiver
    from cyndilib.video_frame import VideoRecvFrame
    from cyndilib.wrapper.ndi_recv import RecvBandwidth, RecvColorFormat

    with Finder() as finder:
        source = None
        while source is None:
            if time.perf_counter() > until:
                return
            finder.wait_for_sources(0.2)
            source = next((each for each in finder if name in each.name), None)
        receiver = Receiver(color_format=RecvColorFormat.RGBX_RGBA, bandwidth=RecvBandwidth.highest)
        picture, sound = VideoRecvFrame(), AudioRecvFrame()
        receiver.set_video_frame(picture)
        receiver.set_audio_frame(sound)
        receiver.set_source(source)
        while time.perf_counter() < until:
            kind = receiver.receive(ReceiveFrameType.recv_video | ReceiveFrameType.recv_audio, 200)
            pixels = samples = None
            if kind & ReceiveFrameType.recv_video and picture.get_buffer_depth():
                data = np.zeros(picture.get_buffer_size(), np.uint8)
                picture.fill_p_data(data)
                width, height = picture.get_resolution()
                pixels = data.reshape(height, width, 4)[..., :3]
            if kind & ReceiveFrameType.recv_audio and sound.get_buffer_depth():
                samples, _ = sound.get_all_read_data()
            yield pixels, samples


def ndi_pictures(name: str) -> Iterator[np.ndarray]:
    """Pictures of an NDI source as they come, [H, W] of brightness."""
    for pixels, _ in received_by_ndi(name):
        if pixels is not None:
            yield pixels[..., 1]


def report(pictures: Iterator[np.ndarray]) -> None:
    """Write a line for each picture."""
    before: np.ndarray | None = None
    for picture in pictures:
        now = time.perf_counter()
        small = picture[::_SMALL, ::_SMALL].astype(np.int16)
        same = before is not None and before.shape == small.shape
        change = float(np.abs(small - before).mean()) if same and before is not None else 0.0
        before = small
        print(f"{now} {change}", flush=True)


class Received:
    """Such a process. A context manager.

    Attributes:
        pictures: arrival and change of each picture so far.

    Raises:
        UsageError: an output that cannot be received here.
    """

    def __init__(self, output: str, where: str) -> None:
        if output not in OUTPUTS:
            raise UsageError(f"--output takes {' or '.join(OUTPUTS)}: these can be received on this machine.")
        self.pictures: list[tuple[float, float]] = []
        self._folder = tempfile.TemporaryDirectory()
        (Path(self._folder.name) / "ndi-config.v1.json").write_text(NDI_HERE)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lavlive.bench.received", output, where],
            env=os.environ | {"NDI_CONFIG_DIR": self._folder.name},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, name="received", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            at, _, change = line.partition(" ")
            self.pictures.append((float(at), float(change)))

    def __enter__(self) -> Received:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join(5.0)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._folder.cleanup()


def arrivals(clicks: list[float], pictures: list[tuple[float, float]], patience: float) -> list[float]:
    """Seconds from each click to the first received picture that it changed; those without one are left out.

    A picture counts as changed by the measure of those before the click, which stand all but still.
    """
    found = []
    for click in clicks:
        calm = [change for at, change in pictures if click - 0.15 <= at < click]
        threshold = 4 * max(calm, default=0.0) + 0.3
        for at, change in pictures:
            if click <= at < click + patience and change > threshold:
                found.append(at - click)
                break
    return found


if __name__ == "__main__":
    report({"stream": stream_pictures, "ndi": ndi_pictures}[sys.argv[1]](sys.argv[2]))
