"""A line of text over a picture, for the operator: drawn on the screen only, never into the canvas."""

from __future__ import annotations

import moderngl

from lavlive.stage.canvas.canvas import Canvas
from lavlive.stage.output.font import text_image


class Badge:
    """Draws one line at a time; the text becomes a texture once.

    Args:
        context: current in every call.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._text = ""
        self._ink: moderngl.Texture | None = None

    def draw(self, canvas: Canvas, text: str, size: tuple[int, int], larger: int = 1) -> None:
        """Draw `text` over what is on the screen, whose size is in pixels."""
        if text != self._text or self._ink is None:
            image = text_image(text)
            if self._ink is not None:
                self._ink.release()
            self._ink = self._context.texture(image.shape[::-1], 1, image.tobytes(), alignment=1)
            self._ink.filter = (moderngl.NEAREST, moderngl.NEAREST)
            self._text = text
        scale = max(1, size[1] // 480) * larger
        canvas.draw_badge(self._context.screen, size, self._ink, scale)
