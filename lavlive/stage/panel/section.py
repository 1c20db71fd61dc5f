"""What a section of the panel is, and what the sections of one panel share.

A section is one tab: a file of its own with a class derived from `Section`, and one line in
`lavlive.stage.panel.sections`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from lavlive.audio.spec import SourceSpec
from lavlive.control.actions import Action
from lavlive.control.control import Control
from lavlive.control.controls import Controls
from lavlive.control.sources import KnownSources
from lavlive.errors import LavliveError
from lavlive.link.contents import Picture
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import DialsFound
from lavlive.stage.notices import Notices
from lavlive.stage.output.base import Output
from lavlive.stage.output.takers.outlets import Outlets
from lavlive.stage.output.takers.typed import TypedStream
from lavlive.stage.recording.recordings import Recordings
from lavlive.wall.conductor import Wall

PREVIEW = (224, 126)
"""Width and height in pixels of the small picture of the canvas."""


class RunningShow(Protocol):
    """What a panel shows."""

    link: SharedBlock
    control: Control
    controls: Controls
    notices: Notices

    @property
    def recordings(self) -> Recordings:
        """The recordings of this show."""

    @property
    def outlets(self) -> Outlets:
        """Where else the canvas goes."""

    def status(self) -> str:
        """Pictures per second and latency in one line."""

    def stages(self) -> list[tuple[str, float]]:
        """Seconds that each stage takes, in the order of the path."""

    def flash_held_back(self) -> float:
        """How much of the last change the flash limiter held back, 0 to 1."""

    @property
    def newest_picture(self) -> Picture | None:
        """The picture that is shown, None before the first."""

    @property
    def dials(self) -> DialsFound | None:
        """The dials of the newest model, None until they are found."""

    @property
    def anchors(self) -> Numbers:
        """The random w that an anchor may be chosen from, 24 at a time."""

    def anchor_pictures(self) -> Mapping[int, np.ndarray]:
        """What of them has been drawn, uint8 [48, 48, 3] by number."""

    @property
    def strange_keyframes(self) -> int:
        """How many kept moments are of another model than the one that is shown."""

    output: Output
    sources: KnownSources
    typed_stream: TypedStream

    @property
    def wall(self) -> Wall | None:
        """Its part in a wall of machines; None for a show of its own."""

    @property
    def source(self) -> SourceSpec:
        """What is listened to."""

    def change_source(self, source: SourceSpec) -> None:
        """Listen to another source."""

    @property
    def models(self) -> Mapping[str, str]:
        """The models to choose from: from a name to a path."""

    @property
    def model_name(self) -> str:
        """The name of the model that makes the pictures."""

    @property
    def model_is_loading(self) -> bool:
        """Whether another one is being loaded or faded in."""

    def choose_model(self, path: str) -> None:
        """Fade to a model of `models`."""

    def open_points(self, path: Path) -> None:
        """Keep the points of W in a file as keyframes, or say why not."""

    def open_model(self, path: str) -> None:
        """Take a file into `models` and fade to it; one that is refused is told, and leaves `models`."""


class Numbers(Protocol):
    """Numbers to choose from, some at a time."""

    @property
    def numbers(self) -> range:
        """Those that are offered now."""

    def others(self) -> None:
        """Offer the next ones."""


class Column(Enum):
    """Where a section's tab stands. A narrow panel has no room for three columns and joins the last two."""

    LOOK = "look"
    PLAY = "play"
    WATCH = "watch"


@dataclass
class Desk:
    """What the sections of one panel share.

    Attributes:
        show: the running show.
        now: seconds of the clock, of the present drawing.
        pointed: the parameter or button last under the mouse or the keyboard's mark: what the key L learns.
        preview: the canvas made small, uint8 [H, W, 3] of `PREVIEW`, until the panel has drawn it.
        problem: why the last thing asked for cannot be done, "" when it was.
    """

    show: RunningShow
    now: float = 0.0
    pointed: str | Action | None = None
    preview: np.ndarray | None = None
    problem: str = ""

    @property
    def control(self) -> Control:
        """The show's controls."""
        return self.show.control

    def ask(self, name: str, argument: str = "") -> None:
        """Have an action done at the next step; one that is refused is told in the panel."""
        self.problem = ""
        try:
            self.control.ask(Action(name, argument))
        except LavliveError as error:
            self.problem = str(error)


class Section:
    """One tab of the panel; made once for a panel. All calls come with the panel's OpenGL context current."""

    title: ClassVar[str]
    column: ClassVar[Column]

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def watch(self) -> None:
        """Called in every drawing, whether the section is seen or not."""

    def draw(self) -> None:
        """Draw what is in the tab, with Dear ImGui, into the present window."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what is kept in OpenGL."""
