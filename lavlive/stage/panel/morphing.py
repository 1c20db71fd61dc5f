"""The fader between two presets, A and B."""

from __future__ import annotations

from imgui_bundle import imgui

from lavlive.control.looks.fader import FADER
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import heading, tip


def draw_morphing(desk: Desk) -> None:
    """A chooser for each end, and the fader between them."""
    looks = desk.control.looks
    heading("from one look to another")
    ends = ("A", "morph.a"), ("B", "morph.b")
    gap = imgui.get_style().item_spacing.x
    width = (imgui.get_content_region_avail().x - gap) / 2
    for place, (label, action) in enumerate(ends):
        if place:
            imgui.same_line()
        chosen = looks.fader_ends[place]
        imgui.set_next_item_width(width)
        if imgui.begin_combo(f"##{action}", f"{label}: {chosen or 'choose a preset'}"):
            for name in looks.library.names():
                if imgui.selectable(name, name == chosen)[0]:
                    desk.ask(action, name)
            imgui.end_combo()
    imgui.set_next_item_width(-1)
    share = float(desk.control.values.number(FADER))
    moved, share = imgui.slider_float("##fader", share, 0.0, 1.0, "A  %.2f  B")
    if moved:
        desk.control.edit(FADER, min(max(share, 0.0), 1.0), desk.now)
    if imgui.is_item_hovered() or imgui.is_item_focused():
        desk.pointed = FADER
    tip(
        "Between the looks of A and B"
        if all(looks.fader_ends)
        else "Choose a preset for A and one for B; the fader goes from one look to the other"
    )
