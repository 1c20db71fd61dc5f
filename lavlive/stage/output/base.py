"""What every output can do, and what it is asked for.

An output is where pictures are shown: a window on a projector, or a canvas in memory that only a
recording sees. Both have the same surface, so the show does not know which one it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from lavlive.link.contents import Picture
from lavlive.parameters import Value
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.isf.sound import SoundTextures
from lavlive.stage.canvas.limiter import FlashLimiter
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.monitors import Geometry


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """What an output is opened with.

    Attributes:
        width, height: size of the window in screen coordinates; of the canvas when headless.
        fullscreen: whether to begin in full screen.
        monitor: index or (part of the) name of the monitor for full screen; None for the primary one.
        canvas: width and height of the canvas in pixels; None follows the window.
        vsync: whether `present` waits for the display.
        visible: whether the window may be seen (tests and benchmarks hide it).
        badge: whether notices are drawn over the picture, too, while it is in a window.
        shaders: what the rack takes its effects from; None for a canvas without a rack.
        part: what of the canvas is shown on the screen: left, top, width and height as shares of the whole.
        show: whether drawing gives way to sound and pictures; a rendering draws every picture.
        mapping: what is shown on which screen, for a window; whoever made it closes it.
    """

    width: int = 1280
    height: int = 720
    fullscreen: bool = False
    monitor: int | str | None = None
    canvas: tuple[int, int] | None = None
    vsync: bool = True
    visible: bool = True
    badge: bool = False
    shaders: ShaderLibrary | None = None
    part: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    show: bool = False
    mapping: ScreenMapping | None = None


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key went down: a lower-case name (``f``, ``7``, ``space``, ``tab``, ``f5``) and its modifiers.

    `modifiers` holds any of ``shift``, ``ctrl``, ``alt``, ``super``.
    """

    name: str
    modifiers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CloseRequested:
    """The user or the system asks the window to close."""


@dataclass(frozen=True, slots=True)
class MonitorLost:
    """The full-screen monitor went away; the window hides until it returns."""

    name: str


@dataclass(frozen=True, slots=True)
class MonitorReturned:
    """The full-screen monitor is back, and so is the window."""

    name: str


@dataclass(frozen=True, slots=True)
class MonitorMissed:
    """The window manager will not have the window fill the monitor that was asked for."""

    name: str


OutputEvent = KeyPressed | CloseRequested | MonitorLost | MonitorReturned | MonitorMissed


class Output(Protocol):
    """Where pictures are shown. A context manager; all calls come from the main thread."""

    name: str
    sign: str
    """What is written large over the picture, so that people find this screen; "" for nothing."""

    @property
    def software(self) -> bool:
        """Whether the processor draws, for want of a graphics driver."""

    @property
    def should_close(self) -> bool:
        """Whether the user asked for the end."""

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Width and height of the canvas in pixels."""

    @property
    def fullscreen(self) -> bool:
        """Whether it fills a monitor."""

    @property
    def display_rate(self) -> float | None:
        """Hertz of the display that `present` waits for; None while it waits for none."""

    @property
    def shown(self) -> bool:
        """Whether an audience can see it: a window that is not hidden or iconified."""

    @property
    def mapping(self) -> ScreenMapping | None:
        """What is shown on which screen; None where there are no windows."""

    @property
    def problems(self) -> Mapping[str, str]:
        """Why slots of the rack do not show what was chosen, a line each."""

    @property
    def held_back(self) -> float:
        """How much of the last change the flash limiter held back, 0 to 1."""

    @property
    def limiter(self) -> FlashLimiter:
        """Holds back what would flash; the limiters of a wall tell each other what they have let pass."""

    def present(
        self,
        picture: Picture | None,
        values: Mapping[str, Value],
        now: float,
        status: str = "",
        notice: str | None = None,
        sound: SoundTextures | None = None,
    ) -> None:
        """Show the newest picture.

        Args:
            picture: the newest picture, or None where nothing new came; one seen before does no harm.
            values: the parameters; the ``show.`` group and the rack's are read.
            now: seconds of `time.perf_counter`.
            status: one line for the operator: the window's title.
            notice: what the operator should know now; for the title, never for the audience.
            sound: what shaders hear.
        """

    def begin_transition(self, seconds: float) -> None:
        """Go from what is seen now to what is shown from now on, as `show.transition` says."""

    def poll(self) -> list[OutputEvent]:
        """What happened since the last call; never waits."""

    def toggle_fullscreen(self) -> None:
        """Between a window and full screen."""

    def monitors(self) -> list[str]:
        """The monitors that it could fill, as a performer reads them."""

    def fill(self, monitor: int | str) -> None:
        """Fill the monitor of that number or name, now and whenever full screen is asked for.

        Raises:
            DisplayError: there is none.
        """

    @property
    def canvas_note(self) -> str:
        """Why the canvas is smaller than where it is shown, "" where it is not."""

    def make_room(self, size: tuple[int, int]) -> Geometry | None:
        """Where a panel of that size can stand without covering the picture, which may move aside for it.

        None where the picture fills the only monitor.
        """

    def read_canvas(self) -> np.ndarray:
        """The canvas as shown, uint8 [H, W, 3], sRGB, first row on top."""

    def begin_shot(self, now: float, largest: tuple[int, int] | None = None) -> None:
        """Begin to read the canvas as shown at `now` without waiting for it; `fetch_shot` gives it later.

        Args:
            largest: width and height that nobody needs more than; a larger canvas is made smaller first.
        """

    def fetch_shot(self) -> Shot | None:
        """The canvas of the last `begin_shot`, once; None where there was none."""

    def preview(self, width: int, height: int) -> np.ndarray:
        """The canvas as shown, stretched to a small size: uint8 [height, width, 3]."""

    def close(self) -> None:
        """Let go of window and memory; a second call does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
