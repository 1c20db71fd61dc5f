"""What render writes: never over another file, at least one picture, and sound that can be heard."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from lavlive.audio.tracks import Track
from lavlive.commands.main import main
from lavlive.encoder.weights import load_encoder
from lavlive.engine.offline import hops_of
from lavlive.errors import UsageError
from tests.support.sound_files import encode, in_the_centre

RATE = 44_100


def tone(seconds: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def pictures_in(path: Path) -> int:
    with av.open(str(path)) as video:
        return sum(1 for _ in video.decode(video=0))


def test_render_writes_beside_what_exists_and_over_it_only_by_force(tmp_path, capsys):
    soundfile.write(tmp_path / "short.wav", tone(0.005), RATE)
    film = tmp_path / "film.mp4"
    film.write_bytes(b"two minutes of film")
    typed = ["render", str(tmp_path / "short.wav"), "-o", str(film), "--size", "64x64", "--runner", "torch"]
    assert main(typed) == 0
    assert film.read_bytes() == b"two minutes of film"
    assert pictures_in(tmp_path / "film-2.mp4") == 1, "five milliseconds of sound are one picture"
    assert "film-2.mp4: 1 picture, 5 ms" in capsys.readouterr().out
    assert main([*typed, "--force"]) == 0
    assert pictures_in(film) == 1


@pytest.mark.parametrize("name", ["film.mp4", "film.png"])
def test_a_disk_that_fills_while_it_renders_is_told_in_a_line(tmp_path, capsys, monkeypatch, name):
    def full(*_):
        raise OSError(28, "No space left on device")

    soundfile.write(tmp_path / "short.wav", tone(0.1), RATE)
    monkeypatch.setattr("lavlive.stage.recording.video.VideoWriter.picture", full)
    monkeypatch.setattr("lavlive.stage.recording.picture_files.PictureFiles.picture", full)
    typed = ["render", str(tmp_path / "short.wav"), "-o", str(tmp_path / name), "--size", "64x64"]
    assert main([*typed, "--runner", "torch"]) == 2
    told = capsys.readouterr().err
    assert "cannot be written any more: No space left on device" in told
    assert "Traceback" not in told


def test_the_centre_of_surround_sound_is_in_the_video(tmp_path):
    encode(tmp_path / "centre.wav", in_the_centre(tone(0.4)), RATE, "pcm_s16le", layout="5.1")
    film = tmp_path / "film.mp4"
    typed = ["render", str(tmp_path / "centre.wav"), "-o", str(film), "--size", "64x64", "--fps", "2"]
    assert main([*typed, "--runner", "torch"]) == 0
    with Track(film) as heard:
        sound = heard.read(10**6)
    assert sound.shape[1] == 2
    level = 0.5 / np.sqrt(2) * np.sqrt(0.5) / (1 + np.sqrt(2))
    assert np.sqrt(np.mean(sound[4000:12_000] ** 2, axis=0)) == pytest.approx([level, level], rel=0.05)


def test_render_hears_the_channels_that_were_asked_for_and_tells_of_opposite_ones(tmp_path):
    left = tone(3.0)
    soundfile.write(tmp_path / "opposite.wav", np.stack([left, -left], axis=1), RATE)
    encoder = load_encoder("bundled")
    told: list[str] = []
    with Track(tmp_path / "opposite.wav") as track:
        mixed = [hop.samples for hop in hops_of(track, encoder, notice=told.append)]
        track.rewind()
        alone = [hop.samples for hop in hops_of(track, encoder, channels="right")]
        track.rewind()
        with pytest.raises(UsageError, match="has 2 channels; there is no channel 3"):
            next(hops_of(track, encoder, channels="3"))
    assert len(told) == 1
    assert "opposite" in told[0]
    assert np.abs(mixed[10]).max() < 1e-3
    assert np.abs(mixed[-10]).max() == pytest.approx(0.5, abs=0.02)
    assert np.abs(alone[10]).max() == pytest.approx(0.5, abs=0.02)
