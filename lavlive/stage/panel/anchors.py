"""A grid of small pictures of random w: the anchor goes to the one that is clicked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from imgui_bundle import ImVec2, imgui

from lavlive.link.messages import ANCHOR_SIDE
from lavlive.stage.panel import texture
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import BRIGHT, UNLIT, Row, say, tip, vacant

_EDGE = 2.0
"""Pixels around a picture, lit where it is the anchor."""


class AnchorPictures:
    """Draws them, and moves the anchor; every call needs the panel's OpenGL context."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._uploaded: dict[int, tuple[np.ndarray, int]] = {}
        """From a number to its pixels and OpenGL's number of the texture that shows them."""

    def draw(self) -> None:
        """The grid, and a button for other pictures."""
        anchors, pictures = self._desk.show.anchors, self._desk.show.anchor_pictures()
        self._upload(pictures)
        values = self._desk.control.values
        chosen = int(values.number("anchor.number")) if values["anchor.kind"] == "random" else -1
        if values.number("anchor.amount") <= 0:
            chosen = -1
        row = Row()
        imgui.push_style_var(imgui.StyleVar_.frame_padding.value, ImVec2(_EDGE, _EDGE))
        for number in anchors.numbers:
            row.place(ANCHOR_SIDE + 2 * _EDGE)
            if number in self._uploaded:
                self._draw_one(number, number == chosen)
            else:
                vacant(ANCHOR_SIDE + 2 * _EDGE)
        imgui.pop_style_var()
        if Row().button("24 others##anchors"):
            anchors.others()
        tip("Other random pictures of this model. The next 24 follow; they are the same every time")
        if not pictures:
            say("Small pictures to choose from are drawn while the show has time to spare.")

    def _draw_one(self, number: int, is_chosen: bool) -> None:
        colour = BRIGHT if is_chosen else UNLIT
        imgui.push_style_color(imgui.Col_.button.value, colour)
        reference, size = imgui.ImTextureRef(self._uploaded[number][1]), ImVec2(ANCHOR_SIDE, ANCHOR_SIDE)
        if imgui.image_button(f"anchor {number}", reference, size):
            self._choose(number)
        imgui.pop_style_color()
        tip(f"Let sound move the picture around this one: anchor.number {number}")

    def _choose(self, number: int) -> None:
        """Go there; from no anchor at all its amount rises in the time of its glide."""
        desk = self._desk
        values, looks = desk.control.values, desk.control.looks
        for name, value in {"anchor.kind": "random", "anchor.number": number}.items():
            if values[name] != value:
                desk.control.edit(name, value, desk.now)
        if values.number("anchor.amount") <= 0:
            looks.walk_to({"anchor.amount": 1.0}, values.number("anchor.glide"), desk.now)

    def _upload(self, pictures: Mapping[int, np.ndarray]) -> None:
        known = self._uploaded
        gone = [number for number, (pixels, _) in known.items() if pictures.get(number) is not pixels]
        texture.delete([known.pop(number)[1] for number in gone])
        for number, pixels in pictures.items():
            if number not in known:
                known[number] = pixels, texture.upload(pixels)

    def close(self) -> None:
        """Let go of the textures."""
        texture.delete([number for _, number in self._uploaded.values()])
        self._uploaded.clear()
