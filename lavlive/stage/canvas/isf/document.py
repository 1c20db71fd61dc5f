"""An ISF file, read and checked: what it wants and what it draws in how many passes. No OpenGL here."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lavlive.errors import ShaderError
from lavlive.files import shown
from lavlive.parameters import Parameter
from lavlive.stage.canvas.isf.expressions import Expression, parse_expression
from lavlive.stage.canvas.isf.header import Json, read_header
from lavlive.stage.canvas.isf.inputs import Input, InputKind, number_of, read_input

ENDINGS = (".fs", ".isf", ".frag")
LARGEST_FILE = 1 << 20
LARGEST_SIDE = 8192
MOST_PASSES = 32
_FLAGS = ("true", "yes", "1")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)


class ShaderKind(Enum):
    """What a shader is for."""

    FILTER = "filter"
    GENERATOR = "generator"
    TRANSITION = "transition"


@dataclass(frozen=True, slots=True)
class Pass:
    """One drawing of all pixels.

    Attributes:
        target: the buffer that it draws into and that other passes read by this name, or None for the output.
        persistent: whether the buffer lives on to the next frame.
        is_float: whether it holds numbers beyond 0 to 1.
        width, height: of the buffer; None for the canvas's.
    """

    target: str | None = None
    persistent: bool = False
    is_float: bool = False
    width: Expression | None = None
    height: Expression | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """An image that a shader brings along: a file, or six for a cube; None for what is missing."""

    name: str
    paths: tuple[Path | None, ...]

    @property
    def is_cube(self) -> bool:
        """Whether the shader samples it by direction."""
        return len(self.paths) == 6


@dataclass(frozen=True)
class Document:
    """A shader's file.

    Attributes:
        name: the file's name without its ending.
        path: where it lies.
        kind: see `ShaderKind`.
        description, credit: the author's words.
        inputs: all that can be used, in the file's order.
        passes: at least one.
        imported: images from the shader's own folder.
        fragment: the GLSL below the header, with the file's line numbers.
        vertex: the GLSL of a vertex shader beside it, or None.
        notes: what was left out, a line each.
    """

    name: str
    path: Path
    kind: ShaderKind
    description: str
    credit: str
    inputs: tuple[Input, ...]
    passes: tuple[Pass, ...]
    imported: tuple[Imported, ...]
    fragment: str
    vertex: str | None
    notes: tuple[str, ...]

    def parameters(self, prefix: str) -> list[Parameter]:
        """The rows that its inputs add to the table, under ``prefix.``."""
        return [parameter for one in self.inputs for parameter in one.parameters(prefix)]

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images that it works on, the main one first."""
        return tuple(one.name for one in self.inputs if one.kind is InputKind.IMAGE)

    @property
    def hears(self) -> bool:
        """Whether it has sound as a texture."""
        return any(one.kind in (InputKind.AUDIO, InputKind.FFT) for one in self.inputs)


def read_document(path: Path) -> Document:
    """Read a shader's file.

    Raises:
        ShaderError: it cannot be used; the message begins with the file's name.
    """
    try:
        fragment = _read_text(path)
        vertex = _vertex_of(path)
        header, code = read_header(fragment)
        return _document(path, _upper(header), code, vertex)
    except ShaderError as error:
        raise ShaderError(f"{path.name}: {error}") from None


def _read_text(path: Path) -> str:
    try:
        if not path.is_file():
            raise ShaderError("it is not a file.")
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ShaderError(f"{size / 1e6:.1f} MB; a shader has at most {LARGEST_FILE / 1e6:.0f} MB.")
        data = path.read_bytes()
    except OSError as error:
        raise ShaderError(f"it cannot be read: {error.strerror or error}.") from None
    if b"\0" in data:
        raise ShaderError("it is not text.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _vertex_of(path: Path) -> str | None:
    for ending in (".vs", ".vert"):
        beside = path.with_suffix(ending)
        if beside.is_file():
            return _read_text(beside)
    return None


def _upper(table: Json | None) -> dict[str, Json]:
    return {str(key).upper(): value for key, value in table.items()} if isinstance(table, dict) else {}


def _document(path: Path, header: Mapping[str, Json], code: str, vertex: str | None) -> Document:
    notes: list[str] = []
    inputs = _inputs(header, notes)
    names = frozenset(one.name for one in inputs)
    passes = _passes(header, inputs)
    imported = _imported(header, path.parent, names, notes)
    images = {one.name for one in inputs if one.kind is InputKind.IMAGE}
    if {"startImage", "endImage"} <= images and "progress" in names:
        kind = ShaderKind.TRANSITION
    else:
        kind = ShaderKind.FILTER if "inputImage" in images else ShaderKind.GENERATOR
    description, credit = header.get("DESCRIPTION"), header.get("CREDIT")
    return Document(
        shown(path.stem),
        path,
        kind,
        description if isinstance(description, str) else "",
        credit if isinstance(credit, str) else "",
        tuple(inputs),
        tuple(passes),
        tuple(imported),
        code,
        vertex,
        tuple(f"{path.name}: {note}" for note in notes),
    )


def _entries(value: Json | None) -> list[dict[str, Json]]:
    """A list of tables, or a table of tables by name; keys in upper case."""
    if isinstance(value, dict):
        return [{"NAME": name, **_upper(table)} for name, table in value.items()]
    return [_upper(table) for table in value] if isinstance(value, list) else []


def _inputs(header: Mapping[str, Json], notes: list[str]) -> list[Input]:
    found: dict[str, Input] = {}
    for table in _entries(header.get("INPUTS")):
        try:
            one = read_input(table)
        except ShaderError as error:
            notes.append(str(error))
            continue
        if one.name in found:
            notes.append(f"the input {one.name} stands there twice; the first counts.")
        else:
            found[one.name] = one
    return list(found.values())


def _flag(value: Json | None) -> bool:
    return value.strip().lower() in _FLAGS if isinstance(value, str) else number_of(value, 0.0) >= 0.5


def _passes(header: Mapping[str, Json], inputs: list[Input]) -> list[Pass]:
    known = frozenset(
        ["WIDTH", "HEIGHT", "TIME", "FRAMEINDEX"]
        + [one.name for one in inputs if one.kind in (InputKind.FLOAT, InputKind.LONG, InputKind.BOOL)]
    )
    first_version = _persistent_buffers(header)
    passes = []
    for number, table in enumerate(_entries(header.get("PASSES")), start=1):
        written = table.get("TARGET")
        target = written.strip() if isinstance(written, str) and written.strip() else None
        if target is not None and not _IDENTIFIER.match(target):
            raise ShaderError(f"pass {number} has a target that no shader can read: {target[:40]!r}.")
        if target in first_version:
            table = {**first_version[target], **table}
        sides = [_side(table.get(key), key, number, known) for key in ("WIDTH", "HEIGHT")]
        passes.append(
            Pass(target, _flag(table.get("PERSISTENT")), _flag(table.get("FLOAT")), sides[0], sides[1])
        )
    if len(passes) > MOST_PASSES:
        raise ShaderError(f"{len(passes)} passes; {MOST_PASSES} are the most.")
    return passes or [Pass()]


def _persistent_buffers(header: Mapping[str, Json]) -> dict[str | None, dict[str, Json]]:
    """What version 1 of the format kept apart from the passes."""
    written = header.get("PERSISTENT_BUFFERS")
    if isinstance(written, list):
        return {name: {"PERSISTENT": True} for name in written if isinstance(name, str)}
    return {str(table["NAME"]): {"PERSISTENT": True, **table} for table in _entries(written)}


def _side(written: Json | None, key: str, number: int, known: frozenset[str]) -> Expression | None:
    if written is None or written == "":
        return None
    expression = parse_expression(written, known)
    if not expression.names:
        side = expression.at({})
        if not (math.isfinite(side) and 1 <= side <= LARGEST_SIDE):
            raise ShaderError(
                f"pass {number} has a {key.lower()} of {side:g}; it can be 1 to {LARGEST_SIDE} pixels."
            )
    return expression


def _imported(
    header: Mapping[str, Json], folder: Path, taken: frozenset[str], notes: list[str]
) -> list[Imported]:
    found: dict[str, Imported] = {}
    for table in _entries(header.get("IMPORTED")):
        name, written = table.get("NAME"), table.get("PATH")
        if not isinstance(name, str) or not _IDENTIFIER.match(name) or name in taken or name in found:
            notes.append(f"the imported image {str(name)[:40]!r} has a name that cannot be used.")
            continue
        cube = isinstance(written, list) and len(written) == 6
        texts = written if isinstance(written, list) and cube else [written]
        paths = tuple(_inside(folder, text, name, notes) for text in texts)
        found[name] = Imported(name, paths)
    return list(found.values())


def _inside(folder: Path, written: Json | None, name: str, notes: list[str]) -> Path | None:
    """A file of the shader's own folder; None, with a note, for anything else."""
    if not isinstance(written, str) or not written or "\0" in written:
        notes.append(f"the image {name} has no path; it is black.")
        return None
    own = Path(os.path.realpath(folder))
    path = Path(os.path.realpath(own / written))
    if not path.is_relative_to(own):
        notes.append(f"the image {name} lies outside the shader's folder; it is black.")
        return None
    if not path.is_file():
        notes.append(f"the image {name} ({written}) is missing; it is black.")
        return None
    return path
