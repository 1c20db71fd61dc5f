"""Conductor and nodes without a network: messages, clock, buffer, and a simulated wall."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lavlive.parameters import INDEX, TABLE, Values
from lavlive.wall import messages
from lavlive.wall.buffer import LONGEST_DELAY, SHORTEST_DELAY, DelayChooser, JitterBuffer
from lavlive.wall.clock import ConductorClock
from lavlive.wall.conductor import Conductor, Hop, Snapshot
from lavlive.wall.follower import LOST_SECONDS, Follower
from lavlive.wall.messages import (
    Content,
    Look,
    Moment,
    Ping,
    Report,
    StrangeMessageError,
    encode,
    pack,
    read_from_conductor,
    read_from_node,
    unpack,
)
from tests.support.wall_network import Network, NodeClock, SimulatedWall

BLACKOUT = INDEX["show.blackout"]


def moment(
    sequence: int,
    captured: float,
    value: float = 0.0,
    show: int = 1,
    values: Values | None = None,
    **others: Any,
) -> Moment:
    numbers = (values or Values()).numbers
    return Moment(
        show=show,
        sequence=sequence,
        captured=captured,
        sent=captured + 0.02,
        delay=0.08,
        width=4,
        deviation=pack(np.full((3, 4), value), "<f2"),
        numbers=pack(numbers, "<f4"),
        revision=1,
        **others,
    )


def content(sequence: int, captured: float, value: float = 0.0, **others: Any) -> Content:
    return unpack(moment(sequence, captured, value, **others))


WHOLE = encode(moment(3, 1.0))


# Messages


def test_a_moment_comes_back_as_it_was_sent() -> None:
    values = Values({"mapper.y": 1.7, "show.blackout": True, "audio.channels": "3,4"})
    sent = moment(7, 12.5, 1.25, values=values, moved={"fx1.flow.amount": 0.25}, tempo=128.0)
    back = read_from_conductor(encode(sent))
    assert isinstance(back, Moment)
    assert back == sent
    found = unpack(back)
    assert np.array_equal(found.deviation, np.full((3, 4), 1.25))
    assert np.allclose(found.numbers, values.numbers, rtol=1e-6)
    assert [p.value(n) for p, n in zip(TABLE, found.numbers, strict=True) if not p.glides] == [
        values[p.name] for p in TABLE if not p.glides
    ]


def test_a_wide_wall_needs_a_quarter_of_a_megabyte_a_second() -> None:
    conductor = Conductor(1, "test")
    conductor.show(Snapshot(Values().numbers, 1))
    told = [
        encode(message)
        for hop in range(75)
        for message in conductor.step(Hop(hop, hop / 75, np.zeros((3, 512))), hop / 75)
    ]
    deviations, numbers = 75 * 3 * 512 * 2, 75 * 4 * len(TABLE)
    assert deviations + numbers < sum(map(len, told)) < deviations + numbers + 75 * 200 + 1000


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"", "no message"),
        (b"garbage on the topic", "no message"),
        (msgspec.msgpack.encode(["moment", 2, "what", "is", "this"]), "version 2"),
        (msgspec.msgpack.encode(["dance", 1]), "no message"),
        (b"\xc1" * 70_000, "70000 bytes"),
        (encode(Ping(node="a", number=1, sent=float("nan"))), "not finite"),
        (encode(Look(show=1, software="", table="")), "which no node tells"),
        (b"\x91" * 5000, "no message"),
    ],
)
def test_what_is_no_message_is_refused_with_a_line(payload: bytes, told: str) -> None:
    with pytest.raises(StrangeMessageError, match=told):
        read_from_node(payload)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 5},
        {"deviation": b"\x00"},
        {"numbers": b""},
        {"deviation": pack(np.full((3, 4), 1.0), "<f2")[:-2] + b"\x00\x7e"},
        {"spectrum": b"\x00\x00"},
        {"spent": b"\x00\x00"},
    ],
)
def test_a_moment_whose_arrays_do_not_fit_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(StrangeMessageError):
        unpack(msgspec.structs.replace(moment(1, 1.0), **change))


def test_numbers_from_elsewhere_are_held_inside_their_ranges() -> None:
    wild = msgspec.structs.replace(moment(1, 1.0), numbers=pack(np.full(len(TABLE), 1e30), "<f4"))
    numbers = unpack(wild).numbers
    assert all(p.low <= number <= p.high for p, number in zip(TABLE, numbers, strict=True))


@settings(max_examples=25)
@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 255))
def test_garbage_never_ends_either_side(garbage: bytes, place: int, byte: int) -> None:
    whole = bytearray(WHOLE)
    whole[place % len(whole)] = byte
    follower, conductor = Follower("a", "test"), Conductor(1, "test")
    for payload in (garbage, bytes(whole), bytes(whole[: place % len(whole)])):
        follower.take(payload, 1.0)
        follower.step(1.0)
        conductor.take(payload, 1.0)
    assert conductor.strange == 3


def test_another_version_is_told_in_one_line() -> None:
    follower = Follower("a", "test")
    follower.take(msgspec.msgpack.encode(["moment", 2, 1, 2, 3]), 1.0)
    follower.step(1.0)
    assert follower.trouble.startswith("The conductor speaks version 2")
    assert "\n" not in follower.trouble


# Clock


def ask(clock: ConductorClock, at: float, offset: float, there: float, back: float) -> None:
    clock.take(at, at + there + offset, at + there + offset, at + there + back)


def test_the_quickest_ways_need_not_be_of_one_ping() -> None:
    """The best round trip alone would be off by 5 ms here."""
    clock = ConductorClock()
    for ping in range(8):
        slow_there = ping % 2
        ask(clock, ping * 0.1, 0.25, 0.011 if slow_there else 0.001, 0.001 if slow_there else 0.011)
    assert clock.offset == pytest.approx(0.25, abs=1e-9)


def test_a_drifting_clock_is_followed_between_pings() -> None:
    clock, drift = ConductorClock(), 50e-6
    for ping in range(600):
        at = ping * 0.1
        ask(clock, at, -3.0 + drift * at, 0.002, 0.002)
        clock.conductor_time(at)
    assert clock.slope == pytest.approx(drift, rel=0.05)
    for silence in range(100):
        shown = clock.conductor_time(60.0 + silence * 0.1)
    assert shown - 69.9 == pytest.approx(-3.0 + drift * 69.9, abs=100e-6)


def test_times_that_cannot_be_are_left_out() -> None:
    clock = ConductorClock()
    assert not clock.take(2.0, 5.0, 5.0, 1.0)  # back before it left
    assert not clock.take(1.0, 6.0, 5.0, 2.0)  # answered before it came
    assert not clock.take(1.0, 5.0, 9.0, 1.5)  # longer there than away
    assert not clock.known


def test_a_clock_that_jumped_is_found_again_within_a_second() -> None:
    clock = ConductorClock()
    for ping in range(300):
        ask(clock, ping * 0.1, 1.0, 0.002, 0.002)
    for ping in range(300, 310):
        ask(clock, ping * 0.1, 8.0, 0.002, 0.002)
    assert clock.conductor_time(31.0) == pytest.approx(39.0, abs=1e-3)


# Buffer


def test_between_two_hops_content_is_interpolated_and_beyond_it_is_held() -> None:
    buffer = JitterBuffer()
    assert buffer.at(1.0) is None
    for sequence, captured in ((1, 1.0), (4, 1.3), (2, 1.1)):
        buffer.put(content(sequence, captured, captured), captured + 0.03)
    shown = [buffer.at(time) for time in (0.5, 1.05, 1.2, 9.0)]
    assert [float(c.deviation[0, 0]) for c in shown if c] == pytest.approx([1.0, 1.05, 1.2, 1.3], abs=2e-3)
    assert buffer.lost == 1  # the third
    assert buffer.lateness == pytest.approx(0.03)


def test_what_hands_have_set_is_the_newest_whatever_is_shown() -> None:
    buffer = JitterBuffer()
    buffer.put(content(1, 1.0), 1.0)
    buffer.put(content(2, 2.0, values=Values({"show.blackout": True, "generator.truncation": 0.5})), 2.0)
    shown = buffer.at(1.5)
    assert shown is not None
    assert shown.numbers[BLACKOUT] == 1.0
    assert shown.numbers[INDEX["generator.truncation"]] == pytest.approx(0.75)


def test_a_w_of_another_width_is_met_without_a_mixture() -> None:
    buffer = JitterBuffer()
    buffer.put(content(1, 1.0), 1.0)
    wide = msgspec.structs.replace(moment(2, 2.0), width=8, deviation=pack(np.ones((3, 8)), "<f2"))
    buffer.put(unpack(wide), 2.0)
    shown = buffer.at(1.5)
    assert shown is not None
    assert shown.deviation.shape == (3, 8)


def test_the_delay_follows_the_slowest_node_quickly_up_and_slowly_down() -> None:
    chooser = DelayChooser()
    for _ in range(1000):
        chooser.step([0.03, 0.3], 0.01)
    assert chooser.seconds == pytest.approx(LONGEST_DELAY)
    assert chooser.step([0.03], 0.5) > LONGEST_DELAY - 0.003
    for _ in range(3000):
        chooser.step([0.03], 0.01)
    assert chooser.seconds == pytest.approx(SHORTEST_DELAY)


# The wall


def test_two_nodes_show_the_same_moment_over_a_bad_network() -> None:
    """Jitter up to 40 ms (20 ± 20), 2 % loss, clocks 50 ms apart that drift by 50 ppm against each other.

    `tools.robustness.wall_simulated` does ten minutes of it, with every hop.
    """
    wall = SimulatedWall([NodeClock(0.025, 25e-6), NodeClock(-0.025, -25e-6)], Network(), hop=0.1, step=0.2)
    wall.run(100.0)
    difference = wall.differences(after=5.0)
    assert len(difference) > 400
    assert np.quantile(difference, 0.95) < 0.002


def test_what_a_node_shows_is_what_the_conductor_heard_then() -> None:
    wall = SimulatedWall([NodeClock(3.0, 50e-6), NodeClock(-1.0)], Network())
    wall.run(4.0)
    assert wall.conductor is not None
    assert SHORTEST_DELAY <= wall.conductor.delay <= LONGEST_DELAY
    shown = [(at, due) for at, due in wall.nodes[0].shown if at > 2.0 and due is not None]
    assert len(shown) > 150
    for at, due in shown:
        assert due.time == pytest.approx(at - due.content.moment.delay, abs=0.006)
    errors = [float(due.content.deviation[0, 0]) - due.time for _, due in shown]
    assert np.quantile(np.abs(errors), 0.95) < 0.003  # half floats below 4 are 2 ms apart
    times = [due.time for _, due in shown]
    assert times == sorted(times)


def test_a_lost_conductor_is_held_and_found_again_within_a_second() -> None:
    wall = SimulatedWall([NodeClock(0.5), NodeClock()], Network(jitter=0.02))
    wall.run(3.0)
    wall.kill()
    wall.run(6.0)
    node = wall.nodes[0]
    assert node.follower.lost(node.clock.at(6.0))
    assert all(due is None for at, due in node.shown if at > 3.0 + LOST_SECONDS + 0.05)
    wall.start(run=2)
    wall.set("mapper.y", 1.25)
    wall.set("show.freeze", True)
    wall.run(7.0)
    for node in wall.nodes:
        back = next(at for at, due in node.shown if at > 6.0 and due is not None)
        assert back < 7.0
        newest = node.follower.buffer.newest
        assert newest is not None
        assert np.allclose(newest.numbers, wall.values.numbers, rtol=1e-6)
        assert node.follower.look is not None


def test_a_node_that_is_killed_does_not_move_the_others() -> None:
    def shown(killed: bool) -> list[float]:
        wall = SimulatedWall([NodeClock(0.5), NodeClock()], Network(jitter=0.0, loss=0.0))
        wall.run(2.0)
        wall.nodes[1].dead = killed
        wall.run(4.0)
        return [due.time for _, due in wall.nodes[0].shown if due is not None]

    assert shown(killed=True) == shown(killed=False)


@pytest.mark.parametrize("seed", range(4))
def test_blackout_reaches_all_within_a_tenth_of_a_second_though_half_is_lost(seed: int) -> None:
    wall = SimulatedWall(
        [NodeClock(offset) for offset in (0.0, 1.0, -1.0)], Network(jitter=0.02, loss=0.5), seed, step=0.005
    )
    wall.run(1.0)
    wall.set("show.blackout", True)
    wall.run(1.1)
    for node in wall.nodes:
        newest = node.follower.buffer.newest
        assert newest is not None
        assert newest.numbers[BLACKOUT] == 1.0


def test_blackout_reaches_a_silent_wall_too() -> None:
    """No hop comes, as while a source is lost: what hands set is told all the same, 20 times a second."""
    conductor, follower = Conductor(1, "test"), Follower("a", "test")
    values = Values()
    conductor.show(Snapshot(values.numbers.copy(), 0))
    told = 0
    for step in range(250):
        if step == 200:
            values.set("show.blackout", True)
            conductor.show(Snapshot(values.numbers.copy(), 1))
        for message in conductor.step(None, step * 0.004):
            told += step < 200
            follower.take(encode(message), step * 0.004)
        assert follower.step(step * 0.004) is None  # nothing to draw
    assert told >= 0.8 * 20
    assert follower.buffer.newest is not None
    assert follower.buffer.newest.numbers[BLACKOUT] == 1.0


def test_the_second_of_two_conductors_is_told_and_not_followed() -> None:
    follower = Follower("a", "test")
    for step in range(20):
        follower.take(encode(moment(step, 1 + step / 75, 0.5)), 1 + step / 75)
        follower.take(encode(moment(step, 90 + step / 75, 3.0, show=2)), 1 + step / 75)
        due = follower.step(1 + step / 75)
        assert due is None or due.content.deviation.max() == 0.5
    assert follower.trouble.startswith("Two conductors")


def test_a_late_node_is_told_the_look_at_once() -> None:
    conductor = Conductor(1, "test")
    conductor.show(Snapshot(Values().numbers, 1, preset="dawn"))
    kinds = [type(m) for m in conductor.step(None, 10.0)]
    assert Look in kinds
    assert Look not in [type(m) for m in conductor.step(None, 10.1)]
    conductor.take(encode(Report(node="late")), 10.15)
    assert Look in [type(m) for m in conductor.step(None, 10.2)]
    assert [node.report.node for node in conductor.nodes(10.2)] == ["late"]


def test_a_flood_of_names_fills_no_memory() -> None:
    conductor = Conductor(1, "test")
    for number in range(2000):
        conductor.take(encode(Report(node=f"{number}")), 1.0 + number / 1e4)
    assert len(conductor.nodes(1.2)) <= 256


def test_one_version_stands_in_every_message() -> None:
    for message in (Ping(node="a", number=1, sent=0.0), Report(node="a"), moment(1, 1.0)):
        assert msgspec.msgpack.decode(encode(message))[1] == messages.VERSION


def test_a_conductor_far_behind_its_sound_is_followed_as_it_comes() -> None:
    """On a machine that encodes 300 ms late nothing has come by 120 ms: the newest is shown, not nothing."""
    wall = SimulatedWall([NodeClock()], Network(jitter=0.0, loss=0.0), hearing=0.3)
    wall.run(2.0)
    shown = [due for at, due in wall.nodes[0].shown if at > 1.0]
    assert all(due is not None for due in shown)
    assert len({float(due.content.deviation[0, 0]) for due in shown if due}) > 40


def test_without_sound_the_picture_is_held_and_the_stage_breathes() -> None:
    follower = Follower("a", "test")
    for step in range(200):
        now = 1 + step * 0.02
        follower.take(encode(moment(step, min(now, 2.0), 1.0)), now)
        due = follower.step(now)
        if now > 2.5:
            assert due is None
