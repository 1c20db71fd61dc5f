"""Everything under the performer's hands, joined: the one object that the show talks to.

MIDI ports ─┐
OSC server ─┼─► inboxes ─► Control.step ─► looks ─► values ─► numbers ─► the link
keys, panel ┘                    │
                                 └─► actions that the show does itself
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType

import numpy as np

from lavlive.audio.spec import SourceSpec
from lavlive.control.actions import ACTIONS, Action, check_action
from lavlive.control.beat.tempo import AbletonLink, BeatState, Tempo
from lavlive.control.events import ClockEvent, ControlEvent, MidiControl
from lavlive.control.keyboard import action_for
from lavlive.control.looks.drives import SILENCE, Heard
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.presets import Preset
from lavlive.control.looks.state import ShowState
from lavlive.control.looks.undo import Step
from lavlive.control.looks.waiting import GRIDS, WaitingRoom
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.bindings import Binding, BindingSet
from lavlive.control.midi.feedback import Feedback
from lavlive.control.midi.learn import Learn
from lavlive.control.midi.ports import Change, DeviceChange, MidiPorts
from lavlive.control.midi.system import MidiSystem
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.control.osc.bindings import OscBindings
from lavlive.control.osc.server import OscServer, OscSettings
from lavlive.control.osc.surfaces import Surfaces
from lavlive.control.router import Router
from lavlive.errors import ControlError, LavliveError, PresetError
from lavlive.parameters import ParameterKind, Values, find

_LOCKED = "The keys are locked: Ctrl+L unlocks them"
_WHILE_LOCKED = ("lock", "help")
_BOOT_SECONDS = 2.0
"""A controller that was just plugged in may not listen yet; after this it is told everything again."""
_PLUGGED_IN_SECONDS = 1.0
"""Controllers that hang on one hub come one after another; then it is said which bindings nobody uses."""

_OSC_QUIET_SECONDS = 10.0


class Control:
    """Hands to values; belongs to the stage's main thread, and is a context manager.

    Other threads only fill inboxes; `step` empties them once a picture. Nothing here waits for a device
    or a network, and everything works without them.

    Attributes:
        values: the base values; `numbers` adds what the beat does.
        looks: presets, morphs, snapshots, undo.
        router: bindings at work: ghosts, and what is bound to what.
        tempo: the beat.
        moved_now: what `moved` gave last.
        locked: whether keys do nothing, so that no slip of the hand can; the panel, MIDI and OSC go on.
        latency: seconds from a change of a value to the picture that shows it; the show keeps it up to
            date, and what waits for a beat begins so much earlier.

    Raises:
        ControlError: OSC's address cannot be bound to although it is required, or other settings of OSC
            cannot be used.
    """

    def __init__(
        self,
        values: Values,
        bindings: BindingFolders,
        midi: MidiSystem | None = None,
        midi_only: str | None = None,
        osc: OscSettings | None = None,
        presets: PresetLibrary | None = None,
        ableton: AbletonLink | None = None,
        osc_bindings: OscBindings | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.values = values
        self.looks = Looks(values, presets or PresetLibrary(None, None), chance)
        self.router = Router(values, self.looks.by_hand)
        self.bindings = bindings
        self.tempo = Tempo(ableton)
        self.latency = 0.0
        self.locked = False
        self.midi = MidiPorts(midi, midi_only) if midi is not None else None
        self._feedback = Feedback(self._send_midi)
        self._tell_again: dict[str, float] = {}
        self._all_plugged_in = float("inf")
        self._waiting = WaitingRoom()
        self._learn: Learn | None = None
        self._asked: list[Action] = []
        self._notices: deque[str] = deque(maxlen=32)
        self._noted: set[str] = set()
        self._osc_problem, self._osc_quiet_until = "", float("-inf")
        self._beat_revision = 0
        self._last_numbers = values.numbers.copy()
        self.moved_now: Mapping[str, float] = {}
        self._owner = threading.get_ident()
        self.surfaces = Surfaces(osc, osc_bindings or OscBindings(), self._notices.append)

    def __enter__(self) -> Control:
        if self.midi is not None:
            self.midi.start()
        self.surfaces.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and close every port."""
        if self.midi is not None:
            self.midi.close()
        self.surfaces.close()
        self.tempo.close()

    @property
    def osc(self) -> OscServer | None:
        """The OSC server, None while there is none."""
        return self.surfaces.server

    # What the engine gets

    @property
    def revision(self) -> int:
        """Grows with every change of what `numbers` gives."""
        return self.values.revision + self._beat_revision

    def numbers(self, now: float, heard: Heard = SILENCE) -> np.ndarray:
        """The values for the engine with what beat and sound do to them, float64 in the table's order."""
        numbers = self.looks.numbers(self.tempo.state(now), now, heard)
        if numbers is not self.values.numbers and not np.array_equal(numbers, self._last_numbers):
            self._last_numbers = numbers
            self._beat_revision += 1
        return numbers

    def moved(self, heard: Heard, now: float) -> Mapping[str, float]:
        """The continuous values of what is loaded at run time, with what beat and sound do to them."""
        self.moved_now = self.looks.loaded_numbers(self.tempo.state(now), heard, now)
        return self.moved_now

    # Once a picture

    def step(self, now: float) -> list[Action]:
        """Apply what has come in since the last call; returns what the show has to do itself.

        These are the actions marked `for_show` in `ACTIONS`, ``preset.loaded`` with the preset's name as
        its argument, and ``model.load`` with a model's path, or nothing for the bundled one.

        Raises:
            RuntimeError: called by another thread than the one that made this object.
        """
        if threading.get_ident() != self._owner:
            raise RuntimeError("Control.step belongs to the thread that made the Control.")
        self.looks.now = now
        asked, self._asked = self._asked, []
        asked += self._take_midi(now)
        asked += self._take_osc(now)
        self._finish_learning(now)
        for_show: list[Action] = []
        for action in asked:
            for_show += self.do(action, now)
        state = self.tempo.state(now)
        for action in self._waiting.due(state, self.latency, now):
            for_show += self._perform(action, now)
        self._look_at_files(now)
        self._look_at_ports(now)
        self.looks.step(now)
        self._tell(now)
        return for_show

    @property
    def stirred(self) -> bool:
        """Whether something has come in that `step` has not applied."""
        by_midi = self.midi is not None and len(self.midi.inbox) > 0
        return bool(self._asked) or by_midi or self.surfaces.stirred

    def press(self, key: str, modifiers: Collection[str] = ()) -> bool:
        """A key was pressed; what it does is done by the next `step`. False if it does nothing."""
        action = action_for(key, modifiers)
        if action is None:
            return False
        if self.locked and action.name not in _WHILE_LOCKED:
            self._notices.append(_LOCKED)
            return False
        self._asked.append(action)
        return True

    def ask(self, action: Action) -> None:
        """Do an action at the next `step`, as the panel's buttons want.

        Raises:
            ControlError: it is not in the table, or its argument does not fit.
        """
        self._asked.append(check_action(action))

    def do(self, action: Action, now: float) -> list[Action]:
        """Do an action now, or let it wait for the beat; returns what the show has to do itself."""
        grid = GRIDS.get(str(self.values["show.quantise"]))
        state = self.tempo.state(now)
        if ACTIONS[action.name].quantised and grid is not None and state.known:
            self._waiting.add(action, grid, state, self.latency, now)
            return []
        return self._perform(action, now)

    # What the panel shows and asks for

    @property
    def waiting(self) -> tuple[Action, ...]:
        """Actions that wait for their beat."""
        return self._waiting.actions

    def beat(self, now: float) -> BeatState:
        """The beat at `now`."""
        return self.tempo.state(now)

    def notices(self) -> list[str]:
        """What the performer should read since the last call, one line each."""
        told = list(self._notices)
        self._notices.clear()
        return told

    def edit(self, name: str, value: object, now: float) -> None:
        """Set a parameter from the panel.

        Raises:
            ParameterError: an unknown name or a value out of range.
        """
        self.looks.edit(name, value, now)

    def ghosts(self) -> dict[str, float]:
        """Where knobs stand that have not taken hold of their values: 0 to 1 in the range, by parameter."""
        return self.router.ghosts()

    @property
    def learning(self) -> str | Action | None:
        """What learn waits for a control for."""
        return self._learn.target if self._learn else None

    def learn(self, target: str | Action, takeover: TakeoverMode = TakeoverMode.PICKUP) -> None:
        """Bind the next control that is moved, by MIDI or OSC, to a parameter or an action.

        Raises:
            ParameterError, ControlError: there is no such target.
        """
        if isinstance(target, Action):
            if not ACTIONS[check_action(target).name].from_outside:
                raise ControlError(f"{target} can be done by the keyboard only.")
        elif find(target).guarded:
            raise ControlError(f"{target} is changed in the panel only.")
        self._learn = Learn(target, takeover)
        self.surfaces.learn(target)

    def cancel_learn(self) -> None:
        """Stop waiting for a control."""
        self._learn = None
        self.surfaces.cancel_learn()

    def bind(self, device: str, binding: Binding) -> None:
        """Add a binding to a device and keep it in the device's file.

        Raises:
            ControlError: the file cannot be written.
        """
        bindings = self.router.bindings(device).with_binding(binding)
        self._keep(device, bindings.named(device))

    def bound_to(self, target: str | Action) -> list[tuple[str, str]]:
        """What moves a parameter or calls an action: devices, and their controls as one reads them."""
        by_midi = [(device, str(binding.control)) for device, binding in self.router.bound_to(target)]
        return by_midi + [("OSC", str(binding)) for binding in self.surfaces.bindings.bound_to(target)]

    def unbind(self, target: str | Action) -> None:
        """Take every control off a parameter or an action.

        Raises:
            ControlError: a file cannot be written.
        """
        for device, _ in self.router.bound_to(target):
            self._keep(device, self.router.bindings(device).without_target(target).named(device))
        self.surfaces.unbind(target)

    # State

    def state(self, source: SourceSpec, model: str | None, clean: bool = False) -> ShowState:
        """What a show needs to go on where it was."""
        return ShowState(
            values=dict(self.values),
            preset=self.looks.preset,
            source=source,
            model=model,
            snapshots=dict(self.looks.snapshots),
            keyframes=self.looks.keyframes,
            mix=self.looks.mix,
            clean=clean,
        )

    def restore(self, state: ShowState) -> None:
        """Take up a state again."""
        self.values.update(state.values)
        self.looks.snapshots.update(state.snapshots)
        self.looks.keyframes = state.keyframes
        self.looks.mix = state.mix
        try:
            preset = self.looks.library.find(state.preset) if state.preset else None
        except PresetError:
            return
        if preset is not None:
            self.looks.begin_with(preset)

    # Inside

    def _take_midi(self, now: float) -> list[Action]:
        if self.midi is None:
            return []
        asked: list[Action] = []
        for event in self.midi.inbox.drain():
            match event:
                case ControlEvent():
                    asked += self._take_control(event)
                case ClockEvent():
                    self.tempo.take(event)
                case DeviceChange():
                    self._device_changed(event)
        return asked

    def _take_control(self, event: ControlEvent) -> list[Action]:
        if self._feedback.heard(event):
            return []
        if self._learn is not None:
            self._learn.take(event)
            return []
        return self.router.handle(event)

    def _device_changed(self, event: DeviceChange) -> None:
        device = event.device
        match event.change:
            case Change.GONE:
                self.router.forget_positions(device)
                self._notices.append(f"{device} is gone")
            case Change.CONNECTED:
                self.router.connect(device, self.bindings.find(device))
                self._notices.append(f"{device} is there")
                self._note_refused(self.bindings.refused.values())
                for line in self.bindings.held:
                    self._note_once(line)
                self._all_plugged_in = event.time + _PLUGGED_IN_SECONDS
            case Change.LISTENS:
                self._feedback.forget(device)
                self._tell_again[device] = event.time + _BOOT_SECONDS

    def _finish_learning(self, now: float) -> None:
        learned = self._learn.result(now) if self._learn else None
        if learned is None:
            self._finish_learning_by_osc(now)
            return
        self.cancel_learn()
        device, binding = learned
        for known in self.router.devices:
            self.router.forget_positions(known)
        try:
            self.bind(device, binding)
        except ControlError as reason:
            self._notices.append(str(reason))
        self._notices.append(f"{binding.target}: {binding.control} of {device}")

    def _finish_learning_by_osc(self, now: float) -> None:
        learned = self.surfaces.learned(now)
        if learned is None:
            return
        self.cancel_learn()
        try:
            self.surfaces.bind(learned)
        except ControlError as reason:
            self._notices.append(str(reason))
        self._notices.append(f"{learned.target}: {learned} by OSC")

    def _keep(self, device: str, bindings: BindingSet) -> None:
        self.router.connect(device, bindings)
        self.bindings.save(bindings)

    def _take_osc(self, now: float) -> list[Action]:
        asked: list[Action] = []
        for wish in self.surfaces.take(now, self.values, self.looks.library.names):
            if isinstance(wish, Action):
                asked.append(wish)
            else:
                self.looks.by_hand(wish.name, wish.value)
        return asked

    def _perform(self, action: Action, now: float) -> list[Action]:
        if ACTIONS[action.name].for_show:
            return [action]
        if action.name.startswith("preset."):
            return self._recall(action, now)
        match action.name:
            case "morph.a" | "morph.b":
                self._choose_fader_end(action)
            case "snapshot.store":
                self.looks.store(int(action.argument))
                self._notices.append(f"Snapshot {action.argument} kept")
            case "snapshot.recall":
                if not self.looks.go_back_to(int(action.argument)):
                    self._notices.append(f"Snapshot {action.argument} is empty")
            case "projection.reroll":
                self.looks.reroll()
            case "mix.with":
                self.looks.mix_with("" if action.argument == "off" else action.argument)
            case "keyframe.drop":
                if not self.looks.drop_keyframe():
                    self._notices.append("There is no keyframe to forget")
            case "tap":
                self.tempo.tap(now)
            case "lock":
                self.locked = not self.locked
                self._notices.append(
                    f"The keys are {'locked: Ctrl+L unlocks them' if self.locked else 'free'}"
                )
            case "undo":
                return self._restored(self.looks.undo(), "Undone", "Nothing to undo")
            case "redo":
                return self._restored(self.looks.redo(), "Done again", "Nothing to do again")
            case switch if find(switch).kind is ParameterKind.SWITCH:
                self.looks.by_hand(switch, not self.values[switch])
        return []

    def _restored(self, step: Step | None, done: str, otherwise: str) -> list[Action]:
        """Tell what was restored; a model is the show's to load."""
        self._notices.append(otherwise if step is None else f"{done}: {step.what}")
        if step is None or step.model is None:
            return []
        return [Action("model.load", step.model[0] or "")]

    def _recall(self, action: Action, now: float) -> list[Action]:
        library = self.looks.library
        preset: Preset | None
        try:
            match action.name:
                case "preset.load":
                    preset = library.find(action.argument)
                case "preset.recall":
                    preset = library.on_key(int(action.argument))
                case _:
                    preset = library.neighbour(self.looks.preset, 1 if action.name == "preset.next" else -1)
        except PresetError as reason:
            self._notices.append(str(reason))
            return []
        if preset is None:
            self._notices.append(f"No preset on key {action.argument}" if action.argument else "No presets")
            return []
        self.looks.recall(preset, now)
        self._notices.extend(preset.notes)
        self.router.release()
        return [Action("preset.loaded", preset.name)]

    def _choose_fader_end(self, action: Action) -> None:
        try:
            preset = self.looks.library.find(action.argument)
        except PresetError as reason:
            self._notices.append(str(reason))
        else:
            self.looks.choose_fader_end(0 if action.name == "morph.a" else 1, preset)

    def _look_at_files(self, now: float) -> None:
        changed = self.looks.library.poll(now)
        if changed and self.looks.refresh(changed, now):
            self._notices.append(f"{self.looks.preset} changed on disk")
        self._note_refused(self.looks.library.refused.values())
        for preset in self.looks.library.all():
            for line in preset.held:
                self._note_once(line)
        if now >= self._all_plugged_in and self.midi is not None:
            self._all_plugged_in = float("inf")
            for reason in self.bindings.unused(self.midi.devices):
                self._note_once(f"Bindings not used: {reason}")

    def _look_at_ports(self, now: float) -> None:
        """Tell what ports and messages were refused for; a flood of bad messages is told now and then."""
        for problem in self.midi.problems if self.midi is not None else ():
            self._note_once(f"MIDI: {problem}")
        if self.osc is None or now < self._osc_quiet_until or self.osc.last_problem == self._osc_problem:
            return
        self._osc_problem, self._osc_quiet_until = self.osc.last_problem, now + _OSC_QUIET_SECONDS
        self._notices.append(f"OSC: {self._osc_problem}; {self.osc.counters.bad} messages refused so far")

    def _note_once(self, line: str) -> None:
        if line not in self._noted:
            self._noted.add(line)
            self._notices.append(line)

    def _note_refused(self, errors: Collection[LavliveError]) -> None:
        for error in errors:
            self._note_once(str(error))

    def _tell(self, now: float) -> None:
        if self.midi is not None:
            for device in [device for device, due in self._tell_again.items() if now >= due]:
                del self._tell_again[device]
                self._feedback.forget(device)
            connected = [device for device in self.midi.devices if device in self.router.devices]
            sets = [(device, self.router.bindings(device)) for device in connected]
            self._feedback.step(now, self.values, sets)
        self.surfaces.tell(now, self.values, self.looks.preset)

    def _send_midi(self, device: str, control: MidiControl, message: Sequence[int]) -> None:
        if self.midi is not None:
            self.midi.send(device, control, message)
