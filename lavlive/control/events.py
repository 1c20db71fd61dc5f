"""What other threads hand over, and the bounded inbox through which they do.

A MIDI or OSC thread calls `Inbox.put` and returns: it takes no lock, waits for nobody and cannot grow
memory. The main thread calls `Inbox.drain` once a picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar


class MidiControlKind(Enum):
    """What part of a MIDI device a message comes from; the values are the words in bindings files."""

    CC = "cc"
    CC14 = "cc14"
    NRPN = "nrpn"
    NOTE = "note"
    BEND = "bend"
    PRESSURE = "pressure"
    KEY_PRESSURE = "key-pressure"
    PROGRAM = "program"


@dataclass(frozen=True, slots=True)
class MidiControl:
    """One knob, fader, key or wheel of a device.

    Attributes:
        kind: see `MidiControlKind`.
        channel: 1 to 16; in a binding also 0, which means any channel.
        number: controller, note (also of key pressure), NRPN or program number; 0 for bend and pressure.
    """

    kind: MidiControlKind
    channel: int
    number: int

    def __str__(self) -> str:
        number = "" if self.kind in (MidiControlKind.BEND, MidiControlKind.PRESSURE) else f" {self.number}"
        channel = f" ch {self.channel}" if self.channel else ""
        return f"{self.kind.value}{number}{channel}"

    def on_any_channel(self) -> MidiControl:
        """The same control as a binding for all channels names it."""
        return MidiControl(self.kind, 0, self.number)

    def overlaps(self, other: MidiControl) -> bool:
        """Whether some message belongs to both, seen as controls of bindings."""
        same = self.on_any_channel() == other.on_any_channel()
        return same and (self.channel == other.channel or 0 in (self.channel, other.channel))


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """A knob was turned or a key was pressed.

    Attributes:
        device: name of the device, as bindings are stored under.
        control: which one.
        position: 0 to 1 over the control's own range; a released key is 0.
        raw: the number in the message: 0 to 127, or to 16383 where two bytes carry it.
        time: arrival, seconds of `time.perf_counter`.
    """

    device: str
    control: MidiControl
    position: float
    raw: int
    time: float

    @property
    def key(self) -> Hashable:
        """What an overfull inbox keeps the newest of."""
        return self.device, self.control


class ClockMessage(Enum):
    """MIDI's realtime messages about time."""

    TICK = 0xF8
    START = 0xFA
    CONTINUE = 0xFB
    STOP = 0xFC
    POSITION = 0xF2


@dataclass(frozen=True, slots=True)
class ClockEvent:
    """A MIDI clock spoke: 24 ticks to the quarter note; `position` counts sixteenths from the start."""

    device: str
    message: ClockMessage
    time: float
    position: int = 0

    @property
    def key(self) -> Hashable:
        """What an overfull inbox keeps the newest of."""
        return self.device, self.message


class Keyed(Protocol):
    """An event with a time and a key; of equal keys the newest wins when there are too many."""

    @property
    def key(self) -> Hashable: ...

    @property
    def time(self) -> float: ...


KeyedEvent = TypeVar("KeyedEvent", bound=Keyed)


class Inbox(Generic[KeyedEvent]):
    """A bounded handover from other threads to the main thread.

    Up to `limit` events wait in order. What comes on top of that is kept by key, the newest of each, so
    that a flood or a stalled main thread loses steps between but never where a knob came to rest. Each
    operation on the two containers is a single one of the interpreter's, which is why no lock is needed.

    Attributes:
        received: events put in.
        coalesced: events of a flood that a newer one of the same key replaced.
        dropped: events of which nothing was kept, because there were more than `limit` keys as well.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._queue: deque[KeyedEvent] = deque()
        self._newest: dict[Hashable, KeyedEvent] = {}
        self.received = 0
        self.coalesced = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._queue) + len(self._newest)

    def put(self, event: KeyedEvent) -> None:
        """Hand over one event (any thread)."""
        self.received += 1
        if len(self._queue) < self._limit:
            self._queue.append(event)
        elif event.key in self._newest:
            self._newest[event.key] = event
            self.coalesced += 1
        elif len(self._newest) < self._limit:
            self._newest[event.key] = event
        else:
            self.dropped += 1

    def drain(self) -> list[KeyedEvent]:
        """Everything that waits, oldest first (main thread)."""
        events = [self._queue.popleft() for _ in range(len(self._queue))]
        if self._newest:
            spilled = (self._newest.pop(key, None) for key in list(self._newest))
            events += [event for event in spilled if event is not None]
            events.sort(key=lambda event: event.time)
        return events
