"""Even steps of a loop that no display paces."""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOK_SECONDS = 0.002


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
