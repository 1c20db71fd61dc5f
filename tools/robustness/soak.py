"""A show under random faults, watched: python -m tools.robustness.soak --minutes 30 --seed 1 [--json FILE]

A real stage with a window under Xvfb hears a real PulseAudio and a real MIDI port of JACK, where they are
installed, and every few seconds something is broken: see `tests.support.faults`. Measured are

- crashes of the stage;
- the longest time without a change of what the audience sees, and without a new picture of the engine;
- whether the state after a restart of the engine, or of the stage, is the one before;
- memory, file descriptors and threads of stage and engine, and their growth.

Prints a table; exits with 1 if anything is not as it has to be. ``--stage-kills N`` kills the stage itself,
too, N times.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import soundfile

from lavlive.audio.sources import SourceSpec
from lavlive.bench.measure import slope_per_minute
from lavlive.resources import shipped
from tests.support.faults import (
    DISK_BYTES,
    FAULTS,
    OWN_PRESET,
    Fault,
    Music,
    Rig,
    osc_message,
    second_model,
    turn_knobs,
)
from tests.support.jack import Controller, jack_server
from tests.support.pulse import MONITOR, pulse_server
from tests.support.stage_process import Report, StageProcess, memory_exists, wait_for_end
from tests.support.xvfb import xvfb

ENGINE_FAULT_SECONDS = 31.0
"""Three crashes within a minute lead to safe mode, which is a state of its own."""
LONG_RUN = 300.0
"""Growth is judged in lives of so many seconds; before, caches are still being filled."""
MOST_GROWTH = 1.0  # MB per minute
MOST_MORE = 8  # file descriptors or threads
_LOOK_SECONDS = 1.0
_QUIET_SECONDS = 1.3
_RECOVERY_SECONDS = 45.0


@dataclass
class Resources:
    """What a process holds over time; of its present life only, since lives differ."""

    began: float = field(default_factory=time.perf_counter)
    times: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def look(self, pid: int, now: float) -> None:
        """Take a sample; nothing if the process has just gone."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            held = process.memory_info().rss / 2**20, process.num_fds(), process.num_threads()
            self.times.append(now)
            self.megabytes.append(held[0])
            self.files.append(held[1])
            self.threads.append(held[2])

    def summary(self) -> dict[str, float]:
        """At the beginning, at the end and per minute, the first third left out."""
        third = len(self.times) // 3
        times = self.times[third:]
        found: dict[str, float] = {}
        for name in ("megabytes", "files", "threads"):
            samples = getattr(self, name)[third:]
            if samples:
                found[f"{name}_begin"], found[f"{name}_end"] = round(samples[0], 1), round(samples[-1], 1)
                found[f"{name}_most"] = round(max(samples), 1)
                found[f"{name}_per_minute"] = round(slope_per_minute(times, samples), 3)
        return found


@dataclass
class Result:
    """What a soak has found.

    Attributes:
        faults: how often each was injected.
        canvas_gap: longest time without a change of the canvas, seconds, and the fault at that time.
        picture_gap: longest time without a new picture of the engine, and the fault.
        step_gap: longest time between two steps of the stage's main loop, and the fault.
        recoveries: seconds from an engine's death to the first picture of the next one.
        violations: one line each; none is what we want.
    """

    seconds: float = 0.0
    seed: int = 0
    with_: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    canvas_gap: tuple[float, str] = (0.0, "")
    picture_gap: tuple[float, str] = (0.0, "")
    step_gap: tuple[float, str] = (0.0, "")
    recoveries: list[float] = field(default_factory=list)
    restarts: int = 0
    stage_kills: int = 0
    states_compared: int = 0
    violations: list[str] = field(default_factory=list)
    stage: Resources = field(default_factory=Resources)
    engines: list[Resources] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the samples."""
        values = asdict(replace(self, faults=Counter()))  # of a counter, asdict makes something else
        values["faults"] = dict(self.faults)
        values["stage"] = self.stage.summary()
        values["engines"] = [engine.summary() for engine in self.engines if len(engine.times) > 10]
        return values


class Soak:
    """One run: injects, watches, judges."""

    def __init__(
        self, rig: Rig, seed: int, limit: float, names: list[str], pause: tuple[float, float]
    ) -> None:
        self.rig = rig
        self.result = Result(seed=seed)
        self._limit = limit
        self._names = names
        self._pause = pause
        self._fault = "no fault"
        self._news: deque[str] = deque(maxlen=8)
        self._engine_fault_at = float("-inf")
        self._looked = 0.0
        self._engine = 0
        rig.stage.listeners.append(self._take)

    def run(self, seconds: float, stage_kills: int = 0) -> Result:
        """Inject faults for so long; returns what was found."""
        began = time.perf_counter()
        kill_at = [began + seconds * (n + 0.5) / stage_kills for n in range(stage_kills)]
        while time.perf_counter() - began < seconds:
            try:
                self._rest(self.rig.chance.uniform(*self._pause))
                if kill_at and time.perf_counter() >= kill_at[0]:
                    kill_at.pop(0)
                    self._kill_stage()
                else:
                    self._inject(self._choose())
            except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as failure:
                what = f"{self._fault}: {type(failure).__name__}: {failure}"
                self._violate(f"{what}; {self._engine_now()}")
            if not self.rig.stage.alive:
                self._violate(f"{self._fault}: the stage ended by itself: {self.rig.stage.complaints()}")
                break
        if self.rig.stage.alive:
            self._rest(3.0)
        self.result.seconds = round(time.perf_counter() - began, 1)
        self._judge()
        return self.result

    def _choose(self) -> Fault:
        now = time.perf_counter()
        calm = now - self._engine_fault_at > ENGINE_FAULT_SECONDS
        possible = [
            FAULTS[name]
            for name in self._names
            if FAULTS[name].possible(self.rig) and (calm or not FAULTS[name].ends_engine)
        ]
        fewest = min(self.result.faults[fault.name] for fault in possible)
        return self.rig.chance.choice([f for f in possible if self.result.faults[f.name] <= fewest + 1])

    def _inject(self, fault: Fault) -> None:
        rig, stage = self.rig, self.rig.stage
        turn_knobs(rig)
        self._rest(_QUIET_SECONDS)
        before, restarts = stage.now["state"], stage.now["restarts"]
        self._fault = fault.name
        self.result.faults[fault.name] += 1
        began = time.perf_counter()
        what = fault.run(rig)
        if fault.ends_engine:
            self._engine_fault_at = began
            stage.wait(lambda report: report["restarts"] > restarts, "restart", _RECOVERY_SECONDS)
            shown = stage.now["pictures"]
            stage.wait(
                lambda report: report["pictures"] > shown, "pictures of a new engine", _RECOVERY_SECONDS
            )
            self.result.recoveries.append(round(time.perf_counter() - began, 2))
            self._compare(before, stage.now["state"])
        elif fault.name in ("hostile OSC", "computer asleep", "engine slow", "spare killed"):
            self._rest(0.5)
            self._compare(before, stage.now["state"])
            if stage.now["restarts"] != restarts:
                self._violate(f"{fault.name}: the engine was restarted")
        print(f"{time.perf_counter() - began:6.1f} s  {fault.name}: {what}", file=sys.stderr)
        self._rest(0.3)
        self._fault = f"after {fault.name}"

    def _kill_stage(self) -> None:
        stage = self.rig.stage
        turn_knobs(self.rig)
        # The state is written once a second: a change of the last second may be lost.
        self._rest(_QUIET_SECONDS + 1.0)
        self._fault = "stage killed"
        before = stage.now["state"]
        self._rest(self.rig.chance.uniform(0.0, 1.0))
        link = stage.now["link"]
        began = time.perf_counter()
        orphans = stage.kill()
        self.result.stage_kills += 1
        left = wait_for_end(orphans, 30.0)
        if left:
            self._violate(f"processes outlive their stage: {left}")
        if memory_exists(link):
            self._violate("shared memory outlives its stage")
        self.result.stage = Resources()
        stage.start()
        stage.wait_for_pictures()
        self._compare(before, stage.now["state"])
        print(f"{time.perf_counter() - began:6.1f} s  stage killed and started again", file=sys.stderr)

    def _compare(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.result.states_compared += 1
        if before != after:
            changed = [key for key in before if before[key] != after.get(key)]
            shown = {key: (before[key], after.get(key)) for key in changed}
            self._violate(f"{self._fault}: another state than before: {str(shown)[:600]}")

    def _rest(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self._look()
            self.rig.hold(min(0.25, max(0.0, end - time.perf_counter())))

    def _look(self) -> None:
        now = time.perf_counter()
        stage = self.rig.stage
        if now - self._looked < _LOOK_SECONDS or not stage.reports or not stage.alive:
            return
        self._looked = now
        self.result.stage.look(stage.process.pid, now)
        engine = stage.now["engine"]
        if engine != self._engine:
            self._engine = engine
            self.result.engines.append(Resources())
        if stage.now["running"]:
            self.result.engines[-1].look(engine, now)

    def _take(self, report: Report) -> None:
        """Called by the reading thread with every report."""
        result = self.result
        if self._fault != "computer asleep":
            for name in ("canvas_gap", "picture_gap", "step_gap"):
                if report[name] > getattr(result, name)[0]:
                    setattr(result, name, (report[name], self._fault))
        result.restarts = max(result.restarts, report["restarts"])
        self._news.extend(report["news"])
        if report["safe"] and "safe mode" not in str(result.violations):
            self._violate(f"safe mode ({self._fault}); news: {'; '.join(self._news)}")

    def _violate(self, text: str) -> None:
        self.result.violations.append(text)
        print(f"VIOLATION  {text}", file=sys.stderr)

    def _engine_now(self) -> str:
        """Whether an engine that is missed works, waits or starves."""
        try:
            engine = psutil.Process(self.rig.stage.now["engine"])
            age = time.time() - engine.create_time()
            busy = sum(engine.cpu_times()[:2])
            load = psutil.getloadavg()[0]
            return f"the engine, {engine.status()}, ran {busy:.1f} s of its {age:.1f} s; load {load:.1f}"
        except (psutil.Error, IndexError) as error:
            return f"no engine: {error}"

    def _judge(self) -> None:
        result = self.result
        if result.canvas_gap[0] > self._limit:
            self._violate(f"nothing changed for {result.canvas_gap[0]:.1f} s ({result.canvas_gap[1]})")
        held = result.stage.summary()
        for name in ("files", "threads"):
            if held and held[f"{name}_end"] - held[f"{name}_begin"] > MOST_MORE:
                self._violate(f"{name} of the stage grow: {held}")
        lived = time.perf_counter() - result.stage.began
        if lived >= LONG_RUN and held.get("megabytes_per_minute", 0.0) > MOST_GROWTH:
            self._violate(f"memory of the stage grows: {held}")


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of `DISK_BYTES`, or None where this user may not mount one."""
    mounted = folder / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(mounted)]
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or subprocess.run(command, capture_output=True).returncode
    ):
        yield None
        return
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=False)


@contextlib.contextmanager
def soak_rig(
    seed: int, arguments: list[str], headless: bool = False, midi: bool = True
) -> Iterator[tuple[Rig, list[str]]]:
    """A running show with all that this machine can give it, and the names of what that is."""
    used: list[str] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lavlive-soak-")))

        def have(name: str, context: Any) -> Any:
            try:
                entered = stack.enter_context(context)
            except pytest.skip.Exception:
                return None
            used.append(name)
            return entered

        display = None if headless else have("Xvfb", xvfb())
        pulse = have("PulseAudio", pulse_server())
        jack = have("JACK", jack_server()) if midi else None
        disk = stack.enter_context(small_disk(folder))
        used += ["a small disk"] if disk else []
        source = SourceSpec("loopback", MONITOR) if pulse else SourceSpec("demo")
        music = None
        if pulse:
            sound, rate = soundfile.read(shipped("data") / "demo.ogg", dtype="float32")
            soundfile.write(folder / "music.wav", sound, rate, subtype="PCM_16")
            music = Music(pulse, folder / "music.wav")
            stack.callback(music.stop)
            music.tend()
        port = 20_000 + os.getpid() % 20_000
        heard = ["--loopback", MONITOR] if pulse else ["--demo", "--silent"]
        shown = [] if display else ["--headless"]
        stage = StageProcess(
            [*heard, *shown, "--osc", f"127.0.0.1:{port}", "--no-panel", *arguments], folder / "config"
        )
        stack.enter_context(stage)
        controller = Controller("knobs") if jack else None
        rig = Rig(
            stage,
            random.Random(seed),
            folder,
            source,
            port,
            second_model(folder),
            pulse,
            music,
            controller,
            display,
            disk,
        )
        stack.callback(rig.udp.close)
        stack.callback(lambda: rig.controller and rig.controller.unplug())
        yield rig, used


def soak(
    seconds: float,
    seed: int,
    limit: float = 5.0,
    names: list[str] | None = None,
    stage_kills: int = 0,
    pause: tuple[float, float] = (0.2, 2.0),
    headless: bool = False,
    arguments: list[str] | None = None,
) -> Result:
    """Run a soak; see the module."""
    # A JACK server takes half a minute to let go of a client that was killed, and holds up the next.
    midi = stage_kills == 0
    with soak_rig(seed, arguments or ["--rate", "20"], headless, midi) as (rig, used):
        rig.stage.wait_for_pictures()
        rig.hold(1.0)
        rig.osc(osc_message("/lavlive/preset/load", OWN_PRESET))
        run = Soak(rig, seed, limit, names or list(FAULTS), pause)
        result = run.run(seconds, stage_kills)
        result.with_ = used
        children: list[int] = []
        with contextlib.suppress(psutil.NoSuchProcess):  # it has crashed, which is a violation already
            stage = psutil.Process(rig.stage.process.pid)
            children = [child.pid for child in stage.children(recursive=True)]
        status = rig.stage.end()
        if status != 0:
            result.violations.append(f"the stage ended with status {status}: {rig.stage.complaints()}")
        if left := wait_for_end(children, 20.0):
            result.violations.append(f"processes are left: {left}")
        if not json.loads(rig.stage.state_file.read_text())["clean"]:
            result.violations.append("an end by SIGTERM does not count as clean")
        if result.violations:
            print(rig.stage.complaints(), file=sys.stderr)
    return result


def table(result: Result) -> str:
    """What was found, for people."""
    injected = ", ".join(f"{name} {count}" for name, count in result.faults.most_common())
    lines = [
        f"{result.seconds:g} s with {', '.join(result.with_) or 'nothing around'}, seed {result.seed}",
        f"faults injected: {sum(result.faults.values())} ({injected})",
        f"stage: {result.stage_kills} times killed on purpose; engine restarted {result.restarts} times",
        f"states compared: {result.states_compared}",
        f"longest time without a change on the canvas: {result.canvas_gap[0]:.2f} s ({result.canvas_gap[1]})",
        f"longest time without a new picture: {result.picture_gap[0]:.2f} s ({result.picture_gap[1]})",
        f"longest step of the stage: {result.step_gap[0]:.2f} s ({result.step_gap[1]})",
    ]
    if result.recoveries:
        ordered = sorted(result.recoveries)
        middle = ordered[len(ordered) // 2]
        lines.append(
            f"from the end or stall of an engine to the next picture: median {middle:.2f} s, "
            f"worst {ordered[-1]:.2f} s"
        )
    values = result.to_json()
    for name, held in [("stage", values["stage"]), *[("engine", engine) for engine in values["engines"]]]:
        if held:
            parts = [
                f"{what} {held[f'{what}_begin']:g} → {held[f'{what}_end']:g}, most "
                f"{held[f'{what}_most']:g} ({held[f'{what}_per_minute']:+.2f} a minute)"
                for what in ("megabytes", "files", "threads")
            ]
            lines.append(f"{name}: {'; '.join(parts)}")
    lines += [f"VIOLATION: {violation}" for violation in result.violations] or ["no violation"]
    return "\n".join(lines)


def main() -> int:
    """The tool."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.robustness.soak", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds without a change (default: 5)")
    parser.add_argument("--stage-kills", type=int, default=0)
    parser.add_argument("--only", action="append", choices=list(FAULTS), help="only this fault; repeat")
    parser.add_argument("--headless", action="store_true")
    options = parser.parse_args()
    result = soak(
        60 * options.minutes,
        options.seed,
        options.limit,
        options.only,
        options.stage_kills,
        headless=options.headless,
    )
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result.to_json(), indent=1))
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
