"""What is no file where a file should be, and folders that cannot be made: seen from outside."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from lavlive.commands.main import main
from tests.support.stage_process import ROOT, StageProcess
from tests.support.wishes import Bind, Save
from tools.robustness.kill_state import ARGUMENTS

SECONDS = 60.0
"""Far more than a refusal takes."""


def refusal(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The last line of what a command says that is refused; a pipe that was opened would be waited for."""
    capfd.readouterr()
    assert main(arguments) == 2
    told = capfd.readouterr().err
    assert "Traceback" not in told
    return told.splitlines()[-1]


@pytest.fixture
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(params=["pipe", "socket", "device"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Something that can be opened, or waited for, and is no file."""
    match request.param:
        case "pipe":
            os.mkfifo(tmp_path / "pipe.wav")
            return str(tmp_path / "pipe.wav")
        case "socket":
            monkeypatch.chdir(tmp_path)  # a socket's path may have no more than some hundred letters
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind("socket.wav")
            return str(tmp_path / "socket.wav")
        case _:
            return "/dev/zero"


@pytest.mark.parametrize(
    "arguments", [["live", "--headless", "--track"], ["render", "-o", "video.mp4"]], ids=["live", "render"]
)
@pytest.mark.usefixtures("own_configuration")
def test_a_track_that_is_no_file_is_refused_at_once(
    arguments: list[str], no_file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    told = refusal([*arguments, no_file], capfd)
    assert told.startswith(f"lavlive: {no_file} is a pipe or a device, not a file")


@pytest.mark.usefixtures("own_configuration")
def test_a_pipe_is_neither_read_as_a_projection_nor_written_as_a_log_or_a_video(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("pipe", "pipe.mp4"):
        os.mkfifo(tmp_path / name)
    demo = str(ROOT / "lavlive" / "data" / "demo.ogg")
    show = ["live", "--headless", "--silent", "--demo", "--osc", "off"]
    for arguments in (
        [*show, "--learned", str(tmp_path / "pipe")],
        [*show, "--log-w", str(tmp_path / "pipe")],
        ["render", demo, "-o", str(tmp_path / "pipe.mp4")],
    ):
        assert str(tmp_path / "pipe") in refusal(arguments, capfd)


def test_a_show_goes_on_without_a_folder_to_keep_anything_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, temporary = tmp_path / "file", tmp_path / "temporary"
    file.write_text("Below a file not even root can make a folder.")
    temporary.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file / "cache"))
    monkeypatch.setenv("TMPDIR", str(temporary))
    with StageProcess(ARGUMENTS, file / "config") as stage:
        stage.wait_for_pictures()
        heard: list[str] = []
        stage.listeners.append(lambda report: heard.extend(report["news"]))
        stage.send(Save(1))
        stage.send(Bind(1))
        for kept in ("kept-1.toml", "device-1-"):
            stage.wait(
                partial(
                    lambda kept, _: any(kept in line and "cannot be written" in line for line in heard), kept
                ),
                kept,
            )
        stage.wait(lambda report: "state.json cannot be written" in (report["badge"] or ""), "badge")

        os.kill(stage.now["engine"], signal.SIGKILL)
        stage.wait(lambda report: report["restarts"] == 1, "restart")
        stage.wait_for_pictures()
        assert list(temporary.glob("lavlive-cache-*/*.npz")), "nothing was kept for the next engine"
        assert stage.end() == 0
        told = stage.told()
    assert len(re.findall("the cache folder .* cannot be made", told)) == 1
    assert "Traceback" not in told
    assert not list(temporary.iterdir())


def test_a_cache_that_cannot_be_written_to_is_read_through_a_temporary_one(tmp_path: Path) -> None:
    """Root may write everywhere, so the system's answer is given for it."""
    cache = tmp_path / "cache" / "lavlive"
    (cache / "models").mkdir(parents=True)
    (cache / "models" / "kept").write_text("kept before")
    code = """
import os
os.access = lambda path, mode: False
from lavlive.resources import cache_folder
folder = cache_folder()
assert folder == cache_folder()
assert (folder / "models" / "kept").read_text() == "kept before"
(folder / "models" / "new").touch()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be written to" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert [path.name for path in (cache / "models").iterdir()] == ["kept"]


def test_without_any_folder_at_all_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    code = (
        "import sys, tempfile; tempfile.tempdir = sys.argv.pop(1);"
        "from lavlive.commands.main import main; sys.exit(main())"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(file / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(file / "config"))
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), "live", "--headless", "--demo", "--osc", "off"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("lavlive: The cache folder ")
    assert "Traceback" not in done.stderr
