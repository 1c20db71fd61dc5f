"""The section with every parameter of the table, its binding, and the beat that moves it."""

from __future__ import annotations

from typing import Any

from imgui_bundle import imgui

from lavlive.parameters import LATENT_HEADS, TABLE, Parameter, ParameterKind
from lavlive.parameters.words import label, title, written
from lavlive.stage.panel.bars import draw_ghost, value_bar
from lavlive.stage.panel.beat import draw_beat_button
from lavlive.stage.panel.learning import draw_binding
from lavlive.stage.panel.section import Column, Desk, Section
from lavlive.stage.panel.takeover import WIDTH as TAKEOVER_WIDTH
from lavlive.stage.panel.takeover import draw_takeover
from lavlive.stage.panel.widgets import heading, tip

BEAT_WIDTH, LEARN_WIDTH = 64.0, 96.0
"""Pixels of the buttons behind a bar."""
_ROOM_FOR_TAKEOVER = 200.0
"""A bar that is narrower without the choice of takeover is left as it is."""


class KnobsSection(Section):
    """A row per parameter: its bar, and what moves it."""

    title = "Knobs"
    column = Column.LOOK

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._held = ""

    def draw(self) -> None:
        ghosts = self.desk.control.ghosts()
        group = ""
        for parameter in TABLE:
            head = parameter.name.split(".")[0]
            if head in LATENT_HEADS:
                continue
            if head != group:
                group = head
                heading(title(head))
            self._draw_parameter(parameter, ghosts.get(parameter.name))

    def _draw_parameter(self, parameter: Parameter, ghost: float | None) -> None:
        desk, control = self.desk, self.desk.control
        imgui.push_id(parameter.name)
        start, gap = imgui.get_cursor_pos_x(), imgui.get_style().item_spacing.x
        room = imgui.get_content_region_avail().x
        width = room - LEARN_WIDTH - BEAT_WIDTH - self._more_width() - 2 * gap
        knobs = control.takeovers(parameter.name) if width > _ROOM_FOR_TAKEOVER else []
        # A bar that a knob moves is the shorter; what stands behind it keeps its place.
        width -= TAKEOVER_WIDTH + gap if knobs else 0.0
        changed, value = value_bar(parameter, control.values[parameter.name], self._label(parameter), width)
        if ghost is not None:
            draw_ghost(ghost)
        if imgui.is_item_hovered() or imgui.is_item_focused():
            desk.pointed = parameter.name
        self._hold(parameter.name, imgui.is_item_active())
        if changed and parameter.guarded and not value:
            imgui.open_popup("sure?")
        elif changed:
            control.edit(parameter.name, _held(parameter, value), desk.now)
        tip(f"{parameter.name}: {parameter.help}{_range(parameter)}. {_default(parameter)}")
        if imgui.is_item_hovered() and imgui.is_mouse_double_clicked(imgui.MouseButton_.left.value):
            self._reset(parameter)
        self._ask_twice(parameter)
        if not parameter.guarded:
            imgui.same_line(0, gap)
            self._draw_more(parameter)
            if knobs:
                imgui.set_cursor_pos_x(start + room - LEARN_WIDTH - BEAT_WIDTH - TAKEOVER_WIDTH - 2 * gap)
                draw_takeover(desk, knobs)
                imgui.same_line(0, gap)
            imgui.set_cursor_pos_x(start + room - LEARN_WIDTH - BEAT_WIDTH - gap)
            draw_beat_button(parameter, control.looks, BEAT_WIDTH)
            imgui.same_line(0, gap)
            imgui.set_cursor_pos_x(start + room - LEARN_WIDTH)
            draw_binding(desk, parameter.name, LEARN_WIDTH)
        imgui.pop_id()

    def _label(self, parameter: Parameter) -> str:
        """What stands at the left of the bar."""
        return label(parameter)

    def _hold(self, name: str, active: bool) -> None:
        """A bar that is dragged slowly is one thing to take back."""
        if active and self._held != name:
            self.close()
            self._held = name
            self.desk.control.looks.hold(name)
        elif not active and self._held == name:
            self.close()

    def close(self) -> None:
        if self._held:
            self.desk.control.looks.let_go(self._held)
            self._held = ""

    def _more_width(self) -> float:
        """Pixels that `_draw_more` needs, and the gap after it."""
        return 0.0

    def _draw_more(self, parameter: Parameter) -> None:
        """What else can move a parameter, in the same line."""

    def _reset(self, parameter: Parameter) -> None:
        """Back to the default; what is on or off is on or off by one click, and two would be none."""
        if parameter.kind in (ParameterKind.CONTINUOUS, ParameterKind.INTEGER):
            self.desk.control.edit(parameter.name, parameter.default, self.desk.now)
            imgui.internal.clear_active_id()

    def _ask_twice(self, parameter: Parameter) -> None:
        if not imgui.begin_popup("sure?"):
            return
        imgui.text("Flashes can cause seizures. Show them unheld?")
        if imgui.button("show flashes"):
            self.desk.control.edit(parameter.name, False, self.desk.now)
            imgui.close_current_popup()
        imgui.same_line()
        if imgui.button("keep holding them back"):
            imgui.close_current_popup()
        imgui.end_popup()


def _range(parameter: Parameter) -> str:
    if parameter.kind not in (ParameterKind.CONTINUOUS, ParameterKind.INTEGER):
        return ""
    unit = f" {parameter.unit}" if parameter.unit else ""
    return f", {parameter.low:.3g} to {parameter.high:g}{unit}"


def _default(parameter: Parameter) -> str:
    default = written(parameter, parameter.default)
    if parameter.kind in (ParameterKind.CONTINUOUS, ParameterKind.INTEGER):
        return f"A double click takes it back to {default}; Ctrl and a click lets you type."
    return f"At first: {default}."


def _held(parameter: Parameter, value: Any) -> Any:
    """Inside the range: a slider typed into can be left beyond it, and rounds to single precision."""
    if isinstance(value, bool | str):
        return value
    return min(max(value, parameter.low), parameter.high)
