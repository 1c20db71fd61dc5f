"""Full screen on the monitor that was asked for, on two monitors, under real window managers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import glfw
import pytest

from lavlive.parameters import Values
from lavlive.stage.output.base import MonitorLost, MonitorMissed, OutputSettings
from lavlive.stage.output.fullscreen import SETTLE_SECONDS, FullScreen
from lavlive.stage.output.monitors import Geometry, Monitor
from lavlive.stage.output.on_monitor import OnMonitor
from lavlive.stage.output.window import WindowOutput
from tests.support.waiting import wait_until
from tests.support.xorg import FIRST, SECOND, two_monitors, window_manager

VALUES = Values({"show.flash_limit": False})


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with two_monitors(tmp_path_factory.mktemp("xorg")) as name:
        yield name


def settle(window: WindowOutput, done: Callable[[], bool]) -> list[object]:
    """Let the window manager work, and the window look after itself, until it is as it should be."""
    events: list[object] = []

    def look() -> None:
        events.extend(window.poll())
        window.present(None, VALUES, time.perf_counter())

    wait_until(done, what=lambda: f"the window is at {window.geometry} still", meanwhile=look)
    return events


@pytest.mark.parametrize("manager", ["openbox", "metacity"])
def test_full_screen_fills_the_monitor_that_was_asked_for(desktop: str, manager: str) -> None:
    settings = OutputSettings(320, 180, fullscreen=True, monitor="DUMMY1", vsync=False)
    with window_manager(manager), WindowOutput(settings) as window:
        events = settle(window, lambda: window.geometry == SECOND)
        assert not any(isinstance(event, MonitorMissed) for event in events)
        window.toggle_fullscreen()
        settle(window, lambda: window.geometry[2:] == (320, 180))
        window.toggle_fullscreen()
        settle(window, lambda: window.geometry == SECOND)


def test_without_a_window_manager_it_does_so_too(desktop: str) -> None:
    settings = OutputSettings(320, 180, fullscreen=True, monitor="DUMMY1", vsync=False)
    with WindowOutput(settings) as window:
        settle(window, lambda: window.geometry == SECOND)


class Screen:
    """GLFW's part of the world: what a window is told, and a window manager that does something else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stubborn: bool) -> None:
        self.told: list[tuple[int, ...]] = []
        self.geometry = Geometry(*FIRST)
        self._stubborn = stubborn
        monkeypatch.setattr(glfw, "get_platform", lambda: glfw.PLATFORM_X11)
        monkeypatch.setattr(glfw, "get_window_size", lambda _: (320, 180))
        monkeypatch.setattr(glfw, "set_window_attrib", lambda *_: None)
        monkeypatch.setattr(glfw, "set_window_monitor", self.set_window_monitor)

    def set_window_monitor(
        self, _: object, monitor: object, x: int, y: int, w: int, h: int, rate: int
    ) -> None:
        self.told.append((x, y, w, h))
        if monitor is None and not self._stubborn:
            self.geometry = Geometry(x, y, w, h)
        elif monitor is not None:
            self.geometry = Geometry(*FIRST)


PROJECTOR = Monitor(1, "projector", -1024, -300, 1024, 768, 60, handle="projector")


def test_a_window_that_lands_elsewhere_is_put_there_without_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch, stubborn=False)
    full = FullScreen("window")
    full.fill(PROJECTOR, 0.0)
    assert screen.told[0] == (-672, -6, 320, 180), "the window goes there before it grows"
    assert full.check(0.1, lambda: screen.geometry), "the window manager has its time"
    assert not full.bare
    assert full.check(SETTLE_SECONDS, lambda: screen.geometry)
    assert full.bare
    assert screen.geometry == PROJECTOR.geometry
    assert full.check(99.0, lambda: screen.geometry)


def test_a_window_that_cannot_be_put_there_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch, stubborn=True)
    full = FullScreen("window")
    full.fill(PROJECTOR, 0.0)
    told = [full.check(now, lambda: screen.geometry) for now in (1.0, 1.5, 2.0, 2.5, 9.0)]
    assert told == [True, True, False, True, True]


def test_a_window_whose_monitor_went_away_is_seen_on_another_that_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Screen(monkeypatch, stubborn=False)
    seen = [True]
    monkeypatch.setattr(glfw, "hide_window", lambda _: seen.append(False))
    monkeypatch.setattr(glfw, "show_window", lambda _: seen.append(True))
    monkeypatch.setattr(glfw, "get_window_pos", lambda _: screen.geometry[:2])
    monkeypatch.setattr(glfw, "get_window_monitor", lambda _: None)
    monkeypatch.setattr(glfw, "set_input_mode", lambda *_: None)
    intervals: list[int] = []
    monkeypatch.setattr(glfw, "swap_interval", intervals.append)
    on_monitor = OnMonitor("window", Geometry(80, 80, 320, 180), None, lambda: 0.0)
    on_monitor.enter(PROJECTOR)
    assert on_monitor.step([], shown=True) == [MonitorLost("projector")]
    assert (seen[-1], on_monitor.hidden) == (False, True)
    other = Monitor(0, "laptop", 0, 0, 1280, 800, 60, handle="laptop")
    on_monitor.enter(other)
    assert (seen[-1], on_monitor.hidden) == (True, False)
    assert on_monitor.monitor == other
    assert intervals == [], "another window's context may be current"


def test_places_below_zero_and_scaled_pixels_are_reckoned_with() -> None:
    left, right = Geometry(-1920, -200, 1920, 1080), Geometry(0, 0, 1280, 800)
    window = Geometry(-600, 100, 1280, 720)
    assert left.shared(window) == 600 * 720
    assert right.shared(window) == 680 * 700
    assert left.shared(Geometry(1280, 0, 10, 10)) == 0
    assert left.inside((4000, 500)) == (-1920, 90, 1920, 500)
    assert left.covered_by(Geometry(-1919, -200, 1919, 1080))
    assert not left.covered_by(right)
