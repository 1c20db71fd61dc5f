"""Tries every ISF file of a folder: how many are read, compile, and draw something that is not one colour.

    python tools/isf_collection.py FOLDER [--frames 30] [--size 160x90] [--sample 300] [--pictures FOLDER]

Filters get a picture like a photograph, generators 30 frames with sound. What draws one colour with the
inputs as its author left them is drawn once more eight times as large, for those that count in pixels, and
then with every input moved over its range and the picture's alpha with them: some draw nothing before a note
is played or a point is moved. Every file is drawn in a process that is ended when it takes too long. What
fails is listed with its cause, in groups at the end. OpenGL comes from EGL.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil

from lavlive.errors import ShaderError
from lavlive.parameters import Parameter, Value
from lavlive.stage.canvas.isf.document import Document, read_document

PATIENCE_SECONDS = 60.0
"""Of the processor, not of the clock: a busy machine makes no shader slow."""
STAGES = (
    "no ISF",
    "refused",
    "does not compile",
    "draws one colour",
    "takes too long",
    "draws when large",
    "draws when moved",
    "draws",
)

_LARGER, _FEW = 8, 3


def test_picture(width: int, height: int) -> np.ndarray:
    """Something like a photograph, uint8 [H, W, 4]: light and shade, edges, colours, grain."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    rng = np.random.default_rng(1)
    sky = np.stack([0.3 + 0.5 * y, 0.45 + 0.3 * y, 0.9 - 0.4 * y], axis=-1)
    hills = (y > 0.6 + 0.12 * np.sin(9 * x) + 0.05 * np.sin(23 * x))[..., None]
    ground = np.stack([0.2 + 0.3 * x, 0.35 + 0.2 * np.sin(30 * x * y), 0.1 + 0.1 * x], axis=-1)
    disc = (np.hypot((x - 0.35) * 1.6, y - 0.35) < 0.18)[..., None]
    picture = np.where(hills, ground, sky)
    picture = np.where(disc, np.stack([0.95 - 0.3 * x, 0.8 - 0.3 * y, 0.6 + 0 * x], axis=-1), picture)
    picture = picture + rng.normal(0, 0.02, picture.shape)
    return np.dstack([np.rint(255 * np.clip(picture, 0, 1)), np.full((height, width), 255)]).astype(np.uint8)


def draw(
    document: Document, size: tuple[int, int], frames: int, moved: bool = False
) -> tuple[np.ndarray, str]:
    """The last of some frames, uint8 [H, W, 4], first row on top, and the OpenGL error or "GL_NO_ERROR".

    With `moved`, every input wanders over its range, switches are on by turns, and the picture has holes.
    """
    import moderngl

    from lavlive.stage.canvas.isf.shader import Frame, Shader
    from lavlive.stage.canvas.isf.sound import SoundView

    context = moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]  # as its page says
    picture = test_picture(*size)
    if moved:
        picture[..., 3] = np.linspace(0, 255, size[0]).astype(np.uint8)
    source = context.texture(size, 4, np.ascontiguousarray(picture[::-1]).tobytes())
    other = context.texture(size, 4, np.ascontiguousarray(picture[::-1, ::-1]).tobytes())
    shader = Shader(context, document)
    table: dict[str, Parameter] = {p.name: p for p in document.parameters("fx")}
    sound = SoundView()
    rng = np.random.default_rng(0)
    texture = source
    for index in range(frames):
        time = index / 30
        tone = 0.4 * np.sin(2 * np.pi * 220 * (time + np.arange(1600) / 48000))
        sound.take((tone + 0.2 * rng.normal(size=1600)).astype(np.float32)[:, None], 48_000)
        sound.step(1 / 30)

        def value_of(name: str, frame: int = index) -> Value:
            parameter = table[f"fx.{name}"]
            if name == "progress":
                return frame / frames
            if not parameter.saved:
                return frame in (1, 15)
            if not moved:
                return parameter.default
            place = sum(map(ord, name))
            return parameter.from_unit(0.5 + 0.45 * math.sin(0.13 * (frame - frames + 1) + 1.0 + place))

        # It moves a little, for shaders that look for motion.
        source.write(np.ascontiguousarray(np.roll(picture[::-1], 2 * index, axis=1)).tobytes())
        images = {name: source if place == 0 else other for place, name in enumerate(document.images)}
        texture = shader.draw(
            Frame(size, time, 1 / 30, index, (2026.0, 1.0, 1.0, 43200.0 + time), value_of, images, sound)
        )
    context.finish()
    target = context.framebuffer([context.texture(texture.size, 4)])
    copied = context.program(
        vertex_shader="#version 330 core\nout vec2 at;void main(){at=vec2(gl_VertexID&1,gl_VertexID>>1);"
        "gl_Position=vec4(at*2.0-1.0,0.0,1.0);}",
        fragment_shader="#version 330 core\nin vec2 at;out vec4 colour;uniform sampler2D shown;"
        "void main(){colour=texture(shown,at);}",
    )
    target.use()
    texture.use(0)
    context.vertex_array(copied, []).render(moderngl.TRIANGLE_STRIP, vertices=4)
    pixels = np.frombuffer(target.read(components=4), np.uint8).reshape(texture.height, texture.width, 4)
    return pixels[::-1].copy(), context.error


def judged(path: Path, size: tuple[int, int], frames: int) -> tuple[str, str, np.ndarray | None]:
    """The stage at which a file ended, why, and its picture."""
    try:
        document = read_document(path)
    except ShaderError as error:
        text = str(error)
        return ("no ISF" if "there is no ISF header" in text else "refused"), text, None
    notes = "; ".join(document.notes)
    for stage in ("draws", "draws when large", "draws when moved"):
        large = stage == "draws when large"
        shape, count = ((size[0] * _LARGER, size[1] * _LARGER), _FEW) if large else (size, frames)
        try:
            pixels, problem = draw(document, shape, count, moved=stage == "draws when moved")
        except ShaderError as error:
            return "does not compile", str(error), None
        if problem != "GL_NO_ERROR":
            return "does not compile", f"{path.name}: {problem}", pixels
        if np.ptp(pixels.reshape(-1, 4).astype(int), axis=0).max() > 2:
            return stage, notes, pixels
    colour = tuple(int(v) for v in pixels[0, 0])
    return "draws one colour", f"{path.name}: {document.kind.value}, all {colour}; {notes}", pixels


def cause(reason: str) -> str:
    """A reason without what is particular to its file, so that alike ones can be counted."""
    text = reason.partition(": ")[2] or reason
    text = re.sub(r"all \(.*", "one colour", text)
    return re.sub(r"[`'\"][^`'\"]*[`'\"]|line \d+: |\d+", "…", text).strip("… ")[:90]


def _work(pipe: Connection, size: tuple[int, int], frames: int) -> None:
    while True:
        pipe.send(judged(Path(pipe.recv()), size, frames))


def _answers(pid: int | None, pipe: Connection) -> bool:
    """Whether a process answers before it has worked for `PATIENCE_SECONDS`."""
    work = psutil.Process(pid)
    until = sum(work.cpu_times()[:2]) + PATIENCE_SECONDS
    while not pipe.poll(0.5):
        if not work.is_running() or sum(work.cpu_times()[:2]) > until:
            return bool(pipe.poll(0))
    return True


def results(
    paths: list[Path], size: tuple[int, int], frames: int
) -> Iterator[tuple[Path, str, str, np.ndarray | None]]:
    """Each file with how it ended; a process that hangs is ended and another goes on."""
    spawn = multiprocessing.get_context("spawn")
    process, pipe = None, None
    for path in paths:
        if process is None or pipe is None:
            pipe, far = spawn.Pipe()
            process = spawn.Process(target=_work, args=(far, size, frames), daemon=True)
            process.start()
        pipe.send(str(path))
        try:
            if _answers(process.pid, pipe):
                yield path, *pipe.recv()
                continue
            reason = (
                f"{path.name}: more than {PATIENCE_SECONDS:g} s for {frames} frames of {size[0]}x{size[1]}"
            )
        except EOFError:
            reason = f"{path.name}: the driver ended the process"
        process.kill()
        process.join()
        process, pipe = None, None
        yield path, "takes too long", reason, None
    if process is not None:
        process.kill()
        process.join()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--size", default="160x90")
    parser.add_argument("--sample", type=int, help="so many files, chosen by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=Path, help="keep every picture here, as PNG")
    options = parser.parse_args()
    width, _, height = options.size.partition("x")
    paths = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in (".fs", ".isf", ".frag"))
    if options.sample is not None:
        paths = sorted(random.Random(options.seed).sample(paths, min(options.sample, len(paths))))
    began = datetime.now()
    counts: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for path, stage, reason, pixels in results(paths, (int(width), int(height)), options.frames):
        counts[stage] += 1
        if not stage.startswith("draws") or stage == "draws one colour":
            causes[f"{stage}: {cause(reason)}"] += 1
        if stage != "draws":
            print(f"{stage:17} {path.relative_to(options.folder)}: {reason}", flush=True)
        if pixels is not None and options.pictures is not None:
            from PIL import Image

            options.pictures.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[..., :3]).save(options.pictures / f"{path.stem}.png")
    print(f"\n{len(paths)} files, {(datetime.now() - began).total_seconds():.0f} s")
    for stage in STAGES:
        print(f"  {stage:17} {counts[stage]:5}")
    for text, count in causes.most_common():
        print(f"  {count:5}  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
