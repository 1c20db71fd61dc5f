"""Checks what comes from outside against a dataclass: files of the user's, and messages between processes.

A field's limits stand beside it as data, and with them the line that a user reads when they are broken:

    key: Annotated[int, Meta(ge=0, le=9, description="key is a number from 0 to 9.")] | None = None
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

T = TypeVar("T")
_AT = re.compile(r"^(?P<reason>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field.

    Attributes:
        key: the field, with dots inside tables and lists: ``source.name``, ``channels.0``.
        reason: one line, that names the field.
    """

    key: str
    reason: str


class FieldError(ValueError):
    """A field is missing, unknown, of the wrong type or outside its limits; `key` names it."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.key = fault.key


def read_as(kind: type[T], content: object) -> T:
    """Plain values, as from JSON or TOML, as a dataclass.

    Raises:
        FieldError: they do not fit; it names the first field that does not.
    """
    values, faults = read_fields(kind, content)
    if faults:
        raise FieldError(faults[0])
    try:
        return kind(**values)
    except ValueError as error:
        raise FieldError(Fault("", f"{error}")) from None


def read_fields(kind: type, content: object) -> tuple[dict[str, Any], list[Fault]]:
    """Those fields of a dataclass that fit, by name, and what is wrong with the others."""
    if not isinstance(content, Mapping):
        return {}, [Fault("", f"expected a table with {', '.join(_hints(kind))}, not {_shown(content)}.")]
    known = {field.name: field for field in fields(kind)}
    faults = [
        Fault(str(key), f"{key!r} is unknown; there are {', '.join(known)}.")
        for key in content
        if key not in known
    ]
    values: dict[str, Any] = {}
    for name, hint in _hints(kind).items():
        if name not in content:
            if _required(known[name]):
                faults.append(Fault(name, _described(hint) or f"{name} is missing."))
            continue
        try:
            values[name] = msgspec.convert(content[name], hint)
        except msgspec.ValidationError as error:
            faults.append(_fault(name, hint, content[name], str(error)))
    return values, faults


def plain(value: object) -> Any:
    """A dataclass as dicts, lists, text and numbers, as `read_as` takes it."""
    return msgspec.to_builtins(value)


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


def _fault(name: str, hint: object, value: Any, told: str) -> Fault:
    match = _AT.match(told)
    assert match is not None
    inside = re.findall(r"\w+", match["path"] or "")
    for part in inside:
        value = value[int(part)] if isinstance(value, list | tuple) else value
    key = ".".join([name, *inside])
    reason = match["reason"].partition(", got ")[0].replace("`", "")
    text = _described(hint) or f"{key} is {_shown(value)}; {reason[:1].lower()}{reason[1:]}."
    return Fault(key, text)


def _described(hint: object) -> str | None:
    """The line beside a field that says what it takes, wherever in its type it stands."""
    for part in _parts(hint):
        if isinstance(part, msgspec.Meta) and part.description:
            return part.description
    return None


def _parts(hint: object) -> Iterable[object]:
    yield hint
    for inner in (*get_args(hint), *getattr(hint, "__metadata__", ())):
        yield from _parts(inner)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
