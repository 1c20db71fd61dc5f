"""An ISF file compiled: a program for each pass, or one for all, and a compiler's words in one line."""

from __future__ import annotations

import contextlib
import re

import moderngl

from lavlive.errors import ShaderError
from lavlive.stage.canvas.isf.document import Document
from lavlive.stage.canvas.isf.glsl import fragment_source, vertex_source

_MESSAGE = re.compile(
    r"(?:ERROR:\s*)?\d+[:(](\d+)\)?(?:\(\d+\))?\s*:\s*(?:error\s*)?(?:C\d+)?:?\s*(.+)", re.IGNORECASE
)
_MOST_PROGRAMS = 8
"""Files with more passes have one program for all of them, so that compiling does not take for ever."""
_LET_PASS = (
    "onst",
    "wrong type",
    "return type",
    "convert",
    "redef",
    "redecl",
    "Redef",
    "matching",
    "overloaded",
)
"""In what compilers say of code that older ones took."""


class Program:
    """One pass's program, or that of all of them, with what it can be told."""

    def __init__(self, context: moderngl.Context, program: moderngl.Program) -> None:
        self._program = program
        self._quad = context.vertex_array(program, [])
        members = ((name, program[name]) for name in program)
        self._uniforms = {name: member for name, member in members if isinstance(member, moderngl.Uniform)}

    def set(self, name: str, value: object) -> None:
        """Set a uniform, if the program uses it."""
        member = self._uniforms.get(name)
        if member is not None:
            member.value = value

    def bind(self, name: str, texture: moderngl.Texture | moderngl.TextureCube, unit: int) -> int:
        """Have a sampler read a texture through a unit, if the program uses it; the next free unit."""
        member = self._uniforms.get(name)
        if member is None:
            return unit
        texture.use(unit)
        member.value = unit
        return unit + 1

    def draw(self) -> None:
        """Draw every pixel of the framebuffer in use."""
        self._quad.render(moderngl.TRIANGLE_STRIP, vertices=4)

    def release(self) -> None:
        """Let go of the memory."""
        self._quad.release()
        self._program.release()


def programs_of(context: moderngl.Context, document: Document) -> list[Program]:
    """A program for each pass, so that none computes what another draws; or one for all.

    A processor that draws takes both sides of every branch, and a card keeps registers for them.

    Raises:
        ShaderError: it does not compile; the message gives file, line and the compiler's words.
    """
    count = len(document.passes)
    if 1 < count <= _MOST_PROGRAMS and "PASSINDEX" in document.fragment:
        made: list[Program] = []
        try:
            made.extend(Program(context, _compile(context, document, number)) for number in range(count))
            return made
        except ShaderError:  # such as a division by the constant that it is then
            for program in made:
                program.release()
    return [Program(context, _compile(context, document))]


def _compile(context: moderngl.Context, document: Document, number: int | None = None) -> moderngl.Program:
    try:
        return context.program(
            vertex_shader=vertex_source(document, number=number),
            fragment_shader=fragment_source(document, number=number),
        )
    except Exception as error:  # moderngl has no narrower one
        problem = str(error)
    if any(words in problem for words in _LET_PASS):
        version = 420 if context.version_code >= 420 else 330
        with contextlib.suppress(Exception):  # the first message says what the author wrote
            return context.program(
                vertex_shader=vertex_source(document, version, number),
                fragment_shader=fragment_source(document, relaxed=True, version=version, number=number),
            )
    raise ShaderError(f"{document.path.name}: {compiler_message(problem)}")


def compiler_message(log: str) -> str:
    """The first fault in what a driver's compiler says, as ``line N: reason``."""
    for line in log.splitlines():
        if "warning" in line.lower():
            continue
        found = _MESSAGE.search(line)
        if found:
            return f"line {found[1]}: {found[2].strip()}"
    words = [line.strip() for line in log.splitlines() if line.strip(" =\t")]
    return words[-1] if words else "the compiler gives no reason."
