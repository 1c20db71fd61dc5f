"""Saving the present look, and editing the preset that is chosen: its name, key and place, and its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from imgui_bundle import imgui

from lavlive.control.looks.presets import Preset
from lavlive.errors import LavliveError
from lavlive.stage.panel.files import FileChooser
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import DIM, fitted, tip

_KEYS = ("no key", *(f"key {digit}" for digit in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)))


class PresetEditing:
    """What a performer does with presets before the show."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._name = ""
        self._files = FileChooser("a preset", (".toml",))

    def draw(self) -> None:
        """A field for a name with what can be done with it, and buttons for the chosen preset."""
        looks = self._desk.control.looks
        imgui.set_next_item_width(max(140.0, imgui.get_content_region_avail().x - 180))
        entered, self._name = imgui.input_text_with_hint(
            "##name",
            "a name for the present look",
            self._name,
            imgui.InputTextFlags_.enter_returns_true.value,
        )
        imgui.same_line()
        if imgui.button("save as") or entered:
            self._try(lambda: looks.save(self._name))
        self._draw_opening()
        chosen = next((each for each in looks.library.all() if each.name == looks.preset), None)
        if chosen is not None:
            self._draw_chosen(chosen)

    def _draw_opening(self) -> None:
        imgui.same_line()
        if imgui.button("open…"):
            self._files.open()
        tip("Take a preset from a file, such as a stick's")
        path = self._files.draw()
        if path is not None:
            self._try(partial(self._add, path))

    def _add(self, path: Path) -> None:
        preset = self._desk.control.looks.library.add(path)
        self._desk.ask("preset.load", preset.name)

    def _draw_chosen(self, preset: Preset) -> None:
        looks = self._desk.control.looks
        library = looks.library
        imgui.align_text_to_frame_padding()
        imgui.text_colored(DIM, fitted(preset.name, 130.0))
        imgui.same_line()
        present = 0 if preset.key is None else (preset.key or 10)
        imgui.set_next_item_width(110)
        changed, index = imgui.combo("##key", present, list(_KEYS))
        if changed:
            self._try(lambda: library.set_key(preset.name, None if index == 0 else index % 10))
        tip("The number key that recalls it")
        for label, step in (("earlier", -1), ("later", 1)):
            imgui.same_line()
            if imgui.button(label):
                self._try(partial(library.move, preset.name, step))
        imgui.same_line()
        if imgui.button("rename"):
            self._try(lambda: looks.rename(preset.name, self._name))
        tip(f"Give {preset.name} the name in the field above")
        imgui.same_line()
        if imgui.button("delete"):
            imgui.open_popup("delete?")
        if imgui.begin_popup("delete?"):
            imgui.text(f"Delete {preset.name}? Its file goes for good.")
            if imgui.button("delete it"):
                self._try(lambda: library.delete(preset.name))
                imgui.close_current_popup()
            imgui.same_line()
            if imgui.button("keep it"):
                imgui.close_current_popup()
            imgui.end_popup()

    def _try(self, change: Callable[[], object]) -> None:
        self._desk.problem = ""
        try:
            change()
            self._name = ""
        except LavliveError as error:
            self._desk.problem = str(error)
