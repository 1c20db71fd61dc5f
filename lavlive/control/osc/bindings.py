"""Which address of a touch surface's own moves what, and the file that keeps it.

Surfaces come with layouts whose addresses are theirs (``/1/fader1``). Any of them can be bound, by learn or
by hand in ``osc.toml`` in the configuration folder:

    schema = 1

    [[binding]]
    address = "/1/xy1"
    argument = 2                   # which of the message's values; left out: the first
    parameter = "mapper.y"         # or: action = "preset.recall 1"
    bottom = 0.0                   # what the surface sends at the ends of its travel
    top = 1.0
    low = 0.5                      # part of the range, in the parameter's unit
    high = 2.0
    invert = false
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lavlive.control.actions import Action
from lavlive.control.looks.toml_files import TomlFile, read_toml, write_toml
from lavlive.control.osc.packets import Argument, Special
from lavlive.control.osc.wishes import Refused, SetParameter, is_finite
from lavlive.control.targets import read_ends, read_target
from lavlive.control.travel import Curve, Travel
from lavlive.errors import ControlError, LavliveError

SCHEMA = 1
_LONGEST_ADDRESS = 128
_MOST_ARGUMENTS = 32


@dataclass(frozen=True)
class OscBinding(Travel):
    """One value of the messages to one address, bound to one parameter or one action.

    Attributes:
        address: exact.
        target: a parameter's name, or an `Action`.
        argument: which value of the message, from 1.
        bottom, top: what is sent at the ends of the control's travel; top is above bottom.
        invert, low, high: see `Travel`.
    """

    address: str
    target: str | Action
    argument: int = 1
    bottom: float = 0.0
    top: float = 1.0
    invert: bool = False
    low: float | None = None
    high: float | None = None
    curve: Curve = Curve.LINEAR

    def __str__(self) -> str:
        return self.address if self.argument == 1 else f"{self.address} value {self.argument}"

    def wish(self, arguments: Sequence[Argument]) -> SetParameter | Action | None:
        """What a message to the address asks for; None for the release of a button.

        Raises:
            Refused: the message has no such value, or it is no finite number.
        """
        number = number_of(arguments, self.argument)
        if number is None:
            raise Refused(f"{self.address} brings no number as its value {self.argument}")
        if isinstance(self.target, str) and self.parameter is None:
            raise Refused(f"no shader here has {self.target}")
        place = (min(max(number, self.bottom), self.top) - self.bottom) / (self.top - self.bottom)
        if isinstance(self.target, Action):
            return self.target if place >= 0.5 else None
        held = not self.bottom <= number <= self.top
        return SetParameter(self.target, self.value_at(place), held)

    def sent(self, travel: float) -> float:
        """What the surface would send with its control at that place of its travel, 0 to 1."""
        return self.bottom + min(max(travel, 0.0), 1.0) * (self.top - self.bottom)

    def to_table(self) -> dict[str, object]:
        """As a ``[[binding]]`` table; what is at its default is left out."""
        kind = "action" if isinstance(self.target, Action) else "parameter"
        table: dict[str, object] = {"address": self.address, kind: str(self.target)}
        plain = OscBinding(self.address, self.target)
        for key in ("argument", "bottom", "top", "invert", "low", "high"):
            if getattr(self, key) != getattr(plain, key):
                table[key] = getattr(self, key)
        return table


def number_of(arguments: Sequence[Argument], place: int) -> float | None:
    """The value at a place, from 1, as a number; a bare message and an impulse are a press, 1."""
    if not arguments and place == 1:
        return 1.0
    if place > len(arguments):
        return None
    match arguments[place - 1]:
        case Special.IMPULSE:
            return 1.0
        case int() | float() as number if is_finite(number):
            return float(min(max(number, -1e30), 1e30))
    return None


class OscBindings:
    """What the user's addresses are bound to; belongs to the main thread.

    Args:
        path: the file that keeps them; None keeps nothing.

    Attributes:
        refused: the error of a file that cannot be used, None when there is none. The next change puts it
            aside and begins a new one.
        held: a line for each value in the file that was out of range.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.refused: LavliveError | None = None
        self.held: tuple[str, ...] = ()
        self.bindings: tuple[OscBinding, ...] = ()
        if path is not None and path.exists():
            try:
                self.bindings, self.held = read_osc_bindings(path)
            except ControlError as reason:
                self.refused = reason

    def by_address(self) -> Mapping[str, tuple[OscBinding, ...]]:
        """The bindings of each address."""
        addresses = {binding.address for binding in self.bindings}
        return {
            address: tuple(binding for binding in self.bindings if binding.address == address)
            for address in addresses
        }

    def bound_to(self, target: str | Action) -> list[OscBinding]:
        """What moves a parameter or calls an action."""
        return [binding for binding in self.bindings if binding.target == target]

    def bind(self, binding: OscBinding) -> None:
        """Add a binding and keep it; what the same value or the same target had before is gone.

        Raises:
            ControlError: the file cannot be written.
        """
        place = (binding.address, binding.argument)
        self._change(
            *(b for b in self.bindings if (b.address, b.argument) != place and b.target != binding.target),
            binding,
        )

    def unbind(self, target: str | Action) -> None:
        """Take every address off a parameter or an action.

        Raises:
            ControlError: the file cannot be written.
        """
        if self.bound_to(target):
            self._change(*(binding for binding in self.bindings if binding.target != target))

    def _change(self, *bindings: OscBinding) -> None:
        self.bindings = bindings
        if self._path is None:
            return
        if self.refused is not None and self._path.exists():
            self._path.replace(self._path.with_suffix(".toml.refused"))
            self.refused = None
        tables = [binding.to_table() for binding in bindings]
        write_toml(self._path, {"schema": SCHEMA, "binding": tables}, ControlError)


def read_osc_bindings(path: Path) -> tuple[tuple[OscBinding, ...], tuple[str, ...]]:
    """Read a file of OSC bindings; returns a line for each value that was out of range, too.

    Raises:
        ControlError: it cannot be used; the message gives file, line and reason.
    """
    file = read_toml(path, ControlError)
    schema = file.content.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        raise file.fault("schema", f"OSC bindings begin with schema = {SCHEMA}.")
    for key in file.content:
        if key not in ("schema", "binding"):
            raise file.fault(key, f"{key!r} is unknown; a file of OSC bindings has schema and binding.")
    tables = file.content.get("binding", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise file.fault("binding", "bindings are [[binding]] tables.")
    bindings = tuple(_read_binding(file, index, table) for index, table in enumerate(tables))
    return bindings, tuple(file.held)


_KEYS = ("address", "argument", "parameter", "action", "bottom", "top", "low", "high", "invert")


def _read_binding(file: TomlFile, index: int, table: Mapping[str, object]) -> OscBinding:
    def fault(key: str, reason: str) -> LavliveError:
        return file.fault(f"binding.{index}.{key}", reason)

    for key in table:
        if key not in _KEYS:
            raise fault(key, f"{key!r} is unknown in a binding; there are {', '.join(_KEYS)}.")
    address = table.get("address")
    if not isinstance(address, str) or not address.startswith("/") or len(address) > _LONGEST_ADDRESS:
        raise fault("address", 'address is what the surface sends to, such as "/1/fader1".')
    if address.startswith("/lavlive/"):
        raise fault("address", "addresses that begin with /lavlive/ are lavlive's own.")
    argument = table.get("argument", 1)
    if not isinstance(argument, int) or isinstance(argument, bool) or not 1 <= argument <= _MOST_ARGUMENTS:
        raise fault("argument", f"argument is a whole number from 1 to {_MOST_ARGUMENTS}.")
    target = read_target(file, f"binding.{index}", table)
    low, high = read_ends(file, f"binding.{index}", table, target)
    invert = table.get("invert", False)
    if not isinstance(invert, bool):
        raise fault("invert", "invert is true or false.")
    numbers = {"bottom": 0.0, "top": 1.0}
    for key in numbers:
        number = table.get(key, numbers[key])
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= 1e9:
            raise fault(key, f"{key} is a number.")
        numbers[key] = float(number)
    bottom, top = numbers["bottom"], numbers["top"]
    if bottom >= top:
        raise fault("top", "bottom must be below top; invert turns round.")
    return OscBinding(address, target, argument, bottom, top, invert, low, high)
