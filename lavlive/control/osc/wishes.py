"""What OSC messages ask for: the addresses that there are, and what fits them.

Every address is exact; no pattern is matched, no function is called by name.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from lavlive.control.actions import ACTIONS, Action, check_action
from lavlive.control.osc.packets import Argument, Message, Special
from lavlive.errors import ControlError, ParameterError
from lavlive.parameters import NAMES, TABLE, Parameter, ParameterKind, Value, is_loaded, known

PREFIX = "/lavlive/"
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class SetParameter:
    """Somebody set a parameter; the value is checked, and `held` says whether it was out of range."""

    name: str
    value: Value
    held: bool = False


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Somebody wants to be told of changes at a port of theirs, or no longer does."""

    port: int
    normalised: bool
    ends: bool = False


@dataclass(frozen=True, slots=True)
class AskTable:
    """Somebody wants to know what there is."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A message to an address that is not ours, which learn wants to see."""

    arguments: tuple[Argument, ...]


Wish = SetParameter | Action | Subscribe | AskTable | Foreign


@dataclass(frozen=True, slots=True)
class OscEvent:
    """A message that was understood, or one of the things that it asks for."""

    address: str
    sender: Address
    wish: Wish
    time: float

    @property
    def key(self) -> Hashable:
        """What an overfull inbox keeps the newest of."""
        return self.address, self.wish.name if isinstance(self.wish, SetParameter) else ""


def parameter_address(name: str) -> str:
    """A parameter's OSC address."""
    return PREFIX + name.replace(".", "/")


def normalised_address(name: str) -> str:
    """The address at which a parameter is set by its place in its range."""
    return f"{PREFIX}norm/{name.replace('.', '/')}"


@dataclass(frozen=True)
class _Addresses:
    own: Mapping[str, Parameter] = field(
        default_factory=lambda: {parameter_address(p.name): p for p in TABLE}
    )
    normalised: Mapping[str, Parameter] = field(
        default_factory=lambda: {normalised_address(p.name): p for p in TABLE}
    )
    actions: Mapping[str, str] = field(
        default_factory=lambda: {
            parameter_address(name): name
            for name, spec in ACTIONS.items()
            if spec.from_outside and name not in NAMES
        }
    )


ADDRESSES = _Addresses()


class Refused(ValueError):
    """A message whose values cannot be used."""


class Unknown(ValueError):
    """A message to an address that does not exist."""


def understand(message: Message) -> SetParameter | Action | Subscribe | AskTable | None:
    """What a message asks for; None for the release of a button.

    Raises:
        Unknown: there is no such address.
        Refused: the arguments do not fit it.
    """
    address, arguments = message.address, message.arguments
    own = ADDRESSES.own.get(address) or _loaded_at(address, PREFIX)
    normalised = ADDRESSES.normalised.get(address) or _loaded_at(address, f"{PREFIX}norm/")
    for parameter in (own, normalised):
        if parameter is not None and parameter.guarded:
            raise Refused(f"{parameter.name} is changed in the panel only")
    if own is not None:
        return _set(own, arguments)
    if normalised is not None:
        return _set_normalised(normalised, arguments)
    if name := ADDRESSES.actions.get(address):
        return _action(name, arguments)
    if address == f"{PREFIX}?":
        return AskTable()
    if address in (f"{PREFIX}subscribe", f"{PREFIX}unsubscribe"):
        return _subscribe(arguments, ends=address.endswith("unsubscribe"))
    raise Unknown(address)


def _loaded_at(address: str, prefix: str) -> Parameter | None:
    """The parameter, among those that are loaded at run time, which an address means."""
    name = address.removeprefix(prefix).replace("/", ".")
    if not address.startswith(prefix) or not is_loaded(name):
        return None
    return known(name)


def _set(parameter: Parameter, arguments: tuple[Argument, ...]) -> SetParameter:
    if len(arguments) != 1:
        raise Refused(f"{parameter.name} takes one value")
    if isinstance(arguments[0], str) and parameter.kind is not ParameterKind.CHOICE:
        raise Refused(f"{parameter.name} takes a number and not the text {arguments[0][:40]!r}")
    try:
        return SetParameter(parameter.name, *parameter.hold(arguments[0]))
    except ParameterError as reason:
        raise Refused(str(reason)) from None


def _set_normalised(parameter: Parameter, arguments: tuple[Argument, ...]) -> SetParameter:
    match arguments:
        case (int() | float() as position,) if is_finite(position):
            held = not 0 <= position <= 1
            nearest = min(max(position, 0.0), 1.0)
            return SetParameter(parameter.name, parameter.from_unit(nearest), held)
    raise Refused(f"{parameter.name} normalised takes one number from 0 to 1")


def is_finite(number: float) -> bool:
    """Whether a number is one; whole numbers may be too large for a float."""
    return isinstance(number, int) or math.isfinite(number)


def _action(name: str, arguments: tuple[Argument, ...]) -> Action | None:
    spec = ACTIONS[name]
    if not spec.argument:
        match arguments:
            case () | (Special.IMPULSE,) | (Special.NIL,):
                return Action(name)
            case (int() | float() as pressed,) if pressed == pressed:
                return Action(name) if pressed else None
        raise Refused(f"{name} takes nothing, or 1 for pressed and 0 for released")
    match arguments:
        case (bool(),):
            raise Refused(f"{name} takes a {spec.argument}")
        case (str() as text,):
            argument = text.strip()
        case (int() as number,):
            argument = str(number)
        case (float() as number,) if number.is_integer():
            argument = str(int(number))
        case _:
            raise Refused(f"{name} takes a {spec.argument}")
    try:
        return check_action(Action(name, argument))
    except ControlError as reason:
        raise Refused(str(reason)) from None


def _subscribe(arguments: tuple[Argument, ...], ends: bool) -> Subscribe:
    match arguments:
        case ():
            return Subscribe(0, False, ends)
        case (int() as port,) if 0 < port < 65536:
            return Subscribe(port, False, ends)
        case (int() as port, "norm") if 0 < port < 65536:
            return Subscribe(port, True, ends)
    raise Refused("subscribe takes a port, and norm for values from 0 to 1")
