"""What hands did, in order, so that it can be taken back and done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lavlive.control.beat.modulation import BeatModulation
from lavlive.control.looks.drives import Drive
from lavlive.control.looks.fader import Fader
from lavlive.link.keyframes import Keyframe
from lavlive.parameters import Value

LEVELS = 50
"""How many steps can be taken back."""

_GESTURE_SECONDS = 1.0
"""Moves of one control that follow each other sooner are one step."""


@dataclass(frozen=True)
class Standing:
    """What a look has besides its values.

    Attributes:
        preset: name of the preset recalled last, or "".
        modulations: what the beat moves, by parameter.
        fader: the presets at the fader's ends.
        snapshots: the values kept under the numbers 1 to 8.
        drives: what sound moves, by parameter.
        keyframes: the moments that were kept.
        mix: name of the model that is mixed in, or "".
    """

    preset: str
    modulations: Mapping[str, BeatModulation]
    fader: Fader
    snapshots: Mapping[int, Mapping[str, Value]]
    drives: Mapping[str, Drive] = field(default_factory=dict)
    keyframes: tuple[Keyframe, ...] = ()
    mix: str = ""


@dataclass(frozen=True)
class Step:
    """What to restore in order to take one thing back.

    Attributes:
        what: what was done, for the performer.
        values: the values that it changed, as they were.
        standing: what else the look had, None where that did not change.
        model: the model to go back to and the one to come from, None where it did not change. A path, or
            None for the bundled model.
    """

    what: str = field(compare=False)
    values: Mapping[str, Value] = field(default_factory=dict)
    standing: Standing | None = None
    model: tuple[str | None, str | None] | None = None


class History:
    """Steps back and steps forward again.

    Things that are done once (a preset, a re-roll, a switch) are a step each. A control in motion is one
    step, at the place in the order at which it began to move, and other controls may move meanwhile. One that
    a hand holds is in motion until it is let go, however long it rests.
    """

    def __init__(self) -> None:
        self._back: list[Step] = []
        self._forward: list[Step] = []
        self._gestures: dict[str, float] = {}
        self._held: dict[str, bool] = {}  # whether it moved since

    def hold(self, control: str) -> None:
        """A hand is on a control now; a second call changes nothing."""
        self._held.setdefault(control, False)

    def let_go(self, control: str) -> None:
        """The hand is off it."""
        self._held.pop(control, None)

    def add(self, step: Step) -> None:
        """Something is about to be done at once."""
        self._end_gestures()
        self._push(step)

    def move(self, control: str, step: Callable[[], Step], now: float) -> None:
        """A control is about to move; `step` is asked for if its motion begins now."""
        rested = now - self._gestures.get(control, float("-inf")) > _GESTURE_SECONDS
        if rested and not self._held.get(control):
            self._push(step())
        self._gestures[control] = now
        if control in self._held:
            self._held[control] = True

    def _end_gestures(self) -> None:
        self._gestures.clear()
        self._held = dict.fromkeys(self._held, False)

    def back(self, present: Callable[[Step], Step]) -> Step | None:
        """The step to restore; None when there is none.

        Args:
            present: what the parts of a step are now, so that it can be done again.
        """
        return self._travel(self._back, self._forward, present)

    def forward(self, present: Callable[[Step], Step]) -> Step | None:
        """The step to restore in order to do again what was taken back last; None when there is none."""
        return self._travel(self._forward, self._back, present)

    def _push(self, step: Step) -> None:
        self._forward.clear()
        self._back.append(step)
        if len(self._back) > LEVELS:
            del self._back[0]

    def _travel(self, source: list[Step], target: list[Step], present: Callable[[Step], Step]) -> Step | None:
        self._end_gestures()
        while source:
            step = source.pop()
            now = present(step)
            if now != step:  # a knob that came back to where it began is nothing to take back
                target.append(now)
                return step
        return None
