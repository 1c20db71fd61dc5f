"""Buttons with a small picture beside each, all of one size, in rows."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, imgui

from lavlive.stage.panel.thumbnails import SIZE
from lavlive.stage.panel.widgets import Row, button, vacant

_GAP = 4.0


class PictureButtons:
    """Draws buttons of these labels; the place of a picture is kept where there is none yet.

    So nothing moves under the mouse when one arrives.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        padding = 2 * imgui.get_style().frame_padding.x
        self._width = max((imgui.calc_text_size(label).x for label in labels), default=0.0) + padding
        self._row = Row()

    def draw(self, label: str, key: str, texture: int | None, chosen: bool) -> bool:
        """The next button; whether it was pressed.

        Args:
            key: tells it from others of the same label.
            texture: OpenGL's number of its picture, None where there is none yet.
            chosen: whether it stands for what is chosen now.
        """
        self._row.place(SIZE + _GAP + self._width)
        if texture is not None:
            imgui.image(imgui.ImTextureRef(texture), ImVec2(SIZE, SIZE))
        else:
            vacant(SIZE)
        imgui.same_line(0, _GAP)
        return button(f"{label}##{key}", chosen, size=ImVec2(self._width, SIZE))
