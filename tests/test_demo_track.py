"""The demo track: what the script composes, and the file that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from lavlive.errors import TrainingError
from lavlive.resources import shipped
from lavlive.training import demo_track

DEMO = shipped("data") / "demo.ogg"


@pytest.fixture(scope="module")
def decoded() -> np.ndarray:
    samples, rate = soundfile.read(DEMO, always_2d=True)
    assert rate == demo_track.RATE
    return samples


def _section(samples: np.ndarray, name: str) -> np.ndarray:
    section = next(section for section in demo_track.SECTIONS if section.name == name)
    return samples[round(section.start * demo_track.RATE) : round(section.end * demo_track.RATE)]


def test_the_shipped_file_is_what_the_script_composes(decoded: np.ndarray) -> None:
    composed = demo_track.compose()
    assert composed.shape == decoded.shape
    error = np.sqrt(np.mean((composed - decoded) ** 2) / np.mean(composed**2))
    assert error < 0.2  # the loss of Vorbis; another piece, or one a sample late, gives 1.4 or more


def test_the_same_seed_gives_the_same_sound() -> None:
    first, second = (demo_track._effects(np.random.default_rng(demo_track.SEED)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, demo_track._effects(np.random.default_rng(demo_track.SEED + 1)))


def test_the_file_lasts_forty_seconds_in_stereo_and_is_small_and_unclipped(decoded: np.ndarray) -> None:
    assert decoded.shape == (40 * demo_track.RATE, 2)
    assert DEMO.stat().st_size <= 1_000_000
    assert 0.5 < np.abs(decoded).max() < 1.0
    assert np.abs(decoded[:, 0] - decoded[:, 1]).mean() > 0.005


def test_the_loop_has_no_seam(decoded: np.ndarray) -> None:
    # The step from the last sample to the first is like any other step, and the level is held.
    steps = np.abs(np.diff(decoded, axis=0)).max(axis=1)
    assert np.abs(decoded[0] - decoded[-1]).max() < np.quantile(steps, 0.99)
    edge = round(0.05 * demo_track.RATE)
    before, after = (np.sqrt(np.mean(part**2)) for part in (decoded[-edge:], decoded[:edge]))
    assert 0.2 < before / after < 5.0


def test_sections_cover_the_track_and_lie_on_bars() -> None:
    ends = [section.end for section in demo_track.SECTIONS]
    assert [section.start for section in demo_track.SECTIONS] == [0.0, *ends[:-1]]
    assert ends[-1] == demo_track.SECONDS
    assert all(end % demo_track.BAR == 0 for end in ends)
    assert demo_track.section_at(41.0).name == "intro"


def test_the_break_has_no_kick_and_the_drop_is_louder(decoded: np.ndarray) -> None:
    def below_80_hertz(samples: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(samples.mean(axis=1))) ** 2
        return float(power[: round(80 * len(samples) / demo_track.RATE)].sum() / power.sum())

    assert below_80_hertz(_section(decoded, "drop")) > 5 * below_80_hertz(_section(decoded, "break"))
    assert _section(decoded, "drop").std() > 1.4 * _section(decoded, "break").std()


def test_a_folder_that_cannot_be_made_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    with pytest.raises(TrainingError, match="cannot write"):
        demo_track.write_track(blocker / "demo.ogg", np.zeros((100, 2)))
    assert list(tmp_path.iterdir()) == [blocker]


def test_a_full_disk_keeps_the_older_track(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "demo.wav"
    demo_track.write_track(target, np.full((1000, 2), 0.25))
    older = target.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("soundfile.SoundFile.write", full)
    with pytest.raises(TrainingError, match="No space left"):
        demo_track.write_track(target, np.zeros((1000, 2)))
    assert target.read_bytes() == older
    assert list(tmp_path.iterdir()) == [target]
