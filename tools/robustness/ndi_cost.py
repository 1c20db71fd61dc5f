"""What sending NDI costs: python -m tools.robustness.ndi_cost --seconds 10 --size 1920x1080 --rate 30.

A generator's picture, moved a little each time, goes to a receiver in another process. Printed are the
processors' seconds that sending a second takes, threads of NDI's library included, and how long a call of the
output holds its thread up. Processors' seconds hardly depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import secrets
import time

import av
import numpy as np
import psutil

from lavlive.bench.received import Received
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.ndi import NdiTaker
from tools.robustness.ndi import picture

_SETTLE = 20
"""Pictures before anything is counted."""


def canvases(size: tuple[int, int]) -> list[np.ndarray]:
    """Eight pictures that differ, uint8 [H, W, 3]."""
    width, height = size
    small = av.VideoFrame.from_ndarray(picture(), "rgb24")
    large = small.reformat(width, height, interpolation="BICUBIC").to_ndarray(format="rgb24")
    return [np.ascontiguousarray(np.roll(large, 7 * number, axis=1)) for number in range(8)]


def measure(seconds: float, size: tuple[int, int], rate: float) -> None:
    """Send for so long, and print what it took."""
    shown, name = canvases(size), f"lavlive {secrets.token_hex(3)}"
    taker = NdiTaker(name)
    with Received("ndi", name) as received:
        while len(received.pictures) < 2:
            taker.take(Shot(shown[0], time.perf_counter()), [])
            time.sleep(0.1)
        took: list[float] = []
        process = psutil.Process()
        due, began = time.perf_counter(), process.cpu_times()
        for number in range(_SETTLE + round(seconds * rate)):
            if number == _SETTLE:
                began, took = process.cpu_times(), []
            now = time.perf_counter()
            taker.take(Shot(shown[number % len(shown)], now), [])
            took.append(time.perf_counter() - now)
            due += 1 / rate
            time.sleep(max(0.0, due - time.perf_counter()))
        used = process.cpu_times()
        came = len(received.pictures)
    taker.close()
    cost = (used.user + used.system - began.user - began.system) / len(took) * rate
    held = 1000 * np.array(took)
    print(
        f"NDI, {size[0]} x {size[1]} at {rate:g}: {cost:.3f} seconds of processors for a second; "
        f"a call takes {np.median(held):.1f} ms in the median, {np.percentile(held, 95):.1f} at p95; "
        f"{came} pictures received"
    )


def main() -> None:
    """The tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--rate", type=float, default=30.0)
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    measure(options.seconds, (width, height), options.rate)


if __name__ == "__main__":
    main()
