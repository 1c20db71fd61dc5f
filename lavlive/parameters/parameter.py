"""What a parameter is: one row of the table, and the rules for its values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from lavlive.errors import ParameterError

Value = float | int | bool | str
"""What a parameter holds: float (continuous), int (integer), bool (switch), str (choice)."""


class ParameterKind(Enum):
    """What values a parameter takes, and so how it is drawn, bound and moved."""

    CONTINUOUS = "continuous"
    INTEGER = "integer"
    SWITCH = "switch"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: dotted name, as in ``--set`` and, with slashes, in OSC addresses.
        default: value at start.
        low, high: inclusive range in `unit`; for a choice, 0 and the number of choices − 1.
        unit: unit of the value, empty for pure numbers.
        help: one line for a performer.
        kind: see `ParameterKind`.
        choices: names of a choice's values, in order.
        curve: ``linear``, or ``log`` where equal turns of a knob should be equal ratios.
        saved: whether presets hold it.
        guarded: whether it protects the audience, so that no knob, message or preset may move it: only the
            panel after a question, and ``--set``.
    """

    name: str
    default: Value
    low: float
    high: float
    unit: str
    help: str
    kind: ParameterKind = ParameterKind.CONTINUOUS
    choices: tuple[str, ...] = ()
    curve: str = "linear"
    saved: bool = True
    guarded: bool = False

    @property
    def glides(self) -> bool:
        """Whether the engine moves it smoothly to a new value."""
        return self.kind is ParameterKind.CONTINUOUS

    def number(self, value: Value) -> float:
        """The value as the number that travels in the link: an index for choices, 0 or 1 for switches."""
        if self.kind is ParameterKind.CHOICE:
            return float(self.choices.index(str(value)))
        return float(value)

    def value(self, number: float) -> Value:
        """The inverse of `number`, rounded to the kind and held inside the range."""
        number = min(max(number, self.low), self.high)
        match self.kind:
            case ParameterKind.CONTINUOUS:
                return number
            case ParameterKind.INTEGER:
                return round(number)
            case ParameterKind.SWITCH:
                return number >= 0.5
            case ParameterKind.CHOICE:
                return self.choices[round(number)]

    def to_unit(self, value: Value) -> float:
        """Position of a value in its range, 0 to 1, along the parameter's curve."""
        number = self.number(value)
        if self.curve == "log":
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)

    def from_unit(self, position: float) -> Value:
        """The value at a position 0 to 1; positions outside are held at the ends."""
        position = min(max(position, 0.0), 1.0)
        if self.curve == "log":
            return self.value(self.low * (self.high / self.low) ** position)
        return self.value(self.low + position * (self.high - self.low))

    def check(self, value: object) -> Value:
        """The value, converted to this parameter's kind.

        Takes numbers, bools, names of choices, and text as typed after ``--set``.

        Raises:
            ParameterError: of another type, not finite, or outside the range; the message gives the range.
        """
        match self.kind:
            case ParameterKind.SWITCH:
                return self._switch(value)
            case ParameterKind.CHOICE:
                return self._choice(value)
            case _:
                return self._number_in_range(value)

    def hold(self, value: object) -> tuple[Value, bool]:
        """As `check`, but a number outside the range is held at the nearest end; True where it was.

        This is the rule for all that comes from surfaces and files (MIDI, OSC, presets, bindings, states):
        the show goes on, and what was held is counted or told. What a person types is checked instead.

        Raises:
            ParameterError: of another type, or not finite.
        """
        if self.kind in (ParameterKind.CONTINUOUS, ParameterKind.INTEGER) and isinstance(value, int | float):
            finite = isinstance(value, int) or math.isfinite(value)
            nearest = min(max(value, self.low), self.high)
            if finite and not isinstance(value, bool) and nearest != value:
                return self.value(float(nearest)), True
        return self.check(value), False

    def _switch(self, value: object) -> bool:
        if isinstance(value, str) and value.lower() in ("on", "true", "yes", "1"):
            return True
        if isinstance(value, str) and value.lower() in ("off", "false", "no", "0"):
            return False
        if isinstance(value, bool | int | float) and value in (0, 1):
            return bool(value)
        raise ParameterError(f"{self.name} is a switch: use on or off, not {value!r}.")

    def _choice(self, value: object) -> str:
        if isinstance(value, str) and value in self.choices:
            return value
        raise ParameterError(f"{self.name} is one of {', '.join(self.choices)}, not {value!r}.")

    def _number_in_range(self, value: object) -> float | int:
        allowed = f"{self.name} takes {self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}"
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ParameterError(f"{allowed}, not {value!r}.")
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise ParameterError(f"{allowed}, not {value!r}.") from None
        number = self._unrounded(number)
        if not math.isfinite(number) or not self.low <= number <= self.high:
            raise ParameterError(f"{allowed}, not {value}.")
        if self.kind is ParameterKind.INTEGER:
            if number != round(number):
                raise ParameterError(f"{self.name} takes whole numbers, not {value}.")
            return int(number)
        return number

    def _unrounded(self, number: float) -> float:
        """An end of the range where `number` is that end as the reference prints it, in three digits."""
        for end in (self.low, self.high):
            if number == float(f"{end:.3g}"):
                return end
        return number
