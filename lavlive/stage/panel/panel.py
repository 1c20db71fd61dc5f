"""What the operator sees and turns: every parameter, what the machine hears, and how it fares.

Above, what is always seen; below, the sections of `sections.SECTIONS` in tabs, in two columns or, where
there is room, in three. Drawn anew for every frame from the show itself, so there is nothing here that
could disagree with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from lavlive.control.actions import Action
from lavlive.stage.panel.header import Header
from lavlive.stage.panel.overview import Overview
from lavlive.stage.panel.section import Column, Desk, RunningShow, Section
from lavlive.stage.panel.sections import SECTIONS

_THREE_COLUMNS = 1560.0
"""Width in pixels from which on there is room for three."""


class Panel:
    """Draws the panel of one show; `draw` is called inside a Dear ImGui window."""

    def __init__(self, show: RunningShow, sections: Sequence[type[Section]] = SECTIONS) -> None:
        self.desk = Desk(show)
        self._header = Header(self.desk)
        self._overview = Overview(self.desk)
        self._sections = [section(self.desk) for section in sections]
        self._wished = ""

    @property
    def pointed(self) -> str | Action | None:
        """The parameter or button last under the mouse or the keyboard's mark: what the key L learns."""
        return self.desk.pointed

    def show(self, title: str) -> None:
        """Bring the section of that title to the front."""
        self._wished = title

    def draw(self, width: float, height: float, now: float) -> None:
        """Everything, once, in a window of that size in pixels; `now` in seconds of the clock."""
        self.desk.now = now
        for section in self._sections:
            section.watch()
        self._header.draw()
        imgui.spacing()
        for place, (share, columns) in enumerate(_layout(width)):
            if place:
                imgui.same_line()
            self._draw_column(f"column {place}", share, columns)

    def _draw_column(self, name: str, share: float, columns: tuple[Column, ...]) -> None:
        # The last one takes what is left.
        width = imgui.get_window_width() * share if share else 0.0
        flags = imgui.ChildFlags_.nav_flattened.value | imgui.ChildFlags_.always_use_window_padding.value
        imgui.begin_child(name, ImVec2(width, 0), flags)
        if Column.PLAY in columns:
            self._overview.draw()
        if imgui.begin_tab_bar("tabs"):
            for section in self._sections:
                if section.column not in columns:
                    continue
                wished = self._wished == section.title
                flags = imgui.TabItemFlags_.set_selected.value if wished else 0
                if imgui.begin_tab_item(section.title, None, flags)[0]:
                    self._wished = "" if wished else self._wished
                    imgui.begin_child(section.title, ImVec2(0, 0), imgui.ChildFlags_.nav_flattened.value)
                    section.draw()
                    imgui.end_child()
                    imgui.end_tab_item()
            imgui.end_tab_bar()
        imgui.end_child()

    def close(self) -> None:
        """Let go of what the panel keeps in OpenGL."""
        self._overview.close()
        for section in self._sections:
            section.close()


def _layout(width: float) -> list[tuple[float, tuple[Column, ...]]]:
    """Share of the width of each column, 0 for the rest, and whose tabs stand in it."""
    if width < _THREE_COLUMNS:
        return [(0.5, (Column.LOOK,)), (0.0, (Column.PLAY, Column.WATCH))]
    return [(0.4, (Column.LOOK,)), (0.3, (Column.PLAY,)), (0.0, (Column.WATCH,))]
