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
from lavlive.stage.output.base import MonitorLost, MonitorReturned, OutputEvent
from lavlive.stage.output.fullscreen import FullScreen
from lavlive.stage.output.mapping.drawing import turn_of
from lavlive.stage.output.mapping.surfaces import Point, Screen
from lavlive.stage.output.monitors import Geometry, Monitor, MonitorPresence, MonitorWatch, find_monitor
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
        self._clock, self._visible = clock, visible
        self._full = FullScreen(self.handle)
        self._watch: MonitorWatch | None = None
        self._wanted: str | int | None = None
        self._missing = False
        glfw.make_context_current(self.handle)
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
        return Geometry(*glfw.get_window_pos(self.handle), *glfw.get_window_size(self.handle))

    def place(self, wanted: str | int | None, monitors: Sequence[Monitor]) -> list[OutputEvent]:
        """Fill the monitor that was asked for, now and whenever it comes back; what happened to it."""
        if wanted is None:
            return []
        if wanted != self._wanted:
            self._wanted, self._watch, self._missing = wanted, None, False
        if self._watch is None:
            try:
                monitor = find_monitor(wanted, monitors)
            except DisplayError:
                events: list[OutputEvent] = [] if self._missing else [MonitorLost(str(wanted))]
                if not self._missing:
                    glfw.hide_window(self.handle)
                self._missing = True
                return events
            self._watch = MonitorWatch(monitor)
            self._fill(monitor)
            came_back, self._missing = self._missing, False
            return [MonitorReturned(str(wanted))] if came_back else []
        on_it = self._full.bare or self._missing or bool(glfw.get_window_monitor(self.handle))
        match self._watch.step(monitors, on_it):
            case MonitorPresence.LOST:
                self._missing = True
                self._full.leave(_WINDOWED)
                glfw.hide_window(self.handle)
                return [MonitorLost(self._watch.monitor.name)]
            case MonitorPresence.RETURNED:
                self._missing = False
                self._fill(self._watch.monitor)
                return [MonitorReturned(self._watch.monitor.name)]
            case MonitorPresence.THERE:
                self._full.check(self._clock(), lambda: self.geometry)
        return []

    def _fill(self, monitor: Monitor) -> None:
        if self._visible:
            glfw.show_window(self.handle)
        self._full.fill(monitor, self._clock())
        glfw.set_input_mode(self.handle, glfw.CURSOR, glfw.CURSOR_HIDDEN)

    def show(self, texture: moderngl.Texture, screen: Screen) -> None:
        """Put a texture of the main window's context on the display, and leave its own context current."""
        if self._missing or 0 in self.size:
            return
        glfw.make_context_current(self.handle)
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
