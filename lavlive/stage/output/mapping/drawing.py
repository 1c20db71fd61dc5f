"""Draws slices of the canvas for one screen into a texture; the canvas's context is current in every call."""

from __future__ import annotations

from collections import deque

import moderngl
import numpy as np

from lavlive.stage.canvas.passes import Passes, Target
from lavlive.stage.canvas.shader_text import shader_text
from lavlive.stage.output.font import text_image
from lavlive.stage.output.mapping.geometry import mesh
from lavlive.stage.output.mapping.surfaces import Mask, Point, Screen, Slice

Marked = tuple[int, Point]
"""Number of a slice, and a place in it."""


class SliceDrawer:
    """The program that draws slices, and what it keeps of each."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._program = context.program(
            vertex_shader=shader_text("slice.vert"), fragment_shader=shader_text("slice.frag")
        )
        self._kept: dict[Slice, tuple[moderngl.Buffer, moderngl.VertexArray, moderngl.Texture]] = {}

    def draw(
        self, part: Slice, canvas: moderngl.Texture, screen: Screen, pattern: bool, marked: Point | None
    ) -> None:
        """Draw one into the framebuffer in use."""
        _, array, outline = self._made(part)
        program = self._program
        canvas.use(0)
        outline.use(1)
        values = {
            "canvas": 0,
            "outline": 1,
            "outlined": sum(len(mask.points) for mask in part.masks),
            "area": part.input,
            "soft": (part.left, part.right, part.top, part.bottom),
            "gamma": 0.0 if part.gamma == "srgb" else part.gamma,
            "gain": screen.gain,
            "black": screen.black,
            "pattern": int(pattern),
            "shape": canvas.size,
            "marked": (0.0, 0.0, 0.0) if marked is None else (*marked, 1.0),
        }
        for name, value in values.items():
            program[name] = value
        array.render(moderngl.TRIANGLES)

    def _made(self, part: Slice) -> tuple[moderngl.Buffer, moderngl.VertexArray, moderngl.Texture]:
        if part not in self._kept:
            buffer = self._context.buffer(mesh(part).tobytes())
            array = self._context.vertex_array(self._program, [(buffer, "2f 3f", "place", "spot")])
            self._kept[part] = buffer, array, self._outline(part.masks)
        return self._kept[part]

    def _outline(self, masks: tuple[Mask, ...]) -> moderngl.Texture:
        rows = [
            (*point, (2.0 if mask.keep == "outside" else 1.0) * (number == len(mask.points) - 1))
            for mask in masks
            for number, point in enumerate(mask.points)
        ]
        points = np.array(rows or [(0.0, 0.0, 0.0)], np.float32)
        return self._context.texture((len(points), 1), 3, points.tobytes(), dtype="f4", alignment=1)

    def keep(self, parts: set[Slice]) -> None:
        """Let go of what belongs to other slices."""
        for part in self._kept.keys() - parts:
            for resource in self._kept.pop(part)[::-1]:
                resource.release()


class ScreenPicture:
    """What one screen shows, late by its delay."""

    def __init__(self, context: moderngl.Context, passes: Passes, drawer: SliceDrawer) -> None:
        self._context, self._passes, self._drawer = context, passes, drawer
        self._targets: deque[Target] = deque()
        self._label: tuple[str, moderngl.Texture] | None = None

    def draw(
        self,
        screen: Screen,
        canvas: moderngl.Texture,
        size: tuple[int, int],
        pattern: bool = False,
        marked: Marked | None = None,
        label: str = "",
    ) -> moderngl.Texture:
        """Draw the screen from a canvas, and give what it shows now: half floats, first row on top.

        Args:
            pattern: a test pattern in place of the canvas.
            marked: a place to mark.
            label: letters over it, to tell screens apart.
        """
        target = self._next(size, screen.delay + 1)
        framebuffer = target.framebuffer
        framebuffer.use()
        framebuffer.clear(0.0, 0.0, 0.0, 1.0)
        self._context.enable(moderngl.BLEND)
        for number, part in enumerate(screen.slices):
            mark = marked[1] if marked is not None and marked[0] == number else None
            self._drawer.draw(part, canvas, screen, pattern, mark)
        if label:
            self._draw_label(framebuffer, size, label)
        self._context.disable(moderngl.BLEND)
        return self._targets[0].texture

    def _next(self, size: tuple[int, int], count: int) -> Target:
        """The oldest target, to be drawn anew; at the end of the row there is the newest then."""
        if self._targets and self._targets[0].texture.size != size:
            self.release()
        while len(self._targets) > count:
            self._targets.popleft().release()
        if len(self._targets) < count:
            self._targets.append(Target(self._context, size))
        else:
            self._targets.append(self._targets.popleft())
        return self._targets[-1]

    def _draw_label(self, framebuffer: moderngl.Framebuffer, size: tuple[int, int], label: str) -> None:
        if self._label is None or self._label[0] != label:
            image = text_image(label)
            if self._label is not None:
                self._label[1].release()
            ink = self._context.texture(image.shape[::-1], 1, image.tobytes(), alignment=1)
            ink.filter = (moderngl.NEAREST, moderngl.NEAREST)
            self._label = label, ink
        ink = self._label[1]
        scale = max(1, min(size[0] * 7 // (10 * ink.width), size[1] // (3 * ink.height)))
        width, height = ink.width * scale, ink.height * scale
        framebuffer.viewport = ((size[0] - width) // 2, (size[1] - height) // 2, width, height)
        self._passes.draw("badge", framebuffer, ink=ink)
        framebuffer.viewport = (0, 0, *size)

    def release(self) -> None:
        """Let go of the memory."""
        while self._targets:
            self._targets.popleft().release()


def turn_of(screen: Screen) -> tuple[float, float, float, float]:
    """The matrix of turned.frag, by columns: from a place on the display to one in the screen's picture."""
    across = -1.0 if screen.flip in ("horizontal", "both") else 1.0
    down = -1.0 if screen.flip in ("vertical", "both") else 1.0
    turns = {
        0: np.array([[1, 0], [0, 1]]),
        90: np.array([[0, 1], [-1, 0]]),
        180: np.array([[-1, 0], [0, -1]]),
        270: np.array([[0, -1], [1, 0]]),
    }
    matrix = np.diag([across, down]) @ turns[screen.rotate]
    a, b, c, d = (float(value) for value in matrix.T.reshape(-1))
    return a, b, c, d
