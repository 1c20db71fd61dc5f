"""From a model's file to pictures: what can be played, and what is refused before a show."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from lavlive.audio.spec import SourceSpec
from lavlive.engine import engine, loading, spaces
from lavlive.engine.loading import load_model
from lavlive.engine.priority import LOW_PRIORITY, at_low_priority
from lavlive.errors import CheckpointError, LavliveError
from lavlive.generator import wstats
from lavlive.generator.checkpoint import save_generator
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import LoadModel
from lavlive.link.settings import EngineSettings
from lavlive.parameters import Values
from tests.test_path import path_over


def file_of(folder: Path, w_dim: int) -> Path:
    torch.manual_seed(0)
    config = GeneratorConfig(16, z_dim=32, w_dim=w_dim, mapping_layers=1, channel_base=128, channel_max=16)
    path = folder / f"w{w_dim}.safetensors"
    save_generator(path, Generator(config).freeze(), {"name": "small"})
    return path


@pytest.mark.parametrize("w_dim", [64, 1024])
def test_a_w_of_any_usual_width_plays(tmp_path: Path, w_dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wstats, "SAMPLES", 300)  # the width counts, not how well W is known
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model, _ = load_model(str(file_of(tmp_path, w_dim)), "torch")
    path, _ = path_over(3 * np.random.default_rng(0).standard_normal((40, 128)), model.runner.w_dim)
    pictures = []
    for _ in range(2):
        for _ in range(20):
            latent = path.step(np.zeros(320, np.float32), Values().numbers)
        pictures.append(model.picture(latent).copy())
    model.close()
    assert pictures[0].shape == (16, 16, 3)
    assert (pictures[0] != pictures[1]).any()


@pytest.mark.parametrize("w_dim", [32, 1500])
def test_a_w_of_a_width_that_nobody_trains_is_refused_with_the_limits(tmp_path: Path, w_dim: int) -> None:
    with pytest.raises(CheckpointError, match=f"{w_dim} dimensions; lavlive plays 64 to 1024"):
        load_model(str(file_of(tmp_path, w_dim)), "torch")


def test_larger_pictures_than_a_show_has_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = SimpleNamespace(generator=SimpleNamespace(config=GeneratorConfig(4096)))
    monkeypatch.setattr(loading, "open_model", lambda _: huge)
    with pytest.raises(CheckpointError, match="4096 x 4096; lavlive shows at most 2048 x 2048"):
        load_model("huge.safetensors", "torch")


class _Enough(LavliveError):
    pass


@pytest.mark.parametrize(
    ("runner", "device", "expected"),
    [("openvino", "auto", "cpu"), ("torch", "auto", "cpu"), ("auto", "cpu", "cpu"), ("auto", "auto", "auto")],
)
def test_a_generator_on_the_cpu_keeps_its_encoder_off_the_card(
    runner: str, device: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def no_model(*arguments: Any) -> Any:
        return SimpleNamespace(runner=SimpleNamespace(height=8, width=8, w_dim=512)), []

    def no_path(*arguments: Any) -> Any:
        asked.append(arguments)
        raise _Enough

    monkeypatch.setattr(engine, "load_model", no_model)
    monkeypatch.setattr(engine, "load_path", no_path)
    settings = EngineSettings(SourceSpec("demo"), runner=runner, device=device)
    with SharedBlock.create() as link, pytest.raises(_Enough):
        engine.Engine(link, settings, lambda _: None).start()
    assert asked == [("bundled", None, 512, expected)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_a_runner_opened_beside_a_show_keeps_the_usual_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its threads inherit the one of the thread that opens it, and would keep a low one for ever."""
    monkeypatch.setattr(wstats, "SAMPLES", 300)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file, link, waiting = str(file_of(tmp_path, 64)), SharedBlock.create(), threading.Event()
    seen: dict[str, int] = {}

    def noting(name: str, original: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            seen[name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
            return original(*arguments, **named)

        return call

    for module, name in ((loading, "open_model"), (loading, "open_runner"), (spaces, "w_statistics")):
        monkeypatch.setattr(module, name, noting(name, getattr(module, name)))
    told: list[Any] = []
    with link:
        loader = engine.Engine(link, EngineSettings(SourceSpec("demo"), runner="torch"), told.append)
        loader.pictures = SimpleNamespace(swap=lambda model, fade: (model.close(), waiting.set()))  # type: ignore[assignment]
        loader.command(LoadModel(file, 0.0))
        assert waiting.wait(60), told
        loader._dials.stop()  # or the search would outlive the test
    usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert seen == {"open_model": LOW_PRIORITY, "open_runner": usual, "w_statistics": LOW_PRIORITY}


def test_what_fails_at_low_priority_fails_where_it_was_asked_for() -> None:
    def fail() -> None:
        raise CheckpointError("damaged")

    with pytest.raises(CheckpointError, match="damaged"):
        at_low_priority(fail)
    assert at_low_priority(lambda: 7) == 7
