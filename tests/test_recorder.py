"""Video files: what is written can be played, whatever happens to the writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from lavlive.errors import RecordingError
from lavlive.stage.recording.recorder import LiveRecorder, unused_path
from lavlive.stage.recording.video import VideoWriter
from tests.support.waiting import end, first_line, wait_until

GB = 1_000_000_000


def grey(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def tone(seconds: float, rate: int, channels: int, hertz: float = 440.0) -> np.ndarray:
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def wait_until_written(recorder: LiveRecorder) -> None:
    wait_until(lambda: not recorder.running or not recorder.waiting)


def decoded_pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def decoded_sound(path: Path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        return np.concatenate([frame.to_ndarray() for frame in frames], axis=1), frames[0].sample_rate


def test_pictures_come_back_in_number_order_and_colour(tmp_path: Path) -> None:
    path = tmp_path / "levels.mp4"
    with VideoWriter(path, 64, 48, fps=25) as video:
        for level in range(0, 250, 10):
            video.picture(grey(level))
    pictures = decoded_pictures(path)
    assert len(pictures) == 25
    assert [float(p.mean()) for p in pictures] == pytest.approx(range(0, 250, 10), abs=2.5)


def test_colours_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "colours.mp4"
    patches = np.repeat(
        np.repeat(np.array([[[200, 40, 40], [40, 200, 40], [40, 40, 200]]], np.uint8), 48, 0), 32, 1
    )
    with VideoWriter(path, 96, 48) as video:
        for _ in range(5):
            video.picture(patches)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        back = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    for x in (16, 48, 80):
        assert back[24, x] == pytest.approx(patches[24, x], abs=6)


@pytest.mark.parametrize(("rate", "channels"), [(24000, 1), (44100, 2), (48000, 2), (37123, 1), (48000, 6)])
def test_sound_of_any_rate_has_the_length_and_pitch_that_went_in(
    tmp_path: Path, rate: int, channels: int
) -> None:
    path = tmp_path / "tone.mp4"
    with VideoWriter(path, 64, 48, 30, rate, channels) as video:
        for second in range(2):
            for _ in range(30):
                video.picture(grey(second * 100))
            video.sound(tone(1.0, rate, channels))
    samples, out_rate = decoded_sound(path)
    assert samples.shape[1] / out_rate == pytest.approx(2.0, abs=0.06)
    middle = samples[0, out_rate // 4 : out_rate // 4 + out_rate // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * out_rate / len(middle) == pytest.approx(440, abs=3)


def test_duration_is_right_within_one_picture_at_fractional_rates(tmp_path: Path) -> None:
    path = tmp_path / "ntsc.mp4"
    with VideoWriter(path, 64, 48, Fraction(30000, 1001)) as video:
        for i in range(60):
            video.picture(grey(i))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(60 * 1001 / 30000, abs=0.034)


def test_pictures_of_another_shape_get_bars_instead_of_being_stretched(tmp_path: Path) -> None:
    path = tmp_path / "bars.mp4"
    with VideoWriter(path, 128, 64) as video:
        for _ in range(3):
            video.picture(grey(200, 64, 64))
    picture = decoded_pictures(path)[1].astype(int)
    assert picture[:, :28].mean() < 8
    assert picture[:, -28:].mean() < 8
    assert picture[:, 40:88].mean() == pytest.approx(200, abs=4)


def test_odd_sizes_are_rounded_up(tmp_path: Path) -> None:
    path = tmp_path / "odd.mp4"
    with VideoWriter(path, 65, 47) as video:
        video.picture(grey(90, 65, 47))
    assert decoded_pictures(path)[0].shape == (48, 66, 3)


@pytest.mark.parametrize("name", ["missing/video.mp4", "video.txt", "video"])
def test_a_target_that_cannot_be_written_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match=Path(name).name):
        VideoWriter(tmp_path / name, 64, 48)


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(RecordingError, match="cannot be written"):
        VideoWriter(tmp_path / "folder.mp4", 64, 48)


def test_a_live_recording_never_overwrites(tmp_path: Path) -> None:
    first = tmp_path / "show.mp4"
    first.write_bytes(b"precious")
    with LiveRecorder(first, 64, 48) as recorder:
        recorder.picture(grey(10), 0.0)
    assert recorder.path == tmp_path / "show-2.mp4"
    assert first.read_bytes() == b"precious"
    assert unused_path(first) == tmp_path / "show-3.mp4"


def test_a_live_recording_keeps_its_rate_when_pictures_come_unevenly(tmp_path: Path) -> None:
    with LiveRecorder(tmp_path / "uneven.mp4", 64, 48, fps=10) as recorder:
        for time, level in ((0.0, 20), (0.02, 250), (0.11, 60), (0.52, 120), (0.61, 180)):
            recorder.picture(grey(level), 100.0 + time)
    levels = [float(p.mean()) for p in decoded_pictures(recorder.path)]
    assert levels == pytest.approx([20, 60, 60, 60, 60, 120, 180], abs=3)


def test_the_canvas_is_only_read_when_a_picture_is_due(tmp_path: Path) -> None:
    with LiveRecorder(tmp_path / "due.mp4", 64, 48, fps=30) as recorder:
        asked = 0
        for tick in range(120):
            now = 5.0 + tick / 60 + 0.001
            if recorder.wants(now):
                recorder.picture(grey(tick), now)
                asked += 1
    assert asked == pytest.approx(60, abs=1)
    assert len(decoded_pictures(recorder.path)) == pytest.approx(60, abs=1)


@pytest.mark.parametrize("loop", [30, 60, 90])
def test_a_loop_whose_time_wavers_neither_loses_pictures_nor_doubles_them(tmp_path: Path, loop: int) -> None:
    wavers = np.random.default_rng(0).uniform(-0.0015, 0.0015, 2 * loop)
    times: list[float] = []
    with LiveRecorder(tmp_path / "wavers.mp4", 64, 48, fps=30) as recorder:
        for number in range(2 * loop):
            now = 50 + number / loop + wavers[number]
            if recorder.wants(now):
                recorder.picture(grey(100), now)
                times.append(now)
            wait_until_written(recorder)
    assert len(times) == 60
    assert np.diff(times) == pytest.approx(1 / 30, abs=0.0031)


def test_sound_that_starts_late_or_stops_is_filled_with_silence(tmp_path: Path) -> None:
    rate = 8000
    with LiveRecorder(tmp_path / "gap.mp4", 64, 48, 20, rate, 1) as recorder:
        for tick in range(80):
            now = tick / 20
            recorder.picture(grey(tick), now)
            if 1.0 <= now < 2.0:
                recorder.sound(tone(0.05, rate, 1), now)
            wait_until_written(recorder)
    samples, out_rate = decoded_sound(recorder.path)
    loud = np.abs(samples[0]).reshape(-1)
    assert loud.size / out_rate == pytest.approx(3.5, abs=0.3)
    assert loud[: int(0.9 * out_rate)].max() < 0.05
    assert loud[int(1.1 * out_rate) : int(1.9 * out_rate)].max() > 0.4
    assert loud[int(2.2 * out_rate) :].max() < 0.05


def test_a_slow_disk_costs_pictures_and_never_the_callers_time(tmp_path: Path) -> None:
    with LiveRecorder(tmp_path / "slow.mp4", 640, 480, fps=60) as recorder:
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 255, (480, 640, 3), np.uint8)
        for tick in range(200):
            recorder.picture(noise, tick / 60)
    assert recorder.dropped > 0
    assert len(decoded_pictures(recorder.path)) > 0


def test_a_slow_moment_of_the_encoder_costs_pictures_and_not_a_sample_of_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate, goes_on = 8000, threading.Event()
    with LiveRecorder(tmp_path / "slow.mp4", 64, 48, 20, rate, 1) as recorder:
        write = recorder._writer.picture

        def slow(rgb: np.ndarray, repeat: int = 1) -> None:
            assert goes_on.wait(30)
            write(rgb, repeat)

        monkeypatch.setattr(recorder._writer, "picture", slow)
        for tick in range(60):  # three seconds, while which nothing is written at all
            recorder.picture(grey(tick), tick / 20)
            recorder.sound(tone(0.05, rate, 1), tick / 20)
        goes_on.set()
    assert recorder.dropped > 40
    assert recorder.dropped_sound == 0
    samples, out_rate = decoded_sound(recorder.path)
    loud = np.abs(samples[0])
    assert loud.size / out_rate == pytest.approx(3.0, abs=0.3)
    loudest = (
        loud[out_rate // 5 : 29 * out_rate // 10].reshape(27, -1).max(axis=1)
    )  # after the codec's own delay
    assert loudest.min() > 0.4


def test_what_waits_of_the_sound_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr("lavlive.stage.recording.recorder.LONGEST_SOUND", 0.5)
    with LiveRecorder(tmp_path / "hangs.mp4", 64, 48, 20, 8000, 1) as recorder:
        write = recorder._writer.picture
        monkeypatch.setattr(recorder._writer, "picture", lambda *what: goes_on.wait(30) and write(*what))
        recorder.picture(grey(1), 0.0)
        for tick in range(40):
            recorder.sound(tone(0.05, 8000, 1), tick / 20)
        goes_on.set()
    assert 25 <= recorder.dropped_sound <= 31


@pytest.mark.parametrize("name", ["killed.mp4", "killed.mov", "killed.mkv"])
def test_a_killed_recording_can_be_played_up_to_the_last_second(tmp_path: Path, name: str) -> None:
    program = f"""
import sys, time
import numpy as np
from lavlive.stage.recording.recorder import LiveRecorder
recorder = LiveRecorder({str(tmp_path / name)!r}, 64, 48, 30, 24000, 1)
for tick in range(10_000_000):
    recorder.picture(np.full((48, 64, 3), tick % 250, np.uint8), tick / 30)
    recorder.sound(np.zeros((800, 1), np.float32), tick / 30)
    while recorder.waiting:
        time.sleep(0.001)
    if tick == 300:
        print("ready", flush=True)
        sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert first_line(process.stdout) == "ready"
    finally:
        end(process, signal.SIGKILL)
    process.stdout.close()
    process.stdin.close()
    pictures = decoded_pictures(tmp_path / name)
    assert len(pictures) >= 300 - 60
    assert pictures[100].mean() == pytest.approx(100, abs=3)


def test_little_room_is_said_once_and_a_full_disk_ends_the_recording_cleanly(tmp_path: Path) -> None:
    notices: list[str] = []
    free = iter([3 * GB, 1.5 * GB, 1.4 * GB, 0.04 * GB])
    with LiveRecorder(
        tmp_path / "full.mp4", 64, 48, 10, notice=notices.append, free_bytes=lambda _: int(next(free))
    ) as recorder:
        for tick in range(50):
            recorder.picture(grey(tick), tick / 10)
            wait_until_written(recorder)
    assert len(notices) == 2
    assert "1.5 GB" in notices[0]
    assert recorder.error is not None
    assert "disk is full" in recorder.error
    assert not recorder.wants(100.0)
    assert len(decoded_pictures(recorder.path)) == 31


def test_whatever_ends_a_recording_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    notices: list[str] = []
    with LiveRecorder(tmp_path / "a.mp4", 64, 48, 10, notice=notices.append) as recorder:
        monkeypatch.setattr(recorder, "_write_picture", fail)
        recorder.picture(grey(1), 0.0)
        wait_until(lambda: not recorder.running)
    assert "MemoryError" in (recorder.error or "")
    assert notices == [recorder.error]


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a file system of its own")
def test_a_disk_that_is_really_full_leaves_a_playable_file(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    if mounted.returncode:
        pytest.skip("may not mount")
    try:
        rng = np.random.default_rng(0)
        with LiveRecorder(tmp_path / "enospc.mp4", 160, 120, 10, free_bytes=lambda _: 100 * GB) as recorder:
            for tick in range(400):
                recorder.picture(rng.integers(0, 255, (120, 160, 3), np.uint8), tick / 10)
                wait_until_written(recorder)
        assert recorder.error is not None
        assert "No space" in recorder.error
        assert len(decoded_pictures(recorder.path)) >= 20
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True, timeout=60)


def test_a_recording_without_a_picture_leaves_no_file(tmp_path):
    with LiveRecorder(tmp_path / "show.mp4", 64, 64) as recorder:
        pass
    assert recorder.error is None
    assert list(tmp_path.iterdir()) == []
