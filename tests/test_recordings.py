"""Recordings begun and ended while a show goes on: by whom, and into which files."""

from __future__ import annotations

import threading
from pathlib import Path

import av
import numpy as np
import pytest

from lavlive.control.actions import Action
from lavlive.errors import RecordingError
from lavlive.stage.recording.recorder import LiveRecorder
from lavlive.stage.recording.recordings import Recordings
from tests.support.waiting import wait_until

CANVAS = (64, 48)


class Stage:
    """What a show does with its recordings, at ten pictures a second."""

    def __init__(self, **settings: object) -> None:
        self.told: list[str] = []
        self.recordings = Recordings(tell=self.told.append, **settings)  # type: ignore[arg-type]
        self.now = 0.0

    def step(self, canvas: tuple[int, int] = CANVAS) -> None:
        self.now += 0.1
        self.recordings.step(canvas, self.now)
        recorder = self.recordings.recorder
        if recorder is not None and recorder.wants(self.now):
            recorder.picture(np.full((canvas[1], canvas[0], 3), 90, np.uint8), self.now)

    def until(self, said: str) -> str:
        """Step until a line that begins so was told; the last of them."""

        def lines() -> list[str]:
            return [line for line in self.told if line.startswith(said)]

        wait_until(lines, what=lambda: self.told, meanwhile=self.step)
        found = lines()[-1]
        self.told.clear()
        return found

    def record(self, pictures: int = 5) -> Path:
        """One recording, from its beginning to its end."""
        self.recordings.toggle()
        path = Path(self.until("Recording to").removeprefix("Recording to "))
        for _ in range(pictures):
            self.step()
        assert self.recordings.seconds(self.now) == pytest.approx(0.1 * pictures, abs=0.11)
        self.recordings.toggle()
        self.until("Recorded")
        return path


@pytest.fixture
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "Videos"
    monkeypatch.setattr("platformdirs.user_videos_dir", lambda: str(folder))
    return folder


def size_of(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as video:
        (stream,) = video.streams.video
        assert sum(1 for _ in video.decode(stream)) >= 3
        return stream.width, stream.height


def test_recordings_are_begun_and_ended_again_and_again_each_in_a_file_of_its_own(tmp_path: Path) -> None:
    target = tmp_path / "show.mp4"
    target.write_bytes(b"last night")
    stage = Stage(target=target)
    first, second = stage.record(), stage.record()
    assert (first, second) == (tmp_path / "show-2.mp4", tmp_path / "show-3.mp4")
    assert target.read_bytes() == b"last night"
    assert size_of(first) == size_of(second) == CANVAS
    assert stage.recordings.finished == [first, second]
    assert not stage.recordings.wanted
    stage.recordings.close()


def test_without_a_name_the_file_is_named_after_the_time_in_the_folder_of_videos(videos: Path) -> None:
    stage = Stage()
    path = stage.record()
    assert path.parent == videos
    assert path.name.startswith("lavlive-20")
    assert path.suffix == ".mp4"


def test_the_size_that_was_asked_for_is_that_of_the_video_and_enlarging_is_said(tmp_path: Path) -> None:
    stage = Stage(target=tmp_path / "a.mp4", size=(128, 96))
    stage.recordings.begin()
    assert "128 x 96" in stage.until("The canvas is 64 x 48")
    stage.until("Recording to")
    for _ in range(5):
        stage.step()
    stage.recordings.close()
    assert size_of(tmp_path / "a.mp4") == (128, 96)


def test_nothing_is_written_before_the_first_picture(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "a.mp4")
    recordings.begin()
    recordings.close()
    assert list(tmp_path.iterdir()) == []
    assert recordings.finished == []


def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no folder"):
        Recordings(tmp_path / "nowhere" / "a.mp4")
    with pytest.raises(RecordingError, match="should end in"):
        Recordings(tmp_path / "a.txt")


def test_a_file_that_cannot_be_opened_in_the_show_is_told_and_the_lamp_goes_out(videos: Path) -> None:
    def opener(path: Path, width: int, height: int) -> LiveRecorder:
        raise RecordingError("The disk is gone.")

    stage = Stage(opener=opener)
    stage.recordings.toggle()
    assert stage.recordings.wanted
    stage.until("The disk is gone.")
    assert not stage.recordings.wanted


def test_a_refused_name_leaves_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(RecordingError):
        LiveRecorder(tmp_path / "a.gif", 64, 48)
    assert list(tmp_path.iterdir()) == []


def test_recording_is_an_action_for_keys_panel_midi_and_osc() -> None:
    from lavlive.control.actions import ACTIONS
    from lavlive.control.keyboard import action_for

    assert action_for("r", {"ctrl"}) == Action("record")
    assert ACTIONS["record"].from_outside
    assert ACTIONS["record"].for_show


def test_a_disk_that_hangs_as_a_recording_begins_does_not_keep_the_show_from_ending(tmp_path: Path) -> None:
    goes_on, opened = threading.Event(), threading.Event()

    def hang(*_: object) -> LiveRecorder:
        opened.set()
        assert goes_on.wait(30)
        raise RecordingError("it hung")

    stage = Stage(target=tmp_path / "show.mp4", opener=hang, patience=0.05)
    stage.recordings.begin()
    stage.step()
    assert opened.wait(10)
    stage.recordings.close()
    assert stage.told == ["The recording that was beginning is given up: its disk does not answer."]
    goes_on.set()
