"""A node: its engine that follows the link, its part in the show, and its slice of the canvas."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import moderngl
import numpy as np
import pytest

from lavlive.commands.arguments import parse
from lavlive.commands.options import LiveOptions, NodeOptions
from lavlive.commands.typed import parse_slice
from lavlive.engine.follow_worker import FollowWorker
from lavlive.engine.latent_worker import TimedLatent
from lavlive.engine.loading import load_model
from lavlive.engine.mailbox import Mailbox
from lavlive.errors import LavliveError, UsageError
from lavlive.link.contents import BeatClock, Picture
from lavlive.link.memory import SharedBlock
from lavlive.link.process import PythonEngine
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import INDEX, Values
from lavlive.show.wall import ConductorPart, FollowerPart, hops_of, write_due
from lavlive.stage.canvas.canvas import Canvas
from lavlive.stage.canvas.limiter import COLUMNS, ROWS, SPENT, WINDOW_SECONDS, FlashLimiter
from lavlive.stage.notices import Notices
from lavlive.wall.conductor import Conductor
from lavlive.wall.follower import Due, Follower
from lavlive.wall.hashes import FileHashes
from lavlive.wall.messages import Look, Moment, Report, encode
from tests.support.offscreen import offscreen
from tests.support.waiting import wait_until
from tests.support.wall_network import Network, NodeClock, SimulatedWall
from tests.test_wall import content, moment


@pytest.fixture
def link() -> Iterator[SharedBlock]:
    with SharedBlock.create() as block:
        block.write_parameters(Values().numbers, 0)
        yield block


# The link


def test_a_deviation_carries_its_time_and_every_hop_has_another_number(link: SharedBlock) -> None:
    assert link.read_hop() is None
    link.write_deviation(np.ones((3, 8)), 4.5)
    first = link.read_hop()
    link.write_deviation(np.zeros((3, 4)), 4.6)
    second = link.read_hop()
    assert first is not None
    assert second is not None
    assert (first.captured, first.groups.shape) == (4.5, (3, 8))
    assert (second.captured, second.groups.shape) == (4.6, (3, 4))
    assert second.number > first.number


def test_an_engine_that_died_while_it_wrote_leaves_no_torn_deviation_for_good(link: SharedBlock) -> None:
    """The next engine's writing must look half-written while it is, and whole when it is."""
    link.write_deviation(np.ones((3, 8)), 1.0)
    link.meter("latent.groups_version")[0] += 1  # killed here
    assert link.read_hop() is None
    link.write_deviation(np.zeros((3, 8)), 2.0)
    hop = link.read_hop()
    assert hop is not None
    assert hop.captured == 2.0
    assert hop.number % 2 == 0


# The engine


def worker_on(link: SharedBlock) -> tuple[FollowWorker, Mailbox[TimedLatent]]:
    mailbox: Mailbox[TimedLatent] = Mailbox()
    return FollowWorker(link, mailbox, lambda: 8, clock=lambda: 10.0), mailbox


def test_the_engine_of_a_node_hands_on_each_deviation_once(link: SharedBlock) -> None:
    worker, mailbox = worker_on(link)
    assert worker.step()
    before_any = mailbox.take(0)
    assert before_any is not None
    assert not before_any.latent.deviation.any()
    link.write_deviation(np.full((3, 8), 0.5), 10.25)
    link.write_parameters(Values({"generator.truncation": 0.5}).numbers, 7)
    assert worker.step()
    timed = mailbox.take(0)
    assert timed is not None
    assert (timed.captured, timed.parameter_revision) == (10.25, 7)
    assert timed.latent.deviation.dtype == np.float32
    assert np.array_equal(timed.latent.deviation, np.full((3, 8), 0.5))
    assert not worker.step()
    assert mailbox.take(0) is None


def test_a_nodes_engine_has_no_sound_and_makes_the_picture_of_what_it_is_told(tmp_path: Path) -> None:
    deviation = np.random.default_rng(3).normal(size=(3, 512)).astype(np.float16)
    with SharedBlock.create() as link:
        link.write_parameters(Values().numbers, 0)
        settings = EngineSettings(model="bloom", runner="torch", rate=60.0, follows=True, encoder="missing")
        supervisor = Supervisor(
            link, settings, lambda name, what: PythonEngine(name, what, tmp_path / "log"), time.perf_counter()
        )
        try:
            seen: list[Picture] = []

            def step() -> None:
                supervisor.step(time.perf_counter())
                link.write_deviation(deviation, 123.0)
                picture = link.read_picture(after=seen[-1].sequence if seen else 0)
                seen.extend([picture] if picture is not None else [])
                time.sleep(0.02)  # the engine works meanwhile

            wait_until(
                lambda: seen and seen[-1].captured == 123.0,
                90.0,
                lambda: f"no picture of what was told: {(tmp_path / 'log').read_text()[-500:]}",
                step,
            )
            picture = seen[-1]
        finally:
            supervisor.close()
    model, _ = load_model("bloom", "torch")
    worker, mailbox = worker_on(SharedBlock.create())
    with worker._link as own:
        own.write_parameters(Values().numbers, 0)
        own.write_deviation(deviation, 1.0)
        worker.step()
    timed = mailbox.take(0)
    assert timed is not None
    expected = model.picture(timed.latent)
    assert np.abs(picture.pixels.astype(int) - expected).max() <= 1
    model.close()


# The show


class Stage(SimpleNamespace):
    """As much of a show as its part in a wall touches."""

    def __init__(self, link: SharedBlock) -> None:
        self.told: list[str] = []
        self.loaded: list[str] = []
        super().__init__(
            link=link,
            control=SimpleNamespace(values=Values(), looks=SimpleNamespace(mix="")),
            notices=Notices(self.told.append),
            output=SimpleNamespace(sign="", limiter=FlashLimiter()),
            models={"bloom": "bloom", "silk": "silk"},
            model_name="bloom",
            model_is_loading=False,
            supervisor=SimpleNamespace(settings=SimpleNamespace(model="bloom")),
            load_model=self.loaded.append,
            shaders=None,
            latency=SimpleNamespace(seconds=0.004),
        )


def no_conductor() -> Any:
    raise AssertionError("nobody connects here")


def part_of(link: SharedBlock, own_model: bool = False) -> tuple[FollowerPart, Follower]:
    follower = Follower("left", "test")
    return FollowerPart(follower, link, no_conductor, "0,0,0.5,1", own_model), follower


def test_a_node_takes_over_what_hands_set_on_the_conductor(link: SharedBlock) -> None:
    part, follower = part_of(link)
    stage: Any = Stage(link)
    part.collect(stage, 0.5)
    assert stage.told == ["Waiting for the conductor"]
    values = Values({"show.blackout": True, "mapper.y": 1.25})
    follower.take(encode(moment(1, 1.0, values=values, identify="left")), 1.0)
    follower.step(1.0)
    part.collect(stage, 1.0)
    assert stage.control.values["show.blackout"] is True
    assert stage.control.values["mapper.y"] == 1.25
    assert stage.output.sign == "left"
    revision = stage.control.values.revision
    part.collect(stage, 1.01)
    assert stage.control.values.revision == revision
    part.collect(stage, 5.0)
    assert stage.told[-1] == "The conductor is lost: the picture is held"
    assert stage.output.sign == ""
    assert stage.control.values["show.blackout"] is True


def test_a_nodes_limiter_counts_what_the_conductors_has_let_pass(link: SharedBlock) -> None:
    part, follower = part_of(link)
    stage: Any = Stage(link)
    follower.take(encode(moment(1, 1.0)), 1.0)
    follower.step(1.0)
    due = Due(replace(content(1, 1.0, 0.0), spent=np.full(SPENT, 1.4)), 1.0, 1.0)
    part._thread.due = due
    limiter: FlashLimiter = stage.output.limiter
    limiter.step(np.zeros((ROWS, COLUMNS, 3)), 1.0)
    part.collect(stage, 1.0)
    assert limiter.step(np.ones((ROWS, COLUMNS, 3)), 1.1) < 0.15
    assert limiter.step(np.ones((ROWS, COLUMNS, 3)), 1.6) == 1.0


def hashes_by_name() -> Any:
    """Stands for the hashes of files that have been read: each is the file's name."""
    return SimpleNamespace(of=lambda path: path.stem, busy=False, close=lambda: None)


def look(**others: Any) -> bytes:
    return encode(Look(show=1, software="1", table=others.pop("table", ""), **others))


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            {"model": "huge", "model_hash": "ab" * 32},
            "the model huge, which this node has not: it shows its own",
        ),
        ({"loaded": {"fx1.shader": "glow"}}, "effects that this node has not: fx1: glow"),
        (
            {"model": "bloom", "model_hash": "bloom", "mix": "huge", "mix_hash": "ab" * 32},
            "mixes in the model huge, which this node has not: nothing is mixed in here",
        ),
        ({"table": "other"}, "with other parameters: install the same on both"),
    ],
)
def test_what_a_node_has_not_is_told_in_one_line(link: SharedBlock, told: dict[str, Any], line: str) -> None:
    part, follower = part_of(link)
    part._hashes = hashes_by_name()
    stage: Any = Stage(link)
    follower.take(encode(moment(1, 1.0)), 1.0)
    follower.take(look(**told), 1.0)
    follower.step(1.0)
    part.collect(stage, 1.0)
    assert any(line in notice for notice in stage.told), stage.told
    assert all("\n" not in notice for notice in stage.told)
    assert stage.loaded == []


@pytest.mark.parametrize(("own_model", "loaded"), [(False, ["silk"]), (True, [])])
def test_a_node_shows_the_conductors_model_unless_it_was_given_its_own(
    link: SharedBlock, own_model: bool, loaded: list[str]
) -> None:
    part, follower = part_of(link, own_model)
    part._hashes = hashes_by_name()
    stage: Any = Stage(link)
    follower.take(encode(moment(1, 1.0)), 1.0)
    follower.take(look(model="silk", model_hash="silk"), 1.0)
    follower.step(1.0)
    part.collect(stage, 1.0)
    assert stage.loaded == loaded


def test_a_model_that_a_node_cannot_load_is_not_asked_for_in_every_frame(link: SharedBlock) -> None:
    part, follower = part_of(link)
    part._hashes = hashes_by_name()
    stage: Any = Stage(link)
    follower.take(encode(moment(1, 1.0)), 1.0)
    follower.take(look(model="silk", model_hash="silk"), 1.0)
    follower.step(1.0)
    for frame in range(600):
        part.collect(stage, 1.0 + frame / 60)  # it is refused, and so the model stays bloom
    assert stage.loaded == ["silk"]
    part.collect(stage, 30.0)
    assert stage.loaded == ["silk", "silk"]


def test_what_is_mixed_in_is_mixed_in_on_every_node_that_shows_the_conductors_model() -> None:
    """Over a bad network: one node has all files, one lacks what is mixed in, one has a model of its own."""
    wall = SimulatedWall([NodeClock()] * 3, Network(loss=0.2), seed=2)
    wall.load(model="silk", model_hash="silk")
    with SharedBlock.create() as link:
        parts = [
            FollowerPart(node.follower, link, no_conductor, "all", own_model=number == 2)
            for number, node in enumerate(wall.nodes)
        ]
        stages: list[Any] = [Stage(link) for _ in parts]
        stages[0].models["nebula"] = "nebula"
        stages[2].control.looks.mix = "silk"

        def frames(until: float) -> list[str]:
            while wall.now < until:
                wall.run(wall.now + 0.1)
                for part, stage in zip(parts, stages, strict=True):
                    part._hashes = hashes_by_name()
                    part.collect(stage, wall.now)
            return [stage.control.looks.mix for stage in stages]

        wall.load(mix="nebula", mix_hash="nebula")
        assert frames(2.0) == ["", "", "silk"], "not into the model before: that is on its way"
        assert [stage.loaded for stage in stages] == [["silk"], ["silk"], []]
        for stage in stages[:2]:
            stage.model_name = "silk"
        assert frames(2.2) == ["nebula", "", "silk"]
        assert [notice for notice in stages[1].told if "mixes in the model nebula" in notice]
        wall.load(mix="", mix_hash="")
        assert frames(4.0) == ["", "", "silk"]


def test_a_file_that_is_gone_keeps_a_node_from_following_no_more(link: SharedBlock, tmp_path: Path) -> None:
    part, follower = part_of(link)
    stage: Any = Stage(link)
    (tmp_path / "here.safetensors").write_bytes(b"here")
    stage.models = {name: str(tmp_path / f"{name}.safetensors") for name in ("gone", "here")}
    follower.take(encode(moment(1, 1.0)), 1.0)
    follower.take(look(model="here", model_hash=hashlib.sha256(b"here").hexdigest()), 1.0)
    follower.step(1.0)
    part.collect(stage, 1.0)
    for path in stage.models.values():
        part._hashes.look(path)
    part.collect(stage, 1.1)
    assert stage.loaded == [stage.models["here"]]
    follower.take(look(model="other", model_hash="ab" * 32), 1.2)
    follower.step(1.2)
    part.collect(stage, 1.2)
    assert any("the model other, which this node has not" in notice for notice in stage.told)
    part.close()


def test_hashes_are_made_aside_one_at_a_time_and_anew_for_a_file_that_changed(tmp_path: Path) -> None:
    now = [0.0]
    hashes = FileHashes(lambda: now[0])
    files = [tmp_path / f"{number}.bin" for number in range(20)]
    for file in files:
        file.write_bytes(file.name.encode())
    before = threading.active_count()
    assert {hashes.of(file) for file in files} == {""}
    assert threading.active_count() <= before + 1
    hashes.close()
    assert hashes._thread is not None
    hashes._thread.join(10)
    assert not hashes.busy
    assert [hashes.of(file) for file in files] == [hashlib.sha256(f.name.encode()).hexdigest() for f in files]
    first = files[0]
    first.write_bytes(b"written anew")
    assert hashes.of(first) != "", "it is looked at again only after a while"
    now[0] = 2.5
    hashes.of(first)
    hashes.look(str(first))
    assert hashes.of(first) == hashlib.sha256(b"written anew").hexdigest()
    first.unlink()
    hashes.look(str(first))
    assert hashes.of(first) == ""


def test_a_picture_is_begun_as_early_as_it_takes(link: SharedBlock) -> None:
    from lavlive.link.contents import Journey

    part, follower = part_of(link)
    stage: Any = Stage(link)
    pixels = np.zeros((4, 4, 3), np.uint8)
    part.presented(stage, Picture(pixels, 1, 5.0, 4.98, 0, Journey(0, 0, 4.95)), 5.0)
    assert 0.03 < follower.ahead < 0.05
    for step in range(20):
        follower.take(encode(moment(step, 5 + step / 75)), 5 + step / 75)
        due = follower.step(5 + step / 75)
    assert due is not None
    assert due.due == pytest.approx(5 + 19 / 75 + follower.ahead)


def test_loops_by_the_beat_turn_as_late_as_the_sound_is_shown(link: SharedBlock) -> None:
    part, follower = part_of(link)
    own = BeatClock(2.0, 99.0, 1.0)
    assert part.beat(own, 2.0) is own
    follower.take(encode(moment(1, 1.0, tempo=120.0, beat=8.0)), 1.03)  # sent at 1.02
    follower.step(1.03)
    beat = part.beat(own, 2.03)
    assert beat.rate == 2.0
    # Before the first pings the way is taken for nothing: 10 ms here.
    assert beat.at(2.03) == pytest.approx(8.0 + 2.0 * (1.0 - 0.08))


def test_what_is_due_is_left_where_engine_and_drives_find_it(link: SharedBlock) -> None:
    write_due(link)(Due(content(1, 1.0, 0.5, onset=0.75), 9.0, 1.0))
    hop = hops_of(link)()
    assert hop is not None
    assert (hop.captured, float(hop.deviation[0, 0])) == (9.0, 0.5)
    assert link.number("audio.onset") == 0.75


def test_the_conductors_part_tells_all_that_a_hand_can_set(link: SharedBlock) -> None:
    conductor = Conductor(1, "test")
    part = ConductorPart(SimpleNamespace(conductor=conductor, problem=""))  # type: ignore[arg-type]
    values = Values({"show.freeze": True})
    stage: Any = Stage(link)
    stage.controls = SimpleNamespace(numbers=values.numbers, revision=4)
    stage.hearing = SimpleNamespace(heard=SimpleNamespace(onset=0.5, spectrum=None, chroma=None))
    stage.control = SimpleNamespace(
        values=values,
        moved_now={"fx1.flow.amount": 0.5},
        beat=lambda now: SimpleNamespace(known=True, bpm=120.0, beat=3.5),
        looks=SimpleNamespace(preset="dawn", mix="silk"),
    )
    part._hashes = hashes_by_name()
    for frame in range(7):
        stage.output.limiter.step(np.full((ROWS, COLUMNS, 3), frame % 2), 0.9 + 0.01 * frame)
    part.presented(stage, None, 1.0)
    conductor.take(encode(Report(node="left")), 1.0)
    told = conductor.step(None, 1.0)
    found = next(each for each in told if isinstance(each, Moment))
    assert (found.tempo, found.beat, found.onset, found.revision) == (120.0, 3.5, 0.5, 4)
    assert found.moved == {"fx1.flow.amount": 0.5}
    shown = next(each for each in told if isinstance(each, Look))
    assert (shown.mix, shown.mix_hash, shown.model) == ("silk", "silk", "bloom")
    assert set(found.spent) == {round((0.91 + WINDOW_SECONDS - 1.0) / 0.005)}
    assert np.frombuffer(found.numbers, "<f4")[INDEX["show.freeze"]] == 1.0
    part.presented(stage, None, 1.1)
    part.presented(stage, None, 9.0)
    assert stage.told == ["Node left is there", "Node left is gone"]


# The slice


@pytest.fixture(scope="module")
def context() -> Iterator[moderngl.Context]:
    with offscreen() as made:
        yield made


def test_slices_beside_each_other_are_the_whole(context: moderngl.Context) -> None:
    rows, columns = np.mgrid[0:64, 0:128]
    pixels = np.stack([rows * 3, columns * 1.9, (rows + columns) * 1.2], axis=-1).astype(np.uint8)
    canvas = Canvas(context, (128, 64))
    values = Values({"show.dissolve": 0, "show.scaling": "stretch", "show.flash_limit": False})
    for sequence in (1, 2):
        canvas.draw(Picture(pixels, sequence, 0, 0, 0), values, sequence / 60)

    def shown(size: tuple[int, int], part: tuple[float, float, float, float]) -> np.ndarray:
        screen = context.simple_framebuffer(size, 3)
        canvas.show_on(screen, size, part)
        data = np.frombuffer(screen.read(components=3, alignment=1), np.uint8)
        screen.release()
        return data.reshape(size[1], size[0], 3)[::-1].astype(int)

    whole = shown((128, 64), (0, 0, 1, 1))
    halves = [shown((64, 64), (x, 0, 0.5, 1)) for x in (0, 0.5)]
    assert np.abs(np.concatenate(halves, axis=1) - whole).max() <= 1
    quarters = [[shown((64, 32), (x, y, 0.5, 0.5)) for x in (0, 0.5)] for y in (0, 0.5)]
    joined = np.concatenate([np.concatenate(row, axis=1) for row in quarters])
    assert np.abs(joined - whole).max() <= 1
    # On a screen of another shape there is black beside the part, not what lies beside it on the canvas.
    barred = shown((128, 64), (0, 0, 0.5, 1))
    assert not barred[:, :30].any()
    assert not barred[:, -30:].any()
    assert np.abs(barred[:, 32:96] - halves[0]).max() <= 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("0,0,1,1", (0, 0, 1, 1)),
        ("0.5,0,0.5,1", (0.5, 0, 0.5, 1)),
        ("1280,0,640,1080", (2 / 3, 0, 1 / 3, 1)),
        ("0.667,0,0.3335,1", (0.667, 0, 0.333, 1)),
    ],
)
def test_a_slice_is_read_in_pixels_or_shares(text: str, part: tuple[float, ...]) -> None:
    assert parse_slice(text, (1920, 1080)) == pytest.approx(part)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "a,b,c,d", "0,0,0,1", "0.6,0,0.6,1", "-1,0,1,1", "0,0,1921,1080"]
)
def test_what_is_no_slice_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--slice takes X,Y,W,H inside the whole of 1920x1080"):
        NodeOptions(slice=text)


# What is typed


def test_conduct_and_node_are_read_as_typed() -> None:
    for typed in (["conduct"], ["live", "--conduct"]):
        options = parse(typed).options()
        assert isinstance(options, LiveOptions)
        assert options.conduct == ""
    opened = parse(["conduct", "--conduct", "0.0.0.0:7000", "--wall-key", "key"]).options()
    assert isinstance(opened, LiveOptions)
    assert (opened.conduct, str(opened.wall_key)) == ("0.0.0.0:7000", "key")
    node = parse(
        ["node", "--connect", "10.0.0.2", "--slice", "0,0,640,720", "--whole", "1280x720", "--screen", "1"]
    ).options()
    assert isinstance(node, NodeOptions)
    assert node.part == (0.0, 0.0, 0.5, 1.0)
    assert (node.monitor, node.fullscreen) == ("1", True)
    plain = parse(["live"]).options()
    assert isinstance(plain, LiveOptions)
    assert plain.conduct is None


def test_a_conductor_opened_without_a_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, link: SharedBlock
) -> None:
    from lavlive.commands.surroundings import open_wall

    with pytest.raises(LavliveError, match="--wall-key"):
        open_wall(LiveOptions(conduct="0.0.0.0"), link)
    with pytest.raises(LavliveError, match="no address of a conductor"):
        open_wall(NodeOptions(connect="what:ever"), link)
    assert open_wall(LiveOptions(), link) is None
