"""Everything under the performer's hands, joined: the one object that the show talks to.

MIDI ports ─┐
OSC, phones ┼─► inboxes ─► Control.step ─► looks ─► values ─► numbers ─► the link
keys, panel ┘                    │
                                 └─► actions that the show does itself
"""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Mapping
from types import TracebackType

import numpy as np

from lavlive.audio.spec import SourceSpec
from lavlive.control.actions import ACTIONS, Action, check_action
from lavlive.control.beat.tempo import AbletonLink, BeatState, Tempo
from lavlive.control.keyboard import LOCKED, action_for
from lavlive.control.looks.drives import SILENCE, Heard
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.state import ShowState
from lavlive.control.looks.waiting import GRIDS, WaitingRoom
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.bindings import Binding
from lavlive.control.midi.controllers import Controllers
from lavlive.control.midi.ports import MidiPorts
from lavlive.control.midi.system import MidiSystem
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.control.notes import Notes
from lavlive.control.osc.bindings import OscBindings
from lavlive.control.osc.server import OscServer, OscSettings
from lavlive.control.osc.surfaces import Surfaces
from lavlive.control.osc.wishes import SetParameter
from lavlive.control.performing import perform
from lavlive.control.remote.messages import Nudge, Touched, nudged
from lavlive.control.remote.remote import Remote, RemoteSettings
from lavlive.control.router import Router
from lavlive.control.settings import Settings
from lavlive.errors import ControlError, PresetError
from lavlive.parameters import Values, find, known

_WHILE_LOCKED = ("lock", "help")


class Control:
    """Hands to values; belongs to the stage's main thread, and is a context manager.

    Other threads only fill inboxes; `step` empties them once a picture. Nothing here waits for a device
    or a network, and everything works without them.

    Attributes:
        values: the base values; `numbers` adds what the beat does.
        looks: presets, morphs, snapshots, undo.
        router: bindings at work, and where knobs stand.
        controllers, surfaces, remote: who moves them, by MIDI, by OSC and by the phones' page.
        notes: lines for the performer.
        settings: what was chosen once and for all.
        tempo: the beat.
        moved_now: what `moved` gave last.
        locked: whether keys do nothing, so that no slip of the hand can; the panel, MIDI and OSC go on.
        latency: seconds from a change of a value to the picture that shows it; the show keeps it up to
            date, and what waits for a beat begins so much earlier.

    Raises:
        ControlError: OSC's address cannot be bound to although it is required, or other settings of OSC
            or of the remote cannot be used.
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
        settings: Settings | None = None,
        remote: RemoteSettings | None = None,
    ) -> None:
        self.values = values
        library = presets if presets is not None else PresetLibrary(None, None)
        self.looks = Looks(values, library, chance)
        self.router = Router(values, self.looks.by_hand)
        self.tempo = Tempo(ableton)
        self.latency = 0.0
        self.locked = False
        self.notes = Notes()
        self.settings = settings or Settings()
        self.notes.tell_once(*self.settings.problems)
        self.router.set_takeover(TakeoverMode(self.settings.chosen.takeover))
        ports = MidiPorts(midi, midi_only) if midi is not None else None
        self.controllers = Controllers(ports, self.router, bindings, self.notes)
        self._waiting = WaitingRoom()
        self._asked: list[Action] = []
        self._beat_revision = 0
        self._last_numbers = values.numbers.copy()
        self.moved_now: Mapping[str, float] = {}
        self._owner = threading.get_ident()
        self.surfaces = Surfaces(osc, osc_bindings or OscBindings(), self.notes.tell)
        self.remote = Remote(remote or RemoteSettings(), self.notes.tell)

    def __enter__(self) -> Control:
        self.controllers.start()
        self.surfaces.start()
        self.remote.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and close every port."""
        self.controllers.close()
        self.surfaces.close()
        self.remote.close()
        self.tempo.close()

    @property
    def midi(self) -> MidiPorts | None:
        """The MIDI ports, None without a MIDI system."""
        return self.controllers.ports

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
        asked += self.controllers.take(self.tempo)
        asked += self._take_osc(now)
        asked += self._take_phones()
        self._finish_learning(now)
        for_show: list[Action] = []
        for action in asked:
            for_show += self.do(action, now)
        state = self.tempo.state(now)
        for action in self._waiting.due(state, self.latency, now):
            for_show += perform(self, action, now)
        self._look_at_files(now)
        self.controllers.look(now)
        self.surfaces.look(now)
        self.remote.look(now)
        self.looks.step(now)
        self.controllers.tell(now, self.values)
        self.surfaces.tell(now, self.values, self.looks.preset)
        return for_show

    @property
    def stirred(self) -> bool:
        """Whether something has come in that `step` has not applied."""
        hands = (self.controllers, self.surfaces, self.remote)
        return bool(self._asked) or any(hand.stirred for hand in hands)

    def press(self, key: str, modifiers: Collection[str] = ()) -> bool:
        """A key was pressed; what it does is done by the next `step`. False if it does nothing."""
        action = action_for(key, modifiers)
        if action is None:
            return False
        if self.locked and action.name not in _WHILE_LOCKED:
            self.notes.tell(LOCKED)
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
        return perform(self, action, now)

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
        return self.notes.take()

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
        return self.controllers.learning

    def learn(self, target: str | Action) -> None:
        """Bind the next control that is moved, by MIDI or OSC, to a parameter or an action.

        Raises:
            ParameterError, ControlError: there is no such target.
        """
        if isinstance(target, Action):
            if not ACTIONS[check_action(target).name].from_outside:
                raise ControlError(f"{target} can be done by the keyboard only.")
        elif find(target).guarded:
            raise ControlError(f"{target} is changed in the panel only.")
        self.controllers.learn(target)
        self.surfaces.learn(target)

    def cancel_learn(self) -> None:
        """Stop waiting for a control."""
        self.controllers.cancel_learn()
        self.surfaces.cancel_learn()

    def bound_to(self, target: str | Action) -> list[tuple[str, str]]:
        """What moves a parameter or calls an action: devices, and their controls as one reads them."""
        by_osc = [("OSC", str(binding)) for binding in self.surfaces.bindings.bound_to(target)]
        return self.controllers.bound_to(target) + by_osc

    def takeovers(self, name: str) -> list[tuple[str, Binding]]:
        """The devices and bindings of a parameter's knobs that take hold of its value."""
        return self.controllers.takeovers(name)

    def choose_takeover(self, device: str, binding: Binding, takeover: TakeoverMode | None) -> None:
        """Have one of `takeovers` take hold so from now on; None is as set for all.

        Raises:
            ControlError: the file cannot be written; it is at work all the same.
        """
        self.controllers.choose_takeover(device, binding, takeover)

    @property
    def takeover(self) -> TakeoverMode:
        """How knobs take hold of their values whose binding does not say."""
        return self.router.takeover

    def set_takeover(self, takeover: TakeoverMode) -> None:
        """Have them take hold so, in this show and the next ones.

        Raises:
            ControlError: it cannot be kept for the next ones.
        """
        self.router.set_takeover(takeover)
        self.settings.change(takeover=takeover.value)

    def unbind(self, target: str | Action) -> None:
        """Take every control off a parameter or an action.

        Raises:
            ControlError: a file cannot be written.
        """
        self.controllers.unbind(target)
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
            remote=self.remote.place if self.remote.wanted else None,
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

    def _finish_learning(self, now: float) -> None:
        waits = self.learning
        if isinstance(waits, str) and known(waits) is None:
            self.cancel_learn()
            self.notes.tell(f"No shader has {waits} any more: nothing is learned for it")
            return
        by_midi = self.controllers.learned(now)
        by_osc = self.surfaces.learned(now) if by_midi is None else None
        if by_midi is None and by_osc is None:
            return
        self.cancel_learn()
        lost = self.controllers.loses(*by_midi) if by_midi is not None else []
        try:
            if by_midi is not None:
                self.controllers.bind_learned(*by_midi)
            elif by_osc is not None:
                self.surfaces.bind(by_osc)
        except ControlError as reason:
            self.notes.tell(reason)
        if by_midi is not None:
            device, binding = by_midi
            how = f", {(binding.takeover or self.takeover).value}" if binding.takes_over else ""
            instead = f"; it no longer does {', '.join(lost)}" if lost else ""
            self.notes.tell(f"{binding.target}: {binding.control} of {device}{how}{instead}")
        elif by_osc is not None:
            self.notes.tell(f"{by_osc.target}: {by_osc} by OSC")

    def _look_at_files(self, now: float) -> None:
        library = self.looks.library
        changed = library.poll(now)
        if changed and self.looks.refresh(changed, now):
            self.notes.tell(f"{self.looks.preset} changed on disk")
        self.notes.tell_once(*library.refused.values())
        self.notes.tell_once(*(line for preset in library.all() for line in preset.held))

    def _take_osc(self, now: float) -> list[Action]:
        asked: list[Action] = []
        for wish in self.surfaces.take(now, self.values, self.looks.library.names):
            if isinstance(wish, Action):
                asked.append(wish)
            else:
                self.looks.by_hand(wish.name, wish.value)
        return asked

    def _take_phones(self) -> list[Action]:
        asked: list[Action] = []
        for wish in self.remote.take():
            match wish:
                case Action():
                    asked.append(wish)
                case Touched(name=name, on=on):
                    (self.looks.hold if on else self.looks.let_go)(name)
                case Nudge(name=name, by=by):
                    self.looks.by_hand(name, nudged(find(name), self.values[name], by))
                case SetParameter(name=name, value=value):
                    self.looks.by_hand(name, value)
        return asked
