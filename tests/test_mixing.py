"""Mixtures: one model's layers and weights in another's, as a file and live."""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lavlive.audio.spec import SourceSpec
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.presets import Preset, read_preset, write_preset
from lavlive.control.looks.state import ShowState, StateKeeper, read_state
from lavlive.engine.engine import Engine
from lavlive.engine.mixture import mixer_of, note_on
from lavlive.engine.picture_worker import Model
from lavlive.errors import CheckpointError, UsageError
from lavlive.generator.checkpoint import LoadedGenerator, load_generator, save_generator, stylegan2_of
from lavlive.generator.grid import Grid
from lavlive.generator.mixing import KINSHIP, Shares, kinship, mixed, shares_now, shares_of
from lavlive.generator.network import Architecture, Generator, GeneratorConfig
from lavlive.generator.runner import open_runner
from lavlive.generator.runners.base import Runner, picture
from lavlive.generator.runners.blending import Blend, BlendedRunner
from lavlive.generator.runners.plan import Plan, make_plan
from lavlive.generator.runners.torch_runner import TorchRunner
from lavlive.generator.widening import in_one_width, widened
from lavlive.latent.space import Space
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import EngineEvent, MixReady, MixRefused, MixWith
from lavlive.link.settings import EngineSettings
from lavlive.parameters import Values
from lavlive.resources import bundled_generators
from tests.support.waiting import wait_until
from tests.test_picture_worker import Still


def network(seed: int, architecture: Architecture = "skip") -> Generator:
    torch.manual_seed(seed)
    config = GeneratorConfig(
        64,
        z_dim=16,
        w_dim=64,
        mapping_layers=2,
        channel_base=1024,
        channel_max=32,
        architecture=architecture,
    )
    made = Generator(config)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
    return made.freeze()


def trained_on(ancestor: Generator, seed: int = 9) -> Generator:
    """A network that went away from its ancestor by as much as its weights are large."""
    torch.manual_seed(seed)
    child = copy.deepcopy(ancestor)
    with torch.no_grad():
        for parameter in child.synthesis.parameters():
            if parameter.dim() > 1:
                parameter.add_(torch.randn_like(parameter) * parameter.std())
    return child.freeze()


@pytest.fixture(scope="module")
def one() -> Generator:
    return network(1)


@pytest.fixture(scope="module")
def child(one: Generator) -> Generator:
    return trained_on(one)


@pytest.fixture(scope="module")
def stranger() -> Generator:
    return network(2)


W_PLUS = np.random.default_rng(0).standard_normal((10, 64)).astype(np.float32)
HALF = {4: 0.5, 8: 0.5, 16: 0.25, 32: 0.25, 64: 0.75}


def drawn(generator: Generator) -> np.ndarray:
    runner = TorchRunner(make_plan(generator.synthesis), threads=1)
    pixels = picture(runner, W_PLUS)
    runner.close()
    return pixels


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other).max())


def test_a_common_ancestor_is_told_by_the_cosine_of_the_weights(
    one: Generator, child: Generator, stranger: Generator
) -> None:
    assert min(kinship(one, child).values()) > 0.65
    assert max(np.abs(list(kinship(one, stranger).values()))) < 0.1
    assert kinship(one, one) == pytest.approx(dict.fromkeys((4, 8, 16, 32, 64), 1.0))


def test_of_the_bundled_models_those_of_one_ancestor_are_known() -> None:
    bundled = bundled_generators()
    bloom, silk = (stylegan2_of(load_generator(bundled[name])) for name in ("bloom", "silk"))
    assert bloom.config.channel_min < silk.config.channel_min
    kin = kinship(*in_one_width(bloom, silk))
    assert min(kin[resolution] for resolution in (4, 8, 16, 32, 64)) > 0.85
    assert max(kin[128], kin[256]) < KINSHIP, "bloom grew these blocks by itself"


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_a_widened_network_draws_the_same_pictures(architecture: Architecture) -> None:
    narrow = network(5, architecture)
    assert narrow.config.channels(64) == 16
    wide = widened(narrow, 24)
    assert [wide.config.channels(side) for side in (16, 32, 64)] == [32, 32, 24]
    assert apart(drawn(wide), drawn(narrow)) <= 1
    assert widened(narrow, 1) is narrow
    one, other = in_one_width(narrow, wide)
    assert apart(drawn(mixed(one, other, {64: 0.5, 32: 0.5})), drawn(narrow)) <= 1


def test_layers_from_one_resolution_on_are_the_other_models(one: Generator, stranger: Generator) -> None:
    kin = kinship(one, stranger)
    swapped = mixed(one, stranger, shares_of(kin, (0, 0, 0), 16))
    networks = (swapped.synthesis.blocks, one.synthesis.blocks, stranger.synthesis.blocks)
    for resolution, block, mine, its in zip(kin, *networks, strict=True):
        source = its if resolution >= 16 else mine
        for name, tensor in block.state_dict().items():
            assert torch.equal(tensor, source.state_dict()[name])
    assert torch.equal(swapped.mapping.w_mean, one.mapping.w_mean)
    assert apart(drawn(mixed(one, stranger, shares_of(kin, (0, 0, 0), 4))), drawn(stranger)) == 0
    assert apart(drawn(mixed(one, stranger, {})), drawn(one)) == 0


def test_without_an_ancestor_a_group_is_one_models_or_the_others(one: Generator, stranger: Generator) -> None:
    kin = kinship(one, stranger)
    assert shares_of(kin, (0.49, 0.5, 1.0)) == {4: 0, 8: 0, 16: 1, 32: 1, 64: 1}
    related = dict.fromkeys(kin, 0.9)
    assert shares_of(related, (0.49, 0.5, 1.0)) == {4: 0.49, 8: 0.49, 16: 0.5, 32: 0.5, 64: 1}
    numbers = Values({"mix.coarse": 0.25, "mix.fine": 0.5, "mix.from": "64"}).numbers
    assert shares_now(related, numbers) == {4: 0.25, 8: 0.25, 16: 0, 32: 0, 64: 1}


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_a_live_mixture_draws_what_the_mixed_model_draws(architecture: Architecture) -> None:
    first = network(1, architecture)
    second = trained_on(first)
    plans = make_plan(first.synthesis), make_plan(second.synthesis)
    wanted = drawn(mixed(first, second, HALF))
    assert apart(wanted, drawn(first)) > 20
    assert apart(wanted, drawn(second)) > 20
    runner = BlendedRunner(*plans, threads=1)
    runner.blend({8: 0.9, 64: 0.1})
    picture(runner, W_PLUS)
    runner.blend(HALF)
    assert apart(picture(runner, W_PLUS), wanted) <= 1
    runner.blend({})
    assert np.array_equal(picture(runner, W_PLUS), drawn(first))
    runner.close()


@pytest.mark.parametrize("grid", [Grid(4, 4), Grid(4, 7)])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_file_of_a_mixture_and_the_live_one_draw_the_same_noise_and_all(
    one: Generator, share: float, grid: Grid, tmp_path: Path
) -> None:
    other = trained_on(one)
    with torch.no_grad():
        for number, block in enumerate(other.synthesis.blocks):
            conv = block.conv1
            conv.noise_constant.normal_()  # type: ignore[operator]
            # As strong as A's, of the other sign, none at all, and much stronger.
            conv.noise_strength.fill_((0.1, -0.1, 0.0, 2.0, 0.5)[number])  # type: ignore[operator]
    shares = dict.fromkeys((4, 8, 16, 32, 64), share)
    runner = BlendedRunner(
        make_plan(one.synthesis, grid=grid), make_plan(other.synthesis, grid=grid), threads=1
    )
    runner.blend(shares)
    live = picture(runner, W_PLUS)
    runner.close()
    (file,) = files(tmp_path, mixed(one, other, shares))
    resting = TorchRunner(make_plan(stylegan2_of(load_generator(file)).synthesis, grid=grid), threads=1)
    assert apart(picture(resting, W_PLUS), live) <= 1
    resting.close()


class _Built:
    """Stands for a runner of an inference library."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def built() -> list[_Built]:
    return []


def blended(one: Generator, other: Generator) -> tuple[Plan, Plan, Callable[[Shares], Plan]]:
    def plan_of(shares: Shares) -> Plan:
        return make_plan(mixed(one, other, shares).synthesis)

    return make_plan(one.synthesis), make_plan(other.synthesis), plan_of


@pytest.fixture
def blend(one: Generator, child: Generator, now: list[float], built: list[_Built]) -> Iterator[Blend]:
    def build(plan: object) -> Runner:
        built.append(_Built())
        return built[-1]  # type: ignore[return-value]

    made = Blend(*blended(one, child), build=build, threads=1, clock=lambda: now[0])
    yield made
    made.close()


def test_a_knob_is_followed_at_once_and_a_mixture_that_rests_gets_a_runner_of_its_own(
    blend: Blend, now: list[float], built: list[_Built]
) -> None:
    assert blend.runner({4: 0.0, 64: 0.0}) is None, "nothing of B: A's own runner, and nothing is built"
    moving = blend.runner({4: 0.5})
    assert isinstance(moving, BlendedRunner)
    now[0] = 0.9
    assert blend.runner({4: 0.6}) is moving
    now[0] = 1.8
    assert blend.runner({4: 0.6}) is moving
    assert built == []
    now[0] = 2.0
    assert blend.runner({4: 0.6}) is moving
    assert blend._builder is not None
    blend._builder.join(10)
    assert blend.runner({4: 0.6}) is built[0]
    assert blend.runner({4: 0.7}) is moving
    assert blend.runner({4: 0.6}) is built[0], "as it was, until another rests"
    blend.close()
    assert built[0].closed


def test_a_runner_that_cannot_be_had_leaves_the_mixture_to_torch(one: Generator, child: Generator) -> None:
    def fail(plan: object) -> Runner:
        raise RuntimeError("no memory")

    blend = Blend(*blended(one, child), build=fail, threads=1, clock=iter(range(100)).__next__)
    for _ in range(4):
        assert isinstance(blend.runner({4: 0.6}), BlendedRunner)
        if blend._builder is not None:
            blend._builder.join(10)
    blend.close()


def files(tmp_path: Path, *generators: Generator) -> list[Path]:
    paths = []
    for index, generator in enumerate(generators):
        paths.append(tmp_path / f"model{index}.safetensors")
        save_generator(paths[-1], generator, {"licence": f"licence {index}"}, torch.float32)
    return paths


def test_a_show_mixes_its_model_with_a_file_and_a_film_draws_the_same(
    one: Generator, child: Generator, tmp_path: Path
) -> None:
    _, other = files(tmp_path, one, child)
    loaded = LoadedGenerator(one, {}, "a" * 64)
    runner, _ = open_runner(loaded, "torch", threads=1, folder=tmp_path)
    space = Space(np.zeros(64), np.ones(64), np.zeros(10, int))
    model = Model("mine", runner, lambda _: space, mix_with=mixer_of(loaded, runner, Grid(4, 4), "stretch"))
    values = Values({"mix.coarse": 0.5, "mix.middle": 0.25, "mix.fine": 0.75})
    alone, together, after = (np.zeros((64, 64, 3), np.uint8) for _ in range(3))
    model.draw(W_PLUS, values.numbers, alone)
    model.mix_for_film(str(other))
    assert model.mixture is not None
    assert "one ancestor" in model.mixture.note
    model.draw(W_PLUS, values.numbers, together)
    assert apart(together, drawn(mixed(one, child, HALF))) <= 2
    model.draw(W_PLUS, Values().numbers, after)
    assert np.array_equal(after, alone), "knobs at nought are no mixture, to the last bit"
    model.mix(None)
    model.draw(W_PLUS, values.numbers, after)
    assert np.array_equal(after, alone)
    model.close()


def test_what_is_mixed_is_told_in_a_line() -> None:
    assert "weights blend everywhere" in note_on("b", {4: 0.9, 8: 0.9})
    assert "layers are swapped when a knob passes 0.5" in note_on("b", {4: 0.0, 8: 0.0})
    assert "at 8² there is no common ancestor" in note_on("b", {4: 0.9, 8: 0.0})


def test_the_command_writes_a_model_that_says_what_it_is_of(
    one: Generator, child: Generator, stranger: Generator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lavlive.commands.main import main

    first, second, third = map(str, files(tmp_path, one, child, stranger))
    made = tmp_path / "mixed.safetensors"
    assert main(["model", "mix", first, second, "--blend", "0.5,0.25,0.75", "-o", str(made)]) == 0
    assert "75% model1" in capsys.readouterr().out
    loaded = load_generator(made)
    assert apart(drawn(stylegan2_of(loaded)), drawn(mixed(one, child, HALF))) <= 1
    assert loaded.card["licence"] == "model0: licence 0; model1: licence 1"
    assert loaded.card["mixture"]["shares"] == {str(k): v for k, v in HALF.items()}
    assert main(["model", "mix", first, third, "--from", "16", "-o", str(made)]) == 0
    assert "no common ancestor: layers are swapped" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--from", "12"], "have layers at 4, 8, 16, 32, 64"),
        (["--blend", "1,2,3"], "three amounts from 0 to 1"),
        (["--blend", "much"], "three amounts from 0 to 1"),
        ([], "Nothing of model1 would be in it"),
        (["-o", "m.pt"], "end in .safetensors"),
    ],
)
def test_a_mixture_that_cannot_be_is_told_in_one_line(
    arguments: list[str],
    line: str,
    one: Generator,
    child: Generator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from lavlive.commands.main import main

    first, second = map(str, files(tmp_path, one, child))
    output = [] if "-o" in arguments else ["-o", str(tmp_path / "c.safetensors")]
    assert main(["model", "mix", first, second, *arguments, *output]) == 2
    error = capsys.readouterr().err
    assert line in error
    assert "Traceback" not in error


def test_models_of_other_shapes_are_refused_with_what_differs(one: Generator, tmp_path: Path) -> None:
    wide = Generator(GeneratorConfig(64, w_dim=64, channel_base=1024, channel_max=32, columns=8)).freeze()
    first, second = files(tmp_path, one, wide)
    loaded = load_generator(first)
    runner = TorchRunner(make_plan(one.synthesis), threads=1)
    with pytest.raises(CheckpointError, match=r"not one shape \(columns 4 and 8\).*only their pictures"):
        mixer_of(loaded, runner, Grid(4, 4), "stretch")(str(second))
    with pytest.raises((CheckpointError, UsageError), match="no-such-model"):
        mixer_of(loaded, runner, Grid(4, 4), "stretch")("no-such-model")


def test_the_engine_mixes_its_model_and_tells_what_it_cannot_mix(
    one: Generator, child: Generator, tmp_path: Path
) -> None:
    _, other = files(tmp_path, one, child)
    came: queue.SimpleQueue[EngineEvent] = queue.SimpleQueue()
    loaded = LoadedGenerator(one, {}, "a" * 64)
    runner = TorchRunner(make_plan(one.synthesis), threads=1)
    space = Space(np.zeros(64), np.ones(64), np.zeros(10, int))
    model = Model("mine", runner, lambda _: space, mix_with=mixer_of(loaded, runner, Grid(4, 4), "stretch"))
    with SharedBlock.create() as link:
        engine = Engine(link, EngineSettings(SourceSpec("demo")), came.put)
        engine._newest = model
        engine.command(MixWith(str(other)))
        assert isinstance(came.get(timeout=30), MixReady)
        assert model.mixture is not None
        engine.command(MixWith(str(tmp_path / "gone.safetensors")))
        refused = came.get(timeout=30)
        assert isinstance(refused, MixRefused)
        assert "gone.safetensors" in refused.text
        assert model.mixture is None
    model.close()


def test_of_many_mixtures_that_are_asked_for_at_once_the_last_is_made_once() -> None:
    asked: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def mix_with(other: str) -> SimpleNamespace:
        asked.append(other)
        begun.set()
        assert go_on.wait(10)
        return SimpleNamespace(note=f"{other} is mixed in", close=lambda: None)

    told: list[EngineEvent] = []
    space = Space(np.zeros(512), np.ones(512), np.zeros(10, int))
    model = Model("mine", Still(1), lambda _: space, mix_with=mix_with)
    with SharedBlock.create() as link:
        engine = Engine(link, EngineSettings(SourceSpec("demo")), told.append)
        engine._newest = model
        engine.command(MixWith("first"))
        assert begun.wait(10)
        for number in range(20):
            engine.command(MixWith(f"model {number}"))
        go_on.set()
        wait_until(lambda: told)
        wait_until(lambda: "mixture loader" not in {thread.name for thread in threading.enumerate()})
    assert asked == ["first", "model 19"]
    assert [each.text for each in told if isinstance(each, MixReady)] == ["model 19 is mixed in"]


def test_a_preset_and_a_state_keep_what_is_mixed_in(tmp_path: Path) -> None:
    write_preset(Preset("Mixed", mix="nebula"), tmp_path / "mixed.toml")
    preset = read_preset(tmp_path / "mixed.toml")
    assert preset.mix == "nebula"
    looks = Looks(Values(), PresetLibrary(None, tmp_path))
    looks.recall(preset, 0.0)
    assert looks.mix == "nebula"
    looks.recall(Preset("Plain", values=Values().saved()), 0.0)
    assert looks.mix == "nebula", "a preset that names none leaves it alone; its knobs are at nought"
    looks.mix_with("silk")
    assert looks.as_preset("Now").mix == "silk"
    looks.undo()
    assert looks.mix == "nebula"
    keeper = StateKeeper(tmp_path / "state.json")
    keeper.close(ShowState(mix="nebula"))
    state = read_state(tmp_path / "state.json")
    assert state is not None
    assert state.mix == "nebula"
