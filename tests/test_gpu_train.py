"""`tools/gpu-train` trains on the CPU with five packages; the ordinary training goes on from what it made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lavlive.errors import TrainingError
from lavlive.generator.checkpoint import load_generator
from lavlive.generator.network import GeneratorConfig
from lavlive.training.generator import Run
from lavlive.training.generator_features import feature_network
from lavlive.training.generator_options import parse
from lavlive.training.generator_recipe import Recipe
from lavlive.training.generator_trainer import Trainer
from tests.test_gpu_check import ROOT, WITH_THREE_PACKAGES
from tests.test_training_generator import command, folder, trained
from tools.gpu import pictures, state, train
from tools.gpu.features import unpack
from tools.gpu.state import read_about, read_state, write_state

__all__ = ["folder", "trained"]

WITH_FIVE_PACKAGES = WITH_THREE_PACKAGES.replace('"torch",', '"torch", "PIL", "scipy",')


@pytest.fixture(scope="module")
def carried(folder: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is carried to the card."""
    import zipfile

    made = tmp_path_factory.mktemp("carried")
    archive = made.parent / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in folder.rglob("*.*"):
            file.write(path, path.name)
    arguments = ["--pack", str(made), "--checkpoint", str(trained / "training.pt"), "--data", str(archive)]
    assert train.main(arguments) == 0
    return made


def test_a_training_is_carried_goes_on_with_five_packages_and_comes_home(
    carried: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    script = [sys.executable, "-c", WITH_FIVE_PACKAGES, "tools/gpu-train", "--carried", str(carried)]
    options = ["--out", str(out), "--minutes", "0.03", "--batch", "8", "--device", "cpu", "--no-compile"]
    done = subprocess.run(
        [*script, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    log = json.loads((out / "gpu-train.json").read_text())
    assert log["pictures"] >= 8
    loaded = load_generator(out / "generator.safetensors")
    assert loaded.card["pictures_seen"] == 32 + log["pictures"]
    assert torch.isfinite(loaded.generator(torch.randn(2, 512))).all()
    assert {path.name.partition("-")[0] for path in out.glob("*.jpg")} == {"random", "walk"}
    home = tmp_path / "home"
    home.mkdir()
    arguments = ["--unpack", str(out), "--carried", str(carried), "--to", str(home / "training.pt")]
    assert train.main(arguments) == 0
    following = Run(parse(command(folder, home, "--resume", "--pictures", "1")))
    assert following.trainer.progress.pictures == 32 + log["pictures"]
    following.trainer.step(iter([torch.rand(4, 3, 8, 8) * 2 - 1]))


def test_a_state_keeps_everything_but_adams_moments_to_half_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = GeneratorConfig(8, z_dim=12, w_dim=12, mapping_layers=1, channel_base=128, channel_max=16)
    features = feature_network("nudenet")
    made = Trainer(config, Recipe(batch=2, warm_up=0), features, torch.zeros(3), torch.device("cpu"))
    made.step(iter([torch.rand(2, 3, 8, 8) * 2 - 1]))
    monkeypatch.setattr(state, "MOST_BYTES", 2 << 20)
    files = write_state(made, tmp_path)
    assert len(files) > 2
    assert all(path.stat().st_size <= 2 << 20 for path in files)
    other = Trainer(config, Recipe(seed=5), features, torch.zeros(3), torch.device("cpu"))
    read_state(other, tmp_path)
    assert other.progress == made.progress
    for part in ("generator", "average", "encoder", "discriminator", "cloud"):
        before, after = getattr(made, part).state_dict(), getattr(other, part).state_dict()
        assert before.keys() == after.keys()
        for name, value in before.items():
            torch.testing.assert_close(after[name], value, rtol=1e-3, atol=1e-6)
    files[1].unlink()
    with pytest.raises(TrainingError, match="not whole"):
        read_state(other, tmp_path)
    files[0].write_bytes(files[0].read_bytes()[:100])
    with pytest.raises(TrainingError, match="damaged"):
        read_about(tmp_path)


def test_packed_features_are_those_of_the_package(carried: Path) -> None:
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    for packed, whole in zip(
        unpack(carried / "features.safetensors")(x), feature_network("nudenet")(x), strict=True
    ):
        assert (packed - whole).norm() < 0.01 * whole.norm()


def test_batches_on_the_card_show_the_eight_symmetries() -> None:
    one = torch.arange(3 * 4 * 4, dtype=torch.uint8).view(1, 3, 4, 4)
    batch = next(pictures.batches(one.expand(2, -1, -1, -1), 16, 0))
    assert batch.shape == (16, 3, 4, 4)
    assert len({tuple(picture.flatten().tolist()) for picture in batch}) == 8
    levels = np.sort(batch[0].flatten().numpy())
    np.testing.assert_allclose(levels, np.arange(48) / 127.5 - 1, atol=1e-6)


def test_what_is_missing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--carried", str(tmp_path), "--out", str(tmp_path / "out"), "--device", "cpu"],
        ["--carried", str(tmp_path)],
        ["--pack", str(tmp_path / "carried")],
        ["--unpack", str(tmp_path)],
    ):
        assert train.main(arguments) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
