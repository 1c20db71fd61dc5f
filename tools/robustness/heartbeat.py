"""When this process was not let run: a thread that sleeps a little, and notes when it was woken late.

A gap in what a transport brings is the transport's own only as far as neither side's process stood still
meanwhile. `time.perf_counter` is one clock for all processes of a machine on Linux.
"""

from __future__ import annotations

import threading
import time

_BEAT_SECONDS = 0.01
_LATE_SECONDS = 0.02
_MOST = 20_000

Span = tuple[float, float]
"""From and to, seconds of `time.perf_counter`."""


class Heartbeat:
    """Watches its process from when it is made until it ends.

    Attributes:
        stalls: the spans in which the process, or its interpreter, did not run; the newest 20 000.
    """

    def __init__(self) -> None:
        self.stalls: list[Span] = []
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    @property
    def longest(self) -> float:
        """Seconds of the longest stall, 0 where there was none."""
        return max((end - begin for begin, end in self.stalls), default=0.0)

    def _run(self) -> None:
        while True:
            due = time.perf_counter() + _BEAT_SECONDS
            time.sleep(_BEAT_SECONDS)
            woken = time.perf_counter()
            if woken - due > _LATE_SECONDS:
                self.stalls.append((round(due, 4), round(woken, 4)))
                del self.stalls[:-_MOST]


def covered(span: Span, stalls: list[Span]) -> float:
    """Seconds of a span within which there was a stall of at least one process."""
    seconds, reached = 0.0, span[0]
    for begin, end in sorted(stalls):
        begin, end = max(begin, reached), min(end, span[1])
        if end > begin:
            seconds += end - begin
            reached = end
    return seconds
