"""What videos are made of, and pictures in files: every codec plays, and what is missing is said."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from lavlive.errors import RecordingError
from lavlive.stage.recording.codecs import CODECS, available_codecs, find_codec
from lavlive.stage.recording.picture_files import PictureFiles, numbered, unused_sequence
from lavlive.stage.recording.recorder import LiveRecorder
from lavlive.stage.recording.recordings import Recordings
from lavlive.stage.recording.video import VideoWriter, tidy


def slope(number: int) -> np.ndarray:
    return np.broadcast_to(np.arange(96)[None, :, None] + number, (64, 96, 3)).astype(np.uint8)


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", [name for name in CODECS if name in available_codecs()])
def test_every_codec_plays_with_its_sound_while_it_is_written_and_after_it_was_tidied(
    tmp_path: Path, name: str, quick: bool
) -> None:
    for suffix in CODECS[name].suffixes:
        path = tmp_path / f"video{suffix}"
        with VideoWriter(path, 96, 64, 30, 48_000, 2, surviving=True, codec=name, quick=quick) as video:
            for number in range(12):
                video.picture(slope(number))
                video.sound(np.zeros((1600, 2), np.float32))
        for turn in ("as written", "tidied"):
            if turn == "tidied":
                tidy(path)
            with av.open(str(path)) as played:
                (stream,) = played.streams.video
                assert len(played.streams.audio) == 1
                pictures = [frame.to_ndarray(format="gray") for frame in played.decode(stream)]
            assert len(pictures) == 12
            assert np.abs(pictures[5].astype(int) - slope(5)[..., 0]).mean() < 12
    assert stream.codec_context.name.startswith({"h265": "hevc", "av1": ("av1", "libdav1d")}.get(name, name))
    assert not list(tmp_path.glob(".*"))


def test_what_was_rendered_when_the_process_is_killed_plays(tmp_path: Path) -> None:
    path = tmp_path / "half.mp4"
    with VideoWriter(path, 96, 64, 5, 48_000, 2, surviving=True) as video:
        for number in range(100):
            video.picture(slope(number))
            video.sound(np.zeros((9600, 2), np.float32))
        # As a file looks when the process ends here: nothing is finished.
        killed = tmp_path / "killed.mp4"
        killed.write_bytes(path.read_bytes())
    with av.open(str(killed)) as played:
        pictures = sum(1 for _ in played.decode(video=0))
    assert pictures >= 100 - 2 * 20 - 20  # four seconds to a fragment, and what the encoder looks ahead


def test_a_codec_that_is_unknown_or_missing_or_of_another_file_is_refused() -> None:
    with pytest.raises(RecordingError, match=r"no codec 'theora'; there are h264"):
        find_codec("theora")
    with pytest.raises(RecordingError, match=r"goes into .mov, .mkv, not into .mp4"):
        find_codec("prores", ".mp4")
    if "hap" not in available_codecs():
        with pytest.raises(RecordingError, match="No encoder for hap"):
            find_codec("hap")


def test_a_recording_is_of_the_codec_and_rate_that_were_chosen(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "show.mov", codec="prores", fps=20)
    recordings.begin()
    now = 0.0
    while recordings.recorder is None:
        now += 0.05
        recordings.step((96, 64), now)
    for _ in range(20):
        now += 0.05
        recordings.recorder.picture(slope(1), now)
    recordings.close()
    with av.open(str(tmp_path / "show.mov")) as played:
        (stream,) = played.streams.video
        assert stream.codec_context.name == "prores"
        assert stream.time_base is not None
        begun = [packet.pts * stream.time_base for packet in played.demux(stream) if packet.pts is not None]
        assert [later - earlier for earlier, later in pairwise(begun)] == [Fraction(1, 20)] * 19
    with pytest.raises(RecordingError):
        Recordings(tmp_path / "show.mp4", codec="prores")
    with pytest.raises(RecordingError):
        LiveRecorder(tmp_path / "show.mp4", 96, 64, codec="theora")


def test_pictures_and_sound_are_files_that_nothing_writes_over(tmp_path: Path) -> None:
    path = tmp_path / "clip.png"
    with PictureFiles(path, 96, 64, 48_000, 2) as files:
        for number in range(3):
            files.picture(slope(number))
            files.sound(np.full((1600, 2), 0.25, np.float32))
            # Whatever ends the writer now, this picture is whole.
            with av.open(str(numbered(path, number + 1))) as made:
                pixels = next(made.decode(video=0)).to_ndarray(format="rgb24")
            np.testing.assert_array_equal(pixels, slope(number))
    samples, rate = soundfile.read(tmp_path / "clip.wav")
    assert (len(samples), rate) == (4800, 48_000)
    assert samples[2000] == pytest.approx([0.25, 0.25], abs=1e-4)
    assert unused_sequence(path) == tmp_path / "clip-2.png"
    assert unused_sequence(tmp_path / "other.png") == tmp_path / "other.png"
    with pytest.raises(RecordingError, match="no folder"):
        PictureFiles(tmp_path / "nowhere" / "clip.png", 96, 64)
