"""What a phone asks for, one JSON object a message, and what of it may be done.

    {"kind": "turn", "name": "mapper.y", "at": 0.4}

Positions are 0 to 1 along the parameter's own curve, so that no phone knows ranges. What is not one of these
messages, out of its limits, or names something that is not there, is `Refused`.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from lavlive.control.actions import ACTIONS, Action, check_action
from lavlive.control.osc.wishes import SetParameter
from lavlive.errors import ControlError, ParameterError
from lavlive.parameters import INDEX, Parameter, ParameterKind, Value, find, is_loaded

LONGEST = 512
"""Bytes of a message."""
_STEP = 0.01
"""Of a continuous parameter's way, by a press of minus or plus."""

_Name = Annotated[str, Meta(max_length=96)]
_Text = Annotated[str, Meta(max_length=96)]


class _Message(Struct, frozen=True, tag_field="kind", tag=str.lower, forbid_unknown_fields=True):
    pass


class Touch(_Message, frozen=True):
    """A thumb is on a fader from now on, or no longer: what it does meanwhile is one thing to take back."""

    name: _Name
    on: bool


class Turn(_Message, frozen=True):
    """A fader, a number or a switch goes to a place of its way."""

    name: _Name
    at: Annotated[float, Meta(ge=0, le=1)]


class Choose(_Message, frozen=True):
    """One of a parameter's choices."""

    name: _Name
    value: _Text


class Step(_Message, frozen=True):
    """One step down or up from where it is."""

    name: _Name
    by: Literal[-1, 1]


class Reset(_Message, frozen=True):
    """Back to the default."""

    name: _Name


class Do(_Message, frozen=True):
    """One of the actions."""

    action: _Name
    argument: _Text = ""


Message = Touch | Turn | Choose | Step | Reset | Do
_DECODER = msgspec.json.Decoder(Message)


@dataclass(frozen=True, slots=True)
class Touched:
    """A thumb is on a parameter, or off it."""

    name: str
    on: bool


@dataclass(frozen=True, slots=True)
class Nudge:
    """A parameter goes a step down (−1) or up (1)."""

    name: str
    by: int


@dataclass(frozen=True, slots=True)
class Left:
    """A phone is gone, and its thumbs with it."""


Wish = SetParameter | Nudge | Touched | Left | Action


@dataclass(frozen=True, slots=True)
class RemoteEvent:
    """What one phone asks for, or what happened to it.

    Attributes:
        phone: a number that no other has had.
        time: arrival, seconds of `time.perf_counter`.
    """

    phone: int
    wish: Wish
    time: float

    @property
    def key(self) -> Hashable:
        """What an overfull inbox keeps the newest of."""
        match self.wish:
            case SetParameter(name=name):
                return name
            case Touched(name=name):
                return self.phone, name
            case wish:
                return self.phone, wish


class Refused(ValueError):
    """A message that cannot be used."""


def read(text: str | bytes) -> Message:
    """A message as a phone sent it.

    Raises:
        Refused: it is none.
    """
    try:
        message: Message = _DECODER.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as reason:
        raise Refused(f"no message: {str(reason)[:80]}") from None
    return message


def understand(message: Message) -> Wish:
    """What a message asks for, checked.

    Raises:
        Refused: there is no such parameter or action, it does not take that, or it is not a phone's to do.
    """
    if isinstance(message, Do):
        return _action(message)
    # Before the nearest one is looked for, which takes long.
    if message.name not in INDEX and not is_loaded(message.name):
        raise Refused(f"no parameter {message.name[:40]!r}")
    try:
        parameter = find(message.name)
        if parameter.guarded:
            raise Refused(f"{parameter.name} is changed in the panel only")
        match message:
            case Touch(on=on):
                return Touched(parameter.name, on)
            case Turn(at=at):
                return SetParameter(parameter.name, parameter.from_unit(at))
            case Choose(value=value):
                if parameter.kind is not ParameterKind.CHOICE:
                    raise Refused(f"{parameter.name} is no choice")
                return SetParameter(parameter.name, parameter.check(value))
            case Step(by=by):
                return Nudge(parameter.name, by)
            case Reset():
                return SetParameter(parameter.name, parameter.default)
    except ParameterError as reason:
        raise Refused(str(reason)) from None


def nudged(parameter: Parameter, value: Value, by: int) -> Value:
    """The value a step down (−1) or up (1) from `value`: a hundredth of the way, or the next whole one."""
    if parameter.kind is ParameterKind.CONTINUOUS:
        return parameter.from_unit(parameter.to_unit(value) + by * _STEP)
    return parameter.value(parameter.number(value) + by)


def _action(message: Do) -> Action:
    if message.action not in ACTIONS:
        raise Refused(f"no action {message.action[:40]!r}")
    try:
        action = check_action(Action(message.action, message.argument))
    except ControlError as reason:
        raise Refused(str(reason)) from None
    if not ACTIONS[action.name].from_outside:
        raise Refused(f"{action.name} can be done by the keyboard only")
    return action
