"""NDI for minutes, measured by a receiver in another process: python -m tools.robustness.ndi --minutes 10.

A stage's loop of 60 pictures a second, without a window, shows a generator's picture, and a flash every
second. Printed are how many pictures were sent, left out and received, how like the canvas the worst of them
was, the time from presenting a flash to its being received, the loop's spacing with and without the output,
and memory.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from lavlive.bench.received import NDI_HERE, received_by_ndi
from lavlive.stage.output.takers.kinds import outlets_of
from lavlive.stage.output.takers.outlets import Outlets
from tools.robustness.outputs import Loop
from tools.typed import size

ROOT = Path(__file__).parents[2]
FLASH = 200
"""Mean brightness above which a received picture is a flash."""
COMPARED_EVERY = 50


def picture() -> np.ndarray:
    """A moment of silk in its own size: uint8 [H, W, 3]."""
    sheet = Image.open(ROOT / "docs" / "generators" / "silk-music.jpg").convert("RGB")
    return np.asarray(sheet)[8:72, 8:120].copy()


def receive(name: str, canvas: Path, until: float) -> None:
    """The receiver's part; prints what it saw as a line of JSON."""
    expected: np.ndarray | None = None
    count, flashes, likeness, lit = 0, [], [], False
    for pixels, _ in received_by_ndi(name, until):
        now = time.perf_counter()
        if pixels is None:
            continue
        count += 1
        bright = float(pixels[::8, ::8].mean()) > FLASH
        if bright and not lit:
            flashes.append(now)
        if not bright and not lit and count % COMPARED_EVERY == 0:
            expected = np.load(canvas).astype(float) if expected is None else expected
            if pixels.shape == expected.shape:
                likeness.append(float(10 * np.log10(255**2 / np.mean((pixels - expected) ** 2))))
        lit = bright
    print(json.dumps({"count": count, "flashes": flashes, "likeness": likeness}), flush=True)


def measure(minutes: float, size: tuple[int, int]) -> None:
    """Run it all, and print what came of it."""
    quiet = Loop(Outlets(), size, picture())
    quiet.run(20.0)
    assert quiet.canvas is not None
    name = f"lavlive {secrets.token_hex(3)}"
    outlets = Outlets([spec for spec in outlets_of([], name) if spec.kind == "ndi"])
    loop = Loop(outlets, size, picture())
    memory = [psutil.Process().memory_info().rss]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ndi-config.v1.json").write_text(NDI_HERE)
        np.save(Path(folder) / "canvas.npy", quiet.canvas)
        outlets.toggle("ndi")
        until = time.perf_counter() + 60 * minutes
        command = [sys.executable, "-m", "tools.robustness.ndi", "--receive", name, "--canvas"]
        receiver = subprocess.Popen(
            [*command, f"{folder}/canvas.npy", "--until", str(until)],
            cwd=ROOT,
            env=os.environ | {"NDI_CONFIG_DIR": folder},
            stdout=subprocess.PIPE,
            text=True,
        )
        half = 30 * minutes

        def between(elapsed: float) -> None:
            if len(memory) == 1 and elapsed > half:
                memory.append(psutil.Process().memory_info().rss)

        loop.run(60 * minutes + 2, between)
        told = json.loads(receiver.communicate()[0].splitlines()[-1])
    memory.append(psutil.Process().memory_info().rss)
    worker = outlets.all[0].worker
    assert worker is not None
    outlets.close()
    shown, came = np.array(loop.flashes), np.array(told["flashes"])
    late = [float(seen - shown[shown <= seen][-1]) * 1000 for seen in came if (shown <= seen).any()]
    print(f"NDI, {size[0]} x {size[1]}, {minutes:g} min: {worker.sent} sent, {worker.dropped} left out")
    print(f"  received {told['count']}, flashes {len(came)} of {len(shown)}")
    print(f"  presented to received: median {np.median(late):.1f}, p95 {np.percentile(late, 95):.1f} ms")
    print(f"  likeness of {len(told['likeness'])}: worst {min(told['likeness']):.1f} dB")
    print(f"  memory at the start, half and end: {', '.join(f'{each / 1e6:.0f}' for each in memory)} MB")
    for word, each in (("without", quiet), ("with", loop)):
        print(f"  spacing {word} it: {each.pace}")


def main() -> None:
    """The tool."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--size", type=size, default="640x360")
    parser.add_argument("--receive", help=argparse.SUPPRESS)
    parser.add_argument("--canvas", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive is not None:
        receive(options.receive, options.canvas, options.until)
        return
    measure(options.minutes, options.size)


if __name__ == "__main__":
    main()
