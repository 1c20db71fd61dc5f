"""A parameter's value as one bar: its name at the left, its value at the right, filled as far as it goes."""

from __future__ import annotations

from imgui_bundle import ImVec2, ImVec4, imgui

from lavlive.parameters import Parameter, ParameterKind, Value
from lavlive.parameters.words import written
from lavlive.stage.panel.dress import FILL, FRAME, colour
from lavlive.stage.panel.widgets import DIM, fitted

_EDGE = 9.0
_GHOST = ImVec4(0.98, 0.72, 0.30, 1.0)
_CLEAR = ImVec4(0.0, 0.0, 0.0, 0.0)
_TOUCHED = ImVec4(1.0, 1.0, 1.0, 0.06)


def value_bar(parameter: Parameter, value: Value, name: str, width: float) -> tuple[bool, Value]:
    """Draw it as wide as `width` pixels; whether a hand changed it, and the value.

    A double click or Ctrl+click types into a number, as everywhere in Dear ImGui. The bar is the last item
    when this returns.
    """
    match parameter.kind:
        case ParameterKind.SWITCH:
            return _switch(bool(value), name, width)
        case ParameterKind.CHOICE:
            return _choice(parameter, str(value), name, width)
        case _:
            return _number(parameter, value, name, width)


def draw_ghost(position: float) -> None:
    """Where the hardware knob stands, 0 to 1, on the bar just drawn."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    x = low.x + 3 + position * (high.x - low.x - 6)
    imgui.get_window_draw_list().add_line(ImVec2(x, low.y), ImVec2(x, high.y), imgui.get_color_u32(_GHOST), 3)


def _number(parameter: Parameter, value: Value, name: str, width: float) -> tuple[bool, Value]:
    typing = imgui.internal.temp_input_is_active(imgui.get_id("##value"))
    if not typing:
        _fill(parameter, value, width)
        _words(name, written(parameter, value), width)
    clear = (imgui.Col_.frame_bg, imgui.Col_.frame_bg_hovered, imgui.Col_.frame_bg_active, imgui.Col_.text)
    shades = (_CLEAR, _TOUCHED, _TOUCHED, _CLEAR)
    for place, shade in zip(clear, shades, strict=True) if not typing else ():
        imgui.push_style_color(place.value, shade)
    imgui.set_next_item_width(width)
    changed: bool
    moved: Value
    if parameter.kind is ParameterKind.INTEGER:
        changed, moved = imgui.slider_int("##value", int(value), int(parameter.low), int(parameter.high))
    else:
        flags = imgui.SliderFlags_.logarithmic.value if parameter.curve == "log" else 0
        changed, moved = imgui.slider_float(
            "##value", float(value), parameter.low, parameter.high, "%.3f", flags
        )
    if not typing:
        imgui.pop_style_color(len(clear))
    return changed, moved


def _choice(parameter: Parameter, value: str, name: str, width: float) -> tuple[bool, Value]:
    arrow = imgui.get_frame_height()
    _ground(width)
    _words(name, value, width - arrow)
    imgui.push_style_color(imgui.Col_.frame_bg.value, _CLEAR)
    imgui.push_style_color(imgui.Col_.frame_bg_hovered.value, _TOUCHED)
    imgui.set_next_item_width(width)
    opened = imgui.begin_combo("##value", "")
    imgui.pop_style_color(2)
    chosen = value
    if opened:
        for choice in parameter.choices:
            if imgui.selectable(choice, choice == value)[0]:
                chosen = choice
            if choice == value:
                imgui.set_item_default_focus()
        imgui.end_combo()
    return chosen != value, chosen


def _switch(value: bool, name: str, width: float) -> tuple[bool, Value]:
    start, box = imgui.get_cursor_pos_x(), imgui.get_frame_height()
    imgui.set_cursor_pos_x(start + box + _EDGE)
    imgui.align_text_to_frame_padding()
    imgui.text(fitted(name, width - box - 2 * _EDGE))
    imgui.same_line(0, 0)
    imgui.set_cursor_pos_x(start)
    return imgui.checkbox("##value", value)


def _words(name: str, value: str, width: float) -> None:
    """Both ends of the bar that is drawn next, which begins where the cursor stands now."""
    start = imgui.get_cursor_pos_x()
    taken = imgui.calc_text_size(value).x
    imgui.set_cursor_pos_x(start + _EDGE)
    imgui.align_text_to_frame_padding()
    imgui.text(fitted(name, width - taken - 3 * _EDGE))
    imgui.same_line(0, 0)
    imgui.set_cursor_pos_x(start + width - taken - _EDGE)
    imgui.text_colored(DIM, value)
    imgui.same_line(0, 0)
    imgui.set_cursor_pos_x(start)


def _ground(width: float) -> None:
    """What lies below the words of the bar that is drawn next."""
    corner = imgui.get_cursor_screen_pos()
    _rectangle(corner.x, corner.x + width, FRAME)


def _fill(parameter: Parameter, value: Value, width: float) -> None:
    """The ground, filled from 0, or from its lower end where 0 is not within, to the value."""
    _ground(width)
    left = imgui.get_cursor_screen_pos().x
    zero = parameter.to_unit(0.0) if parameter.low < 0 < parameter.high else 0.0
    low, high = sorted((zero, min(max(parameter.to_unit(value), 0.0), 1.0)))
    if (high - low) * width > 1:
        _rectangle(left + low * width, left + high * width, FILL)


def _rectangle(left: float, right: float, rgba: tuple[float, float, float, float]) -> None:
    """Of a bar's height, from the cursor's line down."""
    top = imgui.get_cursor_screen_pos().y
    draw, rounding = imgui.get_window_draw_list(), imgui.get_style().frame_rounding
    shade = imgui.get_color_u32(colour(rgba))
    draw.add_rect_filled(ImVec2(left, top), ImVec2(right, top + imgui.get_frame_height()), shade, rounding)
