"""Statistics of W: right, repeatable, and kept."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from lavlive.engine import spaces
from lavlive.generator import wstats
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.wstats import measure_w, w_statistics, whitening
from tests.support.waiting import wait_until

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(GeneratorConfig(8, z_dim=16, w_dim=12, mapping_layers=2, channel_max=8)).freeze()


def test_mean_and_deviation_are_those_of_mapped_z(generator: Generator) -> None:
    statistics = measure_w(generator)
    w = generator.mapping(torch.randn(20_000, 16, generator=torch.Generator().manual_seed(9))).numpy()
    error = w.std(0) / np.sqrt(5000)
    assert np.all(np.abs(statistics.mean - w.mean(0)) < 5 * error)
    assert np.allclose(statistics.std, w.std(0), rtol=0.06)
    assert np.allclose(np.sqrt(np.diag(statistics.covariance)), statistics.std, rtol=1e-3)


def test_the_same_generator_gives_the_same_numbers(generator: Generator) -> None:
    assert np.array_equal(measure_w(generator, 1000).mean, measure_w(generator, 1000).mean)


def test_all_classes_count() -> None:
    torch.manual_seed(1)
    config = GeneratorConfig(8, z_dim=4, w_dim=6, mapping_layers=1, class_count=5, channel_max=8)
    conditional = Generator(config).freeze()
    one = conditional.mapping(torch.randn(2000, 4), torch.zeros(2000, dtype=torch.int64)).mean(0)
    assert not np.allclose(measure_w(conditional, 2000).mean, one.numpy(), atol=0.1)


def test_a_show_goes_on_with_the_class_before_while_another_is_being_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = GeneratorConfig(8, z_dim=4, w_dim=6, mapping_layers=1, class_count=3, channel_max=8)
    loaded = LoadedGenerator(Generator(config).freeze(), {}, "c" * 64)
    measured: list[int] = []
    go_on = threading.Event()

    def measure(generator: object, model_hash: str, class_index: int) -> wstats.WStatistics:
        measured.append(class_index)
        assert class_index == 0 or go_on.wait(10)
        if class_index == 2:
            raise MemoryError
        mean, eye = np.full(6, class_index, np.float32), np.eye(6, dtype=np.float32)
        return wstats.WStatistics(mean, np.ones(6, np.float32), eye, np.ones(9, np.float32))

    monkeypatch.setattr(spaces, "w_statistics", measure)
    live = spaces.Spaces(loaded, live=True)
    assert live(0).mean[0] == 0
    assert {live(1).mean[0] for _ in range(50)} == {0.0}, "the picture worker waits for nothing"
    go_on.set()
    wait_until(lambda: live(1).mean[0] == 1)
    assert measured == [0, 1]
    for _ in range(50):
        assert live(9).mean[0] == 1, "beyond the last, which cannot be measured"
    wait_until(lambda: measured == [0, 1, 2])
    assert spaces.Spaces(loaded)(1).mean[0] == 1, "a film waits for it"


def test_they_are_measured_once(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = w_statistics(generator, "a" * 64, tmp_path)

    def never(*arguments: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(wstats, "measure_w", never)
    second = w_statistics(generator, "a" * 64, tmp_path)
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.covariance, second.covariance)
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(AssertionError):
        w_statistics(generator, "b" * 64, tmp_path)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut"])
def test_a_damaged_cache_is_measured_again(generator: Generator, tmp_path: Path, content: bytes) -> None:
    good = w_statistics(generator, "c" * 64, tmp_path)
    path = next(tmp_path.iterdir())
    path.write_bytes(content)
    assert np.array_equal(w_statistics(generator, "c" * 64, tmp_path).mean, good.mean)
    assert path.stat().st_size > 100


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    generator: Generator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        statistics = w_statistics(generator, "d" * 64, tmp_path / "file")
    assert statistics.mean.shape == (12,)
    assert "cannot keep" in caplog.text


def test_a_new_sample_of_w_is_spread_evenly_over_the_known_distances(generator: Generator) -> None:
    statistics = measure_w(generator)
    w = generator.mapping(torch.randn(4000, 16, generator=torch.Generator().manual_seed(7))).numpy()
    away = (w - statistics.mean) / statistics.std @ whitening(statistics.covariance, statistics.std)
    distances = np.sqrt(np.mean(away**2, axis=1))
    shares = np.interp(distances, statistics.own, np.linspace(0, 1, len(statistics.own)))
    assert np.quantile(shares, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.03)


def test_what_the_mapping_never_does_lies_farther_than_what_it_does(generator: Generator) -> None:
    statistics = measure_w(generator)
    scale = np.outer(statistics.std, statistics.std)
    rare, *_, common = np.linalg.eigh(statistics.covariance / scale)[1].T
    whiten = whitening(statistics.covariance, statistics.std)
    assert np.linalg.norm(rare @ whiten) > 1.5 * np.linalg.norm(common @ whiten)


def test_a_dimension_that_never_varies_is_not_counted_as_infinitely_strange() -> None:
    covariance = np.diag([1.0, 0.0]).astype(np.float32)
    whiten = whitening(covariance, np.array([1.0, 0.0], np.float32))
    assert np.isfinite(whiten).all()
    assert np.abs(whiten).max() < 10
