"""Restarts of a killed engine, timed: python -m tools.robustness.restart --count 20 [--cold] [--json FILE]

From kill -9 to the first picture of the next engine, as the stage sees it. ``--cold``: without the spare
engine that a show keeps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lavlive.audio.sources import SourceSpec
from lavlive.link.memory import SharedBlock
from lavlive.link.process import PythonEngine
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import SPARE_AFTER, Supervisor
from lavlive.parameters import Values

_PATIENCE = 120.0
_LOOK_SECONDS = 0.005


class Restarts:
    """An engine on the demo track without a stage, killed again and again. A context manager."""

    def __init__(self, log: Path, runner: str = "auto", with_spare: bool = True) -> None:
        self.link = SharedBlock.create()
        self.link.write_parameters(Values().numbers, 0)
        self._log = log
        self._with_spare = with_spare
        settings = EngineSettings(SourceSpec("demo"), runner=runner, rate=20.0)
        spare = (lambda name: PythonEngine(name, None, log)) if with_spare else None
        self.supervisor = Supervisor(self.link, settings, self._start, time.perf_counter(), spare)

    def _start(self, name: str, settings: EngineSettings) -> PythonEngine:
        return PythonEngine(name, settings, self._log)

    def __enter__(self) -> Restarts:
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.close()
        self.link.close()

    def wait(self, done: Callable[[], bool]) -> float:
        """Look after the engine until something is so; returns how long it took."""
        began = time.perf_counter()
        while not done():
            if time.perf_counter() - began > _PATIENCE:
                raise TimeoutError(f"nothing happened for {_PATIENCE:g} s; see {self._log}")
            self.supervisor.step(time.perf_counter())
            time.sleep(_LOOK_SECONDS)
        return time.perf_counter() - began

    def settle(self) -> None:
        """Wait until pictures come and the spare, where there is one, has loaded its libraries."""
        shown = self.link.newest_sequence
        self.wait(lambda: self.link.newest_sequence > shown + 5)
        if self._with_spare:
            self.wait(lambda: self.supervisor._spare is not None and self.supervisor._spare.waiting)

    def restart(self) -> float:
        """Kill the engine; seconds until the next one's first picture."""
        engine = self.supervisor._engine
        assert isinstance(engine, PythonEngine)
        engine._process.kill()
        engine._process.wait()
        shown = self.link.newest_sequence
        return self.wait(lambda: self.link.newest_sequence > shown)


def measure(count: int, runner: str = "auto", with_spare: bool = True) -> list[float]:
    """Seconds of so many restarts."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Restarts(Path(folder) / "engine.log", runner, with_spare) as restarts,
    ):
        taken = []
        for _ in range(count):
            restarts.settle()
            taken.append(restarts.restart())
            # Three crashes within a minute lead to safe mode, which is another start than the one measured.
            restarts.supervisor._crashes.clear()
        return taken


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.robustness.restart", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--runner", default="auto")
    parser.add_argument("--cold", action="store_true", help="without a spare engine")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    taken = measure(options.count, options.runner, not options.cold)
    kind = "cold" if options.cold else f"with a spare that is started {SPARE_AFTER:g} s after an engine"
    print(f"{len(taken)} restarts, {kind}: median {statistics.median(taken):.2f} s, worst {max(taken):.2f} s")
    if options.json:
        options.json.write_text(json.dumps({"cold": options.cold, "seconds": taken}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
