"""Spout: the canvas for other programs on Windows, through SpoutGL (the extra ``spout``).

Never run by us: no Windows was at hand. Written after SpoutGL's own example, which is all that documents it;
pictures go through memory, not from texture to texture.
"""

from __future__ import annotations

from lavlive.errors import OutputError, OutputMissingError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.four_bytes import FourBytes


class SpoutTaker:
    """A Spout sender; its size follows the canvas's.

    Raises:
        OutputMissingError: SpoutGL is missing, as everywhere but on Windows.
    """

    def __init__(self, name: str) -> None:
        try:
            from SpoutGL import SpoutSender
            from SpoutGL.enums import GL_RGBA
        except ImportError:
            raise OutputMissingError("Spout needs Windows, and: pip install 'lavlive[spout]'.") from None
        self._name, self._format = name, GL_RGBA
        self._sender = SpoutSender()
        self._sender.setSenderName(name)
        self._four_bytes = FourBytes()

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        """Publish a canvas; Spout has no sound.

        Raises:
            OutputError: Spout does not take it.
        """
        height, width, _ = shot.pixels.shape
        pixels = self._four_bytes.of(shot.pixels)
        # Not turned over: the first row is the upper one here and in Spout's pictures.
        if not self._sender.sendImage(pixels.tobytes(), width, height, self._format, False, 0):
            raise OutputError("Spout does not take the canvas; it needs a graphics card with DirectX 11.")
        self._sender.setFrameSync(self._name)

    def hear(self, sound: list[SoundBlock]) -> None:
        """Nothing: Spout has no sound."""

    def close(self) -> None:
        """End the sender."""
        self._sender.releaseSender()
