"""Notices on the terminal, from a thread of their own: one stopped by Ctrl+S must not stop the show."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from typing import Self, TextIO

_WAITING = 256
_END_SECONDS = 0.5


class Terminal:
    """Writes lines and never makes its callers wait. A context manager.

    Args:
        stream: where to; standard error if not given.

    Attributes:
        dropped: lines that came while too many waited.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.dropped = 0
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    def say(self, line: str) -> None:
        """Have a line written."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, unless the terminal takes nothing."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_END_SECONDS)
            self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            # A terminal that was closed, or whose disk is full, is nobody's fault here.
            with contextlib.suppress(OSError, ValueError):
                print(f"lavlive: {line}", file=self._stream or sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
