"""Syphon: the canvas for other programs on a Mac, through syphon-python (the extra ``syphon``).

Never run by us: no Mac was at hand. Written after syphon-python's reference; pictures go through memory, not
from texture to texture.
"""

from __future__ import annotations

from typing import Any

from lavlive.errors import OutputMissingError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.four_bytes import FourBytes


class SyphonTaker:
    """A Syphon server; its size follows the canvas's.

    Raises:
        OutputMissingError: syphon-python is missing, as everywhere but on a Mac.
    """

    def __init__(self, name: str) -> None:
        try:
            import syphon
            from syphon.utils.numpy import copy_image_to_mtl_texture
            from syphon.utils.raw import create_mtl_texture
        except ImportError:
            raise OutputMissingError("Syphon needs a Mac, and: pip install 'lavlive[syphon]'.") from None
        self._copy, self._create = copy_image_to_mtl_texture, create_mtl_texture
        self._server = syphon.SyphonMetalServer(name)
        self._texture: Any = None
        self._four_bytes = FourBytes()
        self._size = (0, 0)

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        """Publish a canvas; Syphon has no sound."""
        height, width, _ = shot.pixels.shape
        if self._size != (width, height):
            self._texture = self._create(self._server.device, width, height)
            self._size = width, height
        self._copy(self._four_bytes.of(shot.pixels), self._texture)
        self._server.publish_frame_texture(self._texture)

    def hear(self, sound: list[SoundBlock]) -> None:
        """Nothing: Syphon has no sound."""

    def close(self) -> None:
        """End the server."""
        self._server.stop()
