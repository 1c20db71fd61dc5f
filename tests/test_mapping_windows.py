"""A mapping on two monitors: two windows, one canvas, edited while it is shown; a monitor that goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import glfw
import numpy as np
import pytest
from OpenGL import GL

from lavlive.link.contents import Picture
from lavlive.parameters import Values
from lavlive.stage.output.base import KeyPressed, MonitorLost, MonitorReturned, OutputSettings
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.mapping.surfaces import Screen, Slice, Surfaces
from lavlive.stage.output.monitors import list_monitors
from lavlive.stage.output.window import WindowOutput
from tests.support.waiting import wait_until
from tests.support.xorg import FIRST, SECOND, two_monitors

VALUES = Values({"show.dissolve": 0.0, "show.scaling": "stretch", "show.flash_limit": False})
WALL = Surfaces(
    (
        Screen("left", "DUMMY0", slices=(Slice(input=(0, 0, 0.6, 1), right=1 / 3),)),
        Screen("right", "DUMMY1", slices=(Slice(input=(0.4, 0, 0.6, 1), left=1 / 3),)),
    ),
    canvas=(320, 90),
)


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with two_monitors(tmp_path_factory.mktemp("xorg")) as name:
        yield name


def displayed(handle: Any) -> np.ndarray:
    """What a window shows, uint8 [H, W, 3], first row on top."""
    glfw.make_context_current(handle)
    width, height = glfw.get_framebuffer_size(handle)
    GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, 0)
    GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
    data = GL.glReadPixels(0, 0, width, height, GL.GL_RGB, GL.GL_UNSIGNED_BYTE)
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)[::-1]


class Wall:
    """A window with a mapping, and what it and the further window show."""

    def __init__(self, folder: Path, monitors: Callable[[], object] = list_monitors) -> None:
        self.told: list[str] = []
        self.mapping = ScreenMapping(folder / "surfaces.toml", WALL, self.told.append)
        self.now = 0.0
        settings = OutputSettings(320, 180, fullscreen=True, vsync=False, mapping=self.mapping)
        self.window = WindowOutput(settings, monitors, clock=lambda: self.now)  # type: ignore[arg-type]
        self.events: list[object] = []
        self.sequence = 0

    def step(self, level: int = 128) -> None:
        self.now += 0.6  # windows and monitors are looked after twice a second
        self.events += self.window.poll()
        self.sequence += 1
        pixels = np.full((32, 32, 3), level, np.uint8)
        self.window.present(Picture(pixels, self.sequence, 0.0, 0.0, 0), VALUES, self.now)

    def settle(self, done: Callable[[], bool]) -> None:
        wait_until(done, meanwhile=self.step)

    @property
    def further(self) -> object:
        assert self.window._screens is not None
        return self.window._screens.windows[0]

    def shown(self) -> tuple[np.ndarray, np.ndarray]:
        """Both displays, uint8 [H, W, 3], first row on top."""
        return displayed(self.window.handle), displayed(self.further.handle)  # type: ignore[attr-defined]

    def close(self) -> None:
        self.window.close()
        self.mapping.close()


@pytest.fixture(scope="module")
def shared(desktop: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    made = Wall(tmp_path_factory.mktemp("surfaces"))
    made.step()
    made.settle(lambda: made.window._screens is not None and len(made.window._screens.windows) == 1)
    made.settle(
        lambda: made.window.geometry == FIRST and made.further.geometry == SECOND  # type: ignore[attr-defined]
    )
    yield made
    made.close()


@pytest.fixture
def wall(shared: Wall) -> Wall:
    """As at the beginning."""
    shared.mapping.editor.replace_all(WALL)
    shared.mapping.editor.choose(0)
    shared.mapping.editing = False
    shared.step(188)
    return shared


def test_each_monitor_shows_its_part_of_one_canvas_and_the_blend_sums_to_grey(wall: Wall) -> None:
    for _ in range(3):
        wall.step(188)
    left, right = wall.shown()
    assert (left.shape, right.shape) == ((600, 800, 3), (480, 640, 3))
    assert wall.window.canvas_size == (320, 90)
    assert left[300, 100].tolist() == pytest.approx([188] * 3, abs=1)
    assert right[240, 600].tolist() == pytest.approx([188] * 3, abs=1)

    def light(shown: np.ndarray, places: np.ndarray) -> np.ndarray:
        signal = shown[:, :, 0].mean(axis=0) / 255
        linear = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
        return np.interp(places, (np.arange(len(linear)) + 0.5) / len(linear), linear)

    places = np.linspace(0.01, 0.99, 60) / 3
    together = light(left, 2 / 3 + places) + light(right, places)
    assert together == pytest.approx(light(left, np.array([0.3]))[0], rel=0.01)


def test_editing_is_seen_with_the_next_picture(wall: Wall) -> None:
    wall.mapping.toggle_editing()
    before = wall.shown()[0]
    for _ in range(4):
        wall.mapping.key("right", ("shift",), (800, 600))
        wall.step(188)
    after = wall.shown()[0]
    assert after[0, 20].max() == 0, "the corner has moved in by 40 pixels"
    assert before[0, 20].min() > 100
    while wall.mapping.surfaces != WALL:
        assert wall.mapping.editor.undo()
    wall.step(188)
    assert wall.shown()[0][0, 20].min() > 100


def test_keys_go_to_the_editor_while_it_edits_and_to_the_show_otherwise(wall: Wall) -> None:
    def press(key: int) -> list[object]:
        wall.window._on_key(None, key, glfw.get_key_scancode(key), glfw.PRESS, 0)
        return [event for event in wall.window.poll() if isinstance(event, KeyPressed)]

    assert press(glfw.KEY_RIGHT) == [KeyPressed("right")]
    wall.mapping.toggle_editing()
    assert press(glfw.KEY_RIGHT) == []
    assert press(glfw.KEY_F) == [KeyPressed("f")]
    assert wall.mapping.surfaces.screens[0].slices[0].corners[0][0] == pytest.approx(1 / 800)
    press(glfw.KEY_ESCAPE)
    assert press(glfw.KEY_ESCAPE) == [KeyPressed("escape")]


def test_screens_come_and_go_while_the_show_goes_on(wall: Wall) -> None:
    wall.mapping.editor.choose(1)
    wall.mapping.editor.remove_screen(0.0)
    wall.step()
    assert wall.window._screens is not None
    assert wall.window._screens.windows == []
    wall.mapping.editor.undo()
    wall.step()
    wall.settle(lambda: len(wall.window._screens.windows) == 1)


def test_a_monitor_that_goes_is_told_once_and_gets_its_picture_back(desktop: str, tmp_path: Path) -> None:
    plugged = True
    wall = Wall(tmp_path, lambda: list_monitors()[: 2 if plugged else 1])
    wall.step()
    wall.settle(lambda: wall.window._screens is not None and len(wall.window._screens.windows) == 1)
    wall.events.clear()
    plugged = False
    for _ in range(4):
        wall.step()
    assert [event for event in wall.events if isinstance(event, MonitorLost)] == [MonitorLost("DUMMY1")]
    assert not glfw.get_window_attrib(wall.further.handle, glfw.VISIBLE)  # type: ignore[attr-defined]
    plugged = True
    wall.settle(lambda: MonitorReturned("DUMMY1") in wall.events)
    assert glfw.get_window_attrib(wall.further.handle, glfw.VISIBLE)  # type: ignore[attr-defined]
    wall.close()
