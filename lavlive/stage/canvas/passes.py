"""lavlive's own passes: programs from `shaders/`, and textures that they draw into."""

from __future__ import annotations

import moderngl

from lavlive.stage.canvas.shader_text import shader_text


class Target:
    """A texture that can be drawn into."""

    def __init__(self, context: moderngl.Context, size: tuple[int, int], dtype: str = "f2") -> None:
        self.texture = context.texture(size, 4, dtype=dtype)
        self.texture.repeat_x = self.texture.repeat_y = False
        self.texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self.framebuffer = context.framebuffer([self.texture])
        self.framebuffer.clear(0.0, 0.0, 0.0, 1.0)

    def release(self) -> None:
        """Let go of the memory."""
        self.framebuffer.release()
        self.texture.release()


def sized(
    context: moderngl.Context, target: Target | None, size: tuple[int, int], dtype: str = "f2"
) -> Target:
    """The target if it has that size, else a new one in its place."""
    if target is not None and target.texture.size == size:
        return target
    if target is not None:
        target.release()
    return Target(context, size, dtype)


class Passes:
    """Draws by name, in a context that is current; programs are compiled when they are first needed."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._known: dict[str, tuple[moderngl.Program, moderngl.VertexArray]] = {}

    def draw(
        self, name: str, framebuffer: moderngl.Framebuffer, upright: bool = False, **uniforms: object
    ) -> None:
        """Draw all of a framebuffer.

        Args:
            upright: turn the picture over: from textures whose first row is on top to a screen, or back.
            uniforms: the shader's variables; textures are bound.
        """
        program, triangle = self._pass(name)
        framebuffer.use()
        program["upright"] = float(upright)
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
        if name not in self._known:
            program = self._context.program(
                vertex_shader=shader_text("present.vert"), fragment_shader=shader_text(f"{name}.frag")
            )
            self._known[name] = program, self._context.vertex_array(program, [])
        return self._known[name]
