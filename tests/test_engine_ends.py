"""An engine does not outlive its stage, whatever the stage left in the pipe."""

from __future__ import annotations

import io
import subprocess
import sys
import threading

from lavlive.engine import commands_from


def test_half_a_command_of_a_killed_stage_is_left_out() -> None:
    gone = threading.Event()
    commands = commands_from(io.StringIO('{"do": "model", "fade": 1}\n{"do": "mod'), gone.set)
    assert commands.get(timeout=5) == {"do": "model", "fade": 1}
    assert commands.get(timeout=5) is None
    assert gone.wait(5)


def test_a_spare_that_is_not_needed_ends_with_its_stage() -> None:
    spare = subprocess.run(
        [sys.executable, "-m", "lavlive.spare_engine", "no-such-link"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert spare.returncode == 0, spare.stderr
    assert spare.stdout == ""
