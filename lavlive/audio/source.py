"""A source that outlives its device: it notices the loss, tries the same device again, and says so.

who               may call
its owner         start, stop, events, everything that reads
one reader        read
its watch thread  check
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Protocol, Self

from lavlive.audio.block import Block, Clock, stall_limit
from lavlive.audio.channels import ALL, Mix, Pick
from lavlive.audio.ring import Ring
from lavlive.errors import SourceError

State = Literal["idle", "running", "lost", "ended"]
EventKind = Literal["lost", "running", "ended", "notice"]

RETRY_SECONDS = 2.0
_WATCH_SECONDS = 0.25
_STOP_SECONDS = 5.0  # a driver may hang while it is asked for its devices


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """Something that the operator should know.

    Attributes:
        kind: "lost", "running" (it came back), "ended" or "notice".
        text: one line.
        time: seconds of the clock.
    """

    kind: EventKind
    text: str
    time: float


class Capture(Protocol):
    """One attempt at a device or track, from its opening until it fails or is closed.

    Attributes:
        name: as the system calls it.
        address: what means it and no other, when there are others of the same name.
        ring: where its sound arrives.
    """

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def ring(self) -> Ring: ...
    @property
    def heard(self) -> float:
        """When sound last came, seconds of the clock."""

    @property
    def ended(self) -> bool:
        """There will be no more sound, as it should be."""

    @property
    def notices(self) -> deque[str]:
        """What the operator should know, until someone takes it out."""

    def tend(self, now: float) -> str | None:
        """Look after itself, a few times a second; returns why it can no longer be used, or None."""

    def start(self) -> None:
        """Let sound come."""

    def close(self) -> None:
        """Let go of the device; never raises, never hangs."""


class Source:
    """A sound source that survives the loss of its device; a context manager.

    Args:
        opener: opens the one device or track that was chosen; raises SourceError when it is not there.
        clock: seconds.
        pick: the channels to hear; without them the device or track does not open.
        widen: told what is to be heard now, says whether the device has to be opened anew for that.

    Attributes:
        losses: how often the device went away.
    """

    def __init__(
        self,
        opener: Callable[[], Capture],
        clock: Clock = time.perf_counter,
        pick: Pick = ALL,
        widen: Callable[[Pick], bool] = lambda _: False,
    ) -> None:
        self.losses = 0
        self._own_pick = self._pick = pick
        self._widen = widen
        self._mix: tuple[Pick, Ring, Mix] | None = None
        self._seen_to = pick
        self._opener = opener
        self._clock = clock
        self._capture: Capture | None = None
        self._state: State = "idle"
        self._ring = Ring(0.1, 48_000, 1)
        self._name = ""
        self._address = ""
        self._past_xruns = 0
        self._past_dropped = 0
        self._tried = 0.0
        self._opened = 0.0
        self._events: deque[SourceEvent] = deque(maxlen=64)
        self._holding = threading.Lock()
        """Between the thread that opens and the owner that stops; never held while a driver is asked."""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The device or track, as the system calls it."""
        return self._name

    @property
    def address(self) -> str:
        """What a `SourceSpec` names to mean this very device, after a restart too; empty before `start`."""
        return self._address

    @property
    def state(self) -> State:
        """idle before `start` and after `stop`, then running, lost or ended."""
        return self._state

    @property
    def ring(self) -> Ring:
        """Where sound arrives; another one after the device came back, for its format may have changed."""
        return self._ring

    @property
    def rate(self) -> int:
        """Hertz, of what arrives now."""
        return self._ring.rate

    @property
    def channels(self) -> int:
        """Of what arrives now."""
        return self._ring.channels

    @property
    def xruns(self) -> int:
        """Gaps that the driver reported, since the start."""
        return self._past_xruns + self._ring.xruns

    @property
    def dropped_samples(self) -> int:
        """Samples per channel that were read too late, since the start."""
        return self._past_dropped + self._ring.dropped_samples

    def read(self, max_frames: int | None = None) -> Block | None:
        """The oldest sound that has not been read, or None; for one reader."""
        ring = self._ring
        block = ring.read(max_frames)
        return None if block is None else replace(block, mix=self._mix_of(ring))

    def hear(self, pick: Pick | None) -> None:
        """Hear these channels from now on, or with None those that it was opened for; by its reader.

        A device that was opened too narrow for them is opened anew, within a quarter of a second. If it has
        no such channels, it is heard as it was opened, and says so.
        """
        self._pick = self._own_pick if pick is None else pick

    def events(self) -> list[SourceEvent]:
        """What happened since the last call, oldest first."""
        return [self._events.popleft() for _ in range(len(self._events))]

    def start(self, wait_for_device: bool = False) -> None:
        """Open the device and let sound come.

        Args:
            wait_for_device: be "lost" instead of raising when it is not there now, as after a restart
                in the middle of a show.

        Raises:
            SourceError: the device or track cannot be opened.
        """
        # Of this run alone: a thread that still hangs in a driver from the run before stays stopped.
        self._stop = stop = threading.Event()
        try:
            self._open(stop)
        except Exception as error:  # of a driver too: in the middle of a show it is tried again
            if not wait_for_device:
                raise
            self._lose(str(error), self._clock())
        if stop.is_set():
            self._state = "idle"
            return
        self._thread = threading.Thread(target=self._watch, args=(stop,), name="source watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let go of the device; one that a driver is still opening is let go of as soon as it returns."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
            self._thread = None
        self._let_go()
        self._state = "idle"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check(self, now: float) -> None:
        """Look after the device: notice its loss, try again; what the thread does four times a second."""
        if self._state == "lost" and now - self._tried >= RETRY_SECONDS:
            try:
                came = self._open(self._stop)
            except SourceError:
                self._tried = self._clock()
            else:
                if came:
                    self._tell("running", f"{self._name} is back")
        elif self._state == "running" and self._capture is not None:
            self._see_to_channels()
            reason = self._capture.tend(now)
            while self._capture.notices:
                self._tell("notice", self._capture.notices.popleft())
            if reason is not None:
                self._lose(f"{self._name}: {reason}", now)
            elif self._capture.ended:
                self._state = "ended"
                self._tell("ended", f"{self._name} is over")
            elif now - self._capture.heard > stall_limit(now - self._opened):
                self._lose(f"{self._name}: no sound arrives any more", now)

    def _see_to_channels(self) -> None:
        """Have the channels that are wanted now, or say that they are not to be had."""
        pick = self._pick
        if pick == self._seen_to:
            return
        self._seen_to = pick
        if self._widen(pick):
            self._let_go()
            self._open(self._stop)
        elif pick.needs > self._ring.channels:
            text = _lacks(self._name, self._ring.channels, pick)
            self._tell("notice", f"{text}, so it goes on with {self._own_pick}")

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(_WATCH_SECONDS):
            try:
                self.check(self._clock())
            except Exception as error:  # whatever a driver raises, the watch goes on
                if stop.is_set():
                    return
                if self._state == "lost":
                    self._tried = self._clock()
                else:
                    self._lose(f"{self._name}: {type(error).__name__}: {error}", self._clock())

    def _open(self, stop: threading.Event) -> bool:
        """Open the device and let sound come; False if the source was stopped meanwhile."""
        capture = self._opener()
        if self._own_pick.needs > capture.ring.channels:
            capture.close()
            raise SourceError(_lacks(capture.name, capture.ring.channels, self._own_pick))
        try:
            capture.start()
        except SourceError:
            capture.close()
            raise
        with self._holding:
            stopped = stop.is_set()
            if not stopped:
                self._take(capture)
        if stopped:
            capture.close()
        return not stopped

    def _take(self, capture: Capture) -> None:
        self._past_xruns += self._ring.xruns
        self._past_dropped += self._ring.dropped_samples
        self._capture, self._ring = capture, capture.ring
        self._name, self._address = capture.name, capture.address
        self._opened = self._clock()
        self._state = "running"

    def _lose(self, reason: str, now: float) -> None:
        self._state = "lost"
        self.losses += 1
        self._tried = now
        self._tell("lost", f"{reason}; trying again every {RETRY_SECONDS:g} s")
        self._let_go()

    def _let_go(self) -> None:
        with self._holding:
            capture, self._capture = self._capture, None
        if capture is not None:
            capture.close()

    def _mix_of(self, ring: Ring) -> Mix:
        """How the channels in a ring become what is heard."""
        pick = self._pick if self._pick.needs <= ring.channels else self._own_pick
        if self._mix is None or self._mix[:2] != (pick, ring):
            self._mix = pick, ring, pick.mix(ring.layout, ring.channels)
        return self._mix[2]

    def _tell(self, kind: EventKind, text: str) -> None:
        self._events.append(SourceEvent(kind, text, self._clock()))


def _lacks(name: str, channels: int, pick: Pick) -> str:
    have = f"{channels} channel{'s' if channels > 1 else ''}"
    return f"{name} has {have}; there is no channel {pick.needs}"
