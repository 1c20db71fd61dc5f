"""The command line: what is typed becomes options of `lavlive.commands.options`, here and nowhere else.

Defaults stand in the dataclasses alone: of what was not typed, argparse keeps nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lavlive import __version__
from lavlive.commands.arguments.films import add_farm, add_render
from lavlive.commands.arguments.measuring import add_bench, add_study
from lavlive.commands.arguments.models import add_model
from lavlive.commands.arguments.parsing import command
from lavlive.commands.arguments.show import add_live, add_node, conduct, live
from lavlive.commands.options import AnyOptions, DevicesOptions, OutputsOptions

_OF_NO_COMMAND = ("-h", "--help", "--version")


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed.

    Attributes:
        debug: whether tracebacks are wanted.
        options: makes the command's options; raises LavliveError for a value that it cannot have.
    """

    debug: bool
    options: Callable[[], AnyOptions]


def parse(arguments: Sequence[str]) -> Typed:
    """Read a command line; ends the process, as argparse does, with help or where an option is unknown."""
    parser = _parser()
    first = next((each for each in arguments if each != "--debug"), None)
    if first is None or (first.startswith("-") and first not in _OF_NO_COMMAND):
        arguments = ["live", *arguments]  # without a command: the show
    typed = parser.parse_args(arguments)
    make: Callable[[dict[str, Any]], AnyOptions] = typed.make
    return Typed("debug" in typed, lambda: make(vars(typed)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lavlive",
        description="StyleGAN2 pictures that follow sound, live. Without a command: live, with its options.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action="version", version=f"lavlive {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and what the engine prints")
    commands = parser.add_subparsers(metavar="COMMAND")
    add_live(command(commands, "live", "the show: sound in, pictures out", live))
    add_live(command(commands, "conduct", "the show, and it tells other machines what to show", conduct))
    add_node(commands)
    add_render(commands)
    add_farm(commands)
    command(
        commands,
        "devices",
        "audio inputs, loopbacks, MIDI ports, monitors, compute devices",
        lambda typed: DevicesOptions(),
    )
    command(
        commands,
        "outputs",
        "streams, other programs and recordings that this machine can do",
        lambda typed: OutputsOptions(),
    )
    add_model(commands)
    add_bench(commands)
    add_study(commands)
    return parser
