"""What a conductor and its nodes tell each other, and how it is read.

    conductor ── Moment, every hop; at least 20 a second ──► nodes
    conductor ── Look, once a second and on change ────────► nodes
    node ──────── Ping ──► conductor ── Pong ──► that node
    node ──────── Report, twice a second ──► conductor

All of it is state, no event: whatever is lost is told again by the next one. A message is MessagePack of a
tagged array whose first fields are its kind and `VERSION`. What is none of these is a `StrangeMessageError`,
which whoever reads it counts and tells, and goes on.

Every time is in seconds of the clock of the machine that it is named after.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from lavlive.parameters import NAMES, TABLE

VERSION = 1
"""Grows when a message changes so that the other side would misread it."""

LARGEST = 65_000
"""Bytes of the largest message that is looked at; a datagram has no more."""
WIDEST_W = 1024
SPENT = 577
"""Places of the canvas that are told of: 18 rows of 32, and the whole."""
_SPENT_STEP = 0.005
LONGEST_SPENT = 255 * _SPENT_STEP
"""Seconds for which a place can be told to be spent: 1.275."""

TABLE_HASH = hashlib.sha256("\n".join(NAMES).encode()).hexdigest()[:16]
"""Of the parameters' names in their order: numbers are told without names."""

_LOW = np.array([parameter.low for parameter in TABLE])
_HIGH = np.array([parameter.high for parameter in TABLE])

Word = Annotated[str, Meta(max_length=200)]
Line = Annotated[str, Meta(max_length=1000)]


class StrangeMessageError(ValueError):
    """What came is no message of ours.

    Attributes:
        version: of the lavlive that sent it, where it is a message of another version; else None.
    """

    def __init__(self, text: str, version: int | None = None) -> None:
        super().__init__(text)
        self.version = version


class _Message(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A message: its kind, the version, and its fields in their order."""

    version: int = VERSION


class Moment(_Message, frozen=True, array_like=True, kw_only=True, tag="moment"):
    """What one hop of sound shows, and everything that a hand has set, whole.

    Attributes:
        show: names the conductor's run; another one begins anew.
        sequence: grows by one with each Moment of a run.
        captured: conductor's clock, capture time of the newest sample behind `deviation`.
        sent: conductor's clock.
        delay: seconds after `captured` at which nodes show it.
        width: of W.
        deviation: float16 [3, width], bytes; nothing where there is no sound yet.
        numbers: float32 in the parameters' order, bytes.
        revision: of the numbers.
        tempo: quarter notes a minute.
        beat: quarter notes since the first bar began, when this was sent.
        moved: values of what is loaded at run time, as beat and sound move them, by name.
        onset: 0 to 1.
        spectrum: float16 [64], decibels, bytes.
        chroma: float16 [12], bytes.
        identify: the node that shows its name now, "*" for all.
        spent: uint8 [577], in steps of 5 ms, for how long each place of the conductor's canvas may
            not flash again, as seen when this was sent; nothing where all may.
    """

    show: int
    sequence: Annotated[int, Meta(ge=0)]
    captured: float
    sent: float
    delay: Annotated[float, Meta(ge=0, le=5)]
    width: Annotated[int, Meta(ge=0, le=WIDEST_W)]
    deviation: bytes
    numbers: bytes
    revision: int
    tempo: float = 0.0
    beat: float = 0.0
    moved: dict[Word, float] = {}
    onset: float = 0.0
    spectrum: bytes = b""
    chroma: bytes = b""
    identify: Word = ""
    spent: bytes = b""


class Look(_Message, frozen=True, array_like=True, kw_only=True, tag="look"):
    """What is loaded, told slowly.

    Attributes:
        show: as of `Moment`.
        software: version of lavlive, for people.
        table: `TABLE_HASH` of the conductor.
        preset: its name, or "".
        model: name of the model that the conductor shows.
        model_hash: SHA-256 of its file, or "" where it is not known yet.
        loaded: slots and inputs of shaders, by name: numbers, texts and switches.
        shaders: SHA-256 of each shader's text, by name.
        mix: name of the model that the conductor mixes in, or "".
        mix_hash: SHA-256 of its file, or "" where it is not known yet.
    """

    show: int
    software: Word
    table: Word
    preset: Word = ""
    model: Line = ""
    model_hash: Word = ""
    loaded: dict[Word, bool | int | float | Word] = {}
    shaders: dict[Word, Word] = {}
    mix: Line = ""
    mix_hash: Word = ""


class Ping(_Message, frozen=True, array_like=True, kw_only=True, tag="ping"):
    """A node asks for the time. `sent` is by the node's clock."""

    node: Word
    number: int
    sent: float


class Pong(_Message, frozen=True, array_like=True, kw_only=True, tag="pong"):
    """The conductor's answer.

    Attributes:
        node, number, sent: of the ping.
        came, answered: conductor's clock.
        show: as of `Moment`.
    """

    node: Word
    number: int
    sent: float
    came: float
    answered: float
    show: int


class Report(_Message, frozen=True, array_like=True, kw_only=True, tag="report"):
    """How a node fares.

    Attributes:
        node: its name; every node of a wall has another.
        software: version of lavlive.
        pictures: per second.
        latency: seconds from the capture of the sound to the picture on this node's screen.
        offset: seconds that this node's clock is behind the conductor's.
        uncertainty: of the offset, seconds; half of what the quickest ways leave open.
        lateness: seconds after its capture within which 99 % of the Moments come.
        ahead: seconds that this node's pictures need from a deviation to the screen.
        lost: Moments that never came.
        late: Moments that came after they were to be shown.
        strange: messages that were none.
        model: name of the model that it shows.
        place: what it shows of the whole, for people.
        note: what its operator should know, or "".
    """

    node: Word
    software: Word = ""
    pictures: float = 0.0
    latency: float = 0.0
    offset: float = 0.0
    uncertainty: float = 0.0
    lateness: float = 0.0
    ahead: float = 0.0
    lost: int = 0
    late: int = 0
    strange: int = 0
    model: Line = ""
    place: Word = ""
    note: Line = ""


FromConductor = Moment | Look | Pong
FromNode = Ping | Report
AnyMessage = FromConductor | FromNode

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Moment | Look | Pong | Ping | Report)


def encode(message: AnyMessage) -> bytes:
    """A message as it travels."""
    return _ENCODER.encode(message)


def read_from_conductor(payload: bytes) -> FromConductor:
    """What a conductor told.

    Raises:
        StrangeMessageError: it is no such message, of another version, or a number in it is not finite.
    """
    message = _decode(payload)
    if isinstance(message, Moment | Look | Pong):
        return message
    raise StrangeMessageError(f"a {type(message).__name__}, which no conductor tells.")


def read_from_node(payload: bytes) -> FromNode:
    """What a node told.

    Raises:
        StrangeMessageError: as of `read_from_conductor`.
    """
    message = _decode(payload)
    if isinstance(message, Ping | Report):
        return message
    raise StrangeMessageError(f"a {type(message).__name__}, which no node tells.")


def _decode(payload: bytes) -> AnyMessage:
    if len(payload) > LARGEST:
        raise StrangeMessageError(f"{len(payload)} bytes are no message.")
    version = _version_of(payload)
    if version is not None and version != VERSION:
        raise StrangeMessageError(
            f"a message of version {version}; this lavlive speaks version {VERSION}", version
        )
    try:
        message: AnyMessage = _DECODER.decode(payload)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise StrangeMessageError(f"{len(payload)} bytes are no message: {str(error)[:120]}") from None
    _check_finite(message)
    return message


def _version_of(payload: bytes) -> int | None:
    """The version that a message names, also where its further fields are not ours."""
    try:
        first = msgspec.msgpack.decode(payload)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    is_message = isinstance(first, list) and len(first) > 1 and isinstance(first[0], str)
    return first[1] if is_message and isinstance(first[1], int) else None


def _check_finite(message: AnyMessage) -> None:
    for name in message.__struct_fields__:
        value = getattr(message, name)
        numbers = value.values() if isinstance(value, dict) else (value,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise StrangeMessageError(f"{name} of a {type(message).__name__} is not finite.")


# The arrays inside


def pack(array: np.ndarray, kind: str) -> bytes:
    """An array as little-endian bytes: ``<f2`` or ``<f4``; what is too large for it is held at its limit."""
    limit = np.finfo(kind).max
    return bytes(np.clip(array, -limit, limit).astype(kind).tobytes())


@dataclass(frozen=True, slots=True)
class Content:
    """A Moment with its arrays unpacked and checked.

    Attributes:
        moment: the rest of it.
        deviation: float32 [3, width].
        numbers: float64 in the parameters' order, each inside its range.
        spectrum: float32 [64] or None.
        chroma: float32 [12] or None.
        moved: values of drives, by name.
        spent: float64 [577], conductor's clock, until when places may not flash again; None where all may.
    """

    moment: Moment
    deviation: np.ndarray
    numbers: np.ndarray
    spectrum: np.ndarray | None
    chroma: np.ndarray | None
    moved: dict[str, float]
    spent: np.ndarray | None = None


def pack_spent(until: np.ndarray, now: float) -> bytes:
    """What places of the canvas are spent for, as `Moment.spent`: rounded up, 1.275 s at the most.

    Args:
        until: [577], by the clock of `now`.
    """
    left = np.ceil(np.clip((until - now) / _SPENT_STEP, 0, 255)).astype(np.uint8)
    return left.tobytes() if left.any() else b""


def unpack(moment: Moment) -> Content:
    """The arrays of a Moment.

    Raises:
        StrangeMessageError: they have other lengths than they should, or hold what is not finite.
    """
    deviation = _array(moment.deviation, "<f2", 3 * moment.width, "deviation").reshape(3, moment.width)
    numbers = _array(moment.numbers, "<f4", len(TABLE), "numbers").astype(np.float64)
    spectrum = _array(moment.spectrum, "<f2", 64, "spectrum") if moment.spectrum else None
    chroma = _array(moment.chroma, "<f2", 12, "chroma") if moment.chroma else None
    if len(moment.spent) not in (0, SPENT):
        raise StrangeMessageError(f"the spent places of a Moment are {len(moment.spent)} and not {SPENT}.")
    left = np.frombuffer(moment.spent, np.uint8)
    spent = np.where(left > 0, moment.sent + _SPENT_STEP * left, 0.0) if len(left) else None
    # Rounding to float32 leaves a range's end by a hair.
    return Content(moment, deviation, np.clip(numbers, _LOW, _HIGH), spectrum, chroma, moment.moved, spent)


def _array(data: bytes, kind: str, length: int, name: str) -> np.ndarray:
    if len(data) != length * np.dtype(kind).itemsize:
        raise StrangeMessageError(f"the {name} of a Moment have another length ({len(data)} bytes).")
    array = np.frombuffer(data, kind).astype(np.float32)
    if not np.isfinite(array).all():
        raise StrangeMessageError(f"the {name} of a Moment are not finite.")
    return array
