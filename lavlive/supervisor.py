"""Keeps an engine running: starts it, watches its heart, starts another with the same state.

The watch is a pure step with the time given, so that every case can be tested without waiting.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from lavlive.audio.sources import SourceSpec
from lavlive.engine_settings import EngineSettings
from lavlive.errors import LavliveError
from lavlive.link import Link

HEARTBEAT_LIMIT = 2.0
START_LIMIT = 90.0
CRASHES_UNTIL_SAFE = 3
CRASH_WINDOW = 60.0
_REFUSED = 2

Event = dict[str, Any]


class EngineProcess(Protocol):
    """What the supervisor needs of a running engine."""

    def events(self) -> list[Event]:
        """What it told since the last call, oldest first."""

    def send(self, command: dict[str, Any]) -> None:
        """Give it a command; silently nothing if it is gone."""

    def exit_status(self) -> int | None:
        """None while it runs."""

    def kill(self) -> None:
        """End it at once."""

    def close(self, timeout: float) -> None:
        """Ask it to end, and end it if it does not."""


class PythonEngine:
    """An engine in a process of its own, as `lavlive.engine` describes.

    Args:
        log: file that takes what the engine and its libraries print, or None for this process's stderr.
    """

    def __init__(self, link_name: str, settings: EngineSettings, log: Path | None) -> None:
        stderr = open(log, "ab") if log else None  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lavlive.engine", link_name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                encoding="utf-8",
                # Ctrl+C in the terminal is for the stage, which then ends the engine in order.
                start_new_session=os.name == "posix",
            )
        finally:
            if stderr:
                stderr.close()
        self._events: deque[Event] = deque()
        self._reader = threading.Thread(target=self._read, name="engine events", daemon=True)
        self._reader.start()
        self._write(settings.to_json())

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def events(self) -> list[Event]:
        return [self._events.popleft() for _ in range(len(self._events))]

    def send(self, command: dict[str, Any]) -> None:
        self._write(json.dumps(command))

    def exit_status(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(timeout=5)
        self._let_go()

    def close(self, timeout: float) -> None:
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=5)
        self._let_go()

    def _let_go(self) -> None:
        self._reader.join(timeout=2)
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                assert stream is not None
                stream.close()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self._process.stdout:
                with contextlib.suppress(json.JSONDecodeError):
                    self._events.append(json.loads(line))


class Supervisor:
    """Starts engines for one link, one at a time, and replaces one that dies or stalls.

    Attributes:
        settings: what the next engine starts with; follows model and source as they change.
        state: ``starting`` until the first picture can come, then ``running``.
        safe: three crashes within a minute have led to the bundled models on the CPU.
        restarts: how many engines were replaced.
    """

    def __init__(
        self,
        link: Link,
        settings: EngineSettings,
        start: Callable[[str, EngineSettings], EngineProcess],
        now: float,
    ) -> None:
        self.settings = settings
        self.state = "starting"
        self.safe = False
        self.restarts = 0
        self._link = link
        self._start = start
        self._crashes: deque[float] = deque()
        self._ready_once = False
        self._refusal = "The engine refused to start."
        self._engine = start(link.name, settings)
        self._started = now

    def step(self, now: float) -> list[Event]:
        """Look after the engine once; returns what it told, and an event for each restart.

        Raises:
            LavliveError: the very first engine refused its source, encoder or model.
        """
        # The exit comes before the events, or the last words of a dying engine could be missed.
        status = self._engine.exit_status()
        events = self._engine.events()
        for event in events:
            self._take(event)
        reason = self._why_dead(status, events, now)
        if reason is not None:
            events.append(self._replace(reason, events, now))
        return events

    def send(self, command: dict[str, Any]) -> None:
        """Pass a command on to the engine."""
        self._engine.send(command)

    def close(self) -> None:
        """End the engine in order."""
        self._engine.close(timeout=5)

    def _take(self, event: Event) -> None:
        match event:
            case {"event": "ready"}:
                self.state = "running"
                self._ready_once = True
                # The heart beats from now on; an old engine's last beat must not count against it.
                self._link.meter("engine.heartbeat")[0] = max(
                    self._link.number("engine.heartbeat"), self._link.number("engine.started")
                )
            case {"event": "refused", "text": str(text)}:
                self._refusal = text
            case {"event": "model", "state": "ready", "path": path}:
                self.settings = replace(self.settings, model=path)

    def change_source(self, spec: SourceSpec) -> None:
        """Listen to another source, now and after every restart."""
        self.settings = replace(self.settings, source=spec)
        self.send({"do": "source", "source": spec.to_json()})

    def _why_dead(self, status: int | None, events: list[Event], now: float) -> str | None:
        if status is not None:
            self._raise_refusal(status)
            return f"the engine ended with status {status}"
        if self.state == "running" and now - self._link.number("engine.heartbeat") > HEARTBEAT_LIMIT:
            return f"no sign of life for {HEARTBEAT_LIMIT:g} s"
        if self.state == "starting" and now - self._started > START_LIMIT:
            return f"it did not start within {START_LIMIT:g} s"
        return None

    def _raise_refusal(self, status: int) -> None:
        if status == _REFUSED and not self._ready_once:
            raise LavliveError(self._refusal)

    def _replace(self, reason: str, events: list[Event], now: float) -> Event:
        self._engine.kill()
        while self._crashes and now - self._crashes[0] > CRASH_WINDOW:
            self._crashes.popleft()
        self._crashes.append(now)
        self.restarts += 1
        memory = any("memory" in str(event.get("text", "")).lower() for event in events)
        if memory and self.settings.runner != "torch":
            self.settings = replace(self.settings, runner="torch")
        if len(self._crashes) >= CRASHES_UNTIL_SAFE and not self.safe:
            self.safe = True
            self.settings = self.settings.safe()
        self.settings = replace(self.settings, resumed=True)
        self._engine = self._start(self._link.name, self.settings)
        self._started = now
        self.state = "starting"
        return {"event": "restarted", "reason": reason, "safe": self.safe, "count": self.restarts}
