"""What can be done besides moving a parameter, and by whom.

The keyboard, MIDI bindings, OSC and the panel all speak of the same actions. Most of them the controls
do themselves; the rest (`Action`s that `Control.step` returns) belong to the show.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from lavlive.errors import ControlError


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do once, such as ``preset.load`` with the preset's name as its argument."""

    name: str
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.argument}".strip()


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One row of the table of actions.

    Attributes:
        help: one line for a performer.
        argument: what the argument is, empty where there is none.
        from_outside: whether MIDI and OSC may ask for it.
        quantised: whether it waits for the beat that ``show.quantise`` names.
        for_show: whether `Control.step` hands it to the show.
    """

    help: str
    argument: str = ""
    from_outside: bool = True
    quantised: bool = False
    for_show: bool = False


ACTIONS: Mapping[str, ActionSpec] = {
    "preset.load": ActionSpec("morph to a preset", "preset's name", quantised=True),
    "preset.recall": ActionSpec("morph to the preset on a number key", "number 0 to 9", quantised=True),
    "preset.next": ActionSpec("morph to the next preset", quantised=True),
    "preset.previous": ActionSpec("morph to the preset before", quantised=True),
    "morph.a": ActionSpec("choose the preset at the fader's lower end", "preset's name"),
    "morph.b": ActionSpec("choose the preset at the fader's upper end", "preset's name"),
    "snapshot.store": ActionSpec("keep the present values", "number 1 to 8"),
    "snapshot.recall": ActionSpec("go back to kept values at once", "number 1 to 8", quantised=True),
    "projection.reroll": ActionSpec("take another random projection", quantised=True),
    "projection.hold": ActionSpec("stop the walk between two projections, or go on"),
    "show.blackout": ActionSpec("fade to black, or come back"),
    "show.freeze": ActionSpec("hold the picture, or go on"),
    "keyframe.keep": ActionSpec("keep this moment as a keyframe", for_show=True),
    "keyframe.drop": ActionSpec("forget the keyframe kept last"),
    "mix.with": ActionSpec("mix another model in, as far as the mix knobs say", "model's name, or off"),
    "tap": ActionSpec("tap the tempo"),
    "undo": ActionSpec("take back the last thing that hands did"),
    "redo": ActionSpec("do again what was taken back last"),
    "model.next": ActionSpec("fade to the next model", quantised=True, for_show=True),
    "model.previous": ActionSpec("fade to the model before", quantised=True, for_show=True),
    "source.next": ActionSpec("listen to the next: input, loopback, track", for_show=True),
    "source.input": ActionSpec("listen to an input", "device's name, or default", for_show=True),
    "source.loopback": ActionSpec(
        "listen to what an output plays", "device's name, or default", for_show=True
    ),
    "source.track": ActionSpec("listen to a track of this show", "part of its name", for_show=True),
    "source.demo": ActionSpec("listen to the demo track", for_show=True),
    "record": ActionSpec("begin or end a recording", for_show=True),
    "output.stream": ActionSpec("begin or end the stream", for_show=True),
    "output.ndi": ActionSpec("give the canvas away by NDI, or end it", for_show=True),
    "output.camera": ActionSpec("be a camera for other programs, or end it", for_show=True),
    "output.syphon": ActionSpec("share the canvas by Syphon, or end it", for_show=True),
    "output.spout": ActionSpec("share the canvas by Spout, or end it", for_show=True),
    "mapping.edit": ActionSpec("edit what is shown where, or end it", for_show=True),
    "mapping.pattern": ActionSpec("show a test pattern on all screens, or the canvas again", for_show=True),
    "mapping.identify": ActionSpec("show each screen's number for some seconds", for_show=True),
    "fullscreen": ActionSpec("full screen on or off", from_outside=False, for_show=True),
    "panel": ActionSpec("show or hide the panel", from_outside=False, for_show=True),
    "learn": ActionSpec("learn a control for the chosen parameter", from_outside=False, for_show=True),
    "help": ActionSpec("show the keys, in the panel or the terminal", from_outside=False, for_show=True),
    "lock": ActionSpec("lock the keys against slips of the hand, or unlock them", from_outside=False),
    "quit": ActionSpec("end the show", from_outside=False, for_show=True),
}
"""Every action, in the order in which the reference shows it."""

_LONGEST_ARGUMENT = 64


def parse_action(text: str) -> Action:
    """Read ``name`` or ``name argument``, as bindings files have it.

    Raises:
        ControlError: an unknown name, or an argument missing, too much or too long.
    """
    name, _, argument = text.strip().partition(" ")
    return check_action(Action(name, argument.strip()))


def check_action(action: Action) -> Action:
    """The action itself, when it is in the table and its argument fits.

    Raises:
        ControlError: an unknown name, or an argument missing, too much or too long.
    """
    if action.name not in ACTIONS:
        near = difflib.get_close_matches(action.name, ACTIONS, n=1, cutoff=0.0)
        raise ControlError(f"There is no action {action.name!r}; did you mean {near[0]}?")
    spec = ACTIONS[action.name]
    if bool(spec.argument) != bool(action.argument):
        wanted = f"takes a {spec.argument}" if spec.argument else "takes nothing after it"
        raise ControlError(f"{action.name} {wanted}.")
    if len(action.argument) > _LONGEST_ARGUMENT:
        raise ControlError(f"{action.name} takes a {spec.argument} of at most {_LONGEST_ARGUMENT} letters.")
    if spec.argument.startswith("number"):
        low, high = (0, 9) if "0" in spec.argument else (1, 8)
        if not (
            action.argument.isascii() and action.argument.isdigit() and low <= int(action.argument) <= high
        ):
            raise ControlError(f"{action.name} takes a {spec.argument}, not {action.argument!r}.")
    return action
