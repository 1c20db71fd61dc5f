"""What phones are shown: the table of parameters, where everything stands, and how the show fares.

The show's thread makes a `Scene`, whole, and forgets it. What a phone has not been told of the newest one is
worked out per phone, in the server's thread: a slow phone skips what lies between.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec import Struct

from lavlive.audio.condition import CLIP
from lavlive.parameters import LOADED_GROUPS, Parameter, ParameterKind, is_event
from lavlive.parameters.words import label, slot_title, title, written

FIRST = (
    "show.master",
    "mapper.y",
    "mapper.c",
    "mapper.place",
    "smoothing.coarse",
    "smoothing.middle",
    "smoothing.fine",
    "generator.truncation",
)
"""What a performer moves most: these faders stand above the others, unfolded."""
_IN_TWO = ("dial", "bend")
"""Groups of parameters that are told apart by the second part of their names, too."""
_LONGEST_ALARM = 300


class Row(Struct, frozen=True):
    """One parameter as a phone draws it.

    Attributes:
        group: what it stands under.
        default: as it is written.
        zero: where the fader is filled from, 0 to 1.
        event: whether it is a button that is down for one picture.
    """

    name: str
    label: str
    group: str
    help: str
    kind: str
    default: str
    low: str
    high: str
    zero: float
    choices: tuple[str, ...]
    event: bool


class Desk(Struct, frozen=True, tag_field="kind", tag="desk"):
    """What there is to move."""

    rows: tuple[Row, ...]
    first: tuple[str, ...]
    presets: tuple[str, ...]


class Moved(Struct, frozen=True, tag_field="kind", tag="moved"):
    """Parameters that stand elsewhere: row of the desk, place 0 to 1, and the value as it is written."""

    rows: list[tuple[int, float, str]]


class Look(Struct, frozen=True, tag_field="kind", tag="look"):
    """What is shown now.

    Attributes:
        preset: the one recalled last, or "".
        ends: the presets at the fader's ends, "" where none is chosen.
        waiting: actions that wait for the beat.
        model: its name.
        loading: whether another is on its way.
        alarm: what the operator's panel tells, or "".
    """

    preset: str = ""
    ends: tuple[str, str] = ("", "")
    waiting: tuple[str, ...] = ()
    model: str = ""
    loading: bool = False
    alarm: str = ""


class Meters(Struct, frozen=True, tag_field="kind", tag="meters"):
    """How the show fares.

    Attributes:
        pictures: a second.
        level: of the sound, dB below full scale.
        sound: ``silent``, ``quiet``, ``good`` or ``loud``.
        bpm: beats a minute, 0 where there is no tempo.
        tick: another in each; a phone that hears none for seconds knows that nobody is there.
    """

    pictures: float = 0.0
    level: float = -60.0
    sound: str = "silent"
    bpm: float = 0.0
    tick: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a phone can see, at one moment.

    Attributes:
        parameters: those that are there.
        numbers: their values, as they travel in the link.
        presets: names, in their order.
    """

    parameters: tuple[Parameter, ...]
    numbers: tuple[float, ...]
    presets: tuple[str, ...]
    look: Look
    meters: Meters


class Clerk:
    """Writes messages; what is the same for every phone once. Belongs to the server's thread."""

    def __init__(self) -> None:
        self._desk: tuple[tuple[Parameter, ...], tuple[str, ...], bytes] | None = None

    def desk(self, scene: Scene) -> bytes:
        """The table of what there is."""
        kept = self._desk
        if kept is None or kept[0] != scene.parameters or kept[1] != scene.presets:
            rows = tuple(_row(parameter) for parameter in scene.parameters if not parameter.guarded)
            message = msgspec.json.encode(Desk(rows, FIRST, scene.presets))
            kept = self._desk = (scene.parameters, scene.presets, message)
        return kept[2]


class Told:
    """What one phone knows."""

    def __init__(self, clerk: Clerk) -> None:
        self._clerk = clerk
        self._desk = b""
        self._numbers: tuple[float, ...] = ()
        self._look: Look | None = None
        self._meters: Meters | None = None

    def news(self, scene: Scene) -> list[bytes]:
        """The messages after which the phone knows the scene; it counts as told."""
        news: list[bytes] = []
        desk = self._clerk.desk(scene)
        if desk is not self._desk:
            self._desk, self._numbers = desk, ()
            news.append(desk)
        moved = self._moved(scene)
        if moved:
            news.append(msgspec.json.encode(Moved(moved)))
        if scene.look != self._look:
            self._look = scene.look
            news.append(msgspec.json.encode(scene.look))
        if scene.meters != self._meters:
            self._meters = scene.meters
            news.append(msgspec.json.encode(scene.meters))
        return news

    def _moved(self, scene: Scene) -> list[tuple[int, float, str]]:
        if scene.numbers == self._numbers:
            return []
        before, self._numbers = self._numbers or (None,) * len(scene.numbers), scene.numbers
        moved = []
        index = 0
        for parameter, number, old in zip(scene.parameters, scene.numbers, before, strict=True):
            if parameter.guarded:
                continue
            if number != old:
                value = parameter.value(number)
                moved.append((index, round(parameter.to_unit(value), 4), written(parameter, value)))
            index += 1
        return moved


def alarm_of(badge: str | None) -> str:
    """What the panel tells, short enough for a phone."""
    return (badge or "")[:_LONGEST_ALARM]


def sound_of(level: float, peak: float, silent: bool, quiet: bool) -> str:
    """What the lamp says about the sound; `level` and `peak` are shares of full scale."""
    if silent or level <= 0:
        return "silent"
    if peak >= CLIP:
        return "loud"
    return "quiet" if quiet else "good"


def _row(parameter: Parameter) -> Row:
    bipolar = parameter.low < 0 < parameter.high and parameter.kind is not ParameterKind.CHOICE
    return Row(
        name=parameter.name,
        label=label(parameter),
        group=_group(parameter.name),
        help=parameter.help,
        kind=parameter.kind.value,
        default=written(parameter, parameter.default),
        low=written(parameter, parameter.value(parameter.low)),
        high=written(parameter, parameter.value(parameter.high)),
        zero=round(parameter.to_unit(0.0), 4) if bipolar else 0.0,
        choices=parameter.choices,
        event=is_event(parameter),
    )


def _group(name: str) -> str:
    head, _, rest = name.partition(".")
    if head in LOADED_GROUPS:
        return slot_title(head)
    return title(f"{head}.{rest.partition('.')[0]}" if head in _IN_TWO else head)
