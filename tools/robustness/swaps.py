"""Model swaps in a running show, measured: python -m tools.robustness.swaps --count 10 [--model FILE].

Prints the longest gap between pictures while a model loads and fades in, in normal picture times; xruns;
and the engine's memory after every swap.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from pathlib import Path

import psutil

from lavlive.audio.sources import SourceSpec
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import ModelShown, Ready, StageEvent
from lavlive.link.process import PythonEngine
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import Values
from lavlive.resources import cache_folder, generator_file

SETTLED = 4.0
"""Seconds after a fade by which the old model is closed and its memory given back."""


class SwapRun:
    """An engine on the demo track without a stage, and the times at which its pictures were made."""

    def __init__(self, rate: float) -> None:
        self.link = SharedBlock.create()
        self.link.write_parameters(Values().numbers, 0)
        self.made: list[float] = []
        self.told: list[StageEvent] = []
        self._sequence = 0

        def start(name: str, settings: EngineSettings) -> PythonEngine:
            self.engine = PythonEngine(name, settings, cache_folder() / "swaps.log")
            return self.engine

        settings = EngineSettings(SourceSpec("demo"), rate=rate)
        self.supervisor = Supervisor(self.link, settings, start, time.perf_counter())

    def run(self, seconds: float, until: type[StageEvent] | None = None) -> None:
        """Collect pictures for that long, or until such an event."""
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            events = self.supervisor.step(time.perf_counter())
            self.told += events
            picture = self.link.read_picture(after=self._sequence)
            if picture is not None:
                self._sequence = picture.sequence
                self.made.append(picture.made)
            if until is not None and any(isinstance(event, until) for event in events):
                return
            time.sleep(0.002)

    def gaps(self, since: int) -> list[float]:
        """Seconds between pictures from the picture of that number on."""
        made = self.made[since:]
        return [later - earlier for earlier, later in itertools.pairwise(made)]

    def memory(self) -> int:
        """Resident bytes of the engine."""
        return int(psutil.Process(self.engine.pid).memory_info().rss)

    def close(self) -> None:
        self.supervisor.close()
        self.link.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--model", type=Path, default=generator_file(None))
    parser.add_argument("--rate", type=float, default=30.0, help="pictures per second (default: 30)")
    options = parser.parse_args()
    run = SwapRun(options.rate)
    try:
        run.run(120, until=Ready)
        run.run(8)
        normal = statistics.median(run.gaps(len(run.made) // 2))
        before = run.memory()
        print(f"normal picture time {normal * 1000:.1f} ms, engine {before / 1e6:.0f} MB")
        for swap in range(options.count):
            first = len(run.made) - 1
            asked = time.perf_counter()
            run.supervisor.load_model(str(options.model), 2.0)
            run.run(300, until=ModelShown)
            taken = time.perf_counter() - asked
            run.run(SETTLED)
            longest, xruns = max(run.gaps(first)), run.link.number("audio.xruns")
            memory = run.memory() / before - 1
            print(
                f"swap {swap + 1}: shown after {taken:.1f} s, longest gap {longest / normal:.1f} "
                f"picture times, {xruns:.0f} xruns, memory {memory:+.1%}",
                flush=True,
            )
    finally:
        run.close()


if __name__ == "__main__":
    main()
