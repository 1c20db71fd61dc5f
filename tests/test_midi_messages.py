"""MIDI bytes become events, and nothing that is no MIDI does harm."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavlive.control.events import ClockEvent, ClockMessage, ControlEvent, Inbox, MidiControl, MidiControlKind
from lavlive.control.midi.messages import Parser

CC, CC14, NRPN, NOTE = MidiControlKind.CC, MidiControlKind.CC14, MidiControlKind.NRPN, MidiControlKind.NOTE


def events(
    parser: Parser, *messages: tuple[int, ...], kind: MidiControlKind | None = None
) -> list[ControlEvent]:
    found = [event for message in messages for event in parser.parse(message, 1.0)]
    return [e for e in found if isinstance(e, ControlEvent) and (kind is None or e.control.kind is kind)]


@pytest.mark.parametrize(
    ("message", "source", "raw", "position"),
    [
        ((0xB0, 74, 127), MidiControl(CC, 1, 74), 127, 1.0),
        ((0xBF, 74, 0), MidiControl(CC, 16, 74), 0, 0.0),
        ((0x92, 60, 64), MidiControl(NOTE, 3, 60), 64, 64 / 127),
        ((0x92, 60, 0), MidiControl(NOTE, 3, 60), 0, 0.0),
        ((0x82, 60, 64), MidiControl(NOTE, 3, 60), 0, 0.0),
        ((0xE0, 0, 64), MidiControl(MidiControlKind.BEND, 1, 0), 8192, 8192 / 16383),
        ((0xA9, 36, 127), MidiControl(MidiControlKind.KEY_PRESSURE, 10, 36), 127, 1.0),
        ((0xD0, 127), MidiControl(MidiControlKind.PRESSURE, 1, 0), 127, 1.0),
        ((0xC4, 9), MidiControl(MidiControlKind.PROGRAM, 5, 9), 127, 1.0),
    ],
)
def test_each_message_says_which_control_and_where_it_stands(
    message: tuple[int, ...], source: MidiControl, raw: int, position: float
) -> None:
    (event,) = Parser("pad").parse(message, 3.5)
    assert event == ControlEvent("pad", source, position, raw, 3.5)


@given(path=st.lists(st.integers(0, 16383), min_size=2, max_size=30))
def test_a_14_bit_pair_ends_on_its_value_and_never_overshoots_on_the_way(path: list[int]) -> None:
    parser = Parser("fader")
    events(parser, (0xB0, 1, path[0] >> 7), (0xB0, 33, path[0] & 127))
    for before, value in pairwise(path):
        seen = [e.raw for e in events(parser, (0xB0, 1, value >> 7), (0xB0, 33, value & 127), kind=CC14)]
        assert seen[-1] == value
        assert all(min(before, value) <= raw <= max(before, value) for raw in seen)


@pytest.mark.parametrize("number", [1, 33])
def test_a_lone_controller_is_no_14_bit_pair(number: int) -> None:
    assert events(Parser("knob"), (0xB0, number, 5), (0xB0, number, 6), kind=CC14) == []


def test_nrpn_is_read_with_one_data_byte_with_two_and_in_steps() -> None:
    parser = Parser("synth")
    select = ((0xB0, 99, 3), (0xB0, 98, 7))
    number = 3 << 7 | 7
    (coarse,) = events(parser, *select, (0xB0, 6, 127), kind=NRPN)
    assert (coarse.control.number, coarse.position) == (number, 1.0)
    fine = events(parser, (0xB0, 6, 64), (0xB0, 38, 3), kind=NRPN)
    assert fine[-1].raw == 64 << 7 | 3
    (up,) = events(parser, (0xB0, 96, 0), kind=NRPN)
    assert up.raw == (64 << 7 | 3) + 1
    assert events(parser, (0xB0, 101, 127), (0xB0, 100, 127), (0xB0, 6, 1), kind=NRPN) == []


def test_clock_messages_are_events_of_their_own() -> None:
    parser = Parser("drums")
    ticks = [parser.parse((status,), 2.0)[0] for status in (0xF8, 0xFA, 0xFB, 0xFC)]
    assert [tick.message for tick in ticks if isinstance(tick, ClockEvent)] == [
        ClockMessage.TICK,
        ClockMessage.START,
        ClockMessage.CONTINUE,
        ClockMessage.STOP,
    ]
    assert parser.parse((0xF2, 16, 1), 2.0) == [ClockEvent("drums", ClockMessage.POSITION, 2.0, 144)]


@pytest.mark.parametrize(
    "message",
    [
        (),
        (0xB0,),
        (0xB0, 1),
        (64, 1, 2),
        (0xB0, 200, 1),
        (0xB0, 1, -1),
        (0xF2, 1),
        (0xB0, 1, 2, 3),
        (500, 1, 2),
    ],
)
def test_what_is_no_midi_is_counted_and_dropped(message: tuple[int, ...]) -> None:
    parser = Parser("broken cable")
    assert parser.parse(message, 0.0) == []
    assert parser.bad == 1


@given(st.lists(st.lists(st.integers(-10, 300), max_size=6), max_size=40))
def test_no_bytes_raise_and_every_event_is_in_range(messages: list[list[int]]) -> None:
    for event in events(Parser("noise"), *map(tuple, messages)):
        assert 0.0 <= event.position <= 1.0
        assert 1 <= event.control.channel <= 16


def event(number: int, raw: int, time: float) -> ControlEvent:
    return ControlEvent("knobs", MidiControl(CC, 1, number), raw / 127, raw, time)


def test_a_flood_keeps_where_every_knob_came_to_rest_and_no_more_than_the_limit() -> None:
    inbox: Inbox[ControlEvent] = Inbox(limit=100)
    for index in range(10_000):
        inbox.put(event(index % 16, index % 128, float(index)))
    assert len(inbox) <= 116
    drained = inbox.drain()
    newest = {e.control.number: e.time for e in drained}
    assert newest == {number: float(9984 + number) for number in range(16)}
    assert [e.time for e in drained] == sorted(e.time for e in drained)
    assert inbox.received == 10_000
    assert inbox.coalesced == 10_000 - len(drained)
    assert len(inbox) == 0


def test_more_kinds_of_events_than_the_limit_are_dropped_and_counted() -> None:
    inbox: Inbox[ControlEvent] = Inbox(limit=10)
    for number in range(50):
        inbox.put(event(number, 0, float(number)))
    assert len(inbox) == 20
    assert inbox.dropped == 30
