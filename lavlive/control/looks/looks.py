"""The look now, and how one look becomes another: presets, morphs, the fader, snapshots, undo."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from lavlive.control.beat.modulation import BeatModulation
from lavlive.control.beat.tempo import BeatState
from lavlive.control.looks.drives import SILENCE, Drive, Heard
from lavlive.control.looks.fader import FADER, Fader
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.morph import Morph
from lavlive.control.looks.movers import Movers, moved_name
from lavlive.control.looks.presets import Preset
from lavlive.control.looks.undo import History, Standing, Step
from lavlive.errors import ParameterError, PresetError
from lavlive.link.keyframes import MOST, Keyframe
from lavlive.parameters import (
    DISSOLVE,
    TRANSITION,
    ParameterKind,
    Value,
    Values,
    can_be_driven,
    checked_settings,
    find,
    is_loaded,
    known,
    loaded_parameters,
)


class Looks:
    """Changes `values` on behalf of presets, edits and hands; belongs to the main thread.

    Attributes:
        values: the base values, before the beat moves them.
        preset: name of the preset recalled last, or "".
        snapshots: values kept under the numbers 1 to 8.
        keyframes: moments that were kept, up to 16; another tuple with every change.
        mix: the model that is mixed in, by its name in the bank, or "".
        chance: where re-rolls come from.
        now: seconds of the clock; whoever owns this keeps it up to date.
        bank: the models that presets may name, from a name to what is loaded for it.
        model: what is loaded now; the show keeps it up to date. None without one.
    """

    def __init__(self, values: Values, library: PresetLibrary, chance: random.Random | None = None) -> None:
        self.values = values
        self.library = library
        self.preset = ""
        self.snapshots: dict[int, Mapping[str, Value]] = {}
        self.keyframes: tuple[Keyframe, ...] = ()
        self.mix = ""
        self._movers = Movers()
        self._morph: Morph | None = None
        self._walk: Morph | None = None
        self._fader = Fader()
        self.now = 0.0
        self._history = History()
        self.chance = chance or random.Random()
        self.bank: Mapping[str, str] = {}
        self.model: str | None = None
        self._asked: str | None = None
        self._transition: float | None = None

    @property
    def modulations(self) -> Mapping[str, BeatModulation]:
        """What the beat moves, by parameter."""
        return self._movers.modulations

    @property
    def drives(self) -> Mapping[str, Drive]:
        """What sound moves, by parameter."""
        return self._movers.drives

    @property
    def morphing(self) -> bool:
        """Whether a morph is under way."""
        return self._morph is not None

    @property
    def fader_ends(self) -> tuple[str, str]:
        """Names of the presets at the fader's ends, "" where none is chosen."""
        return self._fader.names

    def by_hand(self, name: str, value: Value) -> None:
        """A performer moved a parameter: it stays there, whatever morph is under way."""
        self._remember(name, value)
        self._move(name, value)

    def _move(self, name: str, value: Value) -> None:
        self._leave_to_hand(name)
        self._set(name, value)
        if name == FADER:
            self._follow_fader()

    def _leave_to_hand(self, name: str) -> None:
        """Let a parameter no longer go anywhere by itself."""
        for motion in (self._morph, self._walk):
            if motion is not None:
                motion.leave(name)

    def hold(self, name: str) -> None:
        """A hand is on a parameter in the panel: what it does until `let_go` is one thing to take back."""
        self._history.hold(name)

    def let_go(self, name: str) -> None:
        """The hand is off it."""
        self._history.let_go(name)

    def edit(self, name: str, value: object, now: float) -> None:
        """An edit in the panel.

        Raises:
            ParameterError: an unknown name or a value out of range.
        """
        self.now = now
        self.by_hand(name, find(name).check(value))

    def edit_together(self, what: str, settings: Mapping[str, object], now: float) -> None:
        """An edit of several continuous parameters at once, such as a point's two: one thing to take back.

        Raises:
            ParameterError: an unknown name or a value out of range.
        """
        self.now = now
        checked = checked_settings(settings)
        if any(self._settled(name) != value for name, value in checked.items()):
            self._history.move(what, lambda: self._step(what, checked), now)
        for name, value in checked.items():
            self._move(name, value)

    def walk_to(self, settings: Mapping[str, object], seconds: float, now: float) -> None:
        """Have parameters go somewhere by themselves, as in a morph: one thing to take back.

        Raises:
            ParameterError: an unknown name or a value out of range.
        """
        self.now = now
        checked = checked_settings(settings)
        self._history.add(self._step(", ".join(checked), checked))
        for name in checked:
            self._leave_to_hand(name)
        self._walk = Morph(self.values, checked, now, seconds)
        self.step(now)

    def begin_with(self, preset: Preset) -> None:
        """Count a preset as recalled whose values are set already, as at the start of a show."""
        self.preset = preset.name
        self._movers.modulations, self._movers.drives = dict(preset.beat), dict(preset.drives)
        self.keyframes = preset.keyframes or self.keyframes
        self.mix = preset.mix or self.mix

    def begin_with_points(self, points: Sequence[Keyframe]) -> None:
        """Have these keyframes first, before those of a preset, as at the start of a show."""
        self.keyframes = (*points, *self.keyframes)[:MOST]

    def recall(self, preset: Preset, now: float, seconds: float | None = None) -> None:
        """Morph to a preset over `seconds`, or over ``show.morph``."""
        step = self._step(preset.name or "default look", preset.values, standing=True)
        wanted = self._ask_model(preset)
        self._history.add(step if wanted is None else replace(step, model=(self.model, wanted)))
        if seconds is None:
            seconds = self.values.number("show.morph")
            if self.transitions and seconds > 0.0:
                self._transition, seconds = seconds, 0.0
        self._go_to(preset, now, seconds)

    def refresh(self, changed: list[str], now: float) -> bool:
        """Follow a preset's file: if the present preset changed on disk, look like it; True then."""
        if self.preset not in changed:
            return False
        preset = self.library.find(self.preset)
        self._ask_model(preset)
        self._go_to(preset, now, 0.0)
        return True

    @property
    def transitions(self) -> bool:
        """Whether looks follow each other by a transition, where there is one, rather than by a morph."""
        with contextlib.suppress(ParameterError):  # without a rack there is no such choice
            return self.values[TRANSITION] != DISSOLVE
        return False

    def take_transition(self) -> float | None:
        """Seconds of the transition to a preset that was recalled since the last call, None without one."""
        asked, self._transition = self._transition, None
        return asked

    def take_asked_model(self) -> str | None:
        """The model that a preset asked for since the last call, for the show to load."""
        asked, self._asked = self._asked, None
        return asked

    def _ask_model(self, preset: Preset) -> str | None:
        """Ask for a preset's model if the bank has it and another one is loaded."""
        wanted = self.bank.get(preset.model)
        if wanted is None or wanted == self.model:
            return None
        self._asked = wanted
        return wanted

    def choose_fader_end(self, end: int, preset: Preset) -> None:
        """Put a preset at the fader's lower (0) or upper (1) end."""
        self._history.add(self._step(f"fader's end {preset.name}", (), standing=True))
        self._fader = self._fader.choose(end, preset)

    def store(self, number: int) -> None:
        """Keep the present values under a number from 1 to 8."""
        self._history.add(self._step(f"storing snapshot {number}", (), standing=True))
        self.snapshots[number] = self.values.saved()

    def go_back_to(self, number: int) -> bool:
        """Take kept values at once; False where none are kept."""
        kept = self.snapshots.get(number)
        if kept is None:
            return False
        self._history.add(self._step(f"snapshot {number}", kept, standing=True))
        self._end_morph()
        self._walk = None
        self._set_all(kept)
        return True

    def keep(self, keyframe: Keyframe) -> bool:
        """Keep a moment of the show; False where there are 16 already."""
        return self.keep_all((keyframe,)) == 1

    def keep_all(self, keyframes: Sequence[Keyframe]) -> int:
        """Keep as many of these as there is room for; how many."""
        room = keyframes[: MOST - len(self.keyframes)]
        if room:
            what = f"{len(room)} keyframes" if len(room) > 1 else f"keyframe {len(self.keyframes) + 1}"
            self._history.add(self._step(what, (), standing=True))
            self.keyframes = (*self.keyframes, *room)
        return len(room)

    def drop_keyframe(self) -> bool:
        """Forget the moment kept last; False where there is none."""
        if not self.keyframes:
            return False
        self._history.add(self._step("forgetting a keyframe", (), standing=True))
        self.keyframes = self.keyframes[:-1]
        return True

    def mix_with(self, name: str) -> None:
        """Mix in the model of that name in the bank, "" for none."""
        if name != self.mix:
            self._history.add(self._step(f"mixing with {name or 'no model'}", (), standing=True))
            self.mix = name

    def reroll(self) -> None:
        """Take another random projection than the present one."""
        present = int(self.values["projection.seed"])
        other = self.chance.randrange(9999)
        self._history.add(self._step("re-roll", ("projection.seed",)))
        self._move("projection.seed", other + (other >= present))

    def changed_model(self, before: str | None, after: str | None) -> None:
        """The performer chose another model; paths, None for the bundled one."""
        self._history.add(Step("model", model=(before, after)))

    def undo(self) -> Step | None:
        """Take back the last thing that hands did; returns what was restored, None if there is nothing.

        A step with a model is only half done here: whoever calls has to load it.
        """
        return self._restore(self._history.back(self._present))

    def redo(self) -> Step | None:
        """Do again what was taken back last; as `undo`."""
        return self._restore(self._history.forward(self._present))

    def _remember(self, name: str, value: Value) -> None:
        """Take note of a move of a parameter before it happens.

        What protects the audience is not in the history: taking a step back must never turn it off.
        """
        parameter = find(name)
        if parameter.guarded or self._settled(name) == value:
            return
        if name == FADER:
            names = self._fader.parameters
            self._history.move(name, lambda: self._step(name, names, standing=True), self.now)
        elif parameter.kind in (ParameterKind.CONTINUOUS, ParameterKind.INTEGER):
            self._history.move(name, lambda: self._step(name, (name,)), self.now)
        else:
            self._history.add(self._step(name, (name,)))

    def _settled(self, name: str) -> Value:
        """A parameter's value, or where it goes by itself."""
        for motion in (self._walk, self._morph):
            target = motion.target(name) if motion is not None else None
            if target is not None:
                return target
        return self.values[name]

    def _step(self, what: str, names: Iterable[str], standing: bool = False) -> Step:
        values = {name: self._settled(name) for name in names if known(name) is not None}
        if not standing:
            return Step(what, values)
        look = Standing(
            self.preset,
            dict(self.modulations),
            self._fader,
            dict(self.snapshots),
            dict(self.drives),
            self.keyframes,
            self.mix,
        )
        return Step(what, values, look)

    def _present(self, step: Step) -> Step:
        now = self._step(step.what, step.values, standing=step.standing is not None)
        return now if step.model is None else replace(now, model=(step.model[1], step.model[0]))

    def _restore(self, step: Step | None) -> Step | None:
        if step is None:
            return None
        if step.standing is not None:
            self._end_morph()
            self.preset = step.standing.preset
            self._movers.modulations = dict(step.standing.modulations)
            self._movers.drives = dict(step.standing.drives)
            self.keyframes = step.standing.keyframes
            self.mix = step.standing.mix
            self._fader = step.standing.fader
            self.snapshots.clear()
            self.snapshots.update(step.standing.snapshots)
        for name, value in step.values.items():
            self._leave_to_hand(name)
            self._set(name, value)
        return step

    def as_preset(self, name: str, description: str = "", key: int | None = None) -> Preset:
        """The present look as a preset, to be saved."""
        model = next((known for known, loads in self.bank.items() if loads == self.model), "")
        return Preset(
            name,
            description,
            key,
            self.values.saved(),
            dict(self.modulations),
            model=model,
            drives=self._movers.of_what_is_there(self.values),
            keyframes=self.keyframes,
            mix=self.mix,
        )

    def save(self, name: str, description: str = "", key: int | None = None) -> Preset:
        """Save the present look under a name in the user's folder, and count it as recalled.

        Raises:
            PresetError: a name that cannot be used, or a folder that cannot be written to.
        """
        saved = self.library.save(self.as_preset(name, description, key))
        self.preset = saved.name
        return saved

    def rename(self, old: str, new: str) -> Preset:
        """Rename a preset; see `PresetLibrary.rename`."""
        renamed = self.library.rename(old, new)
        if self.preset.lower() == old.strip().lower():
            self.preset = renamed.name
        return renamed

    def modulate(self, modulation: BeatModulation) -> None:
        """Let the beat move a parameter.

        Raises:
            PresetError: the parameter is not continuous.
        """
        if find(modulation.name).kind is not ParameterKind.CONTINUOUS:
            raise PresetError(f"{modulation.name} is not continuous; the beat cannot move it.")
        self._remember_beat(modulation.name)
        self._movers.modulations = {**self.modulations, modulation.name: modulation}

    def stop_modulating(self, name: str) -> None:
        """Let the beat no longer move a parameter."""
        self._remember_beat(name)
        self._movers.modulations = {key: kept for key, kept in self.modulations.items() if key != name}

    def drive(self, drive: Drive) -> None:
        """Let sound move a parameter of a shader, or of what hands do in W.

        Raises:
            PresetError: the parameter is not continuous, or none of these.
        """
        if find(drive.name).kind is not ParameterKind.CONTINUOUS or not can_be_driven(drive.name):
            raise PresetError(
                f"{drive.name} is no continuous input of a shader and no dial; sound cannot move it."
            )
        what = f"the drive of {drive.name}"
        self._history.move(what, lambda: self._step(what, (), standing=True), self.now)
        self.drive_by({**self.drives, drive.name: drive})

    def stop_driving(self, name: str) -> None:
        """Let sound no longer move a parameter."""
        what = f"the drive of {name}"
        self._history.move(what, lambda: self._step(what, (), standing=True), self.now)
        self.drive_by({key: kept for key, kept in self.drives.items() if key != name})

    def drive_by(self, drives: Mapping[str, Drive]) -> None:
        """Let sound move these and nothing else; nothing to take back."""
        self._movers.drives = dict(drives)

    def exchange(self, one: str, other: str) -> None:
        """Let two slots of the rack change places, with all that is set and moves in them."""
        slots = {one: other, other: one}
        loaded = [p.name for p in loaded_parameters(self.values.__getitem__)]
        present = [name for name in loaded if name.partition(".")[0] in slots]
        moved = {moved_name(name, slots): self.values[name] for name in present}
        self._history.add(self._step(f"{one} and {other}", {*moved, *present}, standing=True))
        self._set_all(moved)
        self._movers.exchange(slots)

    def _remember_beat(self, name: str) -> None:
        what = f"the beat of {name}"
        self._history.move(what, lambda: self._step(what, (), standing=True), self.now)

    def step(self, now: float) -> None:
        """Advance a morph, and what goes somewhere by itself."""
        self.now = now
        if self._morph is not None:
            self._set_all(self._morph.at(now))
            if self._morph.over(now):
                self._end_morph()
        if self._walk is not None:
            self._set_all(self._walk.at(now))
            if self._walk.over(now):
                self._walk = None

    def numbers(self, state: BeatState, now: float, heard: Heard = SILENCE) -> np.ndarray:
        """The values with what beat and sound do to them, float64 in the table's order."""
        return self._movers.numbers(self.values, state, heard, self._morphed(now))

    def loaded_numbers(self, state: BeatState, heard: Heard, now: float) -> dict[str, float]:
        """The continuous values of what is loaded at run time, with what beat and sound do to them."""
        return self._movers.loaded_numbers(self.values, state, heard, self._morphed(now))

    def _morphed(self, now: float) -> float:
        """How far a morph has come; 1 where there is none."""
        return self._morph.share(now) if self._morph is not None else 1.0

    def _go_to(self, preset: Preset, now: float, seconds: float) -> None:
        self._movers.go_to(preset.beat, preset.drives)
        self.keyframes = preset.keyframes or self.keyframes
        self.mix = preset.mix or self.mix
        self._morph, self._walk = Morph(self.values, preset.values, now, seconds), None
        self.preset = preset.name
        self.step(now)

    def _end_morph(self) -> None:
        self._morph = None
        self._movers.settle()

    def _follow_fader(self) -> None:
        look = self._fader.at(self.values.number(FADER))
        if look is None:
            return
        self._end_morph()
        self._walk = None
        self._set_all(look.values)
        if look.name != self.preset:
            self._ask_model(look)
        self.preset = look.name
        self._movers.modulations, self._movers.drives = look.beat, look.drives

    def _set(self, name: str, value: Value) -> None:
        if is_loaded(name):
            # The file of the shader may have changed or gone since the value was kept.
            try:
                value = find(name).hold(value)[0]
            except ParameterError:
                return
        if self.values[name] != value:
            self.values.set(name, value)

    def _set_all(self, values: Mapping[str, Value]) -> None:
        for name, value in values.items():
            self._set(name, value)
