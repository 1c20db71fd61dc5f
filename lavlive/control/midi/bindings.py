"""Which knob moves what: bindings, and the arithmetic between knob and parameter."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from lavlive.control.actions import Action
from lavlive.control.events import Source, SourceKind
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.parameters import Parameter, Value, find


class Mode(Enum):
    """How a control's messages are read; the values are the words in bindings files."""

    ABSOLUTE = "absolute"
    TWOS_COMPLEMENT = "twos-complement"
    SIGNED_BIT = "signed-bit"
    BINARY_OFFSET = "binary-offset"
    TOGGLE = "toggle"
    MOMENTARY = "momentary"

    @property
    def relative(self) -> bool:
        """Whether messages carry steps instead of positions."""
        return self in (Mode.TWOS_COMPLEMENT, Mode.SIGNED_BIT, Mode.BINARY_OFFSET)


class Curve(Enum):
    """How a knob's travel is spread over the range, on top of the parameter's own curve."""

    LINEAR = "linear"
    SLOW_START = "slow-start"
    FAST_START = "fast-start"
    S = "s"

    def bend(self, travel: float) -> float:
        """From a knob's travel, 0 to 1, to the share of the range."""
        match self:
            case Curve.SLOW_START:
                return travel * travel
            case Curve.FAST_START:
                return math.sqrt(travel)
            case Curve.S:
                return 0.5 - 0.5 * math.cos(math.pi * travel)
            case Curve.LINEAR:
                return travel

    def unbend(self, share: float) -> float:
        """The inverse of `bend` on 0 to 1."""
        match self:
            case Curve.SLOW_START:
                return math.sqrt(share)
            case Curve.FAST_START:
                return share * share
            case Curve.S:
                return math.acos(1.0 - 2.0 * share) / math.pi
            case Curve.LINEAR:
                return share


def relative_steps(mode: Mode, raw: int) -> int:
    """Steps of a relative encoder's message: up positive, down negative.

    Two's complement: 1 is up, 127 is down. Signed bit: 1 is up, 65 is down. Binary offset: 65 is up, 63
    is down.
    """
    match mode:
        case Mode.TWOS_COMPLEMENT:
            return raw if raw < 64 else raw - 128
        case Mode.SIGNED_BIT:
            return raw if raw < 64 else 64 - raw
        case Mode.BINARY_OFFSET:
            return raw - 64
        case _:
            raise ValueError(f"{mode.value} messages carry no steps.")


@dataclass(frozen=True)
class Binding:
    """One control bound to one parameter or one action.

    Attributes:
        source: the control; channel 0 means any.
        target: a parameter's name, or an `Action`.
        mode: see `Mode`.
        takeover: see `TakeoverMode`; of no meaning for relative controls and buttons.
        invert: turn the other way round.
        low, high: part of the parameter's range that the travel covers, in the parameter's unit.
        curve: see `Curve`.
        step: share of the range per step of a relative control.
    """

    source: Source
    target: str | Action
    mode: Mode = Mode.ABSOLUTE
    takeover: TakeoverMode = TakeoverMode.PICKUP
    invert: bool = False
    low: float | None = None
    high: float | None = None
    curve: Curve = Curve.LINEAR
    step: float = 0.01

    @property
    def parameter(self) -> Parameter | None:
        """The bound parameter, None for an action."""
        return find(self.target) if isinstance(self.target, str) else None

    def travel_of(self, value: Value) -> float:
        """Where on the control's travel a value lies; outside 0 to 1 where the control cannot reach it."""
        parameter = find(str(self.target))
        low, high = self._ends(parameter)
        share = (parameter.to_unit(value) - low) / (high - low)
        if 0.0 <= share <= 1.0:
            share = self.curve.unbend(share)
        return 1.0 - share if self.invert else share

    def value_at(self, travel: float) -> Value:
        """The value at a place on the control's travel; the inverse of `travel_of`, rounded to the kind."""
        parameter = find(str(self.target))
        low, high = self._ends(parameter)
        share = 1.0 - travel if self.invert else travel
        if 0.0 <= share <= 1.0:
            share = self.curve.bend(share)
        return parameter.from_unit(low + share * (high - low))

    def _ends(self, parameter: Parameter) -> tuple[float, float]:
        low = 0.0 if self.low is None else parameter.to_unit(parameter.value(self.low))
        high = 1.0 if self.high is None else parameter.to_unit(parameter.value(self.high))
        return low, high

    def to_table(self) -> dict[str, object]:
        """As a ``[[binding]]`` table; what is at its default is left out."""
        table: dict[str, object] = {"source": self.source.kind.value}
        if self.source.channel:
            table["channel"] = self.source.channel
        if self.source.kind not in (SourceKind.BEND, SourceKind.PRESSURE):
            table["number"] = self.source.number
        if isinstance(self.target, Action):
            table["action"] = str(self.target)
        else:
            table["parameter"] = self.target
        written: dict[str, object] = {
            "mode": self.mode.value,
            "takeover": self.takeover.value,
            "invert": self.invert,
            "low": self.low,
            "high": self.high,
            "curve": self.curve.value,
            "step": self.step,
        }
        return table | {key: value for key, value in written.items() if value not in (DEFAULTS[key], None)}


DEFAULTS: Mapping[str, object] = {
    "mode": "absolute",
    "takeover": "pickup",
    "invert": False,
    "low": None,
    "high": None,
    "curve": "linear",
    "step": 0.01,
}


@dataclass(frozen=True)
class BindingSet:
    """The bindings of one device.

    Attributes:
        device: the device's name, or a pattern with ``*`` for shipped sets that fit several.
        bindings: in the file's order.
        feedback: whether values are sent back to the device, for rings of light and motor faders.
    """

    device: str
    bindings: tuple[Binding, ...] = ()
    feedback: bool = False
    path: Path | None = field(default=None, compare=False)

    def fits(self, device: str) -> bool:
        """Whether the set is for a device of that name; case does not matter."""
        return self.is_named(device) or fnmatch.fnmatchcase(device.lower(), self.device.lower())

    def with_binding(self, binding: Binding) -> BindingSet:
        """The set with one more; what the same control or the same target had before is gone.

        A control may do several things only where a file says so.
        """
        kept = tuple(
            other
            for other in self.bindings
            if not other.source.overlaps(binding.source) and other.target != binding.target
        )
        return replace(self, bindings=(*kept, binding))

    def without_target(self, target: str | Action) -> BindingSet:
        """The set without what moves a parameter or calls an action."""
        return replace(self, bindings=tuple(b for b in self.bindings if b.target != target))

    def named(self, device: str) -> BindingSet:
        """The set as one device's own: one for many devices becomes this one's when it is changed."""
        return self if self.is_named(device) else replace(self, device=device, path=None)

    def is_named(self, device: str) -> bool:
        """Whether the set is for this device by its name, and not by a pattern."""
        return self.device.lower() == device.lower()
