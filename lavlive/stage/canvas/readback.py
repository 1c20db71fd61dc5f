"""The canvas read back without waiting for the graphics card: begun in one picture, fetched in the next."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from lavlive.stage.canvas.passes import Target


@dataclass(frozen=True, slots=True)
class Shot:
    """The canvas as shown at one moment, for whatever leaves lavlive: recordings, streams, other programs.

    Attributes:
        pixels: uint8 [H, W, 3], sRGB, first row on top; shared by all who take it, so nobody writes into it.
        time: when it was shown, seconds of `time.perf_counter`.
    """

    pixels: np.ndarray
    time: float


class Readback:
    """Two pixel buffers that take turns; the context is current in every call.

    `begin` asks the graphics card for a copy and returns at once; `fetch`, a picture later, finds it made.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._buffers: list[moderngl.Buffer | None] = [None, None]
        self._turn = 0
        self._pending: tuple[moderngl.Buffer, tuple[int, int], float] | None = None

    def begin(self, target: Target, now: float) -> None:
        """Begin to read a texture of 8 bits, as shown at `now`; one that was not fetched is forgotten."""
        width, height = target.texture.size
        self._turn = 1 - self._turn
        buffer = self._buffers[self._turn]
        if buffer is None or buffer.size != width * height * 3:
            if buffer is not None:
                buffer.release()
            buffer = self._context.buffer(reserve=width * height * 3, dynamic=True)
            self._buffers[self._turn] = buffer
        target.framebuffer.read_into(buffer, components=3, alignment=1)
        self._pending = buffer, (width, height), now

    @property
    def pending(self) -> bool:
        """Whether something was begun and not fetched."""
        return self._pending is not None

    def fetch(self) -> Shot | None:
        """What was begun last, or None where nothing was."""
        if self._pending is None:
            return None
        (buffer, (width, height), now), self._pending = self._pending, None
        pixels = np.empty((height, width, 3), np.uint8)
        buffer.read_into(pixels)
        return Shot(pixels, now)
