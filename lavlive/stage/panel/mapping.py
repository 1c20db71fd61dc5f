"""The section of what is shown where: screens, slices, and what hands do not drag in the picture."""

from __future__ import annotations

from typing import Any

from imgui_bundle import imgui

from lavlive.control.actions import Action
from lavlive.stage.output.mapping.editor import Editor
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.mapping.surfaces import MOST_DELAY
from lavlive.stage.panel.learning import offer_learn
from lavlive.stage.panel.section import Column, Section
from lavlive.stage.panel.widgets import Row, say

_FLIPS = ["none", "horizontal", "vertical", "both"]
_TURNS = ["0", "90", "180", "270"]


class MappingSection(Section):
    """Screens and slices; points are moved in the picture itself."""

    title = "Mapping"
    column = Column.LOOK

    def draw(self) -> None:
        mapping = self.desk.show.output.mapping
        if mapping is None:
            say("The show has no window, so there is nothing to map.")
            return
        self._draw_buttons(mapping)
        if not mapping.on:
            say("The canvas is shown whole. Edit begins a mapping.")
            return
        editor = mapping.editor
        self._draw_choice(editor)
        imgui.separator()
        self._draw_screen(editor)
        imgui.separator()
        self._draw_slice(editor)

    def _draw_buttons(self, mapping: ScreenMapping) -> None:
        row = Row()
        for label, action, lit, meaning in (
            (
                "edit",
                "mapping.edit",
                mapping.editing,
                "Move points in the picture by mouse and arrow keys (M)",
            ),
            ("pattern", "mapping.pattern", mapping.pattern, "A test pattern in place of the canvas"),
            ("identify", "mapping.identify", False, "Show each screen's number and name for some seconds"),
        ):
            if row.button(f"{label}##{action}", lit):
                self.desk.ask(action)
            offer_learn(self.desk, Action(action), meaning)
        if row.button("undo##mapping"):
            mapping.editor.undo()
        if row.button("redo##mapping"):
            mapping.editor.redo()

    def _draw_choice(self, editor: Editor) -> None:
        row, now = Row(), self.desk.now
        for number, screen in enumerate(editor.surfaces.screens):
            if row.button(f"{number + 1} {screen.name}##screen{number}", number == editor.screen):
                editor.choose(number)
        if row.button("+##screen"):
            editor.add_screen(now)
        if len(editor.surfaces.screens) > 1 and row.button("remove##screen"):
            editor.remove_screen(now)
        row = Row()
        for number in range(len(editor.chosen_screen.slices)):
            if row.button(f"slice {number + 1}##slice", number == editor.part):
                editor.choose(editor.screen, number)
        if row.button("+##slice"):
            editor.add_slice(now)
        if len(editor.chosen_screen.slices) > 1 and row.button("remove##slice"):
            editor.remove_slice(now)

    def _draw_screen(self, editor: Editor) -> None:
        screen, now = editor.chosen_screen, self.desk.now
        changed, name = imgui.input_text("name", screen.name)
        if changed and name.strip():
            editor.change_screen(now, name=name[:40])
        monitors = ["none", *self.desk.show.output.monitors()]
        chosen = next(
            (number for number, text in enumerate(monitors) if _is_monitor(screen.monitor, text)), 0
        )
        changed, place = imgui.combo("monitor", chosen, monitors)
        if changed:
            editor.change_screen(now, monitor=_name_of(monitors[place]) if place else None)
        changed, place = imgui.combo("flip", _FLIPS.index(screen.flip), _FLIPS)
        if changed:
            editor.change_screen(now, flip=_FLIPS[place])
        changed, place = imgui.combo("rotate", _TURNS.index(str(screen.rotate)), _TURNS)
        if changed:
            editor.change_screen(now, rotate=int(_TURNS[place]))
        changed, delay = imgui.slider_int("delay", screen.delay, 0, MOST_DELAY, "%d pictures")
        if changed:
            editor.change_screen(now, delay=min(max(delay, 0), MOST_DELAY))
        self._slider(editor.change_screen, "gain", screen.gain, 0.0, 2.0)
        self._slider(editor.change_screen, "black", screen.black, 0.0, 0.1)

    def _draw_slice(self, editor: Editor) -> None:
        part = editor.chosen
        changed, values = imgui.slider_float4("input", list(part.input), 0.0, 1.0)
        if changed:
            x, y = min(max(values[0], 0.0), 0.99), min(max(values[1], 0.0), 0.99)
            width, height = min(max(values[2], 0.01), 1.0 - x), min(max(values[3], 0.01), 1.0 - y)
            self._slice(editor, input=(x, y, width, height))
        for edge in ("left", "right", "top", "bottom"):
            self._slider(
                lambda now, **fields: self._slice(editor, **fields), edge, getattr(part, edge), 0.0, 1.0
            )
        is_srgb = part.gamma == "srgb"
        changed, value = imgui.slider_float("gamma", 0.9 if is_srgb else float(part.gamma), 0.9, 4.0, "%.2f")
        if changed:
            self._slice(editor, gamma="srgb" if value < 1.0 else min(value, 4.0))
        say("The gamma of the soft edges is sRGB's below 1. Masks are written in the file.")

    def _slice(self, editor: Editor, **fields: Any) -> None:
        try:
            editor.change_slice(self.desk.now, **fields)
        except ValueError as error:
            self.desk.problem = str(error)

    def _slider(self, change: Any, name: str, value: float, low: float, high: float) -> None:
        changed, moved = imgui.slider_float(name, value, low, high, "%.3f")
        if changed:
            change(self.desk.now, **{name: min(max(moved, low), high)})


def _name_of(monitor: str) -> str:
    """The name in ``1: EPSON PJ, 1280 x 800 at 60 Hz``."""
    return monitor.partition(": ")[2].rpartition(", ")[0]


def _is_monitor(wanted: str | int | None, monitor: str) -> bool:
    return wanted is not None and (
        str(wanted) == monitor.partition(":")[0] or str(wanted) == _name_of(monitor)
    )
