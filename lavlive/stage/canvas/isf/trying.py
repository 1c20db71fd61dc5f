"""The process in which shaders are tried: python -m lavlive.stage.canvas.isf.trying

It reads pickled `Task` from its input, one after another, compiles each shader and draws two frames, and
prints a line of JSON for each: ``{"error": null or "one line"}``. What a stranger's shader does to a driver,
it does here. The driver's cache of compiled shaders is what the show has from it: the same program, drawn in
the same kind of textures, then costs the show a few milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, TextIO

import moderngl

from lavlive.errors import DisplayError, ShaderError
from lavlive.parameters import Parameter, Value
from lavlive.stage.canvas.isf.document import Document
from lavlive.stage.canvas.isf.shader import Frame, Shader, Surface
from lavlive.stage.canvas.isf.sound import SoundView
from lavlive.stage.canvas.offscreen import offscreen_context

_FRAMES = 2
"""The second one has buffers that live on."""
_ROUNDS = 2
"""Mesa compiles a program from its cache once more when that is first drawn, and keeps the result."""
_PATIENT = 10
"""Added to the niceness: sound and pictures come first."""


@dataclass(frozen=True, slots=True)
class Task:
    """A shader to try on a canvas of that size."""

    document: Document
    size: tuple[int, int]


def try_shader(context: moderngl.Context, task: Task, rest: Surface) -> None:
    """Compile and draw; `rest` is drawn into afterwards, when the shader's own surfaces are gone.

    Raises:
        ShaderError: it cannot be used.
    """
    picture = Surface(context, task.size)
    shader = None
    try:
        shader = Shader(context, task.document)
        values = _values(shader.document.parameters("try"))
        images = dict.fromkeys(shader.document.images, picture.texture)
        for index in range(_FRAMES):
            shader.draw(
                Frame(task.size, index / 30, 1 / 30, index, (2026, 1, 1, 0), values, images, SoundView())
            )
        context.finish()
    finally:
        rest.framebuffer.use()
        if shader is not None:
            shader.release()
        picture.release()
    if context.error != "GL_NO_ERROR":
        raise ShaderError(f"{task.document.path.name}: the graphics driver does not take it.")


def _values(rows: list[Parameter]) -> Callable[[str], Value]:
    known = {row.name.removeprefix("try."): row.default for row in rows}
    return known.__getitem__


def work(tasks: BinaryIO, answers: TextIO) -> None:
    """Try what comes until the input ends."""
    context = rest = None  # without OpenGL nothing can be tried, and nothing is held against a shader
    with contextlib.suppress(DisplayError):
        context = offscreen_context()
        rest = Surface(context, (1, 1))
    while True:
        try:
            task = pickle.load(tasks)
        except EOFError:
            return
        error = None
        if context is not None and rest is not None:
            try:
                for _ in range(_ROUNDS):
                    try_shader(context, task, rest)
            except ShaderError as refused:
                error = str(refused)
        print(json.dumps({"error": error}), file=answers, flush=True)


def main() -> None:
    """The process."""
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(_PATIENT)
    # What a driver prints must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    work(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
