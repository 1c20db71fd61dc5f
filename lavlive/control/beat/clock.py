"""A steady tempo and beat from MIDI clock ticks that arrive unsteadily.

Ticks come 24 to the quarter note, early or late by some milliseconds, now and then in bunches. The
estimate is the growing-memory least-squares line through them (Brookner, "Tracking and Kalman Filtering
Made Easy", 1998, ch. 7: gains 2(2n-1)/(n(n+1)) and 6/(n(n+1))), whose memory stops growing at two bars.
"""

from __future__ import annotations

from collections import deque

from lavlive.control.events import ClockEvent, ClockMessage

TICKS_PER_BEAT = 24
_MEMORY = 8 * TICKS_PER_BEAT
_LOST_SECONDS = 1.0
_SLOWEST, _FASTEST = 20.0, 400.0
_STRAYS = 8
"""So many ticks in a row that are off to the same side mean another tempo."""


class ClockEstimator:
    """Follows one MIDI clock.

    Attributes:
        running: whether a start was followed by no stop; a clock that ticks without ever having been
            started counts as running.
    """

    def __init__(self) -> None:
        self.running = True
        self._count = 0
        self._position = 0.0
        self._time = 0.0
        self._interval = 0.0
        self._spread = 0.0
        self._strays = 0
        self._waits_for_first = False
        self._recent: deque[float] = deque(maxlen=_STRAYS)

    @property
    def bpm(self) -> float | None:
        """Quarter notes a minute, None before a beat has gone by."""
        if self._count < TICKS_PER_BEAT // 2 or self._interval <= 0:
            return None
        return 60.0 / (self._interval * TICKS_PER_BEAT)

    def alive(self, now: float) -> bool:
        """Whether ticks came within the last second."""
        return self._count > 0 and now - self._time < _LOST_SECONDS

    def beat(self, now: float) -> float:
        """Quarter notes since the start, at a time close to the last tick."""
        ahead = (now - self._time) / self._interval if self._interval > 0 and self.running else 0.0
        return (self._position + min(ahead, _LOST_SECONDS / max(self._interval, 1e-3))) / TICKS_PER_BEAT

    def take(self, event: ClockEvent) -> None:
        """Hear one message of the clock."""
        match event.message:
            case ClockMessage.TICK:
                self._tick(event.time)
            case ClockMessage.START:
                self.running, self._waits_for_first, self._position = True, True, 0.0
            case ClockMessage.CONTINUE:
                self.running, self._waits_for_first = True, True
            case ClockMessage.STOP:
                self.running = False
            case ClockMessage.POSITION:
                self._position = event.position * TICKS_PER_BEAT / 4

    def _tick(self, time: float) -> None:
        if self._count and time - self._time > _LOST_SECONDS:
            self._count = 0
            self._recent.clear()
        self._recent.append(time)
        if self.running and self._count and not self._waits_for_first:
            self._position += 1.0
        self._waits_for_first = False
        self._count += 1
        if self._count == 1:
            self._time = time
            return
        if self._count == 2:
            self._interval = _held(time - self._time)
            self._spread = self._interval / 4
            self._time = time
            self._strays = 0
            return
        self._correct(time)

    def _correct(self, time: float) -> None:
        expected = self._time + self._interval
        error = time - expected
        limit = max(4.0 * self._spread, 0.002) if self._count > 6 else self._interval
        off = error > limit or error < -limit
        self._strays = (self._strays + (1 if error > 0 else -1)) if off else 0
        held = min(max(error, -limit), limit)
        self._spread += (abs(held) - self._spread) / min(self._count, 48)
        if abs(self._strays) >= _STRAYS:
            self._begin_anew()
            return
        n = min(self._count, _MEMORY)
        self._time = expected + held * 2.0 * (2.0 * n - 1.0) / (n * (n + 1.0))
        self._interval = _held(self._interval + held * 6.0 / (n * (n + 1.0)))

    def _begin_anew(self) -> None:
        """Take the tempo of the last ticks alone, with the short memory that this deserves."""
        steps = len(self._recent) - 1
        self._interval = _held((self._recent[-1] - self._recent[0]) / steps)
        self._time, self._count, self._strays = self._recent[-1], TICKS_PER_BEAT // 2, 0


def _held(interval: float) -> float:
    return min(max(interval, _tick_seconds(_FASTEST)), _tick_seconds(_SLOWEST))


def _tick_seconds(bpm: float) -> float:
    return 60.0 / (bpm * TICKS_PER_BEAT)
