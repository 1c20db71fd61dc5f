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
from typing import TYPE_CHECKING

from lavlive.audio.spec import SourceSpec
from lavlive.control.actions import Action
from lavlive.control.control import Control
from lavlive.control.controls import CanvasValues, Controls
from lavlive.control.keyboard import key_lines
from lavlive.control.looks.presets import Preset
from lavlive.control.looks.state import ShowState, StateKeeper
from lavlive.control.sources import KnownSources
from lavlive.diagnosis.assist import Assist
from lavlive.errors import DisplayError, LavliveError
from lavlive.link.keyframes import MOST, Keyframe
from lavlive.link.memory import BeatClock, Picture, SharedBlock
from lavlive.link.messages import (
    BendRefused,
    DialsFound,
    DialsRefused,
    Failing,
    GovernorChanged,
    KeepMoment,
    KeyframesRefused,
    Misunderstood,
    ModelLoading,
    ModelReady,
    ModelRefused,
    ModelShown,
    MomentKept,
    ProjectionRefused,
    Ready,
    Refused,
    Restarted,
    SourceLost,
    SourceNotice,
    SourceOpened,
    SourceRefused,
    SourceRunning,
    StageEvent,
    UseKeyframes,
)
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import Values
from lavlive.resources import return_memory
from lavlive.show.bank import ModelBank
from lavlive.show.early import EarlyPictures
from lavlive.show.hearing import Hearing
from lavlive.show.leaving import Leaving
from lavlive.show.shape import ShapeFollower
from lavlive.show.wall import WallPart
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.notices import Notices
from lavlive.stage.output.base import (
    CloseRequested,
    KeyPressed,
    MonitorLost,
    MonitorMissed,
    MonitorReturned,
    Output,
)
from lavlive.stage.output.takers.outlets import Outlets
from lavlive.stage.recording.recordings import Recordings

if TYPE_CHECKING:
    from lavlive.stage.panel.panel import Panel
    from lavlive.stage.panel.window import PanelWindow

BLIND_SECONDS = 5.0
"""A stage that has shown nothing for so long ends: its next start goes on where it was."""
_FAILED_SECONDS = 6.0
"""How long a part has to be well before the operator no longer reads that it failed."""
_PANEL_SECONDS = 1 / 30
_RESHAPE_SECONDS = 0.5
"""Of the fade from pictures of one shape to those of another."""
_CHANGED_SECONDS = 0.3
"""Of the fade from model to model behind a transition."""
_PREVIEW_SECONDS = 0.1
_ASK_AGAIN_SECONDS = 4.0
"""So long does a second Tab mean that the panel is wanted although it covers the picture."""
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
        model_hash: of the model that is shown, "" before the first.
        dials: what the newest model's dials are, None until they are found.
        leaving: what goes out besides the picture on the screen.
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
        self.panel: PanelWindow | None = None
        self.done = False
        self.controls = Controls(control.values.numbers, -1)
        self.sources = KnownSources(supervisor.settings.source)
        self.shaders: ShaderLibrary | None = None
        self.hearing = Hearing(link)
        self.dials: DialsFound | None = None
        self.model_hash = ""
        self._keyframes: tuple[Keyframe, ...] = ()
        self.wall = wall
        self._slot_problems: dict[str, str] = {}
        self.leaving = Leaving(link, output, notices, recordings or Recordings(), outlets or Outlets())
        self._models = dict(models or {})
        self._bank = ModelBank(list(self._models.values()))
        self._coming_model: str | None = None
        self._loading = False
        self._another = False
        control.looks.bank = self._models
        self._keeper = keeper
        self._shape = shape or ShapeFollower()
        self._sequence = 0
        self._early = EarlyPictures()
        self._panel: Panel | None = None
        self._panel_drawn = self._previewed = 0.0
        self._panel_refused = float("-inf")
        self._safe = False
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
                self._take_engine_event(told, now)
        with self._guarded("shape", now):
            self._follow_shape(now)
        self._present(now)
        with self._guarded("sound", now):
            self._watch_sound(now)
        with self._guarded("recorder or another output", now):
            self.leaving.step(now, self.latency.seconds, begun=self.pictures_shown > 0)
        with self._guarded("panel", now):
            self._draw_panel(now)
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
            self._take_output_event(event, now)
        self._apply_hands(now)
        for line in self.control.notices():
            self.notices.tell(line, now)

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
        if self._loading or self.supervisor.state != "running":
            return
        aspect = self._shape.step(self.output.canvas_size, now)
        if aspect is not None:
            self._loading = True
            self.supervisor.change_shape(aspect, _RESHAPE_SECONDS)

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
        self.control.looks.model = self._coming_model or self.supervisor.settings.model
        for action in self.control.step(now):
            self._act(action, now)
        asked = self.control.looks.take_asked_model()
        if asked is not None:
            self.load_model(asked)
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
        return self._models

    @property
    def model_name(self) -> str:
        """The name of the model that makes the pictures, as the bank has it."""
        path = self.supervisor.settings.model or next(iter(self._models.values()), "")
        return next((name for name, each in self._models.items() if each == path), Path(path).stem)

    @property
    def model_is_loading(self) -> bool:
        """Whether another one is being loaded or faded in."""
        return self._loading

    def choose_model(self, path: str) -> None:
        """Fade to a model of `models`; `undo` takes it back."""
        self.control.looks.changed_model(self._coming_model or self.supervisor.settings.model, path)
        self.load_model(path)

    def open_model(self, path: str) -> None:
        """Take a file into `models` and fade to it; one that is refused is told, and leaves `models`."""
        if path not in self._models.values():
            self._models[self._bank.add(path, self._models)] = path
        self.choose_model(path)

    def toggle_panel(self) -> None:
        """Open the operator's panel, or close it."""
        if self.panel is not None:
            self.close_panel()
            return
        from lavlive.stage.panel.panel import Panel
        from lavlive.stage.panel.window import SIZE, PanelWindow

        now = time.perf_counter()
        place = self.output.make_room(SIZE)
        if place is None and now - self._panel_refused > _ASK_AGAIN_SECONDS:
            self._panel_refused = now
            self.notices.tell(
                "The panel would cover the picture: F leaves full screen, Tab again opens it all the same",
                now,
            )
            return
        try:
            self._panel = Panel(self)
            self.panel = PanelWindow(self._panel.draw, self._panel.close, place)
        except DisplayError as error:
            self.notices.tell(str(error), now)

    def close_panel(self) -> None:
        """Close the panel, if it is open."""
        panel, self.panel = self.panel, None
        if panel is not None:
            panel.close()

    def _show_keys(self) -> None:
        """In the panel where it is open, else in the terminal."""
        if self._panel is not None and self.panel is not None:
            self._panel.show("Keys")
        else:
            self.notices.explain(key_lines())

    def _learn(self, now: float) -> None:
        """Learn a control for the parameter that the panel points to, or stop learning."""
        pointed = self._panel.pointed if self._panel is not None else None
        if self.control.learning is not None:
            self.control.cancel_learn()
        elif pointed is None:
            self.notices.tell(
                "Point to a parameter, a preset or a button in the panel (Tab), then press L", now
            )
        else:
            try:
                self.control.learn(pointed)
                self.notices.tell(f"Move a control for {pointed}", now)
            except LavliveError as error:
                self.notices.tell(str(error), now)

    def _draw_panel(self, now: float) -> None:
        if self.panel is None:
            return
        from lavlive.stage.panel.section import PREVIEW

        for key in self.panel.poll():
            self.control.press(key.name, key.modifiers)
        if self.panel.should_close:
            self.close_panel()
        elif now - self._panel_drawn >= _PANEL_SECONDS:
            self._panel_drawn = now
            try:
                if self._panel is not None and now - self._previewed >= _PREVIEW_SECONDS:
                    self._previewed = now
                    self._panel.desk.preview = self.output.preview(*PREVIEW)
                self.panel.present(now)
            except Exception as error:  # the audience must not suffer from the operator's view
                traceback.print_exc()
                self.close_panel()
                self.notices.tell(f"The panel failed and was closed: {error}", now)

    def _keep_state(self, now: float) -> None:
        # A show that never came about, for want of its device or model, is nothing to go on with.
        if self._keeper is None or not self.pictures_shown:
            return
        self._keeper.step(self.state(), now)
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
        keyframes = self.control.looks.keyframes
        if keyframes is not self._keyframes and self.supervisor.state == "running":
            self._keyframes = keyframes
            self.supervisor.send(UseKeyframes(keyframes))
            self._tell_strange_keyframes(now)

    def _tell_strange_keyframes(self, now: float) -> None:
        """Say how many moments belong to other models: they are kept, and return with their model."""
        strange = self.strange_keyframes
        if strange:
            are = f"{strange} keyframe{'s are' if strange > 1 else ' is'}"
            self.notices.tell(f"{are} of another model: kept, and used again with it", now)

    @property
    def strange_keyframes(self) -> int:
        """How many moments that were kept are of another model than the one that is shown."""
        kept = self.control.looks.keyframes
        return sum(not keyframe.is_of(self.model_hash) for keyframe in kept) if self.model_hash else 0

    def _take_output_event(self, event: object, now: float) -> None:
        match event:
            case CloseRequested():
                self.done = True
            case KeyPressed(name=name, modifiers=modifiers):
                self.control.press(name, modifiers)
            case MonitorLost(name=name):
                self.notices.raise_condition(
                    f"monitor {name}", f"Monitor {name} is gone: the picture waits for it", now
                )
            case MonitorReturned(name=name):
                self.notices.clear(f"monitor {name}")
            case MonitorMissed(name=name):
                self.notices.tell(
                    f"The window manager does not put the picture on {name}: move the window there, then F",
                    now,
                )

    def _act(self, action: Action, now: float) -> None:
        match action.name:
            case "quit":
                self.done = True
            case "fullscreen":
                self.output.toggle_fullscreen()
            case "panel":
                self.toggle_panel()
            case "keyframe.keep":
                self.supervisor.send(KeepMoment())
            case "record":
                self.recordings.toggle()
            case "mapping.edit" | "mapping.pattern" | "mapping.identify":
                self._map(action.name)
            case "output.stream" | "output.ndi" | "output.camera" | "output.syphon":
                self._toggle_outlets(action.name.removeprefix("output."), now)
            case "help":
                self._show_keys()
            case "learn":
                self._learn(now)
            case "preset.loaded":
                self.notices.tell(action.argument, now)
            case "model.load":
                self.load_model(action.argument or None)
            case "source.next" | "source.input" | "source.loopback" | "source.track" | "source.demo":
                self.change_source(self.sources.meant_by(action))
            case "model.next" | "model.previous":
                self._change_model(1 if action.name == "model.next" else -1, now)

    def _map(self, action: str) -> None:
        mapping = self.output.mapping
        if mapping is None:
            self.notices.tell("There is no window to map", time.perf_counter())
        elif action == "mapping.edit":
            mapping.toggle_editing()
        elif action == "mapping.pattern":
            mapping.toggle_pattern()
        else:
            mapping.identify()

    def _toggle_outlets(self, kind: str, now: float) -> None:
        if not self.outlets.toggle(kind):
            self.notices.tell(f"There is no {kind} to switch on; lavlive outputs says what there is", now)

    def _change_model(self, direction: int, now: float) -> None:
        if len(self._models) < 2:
            self.notices.tell("One model only: start with --model FOLDER for a bank of them", now)
            return
        current = self._coming_model or self.supervisor.settings.model or next(iter(self._models.values()))
        chosen = self._bank.step(current, direction)
        if chosen is None:
            self.notices.tell("The folder holds no other model that can be played", now)
            return
        self.control.looks.changed_model(current, chosen)
        self.load_model(chosen)

    def change_source(self, source: SourceSpec) -> None:
        """Listen to another source; if it cannot be had that is told, and the one before goes on."""
        self.sources.note(source)
        self.supervisor.change_source(source)

    def _pass_over(self, path: str | None) -> None:
        """A model was refused: where a hand asked for it, the bank's next one in that direction is tried."""
        is_asked = path is not None and path == self._coming_model
        if self._bank.forget(path):
            for name in [name for name, each in self._models.items() if each == path]:
                del self._models[name]
            self._model_arrived()
            return
        instead = self._bank.refuse(path, self.supervisor.settings.model)
        self._model_arrived()
        if is_asked and instead is not None:
            self.load_model(instead)

    def load_model(self, path: str | None) -> None:
        """Load another model beside the running one, then fade to it; after one that is loading already."""
        self._coming_model = path
        self._another = self._loading
        if self._loading:
            return
        self._loading = True
        fade = self.controls.number("show.swap_fade")
        if self.control.looks.transitions:
            fade = min(fade, _CHANGED_SECONDS)
        self.supervisor.load_model(path, fade)

    def _model_arrived(self) -> None:
        """The model that was loading is shown, or will never be: on to the one chosen meanwhile."""
        coming, self._coming_model, self._loading = self._coming_model, None, False
        if self._another:
            self.load_model(coming)

    def _take_engine_event(self, told: StageEvent, now: float) -> None:
        notices = self.notices
        match told:
            case Ready():
                notices.clear("engine")
                self.model_hash = told.model_hash
                self._keyframes = ()  # a new engine knows of none
                for name in told.untrained:
                    notices.tell(f"{name}: untrained placeholder", now)
                for note in told.notes:
                    notices.tell(note, now)
                # Of the engine before, if there was one.
                return_memory()
            case Restarted():
                self._take_restart(told, now)
            case SourceOpened():
                notices.clear("source")
            case SourceRefused(source=source, text=text):
                self.sources.forget(source)
                notices.tell(text, now)
            case SourceLost(text=text):
                notices.raise_condition("source", text, now)
            case SourceRunning(text=text):
                notices.clear("source")
                notices.tell(text, now)
            case Refused() if not (self.pictures_shown or self.supervisor.settings.resumed):
                pass  # the show ends with it, and whoever started it says so
            case ModelLoading(path=path):
                notices.tell(f"Loading {path or 'the bundled model'}", now)
            case ModelRefused(path=path, text=text):
                notices.tell(text, now)
                self._pass_over(path)
            case ModelReady():
                self.dials = None  # those of the one that fades in are told when they are found
                if self.control.looks.transitions and self._coming_model is not None:
                    self.output.begin_transition(self.controls.number("show.swap_fade"))
            case ModelShown(name=name):
                self.model_hash = told.model
                self._model_arrived()
                notices.tell(f"Model {name}", now)
                self._tell_strange_keyframes(now)
            case MomentKept(keyframe=keyframe):
                count = len(self.control.looks.keyframes) + 1
                if self.control.looks.keep(keyframe):
                    notices.tell(f"Keyframe {count} kept", now)
                else:
                    notices.tell(f"There are {MOST} keyframes already: Shift+K forgets the last", now)
            case DialsFound():
                self.dials = told
            case GovernorChanged(limiting=True):
                notices.raise_condition("governor", "The machine is busy: fewer pictures a second", now)
            case GovernorChanged():
                notices.clear("governor")
            case Misunderstood(text=text):
                notices.tell(f"A message between stage and engine was left out: {text}", now)
            case (
                SourceNotice(text=text)
                | ProjectionRefused(text=text)
                | DialsRefused(text=text)
                | KeyframesRefused(text=text)
                | BendRefused(text=text)
                | Failing(text=text)
                | Refused(text=text)
            ):
                notices.tell(text, now)

    def _take_restart(self, told: Restarted, now: float) -> None:
        """Say why the pictures stand still; in safe mode begin again with the default look, too."""
        self._another = False
        self._model_arrived()
        self.notices.raise_condition("engine", f"Starting the engine again: {told.reason}", now)
        if told.stepped_down:
            self.notices.raise_condition("memory", "Out of memory: the CPU makes the pictures", now)
        if told.safe and not self._safe:
            self._safe = True
            self.notices.raise_condition("safe", "Safe mode: bundled models on the CPU, default look", now)
            default = Preset("", "", None, Values().saved(), {})
            self.control.looks.recall(default, now, seconds=0.0)

    def _watch_sound(self, now: float) -> None:
        """Tell what is wrong with the sound that comes in, as long as it is."""
        for meter, text in _SOUND_CONDITIONS.items():
            if self.link.number(meter) > 0:
                self.notices.raise_condition(meter, text, now)
            else:
                self.notices.clear(meter)
