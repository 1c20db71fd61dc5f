"""The output ``window``: a GLFW window, or a whole monitor, that shows the canvas."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import glfw
import moderngl
import numpy as np

from lavlive.errors import DisplayError
from lavlive.link.contents import Picture
from lavlive.parameters import Value
from lavlive.stage.canvas.canvas import Canvas
from lavlive.stage.canvas.isf.sound import SoundTextures
from lavlive.stage.canvas.limiter import FlashLimiter
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.badge import Badge
from lavlive.stage.output.base import (
    CloseRequested,
    KeyPressed,
    OutputEvent,
    OutputSettings,
)
from lavlive.stage.output.current import make_window_current
from lavlive.stage.output.keys import key_name, modifier_names
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.mapping.screens import MappedScreens
from lavlive.stage.output.mapping.surfaces import LARGEST_CANVAS
from lavlive.stage.output.mapping.windows import follow_pointer
from lavlive.stage.output.monitors import (
    Geometry,
    Monitor,
    find_monitor,
    list_monitors,
)
from lavlive.stage.output.on_monitor import OnMonitor
from lavlive.stage.output.opengl_windows import open_window, start_glfw
from lavlive.stage.output.room import room_for_panel
from lavlive.stage.output.software import CANVAS as SOFTWARE_CANVAS
from lavlive.stage.output.software import even_within, is_software, set_for_show, within

TITLE = "lavlive"
_USUAL_RATE = 60.0
"""Of a monitor that does not tell."""
_LOOK_SECONDS = 1.0
_NULL: Any = None


class WindowOutput:
    """The window and its OpenGL context. All calls come from the main thread.

    Attributes:
        handle: GLFW's window.
        context: the moderngl context; `make_current` before it is used from outside.
        software: whether the processor draws, for want of a graphics driver; the canvas is small then.
        overlay: called after the canvas is drawn and before it is shown, with the context current.
    """

    name = "window"
    sign = ""

    def __init__(
        self,
        settings: OutputSettings,
        monitors: Callable[[], Sequence[Monitor]] = list_monitors,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        start_glfw()
        self._clock = clock
        self._settings = settings
        self._monitors = monitors
        self._events: list[OutputEvent] = []
        self._title = TITLE
        self._title_changed = -1.0
        self._close_reported = False
        self._at_end = contextlib.ExitStack()
        self._rate, self._looked_at_rate = 0.0, -math.inf
        self.overlay: Callable[[], None] | None = None
        self.mapping: ScreenMapping | None = settings.mapping
        self._screens: MappedScreens | None = None
        self._cursor_seen = True
        wanted = find_monitor(self._wanted_monitor, monitors())
        self.handle = self._create_window()
        windowed = Geometry(80, 80, settings.width, settings.height)
        self._swap_interval = 1 if settings.vsync else 0
        self._on_monitor = OnMonitor(self.handle, windowed, self._swap_interval, clock)
        self.make_current()
        self.context = self._create_context()
        self.software = is_software(self.context)
        self._canvas = Canvas(self.context, self._wanted_canvas(), settings.shaders)
        set_for_show(self._canvas, self.software)
        self._badge = Badge(self.context)
        self._at_end.callback(self._canvas.close)
        glfw.swap_interval(self._swap_interval)
        glfw.set_key_callback(self.handle, self._on_key)
        if self.mapping is not None:
            follow_pointer(self.handle, self._on_pointer)
        if settings.fullscreen:
            self._on_monitor.enter(wanted)

    def _create_window(self) -> Any:
        hints = {
            glfw.AUTO_ICONIFY: glfw.FALSE,  # a click on the panel must not close the show
            glfw.VISIBLE: glfw.TRUE if self._settings.visible else glfw.FALSE,
        }
        try:
            return open_window((self._settings.width, self._settings.height), TITLE, hints)
        except DisplayError as error:
            raise DisplayError(
                f"No window with OpenGL 3.3 can be opened: {error}. Use --headless."
            ) from error

    def _create_context(self) -> moderngl.Context:
        try:
            return moderngl.create_context(require=330)
        except Exception as error:  # moderngl has no narrower one
            self.close()
            raise DisplayError(f"OpenGL 3.3 is needed and cannot be had: {error}. Use --headless.") from error

    def make_current(self) -> None:
        """Make this window's OpenGL context the current one."""
        make_window_current(self.handle)

    # What it is

    @property
    def should_close(self) -> bool:
        """Whether the user asked for the end."""
        return bool(glfw.window_should_close(self.handle))

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Width and height of the canvas in pixels."""
        return self._canvas.size

    @property
    def fullscreen(self) -> bool:
        """Whether it fills a monitor, or will again once that is back."""
        return self._on_monitor.monitor is not None

    @property
    def display_rate(self) -> float | None:
        """Hertz of the display that `present` waits for; None without `vsync`, a driver, or while hidden."""
        if not self._settings.vsync or self.software or not self.shown:
            return None
        filled = self._on_monitor.monitor
        if filled is not None:
            return float(filled.rate) or _USUAL_RATE
        now = self._clock()
        if now - self._looked_at_rate > _LOOK_SECONDS:  # it may have been moved to another monitor
            self._looked_at_rate = now
            monitors = self._monitors()
            self._rate = float(self._nearest(monitors).rate) if monitors else 0.0
        return self._rate or _USUAL_RATE

    @property
    def shown(self) -> bool:
        """Whether an audience can see it: neither hidden nor iconified."""
        visible = glfw.get_window_attrib(self.handle, glfw.VISIBLE)
        return bool(visible) and not glfw.get_window_attrib(self.handle, glfw.ICONIFIED)

    @property
    def held_back(self) -> float:
        """How much of the last change the flash limiter held back, 0 to 1."""
        return self._canvas.held_back

    @property
    def limiter(self) -> FlashLimiter:
        """Holds back what would flash."""
        return self._canvas.limiter

    @property
    def problems(self) -> Mapping[str, str]:
        """Why slots of the rack do not show what was chosen, a line each."""
        return self._canvas.problems

    # Showing

    def present(
        self,
        picture: Picture | None,
        values: Mapping[str, Value],
        now: float,
        status: str = "",
        notice: str | None = None,
        sound: SoundTextures | None = None,
    ) -> None:
        """Draw the canvas and show it; waits for the display when `vsync` is on and the window is seen."""
        self.make_current()
        self._canvas.resize(self._wanted_canvas())
        self._canvas.draw(picture, values, now, sound)
        self._show_status("  ·  ".join(filter(None, (status, notice))), now)
        size = glfw.get_framebuffer_size(self.handle)
        if not self.shown or 0 in size:
            return
        self._show(size)
        if self.sign:
            self._badge.draw(self._canvas, self.sign, size, larger=4)
        if notice and self._settings.badge and not self.fullscreen and not values["show.blackout"]:
            self._badge.draw(self._canvas, notice, size)
        if self.overlay is not None:
            self.overlay()
        glfw.swap_buffers(self.handle)
        if self._screens is not None and self._mapped is not None:
            self._screens.show_further()

    @property
    def _mapped(self) -> ScreenMapping | None:
        """The mapping while it is on."""
        return self.mapping if self.mapping is not None and self.mapping.on else None

    def _show(self, size: tuple[int, int]) -> None:
        """Draw the canvas, or the first screen of a mapping, into the window."""
        mapping = self._mapped
        if mapping is None:
            self._canvas.show_on(self.context.screen, size, self._settings.part)
            return
        if self._screens is None:
            self._screens = MappedScreens(
                self.context,
                mapping,
                self.handle,
                self._clock,
                self._on_key,
                self.software,
                self._settings.visible,
            )
        self._screens.draw(self._canvas.texture, size)
        self._screens.show_first(size)

    def _wanted_canvas(self) -> tuple[int, int]:
        """Width and height that the canvas should have now."""
        size = self._settings.canvas
        mapping = self._mapped
        if size is None and mapping is not None:
            size = mapping.surfaces.canvas
        if size is None:
            return self._follow_window()
        most = min(int(self.context.info["GL_MAX_TEXTURE_SIZE"]), LARGEST_CANVAS[0])
        return within(size, (most, most))

    def read_canvas(self) -> np.ndarray:
        """The canvas as shown, uint8 [H, W, 3], sRGB, first row on top."""
        self.make_current()
        return self._canvas.read()

    def begin_shot(self, now: float, largest: tuple[int, int] | None = None) -> None:
        """Begin to read the canvas without waiting for it, made smaller where nobody needs it so large."""
        self.make_current()
        self._canvas.begin_shot(now, even_within(self._canvas.size, largest))

    def fetch_shot(self) -> Shot | None:
        """The canvas of the last `begin_shot`, once; None where there was none."""
        if not self._canvas.shot_pending:
            return None
        self.make_current()
        return self._canvas.fetch_shot()

    def preview(self, width: int, height: int) -> np.ndarray:
        """The canvas as shown, stretched to a small size: uint8 [height, width, 3]."""
        self.make_current()
        return self._canvas.preview((width, height))

    def _follow_window(self) -> tuple[int, int]:
        width, height = glfw.get_framebuffer_size(self.handle)
        if width == 0 or height == 0:  # iconified
            return self._canvas.size
        return within((width, height), SOFTWARE_CANVAS if self.software else LARGEST_CANVAS)

    def _show_status(self, status: str, now: float) -> None:
        title = status or TITLE
        if title != self._title and abs(now - self._title_changed) >= 0.25:
            self._title, self._title_changed = title, now
            glfw.set_window_title(self.handle, title)

    # Events

    def begin_transition(self, seconds: float) -> None:
        """Go from what is seen now to what is shown from now on, as `show.transition` says."""
        self._canvas.begin_transition(seconds)

    def poll(self) -> list[OutputEvent]:
        """What happened since the last call; never waits."""
        glfw.poll_events()
        if self.fullscreen:
            self._events += self._on_monitor.step(self._monitors(), self.shown)
        self._step_mapping()
        if self.should_close and not self._close_reported:
            self._events.append(CloseRequested())
        self._close_reported = self.should_close
        events, self._events = self._events, []
        return events

    def _step_mapping(self) -> None:
        mapping = self.mapping
        if mapping is None:
            return
        now = self._clock()
        mapping.step(now)
        if self._screens is not None:
            self._events += self._screens.look(self._monitors, now)
            self.make_current()
        if mapping.editing != self._cursor_seen:
            self._cursor_seen = mapping.editing
            hidden = self.fullscreen and not mapping.editing
            glfw.set_input_mode(
                self.handle, glfw.CURSOR, glfw.CURSOR_HIDDEN if hidden else glfw.CURSOR_NORMAL
            )

    def _on_key(self, _window: object, key: int, scancode: int, action: int, modifiers: int) -> None:
        name = key_name(key, scancode) if action in (glfw.PRESS, glfw.REPEAT) else None
        if name is None or self._edited_by(name, modifier_names(modifiers)):
            return
        if action == glfw.PRESS:
            self._events.append(KeyPressed(name, modifier_names(modifiers)))

    def _edited_by(self, name: str, modifiers: frozenset[str]) -> bool:
        """Whether a key went to the editor of the mapping."""
        mapping, screens = self.mapping, self._screens
        if mapping is None or screens is None or not mapping.editing:
            return False
        size = screens.size_of(mapping.editor.screen, glfw.get_framebuffer_size(self.handle))
        return mapping.key(name, modifiers, size)

    def _on_pointer(self, at: tuple[float, float], pressed: bool | None) -> None:
        if self._screens is not None:
            self._screens.pointer(0, at, pressed)

    @property
    def _wanted_monitor(self) -> int | str | None:
        """Of full screen: the one that was asked for, else the first screen's of a mapping that is there."""
        mapping = self._mapped
        if self._settings.monitor is None and mapping is not None:
            named = mapping.surfaces.screens[0].monitor
            with contextlib.suppress(DisplayError):
                return find_monitor(named, self._monitors()).index if named is not None else None
        return self._settings.monitor

    # Full screen

    def toggle_fullscreen(self) -> None:
        """Between a window and the monitor asked for (else the one that most of the window lies on)."""
        if self.fullscreen:
            self._on_monitor.leave()
            return
        monitors = self._monitors()
        wanted = self._wanted_monitor
        if wanted is not None:
            self._on_monitor.enter(find_monitor(wanted, monitors))
        elif monitors:
            self._on_monitor.enter(self._nearest(monitors))

    def _nearest(self, monitors: Sequence[Monitor]) -> Monitor:
        """The monitor that most of the window lies on."""
        return max(monitors, key=lambda each: each.geometry.shared(self.geometry))

    @property
    def geometry(self) -> Geometry:
        """Where it lies on the desktop, in screen coordinates, without its borders."""
        return self._on_monitor.geometry

    def monitors(self) -> list[str]:
        """The monitors that it could fill, as a performer reads them."""
        return [str(monitor) for monitor in self._monitors()]

    def fill(self, monitor: int | str) -> None:
        """Fill the monitor of that number or name, now and whenever full screen is asked for.

        Raises:
            DisplayError: there is none.
        """
        found = find_monitor(monitor, self._monitors())
        self._settings = replace(self._settings, monitor=found.index)
        self._on_monitor.enter(found)

    @property
    def canvas_note(self) -> str:
        """Why the canvas is smaller than where it is shown, "" where it is not."""
        width, height = glfw.get_framebuffer_size(self.handle)
        limit = SOFTWARE_CANVAS if self.software else LARGEST_CANVAS
        if self._settings.canvas is not None or (width <= limit[0] and height <= limit[1]):
            return ""
        if self.software:
            return (
                "No graphics driver is at work, so the processor draws: the canvas is kept within "
                f"{limit[0]} x {limit[1]} and enlarged."
            )
        return f"The canvas is kept within {limit[0]} x {limit[1]} and enlarged."

    def make_room(self, size: tuple[int, int]) -> Geometry | None:
        """Where a panel of that size can stand without covering the picture, which may move aside for it.

        None where the picture fills the only monitor.
        """
        monitors = [monitor.geometry for monitor in self._monitors()]
        room = room_for_panel(monitors, self.geometry, self.fullscreen, size)
        if room is None:
            return None
        if room.picture != self.geometry:
            glfw.set_window_size(self.handle, room.picture.width, room.picture.height)
            glfw.set_window_pos(self.handle, room.picture.x, room.picture.y)
        return room.panel

    # The end

    def close(self) -> None:
        """Let go of window and memory; a second call does nothing."""
        if self.handle is not None:
            if self._screens is not None:
                self._screens.close()
            self.make_current()
            self._at_end.close()
            make_window_current(_NULL)
            glfw.destroy_window(self.handle)
            self.handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
