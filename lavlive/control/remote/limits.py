"""How fast a phone may ask: a flood is slowed, and nothing of it waits in memory."""

from __future__ import annotations


class Bucket:
    """So many a second over time, and some more at once.

    Args:
        rate: a second.
        burst: at once, after a pause.
        now: seconds of the clock.
    """

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, now

    def take(self, now: float) -> float:
        """Take one; how many seconds whoever takes has to wait before the next."""
        self._left = min(self._left + (now - self._at) * self._rate, self._burst) - 1.0
        self._at = now
        return max(-self._left / self._rate, 0.0)
