"""A window that fills a monitor: it hides while the monitor is away, and comes back with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import glfw

from lavlive.stage.output.base import MonitorLost, MonitorMissed, MonitorReturned, OutputEvent
from lavlive.stage.output.fullscreen import FullScreen
from lavlive.stage.output.monitors import Geometry, Monitor, MonitorPresence, MonitorWatch


class OnMonitor:
    """Full screen of one window of GLFW.

    Args:
        handle: the window.
        windowed: where it stands on the desktop when it is no longer full screen.
        swap_interval: set again with every change, for some drivers forget it; None for a window whose
            context is not current then.
        clock: gives seconds.
        visible: whether it is ever seen; tests have windows that are not.

    Attributes:
        hidden: whether it waits out of sight for its monitor.
    """

    def __init__(
        self,
        handle: Any,
        windowed: Geometry,
        swap_interval: int | None,
        clock: Callable[[], float],
        visible: bool = True,
    ) -> None:
        self.hidden = False
        self._handle = handle
        self._windowed = windowed
        self._swap_interval = swap_interval
        self._clock = clock
        self._visible = visible
        self._full = FullScreen(handle)
        self._watch: MonitorWatch | None = None

    @property
    def monitor(self) -> Monitor | None:
        """The one that it fills, or will again once that is back; None for a window."""
        return self._watch.monitor if self._watch is not None else None

    @property
    def geometry(self) -> Geometry:
        """Where the window lies on the desktop, in screen coordinates, without its borders."""
        return Geometry(*glfw.get_window_pos(self._handle), *glfw.get_window_size(self._handle))

    def enter(self, monitor: Monitor) -> None:
        """Fill a monitor."""
        if self._watch is None:
            self._windowed = self.geometry
        self._watch = MonitorWatch(monitor)
        self._come_back()
        self._fill(monitor)

    def leave(self) -> None:
        """Be a window again."""
        self._watch = None
        self._full.leave(self._windowed)
        glfw.set_input_mode(self._handle, glfw.CURSOR, glfw.CURSOR_NORMAL)
        self._come_back()

    def step(self, monitors: Sequence[Monitor], shown: bool) -> list[OutputEvent]:
        """See what became of the monitor, among those that are there now; what the operator should know."""
        if self._watch is None:
            return []
        name = self._watch.monitor.name
        on_it = self._full.bare or bool(glfw.get_window_monitor(self._handle))
        match self._watch.step(monitors, self.hidden or on_it):
            case MonitorPresence.LOST:
                self.hide()
                return [MonitorLost(name)]
            case MonitorPresence.RETURNED:
                self._come_back()
                self._fill(self._watch.monitor)
                return [MonitorReturned(name)]
            case MonitorPresence.THERE if shown and not self._full.check(
                self._clock(), lambda: self.geometry
            ):
                return [MonitorMissed(name)]
        return []

    def _fill(self, monitor: Monitor) -> None:
        self._full.fill(monitor, self._clock())
        glfw.set_input_mode(self._handle, glfw.CURSOR, glfw.CURSOR_HIDDEN)
        if self._swap_interval is not None:
            glfw.swap_interval(self._swap_interval)

    def _come_back(self) -> None:
        if self.hidden:
            self.hidden = False
            if self._visible:
                glfw.show_window(self._handle)

    def hide(self) -> None:
        """Out of sight at once: GLFW has put the window on the desktop, where the operator's screen is."""
        self.hidden = True
        if self._full.bare or glfw.get_window_monitor(self._handle):
            self._full.leave(self._windowed)
        glfw.hide_window(self._handle)
