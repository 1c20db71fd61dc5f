"""Lines for the performer from whatever is under his hands: kept until the show reads them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Notes:
    """Belongs to the main thread. At most 32 lines wait; the oldest go first."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque(maxlen=32)
        self._told: set[str] = set()

    def tell(self, line: object) -> None:
        """Tell a line."""
        self._waiting.append(str(line))

    def tell_once(self, *lines: object) -> None:
        """Tell those that were never told by this before, such as a file that cannot be used."""
        for line in map(str, lines):
            if line not in self._told:
                self._told.add(line)
                self._waiting.append(line)

    def tell_all(self, lines: Iterable[object]) -> None:
        """Tell several lines."""
        self._waiting.extend(map(str, lines))

    def take(self) -> list[str]:
        """What was told since the last call."""
        told = list(self._waiting)
        self._waiting.clear()
        return told
