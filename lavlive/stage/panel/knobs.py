"""The section with every parameter of the table, its binding, and the beat that moves it."""

from __future__ import annotations

from typing import Any

from imgui_bundle import ImVec2, ImVec4, imgui

from lavlive.parameters import TABLE, Parameter, ParameterKind
from lavlive.stage.panel.beat import draw_beat_button
from lavlive.stage.panel.learning import draw_binding
from lavlive.stage.panel.section import Column, Section
from lavlive.stage.panel.widgets import DIM, tip

_GHOST = (0.98, 0.72, 0.30, 1.0)
_SLIDER = 0.38
"""Share of the section's width; the rest is for the name, the beat and the binding."""


class KnobsSection(Section):
    """A row per parameter: its slider, its name, what moves it."""

    title = "Knobs"
    column = Column.LOOK

    def draw(self) -> None:
        ghosts = self.desk.control.ghosts()
        group = ""
        for parameter in TABLE:
            head = parameter.name.split(".")[0]
            if head != group:
                group = head
                imgui.text_colored(DIM, head)
            self._draw_parameter(parameter, ghosts.get(parameter.name))

    def _draw_parameter(self, parameter: Parameter, ghost: float | None) -> None:
        desk, control = self.desk, self.desk.control
        width = imgui.get_content_region_avail().x
        imgui.push_id(parameter.name)
        imgui.set_next_item_width(width * _SLIDER)
        changed, value = _widget(parameter, control.values[parameter.name])
        if ghost is not None:
            _draw_ghost(ghost)
        if imgui.is_item_hovered() or imgui.is_item_focused():
            desk.pointed = parameter.name
        if changed and parameter.guarded and not value:
            imgui.open_popup("sure?")
        elif changed:
            control.edit(parameter.name, _held(parameter, value), desk.now)
        tip(f"{parameter.name}: {parameter.help}. A double click takes it back to {_default(parameter)}.")
        if imgui.is_item_hovered() and imgui.is_mouse_double_clicked(imgui.MouseButton_.left.value):
            self._reset(parameter)
        self._ask_twice(parameter)
        imgui.same_line(width * (_SLIDER + 0.02))
        imgui.align_text_to_frame_padding()
        imgui.text(self._label(parameter))
        if not parameter.guarded:
            imgui.same_line(width * 0.70)
            draw_beat_button(parameter, control.looks)
            imgui.same_line(width * 0.82)
            draw_binding(self.desk, parameter.name)
        imgui.pop_id()

    def _label(self, parameter: Parameter) -> str:
        """What stands beside the slider, below the group's name."""
        return parameter.name.partition(".")[2]

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


def _default(parameter: Parameter) -> str:
    if parameter.kind is ParameterKind.SWITCH:
        return "on" if parameter.default else "off"
    return f"{parameter.default:g}" if parameter.kind is not ParameterKind.CHOICE else str(parameter.default)


def _widget(parameter: Parameter, value: Any) -> tuple[bool, Any]:
    """The imgui widget that fits a parameter; returns whether it changed, and its value."""
    match parameter.kind:
        case ParameterKind.SWITCH:
            return imgui.checkbox("##value", value)
        case ParameterKind.CHOICE:
            index = parameter.choices.index(value)
            changed, index = imgui.combo("##value", index, list(parameter.choices))
            return changed, parameter.choices[index]
        case ParameterKind.INTEGER:
            return imgui.slider_int("##value", value, int(parameter.low), int(parameter.high))
        case ParameterKind.CONTINUOUS:
            flags = imgui.SliderFlags_.logarithmic.value if parameter.curve == "log" else 0
            return imgui.slider_float(
                "##value", value, parameter.low, parameter.high, _shown(parameter), flags
            )


def _shown(parameter: Parameter) -> str:
    return "%.3f" + (f" {parameter.unit}" if parameter.unit else "")


def _held(parameter: Parameter, value: Any) -> Any:
    """Inside the range: a slider typed into can be left beyond it, and rounds to single precision."""
    if isinstance(value, bool | str):
        return value
    return min(max(value, parameter.low), parameter.high)


def _draw_ghost(position: float) -> None:
    """Where the hardware knob stands, on the slider just drawn."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    x = low.x + 6 + position * (high.x - low.x - 12)
    colour = imgui.get_color_u32(ImVec4(*_GHOST))
    imgui.get_window_draw_list().add_line(ImVec2(x, low.y), ImVec2(x, high.y), colour, 3.0)
