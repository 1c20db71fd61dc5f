"""Values back to the controllers: rings of light, motor faders, lit buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lavlive.control.events import ControlEvent, MidiControl, MidiControlKind
from lavlive.control.midi.bindings import Binding, BindingSet, Mode
from lavlive.parameters import Values

_PERIOD = 0.05
_ECHO_SECONDS = 0.2
_REST_SECONDS = 0.3

Send = Callable[[str, MidiControl, Sequence[int]], None]


class Feedback:
    """Sends each bound parameter's value to its control, twenty times a second at most.

    A control in motion is left alone until it rests, and a message that only repeats what was sent to
    the same control is an echo and not a hand: so no loop can arise, whatever the device sends back.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sent: dict[tuple[str, MidiControl], tuple[int, float]] = {}
        self._touched: dict[tuple[str, MidiControl], float] = {}
        self._channels: dict[tuple[str, MidiControl], int] = {}
        self._due = float("-inf")

    def heard(self, event: ControlEvent) -> bool:
        """Take notice of an event; True if it is the echo of what was sent."""
        key = (event.device, event.control)
        raw, time = self._sent.get(key, (-1, float("-inf")))
        if event.raw == raw and event.time - time < _ECHO_SECONDS:
            return True
        self._touched[key] = event.time
        self._channels[event.device, event.control.on_any_channel()] = event.control.channel
        if raw >= 0:
            self._sent[key] = (event.raw, float("-inf"))
        return False

    def forget(self, device: str) -> None:
        """A device came anew: tell it everything."""
        for key in [key for key in self._sent if key[0] == device]:
            del self._sent[key]

    def step(self, now: float, values: Values, sets: Sequence[tuple[str, BindingSet]]) -> None:
        """Send what changed to the devices whose bindings ask for it."""
        if now < self._due:
            return
        self._due = now + _PERIOD
        for device, bindings in sets:
            if not bindings.feedback:
                continue
            for binding in bindings.bindings:
                self._tell(device, binding, values, now)

    def _tell(self, device: str, binding: Binding, values: Values, now: float) -> None:
        parameter = binding.parameter
        if parameter is None or (binding.mode.relative and binding.control.kind is not MidiControlKind.CC):
            return
        control = self._heard_on(device, binding.control)
        key = (device, control)
        if now - self._touched.get(key, float("-inf")) < _REST_SECONDS:
            return
        travel = min(max(binding.travel_of(values[parameter.name]), 0.0), 1.0)
        if binding.mode in (Mode.TOGGLE, Mode.MOMENTARY):
            travel = float(travel >= 0.5)
        seven_bits = binding.control.kind in (MidiControlKind.CC, MidiControlKind.NOTE)
        raw = round(travel * (127 if seven_bits else 16383))
        if self._sent.get(key, (-1, 0.0))[0] == raw:
            return
        self._sent[key] = (raw, now)
        for message, part in _messages(control, raw):
            self._send(device, part, message)

    def _heard_on(self, device: str, control: MidiControl) -> MidiControl:
        """Where a control listens: on its channel, or if it is bound on any, where it spoke last, else 1."""
        if control.channel:
            return control
        return MidiControl(control.kind, self._channels.get((device, control), 1), control.number)


def _messages(control: MidiControl, raw: int) -> list[tuple[tuple[int, ...], MidiControl]]:
    """The MIDI messages that show `raw` on a control, none for what shows nothing.

    Each comes with the control that it speaks to: of what waits for one, only the newest is sent.
    """
    channel = control.channel - 1
    match control.kind:
        case MidiControlKind.CC:
            return [((0xB0 | channel, control.number, raw), control)]
        case MidiControlKind.CC14:
            fine = MidiControl(MidiControlKind.CC14, control.channel, control.number + 32)
            return [
                ((0xB0 | channel, control.number, raw >> 7), control),
                ((0xB0 | channel, control.number + 32, raw & 0x7F), fine),
            ]
        case MidiControlKind.NOTE:
            return [((0x90 | channel, control.number, raw), control)]
        case MidiControlKind.BEND:
            return [((0xE0 | channel, raw & 0x7F, raw >> 7), control)]
        case _:
            return []
