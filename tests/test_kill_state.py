"""kill -9 of either process: what was saved can be read, nothing is left behind, the show goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from tests.support.stage_process import StageProcess, memory_exists, wait_for_end
from tests.support.wishes import Save
from tools.robustness.kill_state import ARGUMENTS, kill_at_random_moments


def test_presets_bindings_and_state_are_readable_whenever_a_process_is_killed(tmp_path: Path) -> None:
    found = kill_at_random_moments(4, seed=int(time.time()), folder=tmp_path)
    assert found.unreadable == []
    assert (found.stage, found.engine) == (2, 2)
    kept = list((tmp_path / "lavlive" / "presets").glob("*.toml"))
    assert kept, "nothing was saved before a kill"


def test_a_killed_stage_leaves_nothing_behind_and_comes_back_as_it_was(tmp_path: Path) -> None:
    with StageProcess([*ARGUMENTS, "--set", "mapper.y=1.7"], tmp_path) as stage:
        stage.wait_for_pictures()
        stage.send(Save(700))  # y becomes 2.8
        stage.wait(lambda report: report["state"]["values"]["mapper.y"] == 2.8, "change")
        before = stage.now["state"]
        stage.wait(
            lambda report: json.loads(stage.state_file.read_text())["values"]["mapper.y"] == 2.8, "state"
        )
        link = stage.now["link"]
        assert memory_exists(link)
        orphans = stage.kill()
        assert len(orphans) >= 2
        assert wait_for_end(orphans, 30.0) == [], "an engine outlives its stage"
        assert not memory_exists(link), "shared memory outlives its stage"

        stage._arguments = ARGUMENTS[1:]  # nothing is typed that the state could be overruled by
        stage.start()
        stage.wait(lambda report: True, "report")
        assert stage.reports[0]["state"] == before
        assert "ended unexpectedly" in " ".join(stage.reports[0]["news"])

        stage.wait_for_pictures()
        os.kill(stage.now["engine"], signal.SIGKILL)
        stage.wait(lambda report: report["restarts"] == 1, "restart")
        shown = stage.now["pictures"]
        stage.wait(lambda report: report["pictures"] > shown, "pictures of a new engine")
        assert stage.now["state"] == before
        assert stage.now["engine_revision"] == stage.now["revision"]
        assert stage.end() == 0
    assert json.loads(stage.state_file.read_text())["clean"]
