"""The operator's window: a GLFW window of its own with Dear ImGui in it.

The projector's window stays clean; this one may be closed and opened at any time (Tab).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import glfw

from lavlive.errors import DisplayError
from lavlive.stage.output.base import KeyPressed
from lavlive.stage.output.current import make_window_current
from lavlive.stage.output.keys import key_name, modifier_names
from lavlive.stage.output.monitors import Geometry
from lavlive.stage.output.opengl_windows import open_window, start_glfw
from lavlive.stage.panel.dress import BACK, dress, load_font

SIZE = (1180, 860)
"""Width and height that the panel likes best."""
_NAVIGATION = ("left", "right", "up", "down", "space", "enter", "escape")


class PanelWindow:
    """Opens, feeds and draws the panel's window; all calls come from the main thread.

    Args:
        close: lets go of what `draw` keeps in OpenGL; called while the context is current.
        draw: builds the panel with Dear ImGui calls, inside one full-size window; takes width, height, time.
        place: where on the desktop, and how large; None leaves that to the window manager.
        visible: tests may hide it.
    """

    def __init__(
        self,
        draw: Callable[[float, float, float], None],
        close: Callable[[], None] = lambda: None,
        place: Geometry | None = None,
        visible: bool = True,
    ) -> None:
        start_glfw()
        from imgui_bundle import imgui
        from imgui_bundle.python_backends.glfw_backend import GlfwRenderer

        self._imgui = imgui
        self._draw = draw
        self._close = close
        self._keys: list[KeyPressed] = []
        size = (place.width, place.height) if place is not None else SIZE
        try:
            self.handle: Any = open_window(size, "lavlive panel", {glfw.VISIBLE: int(visible)})
        except DisplayError as error:
            raise DisplayError(f"The panel's window cannot be opened ({error}); use --no-panel.") from error
        if place is not None:
            glfw.set_window_pos(self.handle, place.x, place.y)
        make_window_current(self.handle)
        # The projector's window keeps the pace; waiting for two displays would halve it.
        glfw.swap_interval(0)
        self._context = imgui.create_context()
        io = imgui.get_io()
        io.set_ini_filename("")
        io.config_flags |= imgui.ConfigFlags_.nav_enable_keyboard
        self._renderer = GlfwRenderer(self.handle)
        load_font(imgui)
        dress(imgui)
        # In place of the renderer's own, which it calls: both must see a key.
        glfw.set_key_callback(self.handle, self._on_key)

    @property
    def should_close(self) -> bool:
        """Whether the operator closed it."""
        return bool(glfw.window_should_close(self.handle))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is drawn, in pixels."""
        width, height = glfw.get_framebuffer_size(self.handle)
        return int(width), int(height)

    def poll(self) -> list[KeyPressed]:
        """Keys pressed here that the panel itself had no use for; events were polled by the output."""
        keys, self._keys = self._keys, []
        return keys

    def present(self, now: float) -> None:
        """Draw the panel once."""
        imgui = self._imgui
        make_window_current(self.handle)
        imgui.set_current_context(self._context)
        self._renderer.process_inputs()
        imgui.new_frame()
        width, height = imgui.get_io().display_size.x, imgui.get_io().display_size.y
        imgui.set_next_window_pos((0, 0))
        imgui.set_next_window_size((width, height))
        flags = (
            imgui.WindowFlags_.no_decoration
            | imgui.WindowFlags_.no_move
            | imgui.WindowFlags_.no_saved_settings
        )
        imgui.begin("panel", None, flags)
        self._draw(width, height, now)
        imgui.end()
        imgui.render()
        self._clear()
        self._renderer.render(imgui.get_draw_data())
        glfw.swap_buffers(self.handle)

    def _clear(self) -> None:
        from OpenGL import GL

        GL.glClearColor(*BACK)
        GL.glClear(GL.GL_COLOR_BUFFER_BIT)

    def _on_key(self, window: object, key: int, scancode: int, action: int, modifiers: int) -> None:
        self._renderer.keyboard_callback(window, key, scancode, action, modifiers)
        io = self._imgui.get_io()
        name = key_name(key, scancode)
        # Arrows, Space and Enter move about in the panel once it is used with the keyboard.
        taken = io.want_text_input or (io.nav_visible and name in _NAVIGATION)
        if action == glfw.PRESS and name is not None and not taken:
            self._keys.append(KeyPressed(name, modifier_names(modifiers)))

    def close(self) -> None:
        """Let go of the window; a second call does nothing."""
        if self.handle is None:
            return
        make_window_current(self.handle)
        self._imgui.set_current_context(self._context)
        self._close()
        self._renderer.shutdown()
        self._imgui.destroy_context(self._context)
        glfw.destroy_window(self.handle)
        self.handle = None
