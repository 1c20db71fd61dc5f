"""Waiting in tests for what other threads and processes do; nothing waits here without a limit.

What hangs all the same is ended by pytest (``faulthandler_timeout``), which shows where every thread stands.
"""

from __future__ import annotations

import select
import signal
import subprocess
import time
from collections.abc import Callable
from typing import IO, Any


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


def first_line(pipe: IO[str], seconds: float = 30.0) -> str:
    """The first line that a process writes into a pipe, stripped; empty if it ended without one.

    Raises:
        AssertionError: nothing came within `seconds`.
    """
    if not select.select([pipe], [], [], seconds)[0]:
        raise AssertionError(f"a process that should speak said nothing in {seconds} s")
    return pipe.readline().strip()


def end(process: subprocess.Popen[Any], sign: signal.Signals = signal.SIGTERM, seconds: float = 10.0) -> int:
    """End a process by a signal, and by force if it does not obey within `seconds`; returns its status."""
    if process.poll() is None:
        process.send_signal(sign)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(seconds)
