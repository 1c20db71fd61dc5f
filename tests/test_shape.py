"""Pictures of other shapes from the same weights: grids, constants, and runners that agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lavlive.engine.loading import _fill
from lavlive.engine.picture_worker import _fitted
from lavlive.errors import UsageError
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.grid import Fill, Grid, centred, grid_for, noise_for, refilled
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.runner import open_runner, picture
from lavlive.generator.runners.plan import make_plan
from lavlive.generator.runners.planned import trimmed
from lavlive.generator.runners.torch_runner import TorchRunner
from lavlive.show.shape import ShapeFollower, parse_aspect
from tests.support.networks import blocks_of

SQUARE = Grid(4, 4)
WIDE = Grid(4, 7)


def fresh(architecture: str = "skip", resolution: int = 64, clamp: float | None = None) -> Generator:
    """A freshly initialised generator of NVIDIA's kind, its noise audible."""
    torch.manual_seed(3)
    config = GeneratorConfig(
        resolution,
        z_dim=64,
        w_dim=64,
        mapping_layers=2,
        channel_base=2048,
        channel_max=64,
        architecture=architecture,  # type: ignore[arg-type]
        conv_clamp=clamp,
    )
    generator = Generator(config)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            torch.nn.init.constant_(parameter, 0.2)
    return generator.freeze()


def some_w_plus(generator: Generator, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.standard_normal((generator.num_ws, generator.config.w_dim)).astype(np.float32)


@pytest.mark.parametrize(
    ("text", "aspect"),
    [
        ("16:9", 16 / 9),
        ("1920x1080", 16 / 9),
        ("1:1", 1.0),
        ("square", 1.0),
        ("2.35", 2.35),
        ("21:9", 21 / 9),
    ],
)
def test_a_shape_is_read_as_people_write_it(text: str, aspect: float) -> None:
    assert parse_aspect(text) == pytest.approx(aspect)


@pytest.mark.parametrize(
    "text", ["0", "100:1", "1:100", "wide", "16:0", "0:0", "1:2:3", "", "nan", "-4:3", "inf"]
)
def test_what_is_no_shape_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="no shape for pictures") as refusal:
        parse_aspect(text)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("aspect", "grid"),
    [
        (None, SQUARE),
        (1.0, SQUARE),
        (16 / 9, WIDE),
        (4 / 3, Grid(4, 5)),
        (21 / 9, Grid(4, 9)),
        (9 / 16, Grid(7, 4)),
        (32 / 9, Grid(4, 14)),
        (8.0, Grid(4, 32)),
    ],
)
def test_the_nearest_grid_is_taken(aspect: float | None, grid: Grid) -> None:
    assert grid_for(aspect, SQUARE) == grid


def test_a_model_of_another_shape_keeps_it_where_that_is_asked_for() -> None:
    assert grid_for(16 / 9, Grid(9, 16)) == Grid(9, 16)
    assert grid_for(2.0, Grid(4, 8)) == Grid(4, 8)
    assert grid_for(1.0, Grid(4, 8)) == Grid(8, 8)


def test_a_constant_is_stretched_mirrored_or_repeated() -> None:
    constant = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    stretched = refilled(constant, WIDE)[0]
    assert stretched[0].tolist() == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 3])
    assert refilled(constant, Grid(4, 7), "mirror")[0, 0].tolist() == [0, 0, 1, 2, 3, 3, 2]
    assert refilled(constant, Grid(4, 7), "tile")[0, 0].tolist() == [3, 0, 1, 2, 3, 0, 1]
    assert refilled(constant, Grid(4, 8), "pad")[0, 0].tolist() == [0, 0, 0, 1, 2, 3, 0, 0]
    assert refilled(constant, Grid(6, 4), "pad")[0, :, 1].tolist() == [0, 1, 5, 9, 13, 0]
    assert refilled(constant, SQUARE) is constant


def test_an_odd_number_of_columns_more_begins_with_one_more() -> None:
    assert centred(WIDE, SQUARE) == Grid(4, 8)
    assert centred(Grid(7, 4), SQUARE) == Grid(8, 4)
    assert centred(Grid(4, 14), SQUARE) == Grid(4, 14)
    assert centred(SQUARE, SQUARE) == SQUARE


def test_noise_of_another_size_is_drawn_under_the_seed() -> None:
    own = np.zeros((8, 8), np.float32)
    assert noise_for(own, 8, 8, 0) is own
    again = noise_for(own, 8, 14, layer=2, seed=5)
    assert np.array_equal(noise_for(own, 8, 14, layer=2, seed=5), again)
    assert not np.array_equal(noise_for(own, 8, 14, layer=3, seed=5), again)
    assert not np.array_equal(noise_for(own, 8, 14, layer=2, seed=6), again)


def test_a_square_picture_is_bit_for_bit_what_the_network_makes_without_a_grid() -> None:
    generator = fresh()
    w_plus = some_w_plus(generator)
    plain = picture(TorchRunner(make_plan(generator.synthesis)), w_plus)
    asked = picture(TorchRunner(make_plan(generator.synthesis, grid=SQUARE)), w_plus)
    assert plain.shape == (64, 64, 3)
    assert np.array_equal(plain, asked)


@pytest.mark.parametrize(
    ("grid", "fill"),
    [
        (WIDE, "stretch"),
        (Grid(7, 4), "stretch"),
        (Grid(4, 5), "pad"),
        (WIDE, "pad"),
        (Grid(7, 4), "mirror"),
        (Grid(4, 14), "mirror"),
    ],
)
@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_torch_and_openvino_agree_on_pictures_of_any_shape(architecture: str, grid: Grid, fill: Fill) -> None:
    generator = fresh(architecture, clamp=256.0)
    loaded = LoadedGenerator(generator, {}, "fresh")
    runners = [
        open_runner(loaded, name, threads=1, grid=grid, fill=fill)[0] for name in ("torch", "openvino")
    ]
    for seed in range(2):
        one, other = (picture(runner, some_w_plus(generator, seed)).astype(int) for runner in runners)
        assert one.shape == (16 * grid.rows, 16 * grid.columns, 3)
        assert one.std() > 5
        assert np.abs(one - other).max() <= 2


def test_a_wide_picture_is_the_networks_own_with_a_wider_constant() -> None:
    """The network itself, given the stretched constant and the noise, makes the runner's picture."""
    generator = fresh()
    plan = make_plan(generator.synthesis, grid=WIDE)
    w_plus = some_w_plus(generator)
    made = picture(TorchRunner(plan), w_plus).astype(int)
    first = blocks_of(generator)[0]
    first.constant = torch.nn.Parameter(torch.from_numpy(refilled(first.constant.numpy(), WIDE)))
    row = 0
    for block in blocks_of(generator):
        for conv in (block.conv0, block.conv1):
            if conv is not None:
                noise = noise_for(
                    conv.noise_constant.numpy(), block.resolution, 7 * block.resolution // 4, row
                )
                conv.noise_constant = torch.from_numpy(noise)
                row += 1
    own = generator.synthesis(torch.from_numpy(w_plus)[None])[0].permute(1, 2, 0)
    expected = (own * 127.5 + 128).clamp(0, 255).to(torch.uint8).numpy().astype(int)
    assert np.abs(made - expected).max() <= 1


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_a_padded_picture_is_the_networks_own_with_the_edges_of_its_second_block_taken_off(
    architecture: str,
) -> None:
    """The network itself, from zeros beside its constant, 4 × 8 of them, and 8 × 14 of its first doubling."""
    generator = fresh(architecture)
    for block in blocks_of(generator):
        for conv in (block.conv0, block.conv1):
            if conv is not None:
                torch.nn.init.zeros_(conv.noise_strength)
                conv.noise_constant = torch.zeros(1)
    w_plus = some_w_plus(generator)
    made = picture(TorchRunner(make_plan(generator.synthesis, grid=WIDE, fill="pad")), w_plus).astype(int)
    first, second, *_ = blocks_of(generator)
    wide = torch.zeros(first.constant.shape[0], 4, 8)
    wide[:, :, 2:6] = first.constant
    first.constant = torch.nn.Parameter(wide)
    for layer in (second.conv0, second.shortcut):
        if layer is not None:
            layer.register_forward_hook(lambda *call: call[2][:, :, :, 1:-1])
    doubled = second.resample.upsample
    second.resample.upsample = lambda x: doubled(x)[:, :, :, 1:-1]
    own = generator.synthesis(torch.from_numpy(w_plus)[None])[0].permute(1, 2, 0)
    expected = (own * 127.5 + 128).clamp(0, 255).to(torch.uint8).numpy().astype(int)
    assert made.shape == (64, 112, 3)
    assert np.abs(made - expected).max() <= 1


@pytest.mark.parametrize("runner", ["torch", "openvino"])
@pytest.mark.parametrize("fill", ["mirror", "pad"])
@pytest.mark.parametrize(("grid", "axis"), [(WIDE, 1), (Grid(7, 4), 0), (Grid(4, 6), 1)])
def test_a_network_that_is_its_own_mirror_image_draws_such_pictures(
    runner: str, fill: Fill, grid: Grid, axis: int
) -> None:
    """So what a model has in the middle of a square lies in the middle of a wide picture."""
    generator = fresh(resolution=32)
    for name, parameter in generator.named_parameters():
        if name.endswith(("constant", "conv0.weight", "conv1.weight")):
            parameter.copy_((parameter + parameter.flip(axis - 2)) / 2)
        if name.endswith("noise_strength"):
            torch.nn.init.zeros_(parameter)
    loaded = LoadedGenerator(generator, {}, "symmetric")
    made = picture(
        open_runner(loaded, runner, threads=1, grid=grid, fill=fill)[0], some_w_plus(generator)
    ).astype(int)
    assert made.std() > 5
    assert np.abs(made - np.flip(made, axis)).max() <= 1


def test_trimming_takes_as_much_off_each_side() -> None:
    x = torch.arange(12.0).reshape(1, 1, 2, 6)
    assert trimmed(x, (0, 1))[0, 0, 0].tolist() == [1, 2, 3, 4]
    assert trimmed(x, (0, 0)).shape == x.shape


def test_cells_of_wide_vectors_change_nothing_in_wide_pictures() -> None:
    """The graph for vectors of sixteen numbers, whatever this processor has."""
    import openvino as ov

    from lavlive.generator.runners.openvino_graph import build_graph
    from lavlive.generator.runners.styles import Styles

    generator = fresh(resolution=128)
    config = replace(generator.config, channel_base=512)
    torch.manual_seed(4)
    generator = Generator(config).freeze()
    plan = make_plan(generator.synthesis, grid=WIDE)
    w_plus = some_w_plus(generator)
    made = []
    for lanes in (1, 16):
        styles = Styles(plan)
        graph = build_graph(plan, styles, lanes, True)
        styles.update(w_plus)
        compiled = ov.Core().compile_model(graph.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        made.append(compiled(graph.inputs)[0].astype(int))
    assert made[0].shape == (128, 224, 3)
    assert np.abs(made[0] - made[1]).max() <= 1


def test_a_shape_that_was_typed_stays_whatever_the_screen_does() -> None:
    follower = ShapeFollower("4:3")
    assert follower.begin((1920, 1080)) == pytest.approx(4 / 3)
    assert all(follower.step((1080, 1920), now) is None for now in range(10))


def test_the_models_own_shape_is_asked_for_by_name() -> None:
    follower = ShapeFollower("own")
    assert follower.begin((1920, 1080)) is None
    assert follower.step((1080, 1920), 9.0) is None


def test_the_screens_shape_is_followed_once_it_has_come_to_rest() -> None:
    follower = ShapeFollower("screen")
    assert follower.begin((1920, 1080)) == pytest.approx(16 / 9)
    assert follower.step((1900, 1080), 0.0) is None
    assert [follower.step((1000 - 50 * step, 1000), step / 10) for step in range(8)] == [None] * 8
    assert follower.step((600, 1000), 1.0) is None
    assert follower.step((600, 1000), 2.0) == pytest.approx(0.6)
    assert follower.step((600, 1000), 3.0) is None


def test_a_fade_between_shapes_shows_the_middle_of_the_old_picture() -> None:
    old = np.zeros((8, 8, 3), np.uint8)
    old[2:6] = 100
    old[:, 4:] += 50
    fitted = _fitted(old, (8, 16))
    assert fitted.shape == (8, 16, 3)
    assert (fitted[:, :8] == 100).all()
    assert (fitted[:, 8:] == 150).all()
    assert _fitted(old, (8, 8)) is old
    assert np.array_equal(_fitted(old, (16, 16)), old.repeat(2, 0).repeat(2, 1))


def test_a_models_card_says_how_it_comes_to_another_shape_unless_somebody_else_does() -> None:
    assert _fill("auto", {"fill": "mirror"}, WIDE, SQUARE) == "mirror"
    for card in ({}, {"fill": "nonsense"}, {"fill": 3}):
        assert _fill("auto", card, WIDE, SQUARE) == "stretch"
    assert _fill("tile", {"fill": "mirror"}, WIDE, SQUARE) == "tile"


def test_a_panorama_is_not_left_empty_but_where_that_is_asked_for() -> None:
    panorama = Grid(4, 14)
    assert _fill("auto", {"fill": "pad"}, WIDE, SQUARE) == "pad"
    assert _fill("auto", {"fill": "pad"}, panorama, SQUARE) == "mirror"
    assert _fill("pad", {}, panorama, SQUARE) == "pad"
