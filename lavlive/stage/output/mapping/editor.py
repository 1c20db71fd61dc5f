"""Surfaces under the performer's hands: points moved by mouse and arrow keys, with undo. No pixels here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from lavlive.stage.output.mapping.geometry import bent, flat_grid, homography, through
from lavlive.stage.output.mapping.surfaces import GRID, WHOLE, Point, Screen, Slice, Surfaces

UNDO_STEPS = 100
_ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_NEAR = 0.06
"""Of the screen's height: so close to a point the mouse takes it."""
_ONE_STEP_SECONDS = 0.8
"""Steps of the same point that follow each other so fast are one for undo."""


class Editor:
    """Changes surfaces; the main thread's.

    Args:
        changed: is given the surfaces after every change.

    Attributes:
        surfaces: as they are now.
        screen, part, point: what is chosen: numbers of a screen, a slice of it, and a corner or grid point.
        bending: whether the points are those of the grid.
    """

    def __init__(self, surfaces: Surfaces, changed: Callable[[Surfaces], None]) -> None:
        self.surfaces = surfaces
        self.screen = self.part = self.point = 0
        self.bending = False
        self._changed = changed
        self._undo: list[Surfaces] = []
        self._redo: list[Surfaces] = []
        self._last: tuple[object, float] | None = None
        self._drag: tuple[Point, Point] | None = None

    # What is chosen

    @property
    def chosen_screen(self) -> Screen:
        """The screen that is edited."""
        return self.surfaces.screens[self.screen]

    @property
    def chosen(self) -> Slice:
        """The slice that is edited."""
        return self.chosen_screen.slices[self.part]

    @property
    def place(self) -> Point:
        """The chosen point's place in its slice, where it is marked."""
        if self.bending:
            return (self.point % GRID) / (GRID - 1), (self.point // GRID) / (GRID - 1)
        return WHOLE[self.point]

    @property
    def count(self) -> int:
        """Points of the chosen slice."""
        return GRID * GRID if self.bending else 4

    def _positions(self) -> np.ndarray:
        """Where the points are on the screen, [n, 2]."""
        if not self.bending:
            return np.asarray(self.chosen.corners, float)
        return through(homography(self.chosen.corners), np.asarray(self._grid(), float))

    def _grid(self) -> tuple[Point, ...]:
        return self.chosen.grid or flat_grid()

    def choose(self, screen: int, part: int = 0, point: int = 0) -> None:
        """Choose by number; beyond the last is the first again."""
        self.screen = screen % len(self.surfaces.screens)
        self.part = part % len(self.chosen_screen.slices)
        self.point = point % self.count
        self._drag = None

    # Hands

    def key(self, name: str, modifiers: Collection[str], pixel: tuple[float, float], now: float) -> bool:
        """A key was pressed; False where it means nothing here.

        Args:
            pixel: width and height of a pixel, in parts of the screen.
        """
        if name in _ARROWS:
            far = 10.0 if "shift" in modifiers else 0.1 if "ctrl" in modifiers else 1.0
            across, down = _ARROWS[name]
            self.move((across * far * pixel[0], down * far * pixel[1]), now)
            return True
        match name, frozenset(modifiers):
            case ".", _:
                self.choose(self.screen, self.part, self.point + 1)
            case ",", _:
                self.choose(self.screen, self.part, self.point - 1)
            case "]" | "page_down", _:
                self._step_slice(1)
            case "[" | "page_up", _:
                self._step_slice(-1)
            case "g", _:
                self.bending = not self.bending
                self.point = 0
            case "u" | "z", held if "shift" in held:
                self.redo()
            case "u" | "z", _:
                self.undo()
            case "insert", _:
                self.add_slice(now)
            case "delete", _:
                self.remove_slice(now)
            case "backspace", _:
                self.straighten(now)
            case _:
                return False
        return True

    def _step_slice(self, step: int) -> None:
        """On to the next slice, over the screens."""
        every = [(s, p) for s, each in enumerate(self.surfaces.screens) for p in range(len(each.slices))]
        place = every.index((self.screen, self.part))
        self.choose(*every[(place + step) % len(every)])

    def grab(self, screen: int, at: Point) -> bool:
        """The mouse went down: take the nearest point, if one is near; else the slice that lies there."""
        if screen != self.screen:
            self.choose(screen)
        found = self._positions()
        distances = np.hypot(*(found - np.asarray(at)).T)
        nearest = int(np.argmin(distances))
        if distances[nearest] <= _NEAR:
            self.point = nearest
            self._drag = at, (float(found[nearest, 0]), float(found[nearest, 1]))
            self._remember(None, 0.0)
            return True
        for number, part in reversed(list(enumerate(self.chosen_screen.slices))):
            if _covers(part, at):
                self.choose(screen, number)
                break
        return False

    def drag(self, at: Point) -> None:
        """The mouse moved with its button down."""
        if self._drag is None:
            return
        (from_x, from_y), (x, y) = self._drag
        self._put((x + at[0] - from_x, y + at[1] - from_y))

    def drop(self) -> None:
        """The button is up again."""
        self._drag = None

    # Changes

    def move(self, by: Point, now: float) -> None:
        """Move the chosen point by parts of the screen."""
        x, y = self._positions()[self.point]
        self._remember(("move", self.screen, self.part, self.bending, self.point), now)
        self._put((float(x) + by[0], float(y) + by[1]))

    def _put(self, at: Point) -> None:
        """Put the chosen point there; where no slice could be drawn it stays."""
        part = self.chosen
        try:
            if self.bending:
                inside = through(np.linalg.inv(homography(part.corners)), np.array([at]))[0]
                grid = list(self._grid())
                grid[self.point] = (float(inside[0]), float(inside[1]))
                self._set_slice(replace(part, grid=tuple(grid)))
            else:
                corners = list(part.corners)
                corners[self.point] = at
                self._set_slice(replace(part, corners=tuple(corners)))  # type: ignore[arg-type]
        except (ValueError, np.linalg.LinAlgError):
            return

    def change_slice(self, now: float, **fields: object) -> None:
        """Change fields of the chosen slice.

        Raises:
            ValueError: no slice can be so.
        """
        changed = replace(self.chosen, **fields)  # type: ignore[arg-type]
        self._remember(("slice", self.screen, self.part, *fields), now)
        self._set_slice(changed)

    def change_screen(self, now: float, **fields: object) -> None:
        """Change fields of the chosen screen."""
        self._remember(("screen", self.screen, *fields), now)
        self._set_screen(replace(self.chosen_screen, **fields))  # type: ignore[arg-type]

    def add_screen(self, now: float) -> None:
        """One more screen, which is chosen."""
        self._remember(None, now)
        count = len(self.surfaces.screens)
        self._set(replace(self.surfaces, screens=(*self.surfaces.screens, Screen(f"screen {count + 1}"))))
        self.choose(count)

    def remove_screen(self, now: float) -> None:
        """Take the chosen screen away; the last one stays."""
        screens = list(self.surfaces.screens)
        if len(screens) > 1:
            self._remember(None, now)
            del screens[self.screen]
            self._set(replace(self.surfaces, screens=tuple(screens)))
            self.choose(max(0, self.screen - 1))

    def add_slice(self, now: float) -> None:
        """One more slice on the chosen screen, smaller and in its middle, which is chosen."""
        self._remember(None, now)
        slices = self.chosen_screen.slices
        corners = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
        self._set_screen(replace(self.chosen_screen, slices=(*slices, Slice(corners=corners))))
        self.choose(self.screen, len(slices))

    def remove_slice(self, now: float) -> None:
        """Take the chosen slice away; the last one of a screen stays."""
        slices = list(self.chosen_screen.slices)
        if len(slices) > 1:
            self._remember(None, now)
            del slices[self.part]
            self._set_screen(replace(self.chosen_screen, slices=tuple(slices)))
            self.choose(self.screen, max(0, self.part - 1))

    def straighten(self, now: float) -> None:
        """The grid bends nothing again; without one, the corners are the screen's."""
        self._remember(None, now)
        if self.bending:
            self._set_slice(replace(self.chosen, grid=None))
        else:
            self._set_slice(replace(self.chosen, corners=WHOLE))

    def _set_slice(self, part: Slice) -> None:
        slices = list(self.chosen_screen.slices)
        slices[self.part] = part
        self._set_screen(replace(self.chosen_screen, slices=tuple(slices)))

    def _set_screen(self, screen: Screen) -> None:
        screens = list(self.surfaces.screens)
        screens[self.screen] = screen
        self._set(replace(self.surfaces, screens=tuple(screens)))

    def _set(self, surfaces: Surfaces) -> None:
        self.surfaces = surfaces
        self._changed(surfaces)

    # Undo

    def replace_all(self, surfaces: Surfaces) -> None:
        """Somebody has written the file: take what it holds; undo takes that back, too."""
        self._remember(None, 0.0)
        self.surfaces = surfaces
        self.choose(*self._still_there())

    def _remember(self, what: object, now: float) -> None:
        """Keep what is there now for undo, unless it is one more small step of the same change."""
        goes_on = (
            what is not None
            and self._last is not None
            and self._last[0] == what
            and 0 <= now - self._last[1] < _ONE_STEP_SECONDS
        )
        self._last = (what, now) if what is not None else None
        if not goes_on:
            self._undo.append(self.surfaces)
            del self._undo[:-UNDO_STEPS]
        self._redo.clear()

    def undo(self) -> bool:
        """Take back the last change; False where there is none."""
        return self._go(self._undo, self._redo)

    def redo(self) -> bool:
        """Do again what was taken back last; False where there is nothing."""
        return self._go(self._redo, self._undo)

    def _go(self, source: list[Surfaces], other: list[Surfaces]) -> bool:
        while source:
            surfaces = source.pop()
            if surfaces != self.surfaces:
                other.append(self.surfaces)
                self._last = None
                self._set(surfaces)
                self.choose(*self._still_there())
                return True
        return False

    def _still_there(self) -> tuple[int, int, int]:
        """What is chosen, as far as there still is one of that number."""
        screen = min(self.screen, len(self.surfaces.screens) - 1)
        return screen, min(self.part, len(self.surfaces.screens[screen].slices) - 1), self.point


def _covers(part: Slice, at: Point) -> bool:
    """Whether a slice, its bend aside, lies there."""
    inside = through(np.linalg.inv(homography(part.corners)), np.array([at]))[0]
    return bool(np.all((inside >= 0) & (inside <= 1)))


def marked_position(part: Slice, place: Point) -> Point:
    """Where a place of a slice lies on the screen, bend and all."""
    inside = np.array([place]) if part.grid is None else bent(part.grid, np.array([place]))
    x, y = through(homography(part.corners), inside)[0]
    return float(x), float(y)
