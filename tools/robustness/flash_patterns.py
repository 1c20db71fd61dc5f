"""Patterns that flash, through the limiter: python -m tools.robustness.flash_patterns [--iris PROGRAM]

Full-screen square waves from 1 to 30 Hz, saturated red, moving gratings, noise, drums: changes in the worst
second before and after the limiter, by the counter of `tests.support.flash_counter`, which shares no code
with the limiter. Six changes are three flashes. ``--iris`` as in `tools.robustness.flash_report`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lavlive.light import to_encoded
from lavlive.stage.canvas.limiter import FlashLimiter
from tests.support.flash_counter import count_flashes

ROWS, COLUMNS = 9, 16
ALLOWED = 6
Pattern = Callable[[float], np.ndarray]
Colour = tuple[float, float, float]
BLACK, WHITE, RED = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.9, 0.0, 0.0)
GREY, DIM_RED = (0.25, 0.25, 0.25), (0.1, 0.0, 0.0)
BLUE = (0.0, 0.0, 1.0)
_RATE = 60
_PIXELS = 10


def plain(rgb: Colour) -> np.ndarray:
    """The whole picture in one colour of linear light, float32 [rows, columns, 3]."""
    return np.broadcast_to(np.array(rgb, np.float32), (ROWS, COLUMNS, 3))


def square_wave(hertz: float, dark: Colour, bright: Colour) -> Pattern:
    """The whole picture from one colour to the other and back."""
    return lambda time: plain(bright if (time * hertz) % 1.0 < 0.5 else dark)


def moving_grating(hertz: float, period: int) -> Pattern:
    """Stripes `period` cells wide that pass so many times a second."""

    def at(time: float) -> np.ndarray:
        wave = 0.5 + 0.5 * np.sin(2 * np.pi * (np.arange(COLUMNS) / period - hertz * time))
        return np.broadcast_to(wave[None, :, None], (ROWS, COLUMNS, 3)).astype(np.float32)

    return at


def noise(seed: int) -> Pattern:
    """Another grey in every cell and every picture."""
    rng = np.random.default_rng(seed)
    return lambda _: rng.random((ROWS, COLUMNS, 1)).astype(np.float32).repeat(3, axis=2)


def drums(hertz: float) -> Pattern:
    """What an onset envelope does to brightness: a sharp attack and a decay."""
    return lambda time: plain((0.1 + 0.8 * np.exp(-12 * ((time * hertz) % 1.0) / hertz),) * 3)


def run(
    pattern: Pattern, rate: float, seconds: float = 3.0, limit: bool = True
) -> tuple[np.ndarray, list[float]]:
    """Show a pattern of linear light; returns the pictures, uint8 [n, rows, columns, 3], and their times."""
    limiter = FlashLimiter(ROWS, COLUMNS)
    times = [tick / rate for tick in range(round(seconds * rate))]
    shown = pattern(0.0)
    pictures = []
    for time in times:
        wanted = pattern(time)
        factor = limiter.step(wanted, 100.0 + time, limit)
        shown = shown + factor * (wanted - shown)
        pictures.append(np.rint(255 * to_encoded(shown)).astype(np.uint8))
    return np.array(pictures), times


def patterns() -> dict[str, Callable[[], Pattern]]:
    """All of them by name; made anew for every run, since noise remembers where it was."""
    found: dict[str, Callable[[], Pattern]] = {}
    for hertz in (1, 2, 3, 4, 5, 7.5, 10, 12, 15, 20, 25, 30):
        found[f"black and white, {hertz:g} Hz"] = lambda h=hertz: square_wave(h, BLACK, WHITE)  # type: ignore[misc]
    found["black and dark grey, 10 Hz"] = lambda: square_wave(10, BLACK, GREY)
    for hertz in (3, 4, 10, 15, 30):
        found[f"black and red, {hertz:g} Hz"] = lambda h=hertz: square_wave(h, BLACK, RED)  # type: ignore[misc]
    found["dark red and red, 10 Hz"] = lambda: square_wave(10, DIM_RED, RED)
    found["blue and red, 10 Hz"] = lambda: square_wave(10, BLUE, RED)
    for hertz, period in ((2, 8), (5, 4), (12, 8), (12, 16)):
        name = f"stripes of {period} cells, {hertz} a second"
        found[name] = lambda h=hertz, p=period: moving_grating(h, p)  # type: ignore[misc]
    found["noise"] = lambda: noise(0)
    for hertz in (2, 5, 8):
        found[f"drums, {hertz} a second"] = lambda h=hertz: drums(h)  # type: ignore[misc]
    return found


def main() -> int:
    """The tool; status 1 if anything flashes too often behind the limiter."""
    description = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(
        prog="python -m tools.robustness.flash_patterns", description=description
    )
    parser.add_argument("--iris", metavar="PROGRAM")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    worst = 0
    with tempfile.TemporaryDirectory(prefix="lavlive-flash-") as folder:
        for name, make in patterns().items():
            before, times = run(make(), _RATE, options.seconds, limit=False)
            after, _ = run(make(), _RATE, options.seconds)
            counts = [count_flashes(pictures, times) for pictures in (before, after)]
            worst = max(worst, counts[1].general, counts[1].red)
            line = f"{name}: general {counts[0].general} → {counts[1].general}, "
            line += f"red {counts[0].red} → {counts[1].red}"
            if options.iris:
                line += f"; iris: {' → '.join(_judged(options.iris, folder, before, after))}"
            print(line, flush=True)
    return 0 if worst <= ALLOWED else 1


def _judged(program: str, folder: str, *shown: np.ndarray) -> list[str]:
    from tools.robustness.flash_report import word_of_iris

    larger = (pictures.repeat(_PIXELS, 1).repeat(_PIXELS, 2) for pictures in shown)
    return [word_of_iris(program, pictures, _RATE, Path(folder)) for pictures in larger]


if __name__ == "__main__":
    sys.exit(main())
