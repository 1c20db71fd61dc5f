"""Pictures that were looked at and kept: w+ to picture on every runner of the CPU."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lavlive.generator.checkpoint import stylegan2_of
from lavlive.generator.importing import open_model
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.runners.base import Runner, picture
from lavlive.generator.runners.openvino_runner import OpenvinoRunner
from lavlive.generator.runners.plan import make_plan
from lavlive.generator.runners.torch_runner import TorchRunner
from lavlive.resources import bundled_generators
from tests.support.golden import COMMAND, FOLDER, assert_as_kept, reduced, writing

SMALL = FOLDER / "small.safetensors"
HASHES = FOLDER / "bundled.json"


def small_generator() -> Generator:
    """A network with weights from a file, so that no library's random numbers come into it."""
    config = GeneratorConfig(32, z_dim=8, w_dim=24, mapping_layers=1, channel_base=256, channel_max=16)
    made = Generator(config)
    if writing():
        torch.manual_seed(5)
        made = Generator(config)
        for name, parameter in made.named_parameters():
            if parameter.ndim < 2:
                parameter.data += 0.2 * torch.randn_like(parameter)
            if name.endswith("affine.bias"):
                parameter.data += 2.0 * torch.rand_like(parameter)
        FOLDER.mkdir(exist_ok=True)
        save_file({name: tensor.half() for name, tensor in made.state_dict().items()}, SMALL)
    made.load_state_dict({name: tensor.float() for name, tensor in load_file(SMALL).items()})
    return made.freeze()


@pytest.fixture(scope="module")
def small() -> Generator:
    return small_generator()


@pytest.mark.parametrize("kind", [TorchRunner, OpenvinoRunner])
@pytest.mark.parametrize("seed", [0, 1])
def test_w_plus_still_gives_the_picture_that_was_looked_at(
    small: Generator, kind: type[Runner], seed: int
) -> None:
    w_plus = np.random.default_rng(seed).standard_normal((small.num_ws, 24)).astype(np.float32)
    opened = kind(make_plan(small.synthesis, small.mapping.w_mean), threads=1)  # type: ignore[call-arg]
    if writing() and kind is not TorchRunner:
        return  # torch's is kept, and the others are held against it
    assert_as_kept(f"small-{seed}", picture(opened, w_plus), worst=2, mean=0.25)
    opened.close()


@pytest.mark.parametrize("name", list(bundled_generators()))
def test_a_bundled_generator_still_gives_its_picture(name: str) -> None:
    """In a quarter of its size or less, which tells a change as well, and keeps the file small."""
    loaded = open_model(bundled_generators()[name])
    hashes: dict[str, str] = json.loads(HASHES.read_text()) if HASHES.is_file() else {}
    if writing():
        HASHES.write_text(json.dumps(hashes | {name: loaded.hash}, indent=1, sort_keys=True) + "\n")
    elif hashes.get(name) != loaded.hash:
        pytest.fail(f"the bundled generator {name} is another one now; look at it and run {COMMAND}")
    generator = stylegan2_of(loaded)
    random = np.random.default_rng(3).standard_normal((generator.num_ws, generator.config.w_dim))
    w_plus = (generator.mapping.w_mean.numpy() + 0.5 * random).astype(np.float32)
    opened = TorchRunner(make_plan(generator.synthesis, generator.mapping.w_mean), threads=1)
    whole = picture(opened, w_plus)
    opened.close()
    assert_as_kept(f"bundled-{name}", reduced(whole, max(1, opened.height // 64)), worst=2, mean=0.25)
