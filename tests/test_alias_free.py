"""StyleGAN3 plays as StyleGAN2 does: NVIDIA's pictures for the same w, by every way into the instrument.

The numbers in ``fixtures/readers/sg3-t`` and ``sg3-r`` were made by NVIDIA's own code, at 256², with few
channels: random weights, biases, magnitudes and a transform of the input; every fifth pixel is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lavlive.commands.model import info
from lavlive.engine import loading, mixture
from lavlive.engine.loading import load_model
from lavlive.errors import CheckpointError, RunnerError
from lavlive.generator import runner, wstats
from lavlive.generator.alias_free import AliasFreeConfig, AliasFreeGenerator
from lavlive.generator.bends import Bend
from lavlive.generator.checkpoint import LoadedGenerator, load_generator
from lavlive.generator.dials import style_matrix
from lavlive.generator.grid import Grid
from lavlive.generator.importing import convert_model
from lavlive.generator.readers.recognise import read_file
from lavlive.generator.runner import open_runner
from lavlive.generator.runners.alias_free_plan import make_alias_free_plan
from lavlive.generator.runners.base import MadeOf, picture
from lavlive.generator.runners.planned_alias_free import PlannedAliasFree
from lavlive.generator.runners.torch_runner import TorchRunner
from lavlive.generator.shapes import expected_shapes
from lavlive.latent.space import layer_groups
from tests.support.foreign_files import Fixture, fixture, nvidia_pickle

torch.set_num_threads(1)
CLOSE = 1e-5
"""Of the pictures' range; 1e-3 is asked for."""
KINDS = ("t", "r")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LoadedGenerator]:
    """Both fixtures, read from a pickle as a user's file is and from lavlive's own file after that."""
    kept: dict[str, LoadedGenerator] = {}

    def of_kind(kind: str) -> LoadedGenerator:
        if kind not in kept:
            path = tmp_path_factory.mktemp("models") / f"{kind}.pkl"
            path.write_bytes(nvidia_pickle(fixture(f"sg3-{kind}")))
            kept[kind] = convert_model(path, path.with_suffix(".safetensors"))
        return kept[kind]

    return of_kind


def generator_of(loaded: LoadedGenerator) -> AliasFreeGenerator:
    assert isinstance(loaded.generator, AliasFreeGenerator)
    return loaded.generator


def assert_close(made: torch.Tensor, expected: torch.Tensor) -> None:
    kept = made[..., 3::5, 3::5]
    assert (kept - expected).abs().max() < CLOSE * (expected.max() - expected.min())


@pytest.mark.parametrize("kind", KINDS)
def test_nvidias_pickles_make_nvidias_pictures(kind: str, opened: Callable[[str], LoadedGenerator]) -> None:
    made, generator = fixture(f"sg3-{kind}").made, generator_of(opened(kind))
    assert generator.config.kind == kind
    assert opened(kind).card["format"] == f"NVIDIA stylegan3-{kind}"
    with torch.inference_mode():
        assert_close(generator.synthesis(made["w_plus"]), made["picture"])
        mean = generator.mapping.w_mean
        w = mean + 0.7 * (generator.mapping(made["z"], made["class_index"]) - mean)
        assert (w - made["w_truncated"]).abs().max() < 1e-5
        assert_close(
            generator.synthesis(w[:, None].expand(-1, generator.num_ws, -1)), made["picture_truncated"]
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_runner_makes_the_networks_pictures_and_more_of_them_beside(
    kind: str, opened: Callable[[str], LoadedGenerator]
) -> None:
    """A wider picture has the square one in its middle: it goes on, and nothing is stretched."""
    made, generator = fixture(f"sg3-{kind}").made, generator_of(opened(kind))
    w_plus = made["w_plus"][0].numpy()
    square = picture(TorchRunner(make_alias_free_plan(generator.synthesis), threads=1), w_plus)
    levels = (made["picture"][0].permute(1, 2, 0) * 127.5 + 128).clamp(0, 255).numpy()
    assert np.abs(square[3::5, 3::5] - levels).max() <= 1.01
    assert np.ptp(square[3::5, 3::5].astype(int), axis=(0, 1)).max() > 8
    wide = PlannedAliasFree(make_alias_free_plan(generator.synthesis, Grid(16, 18)))
    with torch.inference_mode():
        wider = wide(torch.from_numpy(w_plus), torch.ones(())).numpy()
    assert wider.shape == (256, 288, 3)
    assert np.abs(wider[:, 16:272].astype(int) - square).max() <= 1


def test_layers_belong_to_groups_by_the_finest_detail_that_they_hold(
    opened: Callable[[str], LoadedGenerator],
) -> None:
    config = generator_of(opened("t")).config
    assert config.layer_resolutions == [4, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 256, 256]
    assert np.bincount(layer_groups(config.layer_resolutions)).tolist() == [4, 4, 8]
    assert config.block_resolutions == [4, 8, 16, 32, 64, 128, 256]
    plan = make_alias_free_plan(generator_of(opened("t")).synthesis)
    groups = layer_groups(config.layer_resolutions)
    styles = [len(style_matrix(plan, groups, group)) for group in range(3)]
    assert sum(styles) == 4 + sum(layer.weight.shape[1] for layer in plan.layers)
    assert all(styles)


def test_the_table_of_shapes_is_that_of_the_network(opened: Callable[[str], LoadedGenerator]) -> None:
    """The reader knows the network's names without torch; here both are held side by side."""
    for kind in KINDS:
        generator = generator_of(opened(kind))
        expected = dict(expected_shapes(asdict(generator.config)))
        assert expected == {name: tuple(t.shape) for name, t in generator.state_dict().items()}


def test_bends_bend_where_the_model_has_layers_and_at_nothing_change_nothing(
    opened: Callable[[str], LoadedGenerator],
) -> None:
    drawing = TorchRunner(make_alias_free_plan(generator_of(opened("t")).synthesis), threads=1)
    w_plus = fixture("sg3-t").made["w_plus"][0].numpy()
    plain = picture(drawing, w_plus)
    assert drawing._synthesis.bent_after == {2: 8, 4: 16, 6: 32, 8: 64}
    two = (Bend("ablate", "coarse", 1.0, 0, 0.5), Bend("invert", "64", 1.0, 0, 0.5))
    bent = [picture(drawing, w_plus, bends=bends) for bends in (two[:1], two[1:])]
    assert all((each != plain).any() for each in (*bent, bent[0] - bent[1]))
    assert (picture(drawing, w_plus, bends=(Bend("rotate", "128", 1.0, 0, 0.5),)) == plain).all()


def test_openvino_and_what_is_for_stylegan2_say_so_in_a_line(
    opened: Callable[[str], LoadedGenerator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lavlive.generator.runner.time_pictures", lambda *_, **__: 0.1)
    with pytest.raises(RunnerError, match="StyleGAN3 is drawn by torch"):
        open_runner(opened("t"), "openvino")
    chosen, notes = open_runner(opened("t"), "auto", "cpu", threads=1, folder=tmp_path)
    assert (chosen.name, notes) == ("torch", [])
    monkeypatch.setattr(mixture, "open_model", lambda _: opened("r"))
    monkeypatch.setattr(mixture, "generator_file", Path)
    with pytest.raises(CheckpointError, match="is a StyleGAN3; this takes a StyleGAN2"):
        mixture.open_mixture(opened("t"), chosen, Grid(16, 16), "stretch", "r.pkl")


def test_a_second_timing_times_pictures_that_are_not_there_yet() -> None:
    """Of a runner that was warmed up by one picture only, as slow ones are."""
    made_of, answers = MadeOf(), []

    def picture_into(w_plus: np.ndarray, noise: float, out: np.ndarray) -> None:
        answers.append(made_of.differs(w_plus, noise))

    slow: Any = SimpleNamespace(height=1, width=1, num_ws=2, w_dim=3, picture_into=picture_into)
    for _ in range(2):
        runner.time_pictures(slow, 1)
    assert answers == [True, True]


def test_a_show_plays_it_says_how_fast_and_searches_no_dials_for_hours(
    opened: Callable[[str], LoadedGenerator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wstats, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(wstats, "SAMPLES", 200)
    monkeypatch.setattr(loading, "open_model", lambda _: opened("t"))
    monkeypatch.setattr(loading, "generator_file", lambda _: tmp_path / "mine.pkl")
    for where in (loading, runner):
        monkeypatch.setattr(where, "time_pictures", lambda *_, **__: 0.5)
    model, notes = load_model("mine.pkl", "torch", aspect=16 / 9)
    assert (model.runner.height, model.runner.width) == (256, 448)
    assert any("StyleGAN3" in note and "about 2 pictures a second" in note for note in notes)
    assert any("lavlive model directions" in note for note in notes)
    assert model.find_dials is not None
    asked: list[int] = []
    assert model.find_dials(lambda: bool(asked.append(1))) is None
    assert not asked
    assert model.has_layers_for(Bend("invert", "coarse", 1.0, 0, 1.0))


def test_model_info_says_what_it_is(
    opened: Callable[[str], LoadedGenerator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lavlive.commands.model.open_model", lambda _: opened("t"))
    monkeypatch.setattr("lavlive.commands.model.time_pictures", lambda *_, **__: 0.25)
    monkeypatch.setattr(wstats, "cache_folder", lambda: tmp_path)
    said = info(tmp_path / "t.pkl", 1)
    for words in ("StyleGAN3-t (alias-free)", "256 × 256", "16 (4 coarse, 4 middle, 8 fine)", "0 to 2"):
        assert words in said
    assert "250 ms a picture on this processor by torch (4 a second)" in said


def _without(data: Fixture, ending: str) -> None:
    name = next(name for name in data.theirs if name.endswith(ending))
    del data.theirs[name]


def _set(data: Fixture, module: str, name: str, value: Any) -> None:
    found = next(key for key in data.settings["modules"] if key.startswith(module))
    data.settings["modules"][found][name] = value


def _shaped(data: Fixture, ending: str, *shape: int) -> None:
    name = next(name for name in data.theirs if name.endswith(ending))
    data.theirs[name] = torch.ones(shape)


def _layer_lost(data: Fixture) -> None:
    name = next(
        key for key in data.settings["modules"] if key.startswith("synthesis.L5_") and "." not in key[12:]
    )
    del data.settings["modules"][name]


DAMAGES: dict[str, tuple[Callable[[Fixture], object], str]] = {
    "a filter lacks": (lambda d: _without(d, "up_filter"), "lacks the filter synthesis.L"),
    "a filter is a plane": (lambda d: _shaped(d, "up_filter", 3, 4), "the filter synthesis.L"),
    "a weight is narrow": (lambda d: _shaped(d, "L3_52_12.weight", 12, 11, 3, 3), "StyleGAN3 needs"),
    "a bias lacks": (lambda d: _without(d, "L3_52_12.bias"), "lacks synthesis.L3_52_12.bias"),
    "a layer lacks": (_layer_lost, "a StyleGAN3 with the layers"),
    "no Fourier features": (lambda d: d.settings["modules"].pop("synthesis.input"), "without its Fourier"),
    "another rate": (lambda d: _set(d, "synthesis.L4_", "in_sampling_rate", 16), "at another rate"),
    "a factor of 3": (lambda d: _set(d, "synthesis.L4_", "up_factor", 3), "at another rate|cannot have"),
    "a factor that is text": (lambda d: _set(d, "synthesis.L4_", "down_factor", "2"), "whose down_factor is"),
    "not square": (lambda d: _set(d, "synthesis.L4_", "out_size", {"array": [84, 52]}), "not square"),
    "a size without bound": (
        lambda d: _set(d, "synthesis.L4_", "out_size", {"array": [90000, 90000]}),
        "cannot have these sizes",
    ),
    "no magnitude": (lambda d: d.theirs.update(_magnitude(d, 0.0)), "and no size of anything"),
    "not a number": (lambda d: d.theirs.update(_magnitude(d, float("nan"))), "not finite"),
}


def _magnitude(data: Fixture, value: float) -> dict[str, torch.Tensor]:
    return {next(n for n in data.theirs if n.endswith("magnitude_ema")): torch.tensor(value)}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_in_one_line(damage: str, tmp_path: Path) -> None:
    data, path = fixture("sg3-t"), tmp_path / "network.pkl"
    change, words = DAMAGES[damage]
    change(data)
    path.write_bytes(nvidia_pickle(data))
    with pytest.raises(CheckpointError, match=words) as caught:
        # What the reader lets through, the configuration looks at before anything is built.
        AliasFreeConfig(**read_file(path).config)
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused_in_one_line(tmp_path: Path) -> None:
    content, path = nvidia_pickle(fixture("sg3-r")), tmp_path / "network.pkl"
    for share in (0.3, 0.99):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(CheckpointError) as caught:
            read_file(path)
        assert "\n" not in str(caught.value)


def test_a_hostile_header_of_ours_builds_nothing(
    opened: Callable[[str], LoadedGenerator], tmp_path: Path
) -> None:
    good = generator_of(opened("r")).config
    layer = good.layers[3]
    for changed in (
        {"up": 1 << 20},
        {"size": 1 << 20},
        {"channels": 1 << 30},
        {"kernel": 2},
        {"down_taps": 10**6},
        {"cutoff": float("inf")},
        {"radial": "yes"},
    ):
        layers = (*good.layers[:3], replace(layer, **changed), *good.layers[4:])
        with pytest.raises(CheckpointError):
            replace(good, layers=layers)
    path = tmp_path / "own.safetensors"
    values = asdict(good) | {"layers": [{"channels": 3}]}
    metadata = {"format": "lavlive-generator-1", "config": json.dumps(values), "card": "{}"}
    save_file({"mapping.w_mean": torch.zeros(64)}, path, metadata)
    with pytest.raises(CheckpointError, match="damaged header"):
        load_generator(path)
