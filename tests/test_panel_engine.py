"""A hand on the panel of a real show, and the engine that obeys it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.stage_process import Report, StageProcess
from tests.support.xvfb import xvfb

PARAMETER, COARSE = "smoothing.coarse", 0
SLIDER_X = (40, 330)
LAST_ROW = 700
HOP = 320 / 24_000


def _later_than(time: float, report: dict[str, Any]) -> bool:
    return bool(report["time"] > time)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[StageProcess]:
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed")
    arguments = ["--demo", "--silent", "--osc", "off", "--rate", "10"]
    with xvfb(1280, 1800), StageProcess(arguments, tmp_path) as process:
        process.wait_for_pictures()
        open_panel()
        yield process


def hand(*command: str | int) -> str:
    words = ["xdotool", *(str(word) for word in command)]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout


def open_panel() -> None:
    """By its key, which goes to the window under the mouse; the audience's window makes way."""
    (audience,) = hand("search", "--name", "^lavlive").split()
    hand("windowmove", audience, 0, 1000)
    hand("mousemove", 100, 1100)
    hand("key", "Tab")
    panel = hand("search", "--sync", "--name", "^lavlive panel$").split()[0]
    hand("windowmove", panel, 0, 0)


def seen(stage: StageProcess) -> Report:
    """The first report of a moment after the panel was drawn anew: it looks at the mouse as it draws."""
    for _ in range(2):
        last = stage.now["time"]
        stage.wait(partial(_later_than, last), "report")
    return stage.now


def point_to(stage: StageProcess, parameter: str) -> int:
    """Move down the panel's sliders until the panel says that the parameter is pointed to; its height."""
    for y in range(60, LAST_ROW, 14):
        hand("mousemove", SLIDER_X[0], y)
        if seen(stage)["pointed"] == parameter:
            return y
    raise AssertionError(f"no {parameter} in the panel")


def delay_of(report: Report) -> float:
    """What a moving average of the stage's window delays by, in seconds."""
    window: float = report["state"]["values"][PARAMETER]
    return (window - HOP) / 2


def obeyed(report: Report) -> bool:
    delay = report["smoothing_delay"][COARSE]
    return report["picture_revision"] >= report["revision"] and delay == pytest.approx(
        delay_of(report), rel=0.01
    )


def test_a_slider_dragged_in_the_panel_changes_what_the_engine_makes(stage: StageProcess) -> None:
    stage.wait(obeyed, "engine with the parameters of the start")
    before = stage.now
    y = point_to(stage, PARAMETER)
    hand("mousedown", 1)
    for x in range(SLIDER_X[0], SLIDER_X[1] + 1, 58):
        hand("mousemove", x, y)
        seen(stage)
    hand("mouseup", 1)
    seen(stage)
    longer = before["smoothing_delay"][COARSE] + 0.2
    stage.wait(
        lambda report: obeyed(report) and report["smoothing_delay"][COARSE] > longer,
        "longer delay of the engine's smoothing",
    )
    after = stage.now
    assert after["engine"] == before["engine"]
    assert after["revision"] > before["revision"]
    others = [
        name for name, value in after["state"]["values"].items() if value != before["state"]["values"][name]
    ]
    assert others == [PARAMETER]
    assert after["smoothing_delay"][1:] == pytest.approx(before["smoothing_delay"][1:], rel=0.01)
    hand("key", "u")
    stage.wait(
        lambda report: (
            obeyed(report)
            and report["smoothing_delay"][COARSE]
            == pytest.approx(before["smoothing_delay"][COARSE], rel=0.01)
        ),
        "delay of the start, after undo",
    )
