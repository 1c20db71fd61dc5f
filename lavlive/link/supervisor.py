"""Keeps an engine running: starts it, watches its heart, starts another with the same state.

The watch is a pure step with the time given, so that every case can be tested without waiting.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from lavlive.audio.spec import SourceSpec
from lavlive.errors import LavliveError
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import (
    ChangeSource,
    Command,
    EngineEvent,
    Failing,
    FailureKind,
    LoadModel,
    Misunderstood,
    ModelReady,
    ModelRefused,
    Ready,
    Refused,
    Restarted,
    SourceOpened,
    SourceRefused,
    StageEvent,
)
from lavlive.link.process import EngineProcess, NoEngine, SpareEngine
from lavlive.link.settings import EngineSettings

HEARTBEAT_LIMIT = 2.0
START_LIMIT = 90.0
"""For an engine's start; the next one gets twice the time, for it may be that the machine is slow."""
CRASHES_UNTIL_SAFE = 3
CRASH_WINDOW = 60.0
SPARE_AFTER = 2.0
"""Seconds after an engine is ready before a spare is started: a show that ends soon needs none."""
_REST = 1.0
"""Seconds between two starts at least: an engine that ends at once shall not keep the machine busy."""
_AWAY = 1.0
"""A stage that has not looked for so long was asleep or blocked, and judges nobody for the time."""
_REFUSED = 2
_WHERE_MEMORY_IS_SHORT = (FailureKind.OUT_OF_MEMORY, FailureKind.MODEL_DOES_NOT_FIT)
"""These failures leave the graphics card; the processor has more memory."""
_NOTHING_TO_BE_HAD = (OSError, MemoryError, RuntimeError)
"""What the system says when it has no process, no memory or no thread to give now."""


class Supervisor:
    """Starts engines for one link, one at a time, and replaces one that dies or stalls.

    Args:
        start: makes an engine of its settings.
        spare: makes one that waits, so that a replacement is quick; without it there is none.

    Attributes:
        settings: what the next engine starts with; follows model and source as they change.
        state: ``starting`` until the first picture can come, then ``running``.
        safe: three crashes within a minute, three starts in a row that came to no end, or an engine that
            refused to come back, have led to the bundled models on the CPU.
        restarts: how many engines were replaced.
        misunderstood: how many lines came, either way, that were no messages.
    """

    def __init__(
        self,
        link: SharedBlock,
        settings: EngineSettings,
        start: Callable[[str, EngineSettings], EngineProcess],
        now: float,
        spare: Callable[[str], SpareEngine] | None = None,
    ) -> None:
        self.settings = settings
        self.state = "starting"
        self.safe = False
        self.restarts = 0
        self.misunderstood = 0
        self._link = link
        self._start = start
        self._make_spare = spare
        self._spare: SpareEngine | None = None
        self._crashes: deque[float] = deque()
        self._ready_once = False
        self._late = 0
        self._failure: Refused | Failing | None = None
        self._heard = settings.source
        self._shown_aspect = settings.aspect
        self._engine: EngineProcess = start(link.name, settings)
        self._started = self._ready_at = self._alive_from = self._looked = self._patient_until = now

    def step(self, now: float) -> list[StageEvent]:
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
        events: list[StageEvent] = []
        for event in self._engine.events():
            self._take(event, now)
            events.append(event)
        reason = self._why_dead(status, now)
        if reason is not None and self.safe and not self._ready_once:
            detail = self._failure.text if self._failure is not None else reason
            raise LavliveError(f"No engine can start: {detail}; more with --debug.")
        if reason is None:
            self._keep_spare(now)
        elif now - self._started >= _REST:
            events.append(self._replace(reason, now))
        return events

    def send(self, command: Command) -> None:
        """Pass a command on to the engine."""
        self._engine.send(command)

    def load_model(self, path: str | None, fade: float) -> None:
        """Fade to another model within `fade` seconds, once it is loaded; None is the bundled one."""
        self.send(LoadModel(path, fade, self.settings.aspect))

    def change_shape(self, aspect: float | None, fade: float) -> None:
        """Make pictures of another shape, width by height, of the same model; None is its own."""
        self.settings = replace(self.settings, aspect=aspect)
        self.load_model(self.settings.model, fade)

    def change_source(self, spec: SourceSpec) -> None:
        """Listen to another source, now and after every restart; one that is refused is forgotten."""
        self.settings = replace(self.settings, source=spec)
        self.send(ChangeSource(spec))

    def close(self) -> None:
        """End the engine in order."""
        if self._spare is not None:
            self._spare.kill()
        self._engine.close(timeout=5)

    def _take(self, event: EngineEvent, now: float) -> None:
        match event:
            case Ready(path=path):
                if self.settings.bank:
                    self.settings = replace(self.settings, model=path)
                self.state = "running"
                self._ready_once = True
                self._late = 0
                # The heart beats from now on; an old engine's last beat must not count against it.
                self._ready_at = self._alive_from = now
            case Refused() | Failing():
                self._failure = event
            case ModelReady(path=path):
                self.settings = replace(self.settings, model=path)
                self._shown_aspect = self.settings.aspect
            case ModelRefused():
                # It may have been the shape that was too large: an engine to come must not try it again.
                self.settings = replace(self.settings, aspect=self._shown_aspect)
            case SourceOpened(source=source):
                self._heard = source
                self.settings = replace(self.settings, source=source)
            case SourceRefused(source=source) if source == self.settings.source:
                self.settings = replace(self.settings, source=self._heard)
            case Misunderstood():
                self.misunderstood += 1

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
            return NoEngine()

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
        if self.state == "starting" and now - self._started > self._start_limit:
            return f"it did not start within {self._start_limit:g} s"
        return None

    @property
    def _start_limit(self) -> float:
        return START_LIMIT * float(2 ** min(self._late, CRASHES_UNTIL_SAFE))

    @property
    def _refusal(self) -> str | None:
        return self._failure.text if isinstance(self._failure, Refused) else None

    def _replace(self, reason: str, now: float) -> Restarted:
        self._engine.kill()
        while self._crashes and now - self._crashes[0] > CRASH_WINDOW:
            self._crashes.popleft()
        self._crashes.append(now)
        self.restarts += 1
        if self.state == "starting" and now - self._started > self._start_limit:
            self._late += 1
        too_large = self._failure is not None and self._failure.kind in _WHERE_MEMORY_IS_SHORT
        stepped_down = too_large and self.settings.runner != "torch"
        if stepped_down:
            self.settings = self.settings.stepped_down()
        # What was refused once, such as a model that is no longer on the disk, will be again.
        often = max(len(self._crashes), self._late) >= CRASHES_UNTIL_SAFE
        if (self._refusal is not None and not stepped_down) or often:
            self.safe = True
            self.settings = self.settings.safe()
        self._failure = None
        self.settings = replace(self.settings, resumed=True)
        self._engine = self._next_engine()
        self._started = now
        self.state = "starting"
        return Restarted(reason, self.safe, stepped_down, self.restarts)
