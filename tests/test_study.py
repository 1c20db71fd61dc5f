"""``lavlive study`` from tracks to a report."""

import builtins
import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import load_file

from lavlive.commands.main import main
from lavlive.encoder.calibration import measure
from lavlive.encoder.weights import load_encoder
from lavlive.generator.checkpoint import save_generator
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.latent.features import FeatureExtractor
from lavlive.latent.path import LatentPath
from lavlive.parameters import Values
from lavlive.resources import shipped
from lavlive.study import laboratory
from lavlive.study import report as study_report
from lavlive.study.conditions import DEFAULT, plan
from lavlive.study.drivers import (
    HAND_CRAFTED,
    LOG_MEL,
    UNTRAINED,
    Recorded,
    driver_hash,
    driver_names,
    open_driver,
)
from lavlive.study.material import Heard, RecordedFeatures
from lavlive.study.projections import aligned, learned, principal_directions
from lavlive.study.sound import Description

DEMO = shipped("data") / "demo.ogg"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


class Here:
    """Stands in for the pool of processes: does the work at once, where it is asked for."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*arguments))
        return done

    def shutdown(self, **_: object) -> None:
        pass


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laboratory, "ProcessPoolExecutor", Here)


def write_synthetic(path: Path) -> Path:
    """21 s in three parts: a drone, clicks, noise that swells."""
    rate, random = 24_000, np.random.default_rng(0)
    time = np.arange(7 * rate) / rate
    clicks = np.zeros(7 * rate)
    clicks[:: rate // 2] = 0.9
    parts = [
        0.3 * np.sin(2 * np.pi * 110 * time) + 0.1 * np.sin(2 * np.pi * 330 * time),
        np.convolve(clicks, np.exp(-np.arange(600) / 100))[: 7 * rate],
        0.2 * random.standard_normal(7 * rate) * (0.2 + np.sin(np.pi * time / 3) ** 2),
    ]
    soundfile.write(path, np.concatenate(parts).astype(np.float32).clip(-1, 1), rate)
    return path


def write_small_generator(path: Path) -> Path:
    """A generator that is quick and shows nothing in particular."""
    torch.manual_seed(0)
    config = GeneratorConfig(32, z_dim=16, w_dim=512, mapping_layers=1, channel_base=256, channel_max=16)
    save_generator(path, Generator(config).freeze(), {"name": "small", "trained": False})
    return path


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    return told


def study(*arguments: object) -> int:
    return main(["study", *map(str, arguments), "--quick", "--jobs", "1", "--seconds", "20"])


def test_a_quick_study_writes_a_report_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, page = tmp_path / "study", tmp_path / "page.mp3"
    page.write_text("<html>404</html>")
    tracks = (DEMO, write_synthetic(tmp_path / "synthetic.wav"), page)
    how = (
        "-o",
        folder,
        "--model",
        write_small_generator(tmp_path / "small.safetensors"),
        "--runner",
        "torch",
    )
    assert study(*tracks, *how) == 0
    told = capsys.readouterr()
    assert "page.mp3" in told.err
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "page.mp3" in report
    assert "small, an untrained placeholder" in report
    for heading in ("## In short", "## The paper's claims", "## Drivers", "## Projections", "## The knobs"):
        assert heading in report
    for name in ("study.png", "study-knobs.png", "study-tracks.png"):
        assert (folder / name).stat().st_size > 10_000
        assert name in report
    assert "Does it follow the music?" in (folder / "readme.md").read_text(encoding="utf-8")
    data = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert {trial["track"] for trial in data["trials"]} == {"demo", "synthetic"}
    assert load_file(folder / "learned.safetensors")["projection"].shape == (512, 128)
    check_trials(data)

    # Everything is kept: what is done is found again, and makes the same report; of the same figures.
    monkeypatch.setattr(laboratory, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(study_report, "draw_all", lambda *_: [])
    assert study(*tracks, *how, "--so-far") == 0
    assert "16 of 16 trials" in capsys.readouterr().err
    assert (folder / "report.md").read_text(encoding="utf-8") == report


def check_trials(data: dict[str, Any]) -> None:
    """What no right trial can get wrong."""
    by_name = {(t["track"], t["condition"]["name"], t["condition"]["seed"]): t for t in data["trials"]}
    for track in ("demo", "synthetic"):
        default, still = by_name[track, DEFAULT, 0], by_name[track, "all 8 s", 0]
        wild, restless = by_name[track, "y 4", 0], by_name[track, "no smoothing", 0]
        assert (
            still["signs"]["diversity"][2] < default["signs"]["diversity"][2] < wild["signs"]["diversity"][2]
        )
        assert restless["signs"]["jitter"][0] > 2 * default["signs"]["jitter"][0]
        assert restless["signs"]["lag"] == [0.0, 0.0, 0.0]
        assert default["rsa"]["embedding"] > 0.1
        assert default["kept"]["embedding to w"] > 0.4


def test_a_folder_of_tracks_is_taken_whole_and_equal_names_are_told_apart(tmp_path: Path) -> None:
    from lavlive.study.material import find_tracks

    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "song.wav").write_bytes(folder.encode())
    (tmp_path / "one" / "cover.jpg").write_bytes(b"no sound")
    found = find_tracks([str(tmp_path / "one"), str(tmp_path / "two")], 30.0)
    assert [track.name for track in found] == ["song", "song-2"]


@pytest.mark.usefixtures("in_this_process")
def test_a_study_that_has_done_nothing_has_nothing_to_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    track = write_synthetic(tmp_path / "synthetic.wav")
    model = write_small_generator(tmp_path / "small.safetensors")
    options = ["--quick", "--so-far", "--jobs", "1", "--seconds", "20", "--seeds", "1", "--model", str(model)]
    told = refusal(["study", str(track), "-o", str(tmp_path / "study"), *options], capsys)
    assert "Nothing is done" in told


def test_a_track_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere.wav" in refusal(["study", "nowhere.wav", "-o", str(tmp_path)], capsys)


def test_a_folder_without_tracks_says_where_to_get_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "study_tracks" in refusal(["study", str(tmp_path), "-o", str(tmp_path / "study")], capsys)


@pytest.mark.usefixtures("in_this_process")
def test_tracks_of_which_none_can_be_used_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(24_000 * 3, np.float32), 24_000)
    model = write_small_generator(tmp_path / "small.safetensors")
    options = ["-o", str(tmp_path / "study"), "--quick", "--jobs", "1", "--model", str(model)]
    told = refusal(["study", str(short), *options], capsys)
    assert "short.wav" in told
    assert "3 s" in told


@pytest.mark.parametrize(
    ("option", "value", "range_"),
    [("--seeds", "0", "at least 1"), ("--seconds", "5", "20 to 3600"), ("--jobs", "0", "at least 1")],
)
def test_a_number_out_of_range_is_answered_with_the_range(
    option: str, value: str, range_: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert range_ in refusal(["study", str(DEMO), "-o", str(tmp_path), option, value], capsys)


def test_without_matplotlib_the_study_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "matplotlib":
            raise ImportError("No module named 'matplotlib'")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    told = refusal(["study", str(DEMO), "-o", str(tmp_path)], capsys)
    assert "pip install 'lavlive[study]'" in told


@pytest.mark.parametrize("name", [LOG_MEL, HAND_CRAFTED])
def test_features_are_encoders_that_any_chunking_leaves_alone(name: str) -> None:
    samples = np.random.default_rng(0).standard_normal(320 * 60).astype(np.float32) * 0.1
    encoder = open_driver(name)
    whole = encoder.encode(samples)
    assert whole.shape == (60, encoder.dimension)
    pieces = [encoder.step(samples[:3200]), encoder.step(samples[3200:3520]), encoder.step(samples[3520:])]
    assert np.array_equal(np.concatenate(pieces), whole)
    encoder.reset()
    assert np.array_equal(encoder.step(samples), whole)
    calibration = measure(encoder, samples)
    assert calibration.covariance.shape == (encoder.dimension, encoder.dimension)


def test_untrained_drivers_differ_by_their_seed() -> None:
    samples = np.random.default_rng(0).standard_normal(320 * 4).astype(np.float32) * 0.1
    one, same, other = (open_driver(UNTRAINED, seed).encode(samples) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_published_weights_are_studied_where_they_are_cached() -> None:
    assert driver_names("bundled") == ["bundled", UNTRAINED, LOG_MEL, HAND_CRAFTED]
    from lavlive.encoder.fetch import encodec_path

    encodec_path().parent.mkdir(parents=True, exist_ok=True)
    encodec_path().write_bytes(b"weights")
    assert driver_names("bundled")[1] == "encodec"


def test_a_recorded_track_gives_the_latents_of_the_real_path() -> None:
    samples = np.random.default_rng(0).standard_normal((150, 320)).astype(np.float32) * 0.1
    encoder, values = (
        load_encoder("bundled"),
        Values({"modulation.onset.fine": 1, "modulation.chroma.coarse": 1}),
    )
    calibration = encoder.info.calibration
    assert calibration is not None
    extractor = FeatureExtractor()
    steps = [extractor.step(hop) for hop in samples]
    heard = Heard(
        Description({}, np.zeros(150)),
        np.array([step.onset for step in steps]),
        np.array([step.silent for step in steps]),
        np.array([step.chroma for step in steps]),
    )
    latents = encoder.encode(samples.ravel())
    real = LatentPath(encoder, calibration)
    told = LatentPath(
        Recorded(latents, driver_hash("bundled")), calibration, listener=RecordedFeatures(heard)
    )
    silence = np.zeros(320, np.float32)
    for hop in samples:
        live, again = real.step(hop, values.numbers), told.step(silence, values.numbers)
        assert np.allclose(live.deviation, again.deviation, atol=2e-3)


def test_every_condition_can_be_set_and_the_default_comes_first() -> None:
    from lavlive.study.trial import target_values

    conditions = plan(["bundled", UNTRAINED, LOG_MEL, HAND_CRAFTED], 20)
    assert conditions[0].name == DEFAULT
    assert not conditions[0].settings
    assert len({(c.name, c.seed) for c in conditions}) == len(conditions)
    assert sum(c.name == DEFAULT for c in conditions) == 20
    for condition in conditions:
        target_values(condition)


def test_a_learned_projection_lays_the_sound_along_ws_principal_directions() -> None:
    random = np.random.default_rng(0)
    mixing = random.standard_normal((512, 512)) / 20
    covariance = (mixing @ np.diag(np.linspace(2, 0.1, 512)) @ mixing.T).astype(np.float32)
    std = np.sqrt(np.diag(covariance))
    directions, spreads = principal_directions(covariance, std)
    assert np.all(np.diff(spreads) <= 1e-9)
    hidden = random.standard_normal((600, 3)) * [3, 2, 1]
    latents = hidden @ random.standard_normal((3, 20)) + 0.01 * random.standard_normal((600, 20)) + 4

    class Measured:
        mean = latents.mean(axis=0)
        covariance = np.cov(latents, rowvar=False)

    matrix = learned(latents, hidden, directions, Measured())
    along = (latents - Measured.mean) @ matrix.T @ directions[:, :3]
    for place in range(3):
        assert abs(np.corrcoef(along[:, place], hidden[:, place])[0, 1]) > 0.95
    first = (latents - Measured.mean) @ aligned(Measured(), directions, spreads).T @ directions
    assert first[:, 0].std() == pytest.approx(spreads[0], rel=0.05)
