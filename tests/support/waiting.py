"""Waiting in tests for what other threads and processes do."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> float:
    """Wait for something that other threads do; returns how long it took, and fails after `seconds`."""
    start = time.perf_counter()
    while not condition():
        if time.perf_counter() - start > seconds:
            raise AssertionError(f"nothing happened in {seconds} s")
        time.sleep(0.002)
    return time.perf_counter() - start
