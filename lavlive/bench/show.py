"""A real headless show under measurement: the engine in its own process, the stage's loop here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import psutil

from lavlive.bench.measure import slope_per_minute
from lavlive.errors import LavliveError
from lavlive.link.contents import Picture
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import Failing, Ready, Restarted
from lavlive.link.process import PythonEngine
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import Values
from lavlive.resources import cache_folder
from lavlive.show.leaving import Leaving
from lavlive.show.pace import Pace
from lavlive.show.show import Latency
from lavlive.stage.notices import Notices
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.opening import open_output
from lavlive.stage.output.takers.outlets import Outlets
from lavlive.stage.recording.recordings import Recordings

DISPLAY_RATE = 60.0
_START_SECONDS = 120.0
_WATCH_EVERY = 0.5
_WATCHING_RATE = 4 * DISPLAY_RATE
"""Fast enough to see every picture, also those that no display would show."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture's way to the stage, seconds of `time.perf_counter`.

    Attributes:
        picture: with its own times.
        taken: when the stage took it.
        presented: when it was presented.
        change: mean absolute difference to the picture before, in levels of 255.
    """

    picture: Picture
    taken: float
    presented: float
    change: float


class BenchShow:
    """Engine, link and output, and a loop that does what the show's does. A context manager.

    Args:
        settings: of the engine.
        values: the parameters, fixed.
        output: ``headless`` or ``window``.
        rate: how often a second the stage looks for a picture.
        outlets: where else the canvas goes, as in a show.
        canvas: how the output is opened; None for the usual.

    Attributes:
        values: the parameters that the output is given from now on.
    """

    def __init__(
        self,
        settings: EngineSettings,
        values: Values,
        output: str = "headless",
        rate: float = DISPLAY_RATE,
        outlets: Outlets | None = None,
        canvas: OutputSettings | None = None,
    ) -> None:
        self.link = SharedBlock.create()
        self.link.write_parameters(values.numbers, 1)
        self.ready = Ready()
        self.pid = 0
        self.values = values
        self._log = cache_folder() / "bench-engine.log"
        self._supervisor = Supervisor(self.link, settings, self._start, time.perf_counter())
        try:
            self.output = open_output(output, canvas or OutputSettings(vsync=False))
        except LavliveError:
            self._supervisor.close()
            self.link.close()
            raise
        self._pace = Pace(rate)
        self._latency = Latency()
        self._leaving = Leaving(self.link, self.output, Notices(), Recordings(), outlets or Outlets())
        self._sequence = 0
        self._before: np.ndarray | None = None

    def _start(self, name: str, settings: EngineSettings) -> PythonEngine:
        engine = PythonEngine(name, settings, self._log)
        self.pid = engine.pid
        return engine

    def __enter__(self) -> BenchShow:
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.close()
        self.output.close()
        self.link.close()

    def wait_for_pictures(self) -> None:
        """Step until the first picture.

        Raises:
            LavliveError: the engine refuses or does not come up.
        """
        deadline = time.perf_counter() + _START_SECONDS
        while self.step() is None:
            if time.perf_counter() > deadline:
                raise LavliveError(f"The engine made no picture in {_START_SECONDS:g} s; see {self._log}.")

    def step(self) -> Shown | None:
        """One frame of the stage; what was shown if there was a new picture."""
        now = time.perf_counter()
        for event in self._supervisor.step(now):
            if isinstance(event, Ready):
                self.ready = event
            if isinstance(event, Restarted | Failing):
                raise LavliveError(f"The engine failed during the measurement: {event}; see {self._log}.")
        picture = self.link.read_picture(after=self._sequence)
        taken = time.perf_counter()
        self.output.present(picture, self.values, now)
        presented = time.perf_counter()
        if picture is not None:
            self._latency.take(picture, presented)
        self._leaving.step(now, self._latency.seconds, begun=False)
        shown = None if picture is None else Shown(picture, taken, presented, self._change(picture))
        self._pace.wait(self._picture_waits)
        return shown

    def _picture_waits(self) -> bool:
        """As in a show without a display; a window's frames have their own times."""
        return self.output.name == "headless" and self.link.newest_sequence > self._sequence

    def _change(self, picture: Picture) -> float:
        self._sequence = picture.sequence
        before, self._before = self._before, picture.pixels.astype(np.int16)
        if before is None or before.shape != self._before.shape:
            return 0.0
        return float(np.abs(self._before - before).mean())


@dataclass(frozen=True)
class ShowResults:
    """What a sustained show gave.

    Attributes:
        seconds: measured.
        pictures_per_second: made by the engine.
        spacing_ms: median, p95 and p99 of the time between two pictures being made.
        latency_ms: median, p95 and p99 from the capture of the newest sample to presentation.
        stages_ms: the engine's own running means of encode, map and generate.
        xruns, dropped_samples: sound lost.
        engine_cpu, stage_cpu: processors busy, 1 is one core.
        engine_megabytes, stage_megabytes: resident at the end.
        growth: of the engine's resident memory, MB per minute, the first tenth left out.
    """

    runner: str
    seconds: float
    pictures_per_second: float
    spacing_ms: tuple[float, float, float]
    latency_ms: tuple[float, float, float]
    stages_ms: dict[str, float]
    xruns: int
    dropped_samples: int
    engine_cpu: float
    stage_cpu: float
    engine_megabytes: float
    stage_megabytes: float
    growth: float
    started_in: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(slots=True)
class _Watch:
    """CPU and memory of a process over time."""

    process: psutil.Process
    times: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def look(self) -> None:
        used = self.process.cpu_times()
        self.times.append(time.perf_counter())
        self.busy.append(used.user + used.system)
        self.megabytes.append(self.process.memory_info().rss / 2**20)

    @property
    def cpu(self) -> float:
        return (self.busy[-1] - self.busy[0]) / max(self.times[-1] - self.times[0], 1e-9)

    @property
    def growth(self) -> float:
        skip = len(self.times) // 10
        return slope_per_minute(self.times[skip:], self.megabytes[skip:])


def measure_show(
    settings: EngineSettings,
    seconds: float,
    output: str = "headless",
    progress: Callable[[float], None] = lambda done: None,
) -> ShowResults:
    """Run a show for ``seconds`` after its first two seconds of pictures, and watch it."""
    with BenchShow(settings, Values(), output, _WATCHING_RATE) as show:
        began = time.perf_counter()
        show.wait_for_pictures()
        started_in = time.perf_counter() - began
        # Caches fill and the governor finds its rate.
        settled = time.perf_counter() + 2.0
        while time.perf_counter() < settled:
            show.step()
        watches = [_Watch(psutil.Process(show.pid)), _Watch(psutil.Process())]
        first_count = show.link.number("picture.count")
        first_xruns = show.link.number("audio.xruns")
        first_dropped = show.link.number("audio.dropped")
        made: list[float] = []
        latency: list[float] = []
        start = due = time.perf_counter()
        while (now := time.perf_counter()) < start + seconds:
            if now >= due:
                for watch in watches:
                    watch.look()
                due = now + _WATCH_EVERY
                progress((now - start) / seconds)
            shown = show.step()
            if shown is not None:
                made.append(shown.picture.made)
                latency.append(shown.presented - shown.picture.captured)
        for watch in watches:
            watch.look()
        elapsed = time.perf_counter() - start
        link, (engine, stage) = show.link, watches
        return ShowResults(
            runner=show.ready.runner,
            seconds=elapsed,
            pictures_per_second=(link.number("picture.count") - first_count) / elapsed,
            spacing_ms=_percentiles(np.diff(made)),
            latency_ms=_percentiles(latency),
            stages_ms={name: link.number(f"time.{name}") * 1000 for name in ("encode", "map", "generate")},
            xruns=int(link.number("audio.xruns") - first_xruns),
            dropped_samples=int(link.number("audio.dropped") - first_dropped),
            engine_cpu=engine.cpu,
            stage_cpu=stage.cpu,
            engine_megabytes=engine.megabytes[-1],
            stage_megabytes=stage.megabytes[-1],
            growth=engine.growth,
            started_in=started_in,
        )


def _percentiles(seconds: Any) -> tuple[float, float, float]:
    if not len(seconds):
        return (float("nan"),) * 3
    median, p95, p99 = np.percentile(np.asarray(seconds) * 1000, (50, 95, 99))
    return float(median), float(p95), float(p99)
