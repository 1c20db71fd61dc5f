"""The section that tells what the keys do."""

from __future__ import annotations

from imgui_bundle import imgui

from lavlive.control.keyboard import LOCKED, key_table
from lavlive.stage.panel.section import Column, Section
from lavlive.stage.panel.widgets import DIM, say


class KeysSection(Section):
    """Every key and what it does; H and F1 bring it to the front."""

    title = "Keys"
    column = Column.WATCH

    def draw(self) -> None:
        if self.desk.control.locked:
            say(f"{LOCKED}.")
        width = max(imgui.calc_text_size(keys).x for keys, _ in key_table()) + 24
        for keys, text in key_table():
            imgui.text_colored(DIM, keys)
            imgui.same_line(width)
            imgui.push_text_wrap_pos(0.0)
            imgui.text_unformatted(text)
            imgui.pop_text_wrap_pos()
