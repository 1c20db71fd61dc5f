"""Saves a shader twenty times while it runs, with errors: python -m tools.robustness.shader_saves

A canvas as a headless show has it, 30 pictures a second, three effects and a generator; the generator's file
is saved anew every two seconds, every other time with an error. Each version is another text, so no cache
knows it. Prints how long pictures took (drawing and reading), the longest, the longest among those in which a
version was taken over, and what was said of the errors. Ends with status 1 if a picture took more than
--limit milliseconds.

    --alone     compile in the main loop, as without trials, for comparison
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lavlive.link.contents import Picture
from lavlive.parameters import Values, joined
from lavlive.resources import shipped
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import Slots
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput
from tools.typed import size

RATE = 30.0


def version(text: str, number: int) -> str:
    """The text anew, different in what it draws; every other one does not compile."""
    colour = (0.2 + 0.6 * np.random.default_rng(time.time_ns()).random(3)).round(6)
    begin = text.index("void main()")
    tint = f"const vec3 saved = vec3({colour[0]}, {colour[1]}, {colour[2]});\n"
    end = text.rindex("}")
    broken = "    gl_FragColor.rgb *= unsaved;\n" if number % 2 else ""
    return f"{text[:begin]}{tint}{text[begin:end]}    gl_FragColor.rgb *= saved;\n{broken}{text[end:]}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--saves", type=int, default=20)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two saves")
    parser.add_argument("--size", type=size, default="320x180")
    parser.add_argument("--limit", type=float, default=50.0, help="milliseconds")
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    own = shipped("shaders") / "isf"
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (8, 64, 112, 3), np.uint8)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        text = (own / "silk.fs").read_text(encoding="utf-8")
        path = folder / "saved.fs"
        path.write_text(version(text, 0), encoding="utf-8")
        library = ShaderLibrary([own, folder])
        stack.enter_context(joined(Slots(library)))
        settings = OutputSettings(canvas=options.size, shaders=library, show=True)
        output = stack.enter_context(HeadlessOutput(settings))
        if output.note is not None or output.rack is None:
            print(output.note)
            return 2
        if options.alone:
            output.rack.trials = None
        output.rack.budget = np.inf
        library.watch()
        stack.callback(library.close)
        values = Values(
            {"gen.shader": "saved", "fx1.shader": "feedback", "fx2.shader": "palette", "fx3.shader": "bloom"}
        )
        took: list[float] = []
        worked: list[float] = []
        changed: list[int] = []
        said: set[str] = set()
        saved_at, saves = time.perf_counter() + 4.0, 0
        while saves < options.saves or time.perf_counter() < saved_at + 2 * options.every:
            began = time.perf_counter()
            if saves < options.saves and began >= saved_at:
                saves += 1
                saved_at = began + options.every
                path.write_text(version(text, saves), encoding="utf-8")
            before = output.rack.shown_version("gen")
            now, thread = time.perf_counter(), time.thread_time()
            picture = Picture(pictures[len(took) % 8], len(took) + 1, now, now, 0)
            output.present(picture, values, now)
            output.read_canvas()
            took.append(1000 * (time.perf_counter() - now))
            worked.append(1000 * (time.thread_time() - thread))
            if output.rack.shown_version("gen") != before:
                changed.append(len(took) - 1)
            said |= set(output.problems.values())
            time.sleep(max(0.0, 1 / RATE - (time.perf_counter() - began)))
    width, height = options.size
    print(f"canvas {width} x {height}, {len(took)} pictures, {options.saves} saves, half with an error")
    print(f"versions seen: {len(changed)}; errors told: {len(said)}, such as: {next(iter(said), 'none')}")
    print(f"the first picture, with which the show begins: {took[0]:.0f} ms")
    for what, numbers in (("from beginning to end", took), ("the main thread's work", worked)):
        arrivals = [numbers[index] for index in changed if index]
        print(
            f"{what}, ms: median {statistics.median(numbers):.1f}, "
            f"99 % {np.percentile(numbers[1:], 99):.1f}, longest {max(numbers[1:]):.1f}; "
            f"longest with a new version {max(arrivals, default=0.0):.1f}"
        )
    return 0 if max(took[1:]) <= options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
