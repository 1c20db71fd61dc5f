"""An engine in a process of its own, as the stage holds it: start it, hear it, tell it, end it.

thread            owns                       ends
the stage's main  everything else            -
engine events     the process's output       when the process closes it
engine commands   the process's input        when `close`, `kill` or a broken pipe says so
engine's end      nothing; waits for it      when the process is gone
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from lavlive.link.messages import Command, EngineEvent, StartEngine, Waiting, encode, read_event
from lavlive.link.settings import EngineSettings

_LAST_WORDS_SECONDS = 0.5
_COMMANDS = 64
"""So many may wait for an engine that does not listen; it is replaced long before."""


class EngineProcess(Protocol):
    """What the supervisor needs of a running engine."""

    def events(self) -> list[EngineEvent]:
        """What it told since the last call, oldest first."""

    def send(self, command: Command) -> None:
        """Give it a command; silently nothing if it is gone."""

    def exit_status(self) -> int | None:
        """None while it runs, or has something left to tell."""

    def kill(self) -> None:
        """End it at once."""

    def close(self, timeout: float) -> None:
        """Ask it to end, and end it if it does not."""


class SpareEngine(EngineProcess, Protocol):
    """An engine that has loaded its libraries and waits until it is needed."""

    @property
    def waiting(self) -> bool:
        """Whether it has loaded them; until then another engine is up sooner."""

    def begin(self, settings: EngineSettings) -> None:
        """Be an engine now."""


class PythonEngine:
    """An engine in a process of its own, as `lavlive.engine.engine` describes.

    Nothing here waits for the process, `close` apart.

    Args:
        settings: what to begin with; None makes a spare, which only loads its libraries until `begin`.
        log: file that takes what the engine and its libraries print, or None for this process's stderr.

    Attributes:
        waiting: whether a spare has loaded its libraries.
    """

    def __init__(self, link_name: str, settings: EngineSettings | None, log: Path | None) -> None:
        module = "lavlive.engine.spare" if settings is None else "lavlive.engine.engine"
        with _open_log(log) as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, link_name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                encoding="utf-8",
                # Ctrl+C in the terminal is for the stage, which then ends the engine in order. No session of
                # its own: Linux gives each session its share of the processor, whatever priorities say.
                process_group=0 if os.name == "posix" else None,
            )
        self.waiting = False
        self._ended: float | None = None
        self._events: deque[EngineEvent] = deque()
        self._lines: queue.Queue[str | None] = queue.Queue(_COMMANDS)
        self._reader = threading.Thread(target=self._read, name="engine events", daemon=True)
        self._writer = threading.Thread(target=self._write, name="engine commands", daemon=True)
        try:
            self._reader.start()
            self._writer.start()
        except RuntimeError:  # no more threads to be had: nobody would hear this engine
            self._give_up()
            raise
        if settings is not None:
            self.begin(settings)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def events(self) -> list[EngineEvent]:
        return [self._events.popleft() for _ in range(len(self._events))]

    def begin(self, settings: EngineSettings) -> None:
        """Make an engine of a spare."""
        self.send(StartEngine(settings))

    def send(self, command: Command) -> None:
        self._put(encode(command))

    def exit_status(self) -> int | None:
        status = self._process.poll()
        if status is not None and self._ended is None:
            self._ended = time.perf_counter()
        if self._ended is None or not self._reader.is_alive():
            return status
        # Its last words may still be on their way, but a process that it left behind may hold the pipe open.
        return status if time.perf_counter() - self._ended > _LAST_WORDS_SECONDS else None

    def kill(self) -> None:
        self._end()

    def close(self, timeout: float) -> None:
        self._put(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        ending = self._end()
        if ending is not None:
            ending.join(timeout)

    def _end(self) -> threading.Thread | None:
        """Kill it; one that hangs in a driver may still take long to be gone."""
        if self._process.poll() is None:
            self._kill_group()
        ending = threading.Thread(target=self._let_go, name="engine's end", daemon=True)
        try:
            ending.start()
        except RuntimeError:  # no more threads to be had; its own end when they see the pipes close
            self._put(None)
            return None
        return ending

    def _let_go(self) -> None:
        self._put(None)
        self._process.wait()
        self._writer.join()
        self._reader.join(_LAST_WORDS_SECONDS)

    def _give_up(self) -> None:
        """End a process whose threads could not all be started."""
        self._kill_group()
        self._process.wait()
        if self._reader.ident is not None:
            self._reader.join(_LAST_WORDS_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _kill_group(self) -> None:
        """Kill the engine and what it has started, as while it reads a foreign model."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def _put(self, line: str | None) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

    def _write(self) -> None:
        """Until None comes; then the engine, which finds its input closed, ends."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            while (line := self._lines.get()) is not None:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        # What the engine started may hold the pipe for longer than we wait, so its reader closes it.
        with self._process.stdout as told, contextlib.suppress(ValueError):
            for line in told:
                if not line.endswith("\n"):  # half a line of an engine that was killed
                    break
                event = read_event(line)
                self.waiting = self.waiting or isinstance(event, Waiting)
                self._events.append(event)


@contextlib.contextmanager
def _open_log(log: Path | None) -> Iterator[IO[bytes] | int | None]:
    """Where an engine prints to: a log that cannot be written must not keep it from starting."""
    if log is None:
        yield None
        return
    try:
        file = log.open("ab")
    except OSError:
        yield subprocess.DEVNULL
        return
    with file:
        yield file


class NoEngine:
    """Stands for an engine that the system could not start, so that the next one is tried."""

    def events(self) -> list[EngineEvent]:
        return []

    def send(self, command: Command) -> None:
        pass

    def exit_status(self) -> int | None:
        return 1

    def kill(self) -> None:
        pass

    def close(self, timeout: float) -> None:
        pass
