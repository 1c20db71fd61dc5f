"""Inputs of shaders that are more than one number: a pad for a point, a picker for a colour, a button.

Below the pad or the picker the parts stand as bars of their own, so that each can be learned and driven.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imgui_bundle import ImVec2, ImVec4, imgui

from lavlive.parameters import Parameter
from lavlive.parameters.words import label
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import BRIGHT, tip

PAD = ImVec2(144.0, 81.0)
"""Pixels; of the canvas's usual shape."""
_POINT, _COLOUR = (".x", ".y"), (".r", ".g", ".b", ".a")


def parts_from(rows: Sequence[Parameter], place: int) -> Sequence[Parameter]:
    """The rows from `place` on that are the parts of one point or colour; none where it is neither."""
    for suffixes in (_POINT, _COLOUR):
        parts = rows[place : place + len(suffixes)]
        stem = rows[place].name.removesuffix(suffixes[0])
        if [part.name for part in parts] == [stem + suffix for suffix in suffixes]:
            return parts
    return ()


class PartsHand:
    """Draws what moves several parameters at once; one drag is one thing to take back."""

    def __init__(self, desk: Desk, hold: Callable[[str, bool], None]) -> None:
        self._desk, self._hold = desk, hold

    def draw(self, parts: Sequence[Parameter]) -> None:
        """A pad for two, a picker for four."""
        imgui.push_id(f"parts {parts[0].name}")
        if len(parts) == len(_POINT):
            self._draw_pad(parts)
        else:
            self._draw_picker(parts)
        imgui.pop_id()

    def draw_event(self, parameter: Parameter) -> None:
        """A button; learning it comes with the row below."""
        if imgui.button(f"{label(parameter)}##{parameter.name}"):
            self._desk.control.edit(parameter.name, True, self._desk.now)
        if imgui.is_item_hovered():
            self._desk.pointed = parameter.name
        tip(f"{parameter.name}: once, for one picture. L learns a control for it.")

    def _values(self, parts: Sequence[Parameter]) -> list[float]:
        values = self._desk.control.values
        return [float(values[part.name]) for part in parts]

    def _set(self, parts: Sequence[Parameter], units: Sequence[float]) -> None:
        settings = {part.name: part.from_unit(unit) for part, unit in zip(parts, units, strict=True)}
        stem = parts[0].name.rpartition(".")[0]
        self._desk.control.looks.edit_together(stem, settings, self._desk.now)

    def _draw_pad(self, parts: Sequence[Parameter]) -> None:
        corner = imgui.get_cursor_screen_pos()
        imgui.invisible_button("pad", PAD)
        active = bool(imgui.is_item_active())
        self._hold(parts[0].name.rpartition(".")[0], active)
        if active:
            mouse = imgui.get_io().mouse_pos
            # The origin of shaders is at the lower left.
            self._set(parts, ((mouse.x - corner.x) / PAD.x, 1.0 - (mouse.y - corner.y) / PAD.y))
        tip(f"{parts[0].name.removesuffix('.x')}: drag the point")
        draw = imgui.get_window_draw_list()
        far = ImVec2(corner.x + PAD.x, corner.y + PAD.y)
        back = imgui.get_color_u32(imgui.get_style().color_(imgui.Col_.frame_bg.value))
        draw.add_rect_filled(corner, far, back, imgui.get_style().frame_rounding)
        x, y = (
            part.to_unit(min(max(value, part.low), part.high))
            for part, value in zip(parts, self._values(parts), strict=True)
        )
        at = ImVec2(corner.x + x * PAD.x, corner.y + (1.0 - y) * PAD.y)
        ink = imgui.get_color_u32(BRIGHT)
        faint = imgui.get_color_u32(ImVec4(BRIGHT.x, BRIGHT.y, BRIGHT.z, 0.25))
        draw.add_line(ImVec2(corner.x, at.y), ImVec2(far.x, at.y), faint)
        draw.add_line(ImVec2(at.x, corner.y), ImVec2(at.x, far.y), faint)
        draw.add_circle_filled(at, 4.0, ink)

    def _draw_picker(self, parts: Sequence[Parameter]) -> None:
        now = ImVec4(*self._values(parts))
        flags = imgui.ColorEditFlags_.no_inputs.value | imgui.ColorEditFlags_.alpha_bar.value
        name = label(parts[0]).removesuffix(" r")
        changed, chosen = imgui.color_edit4(f"{name}##picker", now, flags)
        self._hold(parts[0].name.rpartition(".")[0], bool(imgui.is_item_active()))
        tip(f"{parts[0].name.removesuffix('.r')}: a click chooses the colour")
        if changed:
            self._set(parts, (chosen[0], chosen[1], chosen[2], chosen[3]))
