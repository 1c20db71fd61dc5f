"""MIDI controllers as the controls see them: ports, bindings at work, learn, and what is told to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lavlive.control.actions import Action
from lavlive.control.beat.tempo import Tempo
from lavlive.control.events import ClockEvent, ControlEvent, MidiControl
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.bindings import Binding, BindingSet
from lavlive.control.midi.feedback import Feedback
from lavlive.control.midi.learn import Learn
from lavlive.control.midi.ports import Change, DeviceChange, MidiPorts
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.control.notes import Notes
from lavlive.control.router import Router
from lavlive.parameters import Values

_BOOT_SECONDS = 2.0
"""A controller that was just plugged in may not listen yet; after this it is told everything again."""
_PLUGGED_IN_SECONDS = 1.0
"""Controllers that hang on one hub come one after another; then it is said which bindings nobody uses."""


class Controllers:
    """Belongs to the main thread; everything works without a MIDI system.

    Args:
        ports: what they are plugged into; None for none.
        router: applies their bindings.
        bindings: the folders that keep these.
        notes: is given each line for the performer.
    """

    def __init__(
        self, ports: MidiPorts | None, router: Router, bindings: BindingFolders, notes: Notes
    ) -> None:
        self.ports = ports
        self.bindings = bindings
        self._router = router
        self._notes = notes
        self._feedback = Feedback(self._send)
        self._tell_again: dict[str, float] = {}
        self._all_plugged_in = float("inf")
        self._learn: Learn | None = None

    def start(self) -> None:
        """Begin to listen."""
        if self.ports is not None:
            self.ports.start()

    def close(self) -> None:
        """Close every port."""
        if self.ports is not None:
            self.ports.close()

    @property
    def stirred(self) -> bool:
        """Whether something has come in that `take` has not applied."""
        return self.ports is not None and len(self.ports.inbox) > 0

    def take(self, tempo: Tempo) -> list[Action]:
        """Apply what has come in since the last call; returns the actions that were called."""
        if self.ports is None:
            return []
        asked: list[Action] = []
        for event in self.ports.inbox.drain():
            match event:
                case ControlEvent():
                    asked += self._take_control(event)
                case ClockEvent():
                    tempo.take(event)
                case DeviceChange():
                    self._device_changed(event)
        return asked

    def look(self, now: float) -> None:
        """Tell what ports and files of bindings are refused or unused for."""
        if self.ports is None:
            return
        if now >= self._all_plugged_in:
            self._all_plugged_in = float("inf")
            for reason in self.bindings.unused(self.ports.devices):
                self._notes.tell_once(f"Bindings not used: {reason}")
        for problem in self.ports.problems:
            self._notes.tell_once(f"MIDI: {problem}")

    def tell(self, now: float, values: Values) -> None:
        """Send values to rings of light and motor faders."""
        if self.ports is None:
            return
        for device in [device for device, due in self._tell_again.items() if now >= due]:
            del self._tell_again[device]
            self._feedback.forget(device)
        connected = [device for device in self.ports.devices if device in self._router.devices]
        sets = [(device, self._router.bindings(device)) for device in connected]
        self._feedback.step(now, values, sets)

    # Learn and bindings

    @property
    def learning(self) -> str | Action | None:
        """What learn waits for a control for."""
        return self._learn.target if self._learn else None

    def learn(self, target: str | Action) -> None:
        """Hear every control, until one is meant for a parameter or an action."""
        self._learn = Learn(target)

    def cancel_learn(self) -> None:
        """Stop waiting for a control."""
        self._learn = None

    def learned(self, now: float) -> tuple[str, Binding] | None:
        """The device and the binding that were meant, once that is clear."""
        return self._learn.result(now) if self._learn else None

    def bind_learned(self, device: str, binding: Binding) -> None:
        """Add what was learned: every knob may stand elsewhere now.

        What is learned again keeps its range, its curve and its takeover.

        Raises:
            ControlError: as `bind`.
        """
        for known in self._router.devices:
            self._router.forget_positions(known)
        before = self._router.bindings(device).bindings
        same = (b for b in before if b.target == binding.target and b.control.overlaps(binding.control))
        again = next(same, None)
        if again is not None:
            binding = replace(again, control=binding.control, mode=binding.mode)
        self.bind(device, binding)

    def loses(self, device: str, binding: Binding) -> list[str]:
        """What a device's control does no longer once it is bound so."""
        return [
            str(other.target)
            for other in self._router.bindings(device).bindings
            if other.control.overlaps(binding.control) and other.target != binding.target
        ]

    def bind(self, device: str, binding: Binding) -> None:
        """Add a binding to a device and keep it in the device's file.

        Raises:
            ControlError: the file cannot be written; the binding is at work all the same.
        """
        bindings = self._router.bindings(device).with_binding(binding)
        self._keep(device, bindings.named(device))

    def bound_to(self, target: str | Action) -> list[tuple[str, str]]:
        """What moves a parameter or calls an action: devices, and their controls as one reads them."""
        return [(device, str(binding.control)) for device, binding in self._router.bound_to(target)]

    def takeovers(self, name: str) -> list[tuple[str, Binding]]:
        """The devices and bindings of a parameter's knobs that take hold of its value."""
        return [(device, binding) for device, binding in self._router.bound_to(name) if binding.takes_over]

    def choose_takeover(self, device: str, binding: Binding, takeover: TakeoverMode | None) -> None:
        """Have one of `takeovers` take hold so from now on; None is as set for all.

        Raises:
            ControlError: the file cannot be written; it is at work all the same.
        """
        bindings = self._router.bindings(device).with_takeover(binding, takeover)
        self._keep(device, bindings.named(device))

    def unbind(self, target: str | Action) -> None:
        """Take every control off a parameter or an action.

        Raises:
            ControlError: a file cannot be written.
        """
        for device, _ in self._router.bound_to(target):
            self._keep(device, self._router.bindings(device).without_target(target).named(device))

    # Inside

    def _take_control(self, event: ControlEvent) -> list[Action]:
        if self._feedback.heard(event):
            return []
        if self._learn is not None:
            self._learn.take(event)
            return []
        return self._router.handle(event)

    def _device_changed(self, event: DeviceChange) -> None:
        device = event.device
        match event.change:
            case Change.GONE:
                self._router.forget_positions(device)
                self._notes.tell(f"{device} is gone")
            case Change.CONNECTED:
                self._router.connect(device, self.bindings.find(device))
                self._notes.tell(f"{device} is there")
                self._notes.tell_once(*self.bindings.refused.values(), *self.bindings.held)
                self._all_plugged_in = event.time + _PLUGGED_IN_SECONDS
            case Change.LISTENS:
                self._feedback.forget(device)
                self._tell_again[device] = event.time + _BOOT_SECONDS

    def _keep(self, device: str, bindings: BindingSet) -> None:
        self._router.connect(device, bindings)
        self.bindings.save(bindings)

    def _send(self, device: str, control: MidiControl, message: Sequence[int]) -> None:
        if self.ports is not None:
            self.ports.send(device, control, message)
