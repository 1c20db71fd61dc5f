"""A stage in a process of its own, watched from outside; see `tests.support.watched_stage`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from tests.support.waiting import comes_true, end
from tests.support.wishes import Wish, encode

ROOT = Path(__file__).parents[2]
START_SECONDS = 90.0
Report = dict[str, Any]


class StageProcess:
    """``lavlive live`` with its own configuration folder. A context manager.

    Args:
        arguments: of ``lavlive live``.
        config: where it keeps state, presets and bindings, over several lives.

    Attributes:
        reports: of the present life, oldest first, the last few thousand.
        listeners: called with every report, from the reading thread.
    """

    def __init__(self, arguments: Sequence[str], config: Path) -> None:
        self.config = config
        self.reports: deque[Report] = deque(maxlen=8000)
        self.listeners: list[Callable[[Report], None]] = []
        self._arguments = list(arguments)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.start()

    def start(self) -> None:
        """Begin a life."""
        self.reports.clear()
        environment = os.environ | {"XDG_CONFIG_HOME": str(self.config)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.watched_stage", *self._arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                report = json.loads(line)
            except ValueError:  # half a line of a stage that was killed
                continue
            self.reports.append(report)
            for listener in self.listeners:
                listener(report)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._errors.close()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    @property
    def now(self) -> Report:
        """The newest report."""
        return self.reports[-1]

    @property
    def state_file(self) -> Path:
        """Where it keeps its state."""
        return self.config / "lavlive" / "state.json"

    @property
    def presets(self) -> Path:
        """The user's presets."""
        return self.config / "lavlive" / "presets"

    def told(self) -> str:
        """All that it and its engines wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def complaints(self) -> str:
        """The end of it, for a message."""
        return self.told()[-4000:]

    def send(self, wish: Wish) -> None:
        """What a performer does in the panel."""
        assert self.process.stdin is not None
        self.process.stdin.write(encode(wish).decode() + "\n")
        self.process.stdin.flush()

    def wait(self, condition: Callable[[Report], bool], what: str, seconds: float = START_SECONDS) -> float:
        """Wait for a report of which the condition holds; returns how long it took.

        Raises:
            AssertionError: the stage ended, or it took longer than `seconds`.
        """
        start = time.perf_counter()
        while not (self.reports and condition(self.reports[-1])):
            if not self.alive:
                raise AssertionError(f"the stage ended before {what}: {self.complaints()}")
            if time.perf_counter() - start > seconds:
                last = self.reports[-1] if self.reports else None
                raise AssertionError(f"no {what} within {seconds:g} s: {last}; {self.complaints()}")
            time.sleep(0.02)
        return time.perf_counter() - start

    def wait_for_pictures(self, count: int = 3) -> float:
        """Wait until so many more pictures came than there are now."""
        before = self.reports[-1]["pictures"] if self.reports else 0
        return self.wait(lambda report: report["pictures"] >= before + count, "pictures")

    def kill(self) -> list[int]:
        """kill -9; returns the processes that it leaves behind."""
        orphans = [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]
        self._gone(signal.SIGKILL)
        return orphans

    def end(self) -> int:
        """End it as a session's end does, by SIGTERM; returns its exit status."""
        return self._gone(signal.SIGTERM)

    def _gone(self, sign: signal.Signals) -> int:
        status = end(self.process, sign, 30.0)
        self._reader.join(10)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        return status


def memory_exists(name: str) -> bool:
    """Whether a block of shared memory is there."""
    return (Path("/dev/shm") / name.lstrip("/")).exists()


def wait_for_end(pids: Sequence[int], seconds: float) -> list[int]:
    """Those of the processes that are still there after so long."""

    def left() -> list[int]:
        return [pid for pid in pids if psutil.pid_exists(pid) and _runs(pid)]

    comes_true(lambda: not left(), seconds)
    return left()


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
