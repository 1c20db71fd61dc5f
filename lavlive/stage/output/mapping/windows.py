"""Further windows for further screens. Each shows a texture that the main window's context has drawn.

GLFW gives every window a context of its own; these share their textures with the main window's, where all is
drawn, and do one thing more: put a finished picture on their display. They never wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import glfw
import moderngl

from lavlive.errors import DisplayError
from lavlive.stage.canvas.passes import Passes
from lavlive.stage.output.base import MonitorLost, MonitorMissed, MonitorReturned, OutputEvent
from lavlive.stage.output.current import make_window_current
from lavlive.stage.output.mapping.drawing import turn_of
from lavlive.stage.output.mapping.surfaces import Point, Screen
from lavlive.stage.output.monitors import Geometry, Monitor, find_monitor
from lavlive.stage.output.on_monitor import OnMonitor
from lavlive.stage.output.opengl_windows import open_window

Pointer = Callable[[Point, bool | None], None]
_WINDOWED = Geometry(120, 120, 960, 540)


class FurtherWindow:
    """One window beside the main one. Its context is current in `show` alone.

    Args:
        main: the main window's handle.
        clock: seconds.
        on_key: GLFW's callback for keys.
        on_pointer: is given places of the window, 0 to 1, and whether the button went down, up, or neither.
    """

    def __init__(
        self,
        main: Any,
        title: str,
        clock: Callable[[], float],
        on_key: Callable[..., None],
        on_pointer: Pointer,
        visible: bool = True,
    ) -> None:
        hints = {glfw.AUTO_ICONIFY: glfw.FALSE, glfw.FOCUS_ON_SHOW: glfw.FALSE, glfw.VISIBLE: glfw.FALSE}
        try:
            self.handle: Any = open_window((_WINDOWED.width, _WINDOWED.height), title, hints, share=main)
        except DisplayError as error:
            raise DisplayError(
                f"No further window can be opened ({error}); screens beyond the first stay dark."
            ) from error
        self._on_monitor = OnMonitor(self.handle, _WINDOWED, None, clock, visible)
        self._wanted: str | int | None = None
        make_window_current(self.handle)
        glfw.swap_interval(0)  # the main window keeps the pace
        self._context = moderngl.create_context(require=330)
        self._passes = Passes(self._context)
        self._textures: dict[int, moderngl.Texture] = {}
        glfw.set_key_callback(self.handle, on_key)
        follow_pointer(self.handle, on_pointer)
        if visible:
            glfw.show_window(self.handle)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is shown, in pixels."""
        width, height = glfw.get_framebuffer_size(self.handle)
        return int(width), int(height)

    @property
    def geometry(self) -> Geometry:
        """Where it lies on the desktop."""
        return self._on_monitor.geometry

    def place(self, wanted: str | int | None, monitors: Sequence[Monitor]) -> list[OutputEvent]:
        """Fill the monitor that was asked for, now and whenever it comes back; what happened to it."""
        if wanted is None:
            return []
        if wanted != self._wanted:
            self._wanted = wanted
            if self._on_monitor.monitor is not None:
                self._on_monitor.leave()
        if self._on_monitor.monitor is not None:
            told = self._on_monitor.step(monitors, shown=True)
            # Its operator has no key for it, and reads of the main window's.
            return [event for event in told if not isinstance(event, MonitorMissed)]
        try:
            monitor = find_monitor(wanted, monitors)
        except DisplayError:
            if self._on_monitor.hidden:
                return []
            self._on_monitor.hide()
            return [MonitorLost(str(wanted))]
        came_back = self._on_monitor.hidden
        self._on_monitor.enter(monitor)
        return [MonitorReturned(str(wanted))] if came_back else []

    def show(self, texture: moderngl.Texture, screen: Screen) -> None:
        """Put a texture of the main window's context on the display, and leave its own context current."""
        if self._on_monitor.hidden or 0 in self.size:
            return
        make_window_current(self.handle)
        width, height = self.size
        self._context.screen.viewport = (0, 0, width, height)
        shared = self._shared(texture)
        self._passes.draw("turned", self._context.screen, upright=True, canvas=shared, turn=turn_of(screen))
        glfw.swap_buffers(self.handle)

    def _shared(self, texture: moderngl.Texture) -> moderngl.Texture:
        """The other context's texture as this one knows it."""
        known = self._textures.get(texture.glo)
        if known is None or known.size != texture.size:
            if len(self._textures) > 32:
                self._textures.clear()
            known = self._context.external_texture(texture.glo, texture.size, 4, 0, "f2")
            self._textures[texture.glo] = known
        return known

    def close(self) -> None:
        """Let go of the window; a second call does nothing."""
        if self.handle is not None:
            glfw.destroy_window(self.handle)
            self.handle = None


def follow_pointer(handle: Any, on_pointer: Pointer) -> None:
    """Tell of the mouse over a window: places of the window, 0 to 1, and what its left button did."""

    def place() -> Point:
        x, y = glfw.get_cursor_pos(handle)
        width, height = glfw.get_window_size(handle)
        return x / max(width, 1), y / max(height, 1)

    def button(_window: object, which: int, action: int, _modifiers: int) -> None:
        if which == glfw.MOUSE_BUTTON_LEFT:
            on_pointer(place(), action == glfw.PRESS)

    glfw.set_mouse_button_callback(handle, button)
    glfw.set_cursor_pos_callback(handle, lambda *_: on_pointer(place(), None))
