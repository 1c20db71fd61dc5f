"""Blocks of shared memory: marked while in use, opened by the other process, removed when abandoned."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path
from typing import BinaryIO

PREFIX = "lavlive-"
FOLDER = Path("/dev/shm")
"""Where Linux shows shared memory as files. Elsewhere blocks cannot be listed, or go with their users."""
_NEW_SECONDS = 10.0


def hold(name: str) -> BinaryIO | None:
    """Mark a block as in use until the file is closed, or this process ends however it may; Linux only."""
    if sys.platform != "linux":
        return None
    import fcntl

    with suppress(OSError):
        file = (FOLDER / name).open("rb")
        fcntl.flock(file, fcntl.LOCK_SH)
        return file
    return None


def remove_abandoned() -> None:
    """Remove blocks whose stage was killed together with all that would have removed them."""
    if sys.platform != "linux":
        return
    import fcntl

    for path in FOLDER.glob(f"{PREFIX}*"):
        with suppress(OSError), path.open("rb") as file:
            if time.time() - path.stat().st_mtime < _NEW_SECONDS:
                # Its stage may be about to mark it.
                continue
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def open_untracked(name: str) -> shared_memory.SharedMemory:
    """Open a block without handing it to this process's tracker, which would delete it at our exit."""
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name=name, track=False)
    register = resource_tracker.register
    resource_tracker.register = lambda *_: None
    try:
        return shared_memory.SharedMemory(name=name)
    finally:
        resource_tracker.register = register
