"""SHA-256 of files, made in a thread of their own: a model of 300 MB takes a second to read.

Whoever asks never touches the disk, which may be one that the network has lost, and however many files are
asked for, one is read at a time.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

LOOK_SECONDS = 2.0
"""How often a file that is asked for is looked at: whether it was written anew."""


class FileHashes:
    """Hashes by path. The main thread's, as of a show."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[tuple[int, int] | None, str]] = {}
        self._looked: dict[str, float] = {}
        self._asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._waiting: set[str] = set()
        self._thread: threading.Thread | None = None

    def of(self, path: Path) -> str:
        """The hash of a file as hexadecimal digits; "" while it is being made, or where it cannot be read."""
        name, now = str(path), self._clock()
        known = self._known.get(name)
        if name not in self._waiting and now - self._looked.get(name, -LOOK_SECONDS) >= LOOK_SECONDS:
            self._looked[name] = now
            self._waiting.add(name)
            self._asked.put(name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hashes", daemon=True)
                self._thread.start()
        return known[1] if known is not None else ""

    @property
    def busy(self) -> bool:
        """Whether a file that was asked for has not been looked at yet, so that its "" may become a hash."""
        return any(name not in self._known for name in self._waiting.copy())

    def close(self) -> None:
        """End the thread, after the file that it reads."""
        self._asked.put(None)

    def _run(self) -> None:
        while (name := self._asked.get()) is not None:
            self.look(name)

    def look(self, name: str) -> None:
        """Hash a file, if it is new or was written anew since."""
        try:
            found = Path(name).stat()
            version: tuple[int, int] | None = (found.st_size, found.st_mtime_ns)
        except OSError:
            version = None
        known = self._known.get(name)
        if known is None or known[0] != version:
            self._known.pop(name, None)  # not the old one while the new one is being made
            self._known[name] = version, _hash(name) if version is not None else ""
        self._waiting.discard(name)


def _hash(name: str) -> str:
    try:
        with open(name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
