"""Runners: the same pictures from each, the fastest chosen, clear words when one cannot be had."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from lavlive.errors import RunnerError
from lavlive.generator import runner as runner_module
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.network import Architecture, Generator, GeneratorConfig
from lavlive.generator.runner import open_runner
from lavlive.generator.runners import openvino_runner
from lavlive.generator.runners.base import Runner, picture
from lavlive.generator.runners.cuda_runner import (
    MEAN_LEVELS,
    WORST_LEVELS,
    CudaRunner,
    Precision,
    affordable_precision,
    memory_needed,
)
from lavlive.generator.runners.directions import common_directions
from lavlive.generator.runners.openvino_runner import OpenvinoRunner
from lavlive.generator.runners.plan import folded_kernel, make_plan
from lavlive.generator.runners.planned import PlannedSynthesis
from lavlive.generator.runners.styles import Styles
from lavlive.generator.runners.torch_runner import TorchRunner
from tests.support.networks import blocks_of

ARCHITECTURES: tuple[Architecture, ...] = ("skip", "orig", "resnet")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def generator(
    architecture: Architecture = "skip",
    clamp: float | None = None,
    resolution: int = 32,
    channels: int = 3,
    noise: float | None = None,
) -> Generator:
    """A small network whose every learned number matters; all noise has strength ``noise``, if given."""
    torch.manual_seed(0)
    config = GeneratorConfig(
        resolution,
        z_dim=16,
        w_dim=24,
        mapping_layers=1,
        channel_base=256,
        channel_max=24,
        architecture=architecture,
        conv_clamp=clamp,
        fir=(1, 2, 4, 1),
        picture_fir=(1, 3, 2, 1) if architecture == "skip" else None,
        picture_channels=channels,
    )
    made = Generator(config)
    for parameter in made.parameters():
        if parameter.ndim < 2:
            parameter.data += 0.2 * torch.randn_like(parameter)
    for name, parameter in made.named_parameters():
        if noise is not None and name.endswith("noise_strength"):
            parameter.data.fill_(noise)
    return made.freeze()


def loaded(**arguments: object) -> LoadedGenerator:
    return LoadedGenerator(generator(**arguments), {"name": "small"}, "ab12")  # type: ignore[arg-type]


def some_w_plus(made: Generator, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.standard_normal((made.num_ws, made.config.w_dim)).astype(np.float32)


def reference(made: Generator, w_plus: np.ndarray, noise: float) -> np.ndarray:
    """The network itself, float32."""
    with torch.inference_mode():
        pixels = made.synthesis(torch.from_numpy(w_plus)[None], noise)[0]
    return (pixels * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(np.int16) - other)


@pytest.mark.parametrize("kind", [TorchRunner, OpenvinoRunner])
@pytest.mark.parametrize(("architecture", "clamp"), [*product(ARCHITECTURES, (None, 0.5))])
def test_every_runner_makes_the_networks_pictures(
    kind: type[Runner], architecture: Architecture, clamp: float | None
) -> None:
    made = generator(architecture, clamp)
    opened = kind(make_plan(made.synthesis), threads=1)  # type: ignore[call-arg]
    for seed, noise in ((0, 1.0), (1, 0.0), (2, 1.7)):
        w_plus = some_w_plus(made, seed)
        gap = difference(picture(opened, w_plus, noise), reference(made, w_plus, noise))
        assert gap.max() <= 2
        assert gap.mean() <= 0.25
    opened.close()


_KERNELS = ((False, None), (True, None), (True, 0.0))
"""Whether kernels may change with each picture, and the strength of the noise."""
_LANES = (1, 8, 16)
_FORMS = [
    (architecture, _LANES[column], *_KERNELS[(row + column) % 3])
    for row, architecture in enumerate(ARCHITECTURES)
    for column in range(3)
]
"""Each architecture, number of lanes and kind of kernel with each of the others once."""


@pytest.mark.parametrize(("architecture", "lanes", "kernels_change", "noise"), _FORMS)
def test_other_forms_of_the_graph_make_the_same_pictures(
    architecture: Architecture,
    lanes: int,
    kernels_change: bool,
    noise: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At 128² of 2 to 24 channels, where layers work on one to eight pixels, pictures on four.

    There kernels may hold the styles, and without noise the demodulation, too.
    """
    monkeypatch.setattr(openvino_runner, "vector_lanes", lambda: lanes)
    monkeypatch.setattr(openvino_runner, "takes_kernels_as_inputs", lambda: kernels_change)
    made = generator(architecture, clamp=0.5, resolution=128, noise=noise)
    opened = OpenvinoRunner(make_plan(made.synthesis), threads=1)
    w_plus = some_w_plus(made)
    gap = difference(picture(opened, w_plus, 1.7), reference(made, w_plus, 1.7))
    assert gap.max() <= 2
    assert gap.mean() <= 0.25
    opened.close()


def of_few_directions(architecture: Architecture = "skip") -> Generator:
    """A network that reads w along 24 directions of 160, with weights rounded as in a file, far from 0."""
    torch.manual_seed(1)
    made = Generator(
        GeneratorConfig(
            32,
            z_dim=16,
            w_dim=160,
            mapping_layers=1,
            channel_base=512,
            channel_max=32,
            architecture=architecture,
        )
    )
    directions = torch.linalg.qr(torch.randn(160, 24))[0]
    for name, parameter in made.named_parameters():
        if name.endswith("affine.weight"):
            parameter.data = (torch.randn(len(parameter), 24) @ directions.T).half().float()
        elif parameter.ndim < 2:
            parameter.data += 0.2 * torch.randn_like(parameter)
    made.mapping.w_mean.fill_(5.0)
    return made.freeze()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_that_reads_w_along_few_directions_makes_its_pictures_by_them(
    architecture: Architecture,
) -> None:
    made = of_few_directions(architecture)
    opened = OpenvinoRunner(make_plan(made.synthesis, made.mapping.w_mean), threads=1)
    for seed in range(3):
        w_plus = np.float32(5.0) + some_w_plus(made, seed)
        gap = difference(picture(opened, w_plus, 1.7), reference(made, w_plus, 1.7))
        assert gap.max() <= 2
        assert gap.mean() <= 0.25
    opened.close()


@pytest.mark.parametrize("demodulated", [False, True])
@pytest.mark.parametrize("inputs_first", [False, True])
@pytest.mark.parametrize("cells", [1, 2])
def test_a_modulated_kernel_is_the_textbooks(inputs_first: bool, demodulated: bool, cells: int) -> None:
    plan = make_plan(generator().synthesis)
    styles = Styles(plan)
    layer = plan.blocks[1].conv1
    plain = np.tile(layer.weight, (cells, 1, 1, 1))
    kernel = np.ascontiguousarray(plain.transpose(1, 0, 2, 3)) if inputs_first else plain
    modulated = styles.modulated(layer, kernel, inputs_first, demodulated)
    for seed in range(2):
        w_plus = some_w_plus(generator(), seed)
        styles.update(w_plus)
        expected = plain * (layer.affine.matrix @ w_plus[layer.affine.row] + layer.affine.bias)[:, None, None]
        if demodulated:
            energy = np.square(expected).sum((1, 2, 3), keepdims=True)
            expected = expected * layer.gain / np.sqrt(energy + 1e-8)
        found = modulated.transpose(1, 0, 2, 3) if inputs_first else modulated
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("strength", "is_left_out"), [(0.0002, True), (0.01, False)])
def test_noise_too_faint_to_be_seen_is_left_out(
    strength: float, is_left_out: bool, architecture: Architecture
) -> None:
    """No picture shows it even with the knob at its end."""
    made = generator(architecture, resolution=128, noise=strength)
    plan = make_plan(made.synthesis, made.mapping.w_mean)
    assert {np.any(block.conv1.noise) for block in plan.blocks} == {not is_left_out}
    if not is_left_out:
        return  # as all others: that their noise is drawn is tested above
    w_plus = some_w_plus(made)
    gap = difference(picture(OpenvinoRunner(plan, threads=1), w_plus, 2.0), reference(made, w_plus, 2.0))
    assert gap.max() <= 2
    assert gap.mean() <= 0.25


def test_a_block_that_has_not_learned_yet_is_planned_without_a_warning() -> None:
    """Pictures are those of the blocks before it; warnings are errors here."""
    made = generator(resolution=32, noise=0.01)
    blocks_of(made)[-1].to_picture.weight.data.zero_()
    opened = TorchRunner(make_plan(made.synthesis, made.mapping.w_mean), threads=1)
    w_plus = some_w_plus(made)
    assert difference(picture(opened, w_plus), reference(made, w_plus, 1.0)).max() <= 2


def test_few_directions_are_used_only_where_they_lose_no_more_than_rounding_did() -> None:
    made = of_few_directions()
    plan = make_plan(made.synthesis, made.mapping.w_mean)
    matrices = [layer.affine.matrix for block in plan.blocks for layer in (block.conv0, block.conv1) if layer]
    directions = common_directions(matrices)
    assert directions is not None
    assert directions.shape == (160, 24)
    assert Styles(plan).first is not None
    random = np.random.default_rng(0)
    worse = [m + 1e-3 * random.standard_normal(m.shape).astype(np.float32) * m.std() for m in matrices]
    assert common_directions(worse) is None
    assert common_directions([random.standard_normal(m.shape).astype(np.float32) for m in matrices]) is None


@pytest.mark.parametrize("kind", [TorchRunner, OpenvinoRunner])
@pytest.mark.parametrize("resolution", [4, 8])
def test_the_smallest_networks_without_learned_noise_work_too(kind: type[Runner], resolution: int) -> None:
    made = generator(resolution=resolution)
    for block in blocks_of(made):
        block.conv1.noise_strength.data.zero_()
    opened = kind(make_plan(made.synthesis), threads=1)  # type: ignore[call-arg]
    w_plus = some_w_plus(made)
    assert difference(picture(opened, w_plus), reference(made, w_plus, 1.0)).max() <= 2


@pytest.mark.parametrize("kind", [TorchRunner, OpenvinoRunner, CudaRunner])
def test_a_runner_answers_in_the_given_buffer_and_forgets_the_picture_before(
    kind: type[Runner],
) -> None:
    made = generator()
    plan = make_plan(made.synthesis)
    opened: Runner = CudaRunner(plan, device="cpu") if kind is CudaRunner else kind(plan, threads=1)  # type: ignore[call-arg]
    one, other = some_w_plus(made, 0), some_w_plus(made, 1)
    out = np.zeros((32, 32, 3), np.uint8)
    opened.picture_into(one, 1.0, out)
    first = out.copy()
    opened.picture_into(other, 0.3, out)
    assert difference(first, out).max() > 20
    opened.picture_into(one, 1.0, out)
    assert np.array_equal(first, out)
    opened.close()


def test_a_still_picture_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = generator()
    opened = TorchRunner(make_plan(made.synthesis), threads=1)
    calls = 0
    forward = PlannedSynthesis.forward

    def counted(*arguments: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return forward(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(PlannedSynthesis, "forward", counted)
    w_plus = some_w_plus(made)
    pictures = [picture(opened, w_plus.copy(), noise) for noise in (1.0, 1.0, 0.5, 0.5)]
    assert calls == 2
    assert np.array_equal(pictures[0], pictures[1])
    w_plus[0, 0] += 1
    assert difference(picture(opened, w_plus, 0.5), pictures[3]).max() > 0
    assert calls == 3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_half_precision_stays_within_the_bound(
    architecture: Architecture,
) -> None:
    made = generator(architecture)
    opened = CudaRunner(make_plan(made.synthesis), device="cpu")
    assert opened.precision.half_from is not None
    w_plus = some_w_plus(made)
    gap = difference(picture(opened, w_plus), reference(made, w_plus, 1.0))
    assert gap.max() <= 2
    assert gap.mean() <= 0.25


@pytest.mark.gpu
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_cuda_makes_the_networks_pictures_within_its_bound(architecture: Architecture) -> None:
    made = generator(architecture, resolution=64)
    opened = CudaRunner(make_plan(made.synthesis, made.mapping.w_mean))
    for seed, noise in ((0, 1.0), (1, 0.0), (2, 1.7)):
        w_plus = some_w_plus(made, seed)
        gap = difference(picture(opened, w_plus, noise), reference(made, w_plus, noise))
        assert gap.max() <= WORST_LEVELS
        assert gap.mean() <= MEAN_LEVELS
    opened.close()


@pytest.mark.gpu
def test_on_a_card_auto_measures_it_too_and_the_cpu_alone_leaves_it_out(tmp_path: Path) -> None:
    opened, _ = open_runner(loaded(), folder=tmp_path)
    opened.close()
    (choice,) = json.loads((tmp_path / "runners.json").read_text()).values()
    assert "cuda" in choice["seconds"]
    opened, _ = open_runner(loaded(), device="cpu", folder=tmp_path)
    assert opened.name in ("openvino", "torch")
    opened.close()


def test_a_model_that_half_precision_would_spoil_runs_in_float32() -> None:
    made = generator()
    notes: list[str] = []
    # Features beyond what float16 holds, which the picture layer scales down again.
    blocks_of(made)[-1].conv1.bias.data += 1e5
    blocks_of(made)[-1].to_picture.weight.data *= 1e-6
    opened = CudaRunner(make_plan(made.synthesis), device="cpu", notes=notes)
    w_plus = some_w_plus(made)
    assert opened.precision == Precision(None)
    assert len(notes) == 1
    assert "float32" in notes[0]
    assert difference(picture(opened, w_plus), reference(made, w_plus, 1.0)).max() <= 2


def test_a_gpu_with_little_memory_means_half_precision_and_with_less_a_refusal_with_the_numbers() -> None:
    plan = make_plan(generator().synthesis)
    exact, half = memory_needed(plan, Precision(None)), memory_needed(plan, Precision(4))
    assert half < exact
    assert affordable_precision(plan, exact) == Precision(None)
    assert affordable_precision(plan, half) == Precision(4)
    with pytest.raises(RunnerError, match=r"needs about \d+ MiB .* 100 MiB are free"):
        affordable_precision(plan, 100 << 20)
    notes: list[str] = []
    assert CudaRunner(plan, device="cpu", notes=notes, free=half).precision == Precision(4)
    assert "too little for float32" in notes[0]


def test_a_folded_kernel_is_the_transposed_convolution_and_its_filter() -> None:
    random = np.random.default_rng(0)
    weight = random.standard_normal((5, 3, 3, 3)).astype(np.float32)
    taps = np.array([1, 2, 4, 1], np.float32) / np.float32(4)
    x = torch.from_numpy(random.standard_normal((1, 3, 7, 7)).astype(np.float32))
    spread = torch.nn.functional.conv_transpose2d(x, torch.from_numpy(weight).transpose(0, 1), stride=2)
    kernel = torch.from_numpy(np.outer(taps[::-1], taps[::-1]).copy()).expand(5, 1, 4, 4)
    exact = torch.nn.functional.conv2d(spread, kernel, padding=1, groups=5)
    phases = torch.nn.functional.conv2d(x, torch.from_numpy(folded_kernel(weight, taps)), padding=1)
    torch.testing.assert_close(torch.nn.functional.pixel_shuffle(phases, 2), exact, rtol=1e-4, atol=1e-4)


def test_the_fastest_runner_is_measured_once_and_then_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[str] = []

    def measure(opened: Runner, count: int, enough: float) -> float:
        timed.append(opened.name)
        return {"torch": 0.001, "openvino": 0.002}[opened.name]

    monkeypatch.setattr(runner_module, "time_pictures", measure)
    first, notes = open_runner(loaded(), device="cpu", threads=1, folder=tmp_path)
    assert (first.name, notes) == ("torch", [])
    assert set(timed) == {"openvino", "torch"}
    measured_first = len(timed)
    second, _ = open_runner(loaded(), device="cpu", threads=1, folder=tmp_path)
    assert second.name == "torch"
    # Warming up is all that is left.
    assert timed[measured_first:] == ["torch"]


def test_a_damaged_record_of_choices_is_made_again(tmp_path: Path) -> None:
    kept, small = tmp_path / "runners.json", loaded(resolution=8)
    open_runner(small, device="cpu", threads=1, folder=tmp_path)
    key = next(iter(json.loads(kept.read_text())))
    for content in ("{", "[]", '{"x": 3}', "\x00\xff", '{"x": {"runner": "abacus"}}'):
        kept.write_text(content.replace('"x"', json.dumps(key)), encoding="latin-1")
        opened, notes = open_runner(small, device="cpu", threads=1, folder=tmp_path)
        assert notes == []
        assert json.loads(kept.read_text())[key]["runner"] == opened.name


def test_a_missing_library_is_named_once_and_torch_steps_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    opened, notes = open_runner(loaded(), device="cpu", threads=1, folder=tmp_path)
    assert opened.name == "torch"
    assert len(notes) == 1
    assert "pip install openvino" in notes[0]
    with pytest.raises(RunnerError, match="pip install openvino"):
        open_runner(loaded(), "openvino", folder=tmp_path)


def test_a_library_that_refuses_the_model_is_left_out_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Runner:
        raise RuntimeError("Check failed\nunsupported layer shape")

    monkeypatch.setattr("lavlive.generator.runners.openvino_runner.OpenvinoRunner.__init__", refuse)
    opened, notes = open_runner(loaded(), device="cpu", threads=1, folder=tmp_path)
    assert opened.name == "torch"
    assert notes == ["The runner openvino was left out: unsupported layer shape"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_asking_for_a_gpu_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="--runner auto"):
        open_runner(loaded(), "cuda", folder=tmp_path)
    with pytest.raises(RunnerError, match="device cuda cannot be used"):
        open_runner(loaded(), device="cuda", folder=tmp_path)


def test_unknown_names_and_pictures_without_colour_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="lavlive has auto"):
        open_runner(loaded(), "abacus", folder=tmp_path)
    with pytest.raises(RunnerError, match="device abacus"):
        open_runner(loaded(), device="abacus", folder=tmp_path)
    with pytest.raises(RunnerError, match="1 channels"):
        open_runner(loaded(channels=1), folder=tmp_path)
