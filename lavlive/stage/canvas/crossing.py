"""A transition between two looks: from what was seen, held, to what is drawn now, by an ISF transition.

`show.transition` says which; where it says ``dissolve``, presets morph and models cross-fade, and nothing is
drawn here.
"""

from __future__ import annotations

from collections.abc import Mapping

import moderngl

from lavlive.errors import ParameterError, ShaderError
from lavlive.parameters import DISSOLVE, TRANSITION, Value
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.isf.shader import OUTPUT_TYPE, Frame, Shader
from lavlive.stage.canvas.isf.sound import SoundTextures
from lavlive.stage.canvas.passes import Passes, Target, sized
from lavlive.stage.canvas.trials import Trials


class Crossing:
    """Draws in an OpenGL 3.3 context that is current in every call.

    Attributes:
        problem: why the transition that was chosen is not drawn, a line; None where it is.
    """

    def __init__(self, context: moderngl.Context, library: ShaderLibrary, passes: Passes) -> None:
        self._context = context
        self._library = library
        self._passes = passes
        self.problem: str | None = None
        self._shader: Shader | None = None
        self._known = (DISSOLVE, 0)
        self._defaults: dict[str, Value] = {}
        self._asked: float | None = None
        self._began: float | None = None
        self._seconds = 0.0
        self._start: Target | None = None
        self._mixed: Target | None = None
        self._frames = 0
        self._last = 0.0

    def ask(self, seconds: float) -> None:
        """Begin with the next drawing; one that is under way ends where it is."""
        self._asked = max(seconds, 0.0)

    def busy(self, now: float) -> bool:
        """Whether there is something to draw."""
        return bool(self._asked) or (self._began is not None and now < self._began + self._seconds)

    def follow(self, values: Mapping[str, Value], trials: Trials | None, size: tuple[int, int]) -> None:
        """Have what is chosen compiled, before it is needed."""
        try:
            name = str(values[TRANSITION])
        except ParameterError:  # a canvas whose shaders have not joined the table
            return
        version = self._library.version(name)
        if self._known == (name, version):
            return
        document = self._library.document(name)
        try:
            if document is not None and trials is not None:
                verdict = trials.verdict(name, version, document, size)
                if verdict is None:
                    return
                if verdict.error is not None:
                    raise ShaderError(verdict.error)
            made = Shader(self._context, document) if document is not None else None
            self.problem = None
        except ShaderError as error:
            self.problem, made = str(error), self._shader if self._known[0] == name else None
        if self._shader is not None and made is not self._shader:
            self._shader.release()
        self._shader, self._known = made, (name, version)
        rows = made.document.parameters("t") if made is not None else []
        self._defaults = {row.name.partition(".")[2]: row.default for row in rows}

    def draw(
        self,
        shown: moderngl.Texture,
        picture: moderngl.Texture,
        now: float,
        sound: SoundTextures | None = None,
    ) -> moderngl.Texture:
        """What is seen of a picture, its first row at the bottom.

        Args:
            shown: the canvas as it was last shown, its first row on top: where a transition begins from.
        """
        size = picture.size
        if self._asked is not None:
            self._begin(shown, size, now)
        assert self._began is not None
        assert self._start is not None
        progress = min(max((now - self._began) / max(self._seconds, 1e-6), 0.0), 1.0)
        if self._shader is None:
            return self._dissolved(picture, progress)
        elapsed, self._last = now - self._last, now
        images = dict.fromkeys(self._shader.document.images, picture)
        images["startImage"] = self._start.texture
        frame = Frame(
            size,
            now - self._began,
            min(max(elapsed, 0.0), 0.1),
            self._frames,
            (2026.0, 1.0, 1.0, 0.0),
            (self._defaults | {"progress": progress}).__getitem__,
            images,
            sound,
        )
        self._frames += 1
        return self._shader.draw(frame)

    def _begin(self, shown: moderngl.Texture, size: tuple[int, int], now: float) -> None:
        self._start = sized(self._context, self._start, size, OUTPUT_TYPE)
        self._passes.draw("rack_out", self._start.framebuffer, True, picture=shown, light=1.0)
        self._began = self._last = now
        self._seconds, self._asked, self._frames = self._asked or 0.0, None, 0

    def _dissolved(self, picture: moderngl.Texture, progress: float) -> moderngl.Texture:
        assert self._start is not None
        self._mixed = sized(self._context, self._mixed, picture.size, OUTPUT_TYPE)
        self._passes.draw(
            "rack_mix",
            self._mixed.framebuffer,
            below=self._start.texture,
            above=picture,
            amount=progress,
            blend=0,
            layer=True,
        )
        return self._mixed.texture

    def release(self) -> None:
        """Let go of shader and textures."""
        if self._shader is not None:
            self._shader.release()
        for target in (self._start, self._mixed):
            if target is not None:
                target.release()
