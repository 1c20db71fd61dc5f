"""The panel in a real window, driven by real mouse and key events."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import glfw
import numpy as np
import pytest

from lavlive.control.control import Control
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.errors import ControlError
from lavlive.link.memory import Link, Picture
from lavlive.parameters import Values
from lavlive.resources import shipped
from lavlive.show.notices import Notices
from lavlive.stage.panel.panel import Panel
from lavlive.stage.panel.thumbnails import Thumbnails
from lavlive.stage.panel.window import PanelWindow
from tests.support.xvfb import xvfb

Y_SLIDER = (123, 100)
Y_LEARN = (510, 100)


class PanelRig:
    """A panel with everything it shows, and a hand on mouse and keyboard."""

    def __init__(self, folder: Path) -> None:
        self.link = Link.create()
        self.notices = Notices()
        bindings = BindingFolders(shipped("presets") / "bindings", folder)
        self.control = Control(
            Values(), bindings, presets=PresetLibrary(shipped("presets"), folder / "presets")
        )
        self.newest_picture: Picture | None = None
        panel = Panel(self)
        self.window = PanelWindow(panel.draw, panel.close)
        glfw.set_window_pos(self.window.handle, 0, 0)

    def status(self) -> str:
        return "lavlive"

    def stages(self) -> list[tuple[str, float]]:
        return [("encode", 0.001)]

    def flash_held_back(self) -> float:
        return 0.0

    def frames(self, count: int = 4) -> None:
        for _ in range(count):
            glfw.poll_events()
            for key in self.window.poll():
                self.control.press(key.name, key.modifiers)
            now = time.perf_counter()
            self.control.step(now)
            self.window.present(now)

    def run_until(self, done: Callable[[], bool]) -> None:
        deadline = time.perf_counter() + 20
        while not done():
            assert time.perf_counter() < deadline
            self.frames(1)

    def mouse(self, *command: str) -> None:
        subprocess.run(["xdotool", *command], check=True)
        self.frames()

    def click(self, x: int, y: int) -> None:
        self.mouse("mousemove", str(x), str(y))
        self.mouse("mousedown", "1")
        self.mouse("mouseup", "1")

    def close(self) -> None:
        self.window.close()
        self.control.close()
        self.link.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PanelRig]:
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed")
    with xvfb(1280, 1400):
        made = PanelRig(tmp_path)
        made.frames(8)
        yield made
        made.close()


def test_dragging_a_slider_moves_its_parameter_and_undo_takes_it_back(rig: PanelRig) -> None:
    assert rig.control.values["mapper.y"] == 1.0
    rig.mouse("mousemove", "70", str(Y_SLIDER[1]))
    rig.mouse("mousedown", "1")
    rig.mouse("mousemove", str(Y_SLIDER[0]), str(Y_SLIDER[1]))
    rig.mouse("mouseup", "1")
    assert rig.control.values["mapper.y"] == pytest.approx(2.0, abs=0.2)
    rig.mouse("key", "u")
    assert rig.control.values["mapper.y"] == 1.0


def test_a_click_on_learn_waits_for_a_control(rig: PanelRig) -> None:
    rig.click(*Y_LEARN)
    assert rig.control.learning == "mapper.y"


def test_keys_reach_the_show_from_the_panel(rig: PanelRig) -> None:
    rig.mouse("key", "space")
    assert rig.control.values["show.freeze"] is True
    rig.mouse("key", "2")
    rig.run_until(lambda: rig.control.looks.preset == rig.control.looks.library.on_key(2).name)


def test_the_keyboard_alone_moves_a_parameter(rig: PanelRig) -> None:
    for _ in range(3):
        rig.mouse("key", "Down")
    before = dict(rig.control.values)
    rig.mouse("key", "space")
    for _ in range(6):
        rig.mouse("key", "Right")
    assert dict(rig.control.values) != before


def test_the_flash_limiter_is_turned_off_only_after_a_question(rig: PanelRig) -> None:
    glfw.set_window_size(rig.window.handle, 1180, 1380)
    rig.frames(8)
    rig.click(20, 1084)
    assert rig.control.values["show.freeze"] is True
    rig.click(20, 1052)
    assert rig.control.values["show.flash_limit"] is True
    rig.click(70, 1096)
    assert rig.control.values["show.flash_limit"] is False
    rig.click(20, 1052)
    assert rig.control.values["show.flash_limit"] is True


def test_the_beat_is_set_in_a_popup_and_taken_off_again(rig: PanelRig) -> None:
    rig.click(425, 100)
    rig.click(570, 210)
    modulation = rig.control.looks.modulations.get("mapper.y")
    assert modulation is not None
    assert modulation.depth != 0
    assert modulation.beats == 4.0


def test_a_preset_that_was_shown_has_a_thumbnail_from_then_on(rig: PanelRig, tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    pixels = np.full((256, 256, 3), (10, 200, 30), np.uint8)
    thumbnails.watch("Dub", False, pixels, 0.0)
    thumbnails.watch("Dub", True, pixels, 1.0)
    thumbnails.watch("Dub", False, pixels, 2.0)
    assert thumbnails.texture("Dub") is None
    thumbnails.watch("Dub", False, pixels, 6.0)
    assert thumbnails.texture("Dub") is not None
    thumbnails.close()
    again = Thumbnails(tmp_path / "thumbnails")
    assert again.texture("Dub") is not None
    kept = np.load(tmp_path / "thumbnails" / "dub.npy")
    assert kept.shape == (48, 48, 3)
    assert np.all(kept == (10, 200, 30))
    again.close()


def test_no_controller_may_learn_the_flash_limiter(rig: PanelRig) -> None:
    with pytest.raises(ControlError, match="panel only"):
        rig.control.learn("show.flash_limit")
