"""TOML files of the user's: read with the line of every fault, written whole or not at all."""

from __future__ import annotations

import errno
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import tomli_w

from lavlive.errors import LavliveError
from lavlive.files import read_whole, write_whole
from lavlive.parameters import Parameter, Value

_LARGEST = 256 * 1024
_AT_LINE = re.compile(r"^(?P<reason>.*?) \(at line (?P<line>\d+), column \d+\)$", re.DOTALL)
_TABLE = re.compile(r"^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_WORD = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEY = re.compile(rf"^\s*({_WORD}(?:\s*\.\s*{_WORD})*)\s*=")
_PART = re.compile(_WORD)


@dataclass(frozen=True)
class TomlFile:
    """A file that was read: its tables, and where in the text each key stands.

    `held` fills with a line for each value that was out of range.
    """

    path: Path
    text: str
    content: dict[str, object]
    error: type[LavliveError]
    held: list[str] = field(default_factory=list)

    def fault(self, key: str, reason: str) -> LavliveError:
        """The error to raise about a dotted key, with file and line.

        A key inside the n-th of several equal tables (``[[binding]]``) is written ``binding.n.key``.
        """
        return self.error(f"{self.path}, line {line_of(self.text, key)}: {reason}")

    def hold(self, key: str, parameter: Parameter, value: object) -> Value:
        """A parameter's value at a dotted key, held inside the range, which `held` then tells.

        Raises:
            ParameterError: of another type, or not finite.
        """
        nearest, out = parameter.hold(value)
        if out:
            unit = f" {parameter.unit}" if parameter.unit else ""
            self.held.append(
                f"{self.path}, line {line_of(self.text, key)}: {parameter.name} takes {parameter.low:g} to "
                f"{parameter.high:g}{unit}; {value} is held at {nearest:g}."
            )
        return nearest


def read_toml(path: Path, error: type[LavliveError]) -> TomlFile:
    """Read a TOML file of at most 256 KiB.

    Raises:
        error: it cannot be read or is not TOML; the message gives file, line and reason.
    """
    try:
        data = read_whole(path, _LARGEST)
    except OSError as reason:
        place = f"{path}, line 1:" if reason.errno == errno.EFBIG else f"{path} cannot be read:"
        raise error(f"{place} {reason.strerror or reason}.") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as reason:
        line = data[: reason.start].count(b"\n") + 1
        raise error(f"{path}, line {line}: not UTF-8 text.") from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as reason:
        found = _AT_LINE.match(str(reason))
        line = int(found["line"]) if found else text.rstrip("\n").count("\n") + 1
        detail = found["reason"] if found else str(reason).removesuffix(" (at end of document)")
        raise error(f"{path}, line {line}: {detail}.") from None
    except (RecursionError, ValueError) as reason:
        raise error(f"{path}, line 1: {reason}.") from None
    return TomlFile(path, text, content, error)


def line_of(text: str, key: str) -> int:
    """The line, from 1, on which a dotted key or table stands; else of its nearest parent; else 1."""
    best_line, best_depth = 1, 0
    wanted = _parts(key)
    table: list[str] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = _opened(_parts(header[2]), header[1] == "[[", counts)
            found = table
        elif assigned := _KEY.match(line):
            found = table + _parts(assigned[1])
        else:
            continue
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, wanted, strict=False)))
        if shared > best_depth:
            best_line, best_depth = number, shared
    return best_line


def _opened(name: list[str], is_new: bool, counts: dict[str, int]) -> list[str]:
    """A table's header as a dotted key, with the numbers of those of several equal tables that it lies in."""
    key = ".".join(name)
    if is_new:
        counts[key] = counts.get(key, -1) + 1
        for inner in [each for each in counts if each.startswith(f"{key}.")]:
            del counts[inner]  # they count anew in each
    found: list[str] = []
    for depth, part in enumerate(name, start=1):
        found.append(part)
        outer = ".".join(name[:depth])
        if outer in counts:
            found.append(str(counts[outer]))
    return found


def flatten(table: Mapping[str, object]) -> dict[str, object]:
    """Nested tables as dotted names: ``{"mapper": {"y": 1}}`` becomes ``{"mapper.y": 1}``."""
    flat: dict[str, object] = {}
    waiting: list[tuple[str, object]] = [("", table)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{name}.{key}" if name else key, inner) for key, inner in value.items()]
        else:
            flat[name] = value
    return flat


def write_toml(path: Path, content: Mapping[str, object], error: type[LavliveError]) -> None:
    """Write a TOML file whole, or leave the old one as it was.

    Raises:
        error: the folder cannot be written to.
    """
    try:
        write_whole(path, tomli_w.dumps(content).encode("utf-8"))
    except OSError as reason:
        raise error(f"{path} cannot be written: {reason.strerror or reason}.") from None


def _parts(key: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(key)]
