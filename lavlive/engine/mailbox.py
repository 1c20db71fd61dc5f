"""A handoff between two threads where only the newest value matters."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds one value: putting replaces it, taking empties it. Any thread may do either."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._value: T | None = None
        self.replaced = 0
        """How many values were replaced before anybody took them."""

    def put(self, value: T) -> T | None:
        """Leave a value; returns the one in whose place it comes, which nobody took, or None."""
        with self._arrived:
            before, self._value = self._value, value
            self.replaced += before is not None
            self._arrived.notify()
            return before

    def take(self, timeout: float) -> T | None:
        """The newest value, once; waits up to `timeout` seconds for one, else None."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._value is not None, timeout)
            value, self._value = self._value, None
            return value
