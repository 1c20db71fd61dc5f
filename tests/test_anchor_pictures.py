"""Small pictures to choose an anchor from, as the engine draws them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch

from lavlive.engine.anchor_pictures import AnchorPictures
from lavlive.engine.picture_worker import Model
from lavlive.generator import small_pictures
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.network import Architecture, Generator, GeneratorConfig
from lavlive.generator.runners.base import picture
from lavlive.generator.runners.plan import make_plan
from lavlive.generator.runners.plans import plan_of
from lavlive.generator.runners.torch_runner import TorchRunner
from lavlive.generator.small_pictures import cut, open_small_pictures, reduced
from lavlive.generator.wstats import random_w
from lavlive.latent.space import Space
from lavlive.link.messages import AnchorDrawn, AnchorsRefused, DrawAnchors, EngineEvent
from lavlive.shrinking import averaged
from tests.support.waiting import wait_until
from tests.test_picture_worker import Still


def small(resolution: int, architecture: Architecture = "skip") -> Generator:
    torch.manual_seed(2)
    config = GeneratorConfig(
        resolution, z_dim=8, w_dim=8, channel_base=512, channel_max=4, architecture=architecture
    )
    return Generator(config).freeze()


def model(open_small: object) -> Model:
    space = Space(np.zeros(8), np.ones(8), np.arange(3))
    return Model("still", Still(1, 8), lambda _: space, hash="ab", open_small=open_small)  # type: ignore[arg-type]


def test_a_small_picture_is_that_of_the_anchor_of_its_number() -> None:
    loaded = LoadedGenerator(small(64), {}, "ab")
    runner = TorchRunner(plan_of(loaded.generator), "cpu", 1)
    whole = picture(runner, np.repeat(random_w(loaded.generator, 7)[None], runner.num_ws, axis=0))
    found = open_small_pictures(loaded, 48)(7, 0)
    assert found.shape == (48, 48, 3)
    assert np.array_equal(found, reduced(whole, 48))
    assert np.abs(found.mean((0, 1)) - whole.mean((0, 1))).max() < 2.0


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"), [(96, 96, 48, 48), (50, 101, 48, 7), (3, 2, 6, 4)]
)
def test_smaller_pictures_are_means_and_larger_ones_the_nearest_pixels(
    height: int, width: int, rows: int, columns: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    found = averaged(pixels, rows, columns)
    for row in range(rows):
        for column in range(columns):
            top, bottom = height * row // rows, max(height * (row + 1) // rows, height * row // rows + 1)
            left, right = width * column // columns, width * (column + 1) // columns
            cell = pixels[top:bottom, left : max(right, left + 1)]
            assert np.array_equal(found[row, column], np.rint(cell.mean((0, 1))))


@pytest.mark.parametrize(("architecture", "side"), [("skip", 64), ("resnet", 256)])
def test_of_a_large_network_the_lower_layers_draw_them_where_they_make_a_picture(
    architecture: Architecture, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(small(256, architecture).synthesis)
    assert cut(plan) is plan or cut(plan).blocks == plan.blocks
    monkeypatch.setattr(small_pictures, "_MOST_WORK", 1.0)
    lower = cut(plan)
    assert (lower.height, lower.width, lower.num_ws) == (side, side, plan.num_ws)
    runner = TorchRunner(lower, "cpu", 1)
    assert picture(runner, np.ones((plan.num_ws, 8), np.float32)).std() > 0


def test_the_engine_draws_what_was_asked_for_last() -> None:
    told: list[EngineEvent] = []
    begun, go_on = threading.Event(), threading.Event()

    def draw(number: int, class_index: int) -> np.ndarray:
        begun.set()
        assert go_on.wait(10)
        return np.full((48, 48, 3), number, np.uint8)

    shown = model(lambda: draw)
    pictures = AnchorPictures(told.append, lambda: shown)
    pictures.draw(DrawAnchors((1, 2, 3), 4))
    assert begun.wait(10)
    pictures.draw(DrawAnchors((9,), 4))
    go_on.set()
    wait_until(lambda: any(isinstance(each, AnchorDrawn) and each.number == 9 for each in told))
    drawn = [each for each in told if isinstance(each, AnchorDrawn)]
    assert {each.number for each in drawn} == {1, 9}, "2 and 3 were not wanted any more"
    assert all(each.model == "ab" and each.class_index == 4 for each in drawn)
    assert all(np.all(each.pixels == each.number) for each in drawn)
    pictures.stop()


def test_however_often_is_asked_one_runner_is_open_at_a_time() -> None:
    told: list[EngineEvent] = []
    opened: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def open_small() -> Callable[[int, int], np.ndarray]:
        opened.append(1)
        begun.set()
        assert go_on.wait(10)
        return lambda number, class_index: np.full((48, 48, 3), number, np.uint8)

    shown = model(open_small)
    pictures = AnchorPictures(told.append, lambda: shown)
    pictures.draw(DrawAnchors((1,)))
    assert begun.wait(10)
    for number in range(2, 30):
        pictures.draw(DrawAnchors((number,)))
    go_on.set()
    wait_until(lambda: any(isinstance(each, AnchorDrawn) and each.number == 29 for each in told))
    assert len(opened) == 2, "the first, and the last that was asked for meanwhile"
    pictures.stop()


def test_a_model_that_is_too_slow_or_fails_is_told_and_the_show_goes_on() -> None:
    told: list[EngineEvent] = []

    def fail() -> object:
        raise MemoryError("none left")

    for open_small, words in ((None, "too slow"), (fail, "none left")):
        shown = model(open_small)
        AnchorPictures(told.append, lambda shown=shown: shown).draw(DrawAnchors((1,)))  # type: ignore[misc]
        wait_until(lambda: bool(told))
        refused = told.pop()
        assert isinstance(refused, AnchorsRefused)
        assert words in refused.text
