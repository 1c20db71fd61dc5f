"""Training a generator: on tiny pictures, stopped and resumed, and with what users get wrong."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lavlive.errors import TrainingError
from lavlive.generator.checkpoint import load_generator, save_generator
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.wstats import measure_w
from lavlive.training import generator_checkpoints as checkpoints
from lavlive.training.__main__ import main
from lavlive.training.generator import Run, fast_half, stage_ends
from lavlive.training.generator_data import batches, decode, is_held_out, level, load_pictures
from lavlive.training.generator_encoder import Cloud, RateControl, divergence
from lavlive.training.generator_features import feature_network
from lavlive.training.generator_growth import begin, finish, grow, layer_groups
from lavlive.training.generator_likeness import Likeness
from lavlive.training.generator_metrics import diversity, frechet_distance
from lavlive.training.generator_moments import RunningMoments, moment_loss
from lavlive.training.generator_options import parse
from lavlive.training.generator_sheets import random_w, walk_w
from lavlive.training.generator_variety import shared_details
from tests.support.networks import blocks_of

torch.set_num_threads(1)
SMALL = GeneratorConfig(16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=128, channel_max=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures of several sizes, one of them broken."""
    random = np.random.default_rng(0)
    made = tmp_path_factory.mktemp("pictures")
    for index in range(40):
        size = (20 + index % 7, 20 + index % 5, 3)
        picture = Image.fromarray(random.integers(0, 256, size, dtype=np.uint8))
        picture.save(made / f"{index:02d}.png")
    (made / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (made / "notes.txt").write_text("not a picture")
    return made


def command(folder: Path, out: Path, *more: str) -> list[str]:
    small = "--resolution 16 --first-resolution 8 --shares 1,1 --channel-base 128 --channel-max 8"
    fixed = f"--batch 4 --warm-up 16 --device cpu --w-dim 12 --code 8 {small}".split()
    return ["--data", str(folder), "--out", str(out), *fixed, *more]


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a short training at 8²."""
    out = tmp_path_factory.mktemp("trained")
    Run(parse(command(folder, out, "--pictures", "32", "--shares", "1,0"))).train()
    return out


@pytest.fixture
def out(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_a_training_grows_stops_and_goes_on(folder: Path, out: Path) -> None:
    half = Run(parse(command(folder, out, "--pictures", "64", "--resume")))
    assert half.trainer.progress.pictures == 32
    assert half.trainer.generator.config.resolution == 8
    half.train()
    loaded = load_generator(out / "generator.safetensors")
    assert loaded.generator.config.resolution == 16
    assert loaded.card["pictures_seen"] >= 64
    assert "--seed 0" in loaded.card["command"]
    assert "--shares 0.5,0.5 " in loaded.card["command"]
    assert len(list(out.glob("random-*.jpg"))) == 2
    assert torch.isfinite(loaded.generator(torch.randn(2, 12))).all()


def test_training_changes_every_weight_that_makes_the_picture(folder: Path, out: Path) -> None:
    run = Run(parse(command(folder, out, "--resume")))
    trainer = run.trainer
    trained = [trainer.generator.synthesis, trainer.encoder, trainer.discriminator.heads]
    before = [{name: p.clone() for name, p in module.named_parameters()} for module in trained]
    source = batches(run.data[8].train, 4, np.random.default_rng(0))
    losses = trainer.step(source)
    assert set(losses) == {"unlike", "shared", "nats", "loss_d", "loss_g", "spread"}
    for module, old in zip(trained, before, strict=True):
        still = [n for n, p in module.named_parameters() if torch.equal(p, old[n])]
        # A hinge loss moves real and made logits apart: what moves both alike may stand still.
        assert [n for n in still if module is not trainer.discriminator.heads or "bias" not in n] == []


def test_what_the_first_resolution_learned_stays_when_the_generator_grows(folder: Path, out: Path) -> None:
    run = Run(parse(command(folder, out, "--resume")))
    trainer = run.trainer
    before = {name: value.clone() for name, value in trainer.average.state_dict().items()}
    seen = {name: value.clone() for name, value in trainer.encoder.state_dict().items()}
    trainer.grow(16)
    learned = {name: value.clone() for name, value in trainer.generator.state_dict().items()}
    source = batches(run._pictures(16).train, 4, np.random.default_rng(0))
    for _ in range(2):
        # The new picture layer begins at zero and keeps the first step from what lies before it.
        trainer.step(source)
    moved = {n for n, v in trainer.generator.state_dict().items() if not torch.equal(v, learned[n])}
    old = [name for name in before if not name.endswith("to_picture.bias")]
    assert all(torch.equal(trainer.generator.state_dict()[name], before[name]) for name in old)
    assert len(moved) >= 6
    assert all(
        name.startswith(f"synthesis.blocks.{len(trainer.generator.synthesis.blocks) - 1}.") for name in moved
    )
    assert all(torch.equal(value, seen[name]) for name, value in trainer.encoder.state_dict().items())
    checkpoints.save(trainer, out / "training.pt")
    again = Run(parse(command(folder, out, "--resume"))).trainer
    assert again.settled == 8
    assert [p.requires_grad for p in again.generator.synthesis.parameters()] == [
        p.requires_grad for p in trainer.generator.synthesis.parameters()
    ]
    again.step(iter([torch.rand(4, 3, 16, 16) * 2 - 1]))


def test_codes_that_no_picture_has_are_drawn_as_sound_draws_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Run(parse(command(folder, tmp_path, "--spread", "0.3", "1.1", "--code", "12"))).trainer
    trainer.recipe = replace(trainer.recipe, few_share=0.0)
    sizes = torch.stack([trainer.draw_codes(64).square().mean((1, 2)).sqrt() for _ in range(20)]).flatten()
    assert 0.3 < float(sizes.median()) < 0.6
    assert float(sizes.quantile(0.9)) > 0.7
    trainer.recipe = replace(trainer.recipe, few_share=1.0)
    values = torch.linalg.svdvals(trainer.draw_codes(64).flatten(0, 1))
    assert float(values[6]) < 1e-4 * float(values[0]) < float(values[5])


def test_a_spread_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    for low, high in (("0", "1"), ("1.2", "0.3"), ("0.5", "3")):
        with pytest.raises(TrainingError, match="--spread"):
            Run(parse(command(folder, tmp_path, "--spread", low, high)))


def test_layouts_come_before_details_and_the_discriminator(folder: Path, tmp_path: Path) -> None:
    trainer = Run(parse(command(folder, tmp_path, "--warm-up", "1000000"))).trainer
    picture = torch.rand(4, 3, 8, 8) * 2 - 1
    losses = [trainer.step(iter([picture]))["unlike"] for _ in range(60)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert trainer.likeness.detail < 0.01
    assert "loss_d" not in trainer.step(iter([picture]))


def test_a_finished_generator_shows_the_code_that_its_w_has() -> None:
    torch.manual_seed(0)
    config = replace(SMALL, resolution=64)
    trained, cloud = begin(config, torch.zeros(3)).freeze(), Cloud(8, torch.device("cpu"))
    cloud.mean.normal_()
    skew = torch.randn(3, 8, 8)
    cloud.covariance = skew @ skew.transpose(1, 2)
    cloud.find_root()
    finished = finish(trained, cloud, 24, seed=3).freeze()
    statistics = measure_w(finished)
    assert np.allclose(statistics.std, statistics.std.mean(), rtol=0.05)
    deviation = torch.randn(5, 3, 24)
    directions = torch.linalg.qr(torch.randn(24, 8, generator=torch.Generator().manual_seed(3)))[0]
    groups = layer_groups(config)
    w = math.sqrt(2) * (deviation + 4.0)
    shown = finished.synthesis(w[:, groups])
    # Of fine layers, sound moves less.
    codes = deviation @ directions * torch.tensor([1.0, 1.0, 0.7])[:, None]
    meant = trained.synthesis(cloud.place(codes)[:, groups])
    assert torch.allclose(shown, meant, atol=0.05 * float(meant.std()))


def test_codes_that_no_picture_has_are_drawn_like_those_that_one_has() -> None:
    torch.manual_seed(0)
    cloud = Cloud(2, torch.device("cpu"), keep=0.98)
    mix = torch.tensor([[2.0, 0.0], [1.5, 0.5]])
    for _ in range(500):
        cloud.follow(torch.randn(32, 3, 2) @ mix.T + 1.0)
    cloud.find_root()
    drawn = cloud.place(torch.randn(4000, 3, 2))
    assert torch.allclose(drawn.mean(0), torch.ones(3, 2), atol=0.3)
    assert torch.allclose(torch.cov(drawn[:, 1].T), mix @ mix.T, rtol=0.2, atol=0.2)


def test_the_divergence_is_that_of_two_normal_distributions() -> None:
    mean, log_variance = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    normal = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    assert divergence(mean, log_variance) == pytest.approx(float(expected.sum((1, 2)).mean()), rel=1e-4)


def test_codes_that_cost_too_much_get_dearer() -> None:
    control = RateControl(50.0, weight=0.01)
    control.follow(100.0)
    dear = control.weight
    for _ in range(10):
        control.follow(10.0)
    assert control.weight < 0.01 < dear


def test_details_that_all_pictures_share_are_told_from_details_of_their_own() -> None:
    torch.manual_seed(0)
    lights = torch.rand(6, 1, 4, 4)
    lights = torch.nn.functional.interpolate(lights, size=64, mode="bilinear")
    common = lights * torch.rand(1, 3, 64, 64)
    own = lights * torch.rand(6, 3, 64, 64)
    assert shared_details(common) > 0.4
    assert shared_details(own) < 0.05


def test_a_blurred_picture_is_less_alike_than_one_with_as_much_texture() -> None:
    torch.manual_seed(0)
    features = feature_network("nudenet")
    real, other = torch.rand(2, 4, 3, 64, 64) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(real, 9, 1, 4)
    likeness = Likeness()
    taps = features(real)
    likeness.measure(taps)
    assert float(likeness(real, real, taps, taps)) == pytest.approx(0, abs=1e-5)
    assert likeness(other, real, features(other), taps) < likeness(blurred, real, features(blurred), taps)


def test_a_grown_generator_makes_the_same_picture_larger() -> None:
    torch.manual_seed(0)
    generator = Generator(SMALL).freeze()
    grown = grow(generator, 32).freeze()
    w = torch.randn(2, 1, 8)
    small = generator.synthesis(w.expand(-1, generator.num_ws, -1))
    large = grown.synthesis(w.expand(-1, grown.num_ws, -1))
    resample = blocks_of(grown)[-1].resample
    assert torch.allclose(large, resample.upsample(small + 1) - 1, atol=1e-5)


def test_a_grown_generator_has_no_pale_frame() -> None:
    generator = Generator(SMALL)
    for block in blocks_of(generator):
        torch.nn.init.zeros_(block.to_picture.weight)
    torch.nn.init.constant_(blocks_of(generator)[-1].to_picture.bias, -1.0)
    grown = grow(generator, 64).freeze()
    assert torch.allclose(grown(torch.randn(1, 8)), torch.full((1, 3, 64, 64), -1.0), atol=1e-5)


def test_a_checkpoint_of_another_architecture_is_refused(folder: Path, out: Path) -> None:
    with pytest.raises(TrainingError, match=r"another architecture \(channel_max\)"):
        Run(parse(command(folder, out, "--pictures", "8", "--resume", "--channel-max", "6")))


def test_blocks_that_have_not_grown_yet_may_be_wider_than_the_checkpoint_knew(
    folder: Path, tmp_path: Path
) -> None:
    narrow = ("--channel-base", "64", "--pictures", "8", "--shares", "1,0")
    Run(parse(command(folder, tmp_path / "run", *narrow))).train()
    more = ("--channel-base", "64", "--channel-min", "6", "--resume")
    wider = Run(parse(command(folder, tmp_path / "run", *more))).trainer
    wider.grow(16)
    assert [wider.generator.config.channels(side) for side in (8, 16)] == [8, 6]
    with pytest.raises(TrainingError, match=r"another architecture \(channel_min\)"):
        Run(parse(command(folder, tmp_path / "run", *more[:3], "10", "--resume")))


def test_a_damaged_checkpoint_is_refused(folder: Path, out: Path) -> None:
    (out / "training.pt").write_bytes(b"PK damaged")
    with pytest.raises(TrainingError, match="damaged"):
        Run(parse(command(folder, out, "--resume")))


def test_an_older_run_is_not_overwritten_by_accident(folder: Path, out: Path) -> None:
    (out / "training.pt").write_bytes(b"precious")
    with pytest.raises(TrainingError, match="--resume"):
        Run(parse(command(folder, out)))
    assert (out / "training.pt").read_bytes() == b"precious"


def test_resuming_nothing_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="to resume from"):
        Run(parse(command(folder, tmp_path / "run", "--resume")))


def test_a_full_disk_leaves_the_older_checkpoint(
    folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(parse(command(folder, out, "--resume")))
    before = run.checkpoint.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(TrainingError, match="No space left"):
        checkpoints.save(run.trainer, run.checkpoint)
    assert run.checkpoint.read_bytes() == before


def test_broken_files_are_skipped_and_counted(folder: Path, tmp_path: Path) -> None:
    loaded = load_pictures(folder, 16, tmp_path / "decoded")
    assert loaded.broken == 1
    assert len(loaded.train) + len(loaded.held_out) == 40
    assert loaded.train.shape[1:] == (16, 16, 3)
    again = load_pictures(folder, 16, tmp_path / "decoded")
    assert np.array_equal(again.train, loaded.train)


def test_a_zip_gives_the_same_pictures_as_its_folder(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    first = load_pictures(folder, 16, tmp_path / "decoded")
    second = load_pictures(path, 16, tmp_path / "decoded")
    assert np.array_equal(first.train, second.train)


def test_pictures_are_cropped_to_their_middle(tmp_path: Path) -> None:
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 200
    Image.fromarray(picture).save(tmp_path / "wide.png")
    assert (decode((tmp_path / "wide.png").read_bytes(), 10) == 200).all()


@pytest.mark.parametrize("what", ["missing", "empty", "text.zip"])
def test_a_source_without_pictures_is_named(tmp_path: Path, what: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(TrainingError, match=what):
        load_pictures(tmp_path / what, 16, tmp_path / "decoded")


def test_the_command_reports_errors_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generator", "--data", str(tmp_path / "gone"), "--out", str(tmp_path / "out")]) == 2
    assert "there is no folder or zip" in capsys.readouterr().err
    assert main(["portrait"]) == 2
    assert "say what to train" in capsys.readouterr().err


def test_what_is_held_out_depends_on_the_name_alone() -> None:
    held = [name for name in (f"picture-{i}.webp" for i in range(2000)) if is_held_out(name)]
    assert 0.06 < len(held) / 2000 < 0.13


def test_dim_pictures_are_brightened_and_bright_ones_left_alone() -> None:
    dim = np.full((8, 8, 3), (10, 20, 40), np.uint8)
    assert level(dim)[0, 0].tolist() == [40, 80, 160]
    assert level(np.full((8, 8, 3), 255, np.uint8)).min() == 255
    assert level(np.zeros((8, 8, 3), np.uint8)).max() == 0


def test_batches_show_the_eight_symmetries() -> None:
    picture = (np.arange(4 * 4 * 3) * 5).astype(np.uint8).reshape(1, 4, 4, 3)
    source = batches(picture, 64, np.random.default_rng(0))
    assert len({tensor.numpy().tobytes() for tensor in next(source)}) == 8


def test_the_frechet_distance_of_normal_clouds_is_the_known_one() -> None:
    random = np.random.default_rng(0)
    a = random.normal(0, 1, (20_000, 3))
    b = random.normal(0, 2, (20_000, 3)) + np.array([1.0, 0, 0])
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    # |Δμ|² + Σ (σ_a − σ_b)² = 1 + 3.
    assert frechet_distance(a, b) == pytest.approx(4, rel=0.05)
    assert diversity(b[:500]) == pytest.approx(2 * diversity(a[:500]), rel=0.1)


def test_a_walk_moves_in_small_steps_and_closes() -> None:
    generator = Generator(SMALL).freeze()
    w = walk_w(generator, 64, 0)[:, 0]
    steps = (w - w.roll(1, 0)).norm(dim=1)
    assert steps.max() < 0.5 * (random_w(generator, 64, 0)[:, 0].diff(dim=0)).norm(dim=1).mean()


@pytest.mark.parametrize(
    ("resolution", "shares"), [(48, "1"), (4, "1"), (64, "a,b"), (64, "0,0"), (64, "-1")]
)
def test_impossible_schedules_are_refused(resolution: int, shares: str) -> None:
    with pytest.raises(TrainingError):
        stage_ends(64, resolution, shares)


def test_a_card_gives_the_shares_that_came_about(folder: Path, out: Path) -> None:
    """Whatever was asked for, this training ended before it grew."""
    Run(parse(command(folder, out, "--pictures", "32", "--shares", "1,1", "--resume"))).train()
    assert "--shares 1,0 " in load_generator(out / "generator.safetensors").card["command"]


def test_stages_end_at_their_shares() -> None:
    assert stage_ends(64, 256, "0.5,0.3,0.2") == [(64, 0.5), (128, 0.8), (256, 1.0)]
    assert stage_ends(64, 32, "1") == [(32, 1.0)]


def test_a_torch_that_cannot_tell_whether_bfloat16_is_fast_trains_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert fast_half("cpu")
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert not fast_half("cpu")


def test_evaluation_reads_a_model_and_keeps_its_figures(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "generator.safetensors"
    save_generator(path, Generator(SMALL), {"name": "small"})
    options = f"--data {folder} --model {path} --work {tmp_path} --features nudenet --keep"
    assert main(["evaluate", *options.split()]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["samples"] >= 2
    assert load_generator(path).card["figures"] == figures


def test_moment_matching_pulls_mean_and_spread_to_the_real_ones() -> None:
    torch.manual_seed(0)
    made, real = RunningMoments(0.9), RunningMoments(0.9)
    shift, scale = torch.full((4,), 3.0, requires_grad=True), torch.full((4,), 0.2, requires_grad=True)
    optimizer = torch.optim.Adam([shift, scale], lr=0.05)
    for _ in range(400):
        real.update(1 + 2 * torch.randn(8, 4))
        batch = shift + scale * torch.randn(8, 4)
        made.update(batch.detach())
        optimizer.zero_grad()
        moment_loss(batch, made, real).backward()
        optimizer.step()
    assert torch.allclose(shift, torch.full((4,), 1.0), atol=0.8)
    assert torch.allclose(scale.abs(), torch.full((4,), 2.0), atol=0.6)
