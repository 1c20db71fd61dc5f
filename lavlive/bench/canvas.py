"""What a picture of the canvas takes with effects, of clock and processors, and what sound loses by it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lavlive.bench.measure import Samples, Summary
from lavlive.bench.show import BenchShow
from lavlive.errors import DisplayError
from lavlive.link.contents import Picture
from lavlive.link.settings import EngineSettings
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
_NO_PAUSE = 240.0
_SETTLING_SECONDS = 2.0
_COUNTED = ("picture.count", "audio.xruns", "audio.dropped")


@dataclass(frozen=True, slots=True)
class BesideSound:
    """A running engine while its pictures are drawn with effects, one after the other without a pause.

    Attributes:
        seconds: measured.
        drawn: pictures of the canvas a second.
        made: pictures of the generator a second.
        xruns, dropped_samples: sound lost.
    """

    seconds: float
    drawn: float
    made: float
    xruns: int
    dropped_samples: int


@dataclass(frozen=True)
class CanvasResults:
    """Times of one new picture, drawn and read back, by the number of effects.

    Attributes:
        renderer: what drew.
        size: of the canvas, pixels.
        beside_sound: the same with an engine at work; empty where none was asked for.
    """

    renderer: str
    size: tuple[int, int]
    slots: Mapping[int, Summary]
    beside_sound: Mapping[int, BesideSound]


def measure_canvas(
    seconds: float,
    size: tuple[int, int] = SIZE,
    counts: Sequence[int] = (0, 3, 6),
    engine: EngineSettings | None = None,
) -> CanvasResults:
    """Draw new pictures for `seconds` for each number of effects, then beside an engine, if any.

    Raises:
        DisplayError: no OpenGL can be had.
    """
    library = ShaderLibrary([shipped("shaders") / "isf"])
    settings = OutputSettings(canvas=size, shaders=library)
    with joined(Slots(library)):
        with HeadlessOutput(settings) as output:
            if output.note is not None:
                raise DisplayError(output.note)
            times = {count: _times(output, SLOTS[count], seconds) for count in counts}
            renderer = output.renderer
        beside = {} if engine is None else _beside_sound(engine, settings, seconds, counts)
        return CanvasResults(renderer, size, times, beside)


def _beside_sound(
    engine: EngineSettings, settings: OutputSettings, seconds: float, counts: Sequence[int]
) -> dict[int, BesideSound]:
    found = {}
    with BenchShow(engine, Values(), rate=_NO_PAUSE, canvas=settings) as show:
        show.wait_for_pictures()
        for count in counts:
            show.values = Values(dict(SLOTS[count]))
            _draw_for(show, _SETTLING_SECONDS)
            before = [show.link.number(name) for name in _COUNTED]
            began = time.perf_counter()
            drawn = _draw_for(show, seconds)
            took = time.perf_counter() - began
            made, xruns, dropped = (
                show.link.number(name) - first for name, first in zip(_COUNTED, before, strict=True)
            )
            found[count] = BesideSound(took, drawn / took, made / took, int(xruns), int(dropped))
    return found


def _draw_for(show: BenchShow, seconds: float) -> int:
    """Draw what comes for so many seconds; how many pictures that were."""
    drawn, end = 0, time.perf_counter() + seconds
    while not drawn or time.perf_counter() < end:
        if show.step() is not None:
            show.output.read_canvas()
            drawn += 1
    return drawn


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
