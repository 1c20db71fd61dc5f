"""A shader at work: its programs, its buffers, its passes. OpenGL 3.3, in the context that is current.

Here every texture has its first row at the bottom, as ISF has it; the rack turns the picture over once on
the way in and once on the way out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import moderngl
import numpy as np

from lavlive.errors import ShaderError
from lavlive.parameters import Value
from lavlive.stage.canvas.isf.document import LARGEST_SIDE, Document, Imported, Pass
from lavlive.stage.canvas.isf.glsl import variable
from lavlive.stage.canvas.isf.images import read_image
from lavlive.stage.canvas.isf.inputs import Input, InputKind
from lavlive.stage.canvas.isf.program import programs_of
from lavlive.stage.canvas.isf.sound import SoundTextures

OUTPUT_TYPE = "nu2"
"""16 bits from 0 to 1: what is no number, or beyond the range, ends here."""
_FLOAT_TYPE = "f4"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a shader draws from.

    Attributes:
        size: width and height of the canvas.
        time, elapsed: seconds since the shader began, and since its last frame.
        index: frames so far.
        date: year, month, day, seconds of the day.
        value_of: a parameter's value by what follows the slot's prefix.
        images: textures by the names of inputs of type image; first row at the bottom.
        sound: what it hears, if anything.
    """

    size: tuple[int, int]
    time: float
    elapsed: float
    index: int
    date: tuple[float, float, float, float]
    value_of: Callable[[str], Value]
    images: Mapping[str, moderngl.Texture]
    sound: SoundTextures | None = None


class Surface:
    """A texture that can be drawn into; it begins transparent and black."""

    def __init__(self, context: moderngl.Context, size: tuple[int, int], dtype: str = OUTPUT_TYPE) -> None:
        self.size = size
        self.dtype = dtype
        self.texture = context.texture(size, 4, dtype=dtype)
        self.texture.repeat_x = self.texture.repeat_y = False
        self.texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self.framebuffer = context.framebuffer([self.texture])
        self.framebuffer.clear(0.0, 0.0, 0.0, 0.0)

    def release(self) -> None:
        """Let go of the memory."""
        self.framebuffer.release()
        self.texture.release()


class _Buffer:
    """What a pass draws into and others read; one that lives on is written beside what is read."""

    def __init__(
        self, context: moderngl.Context, size: tuple[int, int], dtype: str, persistent: bool
    ) -> None:
        self.shown = Surface(context, size, dtype)
        self._next = Surface(context, size, dtype) if persistent else None

    @property
    def size(self) -> tuple[int, int]:
        return self.shown.size

    @property
    def persistent(self) -> bool:
        return self._next is not None

    @property
    def target(self) -> Surface:
        return self._next or self.shown

    def swap(self) -> None:
        """What was drawn is what is read from now on."""
        if self._next is not None:
            self.shown, self._next = self._next, self.shown

    def release(self) -> None:
        self.shown.release()
        if self._next is not None:
            self._next.release()


class Shader:
    """One file, compiled. Each instance has buffers of its own.

    Attributes:
        programs: one for each pass, or one for all.

    Args:
        images: those of what it brings along that are decoded already, by path.

    Raises:
        ShaderError: it does not compile; the message gives file, line and the compiler's words.
    """

    def __init__(
        self,
        context: moderngl.Context,
        document: Document,
        images: Mapping[Path, np.ndarray] | None = None,
    ) -> None:
        self.document = document
        self._decoded = images or {}
        self.notes = list(document.notes)
        self._context = context
        self.programs = programs_of(context, document)
        self._copier: tuple[moderngl.Program, moderngl.VertexArray] | None = None
        self._buffers: dict[str, _Buffer] = {}
        self._output: Surface | None = None
        self._black = {dtype: Surface(context, (3, 3), dtype) for dtype in (OUTPUT_TYPE, _FLOAT_TYPE)}
        self._sound: dict[str, moderngl.Texture] = {}
        self._imported = {one.name: self._import(one) for one in document.imported}
        self._decoded = {}
        self._targets: dict[str, tuple[bool, bool]] = {}
        for stage in document.passes:
            if stage.target is not None:
                persistent, is_float = self._targets.get(stage.target, (False, False))
                self._targets[stage.target] = (persistent or stage.persistent, is_float or stage.is_float)

    def draw(self, frame: Frame) -> moderngl.Texture:
        """Draw all passes; the texture is this shader's own and holds until the next call."""
        self._set("TIME", frame.time)
        self._set("TIMEDELTA", frame.elapsed)
        self._set("FRAMEINDEX", frame.index & 0x7FFFFFFF)
        self._set("DATE", frame.date)
        numbers = {"TIME": frame.time, "FRAMEINDEX": float(frame.index)}
        for one in self.document.inputs:
            if one.is_texture:
                continue
            value = one.uniform(frame.value_of, frame.size)
            self._set(variable(self.document, one.name), value)
            if isinstance(value, bool | int | float):
                numbers[one.name] = float(value)
        textures = self._textures(frame)
        result = self._black[OUTPUT_TYPE].texture
        for index, stage in enumerate(self.document.passes):
            result = self._draw_pass(index, stage, frame.size, numbers, textures)
        return result

    def release(self) -> None:
        """Let go of program and buffers."""
        for buffer in self._buffers.values():
            buffer.release()
        if self._output is not None:
            self._output.release()
        for surface in self._black.values():
            surface.release()
        for texture in (*self._sound.values(), *self._imported.values()):
            texture.release()
        if self._copier is not None:
            self._copier[1].release()
            self._copier[0].release()
        for program in self.programs:
            program.release()

    # One pass

    def _draw_pass(
        self,
        index: int,
        stage: Pass,
        canvas: tuple[int, int],
        numbers: dict[str, float],
        textures: dict[str, moderngl.Texture | moderngl.TextureCube],
    ) -> moderngl.Texture:
        numbers["WIDTH"], numbers["HEIGHT"] = float(canvas[0]), float(canvas[1])
        before = self._buffers[stage.target].size if stage.target in self._buffers else canvas
        size = (
            _side(stage.width, numbers, canvas[0], before[0]),
            _side(stage.height, numbers, canvas[1], before[1]),
        )
        buffer = self._buffer(stage.target, size) if stage.target is not None else None
        surface = self._output_of(size) if buffer is None else buffer.target
        program = self.programs[min(index, len(self.programs) - 1)]
        program.set("PASSINDEX", index)
        program.set("RENDERSIZE", (float(size[0]), float(size[1])))
        unit = 0
        for name, texture in textures.items():
            unit = program.bind(variable(self.document, name), texture, unit)
        for name in self._targets:
            known = self._buffers.get(name)
            own = name == stage.target and known is not None and not known.persistent
            texture = self._nothing(name) if known is None or own else known.shown.texture
            unit = program.bind(variable(self.document, name), texture, unit)
        surface.framebuffer.use()
        program.draw()
        if buffer is not None:
            buffer.swap()
            return buffer.shown.texture
        return surface.texture

    def _nothing(self, name: str) -> moderngl.Texture:
        """For a buffer that is not there yet; of its kind, since drivers compile for each kind of texture."""
        return self._black[_FLOAT_TYPE if self._targets[name][1] else OUTPUT_TYPE].texture

    def _set(self, name: str, value: object) -> None:
        for program in self.programs:
            program.set(name, value)

    def _buffer(self, name: str, size: tuple[int, int]) -> _Buffer:
        known = self._buffers.get(name)
        if known is not None and known.size == size:
            return known
        persistent, is_float = self._targets[name]
        made = _Buffer(self._context, size, _FLOAT_TYPE if is_float else OUTPUT_TYPE, persistent)
        self._buffers[name] = made
        if known is not None:
            if persistent:
                self._copy(known.shown.texture, made.shown)
            known.release()
        return made

    def _output_of(self, size: tuple[int, int]) -> Surface:
        if self._output is None or self._output.size != size:
            if self._output is not None:
                self._output.release()
            self._output = Surface(self._context, size)
        return self._output

    def _copy(self, source: moderngl.Texture, target: Surface) -> None:
        """What lived in a buffer lives on in one of another size."""
        if self._copier is None:
            program = self._context.program(vertex_shader=_COPY_VERTEX, fragment_shader=_COPY_FRAGMENT)
            self._copier = program, self._context.vertex_array(program, [])
        target.framebuffer.use()
        source.use(0)
        self._copier[1].render(moderngl.TRIANGLE_STRIP, vertices=4)

    # What it samples

    def _textures(self, frame: Frame) -> dict[str, moderngl.Texture | moderngl.TextureCube]:
        found: dict[str, moderngl.Texture | moderngl.TextureCube] = dict(self._imported)
        for one in self.document.inputs:
            if one.kind is InputKind.IMAGE:
                found[one.name] = frame.images.get(one.name, self._black[OUTPUT_TYPE].texture)
            elif one.is_texture:
                found[one.name] = self._hear(one, frame.sound)
        return found

    def _hear(self, one: Input, sound: SoundTextures | None) -> moderngl.Texture:
        if sound is None:
            rows = np.full((1, one.columns), 0.0 if one.kind is InputKind.FFT else 0.5, np.float32)
        else:
            rows = (sound.spectrum if one.kind is InputKind.FFT else sound.wave)(one.columns)
        # Colours are all the same, as hosts have it: some shaders read red, some green.
        pixels = np.ascontiguousarray(np.repeat(rows[:, :, None], 4, axis=2), np.float32)
        size = pixels.shape[1], pixels.shape[0]
        known = self._sound.get(one.name)
        if known is None or known.size != size:
            if known is not None:
                known.release()
            known = self._context.texture(size, 4, dtype="f4")
            known.repeat_x = known.repeat_y = False
            self._sound[one.name] = known
        known.write(pixels)
        return known

    def _image(self, path: Path | None) -> np.ndarray:
        if path is None:
            return np.zeros((1, 1, 4), np.uint8)
        known = self._decoded.get(path)
        return known if known is not None else read_image(path)

    def _import(self, one: Imported) -> moderngl.Texture | moderngl.TextureCube:
        pictures = []
        for path in one.paths:
            try:
                pictures.append(self._image(path))
            except ShaderError as error:
                self.notes.append(f"{self.document.path.name}: {error} It is black.")
                pictures.append(np.zeros((1, 1, 4), np.uint8))
        if not one.is_cube:
            height, width, _ = pictures[0].shape
            texture = self._context.texture((width, height), 4, pictures[0].tobytes(), alignment=1)
            texture.repeat_x = texture.repeat_y = False
            return texture
        side = max(len(picture) for picture in pictures)
        rows = [_squared(picture, side) for picture in pictures]
        return self._context.texture_cube((side, side), 4, np.concatenate(rows).tobytes())


def _squared(picture: np.ndarray, side: int) -> np.ndarray:
    rows = np.arange(side) * picture.shape[0] // side
    columns = np.arange(side) * picture.shape[1] // side
    square: np.ndarray = picture[rows[:, None], columns]
    return square


def _side(expression: Any, numbers: Mapping[str, float], whole: int, before: int) -> int:
    """A side in pixels: one that is no number leaves it as it was."""
    if expression is None:
        return whole
    side = expression.at(numbers)
    return min(max(int(side), 1), LARGEST_SIDE) if math.isfinite(side) else before


_COPY_VERTEX = """#version 330 core
out vec2 place;
void main() {
    place = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    gl_Position = vec4(place * 2.0 - 1.0, 0.0, 1.0);
}
"""
_COPY_FRAGMENT = """#version 330 core
in vec2 place;
out vec4 colour;
uniform sampler2D source;
void main() { colour = texture(source, place); }
"""
