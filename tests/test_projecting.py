"""Pictures from elsewhere find their points of W, and points become keyframes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lavlive.commands import project as command
from lavlive.commands.directions import write_picture
from lavlive.commands.main import main
from lavlive.commands.options import RenderOptions
from lavlive.commands.render import look_of
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.errors import UsageError
from lavlive.generator import projecting
from lavlive.generator.checkpoint import load_generator, save_generator
from lavlive.generator.likeness import Likeness
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.projecting import Projector, Search
from lavlive.generator.wstats import WStatistics, measure_w
from lavlive.link.keyframes import MOST, kept
from lavlive.link.points import read_points
from lavlive.parameters import Values

W = 6


@pytest.fixture(autouse=True)
def few_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projecting, "STARTS", 32)


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(4)
    config = GeneratorConfig(32, z_dim=W, w_dim=W, mapping_layers=2, channel_base=256, channel_max=16)
    return Generator(config).freeze()


@pytest.fixture(scope="module")
def statistics(generator: Generator) -> WStatistics:
    return measure_w(generator, 2000)


def own_w(generator: Generator, seed: int) -> np.ndarray:
    with torch.inference_mode():
        w: np.ndarray = generator.mapping(
            torch.randn(1, W, generator=torch.Generator().manual_seed(seed))
        ).numpy()
    return np.repeat(w, 3, axis=0)


def test_a_picture_of_the_model_itself_is_found_again(generator: Generator, statistics: WStatistics) -> None:
    projector = Projector(generator, statistics)
    wanted = own_w(generator, 11)
    target = projector.picture(wanted)
    search = projector.begin(target)
    found = projector.go_on(search, target, 60, lambda search: None)

    def away(w: np.ndarray) -> float:
        return float(np.sqrt(np.mean(((w - wanted) / statistics.std) ** 2)))

    assert search.best < 0.05 * search.before
    assert away(found) < 0.1 * away(np.repeat(statistics.mean[None], 3, axis=0))
    assert np.abs(projector.picture(found).astype(int) - target).mean() < 2


def test_a_search_that_is_broken_off_goes_on_to_the_same_point(
    generator: Generator, statistics: WStatistics
) -> None:
    projector = Projector(generator, statistics)
    target = projector.picture(own_w(generator, 3))
    whole, halves = projector.begin(target), projector.begin(target)
    straight = projector.go_on(whole, target, 12, lambda search: None)

    class Broken(Exception):
        pass

    def breaking(search: Search) -> None:
        if search.step == 7:
            raise Broken

    with pytest.raises(Broken):
        projector.go_on(halves, target, 12, breaking)
    assert np.array_equal(projector.go_on(halves, target, 12, lambda search: None), straight)


def test_in_w_all_layers_share_one_point(
    generator: Generator, statistics: WStatistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "_SHARED", 0.0)
    each = np.concatenate([own_w(generator, seed)[:1] for seed in (1, 2, 3)])
    target = Projector(generator, statistics).picture(each)
    for free in (False, True):
        projector = Projector(generator, statistics, free)
        found = projector.go_on(projector.begin(target), target, 6, lambda search: None)
        assert np.array_equal(found[0], found[1]) is not free


def test_what_looks_alike_is_nearer_than_what_does_not() -> None:
    random = torch.Generator().manual_seed(1)
    soft = torch.nn.functional.interpolate(
        torch.randn(1, 3, 8, 8, generator=random), size=64, mode="bilinear"
    )
    likeness = Likeness(soft)
    moved, grainy = soft.roll(1, 3), soft + 0.3 * torch.randn(1, 3, 64, 64, generator=random)
    other = torch.nn.functional.interpolate(
        torch.randn(1, 3, 8, 8, generator=random), size=64, mode="bilinear"
    )
    same, little, rough, far = (float(likeness(each)) for each in (soft, moved, grainy, other))
    assert same == pytest.approx(0, abs=1e-6)
    assert same < little < rough < far


@pytest.fixture
def file(generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAVLIVE_TEMPORARY_CACHE", str(tmp_path))
    path = tmp_path / "mine.safetensors"
    save_generator(path, generator, {}, torch.float32)
    return path


def test_the_command_writes_points_that_shows_begin_with(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    points, pictures = tmp_path / "points.npz", []
    for name, size in (("a.png", (32, 32)), ("b.jpg", (80, 120))):
        pictures.append(str(tmp_path / name))
        pixels = np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8)
        write_picture(Path(pictures[-1]), pixels)
    typed = ["model", "project", str(file), *pictures, "--steps", "3", "-o", str(points)]
    assert main(typed) == 0
    assert "b.jpg: distance" in capsys.readouterr().out
    found = read_points(points)
    assert [keyframe.w.shape for keyframe in found] == [(3, W)] * 2
    assert all(keyframe.is_of(load_generator(file).hash) for keyframe in found)

    monkeypatch.setattr(Projector, "begin", lambda *_: pytest.fail("searched again"))
    assert main(typed) == 0

    looks = look_of(RenderOptions("track.wav", "v.mp4", points=points))
    assert looks.keyframes == found
    assert main([*typed[:-3], "4", "-o", str(points)]) == 2
    assert "points found otherwise (w+ 3 steps)" in capsys.readouterr().err


def test_the_command_goes_on_where_it_was_interrupted(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, points = tmp_path / "a.png", tmp_path / "points.npz"
    write_picture(picture, np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8))
    typed = ["model", "project", str(file), str(picture), "--steps", "6"]
    assert main([*typed, "-o", str(tmp_path / "whole.npz")]) == 0
    monkeypatch.setattr(command, "_KEPT_EVERY", 2)
    original = Projector._step

    def interrupted(self: Projector, search: Search, gradient: np.ndarray, rate: float) -> None:
        if search.step == 5:
            raise KeyboardInterrupt
        original(self, search, gradient, rate)

    monkeypatch.setattr(Projector, "_step", interrupted)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        raise SystemExit(main([*typed, "-o", str(points)]))
    assert read_points(points) == (), "none is done yet"
    monkeypatch.setattr(Projector, "_step", original)
    monkeypatch.setattr(Projector, "begin", lambda *_: pytest.fail("began again"))
    assert main([*typed, "-o", str(points)]) == 0
    assert read_points(points) == read_points(tmp_path / "whole.npz")


@pytest.mark.parametrize(
    ("picture", "output", "line"),
    [
        ("text.png", "p.npz", "text.png is no picture that can be read"),
        ("gone.png", "p.npz", "There is no picture"),
        ("text.png", "p.txt", "let the name end in .npz"),
        ("good.png", "text.npz", "is there and holds no points"),
        ("good.png", "other.npz", "holds points of another model"),
    ],
)
def test_what_cannot_be_projected_is_told_in_one_line(
    picture: str, output: str, line: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("text.png", "text.npz"):
        (tmp_path / name).write_text("no picture")
    np.savez(tmp_path / "other.npz", model=np.array("another"), asked=np.array(""), w=np.zeros((1, 3, 8)))
    write_picture(tmp_path / "good.png", np.zeros((32, 32, 3), np.uint8))
    typed = [
        "model",
        "project",
        str(file),
        str(tmp_path / picture),
        "--steps",
        "1",
        "-o",
        str(tmp_path / output),
    ]
    assert main(typed) == 2
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_points_join_the_keyframes_of_a_show_as_far_as_there_is_room(tmp_path: Path) -> None:
    looks = Looks(Values(), PresetLibrary(None, tmp_path))
    points = tuple(kept("a" * 32, np.full((3, 4), number)) for number in range(MOST - 1))
    assert looks.keep_all(points) == MOST - 1
    assert looks.keep_all(points) == 1
    assert looks.keyframes == (*points, points[0])
    looks.undo()
    assert looks.keyframes == points
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UsageError, match=r"bad\.npz holds no points"):
        read_points(bad)
    np.savez(bad, model=np.array("a"), w=np.zeros((2, 2, 8)))
    with pytest.raises(UsageError, match="holds no points"):
        read_points(bad)
