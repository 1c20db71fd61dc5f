"""What stands above the presets and is always seen: the canvas made small, and what it is."""

from __future__ import annotations

import numpy as np
from imgui_bundle import ImVec2, imgui

from lavlive.stage.panel import texture
from lavlive.stage.panel.section import PREVIEW, Desk
from lavlive.stage.panel.widgets import WARN, bar, decibels, say, tip
from lavlive.stage.panel.words import described


class Overview:
    """A small picture of the canvas as the audience sees it; beside it the preset, the model, the tempo."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._texture: int | None = None

    def draw(self) -> None:
        """Draw it into the present window."""
        desk = self._desk
        if desk.preview is not None:
            self._texture = texture.upload(desk.preview, self._texture)
            desk.preview = None
        imgui.begin_group()
        if self._texture is not None:
            imgui.image(imgui.ImTextureRef(self._texture), ImVec2(*PREVIEW))
        else:
            imgui.dummy(ImVec2(*PREVIEW))
        imgui.end_group()
        imgui.same_line()
        imgui.begin_group()
        say(desk.control.looks.preset or "no preset", imgui.get_style().color_(imgui.Col_.text.value))
        say(f"model {desk.show.model_name}")
        beat = desk.control.beat(desk.now)
        say(f"{beat.bpm:.1f} beats a minute" if beat.known else "no tempo yet: tap T")
        width, height = desk.show.output.canvas_size
        say(f"{width} x {height}, {'full screen' if desk.show.output.fullscreen else 'in a window'}")
        say(described(desk.show.source))
        level = desk.show.link.number("audio.level")
        bar(decibels(level), f"{20 * np.log10(max(level, 1e-3)):.0f} dB")
        tip("How loud the sound is that moves the picture, −60 to 0 dB")
        imgui.end_group()
        if desk.show.output.canvas_note:
            say(desk.show.output.canvas_note, WARN)

    def close(self) -> None:
        """Let go of the texture."""
        if self._texture is not None:
            texture.delete([self._texture])
            self._texture = None
