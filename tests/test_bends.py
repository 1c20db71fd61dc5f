"""Bends: every one of them in every runner, at nought nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lavlive.engine.latent_worker import TimedLatent
from lavlive.engine.mailbox import Mailbox
from lavlive.engine.picture_worker import Model, PictureWorker
from lavlive.generator.bends import CHANNELWISE, RESOLUTIONS, Bend, Bends, bends_of, factors
from lavlive.generator.grid import Grid
from lavlive.generator.network import Architecture, Generator, GeneratorConfig
from lavlive.generator.runners.base import picture
from lavlive.generator.runners.bending import bent
from lavlive.generator.runners.cuda_runner import CudaRunner
from lavlive.generator.runners.openvino_runner import OpenvinoRunner
from lavlive.generator.runners.plan import Plan, make_plan
from lavlive.generator.runners.torch_runner import TorchRunner
from lavlive.latent.space import Space
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import BendRefused, EngineEvent
from lavlive.parameters import BEND_KINDS, Values
from tests.test_path import path_over
from tests.test_picture_worker import Still

KINDS = BEND_KINDS[1:]
W_PLUS = np.random.default_rng(3).standard_normal((12, 32), np.float32)


def plan_of(architecture: Architecture = "skip", grid: Grid | None = None) -> Plan:
    torch.manual_seed(2)
    config = GeneratorConfig(
        128, z_dim=32, w_dim=32, channel_base=1024, channel_max=32, architecture=architecture
    )
    return make_plan(Generator(config).freeze().synthesis, grid=grid)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(grid=Grid(4, 6))


@pytest.fixture(scope="module")
def runners(plan: Plan) -> tuple[TorchRunner, OpenvinoRunner]:
    by_openvino = OpenvinoRunner(plan, 1)
    by_openvino.prepare_bends()
    return TorchRunner(plan, threads=1), by_openvino


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(int) - other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("where", "share", "amount"), [("middle", 0.5, 0.4), ("8", 1.0, -0.7), ("fine", 0.3, 1.0)]
)
def test_each_bend_is_the_same_by_torch_and_by_openvino_and_is_seen(
    kind: str, where: str, share: float, amount: float, runners: tuple[TorchRunner, OpenvinoRunner]
) -> None:
    bend = Bend(kind, where, share, 4, amount)
    by_torch, by_openvino = (picture(runner, W_PLUS, bends=(bend,)) for runner in runners)
    assert difference(by_torch, by_openvino).max() <= 2
    assert difference(by_torch, picture(runners[0], W_PLUS)).mean() > 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_each_bend_grows_from_nothing(kind: str, runners: tuple[TorchRunner, OpenvinoRunner]) -> None:
    plain = picture(runners[0], W_PLUS)
    faint = picture(runners[0], W_PLUS, bends=(Bend(kind, "middle", 1.0, 0, 2e-5),))
    assert difference(plain, faint).max() <= 1


def test_bends_at_nought_are_bit_for_bit_none_and_build_nothing(plan: Plan) -> None:
    for settings in (
        {},
        {"bend.1.kind": "rotate", "bend.2.kind": "ablate"},
        {"bend.1.amount": 0.5},
        {"bend.1.kind": "rotate", "bend.1.amount": 0.5, "bend.1.share": 0.0},
    ):
        assert bends_of(Values(settings).numbers) == ()
    runner = OpenvinoRunner(plan, 1)
    before = picture(runner, W_PLUS)
    assert runner._building is None
    folded = picture(runner, W_PLUS, bends=(Bend("multiply", "middle", 0.5, 0, 0.5),))
    assert runner._building is None, "whole features are multiplied by the styles, in the same graph"
    assert difference(folded, before).max() > 2
    assert np.array_equal(picture(runner, W_PLUS), before)


def test_what_needs_more_is_built_aside_while_pictures_go_on(plan: Plan) -> None:
    runner = OpenvinoRunner(plan, 1)
    bends: Bends = (Bend("rotate", "16", 1.0, 0, 0.3),)
    first = picture(runner, W_PLUS, bends=bends)
    runner.prepare_bends()
    then = picture(runner, W_PLUS, bends=bends)
    assert difference(then, picture(TorchRunner(plan, threads=1), W_PLUS, bends=bends)).max() <= 2
    plain = picture(runner, W_PLUS)
    assert np.array_equal(first, plain) or np.array_equal(first, then)
    assert np.array_equal(picture(OpenvinoRunner(plan, 1), W_PLUS), plain)


def test_three_bends_follow_each_other(runners: tuple[TorchRunner, OpenvinoRunner]) -> None:
    bends = (
        Bend("mirror", "middle", 0.5, 1, 1.0),
        Bend("translate x", "16", 1.0, 2, 0.3),
        Bend("multiply", "fine", 0.7, 3, -0.5),
    )
    by_torch, by_openvino = (picture(runner, W_PLUS, bends=bends) for runner in runners)
    assert difference(by_torch, by_openvino).max() <= 2
    turned = picture(runners[0], W_PLUS, bends=bends[::-1])
    assert difference(by_torch, turned).max() > 2, "their order counts"


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_styles_multiply_features_in_every_architecture(architecture: Architecture) -> None:
    plan = plan_of(architecture)
    runner = OpenvinoRunner(plan, 1)
    runner.prepare_bends()
    for kind in CHANNELWISE:
        bends = (Bend(kind, "middle", 0.5, 9, 0.6), Bend(kind, "fine", 1.0, 9, 0.3))
        expected = picture(TorchRunner(plan, threads=1), W_PLUS, bends=bends)
        assert difference(picture(runner, W_PLUS, bends=bends), expected).max() <= 2


def test_a_cuda_runner_bends_too(plan: Plan) -> None:
    """Its arithmetic, on the processor."""
    runner = CudaRunner(plan, "cpu")
    bends = (Bend("zoom", "fine", 1.0, 0, 0.3),)
    plain = picture(runner, W_PLUS)
    expected = picture(TorchRunner(plan, threads=1), W_PLUS, bends=bends)
    assert difference(picture(runner, W_PLUS, bends=bends), expected).max() <= 8
    assert np.array_equal(picture(runner, W_PLUS), plain)


def test_a_smaller_share_is_part_of_a_larger_one_and_a_seed_chooses() -> None:
    small, large = (Bend("ablate", "16", share, 5, 1.0).features(16, 64) for share in (0.25, 0.75))
    assert len(small) == 16
    assert set(small) < set(large)
    assert set(small) != set(Bend("ablate", "16", 0.25, 6, 1.0).features(16, 64))
    gone = factors((Bend("ablate", "16", 0.25, 5, 1.0),), 16, 64)
    assert gone is not None
    assert sorted(np.flatnonzero(gone == 0)) == sorted(small)


def test_what_the_kinds_do_to_a_feature() -> None:
    ramp = torch.arange(8.0).repeat(8, 1)[None, None]

    def done(kind: str, amount: float) -> torch.Tensor:
        return bent(ramp, 8, (Bend(kind, "8", 1.0, 0, amount),))[0, 0]

    assert torch.allclose(done("translate x", 0.25)[0, 2:], ramp[0, 0, 0, :6])
    assert torch.allclose(done("translate y", 0.25), ramp[0, 0])
    assert torch.allclose(done("rotate", 1.0)[0], ramp[0, 0, 0].flip(0), atol=1e-4)
    assert torch.allclose(done("rotate", 0.5)[:, 0].sort().values, ramp[0, 0, 0], atol=1e-4)
    assert torch.allclose(done("mirror", 1.0)[0], torch.tensor([0.0, 1, 2, 3, 3, 2, 1, 0]))
    assert done("zoom", 0.5)[0, 3:5].tolist() == pytest.approx([3.25, 3.75])
    assert torch.allclose(done("multiply", 0.5), 2 * ramp[0, 0])
    assert not done("ablate", 1.0).any()
    assert torch.allclose(done("invert", 1.0), -ramp[0, 0])
    assert done("dilate", 1.0)[0].tolist() == [1, 2, 3, 4, 5, 6, 7, 7]
    assert done("erode", 1.0)[0].tolist() == [0, 0, 1, 2, 3, 4, 5, 6]
    size = float(ramp.square().mean().sqrt())
    assert done("threshold", 0.2)[0].tolist() == pytest.approx(
        np.maximum(np.arange(8) - 0.6 * size, 0).tolist(), abs=1e-5
    )
    assert float(done("wrap", 1.0).abs().max()) <= 0.5 * size + 1e-4


def test_a_resolution_that_the_model_has_not_is_told_once() -> None:
    told: list[EngineEvent] = []
    space = Space(np.zeros(512), np.ones(512), np.arange(3))
    model = Model("small", Still(1), lambda _: space, resolutions=(4, 8, 16))
    path, _ = path_over(np.zeros((4, 128)))
    settings = {"bend.1.kind": "zoom", "bend.1.amount": 0.5, "bend.1.where": "64"}
    latent = path.step(np.zeros(320, np.float32), Values(settings).numbers)
    with SharedBlock.create() as link:
        worker = PictureWorker(link, model, Mailbox(), lambda: 0.0, told.append)
        for _ in range(2):
            worker._show(TimedLatent(latent, 0.0, 0.0, 1))
    assert told == [BendRefused("small has no layers at 64²: bend 64 does nothing with it.")]
    assert set(RESOLUTIONS) == {8, 16, 32, 64}
