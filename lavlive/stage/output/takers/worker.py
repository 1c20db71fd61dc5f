"""The thread of one taker: it takes the newest canvas only, tries again, and is never waited for.

stage's loop ── offer, hear ──► newest canvas, some seconds of sound ──► Taker.take
(never waits)                   (drops and counts the rest)              (may wait)
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum

from lavlive.errors import OutputError, OutputMissingError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.base import SoundBlock, Taker

BACK_OFF = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each new try; the last one is kept up."""
STEADY_SECONDS = 10.0
"""One that has run for so long begins with the shortest wait again."""
SLOW_SECONDS = 4.0
"""A single canvas that takes so long to give away is told."""
_SOUND_BLOCKS = 400
"""Some seconds of sound at the usual size of blocks."""


class State(Enum):
    """How a taker fares."""

    CONNECTING = "connecting"
    ON = "on"
    WAITING = "trying again"
    ENDED = "off"


class Worker:
    """Runs one taker until `stop`.

    Only the thread made here touches the taker. The other methods and attributes are for the stage's loop,
    which they never make wait: a single assignment hands over a canvas, and a bounded queue the sound.

    Args:
        name: of the thread.
        open_taker: opens the taker; may wait.
        clock: seconds.
        wait: waits so many seconds, or until `stop`; True for `stop`.

    Attributes:
        state: see `State`.
        problem: why it does not run, in one line; "" while it does.
        sent: canvases given away.
        dropped: canvases that a newer one replaced before they could be given away.
        begun: how often it was opened.
        on_since: when it came on, seconds of the clock; None while it is not.
    """

    def __init__(
        self,
        name: str,
        open_taker: Callable[[], Taker],
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.state = State.CONNECTING
        self.problem = ""
        self.sent = self.dropped = self.begun = 0
        self._open = open_taker
        self._clock = clock
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._there = threading.Event()
        self._newest: Shot | None = None
        self._sound: deque[SoundBlock] = deque(maxlen=_SOUND_BLOCKS)
        self._busy_since: float | None = None
        self.on_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # For the stage's loop

    @property
    def alive(self) -> bool:
        """Whether its thread has not ended."""
        return self._thread.is_alive()

    @property
    def ready(self) -> bool:
        """Whether it has use for a canvas."""
        return self.state is State.ON

    def slow(self, now: float) -> bool:
        """Whether whoever receives has kept it waiting for long."""
        since = self._busy_since
        return since is not None and now - since > SLOW_SECONDS

    def offer(self, shot: Shot) -> None:
        """Hand over the newest canvas; one that still waits is dropped and counted."""
        if self._newest is not None:
            self.dropped += 1
        self._newest = shot
        self._there.set()

    def hear(self, block: SoundBlock) -> None:
        """Hand over sound; the oldest is dropped where too much waits."""
        if self.state is State.ON:
            self._sound.append(block)
            self._there.set()

    def stop(self) -> None:
        """Ask it to end, without waiting."""
        self._stopping.set()
        self._there.set()

    def join(self, seconds: float) -> None:
        """Wait for its end, at most that long."""
        self._thread.join(seconds)

    # Its thread

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self.on_since = None
            try:
                self._serve()
            except OutputMissingError as error:
                self.problem = str(error)
                break
            except Exception as error:  # whatever a library raises: the show goes on, and this tries again
                self.problem = _told(error)
                failures = 0 if self._was_steady() else failures
                self.state = State.WAITING
                if self._wait(BACK_OFF[min(failures, len(BACK_OFF) - 1)]):
                    break
                failures += 1
        self.state = State.ENDED

    def _was_steady(self) -> bool:
        """Whether it ran for long; waiting for an answer is no running."""
        return self.on_since is not None and self._clock() - self.on_since > STEADY_SECONDS

    def _serve(self) -> None:
        taker = self._open()
        try:
            self.begun += 1
            self._newest = None
            self._sound.clear()
            self.problem = ""
            self.on_since = self._clock()
            self.state = State.ON
            while not self._stopping.is_set():
                self._there.wait()
                self._there.clear()
                shot, self._newest = self._newest, None
                if self._stopping.is_set():
                    continue
                self._busy_since = self._clock()
                if shot is None:
                    taker.hear(self._heard())
                else:
                    taker.take(shot, self._heard())
                    self.sent += 1
                self._busy_since = None
        finally:
            self._busy_since = None
            taker.close()

    def _heard(self) -> list[SoundBlock]:
        return [self._sound.popleft() for _ in range(len(self._sound))]


def _told(error: Exception) -> str:
    """An error in one line. The text of foreign ones is left out: it may hold an address with its secrets."""
    if isinstance(error, OutputError):
        return str(error)
    reason = getattr(error, "strerror", None)
    return f"{reason or type(error).__name__}."
