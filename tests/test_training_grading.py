"""A generator's last step: the brightness and the colours of its set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lavlive.errors import TrainingError
from lavlive.generator.checkpoint import load_generator, save_generator
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.training.generator_grading import Tone, grade, main, turn
from lavlive.training.generator_growth import grow
from lavlive.training.generator_metrics import sound_w
from tests.support.networks import blocks_of

torch.set_num_threads(1)
SMALL = GeneratorConfig(16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=128, channel_max=8)


def pale() -> Generator:
    """A generator of greyish pictures around 0.4."""
    torch.manual_seed(2)
    generator = Generator(SMALL)
    with torch.no_grad():
        for block in blocks_of(generator):
            block.to_picture.weight.mul_(0.12)
        blocks_of(generator)[-1].to_picture.bias.add_(-0.2)
    return generator.freeze()


def pictures(generator: Generator, count: int = 64) -> torch.Tensor:
    with torch.no_grad():
        made: torch.Tensor = generator.synthesis(sound_w(generator, count, 0), 0.0)
        return made


def test_a_turned_generators_pictures_are_those_of_before_through_the_matrix() -> None:
    generator = pale()
    before = (pictures(generator, 4) + 1) / 2
    matrix = torch.tensor([[1.2, -0.1, 0.0], [0.05, 0.9, 0.2], [0.0, -0.3, 1.1]])
    turn(generator, matrix, -0.05)
    after = (pictures(generator, 4) + 1) / 2
    assert torch.allclose(after, torch.einsum("oc,nchw->nohw", matrix, before) - 0.05, atol=1e-5)


def test_black_beyond_the_edge_of_a_grown_generator_stays_black() -> None:
    black = pale()
    with torch.no_grad():
        for block in blocks_of(black):
            block.to_picture.weight.zero_()
            block.to_picture.bias.zero_()
        blocks_of(black)[-1].to_picture.bias.sub_(1)
    grown = grow(black, 32).freeze()
    turn(grown, 1.3 * torch.eye(3), 0.0)
    assert torch.allclose(pictures(grown, 2), torch.full((2, 3, 32, 32), -1.0), atol=1e-5)


def test_a_graded_generator_has_the_tone_of_its_set() -> None:
    generator = pale()
    before = pictures(generator)
    real = torch.clamp(1.4 * (before - before.mean((1, 2, 3), keepdim=True)) - 0.3, -1, 1)
    wanted, found = Tone.of(real), Tone.of(before)
    done = grade(generator, real)
    graded = Tone.of(pictures(generator).clamp(-1, 1))
    assert done["contrast"] > 1.1
    assert done["colour"] > 1.1
    for name in ("mean", "spread", "colour"):
        was, now = (abs(getattr(tone, name) - getattr(wanted, name)) for tone in (found, graded))
        assert now < 0.25 * was, name


def test_a_training_that_needs_more_than_a_grade_is_not_blown_up() -> None:
    generator = pale()
    done = grade(generator, torch.randint(0, 2, (16, 3, 16, 16)).float() * 2 - 1)
    assert max(done.values()) == pytest.approx(1.8)


def test_a_model_is_graded_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for index in range(30):
        side = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(side).save(tmp_path / f"{index}.png")
    path = tmp_path / "g.safetensors"
    save_generator(path, pale(), {"name": "pale"})
    command = [str(path), "--data", str(tmp_path), "--work", str(tmp_path / "work")]
    assert main(command) == 0
    assert "colour ×" in capsys.readouterr().out
    assert load_generator(path).card["graded"]["colour"] > 1
    with pytest.raises(TrainingError, match="graded already"):
        main(command)


def test_other_architectures_are_refused_in_one_line() -> None:
    other = Generator(GeneratorConfig(16, z_dim=8, w_dim=8, channel_base=128, architecture="orig")).freeze()
    with pytest.raises(TrainingError, match="architecture skip"):
        turn(other, torch.eye(3), 0.0)
