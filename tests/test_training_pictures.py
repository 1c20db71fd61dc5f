"""The formulas of training pictures, and the command that makes sets of them."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lavlive.errors import CheckpointError, TrainingError
from lavlive.generator import checkpoint
from lavlive.training.pictures import command
from lavlive.training.pictures.families import FAMILIES, picture, worth_keeping
from lavlive.training.pictures.shapes import Palette, Waves, blurred, hsv, square

pytest.importorskip("PIL")
FORMULAS = sorted(set(FAMILIES) - {"flames"})


def options(out: Path, *more: str) -> command.PicturesOptions:
    return command.parse(["bloom", "--count", "3", "--size", "32", "--seed", "7", "-o", str(out), *more])


@pytest.mark.parametrize("name", FORMULAS)
def test_a_seed_always_gives_the_same_picture_with_a_bright_subject_on_dark_ground(name: str) -> None:
    first, again, other = (picture(FAMILIES[name], seed, 64) for seed in (5, 5, 6))
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - other.astype(int)).mean() > 2
    assert np.percentile(first, 99) > 140
    assert np.percentile(first.max(axis=2), 10) < 100


@pytest.mark.parametrize("name", FORMULAS)
def test_a_larger_picture_shows_the_same_thing(name: str) -> None:
    small, large = (picture(FAMILIES[name], 11, side).astype(float) for side in (64, 128))
    reduced = large.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), reduced.ravel())[0, 1] > 0.9


def test_dark_flat_and_burnt_pictures_are_not_kept() -> None:
    x, _ = square(64)
    subject = np.exp(-8 * np.square(x))[..., None] * np.array([1.0, 0.5, 0.2], np.float32)
    assert worth_keeping(subject)
    assert not worth_keeping(0.1 * subject)
    assert not worth_keeping(np.full((64, 64, 3), 0.7, np.float32))
    assert not worth_keeping(np.clip(3 * subject + 0.6, 0, 1))


def test_waves_have_a_deviation_of_one_and_a_current_without_sources() -> None:
    x, y = square(96)
    waves = Waves(np.random.default_rng(0), 20.0)
    assert 0.8 < waves(x, y).std() < 1.2
    along, across = waves.flow(x, y)
    sources = np.gradient(along, axis=1) + np.gradient(across, axis=0)
    turning = np.gradient(along, axis=0) - np.gradient(across, axis=1)
    assert np.abs(sources).mean() < 0.02 * np.abs(turning).mean()


def test_glow_keeps_the_light_and_does_not_come_round_the_edge() -> None:
    light = np.zeros((64, 64, 3), np.float32)
    light[32, 4] = 1
    glow = blurred(light, 0.03)
    assert glow[32, 63].max() < 1e-5
    assert 0.9 < glow.sum() / light.sum() <= 1.001


def test_a_palette_runs_from_its_first_stop_to_its_last_without_a_step() -> None:
    palette = Palette(np.array([hsv(0, 1, 0), hsv(0.1, 1, 0.5), hsv(0.2, 0.3, 1)]))
    colours = palette(np.linspace(0, 1, 400, dtype=np.float32))
    assert np.allclose(colours[0], 0, atol=0.03)
    assert np.allclose(colours[-1], hsv(0.2, 0.3, 1), atol=0.03)
    assert np.abs(np.diff(colours, axis=0)).max() < 0.01


def test_the_same_call_makes_the_same_zip(tmp_path: Path) -> None:
    first, second = (command.make(options(tmp_path / name)) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip"]
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == [f"bloom-000000{seed}.webp" for seed in (7, 8, 9)]
        from PIL import Image

        with Image.open(io.BytesIO(archive.read("bloom-0000007.webp"))) as opened:
            assert opened.size == (32, 32)


def test_a_full_disk_loses_nothing_and_the_same_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "set.zip"
    real = checkpoint.write_atomically
    written: list[str] = []

    def full_after_two(path: Path, content: bytes) -> None:
        if len(written) == 3:  # a note and two pictures
            raise CheckpointError(f"cannot write {path}: No space left on device")
        written.append(path.name)
        real(path, content)

    monkeypatch.setattr(command, "write_atomically", full_after_two)
    with pytest.raises(TrainingError, match=r"No space left.*what is made stays in .*set\.zip\.part"):
        command.make(options(out))
    assert not out.exists()
    monkeypatch.setattr(
        command, "write_atomically", lambda path, content: (written.append(path.name), real(path, content))
    )
    command.make(options(out))
    assert written == ["made.json", *(f"bloom-000000{seed}.webp" for seed in (7, 8, 9))]
    assert len(zipfile.ZipFile(out).namelist()) == 3


def test_a_disk_that_fills_while_packing_keeps_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(TrainingError, match="No space left"):
        command.make(options(tmp_path / "set.zip"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.zip.part"]
    assert len(list((tmp_path / "set.zip.part").glob("*.webp"))) == 3


def test_pictures_can_stay_in_a_folder_and_the_set_can_grow(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    command.make(options(folder))
    first = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.webp")}
    command.make(options(folder, "--count", "4"))
    later = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.webp")}
    assert len(later) == 4
    assert first.items() <= later.items()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["tulips"], "no family 'tulips'; there are bloom"),
        (["silk", "--count", "0"], "at least one"),
        (["silk", "--size", "9000"], "32 to 4096"),
        (["silk", "--seed", "-1"], "not negative"),
        (["silk", "--quality", "0"], "1 to 100"),
        (["silk", "-o", "taken.zip"], "exists"),
        (["silk", "-o", "file/set"], "cannot use"),
        (["silk", "--size", "64", "-o", "other"], "another set"),
    ],
)
def test_what_cannot_be_made_is_said_in_one_line(
    typed: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken.zip").write_bytes(b"")
    Path("file").write_bytes(b"")
    Path("other").mkdir()
    Path("other/made.json").write_text('{"family": "bloom", "size": 64, "quality": 90}')
    given = typed if "-o" in typed else [*typed, "-o", "new.zip"]
    with pytest.raises(TrainingError, match=told) as failure:
        command.make(command.parse(given))
    assert "\n" not in str(failure.value)


def test_flames_without_their_program_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(TrainingError, match="flam3-utils"):
        command.make(command.parse(["flames", "-o", str(tmp_path / "flames.zip")]))


@pytest.mark.skipif(shutil.which("flam3-render") is None, reason="flam3 is not installed")
def test_flames_are_square_pictures() -> None:
    light = FAMILIES["flames"].draw(np.random.default_rng(3), 48)
    assert light.shape == (48, 48, 3)
    assert 0 <= light.min() <= light.max() <= 1
