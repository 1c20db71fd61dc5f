"""What a picture of the canvas takes with effects, of the clock and of the processors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lavlive.bench.measure import Samples, Summary
from lavlive.errors import DisplayError
from lavlive.link.contents import Picture
from lavlive.parameters import Value, Values, joined
from lavlive.resources import shipped
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import Slots
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput

SIZE = 1280, 720
SLOTS: Mapping[int, Mapping[str, Value]] = {
    0: {},
    3: {"fx1.shader": "feedback", "fx2.shader": "palette", "fx3.shader": "bloom"},
    6: {
        "fx1.shader": "flow",
        "fx2.shader": "kaleidoscope",
        "fx3.shader": "feedback",
        "fx4.shader": "palette",
        "fx5.shader": "bloom",
        "fx6.shader": "grain",
    },
}
"""Effects as presets have them, by their number."""
_PICTURE = 252, 448
_WARM_UPS = 3


@dataclass(frozen=True)
class CanvasResults:
    """Times of one new picture, drawn and read back, by the number of effects.

    Attributes:
        renderer: what drew.
        size: of the canvas, pixels.
    """

    renderer: str
    size: tuple[int, int]
    slots: Mapping[int, Summary]


def measure_canvas(
    seconds: float, size: tuple[int, int] = SIZE, counts: Sequence[int] = (0, 3, 6)
) -> CanvasResults:
    """Draw new pictures for `seconds` for each number of effects.

    Raises:
        DisplayError: no OpenGL can be had.
    """
    library = ShaderLibrary([shipped("shaders") / "isf"])
    settings = OutputSettings(canvas=size, shaders=library)
    with joined(Slots(library)), HeadlessOutput(settings) as output:
        if output.note is not None:
            raise DisplayError(output.note)
        times = {count: _times(output, SLOTS[count], seconds) for count in counts}
        return CanvasResults(output.renderer, size, times)


def _times(output: HeadlessOutput, effects: Mapping[str, Value], seconds: float) -> Summary:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (8, *_PICTURE, 3), np.uint8)
    values = Values(dict(effects))
    samples = Samples()
    end = time.perf_counter() + seconds
    index = 0
    while index < _WARM_UPS + 1 or time.perf_counter() < end:
        clock, processor = time.perf_counter(), time.process_time()
        output.present(Picture(pictures[index % 8], index + 1, clock, clock, 0), values, clock)
        output.read_canvas()
        if index >= _WARM_UPS:
            samples.clock.append(time.perf_counter() - clock)
            samples.processor.append(time.process_time() - processor)
        index += 1
    return samples.summary
