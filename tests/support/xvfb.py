"""A display for tests: an X server of our own in memory, with Mesa's OpenGL."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import glfw
import pytest

from tests.support.waiting import end, first_line

START_SECONDS = 20


@contextmanager
def xvfb(width: int = 1280, height: int = 720) -> Iterator[str]:
    """Run Xvfb on a free display while the context lasts; yields the display's name, such as ``:3``.

    ``DISPLAY`` names it meanwhile, for this process and those that it starts.
    """
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("Xvfb is not installed")
    command = [program, "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-noreset"]
    with x_server(command) as name:
        if name is None:
            raise RuntimeError("Xvfb ended before it had a display.")
        yield name


@contextmanager
def x_server(command: list[str], quiet: bool = False) -> Iterator[str | None]:
    """An X server on a free display, which ``DISPLAY`` names meanwhile; None where it ended at once.

    Args:
        command: without ``-displayfd``.
        quiet: leave out what it writes to standard output.
    """
    glfw.terminate()  # whoever starts it next meets this display, not the one around it
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [*command, "-displayfd", str(writing)],
        pass_fds=(writing,),
        stdout=subprocess.DEVNULL if quiet else None,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    outside = {
        name: os.environ.pop(name, None) for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE")
    }
    try:
        with os.fdopen(reading) as pipe:
            number = first_line(pipe, START_SECONDS)
        if number:
            os.environ["DISPLAY"] = f":{number}"
        yield f":{number}" if number else None
    finally:
        glfw.terminate()  # a client that outlives its X server is ended by Xlib
        for name, value in outside.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        end(server)


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A display of 1280 x 720 for the tests of one file."""
    with xvfb() as name:
        yield name
