"""The picture worker's models: swapped, dropped and closed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lavlive.engine.latent_worker import TimedLatent
from lavlive.engine.mailbox import Mailbox
from lavlive.engine.picture_worker import Model, PictureWorker
from lavlive.generator.bends import Bends
from lavlive.latent.space import Space
from lavlive.link.layout import MAX_RESOLUTION
from lavlive.link.memory import SharedBlock
from lavlive.parameters import Values
from tests.test_path import path_over


class Still:
    """A runner whose pictures have one value."""

    name = "still"
    num_ws = 3

    def __init__(self, value: int, w_dim: int = 512, resolution: int = 64) -> None:
        self.value, self.w_dim, self.height, self.width = value, w_dim, resolution, resolution
        self.closed = 0
        self.asked: list[np.ndarray] = []

    def picture_into(self, w_plus: np.ndarray, noise: float, out: np.ndarray, bends: Bends = ()) -> None:
        assert not self.closed
        self.asked.append(w_plus)
        out[...] = self.value

    def prepare_bends(self) -> None:
        """Nothing is bent."""

    def close(self) -> None:
        self.closed += 1


def model(runner: Still) -> Model:
    space = Space(np.zeros(runner.w_dim), np.ones(runner.w_dim), np.arange(3))
    return Model(str(runner.value), runner, lambda _: space)


@pytest.fixture
def link() -> Iterator[SharedBlock]:
    with SharedBlock.create() as made:
        yield made


class Time:
    """A clock that stands still unless somebody sleeps."""

    def __init__(self) -> None:
        self.now = 10.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def timed(w_dim: int, seed: int = 0) -> TimedLatent:
    """A latent of the default parameters."""
    path = path_over(np.random.default_rng(seed).standard_normal((1, 128)), w_dim)[0]
    return TimedLatent(path.step(np.zeros(320, np.float32), Values().numbers), 0.0, 0.0, 0)


def worker_of(link: SharedBlock, runner: Still, time: Time | None = None) -> PictureWorker:
    time = time or Time()
    return PictureWorker(
        link, model(runner), Mailbox(), lambda: 0.0, lambda *_, **__: None, 60.0, time, time.sleep
    )


def test_a_model_that_another_replaces_before_any_picture_is_closed(link: SharedBlock) -> None:
    first, second, third = Still(1), Still(2), Still(3)
    worker = worker_of(link, first)
    worker.swap(model(second), 1.0)
    worker.swap(model(third), 1.0)
    assert (first.closed, second.closed, third.closed) == (0, 1, 0)
    worker.stop()
    assert (second.closed, third.closed) == (1, 1)


def test_pictures_are_paced_by_the_timer_of_high_resolution(link: SharedBlock) -> None:
    time = Time()
    worker = worker_of(link, Still(1), time)
    times = []
    for _ in range(5):
        worker._pace()
        times.append(time.now)
        time.now += 0.004  # as long as a picture takes
    assert np.diff(times[1:]) == pytest.approx([1 / 60] * 3)
    assert time.slept[1:] == pytest.approx([1 / 60 - 0.004] * 3)


@pytest.mark.parametrize("widths", [(512, 64), (64, 1024), (1024, 512)])
def test_a_model_with_another_width_of_w_fades_in(link: SharedBlock, widths: tuple[int, int]) -> None:
    """Both are asked for with w of their own width all the way, and the path is asked for the wider one."""
    time = Time()
    first, second = Still(10, widths[0]), Still(200, widths[1], resolution=32)
    worker = worker_of(link, first, time)
    shown = []
    for index in range(14):
        if index == 1:
            worker.swap(model(second), 1.0)
        worker._show(timed(worker.w_dim, index))
        time.now += 0.099
        assert worker.w_dim == (widths[0] if index < 1 else widths[1] if index > 11 else max(widths))
        picture = link.read_picture()
        assert picture is not None
        shown.append(int(picture.pixels[0, 0, 0]))
    assert shown[:2] == [10, 10]
    assert shown[12:] == [200, 200]
    assert shown == sorted(shown)
    assert {w_plus.shape for w_plus in first.asked} == {(3, widths[0])}
    assert {w_plus.shape for w_plus in second.asked} == {(3, widths[1])}
    assert first.closed == 1


def test_models_of_different_shapes_fade_into_each_other(link: SharedBlock) -> None:
    time = Time()
    wide, high = Still(0), Still(100)
    wide.height, wide.width, high.height, high.width = 32, 56, 48, 32
    worker = worker_of(link, wide, time)
    worker.swap(model(high), 1.0)
    sizes = []
    for _ in range(4):
        worker._show(timed(512))
        time.now += 0.5
        picture = link.read_picture()
        assert picture is not None
        sizes.append(picture.pixels.shape[:2])
    assert sizes == [(48, 32)] * 4, "the shape of the one that comes, from the first picture on"


def test_a_picture_of_2048_squared_comes_through(link: SharedBlock) -> None:
    runner = Still(7, resolution=MAX_RESOLUTION)
    link.require_room(MAX_RESOLUTION, MAX_RESOLUTION)
    worker_of(link, runner)._show(timed(512))
    picture = link.read_picture()
    assert picture is not None
    assert picture.pixels.shape == (2048, 2048, 3)
    assert (picture.pixels == 7).all()
