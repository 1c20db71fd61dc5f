"""Slow work beside the show: files on a disk that may hang, and must not keep a performer from quitting.

Unlike those of `concurrent.futures`, this thread ends with the program whatever it is at.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
END_SECONDS = 5.0
"""How long the end of a show waits for work that it began."""


class Aside:
    """Does what it is given in a thread of its own, in order; one owner gives and closes.

    Args:
        name: of the thread, which begins with the first piece of work.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Have `work(*arguments)` done; what it returns or raises comes with the future."""
        future: Future[T] = Future()
        self._work.put((future, lambda: work(*arguments, **named)))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        return future

    def close(self, seconds: float = END_SECONDS) -> bool:
        """Take no more; whether all is done within so many seconds. What is not is left to itself."""
        self._work.put(None)
        if self._thread is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (given := self._work.get()) is not None:
            future, work = given
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as failure:  # raised where the result is asked for
                future.set_exception(failure)
