"""The section of what a show is made of: its sound, its model, its monitor, its recording, its streams."""

from __future__ import annotations

import os
from pathlib import Path

from imgui_bundle import imgui

from lavlive.audio.listing import DeviceList
from lavlive.audio.spec import SourceSpec
from lavlive.errors import LavliveError
from lavlive.resources import MODEL_ENDINGS, cache_folder
from lavlive.stage.panel.files import FileChooser
from lavlive.stage.panel.picture_buttons import PictureButtons
from lavlive.stage.panel.remote import RemoteLines
from lavlive.stage.panel.section import Column, Desk, Section
from lavlive.stage.panel.streaming import Streaming
from lavlive.stage.panel.thumbnails import Thumbnails
from lavlive.stage.panel.widgets import Row, button, heading, say, tip
from lavlive.stage.panel.words import described

TRACK_ENDINGS = (
    *(".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".opus", ".wma", ".caf"),
    *(".mp4", ".mov", ".mkv", ".webm", ".avi"),
)


class ChoosersSection(Section):
    """Choosers of source, model and monitor, each with what is chosen now."""

    title = "Show"
    column = Column.PLAY

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._devices = DeviceList()
        self._thumbnails = Thumbnails(cache_folder() / "thumbnails" / "models")
        self._tracks = FileChooser("a track", TRACK_ENDINGS, _music())
        self._files = FileChooser("a model", MODEL_ENDINGS)
        source = desk.show.source
        self._aloud = source.aloud or source.kind in ("input", "loopback")
        self._looked = False
        self._streaming = Streaming(desk)
        self._remote = RemoteLines(desk)

    def watch(self) -> None:
        show, picture = self.desk.show, self.desk.show.newest_picture
        pixels = picture.pixels if picture else None
        self._thumbnails.watch(show.model_name, show.model_is_loading, pixels, self.desk.now)

    def draw(self) -> None:
        if not self._looked:
            self._looked = True
            self._devices.look()
        self._draw_source()
        self._draw_models()
        self._draw_monitors()
        self._draw_recording()
        self._streaming.draw()
        self._remote.draw()

    # Sound

    def _draw_source(self) -> None:
        show = self.desk.show
        heading("sound")
        imgui.set_next_item_width(-1)
        if imgui.begin_combo("##source", described(show.source)):
            choices = {described(each): each for each in show.sources.known()} | self._devices.sources
            for label, source in choices.items():
                if imgui.selectable(label, source == show.source)[0]:
                    show.change_source(source)
            imgui.end_combo()
        if imgui.button("open a track…"):
            self._tracks.open()
        chosen = self._tracks.draw()
        if chosen is not None:
            self._play(chosen)
        imgui.same_line()
        self._aloud = imgui.checkbox("aloud", self._aloud)[1]
        tip("Play the next track through the default output too, not to the picture only")
        imgui.same_line()
        if button("looking…" if self._devices.looking else "look for devices"):
            self._devices.look()
        tip("Inputs and outputs that were plugged in since")

    def _play(self, path: Path) -> None:
        """A track that cannot be read is told by the engine, which goes on with what it hears."""
        before = self.desk.show.source
        loop = before.loop if before.kind in ("track", "demo") else True
        self.desk.show.change_source(SourceSpec("track", str(path.absolute()), self._aloud, loop))

    # Models

    def _draw_models(self) -> None:
        show = self.desk.show
        heading("model")
        if button("previous##model"):
            self.desk.ask("model.previous")
        tip("The model before (P)")
        imgui.same_line()
        if button("next##model"):
            self.desk.ask("model.next")
        tip("The next model (N)")
        imgui.same_line()
        if imgui.button("open a model…"):
            self._files.open()
        chosen = self._files.draw()
        if chosen is not None:
            show.open_model(str(chosen.absolute()))
        buttons = PictureButtons(list(show.models))
        for name, path in list(show.models.items()):
            texture = self._thumbnails.texture(name)
            if buttons.draw(name, f"model {name}", texture, name == show.model_name):
                show.choose_model(path)

    # Monitor and recording

    def _draw_monitors(self) -> None:
        output = self.desk.show.output
        heading("picture")
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
        heading("recording")
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
        self._remote.close()


def _music() -> Path | None:
    """Where systems keep a user's music, if there is such a folder."""
    folder = Path(os.path.expanduser("~")) / "Music"
    return folder if folder.is_dir() else None
