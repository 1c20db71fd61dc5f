"""kill -9 at random moments while everything is being written.

    python -m tools.robustness.kill_state --count 50

A stage saves presets and bindings and changes its state as fast as it can; it or its engine is killed, and
then all files are read as the next start reads them. Exits with 1 if one cannot be read.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.state import read_state
from lavlive.control.midi.binding_files import BindingFolders
from tests.support.stage_process import StageProcess
from tests.support.wishes import Save

ARGUMENTS = ["--demo", "--silent", "--headless", "--osc", "off", "--rate", "10", "--runner", "torch"]


@dataclass
class Killing:
    """What was found.

    Attributes:
        stage, engine: how often each was killed.
        saves: rounds of saving that were asked for.
        unreadable: one line for everything that could not be read afterwards.
    """

    stage: int = 0
    engine: int = 0
    saves: int = 0
    unreadable: list[str] = field(default_factory=list)


def _shows_pictures(may_be_first: bool, report: dict[str, Any]) -> bool:
    return report["pictures"] > 0 or not may_be_first


def _restarted_since(restarts: int, report: dict[str, Any]) -> bool:
    return bool(report["restarts"] > restarts)


def kill_at_random_moments(count: int, seed: int, folder: Path) -> Killing:
    """Kill stage and engine in turn, so many times together."""
    chance = random.Random(seed)
    found = Killing()
    with StageProcess(ARGUMENTS, folder) as stage:
        for number in range(count):
            # A show keeps nothing before its first picture; from the second life on there is a state.
            stage.wait(partial(_shows_pictures, number == 0), "report")
            if number % 2:
                _save_for(stage, found, chance.uniform(0.0, 2.0))
                os.kill(stage.now["engine"], signal.SIGKILL)
                found.engine += 1
                restarts = stage.now["restarts"]
                stage.wait(partial(_restarted_since, restarts), "restart")
                # A stage whose engine crashes is not to be ended by it.
                _save_for(stage, found, 0.2)
                stage.kill()
            else:
                _save_for(stage, found, chance.uniform(0.0, 2.0))
                stage.kill()
                found.stage += 1
            found.unreadable += unreadable(stage)
            if number < count - 1:
                stage.start()
    return found


def _save_for(stage: StageProcess, found: Killing, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        with contextlib.suppress(BrokenPipeError):
            stage.send(Save(found.saves))
        found.saves += 1
        time.sleep(0.01)


def unreadable(stage: StageProcess) -> list[str]:
    """What a next start could not read, one line each."""
    library = PresetLibrary(None, stage.presets)
    bindings = BindingFolders(stage.config / "none", stage.presets.parent / "bindings")
    for number in range(3):
        bindings.find(f"device {number}")
    faults = [str(error) for error in (*library.refused.values(), *bindings.refused.values())]
    state = read_state(stage.state_file)
    if state is None:
        faults.append("no state")
    elif not 0 <= float(state.values["mapper.y"]) <= 4 or state.clean:
        faults.append(f"a state that nobody wrote: {state}")
    return faults


def main() -> int:
    """The tool."""
    description = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tools.robustness.kill_state", description=description)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lavlive-kill-") as folder:
        found = kill_at_random_moments(options.count, options.seed, Path(folder))
        print(
            f"stage killed {found.stage} times, engine {found.engine} times, during {found.saves} rounds of "
            f"saving; unreadable afterwards: {len(found.unreadable)}"
        )
    for line in found.unreadable:
        print(line)
    return 1 if found.unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
