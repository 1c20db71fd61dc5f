"""The shared block, seen from both sides."""

import itertools
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lavlive.errors import LavliveError
from lavlive.link.layout import SLOTS, SOUND_FRAMES
from lavlive.link.memory import SharedBlock
from lavlive.parameters import TABLE, Values
from tests.support.waiting import first_line


@pytest.fixture
def pair() -> Iterator[tuple[SharedBlock, SharedBlock]]:
    with SharedBlock.create() as stage, SharedBlock.attach(stage.name) as engine:
        yield stage, engine


def picture_of(value: int, size: int = 64) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


def test_the_newest_picture_wins_and_is_read_once(pair: tuple[SharedBlock, SharedBlock]) -> None:
    stage, engine = pair
    assert stage.read_picture() is None
    for value in range(3 * SLOTS):
        engine.write_picture(picture_of(value), captured=value, made=value + 0.5, parameter_revision=value)
    picture = stage.read_picture()
    assert picture is not None
    assert picture.pixels[0, 0, 0] == 3 * SLOTS - 1
    assert picture.captured == 3 * SLOTS - 1
    assert stage.read_picture(after=picture.sequence) is None


def test_sequence_numbers_grow_over_a_restart_of_the_engine(pair: tuple[SharedBlock, SharedBlock]) -> None:
    stage, engine = pair
    first = engine.write_picture(picture_of(1), 0, 0, 0)
    with SharedBlock.attach(stage.name) as next_engine:
        assert next_engine.write_picture(picture_of(2), 0, 0, 0) == first + 1


def test_pictures_may_change_size(pair: tuple[SharedBlock, SharedBlock]) -> None:
    stage, engine = pair
    engine.write_picture(picture_of(1, 64), 0, 0, 0)
    engine.write_picture(picture_of(2, 1024), 0, 0, 0)
    picture = stage.read_picture()
    assert picture is not None
    assert picture.pixels.shape == (1024, 1024, 3)
    assert np.all(picture.pixels == 2)


def test_parameters_arrive_whole_with_their_revision(pair: tuple[SharedBlock, SharedBlock]) -> None:
    stage, engine = pair
    values = Values({"mapper.y": 2.5})
    stage.write_parameters(values.numbers, 7)
    received = engine.read_parameters()
    assert received is not None
    numbers, revision = received
    assert numbers.tolist() == values.numbers.tolist()
    assert revision == 7


def test_sound_comes_out_as_it_went_in_over_the_end_of_the_ring(
    pair: tuple[SharedBlock, SharedBlock],
) -> None:
    stage, engine = pair
    sent = np.random.default_rng(0).standard_normal((SOUND_FRAMES * 2 + 1000, 2)).astype(np.float32)
    received, position = [], 0
    for start in range(0, len(sent), 3000):
        engine.write_sound(sent[start : start + 3000], 48_000, start / 48_000)
        sound = stage.read_sound(position)
        assert sound is not None
        received.append(sound.samples)
        position = sound.position
    assert np.array_equal(np.concatenate(received), sent)


def test_mono_sound_is_doubled(pair: tuple[SharedBlock, SharedBlock]) -> None:
    stage, engine = pair
    engine.write_sound(np.ones((10, 1), np.float32), 48_000, 0.0)
    sound = stage.read_sound(0)
    assert sound is not None
    assert sound.samples.shape == (10, 2)


def test_meters_written_by_the_engine_are_read_by_the_stage(pair: tuple[SharedBlock, SharedBlock]) -> None:
    stage, engine = pair
    engine.meter("audio.chroma")[:] = np.arange(12)
    engine.meter("audio.level")[0] = 0.25
    assert stage.meter("audio.chroma").tolist() == list(range(12))
    assert stage.number("audio.level") == 0.25


def _attach_and_die(name: str) -> None:
    with SharedBlock.attach(name) as link:
        link.meter("audio.level")[0] = 1.0


def test_an_engine_that_ends_leaves_the_block_to_the_next_one() -> None:
    context = multiprocessing.get_context("spawn")
    with SharedBlock.create() as stage:
        for _ in range(2):
            engine = context.Process(target=_attach_and_die, args=(stage.name,))
            engine.start()
            engine.join(30)
            assert engine.exitcode == 0
        assert stage.number("audio.level") == 1.0


_STAGE = """
import os, signal, sys
from multiprocessing import resource_tracker
from lavlive.link.memory import SharedBlock
link = SharedBlock.create()
if sys.argv[1] == "killed":
    os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)
print(link.name, flush=True)
sys.stdin.read()
link.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="blocks can be listed on Linux only")
def test_a_stage_removes_what_a_killed_one_left_and_nothing_that_is_in_use() -> None:
    killed, living = (
        subprocess.Popen(
            [sys.executable, "-c", _STAGE, fate], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for fate in ("killed", "living")
    )
    with killed, living:
        assert killed.stdout is not None
        assert living.stdout is not None
        left, in_use = (Path("/dev/shm") / first_line(out) for out in (killed.stdout, living.stdout))
        killed.kill()
        killed.wait(30)
        for block in (left, in_use):
            os.utime(block, (0, 0))
        with SharedBlock.create():
            assert not left.exists()
            assert in_use.exists()
            with SharedBlock.attach(in_use.name):
                pass
        assert living.stdin is not None
        living.stdin.close()
        assert living.wait(30) == 0
    assert not in_use.exists()


def test_positions_of_sound_grow_over_a_restart_of_the_engine(pair: tuple[SharedBlock, SharedBlock]) -> None:
    stage, engine = pair
    engine.write_sound(np.ones((100, 2), np.float32), 48_000, 0.0)
    with SharedBlock.attach(stage.name) as next_engine:
        next_engine.write_sound(np.ones((100, 2), np.float32), 48_000, 1.0)
    sound = stage.read_sound(100)
    assert sound is not None
    assert (sound.position, len(sound.samples)) == (200, 100)


def test_parameters_that_are_being_written_are_read_as_soon_as_they_are_whole(
    pair: tuple[SharedBlock, SharedBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, engine = pair
    stage.write_parameters(Values().numbers, 3)
    block = stage._block
    block["parameter_version"] += 1
    assert engine.read_parameters() is None

    class Written:
        """The block as a reader sees it whose stage ends its writing after the first look."""

        looks = 0

        def __getitem__(self, name: str) -> np.ndarray:
            if name == "parameter_version":
                self.looks += 1
                if self.looks == 2:
                    block["parameter_version"] += 1
            value: np.ndarray = block[name]
            return value

    monkeypatch.setattr(engine, "_block", Written())
    received = engine.read_parameters()
    monkeypatch.undo()
    assert received is not None
    assert received[1] == 3


def _write_in_a_hurry(name: str, until: float) -> None:
    """Pictures and parameters of one value each, every value in its turn, until the meter says enough."""
    with SharedBlock.attach(name) as link:
        for value in itertools.count(1):
            link.write_picture(picture_of(value % 256, 256), value, value, value)
            link.write_parameters(np.full(len(TABLE), value, float), value)
            if time.perf_counter() > until or link.number("audio.level"):
                return


def test_nothing_that_another_process_writes_is_ever_read_torn() -> None:
    context = multiprocessing.get_context("spawn")
    last, revisions = 0, set()
    with SharedBlock.create() as link:
        writer = context.Process(target=_write_in_a_hurry, args=(link.name, time.perf_counter() + 60))
        writer.start()
        try:
            for _ in range(200):
                while (picture := link.read_picture(after=last)) is None:
                    assert writer.is_alive()
                value = int(picture.pixels[0, 0, 0])
                assert picture.pixels.shape == (256, 256, 3)
                assert (picture.pixels == value).all()
                assert picture.captured == picture.made == picture.parameter_revision
                assert picture.parameter_revision % 256 == value
                assert picture.sequence > last
                last = picture.sequence
                received = link.read_parameters()
                if received is not None:
                    assert (received[0] == received[1]).all()
                    revisions.add(received[1])
        finally:
            link.meter("audio.level")[0] = 1.0
            writer.join(30)
    assert writer.exitcode == 0
    assert len(revisions) > 50


@pytest.mark.skipif(sys.platform != "linux", reason="what a block takes can be seen on Linux only")
def test_a_block_takes_the_memory_that_the_models_pictures_need(
    pair: tuple[SharedBlock, SharedBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, engine = pair
    block = Path("/dev/shm") / stage.name
    before = block.stat().st_blocks * 512
    for _ in range(2 * SLOTS):
        engine.write_picture(picture_of(1, 256), 0, 0, 0)
    assert block.stat().st_blocks * 512 - before <= SLOTS * (256 * 256 * 3 + 4096)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=30e6))
    engine.require_room(1024, 1024)
    with pytest.raises(LavliveError, match="need 50 MB of shared memory"):
        engine.require_room(2048, 2048)
    with pytest.raises(ValueError, match="does not fit"):
        engine.write_picture(np.zeros((4096, 4096, 3), np.uint8), 0, 0, 0)
