"""Takes the events of all devices to the parameters and actions that they are bound to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from lavlive.control.actions import Action
from lavlive.control.events import ControlEvent, MidiControl, MidiControlKind
from lavlive.control.midi.bindings import Binding, BindingSet, Mode, relative_steps
from lavlive.control.midi.takeover import Takeover, TakeoverMode
from lavlive.parameters import Parameter, ParameterKind, Value, Values

_DERIVED = (MidiControlKind.CC14, MidiControlKind.NRPN)


@dataclass(slots=True)
class _Bound:
    """A binding at work: where its knobs stand and which of its buttons are down.

    A binding for any channel may have a knob on each: every one of them takes hold for itself.
    """

    binding: Binding
    takeovers: dict[int, Takeover] = field(default_factory=dict)
    pressed: set[int] = field(default_factory=set)
    last: int = 0

    def takeover(self, channel: int, otherwise: TakeoverMode) -> Takeover:
        """The one of the knob on that channel, which moves now."""
        self.last = channel
        if channel not in self.takeovers:
            self.takeovers[channel] = Takeover(self.binding.takeover or otherwise)
        return self.takeovers[channel]

    def follow(self, otherwise: TakeoverMode) -> None:
        """Have the takeovers be as the binding says now, or as is set for all."""
        for takeover in self.takeovers.values():
            takeover.mode = self.binding.takeover or otherwise

    def press(self, channel: int, down: bool) -> bool:
        """Take note of a button; True if it was up and is down now."""
        was_down = channel in self.pressed
        (self.pressed.add if down else self.pressed.discard)(channel)
        return down and not was_down


@dataclass(slots=True)
class _Device:
    bindings: BindingSet
    bound: dict[MidiControl, list[_Bound]] = field(default_factory=lambda: defaultdict(list))
    parts: frozenset[MidiControl] = frozenset()
    last: MidiControl | None = None


class Router:
    """Applies control events, one binding after another; belongs to the main thread.

    `change` is called with a parameter's name and its new value and has to store it in `values`.
    """

    def __init__(self, values: Values, change: Callable[[str, Value], None]) -> None:
        self._values = values
        self._change = change
        self._devices: dict[str, _Device] = {}
        self._takeover = TakeoverMode.PICKUP

    @property
    def takeover(self) -> TakeoverMode:
        """How knobs take hold whose binding does not say."""
        return self._takeover

    def set_takeover(self, takeover: TakeoverMode) -> None:
        """Have knobs take hold so whose binding does not say."""
        self._takeover = takeover
        for device in self._devices:
            for bound in self._bounds(device):
                bound.follow(takeover)

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices that have bindings here."""
        return tuple(self._devices)

    def bindings(self, device: str) -> BindingSet:
        """The bindings that a device has now."""
        known = self._devices.get(device)
        return known.bindings if known else BindingSet(device)

    def connect(self, device: str, bindings: BindingSet) -> None:
        """Bind a device, or bind it anew; knobs whose binding stays keep their hold."""
        before = self._devices.get(device)
        kept = {_plain(bound.binding): bound for bound in self._bounds(device)} if before else {}
        entry = _Device(bindings, last=before.last if before else None)
        parts: set[MidiControl] = set()
        for binding in dict.fromkeys(bindings.bindings):  # a row that a file has twice acts once
            bound = kept.pop(_plain(binding), None) or _Bound(binding)
            bound.binding = binding
            bound.follow(self._takeover)
            entry.bound[binding.control].append(bound)
            parts.update(_parts(binding.control))
        entry.parts = frozenset(parts)
        self._devices[device] = entry

    def forget_positions(self, device: str) -> None:
        """A device went away: when it comes back its knobs may stand elsewhere."""
        for bound in self._bounds(device):
            for takeover in bound.takeovers.values():
                takeover.forget()
            bound.pressed.clear()

    def release(self) -> None:
        """All knobs let go of their values, as after a preset."""
        for device in self._devices:
            for bound in self._bounds(device):
                for takeover in bound.takeovers.values():
                    takeover.release()

    def ghosts(self) -> dict[str, float]:
        """Where knobs stand that do not hold their parameters: positions 0 to 1 in the parameters' ranges."""
        found: dict[str, float] = {}
        for device in self._devices:
            for bound in self._bounds(device):
                parameter = bound.binding.parameter
                if parameter is None or bound.binding.mode is not Mode.ABSOLUTE:
                    continue
                moved_last = bound.takeovers.get(bound.last)
                if moved_last is None:
                    continue
                knob = moved_last.ghost(bound.binding.travel_of(self._values[parameter.name]))
                if knob is not None:
                    found[parameter.name] = parameter.to_unit(bound.binding.value_at(knob))
        return found

    def bound_to(self, target: str | Action) -> list[tuple[str, Binding]]:
        """The devices and bindings that move a parameter or call an action."""
        return [
            (device, bound.binding)
            for device in self._devices
            for bound in self._bounds(device)
            if bound.binding.target == target
        ]

    def handle(self, event: ControlEvent) -> list[Action]:
        """Apply one event; returns the actions that it called."""
        device = self._devices.get(event.device)
        if device is None:
            return []
        bounds = device.bound.get(event.control, []) + device.bound.get(event.control.on_any_channel(), [])
        others_moved = device.last not in (None, event.control)
        derived = event.control.kind in _DERIVED and not bounds
        if not derived and not device.parts & {event.control, event.control.on_any_channel()}:
            device.last = event.control
        actions = []
        for bound in bounds:
            parameter = bound.binding.parameter
            if parameter is None:
                actions += self._button_action(bound, event)
            elif bound.binding.mode is Mode.ABSOLUTE:
                self._absolute(bound, parameter, event, others_moved)
            elif bound.binding.mode.relative:
                self._relative(bound.binding, parameter, event.raw)
            else:
                self._button(bound, parameter, event)
        return actions

    def _bounds(self, device: str) -> Iterator[_Bound]:
        for bounds in self._devices[device].bound.values():
            yield from bounds

    def _absolute(self, bound: _Bound, parameter: Parameter, event: ControlEvent, others_moved: bool) -> None:
        binding, takeover = bound.binding, bound.takeover(event.control.channel, self._takeover)
        if parameter.kind is ParameterKind.SWITCH:
            self._change(parameter.name, binding.value_at(event.position))
            return
        present = binding.travel_of(self._values[parameter.name])
        travel = takeover.moved(event.position, present, event.time, others_moved)
        if travel is not None:
            self._change(parameter.name, binding.value_at(travel))
            takeover.left(binding.travel_of(self._values[parameter.name]))

    def _relative(self, binding: Binding, parameter: Parameter, raw: int) -> None:
        steps = relative_steps(binding.mode, raw) * (-1 if binding.invert else 1)
        present = self._values[parameter.name]
        low = parameter.low if binding.low is None else binding.low
        high = parameter.high if binding.high is None else binding.high
        if parameter.kind is ParameterKind.CONTINUOUS:
            unit = parameter.to_unit(present) + steps * binding.step
            number = parameter.number(parameter.from_unit(unit))
        else:
            number = parameter.number(present) + steps
        self._change(parameter.name, parameter.value(min(max(number, low), high)))

    def _button(self, bound: _Bound, parameter: Parameter, event: ControlEvent) -> None:
        was_down, down = event.control.channel in bound.pressed, _is_pressed(event)
        bound.press(event.control.channel, down)
        if down == was_down:
            return
        low, high = bound.binding.value_at(0.0), bound.binding.value_at(1.0)
        if bound.binding.mode is Mode.MOMENTARY:
            self._change(parameter.name, high if down else low)
        elif down:
            present = self._values[parameter.name]
            if parameter.kind is ParameterKind.CHOICE:
                following = (parameter.choices.index(str(present)) + 1) % len(parameter.choices)
                self._change(parameter.name, parameter.choices[following])
            else:
                self._change(parameter.name, low if present == high else high)

    def _button_action(self, bound: _Bound, event: ControlEvent) -> list[Action]:
        if event.control.kind is MidiControlKind.PROGRAM:  # it is never released
            bound.pressed.clear()
        pressed = bound.press(event.control.channel, _is_pressed(event))
        target = bound.binding.target
        return [target] if pressed and isinstance(target, Action) else []


def _plain(binding: Binding) -> Binding:
    """The binding without how it takes over, which may be changed while a knob holds its value."""
    return replace(binding, takeover=None)


def _is_pressed(event: ControlEvent) -> bool:
    return event.raw > 0 if event.control.kind is MidiControlKind.NOTE else event.position >= 0.5


def _parts(control: MidiControl) -> list[MidiControl]:
    """The plain controllers whose messages make up a 14-bit one."""
    match control.kind:
        case MidiControlKind.CC14:
            numbers: tuple[int, ...] = (control.number, control.number + 32)
        case MidiControlKind.NRPN:
            numbers = (6, 38, 96, 97, 98, 99, 100, 101)
        case _:
            numbers = ()
    return [MidiControl(MidiControlKind.CC, control.channel, number) for number in numbers]
