"""SHA-256 of files, made in a thread of their own: a model of 300 MB takes a second to read."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path


class FileHashes:
    """Hashes by path, for as long as a file is not written anew."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], str] = {}
        self._wanted: set[tuple[str, int, int]] = set()

    def of(self, path: Path) -> str:
        """The hash of a file as hexadecimal digits; "" while it is being made, or where it cannot be read."""
        try:
            found = path.stat()
        except OSError:
            return ""
        key = str(path), found.st_size, found.st_mtime_ns
        known = self._known.get(key)
        if known is None and key not in self._wanted:
            self._wanted.add(key)
            threading.Thread(target=self._make, args=(key,), name="hash", daemon=True).start()
        return known or ""

    def _make(self, key: tuple[str, int, int]) -> None:
        try:
            with open(key[0], "rb") as file:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            self._known[key] = ""
