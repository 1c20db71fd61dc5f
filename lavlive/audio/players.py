"""Tracks as sources: a track keeps its own pace, silently, whether or not anyone hears it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from lavlive.audio.ring import Ring
from lavlive.audio.tracks import ReadAhead, Track

Clock = Callable[[], float]

RING_SECONDS = 4.0
_STEP = 0.01
"""Seconds of sound handed over at a time."""
_CATCH_UP = 0.5
"""A pacer that is later than this goes on from now instead of hurrying after the clock."""


class SilentPlayer:
    """Plays a track into its ring at the track's own pace.

    The capture time of a sample is the moment at which it is due, so it has no jitter. After a stall (a
    busy machine, a laptop that slept) up to half a second is caught up; more counts as a gap, and the
    track goes on where it was.

    Args:
        track: taken over; closed by `close`.
        loop: begin again without a gap.
        clock: seconds.

    Attributes:
        stalls: how often the pace was given up and taken up anew.
    """

    patience = float("inf")
    """A track is never given up for being quiet; it paces itself."""

    def __init__(self, track: Track, loop: bool, clock: Clock) -> None:
        self.name = track.name
        self.rate = track.rate
        self.ring = Ring(RING_SECONDS, track.rate, track.channels)
        self.stalls = 0
        self._clock = clock
        self._step = max(1, round(_STEP * track.rate))
        self._piece = np.zeros((self._step, track.channels), np.float32)
        self._ahead = ReadAhead(track, loop)
        self._began = clock()
        self._played = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to play, from a thread of its own."""
        self._began = self._clock()
        self._thread = threading.Thread(target=self._run, name="track pacer", daemon=True)
        self._thread.start()

    def pace(self, now: float) -> None:
        """Hand over all steps that are due at `now`; what the thread does again and again."""
        late = now - self._began - (self._played + self._step) / self.rate
        gap = late > _CATCH_UP
        if gap:
            self.stalls += 1
            self._began += late
        while not self._ahead.finished:
            due = self._began + (self._played + self._step) / self.rate
            if due > now:
                return
            count = self._ahead.take(self._piece)
            if not count:
                return
            self._played += count
            self.ring.write(self._piece[:count], self._began + self._played / self.rate, gap=gap)
            gap = False

    @property
    def heard(self) -> float:
        """When sound last came, seconds of the clock."""
        return self._began + self._played / self.rate

    @property
    def ended(self) -> bool:
        """The track is over."""
        return self._ahead.finished

    def failure(self) -> str | None:
        """A track on disk does not go away while it is open."""
        return None

    def close(self) -> None:
        """Stop, and close the track."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._ahead.close()

    def _run(self) -> None:
        while not self._stop.wait(_STEP / 2):
            self.pace(self._clock())
