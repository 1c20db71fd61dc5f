"""A desktop of two monitors for tests: Xorg with its dummy driver, which has RandR outputs as a card has."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import glfw
import pytest

from tests.support.waiting import end, wait_until
from tests.support.xvfb import START_SECONDS, x_server

FIRST, SECOND = (0, 0, 800, 600), (800, 0, 640, 480)
_CONFIGURATION = """
Section "ServerFlags"
  Option "AutoAddDevices" "false"
  Option "AutoEnableDevices" "false"
EndSection
Section "Device"
  Identifier "card"
  Driver "dummy"
  VideoRam 64000
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 5-1000
  VertRefresh 5-200
EndSection
Section "Screen"
  Identifier "screen"
  Device "card"
  Monitor "monitor"
  DefaultDepth 24
  SubSection "Display"
    Virtual 2048 1024
  EndSubSection
EndSection
"""


@contextmanager
def two_monitors(folder: Path) -> Iterator[str]:
    """Monitors ``DUMMY0``, at `FIRST`, and ``DUMMY1``, at `SECOND`; ``DISPLAY`` names them meanwhile."""
    for program in ("Xorg", "xrandr"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    configuration = folder / "xorg.conf"
    configuration.write_text(_CONFIGURATION)
    command = ["Xorg", "-config", str(configuration), "-logfile", str(folder / "xorg.log")]
    with x_server([*command, "-noreset", "-novtswitch", "-sharevts"], quiet=True) as name:
        if name is None:
            pytest.skip("Xorg has no dummy driver here")
        for arguments in (
            "--addmode DUMMY1 640x480",
            "--output DUMMY0 --mode 800x600 --output DUMMY1 --mode 640x480 --right-of DUMMY0",
            "--query",  # until somebody looks, the second one is not known to be connected
        ):
            subprocess.run(["xrandr", *arguments.split()], check=True, stdout=subprocess.DEVNULL, timeout=60)
        yield name


@contextmanager
def window_manager(program: str = "openbox", killed: bool = False) -> Iterator[None]:
    """A window manager on the present display, from when it has said that it is one.

    Args:
        killed: end it by kill -9 in the end, so that it leaves its mark behind.
    """
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command = [program, "--sm-disable"] if program in ("openbox", "metacity") else [program]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(
            lambda: "window id" in _root("_NET_SUPPORTING_WM_CHECK"),
            START_SECONDS,
            lambda: f"{program} did not start",
        )
        yield
    finally:
        glfw.terminate()
        end(process, signal.SIGKILL if killed else signal.SIGTERM)


def _root(name: str) -> str:
    return subprocess.run(
        ["xprop", "-root", name], capture_output=True, text=True, check=True, timeout=60
    ).stdout
