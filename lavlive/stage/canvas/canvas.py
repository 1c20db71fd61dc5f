"""The canvas in OpenGL: what the shaders make of the pictures, before any screen.

    picture ─► dissolve ─► sharpen ─► present ─► flash_cells ─► limiter ─► flash_mix ─► screen
    [H, W]     in the picture's size   canvas     36 x 64        factor     canvas       8 bits

Values between passes are half floats in sRGB's encoding. Textures are made when a size changes and
kept otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import moderngl
import numpy as np

from lavlive.link.memory import Picture
from lavlive.parameters import Value
from lavlive.resources import shipped
from lavlive.stage.canvas.limiter import COLUMNS, ROWS, FlashLimiter
from lavlive.stage.canvas.mixer import IDLE, Mix, Mixer
from lavlive.stage.canvas.scaling import SHARPEN, picture_extent


class _Target:
    """A texture that can be drawn into."""

    def __init__(self, context: moderngl.Context, size: tuple[int, int], dtype: str = "f2") -> None:
        self.texture = context.texture(size, 4, dtype=dtype)
        self.texture.repeat_x = self.texture.repeat_y = False
        self.framebuffer = context.framebuffer([self.texture])
        self.framebuffer.clear(0.0, 0.0, 0.0, 1.0)

    def release(self) -> None:
        self.framebuffer.release()
        self.texture.release()


class Canvas:
    """Draws the canvas in an OpenGL 3.3 context that is current in every call."""

    def __init__(self, context: moderngl.Context, size: tuple[int, int]) -> None:
        self._context = context
        self._mixer = Mixer()
        self._limiter = FlashLimiter()
        self._passes: dict[str, tuple[moderngl.Program, moderngl.VertexArray]] = {}
        self._cells = _Target(context, (COLUMNS, ROWS), "f4")
        self._scene: tuple[Mix, str, tuple[int, int]] | None = None
        self._small: _Target | None = None
        self.held_back = 0.0
        self.size = size
        self._make_canvases()
        self._make_pictures(IDLE.shape[1], IDLE.shape[0])
        self._newest.write(IDLE.tobytes())
        self._draw("dissolve", self._seen, before=self._newest, newest=self._newest, position=1.0)

    def resize(self, size: tuple[int, int]) -> None:
        """Change the canvas's width and height in pixels; what was shown is shown on, scaled."""
        if size == self.size:
            return
        shown, old = self._shown, (self._shown, self._wanted, self._mixed, self._bytes)
        self.size = size
        self._make_canvases()
        self._draw("screen", self._shown, canvas=shown.texture)
        for target in old:
            target.release()

    def _make_canvases(self) -> None:
        self._shown, self._wanted, self._mixed = (_Target(self._context, self.size) for _ in range(3))
        self._bytes = _Target(self._context, self.size, "f1")

    def _make_small(self, size: tuple[int, int]) -> _Target:
        if self._small is None or self._small.texture.size != size:
            if self._small is not None:
                self._small.release()
            self._small = _Target(self._context, size, "f1")
        return self._small

    def _make_pictures(self, width: int, height: int) -> None:
        size = (width, height)
        self._before, self._seen, self._sharp = (_Target(self._context, size) for _ in range(3))
        self._newest = self._context.texture(size, 3, alignment=1)
        self._newest.repeat_x = self._newest.repeat_y = False

    def draw(self, picture: Picture | None, values: Mapping[str, Value], now: float) -> None:
        """Bring the canvas to what is to be seen at `now`."""
        mix = self._mixer.step(picture, values, now)
        scene = replace(mix, new=None), str(values["show.scaling"]), self.size
        if mix.new is None and scene == self._scene and self.held_back == 0.0:
            return
        self._scene = scene
        if mix.new is not None:
            self._upload(mix.new)
        self._draw(
            "dissolve", self._seen, before=self._before.texture, newest=self._newest, position=mix.position
        )
        self._draw("sharpen", self._sharp, seen=self._seen.texture, amount=SHARPEN)
        self._place(mix, str(values["show.scaling"]))
        self._limit(bool(values["show.flash_limit"]), now)

    def _upload(self, pixels: np.ndarray) -> None:
        """Take a picture as the newest, and what is seen now as what comes before it."""
        height, width, _ = pixels.shape
        if self._newest.size == (width, height):
            self._before, self._seen = self._seen, self._before
        else:
            seen, old = self._seen, (self._newest, self._before, self._seen, self._sharp)
            self._make_pictures(width, height)
            self._draw("dissolve", self._before, before=seen.texture, newest=seen.texture, position=0.0)
            for resource in old:
                resource.release()
        self._newest.write(np.ascontiguousarray(pixels))

    def _place(self, mix: Mix, scaling: str) -> None:
        self._draw(
            "present",
            self._wanted,
            picture=self._sharp.texture,
            extent=picture_extent(scaling, self._sharp.texture.size, self.size),
            zoom=mix.zoom,
            drift=mix.drift,
            light=mix.light,
        )

    def _limit(self, limit: bool, now: float) -> None:
        self._draw("flash_cells", self._cells, canvas=self._wanted.texture)
        cells = np.frombuffer(self._cells.framebuffer.read(components=3, dtype="f4"), np.float32)
        factor = self._limiter.step(cells.reshape(ROWS, COLUMNS, 3), now, limit)
        self.held_back = 1.0 - factor
        if factor == 1.0:
            self._shown, self._wanted = self._wanted, self._shown
            return
        self._draw(
            "flash_mix", self._mixed, shown=self._shown.texture, wanted=self._wanted.texture, factor=factor
        )
        self._shown, self._mixed = self._mixed, self._shown

    def show_on(self, framebuffer: moderngl.Framebuffer, size: tuple[int, int]) -> None:
        """Draw the canvas on a screen of that size, whole and undistorted, black where the shapes differ."""
        width, height = size
        extent = picture_extent("fit", self.size, (width, height))
        w, h = round(width * extent[0]), round(height * extent[1])
        framebuffer.viewport = ((width - w) // 2, (height - h) // 2, w, h)
        if (w, h) != (width, height):
            framebuffer.clear()
        self._draw_into("screen", framebuffer, upright=1.0, canvas=self._shown.texture)
        framebuffer.viewport = (0, 0, width, height)

    def draw_badge(
        self, framebuffer: moderngl.Framebuffer, size: tuple[int, int], ink: moderngl.Texture, scale: int
    ) -> None:
        """Draw a line of letters, `scale` pixels to a dot, in the lower left corner of a screen."""
        framebuffer.viewport = (scale * 4, scale * 4, ink.width * scale, ink.height * scale)
        self._context.enable(moderngl.BLEND)
        self._draw_into("badge", framebuffer, upright=1.0, ink=ink)
        self._context.disable(moderngl.BLEND)
        framebuffer.viewport = (0, 0, *size)

    def read(self) -> np.ndarray:
        """The canvas as shown, uint8 [H, W, 3], first row on top."""
        return self._read_through(self._bytes)

    def preview(self, size: tuple[int, int]) -> np.ndarray:
        """The canvas as shown, stretched to a small width and height: uint8 [height, width, 3]."""
        return self._read_through(self._make_small(size))

    def _read_through(self, target: _Target) -> np.ndarray:
        self._draw("screen", target, canvas=self._shown.texture)
        width, height = target.texture.size
        data = target.framebuffer.read(components=3, alignment=1)
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def _draw(self, name: str, target: _Target, **uniforms: object) -> None:
        self._draw_into(name, target.framebuffer, upright=0.0, **uniforms)

    def _draw_into(
        self, name: str, framebuffer: moderngl.Framebuffer, upright: float, **uniforms: object
    ) -> None:
        program, triangle = self._pass(name)
        framebuffer.use()
        program["upright"] = upright
        unit = 0
        for uniform, value in uniforms.items():
            if isinstance(value, moderngl.Texture):
                value.use(unit)
                program[uniform] = unit
                unit += 1
            else:
                program[uniform] = value
        triangle.render(moderngl.TRIANGLES, vertices=3)

    def _pass(self, name: str) -> tuple[moderngl.Program, moderngl.VertexArray]:
        if name not in self._passes:
            shaders = shipped("shaders")
            program = self._context.program(
                vertex_shader=(shaders / "present.vert").read_text(),
                fragment_shader=(shaders / f"{name}.frag").read_text(),
            )
            self._passes[name] = program, self._context.vertex_array(program, [])
        return self._passes[name]
