"""The section of presets: recall, save, and what they looked like."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from lavlive.control.actions import Action
from lavlive.errors import PresetError
from lavlive.resources import cache_folder
from lavlive.stage.panel.learning import offer_learn
from lavlive.stage.panel.section import Column, Desk, Section
from lavlive.stage.panel.thumbnails import SIZE, Thumbnails
from lavlive.stage.panel.widgets import Row, button, say, tip


class PresetsSection(Section):
    """A button and a small picture per preset, and a field to save the present look under a name."""

    title = "Presets"
    column = Column.PLAY

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._thumbnails = Thumbnails(cache_folder() / "thumbnails")
        self._new_name = ""

    def watch(self) -> None:
        looks, picture = self.desk.control.looks, self.desk.show.newest_picture
        pixels = picture.pixels if picture else None
        self._thumbnails.watch(looks.preset, looks.morphing, pixels, self.desk.now)

    def draw(self) -> None:
        control, looks = self.desk.control, self.desk.control.looks
        if control.waiting:
            say("waiting for the beat: " + ", ".join(str(action) for action in control.waiting))
        row = Row()
        for preset in looks.library.all():
            label = f"{preset.key}  {preset.name}" if preset.key is not None else preset.name
            # The place is kept where there is no picture yet, so that nothing moves under the mouse.
            row.place(imgui.calc_text_size(label).x + 2 * imgui.get_style().frame_padding.x + SIZE + 4)
            texture = self._thumbnails.texture(preset.name)
            if texture:
                imgui.image(imgui.ImTextureRef(texture), ImVec2(SIZE, SIZE))
            else:
                imgui.dummy(ImVec2(SIZE, SIZE))
            imgui.same_line(0, 4)
            if button(f"{label}##{preset.name}", preset.name == looks.preset):
                self.desk.ask("preset.load", preset.name)
            offer_learn(self.desk, Action("preset.load", preset.name), preset.description)
        self._draw_saving()

    def _draw_saving(self) -> None:
        imgui.set_next_item_width(180)
        entered, self._new_name = imgui.input_text(
            "##name", self._new_name, imgui.InputTextFlags_.enter_returns_true.value
        )
        tip("A name for the look as it is now")
        imgui.same_line()
        if imgui.button("save as") or entered:
            try:
                self.desk.control.looks.save(self._new_name)
                self._new_name = self.desk.problem = ""
            except PresetError as error:
                self.desk.problem = str(error)

    def close(self) -> None:
        self._thumbnails.close()
