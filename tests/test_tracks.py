"""Tracks: decoding, looping, and files that are none."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lavlive.audio.tracks import ReadAhead, ResampledTrack, Track, read_track
from lavlive.errors import SourceError
from tests.support.waiting import wait_until


def music(rate: int, seconds: float, channels: int = 2) -> np.ndarray:
    """A few notes that differ between channels, well inside full scale."""
    time_axis = np.arange(round(rate * seconds)) / rate
    notes = [np.sin(2 * np.pi * 220 * (1 + channel) * time_axis) for channel in range(channels)]
    return (0.4 * np.stack(notes, axis=1)).astype(np.float32)


def take_all(ahead: ReadAhead, channels: int) -> np.ndarray:
    """What a player gets until the track is over."""
    pieces, out = [], np.zeros((1000, channels), np.float32)

    def take() -> None:
        while count := ahead.take(out):
            pieces.append(out[:count].copy())

    wait_until(lambda: ahead.finished, what=lambda: "the track did not end", meanwhile=take)
    return np.concatenate(pieces)


def fill(ahead: ReadAhead, out: np.ndarray, enough: int) -> None:
    """Take so many frames, or more, of a track that is read ahead."""
    filled = 0

    def take() -> None:
        nonlocal filled
        filled += ahead.take(out[filled:])

    wait_until(lambda: filled >= enough, what=lambda: f"only {filled} frames", meanwhile=take)


@pytest.mark.parametrize(("suffix", "error"), [("wav", 1e-4), ("flac", 1e-4), ("ogg", 0.05), ("mp3", 0.05)])
@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_every_format_gives_its_sound(tmp_path, suffix, error, rate):
    sound = music(rate, 1.5)
    soundfile.write(tmp_path / f"track.{suffix}", sound, rate)
    with read_track(tmp_path / f"track.{suffix}") as track:
        assert (track.rate, track.channels, track.name) == (rate, 2, f"track.{suffix}")
        assert track.seconds == pytest.approx(1.5, abs=0.001)
        decoded = np.concatenate([block.samples for block in track.blocks(777)])
    assert decoded.shape == sound.shape
    middle = slice(2000, -2000)
    assert np.sqrt(np.mean((decoded - sound)[middle] ** 2)) < error


@pytest.mark.parametrize("rate", [8000, 11_025, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 5, 32])
def test_any_rate_and_any_channels(tmp_path, rate, channels):
    sound = music(rate, 0.2, channels)
    soundfile.write(tmp_path / "track.wav", sound, rate, subtype="FLOAT")
    with Track(tmp_path / "track.wav") as track:
        assert (track.rate, track.channels) == (rate, channels)
        np.testing.assert_array_equal(track.read(10**6), sound)


def test_blocks_carry_the_time_of_their_end(tmp_path):
    soundfile.write(tmp_path / "track.wav", music(8000, 1.0), 8000)
    with Track(tmp_path / "track.wav") as track:
        times = [block.time for block in track.blocks(3000)]
    assert times == [3000 / 8000, 6000 / 8000, 1.0]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_loop_has_no_gap(tmp_path, suffix):
    rate = 44_100
    soundfile.write(tmp_path / f"track.{suffix}", music(rate, 0.5), rate)
    with Track(tmp_path / f"track.{suffix}") as track:
        once = track.read(10**6)
    ahead = ReadAhead(Track(tmp_path / f"track.{suffix}"), loop=True)
    out = np.zeros((len(once) * 4, 2), np.float32)
    fill(ahead, out, len(out))
    ahead.close()
    for turn in range(4):
        np.testing.assert_allclose(out[turn * len(once) : (turn + 1) * len(once)], once, atol=2e-3)
    assert ahead.loops >= 3


def test_reading_ahead_is_bounded_and_gives_all_of_the_track(tmp_path):
    sound = music(8000, 3.0)
    soundfile.write(tmp_path / "track.wav", sound, 8000, subtype="FLOAT")
    ahead = ReadAhead(Track(tmp_path / "track.wav"), loop=False, seconds=0.5)
    assert len(ahead._pieces) <= 2
    np.testing.assert_array_equal(take_all(ahead, 2), sound)
    assert ahead.error is None
    ahead.close()


def test_a_track_at_another_rate_is_as_long_and_sounds_the_same(tmp_path):
    soundfile.write(tmp_path / "track.wav", music(44_100, 1.0), 44_100, subtype="FLOAT")
    with ResampledTrack(tmp_path / "track.wav", 48_000) as track:
        assert (track.rate, track.seconds) == (48_000, pytest.approx(1.0, abs=1e-4))
        sound = np.concatenate([track.read(1000) for _ in range(40)])
        track.rewind()
        assert len(track.read(1000)) == 1000
    np.testing.assert_allclose(sound[4000:36_000], music(48_000, 1.0)[4000:36_000], atol=2e-3)


def write_nothing(path: Path) -> None:
    path.touch()


def write_text(path: Path) -> None:
    path.write_text("la la la\n" * 100)


def write_headerless(path: Path) -> None:
    soundfile.write(path, np.zeros((0, 2), np.float32), 44_100, format="WAV")


def write_too_slow(path: Path) -> None:
    soundfile.write(path, np.zeros((100, 2), np.float32), 4000, format="WAV")


def write_too_wide(path: Path) -> None:
    soundfile.write(path, np.zeros((100, 33), np.float32), 44_100, format="WAV")


@pytest.mark.parametrize(
    ("write", "name", "says"),
    [
        (lambda path: None, "missing.wav", "does not exist"),
        (lambda path: path.mkdir(), "folder.wav", "is a folder"),
        (write_nothing, "empty.wav", "is empty"),
        (write_text, "text.mp3", "is not a sound file"),
        (write_text, "text.raw", "is not a sound file"),
        (write_headerless, "nothing.wav", "holds no sound"),
        (write_too_slow, "slow.wav", "4000 Hz is outside"),
        (write_too_wide, "wide.wav", "33 channels"),
    ],
)
def test_a_file_that_is_no_track_is_refused_with_its_reason(tmp_path, write, name, says):
    write(tmp_path / name)
    with pytest.raises(SourceError, match=says) as refusal:
        Track(tmp_path / name)
    assert name in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_track_that_may_not_be_read_says_so(tmp_path):
    write_text(tmp_path / "secret.wav")
    (tmp_path / "secret.wav").chmod(0)
    with pytest.raises(SourceError, match="cannot be read"):
        Track(tmp_path / "secret.wav")


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("loop", [False, True])
def test_a_track_cut_off_in_the_middle_plays_what_is_left(tmp_path, suffix, loop):
    path = tmp_path / f"track.{suffix}"
    soundfile.write(path, music(44_100, 2.0), 44_100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ahead = ReadAhead(Track(path), loop)
    out = np.zeros((44_100, 2), np.float32)
    fill(ahead, out, 30_000)
    ahead.close()
    assert np.isfinite(out).all()


@pytest.mark.parametrize("kind", ["as it is", "resampled"])
def test_blocks_after_a_read_go_on_with_the_tracks_time(tmp_path, kind):
    soundfile.write(tmp_path / "track.wav", music(8000, 1.0), 8000)
    path = tmp_path / "track.wav"
    with Track(path) if kind == "as it is" else ResampledTrack(path, 16_000) as track:
        track.read(track.rate // 2)
        assert next(track.blocks(track.rate // 8)).time == pytest.approx(0.625)
        track.rewind()
        track.read(track.rate // 4)
        assert next(track.blocks(track.rate // 8)).time == pytest.approx(0.375)
