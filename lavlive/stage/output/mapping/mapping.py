"""The mapping of one show: its surfaces, their file, and what hands do to them. Nothing is drawn here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from lavlive.stage.output.mapping.drawing import Marked
from lavlive.stage.output.mapping.editor import Editor
from lavlive.stage.output.mapping.surfaces import Point, Surfaces
from lavlive.stage.output.mapping.surfaces_file import SurfacesFile

_IDENTIFY_SECONDS = 5.0


class ScreenMapping:
    """Belongs to the main thread, which never waits for it.

    Args:
        path: of the file that is followed and written.
        surfaces: what it holds; None for no mapping until somebody begins one.
        tell: is given lines for the operator.

    Attributes:
        editor: changes the surfaces.
        on: whether the canvas is shown through surfaces at all.
        editing: whether mouse and keys move points.
        pattern: whether a test pattern is shown in place of the canvas.
    """

    def __init__(
        self, path: Path, surfaces: Surfaces | None = None, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.on = surfaces is not None
        self.editing = self.pattern = False
        self.editor = Editor(surfaces or Surfaces(), self._edited)
        self._file = SurfacesFile(path, tell)
        self._tell = tell
        self._now = 0.0
        self._identify_until = float("-inf")

    @property
    def surfaces(self) -> Surfaces:
        """As they are now."""
        return self.editor.surfaces

    def step(self, now: float) -> None:
        """Once a picture: take what was written into the file, and write what was edited."""
        self._now = now
        fresh = self._file.step(now)
        if fresh is not None:
            self.on = True
            self.editor.replace_all(fresh)
            self._tell(f"{self._file.path.name} changed on disk")

    def toggle_editing(self) -> None:
        """Begin to edit, which begins a mapping where there is none; or end it."""
        self.editing = not self.editing
        self.on = True
        if not self.editing:
            self.pattern = False
        self._tell(
            "Mapping: arrows move (Shift 10, Ctrl 0.1 pixels), . and , go to the next point, ] and [ to the "
            "next slice, G bends, U takes back, T is the pattern, M ends"
            if self.editing
            else "Mapping: done"
        )

    def toggle_pattern(self) -> None:
        """Show the test pattern, or the canvas again."""
        self.on = True
        self.pattern = not self.pattern

    def identify(self) -> None:
        """Show each screen's number and name for some seconds."""
        self.on = True
        self._identify_until = self._now + _IDENTIFY_SECONDS

    def label(self, screen: int) -> str:
        """Letters to show over a screen, "" for none."""
        if self._now >= self._identify_until:
            return ""
        return f"{screen + 1} {self.surfaces.screens[screen].name}"

    def marked(self, screen: int) -> Marked | None:
        """The point to mark on a screen, None for none."""
        editor = self.editor
        return (editor.part, editor.place) if self.editing and screen == editor.screen else None

    def key(self, name: str, modifiers: Collection[str], size: tuple[int, int]) -> bool:
        """A key while editing; False where the show may have it. `size`: of the chosen screen, in pixels."""
        if not self.editing:
            return False
        match name:
            case "escape":
                self.toggle_editing()
            case "t" if not modifiers:
                self.toggle_pattern()
            case "i" if not modifiers:
                self.identify()
            case _:
                pixel = 1.0 / max(size[0], 1), 1.0 / max(size[1], 1)
                return self.editor.key(name, modifiers, pixel, self._now)
        return True

    def pointer(self, screen: int, at: Point, pressed: bool | None) -> None:
        """The mouse on a screen: went down (True), up (False), or moved (None)."""
        if not self.editing:
            return
        if pressed is None:
            self.editor.drag(at)
        elif pressed:
            self.editor.grab(screen, at)
        else:
            self.editor.drop()

    def _edited(self, surfaces: Surfaces) -> None:
        self._file.edited(surfaces, self._now)

    def close(self) -> None:
        """Write what is not written yet."""
        self._file.close()
