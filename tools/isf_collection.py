"""Tries every ISF file of a folder: how many are read, compile, and draw something that is not one colour.

    python -m tools.isf_collection FOLDER [--frames 30] [--size 160x90] [--pictures FOLDER] [--keep FILE]

    --sample 300      so many files, by chance under --seed
    --valid 300       files by chance under --seed until so many of them are valid

Filters get a picture like a photograph, generators 30 frames with sound. What draws one colour with the
inputs as its author left them is drawn once more eight times as large, for those that count in pixels, and
then with every input moved over its range and the picture's alpha with them: some draw nothing before a note
is played or a point is moved. Every file is drawn in a process that is ended when it takes too long; what
does is drawn once more a quarter as large, with six times the patience. What fails is listed with its cause,
in groups at the end. With --valid, what is refused or does not compile is judged by `tools.isf_valid`; what
has a fault of its own there is named and not counted. With --keep, results are kept in a file, and files that
are in it already are not tried again. OpenGL comes from EGL.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import random
import re
import sys
from collections import Counter
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

import numpy as np
import psutil
from PIL import Image

from lavlive.errors import ShaderError
from lavlive.parameters import Parameter, Value
from lavlive.stage.canvas.isf.document import ENDINGS, Document, read_document
from tools.isf_valid import fault
from tools.typed import size

PATIENCE_SECONDS = 60.0
"""Of the processor, not of the clock: a busy machine makes no shader slow."""
INVALID = "has a fault"
"""Of its own: see `tools.isf_valid`."""
ENDS = (
    INVALID,
    "no ISF",
    "refused",
    "does not compile",
    "draws one colour",
    "takes too long",
)
STAGES = (*ENDS, "draws when small", "draws when large", "draws when moved", "draws")

_LARGER, _FEW = 8, 3
_SMALLER, _LONGER = 2, 6


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
    from lavlive.stage.canvas.offscreen import offscreen_context

    context = offscreen_context()
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


def _work(pipe: Connection) -> None:
    while True:
        path, size, frames = pipe.recv()
        pipe.send(judged(Path(path), size, frames))


def _answers(pid: int | None, pipe: Connection, seconds: float) -> bool:
    """Whether a process answers before it has worked for so many seconds."""
    work = psutil.Process(pid)
    until = sum(work.cpu_times()[:2]) + seconds
    while not pipe.poll(0.5):
        if not work.is_running() or sum(work.cpu_times()[:2]) > until:
            return bool(pipe.poll(0))
    return True


class Trying:
    """Tries files, each in a process that is ended when it hangs; a context manager."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def result(self, path: Path, size: tuple[int, int], frames: int) -> tuple[str, str, np.ndarray | None]:
        """How a file ended, why, and its picture; what takes too long is drawn once more, smaller."""
        found = self._once(path, size, frames, PATIENCE_SECONDS)
        if found[0] != "takes too long":
            return found
        small = size[0] // _SMALLER, size[1] // _SMALLER
        again = self._once(path, small, min(frames, 10), PATIENCE_SECONDS * _LONGER)
        return ("draws when small", found[1], again[2]) if again[0] == "draws" else again

    def _once(
        self, path: Path, size: tuple[int, int], frames: int, seconds: float
    ) -> tuple[str, str, np.ndarray | None]:
        if self._process is None or self._pipe is None:
            spawn = multiprocessing.get_context("spawn")
            self._pipe, far = spawn.Pipe()
            process = spawn.Process(target=_work, args=(far,), daemon=True)
            process.start()
            far.close()
            self._process = process
        self._pipe.send((str(path), size, frames))
        try:
            if _answers(self._process.pid, self._pipe, seconds):
                return self._pipe.recv()
            why = f"{path.name}: more than {seconds:g} s for {frames} frames of {size[0]}x{size[1]}"
        except EOFError:
            why = f"{path.name}: the driver ended the process"
        self._end()
        return "takes too long", why, None

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


class Kept:
    """Results from before, by path below the folder: a line of JSON each."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, list[str]] = {}
        if file is not None and file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                name, *rest = json.loads(line)
                self._known[name] = rest

    def find(self, name: str) -> tuple[str, str] | None:
        """Stage and reason, or None."""
        known = self._known.get(name)
        return None if known is None else (known[0], known[1])

    def add(self, name: str, stage: str, reason: str) -> None:
        """Keep one more."""
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, stage, reason]) + "\n")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--size", type=size, default="160x90")
    parser.add_argument("--sample", type=int, help="so many files, chosen by --seed")
    parser.add_argument("--valid", type=int, help="files chosen by --seed until so many are valid")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=Path, help="keep every picture here, as PNG")
    parser.add_argument("--keep", type=Path, help="keep results here, and go on from them")
    options = parser.parse_args()
    paths = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in ENDINGS)
    if options.valid is not None:
        random.Random(options.seed).shuffle(paths)
    elif options.sample is not None:
        paths = sorted(random.Random(options.seed).sample(paths, min(options.sample, len(paths))))
    began = datetime.now()
    counts: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    kept = Kept(options.keep)
    tried = 0
    with Trying() as trying:
        for path in paths:
            if options.valid is not None and tried - counts[INVALID] >= options.valid:
                break
            tried += 1
            name = str(path.relative_to(options.folder))
            known = kept.find(name)
            if known is not None:
                stage, reason = known
            else:
                stage, reason, pixels = trying.result(path, options.size, options.frames)
                kept.add(name, stage, reason)
                if pixels is not None and options.pictures is not None:
                    options.pictures.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(pixels[..., :3]).save(options.pictures / f"{path.stem}.png")
            if options.valid is not None and stage in ("no ISF", "refused", "does not compile"):
                own = fault(path)
                if own is not None:
                    stage, reason = INVALID, f"{path.name}: {own}"
            counts[stage] += 1
            if stage in ENDS:
                causes[f"{stage}: {cause(reason)}"] += 1
            if stage != "draws":
                print(f"{stage:17} {name}: {reason}", flush=True)
    print(f"\n{tried} files, {(datetime.now() - began).total_seconds():.0f} s")
    for stage in STAGES:
        print(f"  {stage:17} {counts[stage]:5}")
    for text, count in causes.most_common():
        print(f"  {count:5}  {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
