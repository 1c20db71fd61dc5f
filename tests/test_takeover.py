"""A knob takes hold of a value without making it jump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavlive.control.midi.takeover import SAME, Takeover, TakeoverMode

positions = st.integers(0, 127).map(lambda raw: raw / 127)
turns = st.tuples(
    positions, st.sampled_from([0.002, 0.5]), st.booleans(), st.one_of(st.none(), st.none(), st.floats(0, 1))
)


class Hand:
    """Turns a knob on a value, and remembers how far each moved."""

    def __init__(self, mode: TakeoverMode, value: float) -> None:
        self.takeover = Takeover(mode)
        self.value = value
        self.time = 0.0

    def turn(
        self, position: float, seconds: float = 0.005, others_moved: bool = False
    ) -> tuple[float, float]:
        """Returns the knob's step and the value's."""
        self.time += seconds
        before, knob = self.value, self.takeover.knob
        moved = self.takeover.moved(position, self.value, self.time, others_moved)
        if moved is not None:
            self.value = moved
            self.takeover.left(moved)
        return abs(position - knob) if knob is not None else 0.0, abs(self.value - before)


@pytest.mark.parametrize("mode", [TakeoverMode.PICKUP, TakeoverMode.SCALED])
@given(value=st.floats(-0.5, 1.5), path=st.lists(turns, min_size=1, max_size=40))
def test_a_value_never_moves_further_than_the_knob_whatever_happens_between(
    mode: TakeoverMode, value: float, path: list[tuple[float, float, bool, float | None]]
) -> None:
    hand = Hand(mode, value)
    held_back = 0.0
    for position, seconds, others_moved, set_by_others in path:
        if set_by_others is not None:
            hand.value = set_by_others
        knob_step, value_step = hand.turn(position, seconds, others_moved)
        assert value_step <= held_back + knob_step + SAME
        doubtful = seconds > 0.25 and others_moved and value_step == 0.0
        held_back = knob_step if doubtful else 0.0


@given(value=st.floats(0, 1), start=positions, end=positions, data=st.data())
def test_a_sweep_across_the_value_catches_it_however_fast(
    value: float, start: float, end: float, data: st.DataObject
) -> None:
    hand = Hand(TakeoverMode.PICKUP, value)
    hand.turn(start)
    for between in sorted(data.draw(st.lists(positions, max_size=3)), reverse=end < start):
        if min(start, end) <= between <= max(start, end):
            hand.turn(between)
    hand.turn(end)
    if min(start, end) < value < max(start, end):
        assert hand.value == end
        assert hand.takeover.ghost(hand.value) is None
    elif not min(start, end) - SAME <= value <= max(start, end) + SAME:
        assert hand.value == value
        assert hand.takeover.ghost(hand.value) == end


def test_being_near_is_not_enough() -> None:
    hand = Hand(TakeoverMode.PICKUP, 0.5)
    hand.turn(0.48)
    hand.turn(0.499)
    hand.turn(0.48)
    assert hand.value == 0.5


def test_a_value_that_somebody_else_moved_has_to_be_caught_again() -> None:
    hand = Hand(TakeoverMode.PICKUP, 0.5)
    for position in (0.4, 0.6):
        hand.turn(position)
    assert hand.value == 0.6
    hand.value = 0.2
    hand.turn(0.61)
    assert hand.value == 0.2
    hand.turn(0.1)
    assert hand.value == 0.1


def test_a_knob_turned_in_another_bank_does_not_pull_its_value_along() -> None:
    hand = Hand(TakeoverMode.PICKUP, 0.3)
    hand.turn(0.2)
    hand.turn(0.3)
    hand.turn(0.9, seconds=2.0, others_moved=True)
    for position in (0.91, 0.92, 0.9, 0.6):
        hand.turn(position)
    assert hand.value == 0.3
    assert hand.takeover.ghost(hand.value) == 0.6
    hand.turn(0.2)
    assert hand.value == 0.2


def test_a_fast_sweep_after_another_knob_was_used_still_counts() -> None:
    hand = Hand(TakeoverMode.PICKUP, 0.3)
    hand.turn(0.2)
    hand.turn(0.3)
    for position in (0.5, 0.7, 0.85):
        hand.turn(position, seconds=0.01 if position > 0.5 else 2.0, others_moved=position == 0.5)
    assert hand.value == 0.85


def test_after_a_replug_the_first_message_only_says_where_the_knob_stands() -> None:
    hand = Hand(TakeoverMode.PICKUP, 0.5)
    hand.turn(0.4)
    hand.turn(0.6)
    hand.takeover.forget()
    hand.turn(0.9)
    assert hand.value == 0.6
    assert hand.takeover.ghost(0.6) == 0.9


def test_scaled_meets_the_knob_at_an_end_and_follows_it_from_there() -> None:
    hand = Hand(TakeoverMode.SCALED, 0.8)
    hand.turn(0.2)
    for raw in range(26, 128):
        hand.turn(raw / 127)
    assert hand.value == 1.0
    hand.turn(0.9)
    assert hand.value == pytest.approx(0.9)


def test_jump_follows_at_once() -> None:
    hand = Hand(TakeoverMode.JUMP, 0.8)
    hand.turn(0.2)
    assert hand.value == 0.2
    assert hand.takeover.ghost(0.5) is None
