"""One family's training serves the next: checkpoints to begin from, whole and small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lavlive.errors import TrainingError
from lavlive.generator.network import GeneratorConfig
from lavlive.training import generator_checkpoints as checkpoints
from lavlive.training.__main__ import main
from lavlive.training.generator import Run
from lavlive.training.generator_options import parse

torch.set_num_threads(1)


def command(folder: Path, out: Path, *more: str) -> list[str]:
    fixed = "--resolution 16 --first-resolution 8 --shares 1,0 --channel-base 128 --channel-max 8 --batch 4"
    rest = "--warm-up 16 --device cpu --w-dim 12 --code 8 --pictures 32"
    return ["--data", str(folder), "--out", str(out), *fixed.split(), *rest.split(), *more]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for index in range(24):
        Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(made / f"{index}.png")
    return made


@pytest.fixture(scope="module")
def learned(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a short training."""
    out = tmp_path_factory.mktemp("learned")
    Run(parse(command(folder, out))).train()
    return out / "training.pt"


@pytest.mark.parametrize("small", [False, True])
def test_a_training_begins_with_what_another_learned(
    folder: Path, learned: Path, tmp_path: Path, small: bool
) -> None:
    start = learned
    if small:
        start = tmp_path / "small.pt"
        assert main(["compact", str(learned), "-o", str(start)]) == 0
        assert start.stat().st_size < 0.3 * learned.stat().st_size
    known = torch.load(learned, weights_only=True)
    trainer = Run(parse(command(folder, tmp_path / "next", "--from", str(start)))).trainer
    assert trainer.progress.pictures == 0
    for module, name in (
        (trainer.generator, "average"),
        (trainer.average, "average"),
        (trainer.encoder, "encoder"),
        (trainer.discriminator, "discriminator"),
    ):
        for key, value in module.state_dict().items():
            assert torch.allclose(value.float(), known[name][key].float(), rtol=2e-3, atol=1e-3), (name, key)
    assert torch.allclose(trainer.cloud.covariance, known["cloud"]["covariance"], atol=1e-3)
    source = Run(parse(command(folder, tmp_path / "other"))).data[8].train
    assert len(source) > 2


def test_the_next_training_runs_from_a_small_state(folder: Path, learned: Path, tmp_path: Path) -> None:
    start = tmp_path / "small.pt"
    main(["compact", str(learned), "-o", str(start)])
    Run(parse(command(folder, tmp_path / "next", "--from", str(start)))).train()
    assert (tmp_path / "next" / "generator.safetensors").exists()


def test_a_checkpoint_holds_plain_numbers_under_the_names_of_always(learned: Path) -> None:
    """Trainings that began under another version of these modules are gone on with."""
    state = torch.load(learned, map_location="cpu", weights_only=True)  # no class of ours is named in it
    networks = {"generator", "average", "encoder", "discriminator", "cloud"}
    optimizers = {"optimizer_g", "optimizer_e", "optimizer_d"}
    numbers = {"config", "progress", "history", "rate_weight", "settled"}
    assert set(state) == networks | optimizers | numbers
    assert set(state["progress"]) == {"pictures", "seconds", "grown"}
    GeneratorConfig(**state["config"])
    assert set(state["cloud"]) >= {"mean", "covariance"}


def test_what_does_not_fit_is_said(
    folder: Path, learned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.pt"
    broken.write_bytes(learned.read_bytes()[:500])
    with pytest.raises(TrainingError, match="damaged"):
        Run(parse(command(folder, tmp_path / "a", "--from", str(broken))))
    with pytest.raises(TrainingError, match=r"has grown to 8².*begins at 16²"):
        Run(parse(command(folder, tmp_path / "b", "--from", str(learned), "--first-resolution", "16")))
    with pytest.raises(TrainingError, match="another architecture"):
        Run(parse(command(folder, tmp_path / "c", "--from", str(learned), "--code", "6")))
    assert main(["compact", str(broken), "-o", str(tmp_path / "never.pt")]) == 2
    assert "damaged" in capsys.readouterr().err
    assert not (tmp_path / "never.pt").exists()
    (tmp_path / "file").write_bytes(b"")
    assert main(["compact", str(learned), "-o", str(tmp_path / "file" / "state.pt")]) == 2


def test_new_blocks_can_begin_as_those_of_a_training_that_has_grown_further(
    folder: Path, learned: Path, tmp_path: Path
) -> None:
    grown = Run(parse(command(folder, tmp_path / "grown", "--from", str(learned)))).trainer
    for resolution in (16, 32):
        grown.grow(resolution)
        with torch.no_grad():
            for parameter in grown.average.synthesis.blocks[-1].parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    codes = torch.randn(2, 1, 8)
    wanted = {}
    for last in (16, 32):
        trainer = Run(parse(command(folder, tmp_path / f"next{last}", "--from", str(learned)))).trainer
        checkpoints.save(grown, tmp_path / "donor.pt")
        checkpoints.take_blocks_of(trainer, tmp_path / "donor.pt")
        for resolution in (16, 32):
            if resolution <= last:
                trainer.grow(resolution)
        wanted[last] = trainer.average.synthesis(codes.expand(-1, trainer.average.num_ws, -1), 0.0)
    whole = grown.average.synthesis(codes.expand(-1, grown.average.num_ws, -1), 0.0)
    assert torch.allclose(wanted[32], whole, atol=1e-4)
    # On the way, too: what a further block would add is missing, but not the lift.
    smaller = torch.nn.functional.avg_pool2d(whole, 2)
    assert (wanted[16] - smaller).mean().abs() < 0.6
