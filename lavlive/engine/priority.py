"""Work that makes way for a running show: in a thread of low priority, and nothing else in it.

On Linux a thread's priority passes on to the threads that it starts, and nobody but root may raise one again.
An inference library starts threads while it compiles and keeps them: opened by a thread of low priority, it
would make its pictures at low priority for the rest of the show. So only what leaves no threads behind is
done here: reading files, measuring W.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

LOW_PRIORITY = 15
"""As a nice value: about a twentieth of a processor that others want, too."""

T = TypeVar("T")


def at_low_priority(work: Callable[[], T]) -> T:
    """What `work` returns or raises; it runs in a thread of low priority, where the system knows such."""
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        yield_to_other_threads()
        try:
            results.append(work())
        except BaseException as failure:  # raised again where it was asked for
            failures.append(failure)

    thread = threading.Thread(target=run, name="low priority", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def yield_to_other_threads() -> None:
    """Give this thread, and those that it starts, a low priority; only Linux can do it per thread."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW_PRIORITY)
