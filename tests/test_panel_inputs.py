"""Inputs of shaders in the panel: a pad for points, a picker for colours, a button for events."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import glfw
import pytest

from lavlive.parameters import find, is_event, joined, loaded_parameters
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import Slots
from lavlive.stage.panel.inputs import PAD, parts_from
from tests.support.panel_rig import PanelRig
from tests.support.xvfb import xvfb

SHADER = """/*{"INPUTS": [{"NAME": "go", "TYPE": "event"},
{"NAME": "at", "TYPE": "point2D", "MIN": [-1, 0], "MAX": [1, 1], "DEFAULT": [0, 0]},
{"NAME": "ink", "TYPE": "color", "DEFAULT": [1, 0, 0, 1]}, {"NAME": "x", "TYPE": "float"}]}*/
void main() { gl_FragColor = ink; }"""


@pytest.fixture
def shader(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "all.fs").write_text(SHADER)
    with joined(Slots(ShaderLibrary([tmp_path]))):
        yield


@pytest.fixture
def rig(shader: None, tmp_path: Path) -> Iterator[PanelRig]:
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed")
    with xvfb(1920, 1400):
        made = PanelRig(tmp_path)
        made.control.edit("gen.shader", "all", 0.0)
        glfw.set_window_size(made.window.handle, 1180, 1380)
        try:
            with made.eye.open():
                made.frames(2)
                made.draw_nothing()
                made.panel.show("Effects")
                made.frames(6)
                yield made
        finally:
            made.close()


def test_points_colours_and_events_are_found_among_the_rows(shader: None) -> None:
    rows = loaded_parameters({"gen.shader": "all"}.get)
    rows = [row for row in rows if row.name.startswith("gen.all")]
    parts = {row.name: len(parts_from(rows, place)) for place, row in enumerate(rows)}
    assert {name: count for name, count in parts.items() if count} == {"gen.all.at.x": 2, "gen.all.ink.r": 4}
    assert [row.name for row in rows if is_event(row)] == ["gen.all.go"]
    assert not is_event(find("show.freeze"))


def test_the_pad_moves_a_point_as_one_thing_and_the_button_is_an_event(rig: PanelRig) -> None:
    values = rig.control.values
    pad = rig.place("invisible_button pad")
    rig.point(round(pad.left + 0.75 * PAD.x), round(pad.top + 0.25 * PAD.y))
    rig.mouse("mousedown", "1")
    rig.point(round(pad.left + 0.25 * PAD.x), round(pad.top + 0.4 * PAD.y))
    rig.mouse("mouseup", "1")
    assert values["gen.all.at.x"] == pytest.approx(-0.5, abs=0.03)
    assert values["gen.all.at.y"] == pytest.approx(0.6, abs=0.03)
    assert any(place.name.startswith("color_edit4 ink") for place in rig.eye.places)
    pressed = []
    original = rig.control.edit
    rig.control.edit = lambda name, value, now: (pressed.append((name, value)), original(name, value, now))  # type: ignore[method-assign, assignment]
    rig.press("button go##gen.all.go")
    assert pressed == [("gen.all.go", True)]
    for _ in range(2):
        rig.control.looks.undo()
    assert values["gen.all.at.x"] == 0.0
    assert values["gen.all.at.y"] == 0.0
