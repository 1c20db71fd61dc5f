"""How every command is parsed: defaults stand in the dataclasses alone, argparse keeps nothing untyped."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeAlias, TypeVar

from lavlive.commands.options import AnyOptions

Options = TypeVar("Options")
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
ENCODER = "FILE|bundled|encodec|…"
MODEL = "a bundled generator's name or a file; the first bundled one if not given"


def made(kind: Callable[..., Options], typed: dict[str, Any], **converted: Any) -> Options:
    """One of the dataclasses, of what was typed of its fields."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in typed.items() if name in names} | converted)


def command(
    commands: Commands,
    name: str,
    text: str,
    make: Callable[[dict[str, Any]], AnyOptions] | None,
) -> argparse.ArgumentParser:
    """Add a command that makes its options with `make`."""
    parser = commands.add_parser(name, help=text, description=text, argument_default=argparse.SUPPRESS)
    # The flag is allowed after the command as well.
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    if make is not None:
        parser.set_defaults(make=make)
    return parser
