"""Waiting in tests for what other threads and processes do."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object],
    seconds: float = 30.0,
    what: Callable[[], object] = lambda: "nothing happened",
    meanwhile: Callable[[], object] = lambda: None,
) -> float:
    """Wait for something that other threads do; returns how long it took, and fails after `seconds`.

    Args:
        what: what to say then.
        meanwhile: done again and again, every 2 ms.
    """
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > seconds:
            raise AssertionError(f"{what()} in {seconds} s")
        meanwhile()
        time.sleep(0.002)
    return time.perf_counter() - start


def comes_true(condition: Callable[[], object], seconds: float) -> bool:
    """Whether something that other threads do is so within `seconds`."""
    try:
        wait_until(condition, seconds)
    except AssertionError:
        return False
    return True
