"""Generators of other codebases make the pictures here that they make there."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lavlive.commands.model import convert, info
from lavlive.errors import CheckpointError, UsageError
from lavlive.generator import importing
from lavlive.generator.checkpoint import LoadedGenerator, load_generator, save_generator, stylegan2_of
from lavlive.generator.grid import Grid
from lavlive.generator.importing import convert_model, open_model
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.readers.conversion import filter_taps
from lavlive.generator.readers.recognise import read_file
from lavlive.generator.runners.plan import make_plan
from lavlive.generator.runners.planned import PlannedSynthesis
from lavlive.generator.shapes import expected_shapes
from tests.support.foreign_files import (
    FIXTURES,
    Fixture,
    evil_source,
    fixture,
    nvidia_pickle,
    rosinality_table,
    tensorflow_pickle,
    torch_file,
)

torch.set_num_threads(1)
# Of the pictures' range; the issue of float32's order of summation is a thousand times smaller.
CLOSE = 1e-5


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(importing, "cache_folder", lambda: folder)
    return folder


def assert_same_pictures(loaded: LoadedGenerator, data: Fixture, mean: torch.Tensor | None = None) -> None:
    """w+ to picture, and z through mapping and truncation 0.7 to picture, both with constant noise."""
    generator, made = loaded.generator, data.made
    picture = generator.synthesis(made["w_plus"])
    expected = made["picture"].expand(-1, 3, -1, -1)
    reach = expected.max() - expected.min()
    assert (picture - expected).abs().max() < CLOSE * reach
    mean = generator.mapping.w_mean if mean is None else mean
    w = mean + 0.7 * (generator.mapping(made["z"], made["class_index"]) - mean)
    assert (w - made["w_truncated"]).abs().max() < 1e-5
    picture = generator.synthesis(w[:, None].expand(-1, generator.num_ws, -1))
    expected = made["picture_truncated"].expand(-1, 3, -1, -1)
    assert (picture - expected).abs().max() < CLOSE * (expected.max() - expected.min())


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", ["ada-skip-classes", "ada-orig-grey", "sg3-resnet-clamp", "ada-wide"])
def test_nvidias_pickles_make_nvidias_pictures(name: str, protocol: int, tmp_path: Path) -> None:
    data = fixture(name)
    path, canary = tmp_path / "network.pkl", tmp_path / "canary"
    path.write_bytes(nvidia_pickle(data, evil_source(canary), protocol))
    assert_same_pictures(_converted(path), data)
    assert not canary.exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensorflows_pickles_make_their_pictures(protocol: int, tmp_path: Path) -> None:
    data = fixture("tensorflow-resnet-classes")
    path, canary = tmp_path / "network.pkl", tmp_path / "canary"
    content = tensorflow_pickle(data, evil_source(canary), protocol)
    if protocol == 3:  # no frames, so the module's name may change its length: numpy 1 wrote another
        content = content.replace(b"numpy._core.", b"numpy.core.")
    path.write_bytes(content)
    assert_same_pictures(_converted(path), data)
    assert not canary.exists()


def test_a_wide_model_plays_in_its_own_shape_and_in_others(tmp_path: Path) -> None:
    path = tmp_path / "wide.pkl"
    path.write_bytes(nvidia_pickle(fixture("ada-wide")))
    assert "16 × 28 (height × width), from a constant of 4 × 7" in info(path)
    loaded = open_model(path)
    w_plus = fixture("ada-wide").made["w_plus"]
    own, tall = (make_plan(stylegan2_of(loaded).synthesis, grid=grid) for grid in (None, Grid(8, 7)))
    assert (own.height, own.width, tall.height, tall.width) == (16, 28, 32, 28)
    levels = PlannedSynthesis(own)(w_plus[0], torch.ones(()))
    expected = (loaded.generator.synthesis(w_plus)[0] * 127.5 + 128).clamp(0, 255).permute(1, 2, 0)
    assert (levels.float() - expected).abs().max() <= 1.0
    assert PlannedSynthesis(tall)(w_plus[0], torch.ones(())).shape == (32, 28, 3)


def test_a_wide_file_in_rosinalitys_form_loads_as_what_it_is(tmp_path: Path) -> None:
    data = fixture("rosinality")
    data.theirs["input.input"] = data.theirs["input.input"].repeat(1, 1, 1, 2)
    for name in [name for name in data.theirs if name.startswith("noises.")]:
        data.theirs[name] = data.theirs[name].repeat(1, 1, 1, 2)
    loaded = open_model(torch_file(tmp_path / "wide.pt", rosinality_table(data)))
    assert (loaded.generator.config.rows, loaded.generator.config.columns) == (4, 8)
    picture = loaded.generator.synthesis(data.made["w_plus"])
    assert picture.shape == (1, 3, 32, 64)
    # So far from the second copy its left edge is what their code makes of one.
    square = data.made["picture"]
    assert (picture[..., :3] - square[..., :3]).abs().max() < CLOSE * (square.max() - square.min())
    assert (picture[..., 24:32] - square[..., 24:32]).abs().max() > 0.1


@pytest.mark.parametrize("legacy", [False, True])
def test_rosinalitys_files_make_their_pictures(legacy: bool, tmp_path: Path) -> None:
    data = fixture("rosinality")
    table = rosinality_table(data) | {"args": argparse.Namespace(lr=0.002, path="data")}
    assert_same_pictures(_converted(torch_file(tmp_path / "model.pt", table, legacy)), data)


@pytest.mark.parametrize("filter_name", ["four", "three", "two"])
def test_rosinalitys_blur_kernels_blur_the_convolutions_and_not_the_pictures(
    filter_name: str, tmp_path: Path
) -> None:
    """`blur_kernel=[1, 4, 2, 1]`, `[1, 2, 1]` and `[1, 1]`, with the pictures that their code makes."""
    kernels = load_file(FIXTURES / "rosinality-kernels.safetensors")
    data = fixture("rosinality")
    for name in data.theirs:
        if name.endswith(".blur.kernel"):
            data.theirs[name] = kernels[f"{filter_name}.convs"]
        if name.endswith(".upsample.kernel"):
            data.theirs[name] = kernels[f"{filter_name}.pictures"]
    loaded = open_model(torch_file(tmp_path / "model.pt", rosinality_table(data)))
    expected = kernels[filter_name]
    picture = loaded.generator.synthesis(data.made["w_plus"])
    assert (picture - expected).abs().max() < CLOSE * (expected.max() - expected.min())
    plan = make_plan(stylegan2_of(loaded).synthesis)
    levels = ((expected[0].permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).numpy()
    planned = PlannedSynthesis(plan)(data.made["w_plus"][0], torch.ones(())).numpy()
    assert np.abs(planned - levels).max() <= 1.01


def test_filters_that_differ_from_layer_to_layer_are_refused(tmp_path: Path) -> None:
    data = fixture("rosinality")
    data.theirs["convs.2.conv.blur.kernel"] = torch.outer(*[torch.tensor([1.0, 2.0, 2.0, 1.0])] * 2)
    with pytest.raises(CheckpointError, match="differ from layer to layer"):
        open_model(torch_file(tmp_path / "model.pt", rosinality_table(data)))


def test_a_mean_of_w_that_is_not_in_the_file_is_measured(tmp_path: Path) -> None:
    data = fixture("rosinality")
    loaded = open_model(torch_file(tmp_path / "model.pt", rosinality_table(data, mean=False)))
    z = torch.randn(20_000, 32, generator=torch.Generator().manual_seed(7))
    expected = loaded.generator.mapping(z).mean(0)
    assert (loaded.generator.mapping.w_mean - expected).abs().max() < 0.05 * expected.abs().max()
    assert_same_pictures(loaded, data, mean=data.theirs["latent_avg"])


def test_half_precision_weights_are_read(tmp_path: Path) -> None:
    data = fixture("rosinality")
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        narrow = {name: tensor.to(dtype) for name, tensor in data.theirs.items()}
        read = read_file(torch_file(tmp_path / "model.pt", {"g_ema": narrow}))
        expected = data.theirs["conv1.conv.weight"][0].to(dtype).float()
        assert torch.equal(torch.from_numpy(read.weights["synthesis.blocks.0.conv1.weight"]), expected)


def test_weights_in_channels_last_order_are_read(tmp_path: Path) -> None:
    data = fixture("ada-skip-classes")
    for name, tensor in data.theirs.items():
        if tensor.ndim == 4:
            data.theirs[name] = tensor.to(memory_format=torch.channels_last)
    path = tmp_path / "network.pkl"
    path.write_bytes(nvidia_pickle(data))
    assert_same_pictures(_converted(path), data)


def test_a_conversion_is_made_once(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "network.pkl"
    path.write_bytes(nvidia_pickle(fixture("sg3-resnet-clamp")))
    first = open_model(path)
    assert [file.suffix for file in (own_cache / "models").iterdir()] == [".safetensors"]

    def never(*arguments: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(importing, "read_in_child", never)
    renamed = path.rename(tmp_path / "other.pkl")
    assert open_model(renamed).hash == first.hash
    next((own_cache / "models").iterdir()).write_bytes(b"cut short")
    with pytest.raises(AssertionError, match="read again"):
        open_model(renamed)


def test_our_own_files_are_opened_as_they_are(tmp_path: Path, own_cache: Path) -> None:
    config = GeneratorConfig(16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)
    save_generator(tmp_path / "own.safetensors", Generator(config), {"name": "own"})
    assert open_model(tmp_path / "own.safetensors").card == {"name": "own"}
    assert not list(own_cache.iterdir())


def test_a_converted_file_opens_without_the_reader(tmp_path: Path) -> None:
    data = fixture("rosinality")
    source = torch_file(tmp_path / "model.pt", rosinality_table(data))
    said = convert(source, tmp_path / "model.safetensors")
    assert "32 × 32" in said
    assert "licence" in said
    loaded = load_generator(tmp_path / "model.safetensors")
    assert loaded.card["source"] == "model.pt"
    assert loaded.card["format"] == "rosinality stylegan2-pytorch"
    assert_same_pictures(loaded, data)


def test_a_conversion_does_not_overwrite_its_source(tmp_path: Path) -> None:
    config = GeneratorConfig(16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)
    own = tmp_path / "own.safetensors"
    save_generator(own, Generator(config), {})
    with pytest.raises(UsageError, match="another name"):
        convert(own, own)
    with pytest.raises(UsageError, match=r"end in \.safetensors"):
        convert(own, tmp_path / "own.pt")


def test_info_tells_what_a_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "network.pkl"
    path.write_bytes(nvidia_pickle(fixture("ada-skip-classes")))
    facts = dict(line.split(maxsplit=1) for line in info(path, class_index=2).splitlines())
    assert facts["resolution"] == "32 × 32"
    assert facts["layers"] == "8 (3 coarse, 5 middle, 0 fine)"
    assert facts["classes"] == "3: 0 to 2"
    assert facts["W"].startswith("32 dimensions")
    assert facts["W"].endswith("from 10000 z of class 2")
    assert "NVIDIA" in facts["format"]
    assert "not for commercial use" in facts["licence"]
    assert "half precision" in facts["note"]
    with pytest.raises(CheckpointError, match="0 to 2"):
        info(path, class_index=3)


def test_a_card_does_not_steer_the_terminal(tmp_path: Path) -> None:
    config = GeneratorConfig(16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=8)
    own = tmp_path / "own.safetensors"
    save_generator(own, Generator(config), {"name": "\x1b[2Jgone\nsha256 0", "licence": "x" * 10_000})
    text = info(own)
    assert "\x1b" not in text
    assert text.count("\n") < 15
    assert len(text) < 3000


def test_the_reading_process_has_no_torch(tmp_path: Path) -> None:
    """It starts fast, stays small, and has nothing in it that a file could reach."""
    modules = "import json, sys, lavlive.generator.readers.recognise; print(json.dumps(list(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", modules], capture_output=True, check=True, timeout=60)
    assert "torch" not in json.loads(output.stdout)


def test_expected_shapes_are_those_of_the_network() -> None:
    """The reader knows the network's names without torch; here both are held side by side."""
    for architecture, classes in (("skip", 0), ("resnet", 3), ("orig", 2)):
        config: dict[str, Any] = {
            "resolution": 32,
            "z_dim": 5,
            "w_dim": 6,
            "class_count": classes,
            "class_width": classes + 1 if classes == 3 else None,
            "mapping_layers": 3,
            "mapping_width": 7 if classes else None,
            "channel_base": 128,
            "channel_max": 8,
            "picture_channels": 4,
            "architecture": architecture,
        }
        state = Generator(GeneratorConfig(**config)).state_dict()
        expected = dict(expected_shapes(config))
        assert expected == {name: tuple(tensor.shape) for name, tensor in state.items()}


def test_a_filter_of_any_gain_becomes_four_taps() -> None:
    taps = np.array([1, 3, 3, 1], np.float32)
    assert filter_taps(np.outer(taps, taps) / np.float32(16)) == [1, 3, 3, 1]
    assert filter_taps(taps / np.float32(8)) == [1, 3, 3, 1]
    assert filter_taps(np.ones(2, np.float32)) == [0, 4, 4, 0]
    uneven = np.array([0.1, 0.4, 0.45, 0.05], np.float32)
    assert np.allclose(filter_taps(np.outer(uneven, uneven)), uneven)


def _converted(path: Path) -> LoadedGenerator:
    """By way of the reading process, as a user's file goes."""
    return convert_model(path, path.with_suffix(".safetensors"))
