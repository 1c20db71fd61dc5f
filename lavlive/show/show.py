"""The stage's main loop: joins controls, engine and output, once per display frame.

    hands, beat, assist ─► Controls ─┬─► link ─► engine
                                     │             │ newest picture
                           panel ◄───┴─► output ◄──┘
                                           │
                                         canvas ─► recorder

It never imports torch, and no step of it waits for the engine.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lavlive.audio.spec import SourceSpec
from lavlive.control.control import Control
from lavlive.control.controls import CanvasValues, Controls
from lavlive.control.looks.state import ShowState, StateKeeper
from lavlive.control.sources import KnownSources
from lavlive.diagnosis.assist import Assist
from lavlive.errors import LavliveError
from lavlive.link.contents import BeatClock, Picture
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import DialsFound
from lavlive.link.supervisor import Supervisor
from lavlive.show.acting import act, take_output_event
from lavlive.show.anchors import AnchorGrid
from lavlive.show.early import EarlyPictures
from lavlive.show.engine_events import EngineEvents
from lavlive.show.hearing import Hearing
from lavlive.show.leaving import Leaving
from lavlive.show.models import ShownModels
from lavlive.show.moments import KeptMoments
from lavlive.show.operator import OperatorsPanel
from lavlive.show.phones import tell_phones
from lavlive.show.shape import ShapeFollower
from lavlive.show.wall import WallPart
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.notices import Notices
from lavlive.stage.output.base import Output
from lavlive.stage.output.takers.outlets import Outlets
from lavlive.stage.output.takers.typed import TypedStream
from lavlive.stage.recording.recordings import Recordings

BLIND_SECONDS = 5.0
"""A stage that has shown nothing for so long ends: its next start goes on where it was."""
_FAILED_SECONDS = 6.0
"""How long a part has to be well before the operator no longer reads that it failed."""
_RESHAPE_SECONDS = 0.5
"""Of the fade from pictures of one shape to those of another."""
_SOUND_CONDITIONS = {
    "audio.opposite": "Sound: left and right are each other's opposite (a balanced plug in a stereo jack?); "
    "left alone is heard",
    "audio.too_quiet": "Sound: too quiet for pictures that move; raise audio.gain",
}
"""What the operator reads while a meter is lit."""


@dataclass(slots=True)
class Latency:
    """Sound to presented picture, seconds: from the capture of the newest sample behind a picture to its
    presentation. The smoothing's deliberate delay is not in it.
    """

    seconds: float = 0.0

    def take(self, picture: Picture, presented: float) -> None:
        """Follow the newest measurement with a time constant of some twenty pictures."""
        newest = presented - picture.captured
        self.seconds += (newest - self.seconds) * (0.05 if self.seconds else 1.0)


class Show:
    """One running show. All parts are given open; whoever made them closes them.

    Attributes:
        sources: what can be listened to; `change_source` does it.
        controls: what hands, beat and assist want in this frame; the same for engine, output and panel.
        dials: what the newest model's dials are, None until they are found.
        bank: which model is shown, and which comes next.
        moments: the keyframes that were kept.
        anchors: the small pictures that an anchor is chosen from.
        operator: the operator's panel.
        leaving: what goes out besides the picture on the screen.
        typed_stream: the stream whose address is typed in the panel.
        wall: this show's part in a wall of machines; None for a show of its own.
    """

    def __init__(
        self,
        link: SharedBlock,
        supervisor: Supervisor,
        control: Control,
        output: Output,
        notices: Notices,
        recordings: Recordings | None = None,
        models: Mapping[str, str] | None = None,
        keeper: StateKeeper | None = None,
        shape: ShapeFollower | None = None,
        outlets: Outlets | None = None,
        wall: WallPart | None = None,
    ) -> None:
        self.link = link
        self.supervisor = supervisor
        self.control = control
        self.assist = Assist()
        self.output = output
        self.notices = notices
        self.latency = Latency()
        self.pictures_shown = 0
        self.newest_picture: Picture | None = None
        self.done = False
        self.controls = Controls(control.values.numbers, -1)
        self.sources = KnownSources(supervisor.settings.source)
        self.shaders: ShaderLibrary | None = None
        self.hearing = Hearing(link)
        self.dials: DialsFound | None = None
        self.moments = KeptMoments(control.looks, supervisor, notices)
        self.anchors = AnchorGrid(supervisor)
        self.wall = wall
        self._slot_problems: dict[str, str] = {}
        self.leaving = Leaving(link, output, notices, recordings or Recordings(), outlets or Outlets())
        self.typed_stream = TypedStream(self.outlets, control.settings)
        self.bank = ShownModels(
            models or {}, supervisor, control.looks, notices, lambda: self.controls.number("show.swap_fade")
        )
        self._keeper = keeper
        self._shape = shape or ShapeFollower()
        self._sequence = 0
        self._early = EarlyPictures()
        self.operator = OperatorsPanel(self)
        self._engine_events = EngineEvents(self)
        self._failed: dict[str, float] = {}
        self._seen = False
        self._blind_since: float | None = None

    def step(self, now: float) -> None:
        """Everything that happens in one frame.

        Raises:
            LavliveError: the show cannot begin, as `Supervisor.step` says.
            Exception: whatever kept the output from showing anything for `BLIND_SECONDS`.
        """
        with self._guarded("controls", now):
            self._take_hands(now)
        with self._guarded("wall", now):
            if self.wall is not None:
                self.wall.collect(self, now)
        with self._guarded("parameters", now):
            self._collect(now)
        for told in self.supervisor.step(now):
            with self._guarded("engine's events", now):
                self._engine_events.take(told, now)
        with self._guarded("shape", now):
            self._follow_shape(now)
        self._present(now)
        with self._guarded("sound", now):
            self._watch_sound(now)
        with self._guarded("recorder or another output", now):
            self.leaving.step(now, self.latency.seconds, begun=self.pictures_shown > 0)
        with self._guarded("panel", now):
            self.operator.step(now)
        with self._guarded("remote", now):
            tell_phones(self, now)
        with self._guarded("state", now):
            self._keep_state(now)

    @contextlib.contextmanager
    def _guarded(self, part: str, now: float) -> Iterator[None]:
        """Go on without a part of the stage that fails, and tell the operator as long as it does."""
        try:
            yield
        except LavliveError as error:
            self.notices.tell(str(error), now)
        except Exception as error:  # the audience must not suffer from anything but the picture itself
            if part not in self._failed:
                traceback.print_exc()
            self._failed[part] = now
            text = f"The {part} failed: {type(error).__name__}: {error}"
            self.notices.raise_condition(f"{part} failed", text, now)
        else:
            if now - self._failed.get(part, now) > _FAILED_SECONDS:
                del self._failed[part]
                self.notices.clear(f"{part} failed")

    def _take_hands(self, now: float) -> None:
        for event in self.output.poll():
            take_output_event(self, event, now)
        self._apply_hands(now)
        for line in self.control.notices():
            self.notices.tell(line, now)
        waits = self.control.learning
        if waits is None:
            self.notices.clear("learn")
        else:  # as long as it waits, for no control does anything else meanwhile
            self.notices.raise_condition("learn", f"Move a control for {waits}; L gives up", now)

    def _present(self, now: float) -> None:
        made = self.link.read_picture(after=self._sequence)
        if made is not None:
            self._sequence = made.sequence
        picture = self._early.step(made, now)
        if picture is not None:
            self.newest_picture = picture
            self.pictures_shown += 1
        try:
            moved = self.control.moved(self.hearing.step(now), now)
            if self.wall is not None:
                moved = self.wall.moved(moved)
            values = CanvasValues(self.controls, self.control.values, moved)
            notice = self.notices.badge(now)
            self.output.present(picture, values, now, self.status(), notice, self.hearing.sound)
        except Exception:  # a driver that fails for a moment must not close the window
            if self._blind_since is None:
                traceback.print_exc()
                self._blind_since = now
            if not self._seen or now - self._blind_since > BLIND_SECONDS:
                raise
            return
        self.control.values.end_events()
        self._tell_slots(now)
        self._seen, self._blind_since = True, None
        if picture is not None:
            self.latency.take(picture, time.perf_counter())
            self.control.latency = self.latency.seconds
        with self._guarded("wall", now):
            if self.wall is not None:
                self.wall.presented(self, picture, now)

    def _follow_shape(self, now: float) -> None:
        """Have pictures made in the screen's shape, once it has come to rest and no model is on its way."""
        if self.bank.loading or self.supervisor.state != "running":
            return
        aspect = self._shape.step(self.output.canvas_size, now)
        if aspect is not None:
            self.bank.reshape(aspect, _RESHAPE_SECONDS)

    def _tell_slots(self, now: float) -> None:
        """Say which slots of the rack do not show what was chosen, as long as they do not."""
        problems = dict(self.output.problems)
        if self.shaders is not None:
            problems |= {path.name: text for path, text in self.shaders.refused.items()}
        for group in self._slot_problems.keys() - problems.keys():
            self.notices.clear(f"slot {group}")
        for group, problem in problems.items():
            self.notices.raise_condition(f"slot {group}", problem, now)
        self._slot_problems = problems

    def listen(self) -> None:
        """Apply what hands did since the last frame, if they did anything: it need not wait for the next."""
        if not self.control.stirred:
            return
        now = time.perf_counter()
        with self._guarded("controls", now):
            self._apply_hands(now)
            self._collect(now)

    def _apply_hands(self, now: float) -> None:
        self.control.looks.model = self.bank.current
        for action in self.control.step(now):
            act(self, action, now)
        asked = self.control.looks.take_asked_model()
        if asked is not None:
            self.bank.load(asked)
        transition = self.control.looks.take_transition()
        if transition is not None:
            self.output.begin_transition(transition)

    @property
    def recordings(self) -> Recordings:
        """The recordings of this show."""
        return self.leaving.recordings

    @property
    def outlets(self) -> Outlets:
        """Where else the canvas goes."""
        return self.leaving.outlets

    def picture_waits(self) -> bool:
        """Whether a picture was made that has not been shown."""
        return self.link.newest_sequence > self._sequence or self._early.due(time.perf_counter())

    def state(self, clean: bool = False) -> ShowState:
        """What a show needs to go on where it is."""
        settings = self.supervisor.settings
        state = self.control.state(settings.source, settings.model, clean)
        return replace(state, encoder=settings.encoder, learned=settings.learned)

    def status(self) -> str:
        """One line for the window's title."""
        number = self.link.number
        delay = self.wall.delay if self.wall is not None else 0.0
        return (
            f"lavlive  {number('picture.rate'):.0f} pictures/s  "
            f"sound to picture {(self.latency.seconds + delay) * 1000:.0f} ms"
        )

    def stages(self) -> list[tuple[str, float]]:
        """Seconds that each stage takes, in the order of the path."""
        number = self.link.number
        return [(name, number(f"time.{name}")) for name in ("encode", "map", "generate")]

    def flash_held_back(self) -> float:
        """How much of the last change the flash limiter held back, 0 to 1."""
        return self.output.held_back

    @property
    def source(self) -> SourceSpec:
        """What is listened to."""
        return self.supervisor.settings.source

    @property
    def models(self) -> Mapping[str, str]:
        """The models to choose from: from a name to a path."""
        return self.bank.names

    @property
    def model_name(self) -> str:
        """The name of the model that makes the pictures, as the bank has it."""
        return self.bank.name

    @property
    def model_is_loading(self) -> bool:
        """Whether another one is being loaded or faded in."""
        return self.bank.loading

    def choose_model(self, path: str) -> None:
        """Fade to a model of `models`; `undo` takes it back."""
        self.bank.choose(path)

    def open_points(self, path: Path) -> None:
        """Keep the points of W in a file as keyframes, or say why not."""
        now = time.perf_counter()
        try:
            self.moments.open(path, now)
        except LavliveError as error:
            self.notices.tell(str(error), now)

    def open_model(self, path: str) -> None:
        """Take a file into `models` and fade to it; one that is refused is told, and leaves `models`."""
        self.bank.open(path)

    def load_model(self, path: str | None) -> None:
        """Load another model beside the running one, then fade to it; after one that is loading already."""
        self.bank.load(path)

    def _keep_state(self, now: float) -> None:
        # A show that never came about, for want of its device or model, is nothing to go on with.
        if self._keeper is None or not self.pictures_shown:
            return
        self._keeper.step(self.state, now)
        if self._keeper.problem is None:
            self.notices.clear("state")
        else:
            self.notices.raise_condition("state", self._keeper.problem, now)

    def _collect(self, now: float) -> None:
        """Take the snapshot that everything in this frame reads, and publish it to the engine."""
        bases = self.control.values.numbers
        numbers = self.assist.step(
            self.control.numbers(now, self.hearing.heard), bases, self.link.read_signs(), now
        )
        revision = self.control.revision + self.assist.revision
        if revision != self.controls.revision:
            self.controls = Controls(numbers, revision)
            self.link.write_parameters(self.controls.numbers, revision)
        beat = self.control.beat(now)
        own = BeatClock(now, beat.beat, beat.bpm / 60.0)
        self.link.write_beat(own if self.wall is None else self.wall.beat(own, now))
        self.moments.step(now)
        self.bank.mix(now)

    def anchor_pictures(self) -> Mapping[int, np.ndarray]:
        """The small pictures of ``anchors.numbers`` that have come, of the model and class that are shown."""
        class_index = int(self.controls.number("generator.class"))
        return self.anchors.pictures(self.moments.model_hash, class_index)

    @property
    def strange_keyframes(self) -> int:
        """How many moments that were kept are of another model than the one that is shown."""
        return self.moments.strange

    def change_source(self, source: SourceSpec) -> None:
        """Listen to another source; if it cannot be had that is told, and the one before goes on."""
        self.sources.note(source)
        self.supervisor.change_source(source)

    def _watch_sound(self, now: float) -> None:
        """Tell what is wrong with the sound that comes in, as long as it is."""
        for meter, text in _SOUND_CONDITIONS.items():
            if self.link.number(meter) > 0:
                self.notices.raise_condition(meter, text, now)
            else:
                self.notices.clear(meter)
