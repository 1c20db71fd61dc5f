"""Filling a monitor, and seeing to it that it is the right one.

Under X11 the window manager decides. One that knows `_NET_WM_FULLSCREEN_MONITORS` does what GLFW asks;
another fills the monitor that the window lies on. So the window is moved there first. If it still ends
elsewhere, a window without borders is put over the monitor; if that cannot be had either, the operator is
told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import glfw

from lavlive.stage.output.monitors import Geometry, Monitor

SETTLE_SECONDS = 1.0
"""How long a window manager may take to do as asked."""
_NULL: Any = None


class FullScreen:
    """Puts one GLFW window over a monitor and takes it back.

    Args:
        handle: GLFW's window.

    Attributes:
        bare: whether it fills the monitor as a window without borders, which GLFW knows nothing of.
    """

    def __init__(self, handle: Any) -> None:
        self.bare = False
        self._handle = handle
        self._wanted: Monitor | None = None
        self._due = 0.0

    def fill(self, monitor: Monitor, now: float) -> None:
        """Fill a monitor; `check` sees what came of it."""
        self._wanted, self._due = monitor, now + SETTLE_SECONDS
        self._dress(bare=False)
        if _places_windows():
            # The window manager hears of both in this order.
            inside = monitor.geometry.inside(glfw.get_window_size(self._handle))
            glfw.set_window_monitor(self._handle, _NULL, *inside, glfw.DONT_CARE)
        glfw.set_window_monitor(
            self._handle,
            monitor.handle,
            0,
            0,
            monitor.width,
            monitor.height,
            monitor.rate or glfw.DONT_CARE,
        )

    def leave(self, windowed: tuple[int, int, int, int]) -> None:
        """Be a window again, at that place and of that size."""
        self._wanted = None
        self._dress(bare=False)
        glfw.set_window_monitor(self._handle, _NULL, *windowed, glfw.DONT_CARE)

    def check(self, now: float, seen: Callable[[], Geometry]) -> bool:
        """Correct a window that a window manager has put elsewhere; False, once, when that is in vain."""
        monitor = self._wanted
        if monitor is None:
            return True
        if monitor.geometry.covered_by(seen()):
            self._wanted = None
            return True
        if now < self._due:
            return True
        if not self.bare:
            self._due = now + SETTLE_SECONDS
            self._dress(bare=True)
            glfw.set_window_monitor(self._handle, _NULL, *monitor.geometry, glfw.DONT_CARE)
            return True
        self._wanted = None
        return False

    def _dress(self, bare: bool) -> None:
        if bare == self.bare:
            return
        self.bare = bare
        glfw.set_window_attrib(self._handle, glfw.DECORATED, glfw.FALSE if bare else glfw.TRUE)
        glfw.set_window_attrib(self._handle, glfw.FLOATING, glfw.TRUE if bare else glfw.FALSE)


def _places_windows() -> bool:
    """Whether full screen goes through a window manager, which X11 alone leaves to it."""
    return bool(glfw.get_platform() == glfw.PLATFORM_X11)
