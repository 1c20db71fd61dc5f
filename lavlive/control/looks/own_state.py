"""Which file keeps a show's state: each of several shows that run at once on one computer has its own.

A show holds a lock beside its file as long as its process lives, however it ends. So a show that is still
running is told from one that crashed, which alone is gone on with.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_MOST = 16
"""Shows at once that keep a state of their own."""


@contextlib.contextmanager
def own_state_file(folder: Path) -> Iterator[Path]:
    """The first of state.json, state-2.json … in `folder` that no other show has, held for the block.

    Where locks cannot be had, as on some network disks, it is state.json.
    """
    for number in range(1, _MOST + 1):
        path = folder / ("state.json" if number == 1 else f"state-{number}.json")
        try:
            held = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            break
        try:
            if _locked(held):
                yield path
                return
        finally:
            os.close(held)
    yield folder / "state.json"


def _locked(descriptor: int) -> bool:
    """Lock an open file, which its closing frees; False if another process has it, or this one already."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except PermissionError:  # Windows: somebody has it
        return False
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
