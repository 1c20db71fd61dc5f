"""Even steps of a loop: in step with a display that is waited for, else by a timer."""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOK_SECONDS = 0.002
_LARGEST_SHARE = 0.5
"""Of a display's period, before its picture is begun."""
_QUICK_UNTIL_TIMER = 30
"""So many pictures in a row that the display did not hold up: nothing waits for it, whatever was asked."""
_PAUSE_SECONDS = 0.25


class Pace:
    """Waits so that `wait` returns at even intervals; after a late step it does not hurry to catch up."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1.0 / rate
        self._clock = clock
        self._sleep = sleep
        self._due = clock()

    def wait(
        self, early: Callable[[], bool] = lambda: False, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        """Sleep until the next step is due, or until `early` says that there is something to do now.

        `meanwhile` is called again and again, every two milliseconds.
        """
        self._due += self._interval
        now = self._clock()
        if now >= self._due:
            self._due = now
            return
        while (left := self._due - self._clock()) > 0:
            if early():
                self._due = self._clock()
                return
            meanwhile()
            self._sleep(min(left, _LOOK_SECONDS))


class ShowPace:
    """Paces the loop that shows pictures: by the display where `present` waits for it, else by the timer.

    Two that pace at once leave frames out: a timer of 60 Hz on a display of 144 Hz shows them for two and
    three of its periods by turns. So where there is a display the loop looks after the rest for the first
    part of each period, then presents, and waits there. That part shrinks where drawing needs the time.

    Args:
        rate: of the timer, hertz.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timer = Pace(rate, clock, sleep)
        self._clock = clock
        self._sleep = sleep
        self._presented = clock()
        self._share = _LARGEST_SHARE
        self._quick = 0
        self._rate: float | None = None

    def wait(
        self,
        display_rate: float | None,
        early: Callable[[], bool] = lambda: False,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """Return when the next picture is to be presented; call it right after the one before was.

        Args:
            display_rate: hertz of the display that `present` waits for; None if it waits for none.
            early, meanwhile: as for `Pace.wait`; a display is never early.
        """
        if display_rate != self._rate:
            self._rate, self._quick, self._share = display_rate, 0, _LARGEST_SHARE
        if display_rate is None or self._quick >= _QUICK_UNTIL_TIMER:
            self._timer.wait(early, meanwhile)
            return
        period, now = 1.0 / display_rate, self._clock()
        lasted, self._presented = now - self._presented, now
        # A driver may take a few pictures without waiting; one that takes many does not wait at all.
        self._quick = self._quick + 1 if lasted < 0.8 * period else 0
        missed = 1.4 * period < lasted < _PAUSE_SECONDS
        self._share = max(self._share - 0.1, 0.0) if missed else min(self._share + 0.0005, _LARGEST_SHARE)
        until = now + self._share * period
        while (left := until - self._clock()) > 0:
            meanwhile()
            self._sleep(min(left, _LOOK_SECONDS))
