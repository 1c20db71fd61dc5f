"""How the panel looks: colours for a dark stage, a face that is read from a metre away, room for a finger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imgui_bundle import ImVec4

_FONT_PIXELS = 18.0

BACK = (0.035, 0.037, 0.042, 1.0)
CARD = (0.066, 0.070, 0.079, 1.0)
FRAME = (0.118, 0.125, 0.141, 1.0)
FILL = (0.130, 0.300, 0.345, 1.0)
ACCENT = (0.330, 0.700, 0.750, 1.0)
TEXT = (0.880, 0.890, 0.900, 1.0)
_CLEAR = (0.0, 0.0, 0.0, 0.0)

_COLOURS = {
    "window_bg": BACK,
    "child_bg": CARD,
    "popup_bg": (0.090, 0.095, 0.108, 0.98),
    "text": TEXT,
    "frame_bg": FRAME,
    "frame_bg_hovered": (0.165, 0.175, 0.196, 1.0),
    "frame_bg_active": (0.185, 0.200, 0.224, 1.0),
    "button": (0.150, 0.159, 0.180, 1.0),
    "button_hovered": (0.210, 0.226, 0.256, 1.0),
    "button_active": (0.180, 0.390, 0.440, 1.0),
    "header": FILL,
    "header_hovered": (0.180, 0.380, 0.430, 1.0),
    "header_active": (0.200, 0.430, 0.490, 1.0),
    "tab": CARD,
    "tab_hovered": (0.180, 0.330, 0.370, 1.0),
    "tab_selected": FRAME,
    "tab_selected_overline": ACCENT,
    "separator": (0.170, 0.178, 0.198, 1.0),
    "slider_grab": ACCENT,
    "slider_grab_active": (0.600, 0.900, 0.940, 1.0),
    "check_mark": ACCENT,
    "checkbox_selected_bg": FILL,
    "plot_lines": ACCENT,
    "plot_histogram": (0.200, 0.440, 0.490, 1.0),
    "plot_histogram_hovered": ACCENT,
    "scrollbar_bg": _CLEAR,
    "scrollbar_grab": (0.200, 0.212, 0.238, 1.0),
    "border": (0.200, 0.212, 0.238, 1.0),
    "nav_cursor": ACCENT,
    "text_selected_bg": FILL,
}


def load_font(imgui: Any) -> None:
    """The face, with Greek letters."""
    import imgui_bundle

    font = Path(imgui_bundle.__file__).parent / "assets" / "fonts" / "Roboto" / "Roboto-Regular.ttf"
    if font.exists():
        imgui.get_io().fonts.add_font_from_file_ttf(str(font), _FONT_PIXELS)
    imgui.get_style().font_scale_main = 1.0


def dress(imgui: Any) -> None:
    """Colours, spacing and corners, of the present context."""
    imgui.style_colors_dark()
    style = imgui.get_style()
    style.window_padding = imgui.ImVec2(10, 8)
    style.window_rounding = style.window_border_size = 0.0
    style.child_rounding = style.popup_rounding = 6.0
    style.child_border_size = 0.0
    style.frame_rounding = style.grab_rounding = style.tab_rounding = 4.0
    style.item_spacing = imgui.ImVec2(8, 5)
    style.frame_padding = imgui.ImVec2(9, 4)
    style.grab_min_size = 4.0
    style.scrollbar_size = 12.0
    style.separator_text_border_size = 1.0
    style.separator_text_align = imgui.ImVec2(0, 0.5)
    style.separator_text_padding = imgui.ImVec2(0, 6)
    style.tab_bar_overline_size = 2.0
    for name, colour in _COLOURS.items():
        style.set_color_(getattr(imgui.Col_, name).value, imgui.ImVec4(*colour))


def colour(rgba: tuple[float, float, float, float]) -> ImVec4:
    """As Dear ImGui takes it."""
    return ImVec4(*rgba)
