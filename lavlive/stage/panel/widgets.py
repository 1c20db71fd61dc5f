"""Colours and small drawings that several sections use."""

from __future__ import annotations

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from lavlive.files import shown
from lavlive.stage.panel.dress import ACCENT

DIM = ImVec4(0.56, 0.58, 0.61, 1.0)
FAINT = ImVec4(0.42, 0.44, 0.47, 1.0)
UNLIT = ImVec4(0.24, 0.25, 0.27, 1.0)
GOOD = ImVec4(0.45, 0.80, 0.55, 1.0)
WARN = ImVec4(0.98, 0.72, 0.30, 1.0)
BAD = ImVec4(0.98, 0.42, 0.38, 1.0)
RECORDING = ImVec4(0.70, 0.16, 0.14, 1.0)
DARK = ImVec4(0.62, 0.40, 0.10, 1.0)
CHOSEN = ImVec4(0.16, 0.42, 0.47, 1.0)
BRIGHT = ImVec4(*ACCENT)
_CLEAR = ImVec4(0.0, 0.0, 0.0, 0.0)
_VACANT = ImVec4(0.10, 0.11, 0.12, 1.0)


class Row:
    """Puts things beside each other as long as there is room, then on the next line."""

    def __init__(self) -> None:
        self._room = imgui.get_content_region_avail().x
        self._used = 0.0

    def place(self, width: float) -> None:
        """Call before drawing something of that width in pixels."""
        gap = imgui.get_style().item_spacing.x
        if self._used and self._used + gap + width <= self._room:
            imgui.same_line()
            self._used += gap + width
        else:
            self._used = width

    def button(self, label: str, lit: bool = False, colour: ImVec4 | None = None) -> bool:
        """A button of its text's width, in another colour when `lit`; whether it was pressed."""
        text = label.partition("##")[0]
        self.place(imgui.calc_text_size(text).x + 2 * imgui.get_style().frame_padding.x)
        return button(label, lit, colour or CHOSEN)

    def text(self, text: str, colour: ImVec4, longest: str = "") -> None:
        """A few words, with as much room as `longest` needs."""
        width = imgui.calc_text_size(text).x
        room = max(width, imgui.calc_text_size(longest).x)
        self.place(room)
        imgui.begin_group()
        imgui.text_colored(colour, text)
        if room > width:
            imgui.same_line(0, 0)
            imgui.dummy(ImVec2(room - width, 0))
        imgui.end_group()


def button(label: str, lit: bool = False, colour: ImVec4 = CHOSEN, size: ImVec2 | None = None) -> bool:
    """A button, in another colour when `lit`; whether it was pressed."""
    if lit:
        imgui.push_style_color(imgui.Col_.button.value, colour)
    pressed = bool(imgui.button(label, size))
    if lit:
        imgui.pop_style_color()
    return pressed


def quiet_button(label: str, lit: bool = False, width: float = 0.0) -> bool:
    """A button that is seen when it is looked for: words only, in another colour when `lit`."""
    words, _, key = label.partition("##")
    if width:
        words = fitted(words, width - 2 * imgui.get_style().frame_padding.x)
    imgui.push_style_color(imgui.Col_.button.value, _CLEAR)
    imgui.push_style_color(imgui.Col_.text.value, BRIGHT if lit else FAINT)
    pressed = bool(imgui.button(f"{words}##{key or label}", ImVec2(width, 0)))
    imgui.pop_style_color(2)
    return pressed


def vacant(side: float) -> None:
    """A dark square where a picture will be: nothing moves when it comes."""
    corner = imgui.get_cursor_screen_pos()
    opposite = ImVec2(corner.x + side, corner.y + side)
    imgui.get_window_draw_list().add_rect_filled(corner, opposite, imgui.get_color_u32(_VACANT), 3.0)
    imgui.dummy(ImVec2(side, side))


def heading(text: str) -> None:
    """What the things below are about, with a line to the end of the row."""
    imgui.push_style_color(imgui.Col_.text.value, BRIGHT)
    imgui.separator_text(text)
    imgui.pop_style_color()


def fitted(text: str, width: float) -> str:
    """The text, or as much of it as fits into so many pixels, with an ellipsis."""
    text = shown(text)
    if imgui.calc_text_size(text).x <= width:
        return text
    while text and imgui.calc_text_size(text + "…").x > width:
        text = text[:-1]
    return text.rstrip() + "…"


def say(text: str, colour: ImVec4 = DIM) -> None:
    """Words over as many lines as they need."""
    imgui.push_style_color(imgui.Col_.text.value, colour)
    imgui.push_text_wrap_pos(0.0)
    imgui.text_unformatted("\n".join(map(shown, text.split("\n"))))
    imgui.pop_text_wrap_pos()
    imgui.pop_style_color()


def tip(text: str) -> None:
    """Words that come when the mouse rests on what was drawn last."""
    if imgui.is_item_hovered() and imgui.begin_tooltip():
        imgui.push_text_wrap_pos(420.0)
        imgui.text_unformatted("\n".join(map(shown, text.split("\n"))))
        imgui.pop_text_wrap_pos()
        imgui.end_tooltip()


def bar(share: float, text: str, width: float = -1, colour: ImVec4 | None = None) -> None:
    """A bar that is full at `share` = 1, with words at its left; as wide as there is room without `width`."""
    room = width if width > 0 else imgui.get_content_region_avail().x
    corner, height = imgui.get_cursor_screen_pos(), imgui.get_frame_height()
    draw, rounding = imgui.get_window_draw_list(), imgui.get_style().frame_rounding
    for part, shade in (
        (1.0, imgui.get_style().color_(imgui.Col_.frame_bg.value)),
        (float(np.clip(share, 0, 1)), colour or imgui.get_style().color_(imgui.Col_.plot_histogram.value)),
    ):
        if part * room > 1:
            opposite = ImVec2(corner.x + part * room, corner.y + height)
            draw.add_rect_filled(corner, opposite, imgui.get_color_u32(shade), rounding)
    start = imgui.get_cursor_pos_x()
    imgui.set_cursor_pos_x(start + imgui.get_style().frame_padding.x)
    imgui.align_text_to_frame_padding()
    imgui.text(fitted(text, room - imgui.get_style().frame_padding.x))
    imgui.same_line(0, 0)
    imgui.set_cursor_pos_x(start)
    imgui.dummy(ImVec2(room, height))


def lines(name: str, values: np.ndarray, low: float, high: float, height: float) -> None:
    """Values as a curve as wide as there is room."""
    size = ImVec2(imgui.get_content_region_avail().x, height)
    imgui.plot_lines(f"##{name}", values.astype(np.float32), 0, name, low, high, size)


def histogram(name: str, values: np.ndarray, high: float, height: float) -> None:
    """Values from 0 to `high` as columns, as wide as there is room."""
    size = ImVec2(imgui.get_content_region_avail().x, height)
    imgui.plot_histogram(f"##{name}", values.astype(np.float32), 0, name, 0.0, high, size)


def decibels(level: float) -> float:
    """−60 to 0 dBFS as 0 to 1."""
    return float(np.clip(1 + 20 * np.log10(max(level, 1e-6)) / 60, 0, 1))
