"""The command ``lavlive live``: the show runs until it is closed, its time is over, or a signal ends it."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from lavlive.commands.hiding import hide_from_processes
from lavlive.commands.opening import open_show
from lavlive.commands.options import LiveOptions
from lavlive.show.pace import ShowPace
from lavlive.show.show import Show
from lavlive.stage.output.takers.addresses import secrets_of

DISPLAY_RATE = 60.0


def run_live(options: LiveOptions) -> list[Path]:
    """Run the show until it is closed, its time is over, or a signal ends it; returns what it recorded.

    Raises:
        LavliveError: something that was asked for is not there.
    """
    hide_from_processes(secret for address in options.stream for secret in secrets_of(address))
    with open_show(options) as show, _awake(), _ending_on_signals(show):
        _run(show, options.seconds)
        print(f"{show.pictures_shown} pictures  {show.status()}", file=sys.stderr)
    return list(show.recordings.finished)


def _run(show: Show, seconds: float | None) -> None:
    """Step until the show is done; `seconds` count from the first picture."""
    pace = ShowPace(DISPLAY_RATE)
    # A display has its own times; without one a picture is shown as soon as it is made.
    early = show.picture_waits if show.output.name == "headless" else _never
    began: float | None = None
    while not show.done:
        now = time.perf_counter()
        show.step(now)
        if began is None and show.pictures_shown:
            began = now
        if seconds is not None and began is not None and now - began >= seconds:
            return
        pace.wait(show.output.display_rate, early, show.listen)


def _never() -> bool:
    """Nothing to do before the next frame."""
    return False


@contextlib.contextmanager
def _ending_on_signals(show: Show) -> Iterator[None]:
    """Let Ctrl+C, SIGTERM and a closed terminal end the show in order."""

    def end(number: int, frame: FrameType | None) -> None:
        show.done = True

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


@contextlib.contextmanager
def _awake() -> Iterator[None]:
    """Keep computer and display from going to sleep, where the system lets us."""
    from wakepy import keep

    with keep.presenting(on_fail="pass"):
        yield
