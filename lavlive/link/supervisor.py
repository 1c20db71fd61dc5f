"""Keeps an engine running: starts it, watches its heart, starts another with the same state.

The watch is a pure step with the time given, so that every case can be tested without waiting.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Protocol

from lavlive.audio.sources import SourceSpec
from lavlive.errors import LavliveError
from lavlive.link.memory import Link
from lavlive.link.settings import EngineSettings

HEARTBEAT_LIMIT = 2.0
START_LIMIT = 90.0
CRASHES_UNTIL_SAFE = 3
CRASH_WINDOW = 60.0
SPARE_AFTER = 2.0
"""Seconds after an engine is ready before a spare is started: a show that ends soon needs none."""
_REST = 1.0
"""Seconds between two starts at least: an engine that ends at once shall not keep the machine busy."""
_AWAY = 1.0
"""A stage that has not looked for so long was asleep or blocked, and judges nobody for the time."""
_LAST_WORDS_SECONDS = 0.5
_REFUSED = 2
_NOTHING_TO_BE_HAD = (OSError, MemoryError, RuntimeError)
"""What the system says when it has no process, no memory or no thread to give now."""
_COMMANDS = 64
"""So many may wait for an engine that does not listen; it is replaced long before."""

Event = dict[str, Any]


class EngineProcess(Protocol):
    """What the supervisor needs of a running engine."""

    def events(self) -> list[Event]:
        """What it told since the last call, oldest first."""

    def send(self, command: dict[str, Any]) -> None:
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
                # Ctrl+C in the terminal is for the stage, which then ends the engine in order.
                start_new_session=os.name == "posix",
            )
        self.waiting = False
        self._ended: float | None = None
        self._events: deque[Event] = deque()
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

    def events(self) -> list[Event]:
        return [self._events.popleft() for _ in range(len(self._events))]

    def begin(self, settings: EngineSettings) -> None:
        """Make an engine of a spare."""
        self._put(settings.to_json())

    def send(self, command: dict[str, Any]) -> None:
        self._put(json.dumps(command))

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
                with contextlib.suppress(json.JSONDecodeError):
                    event = json.loads(line)
                    self.waiting = self.waiting or event == {"event": "waiting"}
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


class _NoEngine:
    """Stands for an engine that the system could not start, so that the next one is tried."""

    def events(self) -> list[Event]:
        return []

    def send(self, command: dict[str, Any]) -> None:
        pass

    def exit_status(self) -> int | None:
        return 1

    def kill(self) -> None:
        pass

    def close(self, timeout: float) -> None:
        pass


class Supervisor:
    """Starts engines for one link, one at a time, and replaces one that dies or stalls.

    Args:
        start: makes an engine of its settings.
        spare: makes one that waits, so that a replacement is quick; without it there is none.

    Attributes:
        settings: what the next engine starts with; follows model and source as they change.
        state: ``starting`` until the first picture can come, then ``running``.
        safe: three crashes within a minute, or an engine that refused to come back, have led to the
            bundled models on the CPU.
        restarts: how many engines were replaced.
    """

    def __init__(
        self,
        link: Link,
        settings: EngineSettings,
        start: Callable[[str, EngineSettings], EngineProcess],
        now: float,
        spare: Callable[[str], SpareEngine] | None = None,
    ) -> None:
        self.settings = settings
        self.state = "starting"
        self.safe = False
        self.restarts = 0
        self._link = link
        self._start = start
        self._make_spare = spare
        self._spare: SpareEngine | None = None
        self._crashes: deque[float] = deque()
        self._ready_once = False
        self._refusal: str | None = None
        self._failure: str | None = None
        self._heard = settings.source
        self._engine: EngineProcess = start(link.name, settings)
        self._started = self._ready_at = self._alive_from = self._looked = self._patient_until = now

    def step(self, now: float) -> list[Event]:
        """Look after the engine once; returns what it told, and an event for each restart.

        Raises:
            LavliveError: the very first engine refused its source, encoder or model, or none could start,
                in safe mode neither.
        """
        if now - self._looked > _AWAY:
            self._patient_until = now + HEARTBEAT_LIMIT
        self._looked = now
        # The exit comes before the events, or the last words of a dying engine could be missed.
        status = self._engine.exit_status()
        events = self._engine.events()
        for event in events:
            self._take(event, now)
        reason = self._why_dead(status, now)
        if reason is not None and self.safe and not self._ready_once:
            raise LavliveError(f"No engine can start: {self._failure or reason}; more with --debug.")
        if reason is None:
            self._keep_spare(now)
        elif now - self._started >= _REST:
            events.append(self._replace(reason, now))
        return events

    def send(self, command: dict[str, Any]) -> None:
        """Pass a command on to the engine."""
        self._engine.send(command)

    def change_source(self, spec: SourceSpec) -> None:
        """Listen to another source, now and after every restart; one that is refused is forgotten."""
        self.settings = replace(self.settings, source=spec)
        self.send({"do": "source", "source": spec.to_json()})

    def close(self) -> None:
        """End the engine in order."""
        if self._spare is not None:
            self._spare.kill()
        self._engine.close(timeout=5)

    def _take(self, event: Event, now: float) -> None:
        match event:
            case {"event": "ready"}:
                self.state = "running"
                self._ready_once = True
                # The heart beats from now on; an old engine's last beat must not count against it.
                self._ready_at = self._alive_from = now
            case {"event": "refused", "text": str(text)}:
                self._refusal = text
            case {"event": "failing", "text": str(text)}:
                self._failure = text
            case {"event": "model", "state": "ready", "path": path}:
                self.settings = replace(self.settings, model=path)
            case {"event": "opened", "source": dict(source)}:
                self._heard = SourceSpec.from_json(source)
                self.settings = replace(self.settings, source=self._heard)
            case {"event": "source", "state": "refused", "source": dict(source)}:
                if SourceSpec.from_json(source) == self.settings.source:
                    self.settings = replace(self.settings, source=self._heard)

    def _keep_spare(self, now: float) -> None:
        """See that there is a spare while an engine runs."""
        if self._make_spare is None or self.state != "running" or now - self._ready_at < SPARE_AFTER:
            return
        if self._spare is None or self._spare.exit_status() is not None:
            self._ready_at = now  # if it fails, the next try is not in the next frame
            if self._spare is not None:
                self._spare.kill()  # it is dead, but its threads and pipes are ours
            self._spare = None
            with contextlib.suppress(*_NOTHING_TO_BE_HAD):
                self._spare = self._make_spare(self._link.name)

    def _next_engine(self) -> EngineProcess:
        spare, self._spare = self._spare, None
        if spare is not None and spare.waiting and spare.exit_status() is None:
            spare.begin(self.settings)
            return spare
        if spare is not None:
            spare.kill()
        try:
            return self._start(self._link.name, self.settings)
        except _NOTHING_TO_BE_HAD:
            return _NoEngine()

    def _why_dead(self, status: int | None, now: float) -> str | None:
        if status is not None:
            if status == _REFUSED and not self._ready_once and not self.settings.resumed:
                raise LavliveError(self._refusal or "The engine refused to start.")
            return self._refusal or f"the engine ended with status {status}"
        if now < self._patient_until:
            return None
        beat = max(self._link.number("engine.heartbeat"), self._alive_from)
        if self.state == "running" and now - beat > HEARTBEAT_LIMIT:
            return f"no sign of life for {HEARTBEAT_LIMIT:g} s"
        if self.state == "starting" and now - self._started > START_LIMIT:
            return f"it did not start within {START_LIMIT:g} s"
        return None

    def _replace(self, reason: str, now: float) -> Event:
        self._engine.kill()
        while self._crashes and now - self._crashes[0] > CRASH_WINDOW:
            self._crashes.popleft()
        self._crashes.append(now)
        self.restarts += 1
        out_of_memory = self._failure is not None and "memory" in self._failure.lower()
        stepped_down = out_of_memory and self.settings.runner != "torch"
        if stepped_down:
            self.settings = replace(self.settings, runner="torch")
        # What was refused once, such as a model that is no longer on the disk, will be again.
        if self._refusal is not None or len(self._crashes) >= CRASHES_UNTIL_SAFE:
            self.safe = True
            self.settings = self.settings.safe()
        self._refusal = self._failure = None
        self.settings = replace(self.settings, resumed=True)
        self._engine = self._next_engine()
        self._started = now
        self.state = "starting"
        return {
            "event": "restarted",
            "reason": reason,
            "safe": self.safe,
            "stepped_down": stepped_down,
            "count": self.restarts,
        }
