"""A display for tests: an X server of our own in memory, with Mesa's OpenGL."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import glfw
import pytest

START_SECONDS = 20


@contextmanager
def xvfb(width: int = 1280, height: int = 720) -> Iterator[str]:
    """Run Xvfb on a free display while the context lasts; yields the display's name, such as ``:3``.

    ``DISPLAY`` names it meanwhile, for this process and those that it starts.
    """
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("Xvfb is not installed")
    reading, writing = os.pipe()
    command = [
        program,
        "-displayfd",
        str(writing),
        "-screen",
        "0",
        f"{width}x{height}x24",
        "-nolisten",
        "tcp",
    ]
    server = subprocess.Popen([*command, "-noreset"], pass_fds=(writing,), stderr=subprocess.DEVNULL)
    os.close(writing)
    outside = {
        name: os.environ.pop(name, None) for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE")
    }
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise RuntimeError(
                f"Xvfb ended with status {server.wait(START_SECONDS)} before it had a display."
            )
        os.environ["DISPLAY"] = f":{number}"
        yield f":{number}"
    finally:
        glfw.terminate()  # a client that outlives its X server is ended by Xlib
        for name, value in outside.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        server.terminate()
        server.wait(START_SECONDS)


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A display of 1280 x 720 for the tests of one file."""
    with xvfb() as name:
        yield name
