"""The other end of an output, in a process of its own: python -m lavlive.bench.received stream|ndi WHERE.

For every picture that arrives it writes a line: when, in seconds of `time.perf_counter`, which processes of
one machine share on Linux, and its likeness: how bright each part of it is. How late pictures are follows
from laying the likenesses that arrived over those that were given away; no click need be told apart in a
picture that an encoder has softened.
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lavlive.errors import UsageError

OUTPUTS = ("stream", "ndi")
_GRID = (4, 6)
"""Parts of a likeness, down and across."""
_SMALL = 4
_BEFORE, _AFTER = 0.1, 0.35
"""Seconds around a moment in which pictures are compared."""
_LONGEST = 1.5
"""Seconds by which a picture may be late."""
_STEPS = (0.004, 0.001)
"""Seconds between the delays that are tried: all of them first, then those around the best."""
_APART = 0.5
"""A delay that explains less of what changed is none."""
_LEAST_CHANGE = 0.15
"""Levels of 255: of pictures that stand still nobody can tell how late they are."""
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
NDI_HERE = '{"ndi": {"networks": {"ips": "127.0.0.1,"}}}'
"""ndi-config.v1.json of a receiver that finds the senders of this machine without a service for names."""


def stream_pictures(address: str) -> Iterator[np.ndarray]:
    """Pictures of an MPEG transport stream as they come, [H, W] of brightness."""
    import av

    # Without a parser, which would keep each picture back until the next one begins.
    options = {
        "fflags": "nobuffer+noparse+nofillin",
        "flags": "low_delay",
        "analyzeduration": "500000",
        "probesize": "100000",
    }
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
    """Pictures of an NDI source as they come, uint8 [H, W, 3]."""
    for pixels, _ in received_by_ndi(name):
        if pixels is not None:
            yield pixels


def likeness(pixels: np.ndarray) -> np.ndarray:
    """How bright each part of a picture is, float64 [24] of levels of 255, from uint8 [H, W] or [H, W, 3]."""
    small = pixels[::_SMALL, ::_SMALL]
    small = small @ _LUMA if small.ndim == 3 else small.astype(np.float32)
    rows = np.array_split(small, _GRID[0], axis=0)
    return np.array([part.mean() for row in rows for part in np.array_split(row, _GRID[1], axis=1)])


def report(pictures: Iterator[np.ndarray]) -> None:
    """Write a line for each picture."""
    for picture in pictures:
        now = time.perf_counter()
        print(now, *(f"{part:.2f}" for part in likeness(picture)), flush=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture at one end: when, seconds, and its likeness."""

    at: float
    likeness: np.ndarray


class Received:
    """Such a process. A context manager.

    Attributes:
        pictures: what has arrived so far.

    Raises:
        UsageError: an output that cannot be received here.
    """

    def __init__(self, output: str, where: str) -> None:
        if output not in OUTPUTS:
            raise UsageError(f"--output takes {' or '.join(OUTPUTS)}: these can be received on this machine.")
        self.pictures: list[Seen] = []
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
            at, *parts = map(float, line.split())
            self.pictures.append(Seen(at, np.array(parts)))

    def __enter__(self) -> Received:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join(5.0)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._folder.cleanup()


def delay(moment: float, given: Sequence[Seen], arrived: Sequence[Seen]) -> float | None:
    """Seconds from giving pictures away to their arrival around a moment, None where it cannot be told.

    The delay is the one at which what arrived is most like what was given away.
    """
    sent = [seen for seen in given if moment - _BEFORE <= seen.at < moment + _AFTER]
    came = [seen for seen in arrived if moment - _BEFORE <= seen.at < moment + _AFTER + _LONGEST]
    if len(sent) < 3 or len(came) < 3:
        return None
    wanted = np.array([seen.likeness for seen in sent])
    wanted -= wanted.mean(axis=0)
    spread = float(np.square(wanted).mean())
    if spread < _LEAST_CHANGE**2:
        return None
    times, arrivals = np.array([seen.at for seen in sent]), np.array([seen.at for seen in came])
    found = np.array([seen.likeness for seen in came])

    def error(late: float) -> float:
        """What such a delay leaves unexplained, as a share of what changed."""
        inside = (arrivals - late >= times[0]) & (arrivals - late <= times[-1])
        if inside.sum() < 3:
            return float("inf")
        at = np.interp(arrivals[inside] - late, times, np.arange(len(times)))
        low = np.minimum(at.astype(int), len(times) - 2)
        share = (at - low)[:, None]
        likely = (1 - share) * wanted[low] + share * wanted[low + 1]
        likely -= likely.mean(axis=0)
        if (changes := float(np.square(likely).mean())) < spread / 4:
            return float("inf")  # where little changes everything is alike
        seen = found[inside] - found[inside].mean(axis=0)  # an encoder's own brightness is no change
        return float(np.square(seen - likely).mean()) / changes

    coarse, fine = _STEPS
    about = min(np.arange(0.0, _LONGEST, coarse), key=error)
    best = min(np.arange(max(0.0, about - coarse), about + coarse, fine), key=error)
    return float(best) if error(best) < _APART else None


if __name__ == "__main__":
    report({"stream": stream_pictures, "ndi": ndi_pictures}[sys.argv[1]](sys.argv[2]))
