"""The canvas in OpenGL: what the shaders make of the pictures, before any screen.

    picture ─► dissolve ─► enlarge, crisp ─► sharpen ─► present ─► rack ─► limiter ─► flash_mix ─► screen
    [H, W]     [H, W]      [2H, 2W]          [2H, 2W]   canvas    canvas   factor     canvas      8 bits

`flash_cells` makes 36 x 64 means for the limiter. What is to be enlarged much is doubled along its edges
first, else those two passes are left out; a transition is drawn after the rack. Values between passes are
half floats in sRGB's encoding, in the rack 16 bits. Textures are made when a size changes and kept
otherwise. With an empty rack its two passes are not drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import moderngl
import numpy as np

from lavlive.link.contents import Picture
from lavlive.parameters import Value
from lavlive.stage.canvas.crossing import Crossing
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.isf.shader import OUTPUT_TYPE
from lavlive.stage.canvas.isf.sound import SoundTextures
from lavlive.stage.canvas.limiter import COLUMNS, ROWS, FlashLimiter
from lavlive.stage.canvas.mixer import IDLE, Mix, Mixer
from lavlive.stage.canvas.passes import Passes, Target, sized
from lavlive.stage.canvas.rack import Rack
from lavlive.stage.canvas.readback import Readback, Shot
from lavlive.stage.canvas.scaling import CRISP, LEAST_DOUBLED, SHARPEN, enlargement, picture_extent

Part = tuple[float, float, float, float]
"""Of a canvas: left, top, width and height as shares of the whole."""
WHOLE: Part = (0.0, 0.0, 1.0, 1.0)
_STILL = Mix(None, 1.0, 1.0, (0.0, 0.0), 1.0)


class Canvas:
    """Draws the canvas in an OpenGL 3.3 context that is current in every call.

    Attributes:
        rack: the effects; None without shaders.
        crossing: transitions from one look to the next; None without shaders.
        limiter: of the flashes in what is drawn.
        least_interval: seconds between two drawings with effects, for where the processor draws.
    """

    def __init__(
        self, context: moderngl.Context, size: tuple[int, int], shaders: ShaderLibrary | None = None
    ) -> None:
        self._context = context
        self._passes = Passes(context)
        self.rack = Rack(context, shaders, self._passes) if shaders is not None else None
        self.crossing = Crossing(context, shaders, self._passes) if shaders is not None else None
        self._rack_input: Target | None = None
        self._pending: list[tuple[Mix, float]] = []
        self._position = 1.0
        self.least_interval = 0.0
        self.drawn = -math.inf
        self._noted: tuple[Mix, Mapping[str, Value], float, SoundTextures | None] | None = None
        self._mixer = Mixer()
        self.limiter = FlashLimiter()
        self._cells = Target(context, (COLUMNS, ROWS), "f4")
        self._scene: tuple[Mix, str, str, tuple[int, int]] | None = None
        self._doubled: tuple[Target, Target] | None = None
        self._small: Target | None = None
        self._readback = Readback(context)
        self._shot_target: Target | None = None
        self.held_back = 0.0
        self.size = size
        self._make_canvases()
        self._make_pictures(IDLE.shape[1], IDLE.shape[0])
        self._newest.write(IDLE.tobytes())
        self._placed = self._sharp
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
        self._shown, self._wanted, self._mixed = (Target(self._context, self.size) for _ in range(3))
        self._bytes = Target(self._context, self.size, "f1")

    def _make_small(self, size: tuple[int, int]) -> Target:
        self._small = sized(self._context, self._small, size, "f1")
        return self._small

    def _make_pictures(self, width: int, height: int) -> None:
        size = (width, height)
        self._before, self._seen, self._sharp = (Target(self._context, size) for _ in range(3))
        self._newest = self._context.texture(size, 3, alignment=1)
        self._newest.repeat_x = self._newest.repeat_y = False

    def draw(
        self,
        picture: Picture | None,
        values: Mapping[str, Value],
        now: float,
        sound: SoundTextures | None = None,
    ) -> None:
        """Bring the canvas to what is to be seen at `now`."""
        self.note(picture, values, now, sound)
        self.catch_up()

    def note(
        self,
        picture: Picture | None,
        values: Mapping[str, Value],
        now: float,
        sound: SoundTextures | None = None,
    ) -> None:
        """Take note of what is to be seen at `now`, and draw nothing: `catch_up` does. Needs no context."""
        mix = self._mixer.step(picture, values, now)
        if mix.new is not None:
            self._pending = [*self._pending[-1:], (mix, self._position)]
        self._position = mix.position
        self._noted = mix, values, now, sound

    def catch_up(self) -> None:
        """Draw what was noted last, as if everything before it had been drawn."""
        if self._noted is None:
            return
        mix, values, now, sound = self._noted
        racked = self.rack is not None and (self.rack.busy(values) or self._crosses(now))
        if racked and 0 <= now - self.drawn < self.least_interval:
            return
        self._noted, self.drawn = None, now
        if self.rack is not None and self.crossing is not None:
            self.crossing.follow(values, self.rack.trials, self.size)
        scene = replace(mix, new=None), str(values["show.scaling"]), str(values["show.upscale"]), self.size
        if not self._pending and scene == self._scene and self.held_back == 0.0 and not racked:
            return
        self._scene = None if racked else scene
        for arrived, position in self._pending:
            self._dissolve(position)
            assert arrived.new is not None
            self._upload(arrived.new)
        self._pending = []
        self._dissolve(mix.position)
        self._sharpen(str(values["show.scaling"]), str(values["show.upscale"]))
        if racked and self.rack is not None:
            self._place(mix, str(values["show.scaling"]), self._rack_target(), light=1.0, upright=True)
            picture = self.rack.draw(self._rack_target().texture, values, now, sound)
            if self._crosses(now) and self.crossing is not None:
                picture = self.crossing.draw(self._shown.texture, picture, now, sound)
            self._passes.draw(
                "rack_out", self._wanted.framebuffer, upright=True, picture=picture, light=mix.light
            )
        else:
            self._place(mix, str(values["show.scaling"]), self._wanted, light=mix.light)
        self._limit(bool(values["show.flash_limit"]), now)

    @property
    def problems(self) -> dict[str, str]:
        """Why slots, or the transition, are not what was chosen, a line each."""
        found = {**self.rack.problems, **self.rack.image_problems} if self.rack is not None else {}
        if self.crossing is not None and self.crossing.problem is not None:
            found["transition"] = self.crossing.problem
        return found

    def begin_transition(self, seconds: float) -> None:
        """Go from what is seen to what is drawn from now on, as `show.transition` says. Needs no context."""
        if self.crossing is not None:
            self.crossing.ask(seconds)

    def _crosses(self, now: float) -> bool:
        return self.crossing is not None and self.crossing.busy(now)

    def prepare(self) -> None:
        """Draw, unseen, with each pass that a show may need later: drivers compile when they first draw."""
        size = (15, 9)  # drivers treat powers of two apart
        half, whole = Target(self._context, size), Target(self._context, size, OUTPUT_TYPE)
        self._draw("flash_mix", half, shown=self._shown.texture, wanted=self._wanted.texture, factor=0.5)
        if self.rack is not None:
            self._draw(
                "rack_mix",
                whole,
                below=self._rack_target().texture,
                above=self._rack_target().texture,
                amount=0.5,
                blend=0,
                layer=False,
            )
            self._draw("rack_out", half, picture=self._rack_target().texture, light=1.0)
            self._place(_STILL, "fill", whole, 1.0)
        self._draw("enlarge", half, picture=self._seen.texture)
        self._draw("crisp", half, picture=self._seen.texture, amount=CRISP)
        half.release()
        whole.release()

    def close(self) -> None:
        """Let go of the effects and of who tries them."""
        if self.rack is not None:
            self.rack.release()
        if self.crossing is not None:
            self.crossing.release()

    def _sharpen(self, scaling: str, upscale: str) -> None:
        """Make what is seen ready for the spline, doubled along its edges where that is worth it."""
        size = self._seen.texture.size
        self._placed, seen = self._sharp, self._seen
        if upscale == "edges" and enlargement(scaling, size, self.size) >= LEAST_DOUBLED:
            doubled = size[0] * 2, size[1] * 2
            if self._doubled is None or self._doubled[0].texture.size != doubled:
                for target in self._doubled or ():
                    target.release()
                self._doubled = Target(self._context, doubled), Target(self._context, doubled)
            self._placed, seen = self._doubled
            self._draw("enlarge", self._placed, picture=self._seen.texture)
            self._draw("crisp", seen, picture=self._placed.texture, amount=CRISP)
        self._draw("sharpen", self._placed, seen=seen.texture, amount=SHARPEN)

    def _dissolve(self, position: float) -> None:
        self._draw(
            "dissolve", self._seen, before=self._before.texture, newest=self._newest, position=position
        )

    def _rack_target(self) -> Target:
        self._rack_input = sized(self._context, self._rack_input, self.size, OUTPUT_TYPE)
        return self._rack_input

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

    def _place(self, mix: Mix, scaling: str, target: Target, light: float, upright: bool = False) -> None:
        self._passes.draw(
            "present",
            target.framebuffer,
            upright,
            picture=self._placed.texture,
            extent=picture_extent(scaling, self._seen.texture.size, self.size),
            zoom=mix.zoom,
            drift=mix.drift,
            light=light,
        )

    def _limit(self, limit: bool, now: float) -> None:
        self._draw("flash_cells", self._cells, canvas=self._wanted.texture)
        cells = np.frombuffer(self._cells.framebuffer.read(components=3, dtype="f4"), np.float32)
        factor = self.limiter.step(cells.reshape(ROWS, COLUMNS, 3), now, limit)
        self.held_back = 1.0 - factor
        if factor == 1.0:
            self._shown, self._wanted = self._wanted, self._shown
            return
        self._draw(
            "flash_mix", self._mixed, shown=self._shown.texture, wanted=self._wanted.texture, factor=factor
        )
        self._shown, self._mixed = self._mixed, self._shown

    @property
    def texture(self) -> moderngl.Texture:
        """The canvas as shown: half floats in sRGB's encoding, first row on top."""
        return self._shown.texture

    def show_on(self, framebuffer: moderngl.Framebuffer, size: tuple[int, int], part: Part = WHOLE) -> None:
        """Draw a part of the canvas on a screen of that size, undistorted, black where the shapes differ."""
        width, height = size
        x, y, across, down = part
        shape = round(self.size[0] * across), round(self.size[1] * down)
        extent = picture_extent("fit", shape, (width, height))
        w, h = round(width * extent[0]), round(height * extent[1])
        left, bottom = (width - w) // 2, (height - h) // 2
        if (w, h) != (width, height):
            framebuffer.clear()
        # The whole is drawn as large as makes the part fill its place, and all but the part is cut off.
        whole = round(w / across), round(h / down)
        framebuffer.viewport = (
            left - round(x * whole[0]),
            bottom - whole[1] + h + round(y * whole[1]),
            *whole,
        )
        framebuffer.scissor = (left, bottom, w, h)
        self._passes.draw("screen", framebuffer, upright=True, canvas=self._shown.texture)
        framebuffer.scissor = None  # type: ignore[assignment]
        framebuffer.viewport = (0, 0, width, height)

    def draw_badge(
        self, framebuffer: moderngl.Framebuffer, size: tuple[int, int], ink: moderngl.Texture, scale: int
    ) -> None:
        """Draw a line of letters, `scale` pixels to a dot, in the lower left corner of a screen."""
        framebuffer.viewport = (scale * 4, scale * 4, ink.width * scale, ink.height * scale)
        self._context.enable(moderngl.BLEND)
        self._passes.draw("badge", framebuffer, upright=True, ink=ink)
        self._context.disable(moderngl.BLEND)
        framebuffer.viewport = (0, 0, *size)

    def read(self) -> np.ndarray:
        """The canvas as shown, uint8 [H, W, 3], first row on top."""
        return self._read_through(self._bytes)

    def preview(self, size: tuple[int, int]) -> np.ndarray:
        """The canvas as shown, stretched to a small width and height: uint8 [height, width, 3]."""
        return self._read_through(self._make_small(size))

    def begin_shot(self, now: float, size: tuple[int, int]) -> None:
        """Begin to read the canvas, in that size, without waiting for it; `fetch_shot` gives it."""
        self.catch_up()
        target = self._bytes
        if size != self.size:
            target = self._shot_target = sized(self._context, self._shot_target, size, "f1")
        self._draw("screen", target, canvas=self._shown.texture)
        self._readback.begin(target, now)

    @property
    def shot_pending(self) -> bool:
        """Whether a shot was begun and not fetched; needs no context."""
        return self._readback.pending

    def fetch_shot(self) -> Shot | None:
        """The canvas of the last `begin_shot`, or None where there was none."""
        return self._readback.fetch()

    def _read_through(self, target: Target) -> np.ndarray:
        self.catch_up()
        self._draw("screen", target, canvas=self._shown.texture)
        width, height = target.texture.size
        data = target.framebuffer.read(components=3, alignment=1)
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def _draw(self, name: str, target: Target, **uniforms: object) -> None:
        self._passes.draw(name, target.framebuffer, False, **uniforms)
