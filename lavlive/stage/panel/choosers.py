"""The section of what a show is made of: its sound, its model, its monitor, its recording."""

from __future__ import annotations

from pathlib import Path

from imgui_bundle import imgui

from lavlive.audio.listing import DeviceList
from lavlive.audio.spec import SourceSpec
from lavlive.audio.tracks import read_track
from lavlive.errors import LavliveError
from lavlive.resources import cache_folder
from lavlive.stage.panel.picture_buttons import PictureButtons
from lavlive.stage.panel.section import Column, Desk, Section
from lavlive.stage.panel.thumbnails import Thumbnails
from lavlive.stage.panel.widgets import DIM, Row, button, say, tip


class ChoosersSection(Section):
    """Choosers of source, model and monitor, each with what is chosen now."""

    title = "Show"
    column = Column.PLAY

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._devices = DeviceList()
        self._thumbnails = Thumbnails(cache_folder() / "thumbnails" / "models")
        self._path = ""
        self._looked = False

    def watch(self) -> None:
        show, picture = self.desk.show, self.desk.show.newest_picture
        pixels = picture.pixels if picture else None
        self._thumbnails.watch(show.model_name, show.model_is_loading, pixels, self.desk.now)

    def draw(self) -> None:
        if not self._looked:
            self._looked = True
            self._devices.look()
        self._draw_source()
        imgui.separator()
        self._draw_models()
        imgui.separator()
        self._draw_monitors()
        imgui.separator()
        self._draw_recording()

    # Sound

    def _draw_source(self) -> None:
        show = self.desk.show
        imgui.text_colored(DIM, "sound")
        imgui.set_next_item_width(-1)
        if imgui.begin_combo("##source", described(show.source)):
            choices = {described(each): each for each in show.sources.known()} | self._devices.sources
            for label, source in choices.items():
                if imgui.selectable(label, source == show.source)[0]:
                    show.change_source(source)
            imgui.end_combo()
        if button("looking…" if self._devices.looking else "look for devices"):
            self._devices.look()
        imgui.same_line()
        imgui.set_next_item_width(max(120.0, imgui.get_content_region_avail().x - 120))
        entered, self._path = imgui.input_text_with_hint(
            "##track", "path of a track", self._path, imgui.InputTextFlags_.enter_returns_true.value
        )
        imgui.same_line()
        if imgui.button("play it") or entered:
            self._play(self._path.strip())

    def _play(self, path: str) -> None:
        self.desk.problem = ""
        try:
            read_track(path).close()
        except LavliveError as error:
            self.desk.problem = str(error)
            return
        before = self.desk.show.source
        self.desk.show.change_source(
            SourceSpec("track", str(Path(path).absolute()), aloud=before.aloud, loop=before.loop)
        )
        self._path = ""

    # Models

    def _draw_models(self) -> None:
        show = self.desk.show
        imgui.text_colored(DIM, "model, fading from one to the next")
        if button("previous##model"):
            self.desk.ask("model.previous")
        tip("The model before (P)")
        imgui.same_line()
        if button("next##model"):
            self.desk.ask("model.next")
        tip("The next model (N)")
        buttons = PictureButtons(list(show.models))
        for name, path in show.models.items():
            texture = self._thumbnails.texture(name)
            if buttons.draw(name, f"model {name}", texture, name == show.model_name):
                show.choose_model(path)
        if not show.models:
            say("Start with --model FOLDER to have several to choose from.")

    # Monitor and recording

    def _draw_monitors(self) -> None:
        output = self.desk.show.output
        imgui.text_colored(DIM, "picture")
        row = Row()
        if row.button("in a window##monitor", not output.fullscreen) and output.fullscreen:
            output.toggle_fullscreen()
        for index, name in enumerate(output.monitors()):
            if row.button(f"fill {name}##monitor"):
                try:
                    output.fill(index)
                except LavliveError as error:
                    self.desk.problem = str(error)
        width, height = output.canvas_size
        say(f"The canvas has {width} x {height} pixels. {output.canvas_note}")

    def _draw_recording(self) -> None:
        recordings = self.desk.show.recordings
        imgui.text_colored(DIM, "recording")
        if button("end the recording" if recordings.wanted else "record (Ctrl+R)", recordings.wanted):
            self.desk.ask("record")
        recorder = recordings.recorder
        if recorder is not None:
            say(f"{recordings.seconds(self.desk.now):.0f} s into {recorder.path}")
            if recorder.dropped:
                say(f"{recorder.dropped} pictures were left out: the machine is busy")
        elif recordings.finished:
            say(f"last: {recordings.finished[-1]}")

    def close(self) -> None:
        self._thumbnails.close()


def described(source: SourceSpec) -> str:
    """A source as a performer calls it."""
    if source.kind == "demo":
        return "the demo track"
    if source.kind == "track":
        return f"track: {Path(str(source.name)).name}"
    return f"{source.kind}: {source.name or 'the default device'}"
