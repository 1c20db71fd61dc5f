"""When pictures are seen: dissolve, freeze, blackout, and motion while nothing comes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lavlive.link.contents import Picture
from lavlive.parameters import Values
from lavlive.stage.canvas.mixer import BLACKOUT_SECONDS, STALL_SECONDS, Mix, Mixer

PIXELS = np.zeros((2, 2, 3), np.uint8)


def picture(sequence: int) -> Picture:
    return Picture(PIXELS, sequence, 0.0, 0.0, 0)


def play(
    mixer: Mixer, values: Values, begin: float, end: float, every: float | None, rate: float = 60
) -> list[Mix]:
    """Present at `rate` from `begin` to `end`, with a new picture every `every` seconds."""
    mixes = []
    for tick in range(round((end - begin) * rate)):
        now = begin + tick / rate
        new = picture(1 + int(now / every)) if every else None
        mixes.append(mixer.step(new, values, now))
    return mixes


def test_a_picture_is_taken_once_however_often_it_is_offered() -> None:
    mixer, values = Mixer(), Values()
    taken = [mixer.step(picture(1 + tick // 4), values, tick / 60).new is not None for tick in range(12)]
    assert taken == [True, False, False, False] * 3


def test_a_dissolve_lasts_as_long_as_it_says_and_moves_evenly() -> None:
    mixer, values = Mixer(), Values({"show.dissolve": 0.5})
    mixer.step(picture(1), values, 10.0)
    play(mixer, values, 10.0, 11.0, None)
    positions = [mixer.step(picture(2), values, 11.0 + tick / 60).position for tick in range(40)]
    steps = np.diff(positions[:29])
    assert steps == pytest.approx(1 / 30, abs=1e-6)
    assert positions[31] == 1.0


def test_the_first_picture_of_all_is_there_at_once_when_it_is_there_from_the_start() -> None:
    assert Mixer().step(picture(1), Values({"show.dissolve": 0.5}), 3.0).position == 1.0


def test_without_a_dissolve_the_newest_picture_is_there_at_once() -> None:
    mixer, values = Mixer(), Values({"show.dissolve": 0.0})
    assert mixer.step(picture(1), values, 5.0).position == 1.0
    assert mixer.step(picture(2), values, 5.01).position == 1.0


@pytest.mark.parametrize("rate", [20, 24, 25, 30, 45])
def test_a_dissolve_makes_motion_even_on_a_faster_display(rate: float) -> None:
    """What moves by one with every picture moves nearly as much at every refresh of 60 Hz."""

    def unevenness(dissolve: float) -> float:
        mixer, values = Mixer(), Values({"show.dissolve": dissolve})
        before = seen = newest = 0.0
        places = []
        for tick in range(300):
            sequence = int(tick / 60 * rate + 1e-6) + 1
            mix = mixer.step(picture(sequence), values, tick / 60)
            if mix.new is not None:
                before, newest = seen, float(sequence)
            seen = before + (newest - before) * mix.position
            places.append(seen)
        moves = np.diff(places[60:])
        return float(moves.std() / moves.mean())

    assert unevenness(0.0) > 0.5
    assert unevenness(0.05) < 0.16


def test_freeze_holds_the_picture_and_its_place_and_ends_with_the_newest() -> None:
    mixer, values = Mixer(), Values()
    play(mixer, values, 0.0, 1.0, 1 / 30)
    values.set("show.freeze", True)
    frozen = play(mixer, values, 1.0, 4.0, 1 / 30)
    assert all(mix.new is None for mix in frozen)
    assert {(mix.zoom, mix.drift) for mix in frozen} == {(1.0, (0.0, 0.0))}
    values.set("show.freeze", False)
    assert mixer.step(picture(121), values, 4.0).new is not None


def test_blackout_fades_to_black_and_back_in_its_time() -> None:
    mixer, values = Mixer(), Values()
    play(mixer, values, 0.0, 1.0, 1 / 30)
    values.set("show.blackout", True)
    light = [mix.light for mix in play(mixer, values, 1.0, 1.5, 1 / 30)]
    assert light[0] > 0.95
    assert all(a >= b for a, b in pairwise(light))
    assert light[round(BLACKOUT_SECONDS * 60) + 1] == pytest.approx(0.0, abs=1e-9)
    values.set("show.blackout", False)
    assert play(mixer, values, 1.5, 2.0, 1 / 30)[-1].light == 1.0


def test_the_master_dims_what_is_shown_within_a_tenth_of_a_second_and_blackout_beside_it() -> None:
    mixer, values = Mixer(), Values({"show.master": 0.4})
    assert mixer.step(picture(1), values, 0.0).light == pytest.approx(0.4)  # as it was left: no flash
    values.set("show.master", 1.0)
    light = [mix.light for mix in play(mixer, values, 0.0, 0.2, 1 / 30)]
    assert max(b - a for a, b in pairwise(light)) < 0.2
    assert light[-1] == 1.0
    values.update({"show.master": 0.25, "show.blackout": True})
    assert play(mixer, values, 0.2, 1.0, 1 / 30)[-1].light == pytest.approx(0.0, abs=1e-9)
    values.set("show.blackout", False)
    assert play(mixer, values, 1.0, 2.0, 1 / 30)[-1].light == pytest.approx(0.25)


def test_it_is_never_dark_unless_asked() -> None:
    mixer, values = Mixer(), Values({"show.dissolve": 0.3})
    for every in (1 / 60, 1 / 10, None, 1.0):
        assert all(mix.light == 1.0 for mix in play(mixer, values, 0.0, 3.0, every))


def test_pictures_that_come_steadily_do_not_move_by_themselves() -> None:
    mixer, values = Mixer(), Values()
    mixer.step(picture(1), values, 0.0)
    assert all(mix.zoom == 1.0 for mix in play(mixer, values, 0.0, 5.0, STALL_SECONDS * 0.8))


def test_a_stalled_picture_comes_alive_and_settles_again_without_a_jump() -> None:
    mixer, values = Mixer(), Values()
    mixes = play(mixer, values, 0.0, 2.0, 1 / 30)
    mixes += play(mixer, values, 2.0, 40.0, None)
    stalled = mixes[-60 * 30 :]
    mixes += play(mixer, values, 40.0, 46.0, 1 / 30)
    zooms = np.array([mix.zoom for mix in mixes])
    drifts = np.array([mix.drift for mix in mixes])
    assert np.ptp([mix.zoom for mix in stalled]) > 0.02
    assert np.ptp([mix.drift[0] for mix in stalled]) > 0.02
    assert np.abs(np.diff(zooms)).max() < 0.001
    assert np.abs(np.diff(drifts, axis=0)).max() < 0.0005
    assert mixes[-1].zoom == 1.0
    assert mixes[-1].drift == (0.0, 0.0)


def test_motion_never_uncovers_the_canvas_edge() -> None:
    mixer, values = Mixer(), Values()
    for mix in play(mixer, values, 0.0, 120.0, None, rate=20):
        room = (mix.zoom - 1.0) / 2
        assert abs(mix.drift[0]) <= room + 1e-9
        assert abs(mix.drift[1]) <= room + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-100, 100), st.booleans(), st.booleans(), st.booleans()), max_size=40))
def test_any_clock_and_any_keys_give_numbers_in_range(steps: list[tuple[float, bool, bool, bool]]) -> None:
    mixer, values, now = Mixer(), Values(), 1000.0
    for number, (leap, new, freeze, blackout) in enumerate(steps):
        now += leap
        values.update({"show.freeze": freeze, "show.blackout": blackout})
        mix = mixer.step(picture(number + 1) if new else None, values, now)
        assert 0.0 <= mix.position <= 1.0
        assert 0.0 <= mix.light <= 1.0
        assert 1.0 <= mix.zoom <= 1.1
