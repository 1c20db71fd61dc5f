"""All screens of a mapping, drawn in the main window's context and shown on their windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import moderngl
import numpy as np

from lavlive.stage.canvas.passes import Passes
from lavlive.stage.output.base import OutputEvent
from lavlive.stage.output.mapping.drawing import ScreenPicture, SliceDrawer, turn_of
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.mapping.surfaces import Point, Screen
from lavlive.stage.output.mapping.windows import FurtherWindow
from lavlive.stage.output.monitors import Monitor
from lavlive.stage.output.software import even_within

_LOOK_SECONDS = 0.5
SOFTWARE_SCREEN = (1280, 720)
"""A screen's limit where the processor draws."""


class MappedScreens:
    """The main window's context is current in every call but `show_further`, which leaves another.

    Args:
        main: the main window's handle.
        visible: tests may hide the windows.
    """

    def __init__(
        self,
        context: moderngl.Context,
        mapping: ScreenMapping,
        main: Any,
        clock: Callable[[], float],
        on_key: Callable[..., None],
        software: bool,
        visible: bool = True,
    ) -> None:
        self._context, self._mapping, self._main = context, mapping, main
        self._clock, self._on_key, self._visible = clock, on_key, visible
        self._limit = SOFTWARE_SCREEN if software else None
        self._passes = Passes(context)
        self._drawer = SliceDrawer(context)
        self._pictures: list[ScreenPicture] = []
        self.windows: list[FurtherWindow] = []
        self._shown: list[moderngl.Texture] = []
        self._looked = float("-inf")

    def look(self, monitors: Callable[[], Sequence[Monitor]], now: float) -> list[OutputEvent]:
        """Open and close windows as there are screens, and follow their monitors; what happened to these."""
        if now - self._looked < _LOOK_SECONDS:
            return []
        self._looked = now
        screens = self._mapping.surfaces.screens if self._mapping.on else ()
        while len(self.windows) > max(0, len(screens) - 1):
            self.windows.pop().close()
        events: list[OutputEvent] = []
        for number, screen in enumerate(screens[1:], start=1):
            if len(self.windows) < number:
                self.windows.append(self._open(number, screen))
            events += self.windows[number - 1].place(screen.monitor, monitors())
        return events

    def _open(self, number: int, screen: Screen) -> FurtherWindow:
        def pointer(at: Point, pressed: bool | None) -> None:
            self.pointer(number, at, pressed)

        title = f"lavlive: {screen.name}"
        return FurtherWindow(self._main, title, self._clock, self._on_key, pointer, self._visible)

    def pointer(self, number: int, at: Point, pressed: bool | None) -> None:
        """The mouse, in places of a window: what it does on the screen that the window shows."""
        screens = self._mapping.surfaces.screens
        if number < len(screens):
            turn = np.array(turn_of(screens[number])).reshape(2, 2).T
            x, y = turn @ (np.asarray(at) - 0.5) + 0.5
            self._mapping.pointer(number, (float(x), float(y)), pressed)

    def size_of(self, number: int, main: tuple[int, int]) -> tuple[int, int]:
        """Width and height of a screen's picture, as it stands; `main` is the main window's size."""
        size = main if number == 0 else self.windows[number - 1].size if number <= len(self.windows) else main
        screen = self._mapping.surfaces.screens[number]
        return even_within(size[::-1] if screen.turned else size, self._limit)

    def draw(self, canvas: moderngl.Texture, main: tuple[int, int]) -> None:
        """Draw every screen's picture from the canvas."""
        mapping = self._mapping
        screens = mapping.surfaces.screens
        while len(self._pictures) < len(screens):
            self._pictures.append(ScreenPicture(self._context, self._passes, self._drawer))
        while len(self._pictures) > len(screens):
            self._pictures.pop().release()
        self._drawer.keep({part for screen in screens for part in screen.slices})
        self._shown = [
            picture.draw(
                screen,
                canvas,
                self.size_of(number, main),
                mapping.pattern,
                mapping.marked(number),
                mapping.label(number),
            )
            for number, (screen, picture) in enumerate(zip(screens, self._pictures, strict=True))
        ]

    def show_first(self, size: tuple[int, int]) -> None:
        """Put the first screen's picture on the main window."""
        screen = self._mapping.surfaces.screens[0]
        self._context.screen.viewport = (0, 0, *size)
        self._passes.draw(
            "turned", self._context.screen, upright=True, canvas=self._shown[0], turn=turn_of(screen)
        )

    def show_further(self) -> None:
        """Put the others on theirs, after the main window has shown its own."""
        screens = self._mapping.surfaces.screens
        pairs = zip(self.windows, screens[1:], self._shown[1:], strict=False)
        for window, screen, texture in pairs:
            window.show(texture, screen)

    def close(self) -> None:
        """Close the further windows."""
        while self.windows:
            self.windows.pop().close()
