"""Which knob moves what: bindings, and how messages of knobs and encoders are read."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from lavlive.control.actions import Action
from lavlive.control.events import MidiControl, MidiControlKind
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.control.travel import Curve, Travel
from lavlive.parameters import ParameterKind


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
class Binding(Travel):
    """One control bound to one parameter or one action.

    Attributes:
        control: which one; channel 0 means any.
        target: a parameter's name, or an `Action`.
        mode: see `Mode`.
        takeover: see `TakeoverMode`; None is as set for all. Of no meaning for relative controls and buttons.
        invert: turn the other way round.
        low, high: part of the parameter's range that the travel covers, in the parameter's unit.
        curve: see `Curve`.
        step: share of the range per step of a relative control.
    """

    control: MidiControl
    target: str | Action
    mode: Mode = Mode.ABSOLUTE
    takeover: TakeoverMode | None = None
    invert: bool = False
    low: float | None = None
    high: float | None = None
    curve: Curve = Curve.LINEAR
    step: float = 0.01

    @property
    def takes_over(self) -> bool:
        """Whether it is a knob or fader that may stand elsewhere than its value."""
        parameter = self.parameter
        return (
            self.mode is Mode.ABSOLUTE
            and parameter is not None
            and parameter.kind is not ParameterKind.SWITCH
        )

    def to_table(self) -> dict[str, object]:
        """As a ``[[binding]]`` table; what is at its default is left out."""
        table: dict[str, object] = {"source": self.control.kind.value}
        if self.control.channel:
            table["channel"] = self.control.channel
        if self.control.kind not in (MidiControlKind.BEND, MidiControlKind.PRESSURE):
            table["number"] = self.control.number
        if isinstance(self.target, Action):
            table["action"] = str(self.target)
        else:
            table["parameter"] = self.target
        written: dict[str, object] = {
            "mode": self.mode.value,
            "takeover": self.takeover.value if self.takeover is not None else None,
            "invert": self.invert,
            "low": self.low,
            "high": self.high,
            "curve": self.curve.value,
            "step": self.step,
        }
        return table | {key: value for key, value in written.items() if value not in (DEFAULTS[key], None)}


DEFAULTS: Mapping[str, object] = {
    "mode": "absolute",
    "takeover": None,
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
        path: the file that it came from.
        held: a line for each value in that file that was out of range.
    """

    device: str
    bindings: tuple[Binding, ...] = ()
    feedback: bool = False
    path: Path | None = field(default=None, compare=False)
    held: tuple[str, ...] = field(default=(), compare=False)

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
            if not other.control.overlaps(binding.control) and other.target != binding.target
        )
        return replace(self, bindings=(*kept, binding))

    def with_takeover(self, binding: Binding, takeover: TakeoverMode | None) -> BindingSet:
        """The set where one of its bindings takes over otherwise."""
        changed = tuple(replace(b, takeover=takeover) if b == binding else b for b in self.bindings)
        return replace(self, bindings=changed)

    def without_target(self, target: str | Action) -> BindingSet:
        """The set without what moves a parameter or calls an action."""
        return replace(self, bindings=tuple(b for b in self.bindings if b.target != target))

    def named(self, device: str) -> BindingSet:
        """The set as one device's own: one for many devices becomes this one's when it is changed."""
        return self if self.is_named(device) else replace(self, device=device, path=None)

    def is_named(self, device: str) -> bool:
        """Whether the set is for this device by its name, and not by a pattern."""
        return self.device.lower() == device.lower()
