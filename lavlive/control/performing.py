"""What actions do under the performer's hands: presets, snapshots, undo, the beat, switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lavlive.control.actions import ACTIONS, Action
from lavlive.control.keyboard import LOCKED
from lavlive.control.looks.presets import Preset
from lavlive.control.looks.undo import Step
from lavlive.errors import PresetError
from lavlive.parameters import ParameterKind, find

if TYPE_CHECKING:
    from lavlive.control.control import Control


def perform(control: Control, action: Action, now: float) -> list[Action]:
    """Do an action; returns what the show has to do itself."""
    if ACTIONS[action.name].for_show:
        return [action]
    if action.name.startswith("preset."):
        return _recall(control, action, now)
    match action.name:
        case "morph.a" | "morph.b":
            _choose_fader_end(control, action)
        case "snapshot.store":
            control.looks.store(int(action.argument))
            control.notes.tell(f"Snapshot {action.argument} kept")
        case "snapshot.recall":
            if not control.looks.go_back_to(int(action.argument)):
                control.notes.tell(f"Snapshot {action.argument} is empty")
        case "projection.reroll":
            control.looks.reroll()
        case "mix.with":
            control.looks.mix_with("" if action.argument == "off" else action.argument)
        case "keyframe.drop":
            if not control.looks.drop_keyframe():
                control.notes.tell("There is no keyframe to forget")
        case "tap":
            control.tempo.tap(now)
        case "lock":
            control.locked = not control.locked
            control.notes.tell(LOCKED if control.locked else "The keys are free")
        case "undo":
            return _restored(control, control.looks.undo(), "Undone", "Nothing to undo")
        case "redo":
            return _restored(control, control.looks.redo(), "Done again", "Nothing to do again")
        case switch if find(switch).kind is ParameterKind.SWITCH:
            control.looks.by_hand(switch, not control.values[switch])
    return []


def _restored(control: Control, step: Step | None, done: str, otherwise: str) -> list[Action]:
    """Tell what was restored; a model is the show's to load."""
    control.notes.tell(otherwise if step is None else f"{done}: {step.what}")
    if step is None or step.model is None:
        return []
    return [Action("model.load", step.model[0] or "")]


def _recall(control: Control, action: Action, now: float) -> list[Action]:
    library = control.looks.library
    preset: Preset | None
    try:
        match action.name:
            case "preset.load":
                preset = library.find(action.argument)
            case "preset.recall":
                preset = library.on_key(int(action.argument))
            case _:
                preset = library.neighbour(control.looks.preset, 1 if action.name == "preset.next" else -1)
    except PresetError as reason:
        control.notes.tell(str(reason))
        return []
    if preset is None:
        control.notes.tell(f"No preset on key {action.argument}" if action.argument else "No presets")
        return []
    control.looks.recall(preset, now)
    control.notes.tell_all(preset.notes)
    control.router.release()
    return [Action("preset.loaded", preset.name)]


def _choose_fader_end(control: Control, action: Action) -> None:
    try:
        preset = control.looks.library.find(action.argument)
    except PresetError as reason:
        control.notes.tell(str(reason))
    else:
        control.looks.choose_fader_end(0 if action.name == "morph.a" else 1, preset)
