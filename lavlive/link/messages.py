"""What stage and engine tell each other: every command and event, its limits, and how they are read.

    stage ── commands ──► engine      StartEngine, and everything in `Command`
    stage ◄── events ──── engine      everything in `EngineEvent`

A message travels as one line of JSON through the engine's standard input or output:

    {"version": 1, "kind": "LoadModel", "body": {"path": null, "fade": 2.0}}

A line that is none of these, or of another version, is `Misunderstood`: whoever reads it counts it and tells
the operator, and goes on. Nothing decides by the words of a text: a failure says of which kind it is.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, TypeVar, get_args

import numpy as np
from msgspec import Meta

from lavlive.audio.spec import SourceSpec
from lavlive.checking import FieldError, plain, read_as
from lavlive.link.keyframes import Keyframe
from lavlive.link.settings import Aspect, EngineSettings
from lavlive.parameters import find

VERSION = 1
"""Grows when a message changes so that the other side would misread it."""

_FADE = find("show.swap_fade")
FadeSeconds = Annotated[float, Meta(ge=_FADE.low, le=_FADE.high)]


ANCHORS = 24
"""Small pictures to choose an anchor from."""
ANCHOR_SIDE = 48
"""Their rows and columns."""
AnchorNumber = Annotated[int, Meta(ge=0, le=int(find("anchor.number").high))]


class FailureKind(Enum):
    """What went wrong, as far as it decides what to do."""

    OUT_OF_MEMORY = "out of memory"
    MODEL_DOES_NOT_FIT = "model does not fit"
    DEVICE_AWAY = "device away"
    WORKER_FAILED = "worker failed"
    UNUSABLE = "unusable"
    """What was asked for is damaged, of another kind, or not there; it would be the same the next time."""


# Commands


@dataclass(frozen=True, slots=True)
class StartEngine:
    """Be an engine from now on; the first command that an engine gets."""

    settings: EngineSettings


@dataclass(frozen=True, slots=True)
class ChangeSource:
    """Listen to another source as soon as its sound comes."""

    source: SourceSpec


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Load another model beside the running one, then fade to it.

    Attributes:
        path: of its file, or None for the bundled one.
        fade: seconds.
        aspect: shape of its pictures, width by height, or None for its own.
    """

    path: str | None
    fade: FadeSeconds
    aspect: Aspect | None = None


@dataclass(frozen=True, slots=True)
class KeepMoment:
    """Tell w of the picture that is shown, as `MomentKept`."""


@dataclass(frozen=True, slots=True)
class UseKeyframes:
    """These are the moments that loops and anchors may use; each model uses its own."""

    keyframes: tuple[Keyframe, ...]


@dataclass(frozen=True, slots=True)
class MixWith:
    """Mix the model that is shown, and those that follow it, with another one.

    Attributes:
        path: of its file, or a bundled model's name; None for none.
    """

    path: str | None


@dataclass(frozen=True, slots=True)
class DrawAnchors:
    """Draw small pictures of random w that the anchor may go to, beside the show and while it has time.

    A later one takes its place.

    Attributes:
        numbers: of the w, as ``anchor.number``.
        class_index: of a model that has classes.
    """

    numbers: Annotated[tuple[AnchorNumber, ...], Meta(max_length=ANCHORS)]
    class_index: Annotated[int, Meta(ge=0, le=9999)] = 0


# Events


@dataclass(frozen=True, slots=True)
class Waiting:
    """A spare engine has loaded its libraries."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An engine is up; its first picture can come.

    Attributes:
        source, model, runner, encoder: what it runs, for people.
        resolution: of its pictures, pixels.
        untrained: names of placeholders among model and encoder.
        seconds: what the start took.
        notes: one line each for the operator.
        path: the model's file, or None for the bundled one; of a bank, the first that could be played.
        model_hash: of the model.
    """

    source: str = ""
    model: str = ""
    runner: str = ""
    encoder: str = ""
    resolution: int = 0
    untrained: tuple[str, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    path: str | None = None
    model_hash: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The engine cannot start with what it was asked for, and ends."""

    kind: FailureKind
    text: str


@dataclass(frozen=True, slots=True)
class Failing:
    """Something broke inside the engine, which ends.

    Attributes:
        trace: where, for whoever mends it.
    """

    kind: FailureKind
    text: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class SourceOpened:
    """The device that a description turned out to mean, described so that it means no other."""

    source: SourceSpec


@dataclass(frozen=True, slots=True)
class SourceLost:
    """The device went away; the engine tries to get it back."""

    text: str


@dataclass(frozen=True, slots=True)
class SourceRunning:
    """Sound comes: of another source, or of a device that is back."""

    text: str


@dataclass(frozen=True, slots=True)
class SourceNotice:
    """What the operator should know of the source: a track's end, a driver's peculiarity."""

    text: str


@dataclass(frozen=True, slots=True)
class ProjectionRefused:
    """A projection that was asked for cannot be had; a random one takes its place."""

    text: str


@dataclass(frozen=True, slots=True)
class SourceRefused:
    """A source that was asked for cannot be had; the one before goes on."""

    source: SourceSpec
    text: str
    kind: FailureKind = FailureKind.DEVICE_AWAY


@dataclass(frozen=True, slots=True)
class ModelLoading:
    """A model is being read, beside the running one."""

    path: str | None


@dataclass(frozen=True, slots=True)
class ModelRefused:
    """A model cannot be shown; the one before goes on."""

    path: str | None
    text: str
    kind: FailureKind = FailureKind.UNUSABLE


@dataclass(frozen=True, slots=True)
class ModelReady:
    """A model is loaded and about to fade in."""

    path: str | None
    name: str = ""
    runner: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelShown:
    """A fade is over: only this model is shown.

    Attributes:
        model: its hash.
    """

    name: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class MomentKept:
    """The moment that `KeepMoment` asked for."""

    keyframe: Keyframe


@dataclass(frozen=True, slots=True)
class KeyframesRefused:
    """A moment does not fit the model that it says it is of; the others are used."""

    text: str


@dataclass(frozen=True, slots=True)
class MixReady:
    """Another model is mixed in, as far as the knobs ask for it."""

    text: str


@dataclass(frozen=True, slots=True)
class MixRefused:
    """A model cannot be mixed in; the one that is shown goes on by itself."""

    text: str
    kind: FailureKind = FailureKind.UNUSABLE


@dataclass(frozen=True, slots=True)
class BendRefused:
    """A bend is asked for where a model has no layers; it does nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class DialsFound:
    """The dials of the model that is shown, or fades in, work from now on.

    Attributes:
        model: its name.
        counts: how many dials its coarse, middle and fine layers have.
        names: what people call some of them, by ``coarse.1`` to ``fine.8``.
    """

    model: str
    counts: tuple[int, int, int]
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DialsRefused:
    """Dials, or what stands beside a model about them, cannot be used; the show goes on without."""

    text: str
    kind: FailureKind = FailureKind.UNUSABLE


@dataclass(frozen=True, slots=True)
class AnchorDrawn:
    """One of the small pictures that `DrawAnchors` asked for.

    Attributes:
        model: the hash of the model that it is of.
        number, class_index: of the w, as asked for.
        code: uint8 [48, 48, 3] in base64.
    """

    model: str
    number: AnchorNumber
    class_index: int
    code: Annotated[str, Meta(max_length=4 * ANCHOR_SIDE**2)]

    @property
    def pixels(self) -> np.ndarray:
        """Uint8 [48, 48, 3].

        Raises:
            ValueError: the code is damaged.
        """
        try:
            bytes_ = base64.b64decode(self.code, validate=True)
            return np.frombuffer(bytes_, np.uint8).reshape(ANCHOR_SIDE, ANCHOR_SIDE, 3)
        except ValueError:
            raise ValueError("code is no small picture.") from None


@dataclass(frozen=True, slots=True)
class AnchorsRefused:
    """Small pictures of a model cannot be drawn; the anchor works all the same."""

    text: str
    kind: FailureKind = FailureKind.UNUSABLE


@dataclass(frozen=True, slots=True)
class GovernorChanged:
    """Pictures are held back for the sake of the sound, or no longer.

    Attributes:
        rate: pictures per second, at most.
    """

    limiting: bool
    rate: float


@dataclass(frozen=True, slots=True)
class Misunderstood:
    """A line came that is no message; it was left out.

    Attributes:
        text: what is wrong with it, one line.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """The supervisor replaced an engine.

    Attributes:
        reason: one line.
        safe: whether the next one runs the bundled models on the CPU.
        stepped_down: whether it leaves the graphics card, whose memory was full.
        count: of replaced engines, this one included.
    """

    reason: str
    safe: bool = False
    stepped_down: bool = False
    count: int = field(default=1)


Command = StartEngine | ChangeSource | LoadModel | KeepMoment | UseKeyframes | MixWith | DrawAnchors
EngineEvent = (
    Waiting
    | Ready
    | Refused
    | Failing
    | SourceOpened
    | SourceLost
    | SourceRunning
    | SourceNotice
    | ProjectionRefused
    | SourceRefused
    | ModelLoading
    | ModelRefused
    | ModelReady
    | ModelShown
    | MomentKept
    | KeyframesRefused
    | MixReady
    | MixRefused
    | BendRefused
    | DialsFound
    | DialsRefused
    | AnchorDrawn
    | AnchorsRefused
    | GovernorChanged
    | Misunderstood
)
StageEvent = EngineEvent | Restarted
"""What the supervisor hands to the show."""

M = TypeVar("M")
_COMMANDS: dict[str, type[Command]] = {kind.__name__: kind for kind in get_args(Command)}
_EVENTS: dict[str, type[EngineEvent]] = {kind.__name__: kind for kind in get_args(EngineEvent)}


@dataclass(frozen=True, slots=True)
class _Envelope:
    version: int
    kind: str
    body: dict[str, Any]


def encode(message: Command | EngineEvent) -> str:
    """A message as one line, without its end."""
    # The standard library's JSON keeps file names that are not UTF-8.
    return json.dumps(plain(_Envelope(VERSION, type(message).__name__, plain(message))))


def read_command(line: str) -> Command | Misunderstood:
    """What a stage told; never raises."""
    return _decode(line, _COMMANDS)


def read_event(line: str) -> EngineEvent:
    """What an engine told; never raises."""
    return _decode(line, _EVENTS)


def _decode(line: str, kinds: dict[str, type[M]]) -> M | Misunderstood:
    try:
        envelope = read_as(_Envelope, json.loads(line))
    except (ValueError, RecursionError) as error:
        return Misunderstood(f"A line that is no message: {line.strip()[:60]!r} ({error}).")
    if envelope.version != VERSION:
        return Misunderstood(
            f"{envelope.kind} is of version {envelope.version}; this lavlive speaks version {VERSION}."
        )
    kind = kinds.get(envelope.kind)
    if kind is None:
        return Misunderstood(f"There is no message {envelope.kind[:60]!r} of version {VERSION}.")
    try:
        return read_as(kind, envelope.body)
    except FieldError as error:
        return Misunderstood(f"{envelope.kind}: {error}")
