"""A folder of models: what is none is passed over, and each has a name of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from lavlive.engine import loading
from lavlive.engine.loading import load_first
from lavlive.errors import CheckpointError
from lavlive.generator.checkpoint import save_generator
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.link.settings import EngineSettings
from lavlive.show.bank import ModelBank, models_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models whose cards call them the same, one that was cut, and what macOS leaves on a stick."""
    torch.manual_seed(0)
    made = Generator(GeneratorConfig(8, z_dim=64, w_dim=64, mapping_layers=1, channel_base=32))
    for name in ("b", "c"):
        save_generator(tmp_path / f"{name}.safetensors", made, {"name": "flames"})
    whole = (tmp_path / "b.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(whole[:-100])
    (tmp_path / "._a.safetensors").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    return tmp_path


def test_hidden_files_are_no_models(folder: Path) -> None:
    (folder / "c.pkl").write_bytes(b"x")
    assert list(models_in(folder)) == ["a", "b", "c.pkl", "c.safetensors"]
    (folder / "c.pkl").unlink()
    for file in folder.glob("[abc].*"):
        file.unlink()
    with pytest.raises(CheckpointError, match="holds no model"):
        models_in(folder)


def test_a_model_with_a_name_of_no_letters_has_one_that_can_be_shown(tmp_path: Path) -> None:
    for name in (b"caf\xe9.pkl", b"caf\xe8.pkl", b"plain.pkl"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    names = models_in(tmp_path)
    assert list(names) == ["caf\ufffd.pkl", "caf\ufffd.pkl 2", "plain"]
    assert sorted(map(os.fsencode, names.values()))[0].endswith(b"/caf\xe8.pkl")


def test_the_first_that_can_be_played_plays_and_the_others_are_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "time_pictures", lambda runner, count: 0.01)
    told: list[tuple[str, str]] = []
    first, *others = models_in(folder).values()
    settings = EngineSettings(model=first, bank=tuple(others), runner="torch")
    path, model, _ = load_first(settings, lambda *refused: told.append(refused))
    assert path == str(folder / "b.safetensors")
    assert [Path(refused).name for refused, _ in told] == ["a.safetensors"]
    assert "cut short" in told[0][1]
    names = {model.name, loading.load_model(str(folder / "c.safetensors"), "torch")[0].name}
    assert names == {"flames (b)", "flames (c)"}


def test_a_bank_of_which_none_can_be_played_is_refused_in_one_line(folder: Path) -> None:
    for name in ("b", "c"):
        (folder / f"{name}.safetensors").write_bytes(b"<html>")
    first, *others = models_in(folder).values()
    settings = EngineSettings(model=first, bank=tuple(others), runner="torch")
    with pytest.raises(CheckpointError, match=r"None of the 3 models .*a\.safetensors") as caught:
        load_first(settings, lambda path, reason: None)
    assert "\n" not in str(caught.value)


def test_the_bank_goes_round_both_ways_without_what_was_refused(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_bytes(b"x")
    a, b, c = map(str, paths)
    bank = ModelBank([a, b, c])
    assert (bank.step(a, 1), bank.step(a, -1), bank.step(None, 1), bank.step(None, -1)) == (b, c, a, c)
    bank.step(a, 1)
    assert bank.refuse(b, a) == c
    assert (bank.step(a, 1), bank.step(c, -1)) == (c, a)
    assert bank.refuse("/elsewhere", a) is None
    bank.step(a, 1)
    assert bank.refuse(c, a) is None  # none but the one that is shown
    assert bank.step(a, 1) is None
    os.utime(b, (1, 1))  # copied anew
    assert bank.step(a, 1) == b
