"""Keyframes, loops and anchors: what hands do in W besides dials."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from lavlive.control.actions import Action
from lavlive.control.beat.tempo import Tempo
from lavlive.control.control import Control
from lavlive.control.events import ClockEvent, ClockMessage
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.presets import Preset, read_preset, write_preset
from lavlive.control.looks.state import ShowState, StateKeeper, read_state
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.engine.latent_worker import TimedLatent
from lavlive.engine.mailbox import Mailbox
from lavlive.engine.picture_worker import Model, PictureWorker
from lavlive.errors import PresetError
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.runners.plan import make_plan
from lavlive.generator.runners.torch_runner import TorchRunner
from lavlive.latent.instrument import Instrument, Moment
from lavlive.latent.loop import Turning, noise_loop, spherical, walked
from lavlive.latent.space import Space
from lavlive.link.contents import BeatClock
from lavlive.link.keyframes import MOST, Keyframe, kept
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import EngineEvent, KeyframesRefused
from lavlive.parameters import Values
from tests.test_path import path_over
from tests.test_picture_worker import Still

W = 16
SPACE = Space(
    np.linspace(-1, 1, W, dtype=np.float32), np.linspace(0.5, 2, W, dtype=np.float32), np.array([0, 1, 2, 2])
)
NOTHING = np.zeros((3, W), np.float32)


def space_of(class_index: int) -> Space:
    return SPACE if class_index == 0 else Space(SPACE.mean + class_index, SPACE.std, SPACE.groups)


def numbers(settings: dict[str, object]) -> np.ndarray:
    return Values(settings).numbers


def points(count: int, width: int = W) -> tuple[np.ndarray, ...]:
    drawn = np.random.default_rng(5).normal(size=(count, 3, width))
    return tuple(point.astype(np.float32) for point in drawn)


ALL = {f"loop.amount.{group}": 1.0 for group in ("coarse", "middle", "fine")}


def shown(
    instrument: Instrument, settings: dict[str, object], moment: Moment, sound: np.ndarray = NOTHING
) -> np.ndarray:
    return instrument.w_plus(sound, numbers(settings), space_of, moment)


@pytest.mark.parametrize("way", ["around", "back", "forth and back"])
@pytest.mark.parametrize("curve", ["spherical", "straight"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_walk_begins_and_ends_at_the_first_point_meets_every_point_and_never_jumps(
    way: str, curve: str, count: int
) -> None:
    way_points = points(count)
    assert np.array_equal(walked(way_points, 0.0, way, curve), way_points[0])
    assert np.allclose(walked(way_points, 1.0, way, curve), way_points[0])
    steps = np.linspace(0, 1, 241)
    walk = np.array([walked(way_points, phase, way, curve) for phase in steps])
    assert all(np.abs(walk - point).max(axis=(1, 2)).min() < 1e-6 for point in way_points)
    assert np.abs(np.diff(walk, axis=0)).max() < 0.2
    if way == "back" and count > 2:
        assert np.allclose(walked(way_points, 1 / count, way, curve), way_points[-1])


def test_between_two_points_a_sphere_keeps_their_distance_from_the_middle() -> None:
    one, other = np.zeros((3, 4)), np.zeros((3, 4))
    one[:, 0], other[:, 1] = 2.0, 2.0
    half = spherical(one, other, 0.5)
    assert np.linalg.norm(half, axis=1) == pytest.approx(2.0)
    assert half[0, 0] == pytest.approx(half[0, 1])
    assert np.allclose(spherical(one, -one, 0.5), 0.0), "no circle joins opposites: straight then"


def test_a_noise_loop_closes_and_is_as_wide_as_asked() -> None:
    turn = np.array([noise_loop(phase, 0.5, 512) for phase in np.linspace(0, 1, 201)])
    assert np.allclose(turn[0], turn[-1], atol=1e-12)
    assert np.sqrt(np.mean(turn[:-1] ** 2)) == pytest.approx(0.5, rel=0.1)


def test_a_loop_of_eight_beats_closes_exactly() -> None:
    instrument = Instrument()
    instrument.use(points(5), W)
    settings: dict[str, object] = {**ALL, "loop.beats": "8"}
    rate = 128 / 60
    pictures = [shown(instrument, settings, Moment(beat / rate, beat)) for beat in np.arange(0, 8.001, 0.25)]
    assert np.allclose(pictures[0], pictures[-1], atol=1e-6)
    assert np.allclose(pictures[0], points(5)[0][SPACE.groups], atol=1e-6)
    assert max(np.abs(p - pictures[0]).max() for p in pictures) > 1.0


def test_the_first_and_the_last_picture_of_a_loop_are_equal() -> None:
    torch.manual_seed(3)
    config = GeneratorConfig(8, z_dim=W, w_dim=W, mapping_layers=1, channel_base=128, channel_max=16)
    runner = TorchRunner(make_plan(Generator(config).freeze().synthesis), threads=1)
    model = Model("small", runner, space_of)
    model.instrument.use(points(5), W)
    drawn = []
    for beat in (0.0, 3.0, 8.0, 16.0):
        w_plus = shown(model.instrument, {**ALL, "loop.beats": "8"}, Moment(beat * 60 / 128, beat))
        drawn.append(np.zeros((8, 8, 3), np.uint8))
        model.draw(w_plus, Values().numbers, drawn[-1])
    model.close()
    assert np.abs(drawn[1].astype(int) - drawn[0]).mean() > 5, "between them it moves"
    assert np.array_equal(drawn[2], drawn[0])
    assert np.array_equal(drawn[3], drawn[0])


def test_a_loop_stays_on_the_beat_of_a_midi_clock_for_five_minutes() -> None:
    """Ticks that come up to 2 ms late; the stage tells the beat 60 times a second, pictures come between."""
    tempo, jitter = Tempo(), random.Random(3)
    per_beat = 60 / 128
    tempo.take(ClockEvent("drums", ClockMessage.START, 0.0))
    tick, told, worst = 0, BeatClock(), 0.0
    for frame in range(5 * 60 * 20):
        now = frame / 20
        while tick * per_beat / 24 <= now:
            time = tick * per_beat / 24 + jitter.uniform(0, 0.002)
            tempo.take(ClockEvent("drums", ClockMessage.TICK, time))
            tick += 1
        state = tempo.state(now)
        told = BeatClock(now, state.beat, state.bpm / 60)
        if now > 2.0:
            later = now + 0.013
            worst = max(worst, abs(told.at(later) - later / per_beat) * per_beat)
    assert worst < 0.010


def test_seconds_go_on_when_their_number_is_changed() -> None:
    turning = Turning()
    assert turning.at(10.0, 4.0) == 0.0
    assert turning.at(11.0, 4.0) == pytest.approx(0.25)
    assert turning.at(11.0, 8.0) == pytest.approx(0.25)
    assert turning.at(13.0, 8.0) == pytest.approx(0.5)
    assert turning.at(10.0 + 3600, 8.0) == pytest.approx((0.25 + 3599 / 8) % 1.0)


def test_the_amount_of_each_group_goes_from_sound_alone_to_the_loop_alone() -> None:
    instrument = Instrument()
    instrument.use(points(1), W)
    sound = np.ones((3, W), np.float32)
    half: dict[str, object] = {"loop.amount.coarse": 1.0, "loop.amount.middle": 0.5}
    w_plus = shown(instrument, half, Moment(), sound)
    by_sound, kept_one = SPACE.w_plus(sound, 1.0), points(1)[0]
    assert w_plus[0] == pytest.approx(kept_one[0], abs=1e-6)
    assert w_plus[1] == pytest.approx((kept_one[1] + by_sound[1]) / 2, abs=1e-6)
    assert w_plus[2] == pytest.approx(by_sound[2], abs=1e-6)


def test_a_dial_turns_a_loop_too() -> None:
    instrument = Instrument()
    instrument.use(points(1), W)
    instrument.dials = np.zeros((3, 8, W), np.float32)
    instrument.dials[0, 0] = 0.25
    w_plus = shown(instrument, {**ALL, "dial.coarse.1": 2.0}, Moment())
    assert w_plus[0] == pytest.approx(points(1)[0][0] + 0.5, abs=1e-6)
    assert w_plus[1] == pytest.approx(points(1)[0][1], abs=1e-6)


def test_sound_moves_around_the_anchor() -> None:
    instrument = Instrument(random_w=lambda number, of_class: np.full(W, number, np.float32))
    instrument.use(points(3), W)
    sound = np.random.default_rng(1).normal(size=(3, W)).astype(np.float32)
    motion = (SPACE.w_plus(sound, 0.5) - SPACE.mean) * 1.0
    for kind, number, where in (
        ("keyframe", 2, points(3)[1][SPACE.groups]),
        ("keyframe", 99, points(3)[2][SPACE.groups]),
        ("random", 7, np.full((4, W), 7.0)),
        ("class", 3, np.repeat(SPACE.mean[None] + 3, 4, axis=0)),
    ):
        settings: dict[str, object] = {
            "anchor.amount": 1.0,
            "anchor.kind": kind,
            "anchor.number": number,
            "anchor.glide": 0.0,
            "generator.truncation": 0.5,
        }
        assert shown(instrument, settings, Moment(), sound) == pytest.approx(where + motion, abs=1e-5)


def test_a_new_anchor_is_walked_to() -> None:
    instrument = Instrument()
    instrument.use(points(2), W)
    settings: dict[str, object] = {"anchor.amount": 1.0, "anchor.number": 1, "anchor.glide": 2.0}
    first = shown(instrument, settings, Moment(0.0))
    settings["anchor.number"] = 2
    assert np.allclose(shown(instrument, settings, Moment(0.0)), first)
    way = [shown(instrument, settings, Moment(time)) for time in np.arange(0.1, 4.0, 0.1)]
    left = [np.abs(w - points(2)[1][SPACE.groups]).max() for w in way]
    assert np.all(np.diff(left) < 0)
    assert left[19] < 0.06 * np.abs(first - points(2)[1][SPACE.groups]).max(), "95 % in the time of the glide"


def test_without_keyframes_loops_and_anchors_leave_the_mean_where_it_is() -> None:
    instrument = Instrument()
    assert np.allclose(shown(instrument, {**ALL, "anchor.amount": 1.0}, Moment()), SPACE.mean, atol=1e-6)
    assert np.array_equal(shown(instrument, {}, Moment(3.0, 2.0)), SPACE.w_plus(NOTHING, 1.0))


@pytest.mark.parametrize("settings", [{}, {"generator.truncation": 0.5}, {"dial.fine.3": 2.0}, ALL])
def test_a_kept_moment_comes_back_as_it_was(settings: dict[str, object]) -> None:
    instrument = Instrument()
    instrument.dials = np.full((3, 8, W), 0.1, np.float32)
    instrument.use(points(4), W)
    sound = np.random.default_rng(2).normal(size=(3, W)).astype(np.float32)
    seen = shown(instrument, settings, Moment(1.0, 1.3), sound)
    assert instrument.shown is not None
    frame = kept("abc" * 20, instrument.shown)
    instrument.use((frame.w,), W)
    assert shown(instrument, {**ALL, "loop.amount.fine": 1.0}, Moment()) == pytest.approx(seen, abs=4e-3)


@pytest.mark.parametrize("code", ["", "AAA", "?" * 8, "AAAA", "AHwAfAB8"])
def test_a_damaged_code_is_told(code: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(f'schema = 1\nname = "Bad"\n[[keyframe]]\nmodel = "ab"\ncode = "{code}"\n')
    with pytest.raises(PresetError, match=r"bad\.toml, line 5: code is no w"):
        read_preset(path)


def moments(count: int, model: str = "a" * 32) -> tuple[Keyframe, ...]:
    return tuple(kept(model, point) for point in points(count, 512))


def test_presets_and_states_keep_moments_of_every_model(tmp_path: Path) -> None:
    both = (*moments(14), *moments(2, "b" * 32))
    write_preset(Preset("Kept", keyframes=both), tmp_path / "kept.toml")
    assert read_preset(tmp_path / "kept.toml").keyframes == both
    keeper = StateKeeper(tmp_path / "state.json")
    keeper.close(ShowState(keyframes=both))
    state = read_state(tmp_path / "state.json")
    assert state is not None
    assert state.keyframes == both
    assert state.problems == ()


def test_hands_keep_up_to_sixteen_and_take_back_what_they_did(tmp_path: Path) -> None:
    looks = Looks(Values(), PresetLibrary(None, tmp_path))
    for keyframe in moments(MOST):
        assert looks.keep(keyframe)
    assert not looks.keep(moments(1)[0])
    looks.undo()
    assert looks.keyframes == moments(MOST)[:-1]
    looks.redo()
    assert looks.keyframes == moments(MOST)
    looks.recall(Preset("Other", values=Values().saved(), keyframes=moments(2)), 0.0)
    assert looks.keyframes == moments(2)
    looks.recall(Preset("Plain", values=Values().saved()), 0.0)
    assert looks.keyframes == moments(2), "a preset without moments leaves them alone"


def test_the_last_moment_is_forgotten_by_an_action(tmp_path: Path) -> None:
    with Control(Values(), BindingFolders(tmp_path, tmp_path)) as control:
        control.looks.keep(moments(1)[0])
        for _ in range(2):
            assert control.do(Action("keyframe.drop"), 0.0) == []
        assert control.looks.keyframes == ()
        assert control.notices() == ["There is no keyframe to forget"]
        assert control.do(Action("keyframe.keep"), 0.0) == [Action("keyframe.keep")]


def test_the_engine_keeps_what_it_shows_and_each_model_uses_its_own_moments() -> None:
    told: list[EngineEvent] = []
    runner = Still(1)
    space = Space(np.zeros(512), np.ones(512), np.arange(3))
    model = Model("mine", runner, lambda _: space, hash="m" * 64)
    with SharedBlock.create() as link:
        link.write_beat(BeatClock(0.0, 4.0, 2.0))
        worker = PictureWorker(link, model, Mailbox(), lambda: 0.0, told.append, clock=lambda: 1.0)
        path, _ = path_over(np.zeros((4, 128)))
        latent = path.step(np.ones(320, np.float32), Values({**ALL, "loop.beats": "8"}).numbers)
        worker._show(TimedLatent(latent, 0.0, 0.0, 1))
        assert worker.moment is not None
        assert worker.moment.is_of("m" * 64)
        mine, other = moments(2, "m" * 32), moments(1, "x" * 32)
        worker.use_keyframes((other[0], *mine))
        worker._show(TimedLatent(latent, 0.0, 0.0, 1))
        # At 1 s the beat is 6 of 8: on the way back from the second moment, half done.
        assert np.allclose(worker.moment.w, spherical(mine[1].w, mine[0].w, 0.5), atol=0.01)
        assert told == []
        worker.use_keyframes((kept("m" * 32, np.ones((3, 64))),))
        worker._show(TimedLatent(latent, 0.0, 0.0, 1))
        assert isinstance(told[0], KeyframesRefused)
        assert "another width" in told[0].text


def test_a_loops_noise_turns_once_in_its_own_time() -> None:
    instrument = Instrument()
    settings: dict[str, object] = {**ALL, "loop.noise": 0.5, "loop.noise_seconds": 4.0}
    places = [shown(instrument, settings, Moment(time)) for time in (0.0, 1.0, 4.0)]
    assert np.allclose(places[0], places[2], atol=1e-5)
    assert np.abs(places[0] - places[1]).max() > 0.05
