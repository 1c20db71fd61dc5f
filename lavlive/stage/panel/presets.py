"""The section of presets: recall, save, and what they looked like."""

from __future__ import annotations

from lavlive.control.actions import Action
from lavlive.resources import cache_folder
from lavlive.stage.panel.learning import offer_learn
from lavlive.stage.panel.morphing import draw_morphing
from lavlive.stage.panel.picture_buttons import PictureButtons
from lavlive.stage.panel.preset_editing import PresetEditing
from lavlive.stage.panel.section import Column, Desk, Section
from lavlive.stage.panel.thumbnails import Thumbnails
from lavlive.stage.panel.widgets import heading, say


class PresetsSection(Section):
    """A button and a small picture per preset, the fader between two, and what changes them."""

    title = "Presets"
    column = Column.PLAY

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._thumbnails = Thumbnails(cache_folder() / "thumbnails")
        self._editing = PresetEditing(desk)

    def watch(self) -> None:
        control = self.desk.control
        looks, dark = control.looks, control.values.number("show.master") < 1
        dark = dark or control.values["show.blackout"] is True
        # The canvas: with the preset's effects, as the audience sees it.
        self._thumbnails.watch(looks.preset, looks.morphing or dark, self.desk.preview, self.desk.now)

    def draw(self) -> None:
        control, looks = self.desk.control, self.desk.control.looks
        if control.waiting:
            say("waiting for the beat: " + ", ".join(str(action) for action in control.waiting))
        presets = looks.library.all()
        labels = [f"{each.key}  {each.name}" if each.key is not None else each.name for each in presets]
        buttons = PictureButtons(labels)
        for label, preset in zip(labels, presets, strict=True):
            texture = self._thumbnails.texture(preset.name)
            if buttons.draw(label, preset.name, texture, preset.name == looks.preset):
                self.desk.ask("preset.load", preset.name)
            offer_learn(self.desk, Action("preset.load", preset.name), preset.description)
        draw_morphing(self.desk)
        heading("keep and edit")
        self._editing.draw()

    def close(self) -> None:
        self._thumbnails.close()
