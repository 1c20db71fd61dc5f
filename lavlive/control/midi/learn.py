"""Learn: choose what is to be moved, then move a control."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from lavlive.control.actions import Action
from lavlive.control.events import ControlEvent, MidiControl, MidiControlKind
from lavlive.control.midi.bindings import Binding, Mode
from lavlive.parameters import ParameterKind, find

_SETTLE_SECONDS = 0.3
_ENOUGH = 3
_PRIORITY = {MidiControlKind.NRPN: 2, MidiControlKind.CC14: 1}
_NRPN_PARTS = frozenset({6, 38, 96, 97, 98, 99, 100, 101})
_BUTTONS = (MidiControlKind.NOTE, MidiControlKind.PROGRAM)


@dataclass
class _Heard:
    device: str
    control: MidiControl
    first: float
    raws: list[int] = field(default_factory=list)
    released: bool = False


class Learn:
    """Listens to all devices until one control is clearly meant; the binding keeps its channel.

    A button for an action or a switch is taken at once. Everything else is heard out for 0.3 seconds, to
    tell 14-bit from 7-bit, encoders that send steps from those that send positions, and a pad that is
    pressed and held, which means its pressure, from one that is tapped.
    """

    def __init__(self, target: str | Action) -> None:
        self.target = target
        self._heard: dict[tuple[str, MidiControl], _Heard] = {}

    @property
    def wants_press(self) -> bool:
        """Whether what is learned is done by a press, and not by a position."""
        return isinstance(self.target, Action) or find(self.target).kind is ParameterKind.SWITCH

    def take(self, event: ControlEvent) -> None:
        """Hear a control."""
        key = (event.device, event.control)
        if event.control.kind in _BUTTONS and event.raw == 0:
            if key in self._heard:
                self._heard[key].released = True
            return
        heard = self._heard.setdefault(key, _Heard(event.device, event.control, event.time))
        if len(heard.raws) < 256:
            heard.raws.append(event.raw)

    def result(self, now: float) -> tuple[str, Binding] | None:
        """The device and the new binding, once it is clear what was meant."""
        chosen = self._chosen(now)
        if chosen is None:
            return None
        return chosen.device, Binding(chosen.control, self.target, self._mode(chosen))

    def _chosen(self, now: float) -> _Heard | None:
        for heard in self._heard.values():
            if heard.control.kind in _BUTTONS and self.wants_press:
                return heard
        ripe = [heard for heard in self._heard.values() if now - heard.first >= _SETTLE_SECONDS]
        for heard in ripe:
            if heard.control.kind in _BUTTONS:
                return self._pressure_of(heard) or heard
        moved = [heard for heard in ripe if self.wants_press or len(heard.raws) >= _ENOUGH]
        moved = [heard for heard in moved if not self._is_part(heard)]
        return max(moved, key=lambda h: (_PRIORITY.get(h.control.kind, 0), len(h.raws)), default=None)

    def _pressure_of(self, pad: _Heard) -> _Heard | None:
        """The pressure that a pad sends while it is held down, None for a tap or a pad without any."""
        if pad.released:
            return None
        channel, note = pad.control.channel, pad.control.number
        for control in (
            MidiControl(MidiControlKind.KEY_PRESSURE, channel, note),
            MidiControl(MidiControlKind.PRESSURE, channel, 0),
        ):
            heard = self._heard.get((pad.device, control))
            if heard is not None and len(heard.raws) >= _ENOUGH:
                return heard
        return None

    def _is_part(self, heard: _Heard) -> bool:
        """Whether a message is only a part of a 14-bit value that was heard too, or the other way round."""
        number = heard.control.number
        if heard.control.kind is MidiControlKind.CC14:
            return not self._hears_pair(heard, number)
        if heard.control.kind is not MidiControlKind.CC:
            return False
        if number in _NRPN_PARTS and any(
            other.control.kind is MidiControlKind.NRPN
            and (other.device, other.control.channel) == (heard.device, heard.control.channel)
            for other in self._heard.values()
        ):
            return True
        return number < 64 and self._hears_pair(heard, number % 32)

    def _hears_pair(self, heard: _Heard, number: int) -> bool:
        """Whether both controllers of a 14-bit pair were moved since learning began."""
        return all(
            (heard.device, MidiControl(MidiControlKind.CC, heard.control.channel, part)) in self._heard
            for part in (number, number + 32)
        )

    def _mode(self, heard: _Heard) -> Mode:
        if isinstance(self.target, Action):
            return Mode.ABSOLUTE
        if heard.control.kind in _BUTTONS or find(self.target).kind is ParameterKind.SWITCH:
            return Mode.TOGGLE
        if heard.control.kind is not MidiControlKind.CC:
            return Mode.ABSOLUTE
        return _relative_mode(heard.raws) or Mode.ABSOLUTE


def _relative_mode(raws: list[int]) -> Mode | None:
    """The kind of an encoder that sends steps, by what only such encoders do: say the same again.

    A knob that sends positions never sends one twice in a row.
    """
    repeats = sum(1 for before, after in pairwise(raws) if before == after)
    if repeats < 2:
        return None
    if all(raw <= 8 or raw >= 120 for raw in raws):
        return Mode.TWOS_COMPLEMENT
    if all(56 <= raw <= 72 for raw in raws):
        return Mode.BINARY_OFFSET
    if all(raw <= 8 or 65 <= raw <= 72 for raw in raws):
        return Mode.SIGNED_BIT
    return None
