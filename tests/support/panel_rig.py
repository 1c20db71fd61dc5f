"""A panel on a display of its own, a hand on its mouse and keyboard, and an eye for where things stand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import glfw
import numpy as np
from imgui_bundle import imgui

from lavlive.audio.spec import SourceSpec
from lavlive.control.control import Control
from lavlive.control.controls import Controls
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.sources import KnownSources
from lavlive.link.contents import Picture
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import DialsFound
from lavlive.parameters import Values
from lavlive.resources import shipped
from lavlive.stage.notices import Notices
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.mapping.surfaces import Surfaces
from lavlive.stage.output.takers.kinds import outlets_of
from lavlive.stage.output.takers.outlets import Outlets
from lavlive.stage.output.takers.typed import TypedStream
from lavlive.stage.panel.panel import Panel
from lavlive.stage.panel.section import PREVIEW
from lavlive.stage.panel.window import PanelWindow
from lavlive.stage.recording.recordings import Recordings
from lavlive.wall.conductor import Node
from lavlive.wall.messages import Report
from tests.support.waiting import wait_until

_WATCHED = (
    "button", "small_button", "checkbox", "combo", "slider_float", "slider_int", "drag_int", "input_text",
    "text", "text_colored", "text_unformatted", "progress_bar", "image", "begin_tab_item", "selectable",
    "drag_float", "begin_combo", "image_button", "menu_item", "input_text_with_hint", "invisible_button",
    "color_edit4",
)  # fmt: skip
_OWN_WORDS = (
    "combo",
    "begin_combo",
    "input_text",
    "input_text_with_hint",
    "slider_float",
    "slider_int",
    "text_unformatted",
)
"""These show more or less than their first words, or over several lines."""


@dataclass(frozen=True)
class Place:
    """Where something was drawn, in pixels of the window: its corners, and what is seen of its window."""

    name: str
    left: float
    top: float
    right: float
    bottom: float
    seen_left: float
    seen_right: float
    wanted: float

    @property
    def middle(self) -> tuple[int, int]:
        return round((self.left + self.right) / 2), round((self.top + self.bottom) / 2)

    @property
    def clipped(self) -> bool:
        """Whether its sides lie outside what is seen, or its words are wider than it is."""
        return (
            self.left < self.seen_left - 1
            or self.right > self.seen_right + 1
            or self.wanted > self.right - self.left + 1
        )


class Eye:
    """Notes where Dear ImGui puts things, by the kind and the words of each, in the last frame."""

    def __init__(self) -> None:
        self.places: list[Place] = []

    def forget(self) -> None:
        self.places = []

    def note(self, kind: str, words: str, shown: str) -> None:
        low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
        clip_low = imgui.get_window_draw_list().get_clip_rect_min()
        clip_high = imgui.get_window_draw_list().get_clip_rect_max()
        wanted = imgui.calc_text_size(shown).x if shown else 0.0
        self.places.append(
            Place(f"{kind} {words}", low.x, low.y, high.x, high.y, clip_low.x, clip_high.x, wanted)
        )

    @contextmanager
    def open(self) -> Iterator[None]:
        """Watch every call of Dear ImGui that draws something."""
        originals = {name: getattr(imgui, name) for name in _WATCHED}

        def watched(name: str) -> Callable[..., Any]:
            original = originals[name]

            def call(*arguments: Any, **named: Any) -> Any:
                result = original(*arguments, **named)
                words = [each for each in arguments if isinstance(each, str)]
                label = words[0] if words else ""
                shown = label.partition("##")[0]
                if name == "progress_bar":
                    label = shown = words[-1] if words else ""
                elif name in _OWN_WORDS:
                    shown = ""
                self.note(name, label, shown)
                return result

            return call

        for name in _WATCHED:
            setattr(imgui, name, watched(name))
        try:
            yield
        finally:
            for name, original in originals.items():
                setattr(imgui, name, original)


class Projector:
    """What a panel asks of an output, without OpenGL, of which the panel's window has its own."""

    canvas_size = (640, 360)
    canvas_note = "The processor draws: the canvas is kept within 640 x 360 and enlarged."

    def __init__(self) -> None:
        self.mapping = ScreenMapping(Path("/dev/null/nowhere.toml"), Surfaces())
        self.fullscreen = False
        self.filled: list[int | str] = []

    def monitors(self) -> list[str]:
        return ["0: eDP-1, 1920 x 1080 at 60 Hz", "1: EPSON PJ, 1280 x 800 at 60 Hz"]

    def fill(self, monitor: int | str) -> None:
        self.fullscreen = True
        self.filled.append(monitor)

    def toggle_fullscreen(self) -> None:
        self.fullscreen = not self.fullscreen

    def preview(self, width: int, height: int) -> np.ndarray:
        return np.full((height, width, 3), (90, 60, 120), np.uint8)


class Offered:
    """Random w to choose an anchor from."""

    def __init__(self) -> None:
        self.numbers = range(24)

    def others(self) -> None:
        self.numbers = range(self.numbers.stop, self.numbers.stop + 24)


class Wall:
    """A conductor's part in a wall of two nodes, one of which is gone."""

    conducts = True
    delay = 0.0
    node_delay = 0.08

    def __init__(self) -> None:
        self.identified: list[str] = []
        left = Report(
            node="left wall 4711", pictures=59.6, latency=0.084, offset=-12.0345, uncertainty=0.0004, lost=17,
            model="bloom", place="0,0,1920,1080", software="0.1", note="Two conductors are heard",
        )  # fmt: skip
        self.nodes = [Node(left, 0.0), Node(Report(node="right"), -60.0)]

    def there(self, node: Node, now: float) -> bool:
        return node is self.nodes[0]

    def identify(self, node: str, now: float) -> None:
        self.identified.append(node)


class PanelRig:
    """A panel with everything it shows, and a hand on mouse and keyboard."""

    def __init__(self, folder: Path) -> None:
        self.link = SharedBlock.create()
        self.notices = Notices()
        bindings = BindingFolders(shipped("presets") / "bindings", folder)
        self.control = Control(
            Values(), bindings, presets=PresetLibrary(shipped("presets"), folder / "presets")
        )
        self.controls = Controls(self.control.values.numbers, 0)
        self.newest_picture: Picture | None = None
        self.recordings = Recordings()
        self.dials: DialsFound | None = None
        self.outlets = Outlets(outlets_of([]))
        self.typed_stream = TypedStream(self.outlets)
        self.strange_keyframes = 0
        self.opened_points: list[Path] = []
        self.anchors = Offered()
        self.drawn_anchors: dict[int, np.ndarray] = {}
        self.listened = [SourceSpec("demo")]
        self.sources = KnownSources(self.listened[0])
        self.models = {"flames": "/models/flames", "cymatics": "/models/cymatics", "tissue": "/models/tissue"}
        self.chosen_models = ["/models/flames"]
        self.model_is_loading = False
        self.output: Any = Projector()
        self.wall: Any = Wall()
        self.eye = Eye()
        self.now = 0.0
        own = {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder / "config")}
        with mock.patch.dict(os.environ, own):  # pictures of presets are nobody's but this test's
            self.panel = Panel(self)
        self.window = PanelWindow(self.panel.draw, self.panel.close)
        glfw.set_window_pos(self.window.handle, 0, 0)

    def open_points(self, path: Path) -> None:
        self.opened_points.append(path)

    def status(self) -> str:
        return "lavlive  57 pictures/s  sound to picture 42 ms"

    def stages(self) -> list[tuple[str, float]]:
        return [("encode", 0.001)]

    def flash_held_back(self) -> float:
        return 0.0

    @property
    def source(self) -> SourceSpec:
        return self.listened[-1]

    def change_source(self, source: SourceSpec) -> None:
        self.listened.append(source)

    @property
    def model_name(self) -> str:
        return next(name for name, path in self.models.items() if path == self.chosen_models[-1])

    def anchor_pictures(self) -> dict[int, np.ndarray]:
        return {
            number: self.drawn_anchors[number]
            for number in self.anchors.numbers
            if number in self.drawn_anchors
        }

    def choose_model(self, path: str) -> None:
        self.chosen_models.append(path)

    def open_model(self, path: str) -> None:
        self.models[Path(path).stem] = path
        self.choose_model(path)

    def draw_nothing(self) -> None:
        """Build the panel as ever from now on, but leave out its pixels, which take a processor long."""
        self.window._renderer.render = lambda _: None
        # A busy machine's frames are slow.
        imgui.get_io().mouse_single_click_delay = 11.0
        imgui.get_io().mouse_double_click_time = 10.0

    def frames(self, count: int = 4) -> None:
        for _ in range(count):
            glfw.poll_events()
            for key in self.window.poll():
                self.control.press(key.name, key.modifiers)
            self.now += 1 / 60  # however long the processor takes to draw
            now = self.now
            self.control.step(now)
            self.eye.forget()
            self.panel.desk.preview = self.output.preview(*PREVIEW)
            self.window.present(now)

    def place(self, name: str, beside: str | None = None) -> Place:
        """What was drawn last under that name: its kind and words.

        Args:
            beside: words of a text in the same line, where there are several of that name.
        """
        found = [place for place in self.eye.places if place.name == name]
        if beside is not None:
            (line,) = [place for place in self.eye.places if place.name == f"text {beside}"]
            found = [place for place in found if abs(place.middle[1] - line.middle[1]) < 12]
        assert found, f"no {name!r} among {sorted({place.name for place in self.eye.places})}"
        return found[0]

    def run_until(self, done: Callable[[], bool]) -> None:
        wait_until(done, meanwhile=lambda: self.frames(1))

    def mouse(self, *command: str) -> None:
        subprocess.run(["xdotool", *command], check=True, timeout=60)
        self.frames()

    def point(self, x: int, y: int) -> None:
        self.mouse("mousemove", str(x), str(y))

    def click(self, x: int, y: int) -> None:
        self.point(x, y)
        self.mouse("mousedown", "1")
        self.mouse("mouseup", "1")

    def press(self, name: str, beside: str | None = None) -> None:
        """A click on the middle of what was drawn under that name."""
        self.click(*self.place(name, beside).middle)

    def close(self) -> None:
        self.window.close()
        self.control.close()
        self.link.close()
