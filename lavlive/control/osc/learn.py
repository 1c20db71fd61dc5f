"""Learn by OSC: choose what is to be moved, then move a control of any touch surface."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from lavlive.control.actions import Action
from lavlive.control.osc.bindings import OscBinding, number_of
from lavlive.control.osc.packets import Argument
from lavlive.parameters import ParameterKind, find

_SETTLE_SECONDS = 0.3
_ENOUGH = 3
_TOPS = (1.0, 127.0, 255.0, 1023.0, 16383.0)
_MOST_ADDRESSES = 64


@dataclass
class _Heard:
    first: float
    values: dict[int, list[float]] = field(default_factory=dict)


class OscLearn:
    """Listens to every address that is not ours until one control is clearly meant.

    A control is heard out for 0.3 seconds. Of several values of one message (an XY pad) the one that moves
    most is taken. What was arriving before learn began (an accelerometer, another program) is left alone.

    Args:
        target: a parameter's name or an action.
        ignored: addresses that were arriving before.
    """

    def __init__(self, target: str | Action, ignored: Collection[str] = ()) -> None:
        self.target = target
        self._ignored = frozenset(ignored)
        self._heard: dict[str, _Heard] = {}

    def take(self, address: str, arguments: tuple[Argument, ...], now: float) -> None:
        """Hear a message."""
        if address in self._ignored or (address not in self._heard and len(self._heard) >= _MOST_ADDRESSES):
            return
        numbers = {place: number_of(arguments, place) for place in range(1, max(len(arguments), 1) + 1)}
        found = {place: number for place, number in numbers.items() if number is not None}
        if not found:
            return
        heard = self._heard.setdefault(address, _Heard(now))
        for place, number in found.items():
            values = heard.values.setdefault(place, [])
            if len(values) < 256:
                values.append(number)

    def result(self, now: float) -> OscBinding | None:
        """The new binding, once it is clear what was meant."""
        best: tuple[float, OscBinding] | None = None
        for address, heard in self._heard.items():
            touched = address.removesuffix("/z")
            if now - heard.first < _SETTLE_SECONDS or (touched != address and touched in self._heard):
                continue  # TouchOSC says at ADDRESS/z that a finger is on ADDRESS
            for place, values in heard.values.items():
                moved = self._moved(values)
                if moved > 0 and (best is None or moved > best[0]):
                    bottom, top = _travel(values)
                    best = moved, OscBinding(address, self.target, place, bottom, top)
        return best[1] if best else None

    def _moved(self, values: list[float]) -> float:
        """How far a control was moved, as a share of its travel; 0 if that does not do for the target."""
        bottom, top = _travel(values)
        if isinstance(self.target, Action) or find(self.target).kind is ParameterKind.SWITCH:
            return (max(values) - bottom) / (top - bottom)
        return (max(values) - min(values)) / (top - bottom) if len(set(values)) >= _ENOUGH else 0.0


def _travel(values: list[float]) -> tuple[float, float]:
    """What a control seems to send at its ends, by what it has sent: mostly 0 and 1, or 0 and 127."""
    largest = max(abs(value) for value in values)
    top = next((top for top in _TOPS if largest <= top), largest)
    return (-top if min(values) < 0 else 0.0), top
