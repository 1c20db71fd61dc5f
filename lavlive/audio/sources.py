"""Where sound comes from: a line-in, a loopback of what the machine plays, or a track.

    spec = SourceSpec("track", "song.flac")
    with open_source(spec) as source:
        cutter = HopCutter()
        while source.state != "ended":
            block = source.read()
            hops = cutter.step(block) if block else []

A source that loses its device stays a source: its state becomes "lost", it tries the same device again
every 2 s by name, never another one instead, and is "running" when it has it back.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from types import TracebackType
from typing import Any, Literal, Protocol, Self, get_args

from lavlive.audio.block import Block
from lavlive.audio.players import Clock, SilentPlayer
from lavlive.audio.ring import Ring
from lavlive.audio.tracks import Track
from lavlive.errors import SourceError
from lavlive.resources import shipped

Kind = Literal["input", "loopback", "track", "demo"]
State = Literal["idle", "running", "lost", "ended"]

RETRY_SECONDS = 2.0
STALL_SECONDS = 1.0
_WATCH_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What to listen to; all that a restarted engine needs to open the same source.

    Attributes:
        kind: "input" (line-in), "loopback" (what the machine plays), "track", or "demo".
        name: of the device (any part that is unique, or its index) or the track's path; None for the
            system's default device. Unused for "demo".
        aloud: a track is played through the default output too.
        loop: a track begins again after its end.
    """

    kind: Kind
    name: str | None = None
    aloud: bool = False
    loop: bool = True

    def to_json(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SourceSpec:
        """From what `to_json` gave, perhaps read from a file.

        Raises:
            SourceError: a value has the wrong type.
        """
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        spec = cls(**known) if "kind" in known else None
        if (
            spec is None
            or spec.kind not in get_args(Kind)
            or not isinstance(spec.name, str | None)
            or not isinstance(spec.aloud, bool)
            or not isinstance(spec.loop, bool)
            or (spec.kind == "track" and not spec.name)
        ):
            raise SourceError(f"not a description of a sound source: {values!r}")
        return spec


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """Something that the operator should know.

    Attributes:
        kind: "lost", "running" (it came back), "ended" or "notice".
        text: one line.
        time: seconds of the clock.
    """

    kind: Literal["lost", "running", "ended", "notice"]
    text: str
    time: float


class Capture(Protocol):
    """One attempt at a device or track, from its opening until it fails or is closed.

    Attributes:
        name: as the system calls it.
        ring: where its sound arrives.
        patience: seconds without sound after which it counts as dead.
    """

    @property
    def name(self) -> str: ...
    @property
    def ring(self) -> Ring: ...
    @property
    def patience(self) -> float: ...
    @property
    def heard(self) -> float:
        """When sound last came, seconds of the clock."""

    @property
    def ended(self) -> bool:
        """There will be no more sound, as it should be."""

    def failure(self) -> str | None:
        """Why the device can no longer be used, or None."""

    def start(self) -> None:
        """Let sound come."""

    def close(self) -> None:
        """Let go of the device; never raises, never hangs."""


class Source:
    """A sound source that survives the loss of its device; a context manager.

    Args:
        opener: opens the one device or track that was chosen; raises SourceError when it is not there.
        clock: seconds.

    Attributes:
        losses: how often the device went away.
    """

    def __init__(self, opener: Callable[[], Capture], clock: Clock = time.perf_counter) -> None:
        self.losses = 0
        self._opener = opener
        self._clock = clock
        self._capture: Capture | None = None
        self._state: State = "idle"
        self._ring = Ring(0.1, 48_000, 1)
        self._name = ""
        self._past_xruns = 0
        self._past_dropped = 0
        self._tried = 0.0
        self._events: deque[SourceEvent] = deque(maxlen=64)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The device or track, as the system calls it."""
        return self._name

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
        return self._ring.read(max_frames)

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
        try:
            self._open()
        except SourceError as error:
            if not wait_for_device:
                raise
            self._lose(str(error), self._clock())
        self._stop.clear()
        self._thread = threading.Thread(target=self._watch, name="source watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let go of the device."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
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
                self._open()
            except SourceError:
                self._tried = self._clock()
            else:
                self._tell("running", f"{self._name} is back")
        elif self._state == "running" and self._capture is not None:
            reason = self._capture.failure()
            if reason is not None:
                self._lose(f"{self._name}: {reason}", now)
            elif self._capture.ended:
                self._state = "ended"
                self._tell("ended", f"{self._name} is over")
            elif now - self._capture.heard > self._capture.patience:
                self._lose(f"{self._name}: no sound arrives any more", now)

    def _watch(self) -> None:
        while not self._stop.wait(_WATCH_SECONDS):
            self.check(self._clock())

    def _open(self) -> None:
        capture = self._opener()
        self._past_xruns += self._ring.xruns
        self._past_dropped += self._ring.dropped_samples
        self._capture, self._ring, self._name = capture, capture.ring, capture.name
        capture.start()
        self._state = "running"

    def _lose(self, reason: str, now: float) -> None:
        self._state = "lost"
        self.losses += 1
        self._tried = now
        self._tell("lost", f"{reason}; trying again every {RETRY_SECONDS:g} s")
        self._let_go()

    def _let_go(self) -> None:
        if self._capture is not None:
            self._capture.close()
            self._capture = None

    def _tell(self, kind: Literal["lost", "running", "ended", "notice"], text: str) -> None:
        self._events.append(SourceEvent(kind, text, self._clock()))


def open_source(spec: SourceSpec, clock: Clock = time.perf_counter) -> Source:
    """A source for a description; `start` opens it.

    Args:
        spec: what to listen to.
        clock: seconds.
    """

    def opener() -> Capture:
        return SilentPlayer(Track(_track_path(spec)), spec.loop, clock)

    return Source(opener, clock)


def _track_path(spec: SourceSpec) -> str:
    return str(shipped("data") / "demo.ogg") if spec.kind == "demo" else str(spec.name)
