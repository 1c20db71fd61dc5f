"""One steady beat out of unsteady clocks, and what waits for it or moves with it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavlive.control.actions import Action
from lavlive.control.beat.clock import ClockEstimator
from lavlive.control.beat.modulation import PERIODS, BeatModulation, Shape, modulated
from lavlive.control.beat.tempo import AbletonLink, BeatState, TapTempo, Tempo, seconds_until
from lavlive.control.events import ClockEvent, ClockMessage
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.waiting import GRIDS, WaitingRoom
from lavlive.parameters import INDEX, TABLE, Parameter, ParameterKind, Values
from lavlive.resources import shipped

CONTINUOUS = [parameter for parameter in TABLE if parameter.kind is ParameterKind.CONTINUOUS]


def tick(time: float, message: ClockMessage = ClockMessage.TICK, position: int = 0) -> ClockEvent:
    return ClockEvent("drums", message, time, position)


def run(
    clock: ClockEstimator, bpm: float, begin: float, seconds: float, jitter: float, seed: int = 0
) -> float:
    """Send jittered ticks; returns the time at which the next one is due."""
    chance = random.Random(seed)
    count = round(seconds * bpm * 24 / 60)
    for index in range(count):
        late = abs(chance.gauss(0, jitter)) if jitter else 0.0
        clock.take(tick(begin + index * 60 / (bpm * 24) + late))
    return begin + count * 60 / (bpm * 24)


@pytest.mark.parametrize("bpm", [60.0, 97.3, 128.0, 174.0])
@pytest.mark.parametrize("jitter", [0.0, 0.001, 0.005])
def test_a_jittering_clock_gives_a_steady_tempo_and_beat(bpm: float, jitter: float) -> None:
    clock = ClockEstimator()
    clock.take(tick(9.9, ClockMessage.START))
    now = run(clock, bpm, 10.0, 10.0, jitter)
    assert clock.bpm == pytest.approx(bpm, rel=0.0005 if jitter < 0.005 else 0.003)
    delay = jitter * 0.8
    assert clock.beat(now) == pytest.approx((now - delay - 10.0) * bpm / 60, abs=bpm / 60 * (0.0005 + jitter))


def test_a_bunch_of_late_ticks_does_not_shake_the_tempo() -> None:
    clock = ClockEstimator()
    now = run(clock, 120, 0.0, 8.0, 0.0005)
    for index in range(5):
        clock.take(tick(now + 0.1 + index * 0.0001))
    now = run(clock, 120, now + 5 / 48, 0.1, 0.0005)
    assert clock.bpm == pytest.approx(120, rel=0.01)
    run(clock, 120, now, 4.0, 0.0005)
    assert clock.bpm == pytest.approx(120, rel=0.001)


def test_a_new_tempo_is_followed_within_two_beats() -> None:
    clock = ClockEstimator()
    now = run(clock, 120, 0.0, 10.0, 0.0005)
    run(clock, 140, now, 2 * 60 / 140, 0.0005)
    assert clock.bpm == pytest.approx(140, rel=0.02)


def test_start_stop_continue_and_song_position_place_the_beat() -> None:
    clock = ClockEstimator()
    now = run(clock, 120, 0.0, 3.3, 0.0)
    clock.take(tick(now, ClockMessage.START))
    clock.take(tick(now + 0.001))
    assert clock.beat(now + 0.001) == pytest.approx(0.0, abs=0.05)
    now = run(clock, 120, now + 1 / 48, 2.0, 0.0)
    stopped = clock.beat(now)
    assert stopped == pytest.approx(4.0, abs=0.1)
    clock.take(tick(now, ClockMessage.STOP))
    assert not clock.running
    clock.take(tick(now, ClockMessage.POSITION, position=64))
    clock.take(tick(now, ClockMessage.CONTINUE))
    clock.take(tick(now + 0.001))
    assert clock.beat(now + 0.001) == pytest.approx(16.0, abs=0.05)


def test_taps_give_tempo_and_beat_and_a_pause_begins_anew() -> None:
    tap = TapTempo()
    chance = random.Random(1)
    for index in range(9):
        tap.tap(100 + index * 0.5 + chance.uniform(-0.02, 0.02))
    assert tap.bpm == pytest.approx(120, rel=0.02)
    assert tap.beat(104.0) == pytest.approx(8.0, abs=0.06)
    assert tap.beat(104.25) == pytest.approx(8.5, abs=0.06)
    tap.tap(110.0)
    tap.tap(110.05)
    tap.tap(110.6)
    assert tap.bpm == pytest.approx(100)


def test_a_clock_wins_over_taps_and_leaves_its_tempo_behind_when_it_falls_silent() -> None:
    tempo = Tempo()
    assert not tempo.state(5.0).known
    tempo.tap(0.0)
    tempo.tap(0.5)
    assert tempo.state(1.0).source == "tap"
    tempo.take(tick(9.99, ClockMessage.START))
    for index in range(500):
        tempo.take(tick(10 + index * 60 / (90 * 24)))
        state = tempo.state(10 + index * 60 / (90 * 24))
    assert state.source == "clock"
    assert state.bpm == pytest.approx(90)
    last = 10 + 499 * 60 / (90 * 24)
    later = tempo.state(last + 20)
    assert later.bpm == pytest.approx(90)
    assert later.beat == pytest.approx(state.beat + 30, abs=0.1)
    tempo.tap(last + 21)
    assert tempo.state(last + 21).bpm == pytest.approx(120)


def test_ableton_link_is_one_more_beat_where_its_package_is_installed() -> None:
    pytest.importorskip("link")
    link = AbletonLink()
    try:
        first, second = link.state(100.0), link.state(101.0)
        assert second.beat - first.beat == pytest.approx(first.bpm / 60, rel=0.05)
        assert first.known
    finally:
        link.close()


@given(
    beat=st.floats(0, 1000),
    bpm=st.floats(40, 240),
    grid=st.sampled_from(list(GRIDS.values())),
    lead=st.floats(0, 0.5),
)
def test_what_begins_early_is_seen_on_the_grid(beat: float, bpm: float, grid: float, lead: float) -> None:
    wait = seconds_until(BeatState(bpm, beat, "clock"), grid, lead)
    assert 0.0 <= wait <= grid * 60 / bpm
    seen = beat + (wait + lead) * bpm / 60
    assert abs(seen / grid - round(seen / grid)) < 1e-5


@pytest.mark.parametrize("choice", list(GRIDS))
def test_a_quantised_action_fires_once_and_is_seen_on_its_beat(choice: str) -> None:
    room, lead, per_beat = WaitingRoom(), 0.12, 60 / 128

    def state(now: float) -> BeatState:
        return BeatState(128, now / per_beat, "clock")

    room.add(Action("preset.next"), GRIDS[choice], state(1.0), lead, 1.0)
    room.add(Action("preset.load", "House"), GRIDS[choice], state(1.0), lead, 1.0)
    fired = [now for now in np.arange(1.0, 30.0, 1 / 60) for _ in room.due(state(now), lead, now)]
    assert len(fired) == 1
    seen = (fired[0] + lead) / per_beat / GRIDS[choice]
    assert abs(seen - round(seen)) * GRIDS[choice] * per_beat < 1.5 / 60


def test_an_action_is_not_left_waiting_when_the_clock_goes_away_or_jumps() -> None:
    room = WaitingRoom()
    room.add(Action("preset.next"), 16.0, BeatState(120, 0.5, "clock"), 0.0, 0.0)
    assert room.due(BeatState(120, 0.6, "clock"), 0.0, 0.05) == []
    assert room.due(BeatState(120, 0.0, "none"), 0.0, 0.1) == [Action("preset.next")]
    room.add(Action("model.next"), 16.0, BeatState(120, 0.5, "clock"), 0.0, 0.0)
    assert room.due(BeatState(120, 0.5, "clock"), 0.0, 9.0) == [Action("model.next")]


@given(
    parameter=st.sampled_from(CONTINUOUS),
    shape=st.sampled_from(Shape),
    beats=st.sampled_from(PERIODS),
    depth=st.floats(-1, 1),
    base=st.floats(0, 1),
    bounds=st.tuples(st.floats(0, 0.5), st.floats(0.5, 1)),
    beat=st.floats(0, 10_000),
)
def test_the_beat_moves_a_parameter_inside_its_bounds_only(
    parameter: Parameter,
    shape: Shape,
    beats: float,
    depth: float,
    base: float,
    bounds: tuple[float, float],
    beat: float,
) -> None:
    low, high = (parameter.number(parameter.from_unit(end)) for end in bounds)
    number = parameter.number(parameter.from_unit(base))
    modulation = BeatModulation(parameter.name, shape, beats, depth, low, high)
    numbers = Values({parameter.name: number}).numbers
    moved = modulated(numbers, [modulation], beat)
    others = np.arange(len(TABLE)) != INDEX[parameter.name]
    np.testing.assert_array_equal(moved[others], numbers[others])
    result = moved[INDEX[parameter.name]]
    assert min(low, number) <= result <= max(high, number)
    parameter.check(float(result))


def test_each_shape_turns_once_in_its_period() -> None:
    assert [round(Shape.SINE.at(phase), 9) for phase in (0, 0.25, 0.5, 0.75)] == [0, 1, 0, -1]
    assert [Shape.TRIANGLE.at(phase) for phase in (0, 0.25, 0.5, 0.75)] == [0, 1, 0, -1]
    assert [Shape.RAMP.at(phase) for phase in (0, 0.5)] == [-1, 0]
    assert [Shape.SQUARE.at(phase) for phase in (0, 0.49, 0.5, 0.99)] == [1, 1, -1, -1]
    assert Shape.DECAY.at(0) == 1.0
    assert Shape.DECAY.at(0.99) < 0.01


def test_a_presets_beat_fades_in_with_its_morph(tmp_path: Path) -> None:
    presets = PresetLibrary(shipped("presets"), tmp_path)
    looks = Looks(Values(), presets)
    looks.recall(presets.find("House"), 0.0, seconds=2.0)

    def swing(now: float) -> float:
        looks.step(now)
        base = looks.values.number("mapper.y")
        return float(looks.numbers(BeatState(120, 0.0, "clock"), now)[INDEX["mapper.y"]] - base)

    swings = [swing(now) for now in (0.0, 1.0, 2.0)]
    assert swings[0] == 0.0
    assert swings[1] == pytest.approx(swings[2] / 2)
    assert swings[2] == pytest.approx(4 * 0.18)
