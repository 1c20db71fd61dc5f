"""The window, on a real X server: what it shows, what it hears, and where it must not appear."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import glfw
import numpy as np
import pytest

from lavlive.errors import DisplayError
from lavlive.link.contents import Picture
from lavlive.parameters import Values
from lavlive.stage.canvas.offscreen import offscreen_context
from lavlive.stage.output import x11
from lavlive.stage.output.base import (
    CloseRequested,
    KeyPressed,
    MonitorLost,
    MonitorReturned,
    OutputSettings,
)
from lavlive.stage.output.current import make_window_current
from lavlive.stage.output.font import text_image
from lavlive.stage.output.monitors import Monitor, list_monitors
from lavlive.stage.output.opengl_windows import display_available, start_glfw
from lavlive.stage.output.opening import open_output
from lavlive.stage.output.window import WindowOutput
from lavlive.stage.output.x11 import forget_dead_window_manager
from tests.support.xorg import window_manager
from tests.support.xvfb import display, xvfb

__all__ = ["display"]

VALUES = Values({"show.dissolve": 0.0, "show.flash_limit": False})
SETTINGS = OutputSettings(320, 180, vsync=False)


def plain(level: int, sequence: int = 1) -> Picture:
    return Picture(np.full((32, 32, 3), level, np.uint8), sequence, 0.0, 0.0, 0)


def screen(window: WindowOutput) -> np.ndarray:
    """What OpenGL has drawn for the window, uint8 [H, W, 3], first row on top."""
    width, height = glfw.get_framebuffer_size(window.handle)
    data = window.context.screen.read(viewport=(0, 0, width, height), components=3, alignment=1)
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)[::-1]


class _KeyEvent(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("root", ctypes.c_ulong),
        ("subwindow", ctypes.c_ulong),
        ("time", ctypes.c_ulong),
        ("x", ctypes.c_int),
        ("y", ctypes.c_int),
        ("x_root", ctypes.c_int),
        ("y_root", ctypes.c_int),
        ("state", ctypes.c_uint),
        ("keycode", ctypes.c_uint),
        ("same_screen", ctypes.c_int),
        ("padding", ctypes.c_long * 24),
    )


CONTROL = 4


def press(window: WindowOutput, keysym: str, state: int = 0) -> None:
    """Have the X server tell the window that a key went down and up."""
    x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    server = ctypes.cast(glfw.get_x11_display(), ctypes.c_void_p)
    x11.XStringToKeysym.restype = ctypes.c_ulong
    code = x11.XKeysymToKeycode(server, ctypes.c_ulong(x11.XStringToKeysym(keysym.encode())))
    press_code(window, code, state)


def press_code(window: WindowOutput, code: int, state: int = 0) -> None:
    """The same by the key's place on the keyboard."""
    x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    server = ctypes.cast(glfw.get_x11_display(), ctypes.c_void_p)
    for kind in (2, 3):
        event = _KeyEvent(type=kind, window=glfw.get_x11_window(window.handle), state=state, keycode=code)
        event.same_screen, event.time = 1, 1000 * code + 10 * kind
        x11.XSendEvent(server, ctypes.c_ulong(event.window), 1, ctypes.c_long(1), ctypes.byref(event))
    x11.XSync(server, 0)


@pytest.fixture
def window(display: str) -> Iterator[WindowOutput]:
    with WindowOutput(SETTINGS) as opened:
        yield opened


def test_there_is_a_display_and_open_output_gives_a_window(display: str) -> None:
    assert display_available()
    with open_output("window", SETTINGS) as output:
        assert output.name == "window"
        assert output.canvas_size == (320, 180)
        assert not output.should_close


def test_an_unknown_output_is_refused_with_the_names() -> None:
    with pytest.raises(DisplayError, match="window, headless"):
        open_output("hologram")


def test_without_a_display_there_is_none_and_the_window_says_so() -> None:
    program = """
from lavlive.errors import DisplayError
from lavlive.stage.output.opening import open_output
from lavlive.stage.output.opengl_windows import display_available
assert not display_available()
try:
    open_output("window")
except DisplayError as error:
    print(error)
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=60,
    )
    assert "no display" in ran.stdout
    assert "--headless" in ran.stdout


def test_the_stage_imports_no_torch() -> None:
    program = """
import sys
import lavlive.stage.output.window, lavlive.stage.output.headless, lavlive.stage.recording.recorder
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_what_the_window_shows_is_the_canvas(window: WindowOutput) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16] = (220, 30, 60)
    window.present(Picture(pixels, 1, 0.0, 0.0, 0), VALUES, 0.0)
    canvas = window.read_canvas().astype(int)
    window.present(None, VALUES, 0.01)
    assert np.abs(screen(window) - canvas).max() <= 1
    assert canvas[20, 160] == pytest.approx((220, 30, 60), abs=2)


def test_a_canvas_of_its_own_size_is_shown_whole_with_bars(display: str) -> None:
    with WindowOutput(OutputSettings(320, 180, canvas=(100, 100), vsync=False)) as window:
        window.present(plain(200), VALUES, 0.0)
        assert window.read_canvas().shape == (100, 100, 3)
        shown = screen(window)
        assert shown[:, :68].max() == 0
        assert shown[:, 72:248].min() >= 199


def inked(window: WindowOutput, values: Values = VALUES) -> np.ndarray:
    """Where a notice changes what the window shows, bool [H, W]."""
    window.present(plain(120), values, 0.0)
    window.present(None, values, 5.0)
    without = screen(window)
    window.present(None, values, 5.01, notice="line-in lost")
    return np.asarray(np.abs(screen(window).astype(int) - without).max(axis=2) > 5)


def test_a_notice_is_in_the_title_and_not_on_the_picture(window: WindowOutput) -> None:
    assert not inked(window).any()
    window.present(None, VALUES, 10.0, "57 pictures/s", "line-in lost")
    assert window._title == "57 pictures/s  ·  line-in lost"


def test_a_badge_that_was_asked_for_is_small_in_the_corner_and_not_in_the_canvas(display: str) -> None:
    with WindowOutput(replace(SETTINGS, badge=True)) as window:
        rows, columns = np.nonzero(inked(window))
        assert rows.min() > 150
        assert columns.max() < 100
        assert np.abs(window.read_canvas().astype(int) - 120).max() <= 1


@pytest.mark.parametrize("badge", [False, True])
def test_full_screen_shows_no_letters_even_where_a_badge_was_asked_for(display: str, badge: bool) -> None:
    with WindowOutput(replace(SETTINGS, badge=badge, fullscreen=True)) as window:
        assert not inked(window).any()


def test_black_is_black_even_where_a_badge_was_asked_for(display: str) -> None:
    with WindowOutput(replace(SETTINGS, badge=True)) as window:
        assert not inked(window, Values(dict(VALUES) | {"show.blackout": True})).any()


def test_the_badge_is_legible() -> None:
    image = text_image("Tl") > 0
    assert image.shape == (9, 13)
    assert image[1, 1:6].all()
    assert image[1:8, 3].all()
    assert image[7, 7:12].all()
    assert (text_image("é") == text_image("?")).all()


def test_the_title_carries_the_status_but_not_sixty_times_a_second(window: WindowOutput) -> None:
    for tick in range(60):
        window.present(None, VALUES, 10.0 + tick / 60, status=f"{tick} pictures/s")
    assert window._title == "45 pictures/s"
    window.present(None, VALUES, 20.0)
    assert window._title == "lavlive"


def test_keys_arrive_by_name_with_their_modifiers(window: WindowOutput) -> None:
    for keysym, state in (("f", 0), ("space", 0), ("Tab", 0), ("7", 0), ("q", CONTROL), ("F5", 0)):
        press(window, keysym, state)
    keys = [event for event in window.poll() if isinstance(event, KeyPressed)]
    assert keys == [
        KeyPressed("f"),
        KeyPressed("space"),
        KeyPressed("tab"),
        KeyPressed("7"),
        KeyPressed("q", frozenset({"ctrl"})),
        KeyPressed("f5"),
    ]
    assert window.poll() == []


@pytest.mark.parametrize("layout", ["ru", "gr", "il", "ara"])
def test_keys_of_another_alphabet_do_what_their_place_does(layout: str) -> None:
    """Pressed by keycode, as a hand does: B, R, Ctrl+Q and H of a keyboard with that layout."""
    if shutil.which("setxkbmap") is None:
        pytest.skip("setxkbmap is not installed")
    with xvfb(320, 240):
        subprocess.run(["setxkbmap", layout], check=True, timeout=60)
        with WindowOutput(SETTINGS) as window:
            for code, state in ((56, 0), (27, 0), (24, CONTROL), (43, 0)):
                press_code(window, code, state)
            keys = [event for event in window.poll() if isinstance(event, KeyPressed)]
    assert keys == [KeyPressed("b"), KeyPressed("r"), KeyPressed("q", frozenset({"ctrl"})), KeyPressed("h")]


@pytest.mark.parametrize(("layout", "code", "name"), [("fr", 24, "a"), ("de", 29, "z")])
def test_latin_keyboards_go_by_what_is_written_on_them(layout: str, code: int, name: str) -> None:
    if shutil.which("setxkbmap") is None:
        pytest.skip("setxkbmap is not installed")
    with xvfb(320, 240):
        subprocess.run(["setxkbmap", layout], check=True, timeout=60)
        with WindowOutput(SETTINGS) as window:
            press_code(window, code)
            assert KeyPressed(name) in window.poll()


def test_a_wish_to_close_is_told_once(window: WindowOutput) -> None:
    glfw.set_window_should_close(window.handle, True)
    assert window.poll() == [CloseRequested()]
    assert window.poll() == []
    assert window.should_close


def test_the_canvas_follows_the_window_and_keeps_its_picture(window: WindowOutput) -> None:
    window.present(plain(90), VALUES, 0.0)
    window.poll()
    glfw.set_window_size(window.handle, 400, 300)
    for _ in range(1000):
        window.poll()
        if glfw.get_framebuffer_size(window.handle) == (400, 300):
            break
    window.present(None, VALUES, 0.1)
    assert window.canvas_size == (400, 300)
    assert np.abs(window.read_canvas().astype(int) - 90).max() <= 1


def test_a_canvas_drawn_by_the_processor_stays_small(display: str) -> None:
    with WindowOutput(OutputSettings(1280, 720, vsync=False)) as window:
        assert window.software
        assert window.canvas_size == (640, 360)
        assert "no graphics driver" in window.canvas_note.lower()
        assert "640 x 360" in window.canvas_note
    with WindowOutput(SETTINGS) as small:
        assert small.canvas_note == ""


def test_a_still_canvas_is_not_drawn_again(window: WindowOutput) -> None:
    for tick in range(20):
        window.present(plain(90), VALUES, tick / 60)
    drawn = window._canvas._shown
    window.present(None, VALUES, 0.4)
    assert window._canvas._shown is drawn
    window.present(plain(91, 2), VALUES, 0.45)
    assert window._canvas._shown is not drawn


def test_textures_are_kept_from_picture_to_picture(window: WindowOutput) -> None:
    names = set()
    for sequence in range(1, 30):
        window.present(plain(sequence, sequence), VALUES, sequence / 30)
        names.add(window._canvas._newest.glo)
    assert len(names) == 1


def test_full_screen_fills_the_monitor_hides_the_pointer_and_comes_back(window: WindowOutput) -> None:
    window.toggle_fullscreen()
    window.present(plain(50), VALUES, 0.0)
    assert window.fullscreen
    assert screen(window).shape == (720, 1280, 3)
    assert glfw.get_input_mode(window.handle, glfw.CURSOR) == glfw.CURSOR_HIDDEN
    window.toggle_fullscreen()
    window.poll()
    window.present(None, VALUES, 0.1)
    assert not window.fullscreen
    assert window.canvas_size == (320, 180)
    assert glfw.get_input_mode(window.handle, glfw.CURSOR) == glfw.CURSOR_NORMAL


def test_full_screen_can_be_had_from_the_start_by_name(display: str) -> None:
    with WindowOutput(OutputSettings(320, 180, fullscreen=True, monitor="scr", vsync=False)) as window:
        window.present(None, VALUES, 0.0)
        assert screen(window).shape == (720, 1280, 3)


def test_an_unknown_monitor_is_refused_before_a_window_opens(display: str) -> None:
    with pytest.raises(DisplayError, match="screen"):
        WindowOutput(OutputSettings(fullscreen=True, monitor="sony"))


def test_when_its_monitor_goes_the_window_hides_at_once_and_returns_with_it(display: str) -> None:
    plugged = True

    def monitors() -> list[Monitor]:
        operator = Monitor(1, "operator", 0, 0, 1280, 720, 60)
        return [*(list_monitors() if plugged else []), operator]

    with WindowOutput(OutputSettings(320, 180, fullscreen=True, vsync=False), monitors) as window:
        window.present(plain(80), VALUES, 0.0)
        assert window.shown
        plugged = False
        assert MonitorLost("screen") in window.poll()
        assert not window.shown
        window.present(plain(90, 2), VALUES, 0.1)
        assert window.read_canvas().size, "the canvas, and so a recording, goes on"
        assert not any(isinstance(event, MonitorLost) for event in window.poll())
        plugged = True
        assert MonitorReturned("screen") in window.poll()
        assert window.shown
        assert window.fullscreen
        window.present(None, VALUES, 0.2)
        assert screen(window).shape == (720, 1280, 3)


def test_when_glfw_has_moved_the_window_off_its_monitor_it_hides_too(display: str) -> None:
    with WindowOutput(OutputSettings(320, 180, fullscreen=True, vsync=False)) as window:
        glfw.set_window_monitor(window.handle, cast(Any, None), 0, 0, 1280, 720, glfw.DONT_CARE)
        assert MonitorLost("screen") in window.poll()
        assert not window.shown


def test_closing_twice_does_no_harm_and_another_window_can_follow(display: str) -> None:
    window = WindowOutput(SETTINGS)
    window.close()
    window.close()
    with WindowOutput(SETTINGS) as another:
        another.present(None, VALUES, 0.0)


def test_a_window_opens_where_a_context_without_one_was_left_current(display: str) -> None:
    """GLX refuses while EGL's is current, and Xlib would end this very process for it."""
    left = offscreen_context()
    with WindowOutput(OutputSettings(64, 48, vsync=False, visible=False)) as window:
        make_window_current(None)
        left.__enter__()
        window.make_current()
        assert window.context.info["GL_RENDERER"]
        assert glfw.get_current_context()
    left.release()


def test_what_the_x_server_refuses_is_noted_and_ends_nothing(display: str) -> None:
    start_glfw()
    told: list[str] = []
    x11.outlive_errors(told.append)
    library = ctypes.CDLL("libX11.so.6")
    library.XOpenDisplay.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(library.XOpenDisplay(None))
    library.XDestroyWindow(connection, ctypes.c_ulong(0x7FFFFF))
    library.XSync(connection, 0)
    library.XCloseDisplay(connection)
    assert told == ["X server: BadWindow (invalid Window parameter) (request 4.0)"]


def test_the_mark_of_a_window_manager_that_was_killed_does_not_keep_the_show_from_starting() -> None:
    opens = "from lavlive.stage.output.opengl_windows import display_available; print(display_available())"
    with xvfb(320, 240):
        with window_manager(killed=True):
            pass
        ran = subprocess.run(
            [sys.executable, "-c", opens], capture_output=True, text=True, check=False, timeout=60
        )
    assert (ran.returncode, ran.stdout) == (0, "True\n"), ran.stderr


def test_the_mark_of_a_living_window_manager_is_left_alone() -> None:
    with xvfb(320, 240):
        with window_manager(killed=True):
            assert not forget_dead_window_manager()
        assert forget_dead_window_manager()
        assert not forget_dead_window_manager()


def test_a_display_paces_only_where_a_driver_draws_and_somebody_sees_it(display: str) -> None:
    monitor = Monitor(0, "screen", 0, 0, 1280, 720, 144, None)
    with WindowOutput(OutputSettings(), lambda: [monitor]) as window:
        assert window.display_rate is None  # the processor draws here
        window.software = False
        assert window.display_rate == 144.0
        glfw.hide_window(window.handle)
        assert window.display_rate is None
    with WindowOutput(OutputSettings(vsync=False), lambda: [monitor]) as window:
        window.software = False
        assert window.display_rate is None
