"""The arithmetic between a control's travel, 0 to 1, and the part of a parameter's range that it covers."""

from __future__ import annotations

import math
from enum import Enum

from lavlive.control.actions import Action
from lavlive.parameters import Parameter, Value, find, known


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


class Travel:
    """What every binding of a control to a target has, whatever protocol it speaks.

    Attributes:
        target: a parameter's name, or an `Action`.
        invert: turn the other way round.
        low, high: part of the parameter's range that the travel covers, in the parameter's unit.
        curve: see `Curve`.
    """

    target: str | Action
    invert: bool
    low: float | None
    high: float | None
    curve: Curve

    @property
    def parameter(self) -> Parameter | None:
        """The bound parameter; None for an action, and while no shader here has that input."""
        return known(self.target) if isinstance(self.target, str) else None

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
        # Of a shader's input the range may have become another since the binding was made.
        return (low, high) if low < high else (0.0, 1.0)
