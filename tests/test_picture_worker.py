"""The picture worker's models: swapped, dropped and closed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lavlive.engine.mailbox import Mailbox
from lavlive.engine.picture_worker import Model, PictureWorker
from lavlive.latent.space import Space
from lavlive.link.memory import Link


class Still:
    """A runner whose pictures have one value."""

    name = "still"
    num_ws = 3

    def __init__(self, value: int, w_dim: int = 512, resolution: int = 64) -> None:
        self.value, self.w_dim, self.height, self.width = value, w_dim, resolution, resolution
        self.closed = 0
        self.asked: list[np.ndarray] = []

    def picture_into(self, w_plus: np.ndarray, noise: float, out: np.ndarray) -> None:
        assert not self.closed
        self.asked.append(w_plus)
        out[...] = self.value

    def close(self) -> None:
        self.closed += 1


def model(runner: Still) -> Model:
    space = Space(np.zeros(runner.w_dim), np.ones(runner.w_dim), np.arange(3))
    return Model(str(runner.value), runner, lambda _: space)


@pytest.fixture
def link() -> Iterator[Link]:
    with Link.create() as made:
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


def worker_of(link: Link, runner: Still, time: Time | None = None) -> PictureWorker:
    time = time or Time()
    return PictureWorker(
        link, model(runner), Mailbox(), lambda: 0.0, lambda *_, **__: None, 60.0, time, time.sleep
    )


def test_a_model_that_another_replaces_before_any_picture_is_closed(link: Link) -> None:
    first, second, third = Still(1), Still(2), Still(3)
    worker = worker_of(link, first)
    worker.swap(model(second), 1.0)
    worker.swap(model(third), 1.0)
    assert (first.closed, second.closed, third.closed) == (0, 1, 0)
    worker.stop()
    assert (second.closed, third.closed) == (1, 1)


def test_pictures_are_paced_by_the_timer_of_high_resolution(link: Link) -> None:
    time = Time()
    worker = worker_of(link, Still(1), time)
    times = []
    for _ in range(5):
        worker._pace()
        times.append(time.now)
        time.now += 0.004  # as long as a picture takes
    assert np.diff(times[1:]) == pytest.approx([1 / 60] * 3)
    assert time.slept[1:] == pytest.approx([1 / 60 - 0.004] * 3)
