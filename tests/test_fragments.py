"""A recording is whole up to its last fragment at every moment, however its writer ends."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from lavlive.stage.recording import fragments
from lavlive.stage.recording.recorder import LiveRecorder
from lavlive.stage.recording.video import VideoWriter
from tests.support.faults import playable_pictures
from tests.support.waiting import wait_until

WIDTH, HEIGHT, FPS, RATE = 160, 90, 10, 24_000
PICTURES_IN_FRAGMENT = FPS


def noise(random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


def write(video: VideoWriter, pictures: int) -> None:
    random = np.random.default_rng(1)
    still = noise(random)  # without a cut, which would begin a fragment of its own
    for number in range(pictures):
        video.picture(np.roll(still, 2 * number, axis=1))
        video.sound(0.1 * random.standard_normal((RATE // FPS, 2)).astype(np.float32))


def recorded(path: Path, pictures: int) -> Path:
    with VideoWriter(path, WIDTH, HEIGHT, FPS, RATE, 2, surviving=True, quick=True) as video:
        write(video, pictures)
    return path


def played(path: Path) -> tuple[int, int]:
    """Pictures and blocks of sound; raises if a packet is torn."""
    with av.open(str(path)) as container:
        sound = sum(1 for _ in container.decode(audio=0))
    return playable_pictures(path), sound


def boxes(path: Path) -> list[tuple[int, bytes, int]]:
    """Begin, kind and length of every box."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        found.append((at, kind, length))
        at += length
    assert at == len(data)
    return found


def wait_until_written(recorder: LiveRecorder) -> None:
    wait_until(lambda: not (recorder.running and recorder.waiting))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs a file system of its own")
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("may not mount")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True, timeout=60)


def fill(disk: Path, but: int = 0) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        file.write(bytes(shutil.disk_usage(disk).free - but))


@pytest.mark.parametrize("kind", [".mp4", ".mov"])
def test_a_writer_that_dies_at_any_byte_leaves_a_file_that_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    written: list[tuple[int, bytes]] = []

    def remember(file: fragments.FragmentFile, position: int, data: bytes) -> None:
        written.append((position, data))

    monkeypatch.setattr(fragments.FragmentFile, "_write_at", remember)
    recorded(tmp_path / f"never{kind}", 35)
    heads = [place for place, (_, data) in enumerate(written) if data[4:8] == b"moof"]
    assert len(heads) == 4
    for head in heads:
        before, body = written[: head - 1], written[head - 1]
        for died_at in (0, 1, 8, 60, 300, 5000, len(body[1]) - 1, len(body[1])):
            path = tmp_path / f"{head}-{died_at}{kind}"
            replay(path, [*before, (body[0], body[1][:died_at])])
            assert playable_pictures(path) == PICTURES_IN_FRAGMENT * heads.index(head)
        path = tmp_path / f"{head}-head{kind}"
        replay(path, written[: head + 1])
        assert playable_pictures(path) == min(35, PICTURES_IN_FRAGMENT * (heads.index(head) + 1))


def replay(path: Path, writes: list[tuple[int, bytes]]) -> None:
    with path.open("wb") as file:
        for position, data in writes:
            file.seek(position)
            file.write(data)


@pytest.mark.parametrize("kind", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("room", [0, 4096, 8192])
def test_a_disk_that_is_full_at_the_very_end_is_told_and_leaves_a_whole_file(
    small_disk: Path, kind: str, room: int
) -> None:
    path = small_disk / f"full{kind}"
    video = VideoWriter(path, WIDTH, HEIGHT, FPS, RATE, 2, surviving=True, quick=True)
    write(video, 25)
    fill(small_disk, but=room)
    with pytest.raises(OSError, match="No space"):
        video.close()
    pictures, sound = played(path)
    assert pictures >= 2 * PICTURES_IN_FRAGMENT - 2
    assert sound > 0
    if kind != ".mkv":
        assert {name for _, name, _ in boxes(path)} == {b"ftyp", b"moov", b"moof", b"mdat"}


@pytest.mark.parametrize("kind", [".mp4", ".mkv"])
def test_a_recording_on_a_disk_that_fills_at_any_moment_plays_to_its_last_packet(
    small_disk: Path, kind: str
) -> None:
    random = np.random.default_rng(2)
    for filled_at in (12, 17, 23, 29, 30, 31, 38):
        path = small_disk / f"{filled_at}{kind}"
        with LiveRecorder(path, WIDTH, HEIGHT, FPS, RATE, 2, free_bytes=lambda _: 10**12) as recorder:
            for tick in range(60):
                if tick == filled_at:
                    fill(small_disk, but=int(random.integers(0, 30_000)))
                recorder.picture(noise(random), tick / FPS)
                recorder.sound(np.zeros((RATE // FPS, 2), np.float32), tick / FPS)
                wait_until_written(recorder)
        assert recorder.error is not None
        assert "No space" in recorder.error
        assert playable_pictures(path) >= PICTURES_IN_FRAGMENT // 2
        path.unlink()
        (small_disk / "filler").unlink()


def test_fragments_and_an_ordinary_file_hold_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = recorded(tmp_path / "ours.mp4", 35)
    monkeypatch.setattr("lavlive.stage.recording.video.FragmentFile", _OrdinaryFile)
    theirs = recorded(tmp_path / "theirs.mp4", 35)
    assert ours.read_bytes() == theirs.read_bytes()


class _OrdinaryFile:
    failure: tuple[int, str] | None = None

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.write, self.seek, self.tell = self._file.write, self._file.seek, self._file.tell
        self.close = self._file.close


def test_a_recording_that_a_full_disk_ended_leaves_no_threads_behind(small_disk: Path) -> None:
    fill(small_disk, but=100_000)
    gc.disable()
    try:
        threads = []
        for number in range(4):
            with LiveRecorder(
                small_disk / f"{number}.mp4", WIDTH, HEIGHT, FPS, RATE, 2, free_bytes=lambda _: 10**12
            ) as recorder:
                for tick in range(60):
                    recorder.picture(noise(np.random.default_rng(tick)), tick / FPS)
                    wait_until_written(recorder)
            assert recorder.error is not None
            del recorder
            threads.append(psutil.Process().num_threads())
        assert threads[-1] == threads[0]
    finally:
        gc.enable()
