"""lavlive's own generator file: what goes in comes out, and damage is named."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lavlive.errors import CheckpointError
from lavlive.generator import checkpoint
from lavlive.generator.checkpoint import load_generator, save_generator
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.resources import generator_file
from tests.support.networks import blocks_of

torch.set_num_threads(1)
CONFIG = GeneratorConfig(
    16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=128, channel_max=8, architecture="resnet"
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "small.safetensors"
    save_generator(path, Generator(CONFIG), {"name": "small", "licence": "MIT"}, torch.float32)
    return path


@pytest.mark.parametrize("least", [1, 12])
def test_a_generator_comes_back_as_it_was(tmp_path: Path, least: int) -> None:
    config = replace(CONFIG, channel_max=16, channel_min=least)
    assert [config.channels(side) for side in (4, 8, 16)] == [16, 16, max(8, least)]
    generator = Generator(config)
    z = torch.randn(2, 8)
    card = {"name": "small", "hours": 0.5, "übung": "ψ"}
    save_generator(tmp_path / "g.safetensors", generator, card, torch.float32)
    loaded = load_generator(tmp_path / "g.safetensors")
    assert loaded.card == card
    assert loaded.generator.config == config
    assert torch.allclose(loaded.generator(z), generator(z), atol=1e-6)
    assert not any(parameter.requires_grad for parameter in loaded.generator.parameters())


def test_the_hash_follows_the_content(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(saved.read_bytes())
    assert load_generator(saved).hash == load_generator(other).hash
    save_generator(other, Generator(CONFIG), {})
    assert load_generator(saved).hash != load_generator(other).hash


def test_half_precision_is_close_and_half_as_large(saved: Path, tmp_path: Path) -> None:
    loaded = load_generator(saved)
    half = tmp_path / "half.safetensors"
    save_generator(half, loaded.generator, loaded.card)
    z = torch.randn(2, 8)
    assert torch.allclose(load_generator(half).generator(z), loaded.generator(z), atol=0.05)
    assert half.stat().st_size < 0.65 * saved.stat().st_size


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no generator file .*gone\.safetensors"):
        load_generator(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 200, 5000])
def test_a_truncated_file_is_refused(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(CheckpointError):
        load_generator(saved)


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="not a lavlive generator"):
        load_generator(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"config": "{", "card": "{}"}, "damaged header"),
        ({"card": "{}"}, "damaged header"),
        ({"config": '{"resolution": 16, "colour": 1}', "card": "{}"}, "newer lavlive"),
        ({"config": '{"resolution": 17}', "card": "{}"}, "power of two"),
        ({"config": '{"resolution": 16}', "card": "[]"}, "not a table"),
        ({"config": '{"resolution": 8, "w_dim": 8, "z_dim": 8}', "card": "{}"}, "lacks"),
    ],
)
def test_a_bad_header_is_refused(tmp_path: Path, header: dict[str, str], message: str) -> None:
    path = tmp_path / "bad.safetensors"
    save_file({"x": torch.zeros(2)}, path, metadata={"format": checkpoint.FORMAT, **header})
    with pytest.raises(CheckpointError, match=message):
        load_generator(path)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.safetensors"
    save_generator(path, Generator(CONFIG), {})
    text = path.read_bytes().replace(b'channel_max\\": 8', b'channel_max\\": 6')
    path.write_bytes(text)
    with pytest.raises(CheckpointError, match="is \\("):
        load_generator(path)


def test_a_full_disk_leaves_the_older_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_generator(saved, Generator(CONFIG), {})
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_weights_that_are_not_finite_are_never_saved(saved: Path) -> None:
    generator = Generator(CONFIG)
    torch.nn.init.constant_(blocks_of(generator)[0].conv1.weight, 1e6)
    before = saved.read_bytes()
    with pytest.raises(CheckpointError, match="not finite"):
        save_generator(saved, generator, {})
    assert saved.read_bytes() == before


def test_the_bundled_generator_loads() -> None:
    loaded = load_generator(generator_file(None))
    assert loaded.generator.config.resolution == 256
    assert loaded.generator.num_ws == 14
    assert loaded.card["licence"]
