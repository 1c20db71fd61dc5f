"""An engine does not outlive its stage, whatever the stage left in the pipe."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lavlive.audio.spec import SourceSpec
from lavlive.engine.engine import commands_from
from lavlive.link.messages import FailureKind, LoadModel, Refused, Waiting, encode
from lavlive.link.process import PythonEngine
from lavlive.link.settings import EngineSettings
from tests.support.waiting import wait_until


def test_half_a_command_of_a_killed_stage_is_left_out() -> None:
    gone, line = threading.Event(), encode(LoadModel(None, 1.0))
    commands = commands_from(io.StringIO(f"{line}\n{line[:20]}"), gone.set)
    assert commands.get(timeout=5) == LoadModel(None, 1.0)
    assert commands.get(timeout=5) is None
    assert gone.wait(5)


def test_a_spare_that_is_not_needed_ends_with_its_stage() -> None:
    spare = subprocess.run(
        [sys.executable, "-m", "lavlive.engine.spare", "no-such-link"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert spare.returncode == 0, spare.stderr
    assert spare.stdout == encode(Waiting()) + "\n"


def script(folder: Path, lines: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.alone  # has a limit of time
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the engine")
def test_an_engine_is_over_although_a_process_that_it_started_holds_its_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Refused(FailureKind.UNUSABLE, "no")
    lines = f"sleep 3 &\necho '{encode(refused)}'\nexit 2"
    monkeypatch.setattr(sys, "executable", script(tmp_path, lines))
    engine = PythonEngine("link", EngineSettings(SourceSpec("demo")), tmp_path / "log")
    assert wait_until(lambda: engine.exit_status() == 2) < 2.5
    assert engine.events() == [refused]
    engine.close(5.0)


@pytest.fixture
def sleeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PythonEngine]:
    """An engine that does nothing; it is killed in the end, and that is noticed."""
    if sys.platform == "win32":
        pytest.skip("a shell script stands for the engine")
    monkeypatch.setattr(sys, "executable", script(tmp_path, "exec sleep 60"))
    engine = PythonEngine("link", EngineSettings(SourceSpec("demo")), tmp_path / "log")
    yield engine
    engine.kill()
    wait_until(lambda: engine.exit_status() == -9, 5.0)
    engine.close(1.0)


def test_a_stage_never_waits_for_an_engine_that_does_not_listen(sleeping: PythonEngine) -> None:
    for _ in range(200):
        sleeping.send(LoadModel("x" * 2000, 1.0))


def test_ctrl_c_is_not_for_the_engine_and_the_processor_is_shared_with_its_stage_by_priority(
    sleeping: PythonEngine,
) -> None:
    assert os.getpgid(sleeping.pid) == sleeping.pid
    assert os.getsid(sleeping.pid) == os.getsid(0)


def no_thread(thread: threading.Thread) -> None:
    """In the place of a thread's start, when the system has no more."""
    raise RuntimeError("can't start new thread")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the engine")
def test_an_engine_that_nobody_could_hear_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[str]] = []
    make = subprocess.Popen

    def process(*arguments: Any, **options: Any) -> Any:
        started.append(make(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(sys, "executable", script(tmp_path, "exec sleep 60"))
    monkeypatch.setattr(subprocess, "Popen", process)
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(RuntimeError, match="new thread"):
        PythonEngine("link", None, None)
    assert started[0].returncode == -9


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the engine")
def test_without_a_thread_to_be_had_an_engine_still_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", script(tmp_path, "exec sleep 60"))
    engine = PythonEngine("link", None, tmp_path / "log")
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", no_thread)
        engine.kill()
        wait_until(lambda: engine.exit_status() == -9, 5.0)
    engine.close(5.0)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the engine")
def test_a_log_that_cannot_be_written_does_not_keep_an_engine_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", script(tmp_path, "echo lost >&2\nexit 3"))
    engine = PythonEngine("link", EngineSettings(SourceSpec("demo")), tmp_path / "no folder" / "log")
    wait_until(lambda: engine.exit_status() == 3)
    engine.close(5.0)


def test_no_library_reports_that_it_is_used() -> None:
    look = """
import os
from lavlive.link.environment import prepare_process
prepare_process()
import onnxruntime, openvino
from openvino.tools.ovc import telemetry_utils
print(telemetry_utils.tm.__name__)
print([name for fd in os.listdir("/proc/self/fd") if os.path.exists(name := f"/proc/self/fd/{fd}")
       and "onnxruntime.db" in os.readlink(name)] if os.path.isdir("/proc/self/fd") else [])
"""
    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60)
    assert told.stdout.split("\n")[:2] == ["openvino.tools.ovc.telemetry_stub", "[]"], told.stderr
