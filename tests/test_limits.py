"""Nothing in a test run hangs without a word: waits have limits, and pytest ends what hangs all the same."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_WAITING = ("join", "wait", "result", "communicate")
_RUNNING = ("run", "check_output", "check_call", "call")
_MAY_WAIT = re.compile(rf"\.({'|'.join(_WAITING)})\(\)|subprocess\.({'|'.join(_RUNNING)})\(")
_STEPS = ("pace", "model")
"""Things of ours whose ``wait`` is no waiting for another thread."""


def waits_without_limit(source: str) -> list[str]:
    """Calls that wait for a thread or a process for as long as it likes."""
    found: list[str] = []
    if not _MAY_WAIT.search(source):
        return found
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        name = call.func.attr
        if name not in _WAITING + _RUNNING or any(word.arg == "timeout" for word in call.keywords):
            continue
        owner = ast.unparse(call.func.value)
        if (name in _WAITING and not call.args and owner not in _STEPS) or (
            name in _RUNNING and owner == "subprocess"
        ):
            found.append(f"line {call.lineno}: {ast.unparse(call)}")
    return found


def test_waits_without_a_limit_are_found() -> None:
    assert (
        len(waits_without_limit("thread.join(); process.wait(); subprocess.run([1]); a.communicate()")) == 4
    )
    assert waits_without_limit("thread.join(3); ','.join(words); pool.submit(f).result(timeout=2)") == []


def test_every_wait_of_a_test_has_a_limit() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    found = {file.name: waits_without_limit(file.read_text(encoding="utf-8")) for file in files}
    assert len(files) > 100
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_a_test_that_hangs_is_ended_and_named_and_the_others_run_on(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(
        "import threading, pytest\n"
        "def test_hangs(): threading.Event().wait()\n"
        "@pytest.mark.parametrize('number', range(3))\n"
        "def test_runs(number): pass\n"
    )
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "1",
        "-p",
        "no:cacheprovider",
        "-o",
        "faulthandler_timeout=1.5",
    ]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ran = subprocess.run(
        [*command, "test_hanging.py"], cwd=tmp_path, env=outside, capture_output=True, text=True, timeout=150
    )
    assert ran.returncode == 1
    assert "crashed while running 'test_hanging.py::test_hangs'" in ran.stdout
    assert "1 failed, 3 passed" in ran.stdout
    assert "in test_hangs" in ran.stdout + ran.stderr, "where it stood"
