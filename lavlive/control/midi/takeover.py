"""How a knob takes hold of a value without making it jump.

A knob stands somewhere and the value somewhere else, after a preset for example. All positions here are
0 to 1 in the knob's own travel; the value's position can lie outside of that when a binding covers only
part of a parameter's range.
"""

from __future__ import annotations

from enum import Enum

SAME = 1e-6
"""Positions nearer than this are equal."""

_IDLE = 0.25
"""Seconds of rest after which a leap may mean that the knob was turned in another bank."""

_LEAP = 0.05
"""The least step of a leap: more than any controller sends first when a hand begins to turn."""


class TakeoverMode(Enum):
    """The values are the words in bindings files."""

    PICKUP = "pickup"
    JUMP = "jump"
    SCALED = "scaled"


class Takeover:
    """Whether one knob holds its value, and where a move of the knob takes the value.

    Pick-up catches the value when the knob crosses it, however fast; being near is not enough. Scaled
    moves the value at once, never faster than the knob, so that both meet at an end of the travel. Jump
    follows the knob.

    The value counts as moved by somebody else when it is not where this knob left it: after a preset, an
    edit or another knob. Then the knob has to take hold again; nobody needs to tell it.
    """

    def __init__(self, mode: TakeoverMode = TakeoverMode.PICKUP) -> None:
        self.mode = mode
        self._knob: float | None = None
        self._left_at: float | None = None
        self._time = float("-inf")
        self._before_leap: float | None = None
        self._caught = False

    @property
    def knob(self) -> float | None:
        """Where the knob stands, None before its first message."""
        return self._knob

    def holds(self, value: float) -> bool:
        """Whether the knob holds a value at this position."""
        return self._left_at is not None and abs(value - self._left_at) <= SAME

    def ghost(self, value: float) -> float | None:
        """Where to draw the marker of a knob that does not hold its value, None when it does."""
        if self._knob is None or self.mode is TakeoverMode.JUMP or self.holds(value):
            return None
        return self._knob

    def release(self) -> None:
        """Let go; the next crossing takes hold again. For a preset load."""
        self._left_at = None

    def forget(self) -> None:
        """Let go, and no longer know where the knob stands. For a replugged device."""
        self._left_at = self._knob = self._before_leap = None

    def moved(self, position: float, value: float, time: float, others_moved: bool = False) -> float | None:
        """The knob is at `position` now: the value's new position, or None if it stays.

        Args:
            position: the knob's, 0 to 1.
            value: the value's present position in the knob's travel.
            time: seconds, of any steady clock.
            others_moved: whether other controls of the device were used since the last call.
        """
        before, self._knob = self._knob, position
        rested = time - self._time > _IDLE
        self._time = time
        self._caught = True
        if self.mode is TakeoverMode.JUMP:
            return position
        if before is None:
            return position if self.holds(value) or abs(position - value) <= SAME else None
        if self._before_leap is not None:
            before = self._after_leap(before, position)
        elif rested and others_moved and abs(position - before) > _LEAP:
            self._before_leap = before
            return None
        if self.holds(value) or abs(position - value) <= SAME:
            return position
        if self.mode is TakeoverMode.SCALED or not 0.0 <= value <= 1.0:
            moved = _approach(before, position, value)
            self._caught = moved == position
            return moved
        return position if (before - value) * (position - value) <= SAME * SAME else None

    def left(self, value: float) -> None:
        """Tell where the value came to lie after a move, rounded as its kind demands."""
        self._left_at = value if self._caught else None

    def _after_leap(self, leapt_to: float, position: float) -> float:
        """Judge a leap by the step that follows it; returns from where the knob has come.

        A hand that swept goes on in large steps. A knob that was turned in another bank, where its
        messages had another number, goes on in small ones: then it does not hold the value any more.
        """
        start, self._before_leap = self._before_leap, None
        assert start is not None
        leap, step = leapt_to - start, position - leapt_to
        if (leap * step > 0 and abs(step) >= 0.25 * abs(leap)) or position in (0.0, 1.0):
            return start
        self._left_at = None
        return leapt_to


def _approach(before: float, position: float, value: float) -> float | None:
    """The scaled move: what is left of the value's way shrinks as what is left of the knob's does.

    The value never moves further than the knob did.
    """
    step = position - before
    if step == 0.0:
        return None
    end = 1.0 if step > 0 else 0.0
    if (end - value) * step <= 0:
        return None
    share = min(1.0, (end - value) / (end - before)) if end != before else 1.0
    moved = value + step * share
    return position if (value - before) * (moved - position) <= 0 else moved
