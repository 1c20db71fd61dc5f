"""Shaders are tried in a process of their own before the show draws them.

Compiling takes a driver from milliseconds to seconds, and what a stranger's shader asks of it may end it or
never end. So a new shader goes to another process first, `isf.trying`; what runs in the show goes on
meanwhile. When the answer is good the show compiles it, too, which the driver's cache makes short.

thread            owns                                    ends
the stage's main  what it asks for and what it is told    -
shader trials     the process, the images' decoding       at `close`
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from lavlive.errors import ShaderError
from lavlive.stage.canvas.isf.document import Document
from lavlive.stage.canvas.isf.images import read_image
from lavlive.stage.canvas.isf.trying import Task

PATIENCE_SECONDS = 20.0
"""A shader that takes longer to compile and draw twice is refused."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a trial.

    Attributes:
        error: why the shader cannot be used, a line; None if it can.
        images: what it brings along, decoded, by path.
    """

    error: str | None = None
    images: Mapping[Path, np.ndarray] = field(default_factory=dict)


class Trials(Protocol):
    """Who tries shaders."""

    def verdict(self, name: str, version: int, document: Document, size: tuple[int, int]) -> Verdict | None:
        """What came of this version; None while it is tried. The first call asks for the trial."""

    def close(self) -> None:
        """Let go of everything."""


class Trying(Protocol):
    """A place where a shader is tried."""

    def attempt(self, task: Task) -> str | None:
        """Why it cannot be used, or None."""

    def close(self) -> None:
        """End it."""


class TryingProcess:
    """`isf.trying` in a process; begun at the first attempt, and anew after one that ended it."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def attempt(self, task: Task) -> str | None:
        name = task.document.path.name
        try:
            process = self._running()
        except OSError:
            return None  # no process to be had: the show compiles for itself
        assert process.stdin is not None
        assert process.stdout is not None
        ended_late = threading.Event()

        def end() -> None:
            ended_late.set()
            process.kill()

        late = threading.Timer(self._patience, end)
        late.start()
        try:
            pickle.dump(task, process.stdin)
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = b""
        finally:
            late.cancel()
        if not line.endswith(b"\n"):
            self.close()
            what = f"takes more than {self._patience:g} s over it" if ended_late.is_set() else "ends with it"
            return f"{name}: the graphics driver {what}; it is not drawn."
        fault: str | None = json.loads(line)["error"]
        return fault

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lavlive.stage.canvas.isf.trying"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=os.name == "posix",  # Ctrl+C in the terminal is for the stage
            )
        return self._process

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with (
                contextlib.suppress(OSError),
                process,
            ):  # waits, and closes the pipes, of which one may be full
                pass


class ShaderTrials:
    """Tries shaders one after the other in a thread of its own."""

    def __init__(self, make: Callable[[], Trying] = TryingProcess) -> None:
        self._make = make
        self._asked: dict[str, int] = {}
        self._verdicts: dict[tuple[str, int], Verdict] = {}
        self._queue: queue.SimpleQueue[tuple[str, int, Task] | None] = queue.SimpleQueue()
        self._trying: Trying | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def verdict(self, name: str, version: int, document: Document, size: tuple[int, int]) -> Verdict | None:
        before = self._asked.get(name)
        if before != version:
            self._asked[name] = version
            if before is not None:
                self._verdicts.pop((name, before), None)
            self._queue.put((name, version, Task(document, size)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="shader trials", daemon=True)
                self._thread.start()
        return self._verdicts.get((name, version))

    def close(self) -> None:
        """End the process and the thread."""
        self._closed = True
        self._queue.put(None)
        if self._trying is not None:
            with contextlib.suppress(OSError):
                self._trying.close()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _work(self) -> None:
        self._trying = self._make()
        while (asked := self._queue.get()) is not None and not self._closed:
            name, version, task = asked
            if self._asked.get(name) != version:
                continue  # it was saved again meanwhile
            try:
                error = self._trying.attempt(task)
            except Exception as failure:  # whatever it is, a shader that waits for ever says nothing
                error = f"{task.document.path.name}: it could not be tried: {failure}"
            verdict = Verdict(error) if error is not None else Verdict(None, _images(task.document))
            if self._asked.get(name) == version:
                self._verdicts[name, version] = verdict
        if not self._closed:
            self._trying.close()


def _images(document: Document) -> dict[Path, np.ndarray]:
    """Its images, decoded here because that takes its time; those that cannot be read are left out."""
    found = {}
    for image in document.imported:
        for path in filter(None, image.paths):
            with contextlib.suppress(ShaderError):  # the shader itself says so
                found[path] = read_image(path)
    return found
