"""One beat for everything: from MIDI clock, from Ableton Link, or tapped."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from lavlive.control.beat.clock import ClockEstimator
from lavlive.control.events import ClockEvent
from lavlive.errors import ControlError

BEATS_PER_BAR = 4
_TAP_PAUSE = 2.5
_CLOSE_TAPS = 0.15


@dataclass(frozen=True, slots=True)
class BeatState:
    """Where the music is.

    Attributes:
        bpm: quarter notes a minute.
        beat: quarter notes since the first bar began, with fraction.
        source: ``clock``, ``link``, ``tap``, or ``none`` before anybody gave a beat.
    """

    bpm: float
    beat: float
    source: str

    @property
    def phase(self) -> float:
        """Share of the present beat that is over, 0 to 1."""
        return self.beat % 1.0

    @property
    def bar(self) -> int:
        """Number of the present bar, from 0."""
        return math.floor(self.beat / BEATS_PER_BAR)

    @property
    def known(self) -> bool:
        """Whether somebody gave this beat."""
        return self.source != "none"


class TapTempo:
    """A tempo from taps: the line through the last eight of them; a pause begins anew."""

    def __init__(self) -> None:
        self._taps: deque[float] = deque(maxlen=8)
        self._bpm: float | None = None
        self._zero = 0.0

    @property
    def bpm(self) -> float | None:
        """Quarter notes a minute, None before the second tap."""
        return self._bpm

    def tap(self, now: float) -> None:
        """One tap, on a beat. The first after a pause is a bar's first beat."""
        if self._taps and now - self._taps[-1] > _TAP_PAUSE:
            self._taps.clear()
        if self._taps and now - self._taps[-1] < _CLOSE_TAPS:
            return
        self._taps.append(now)
        count = len(self._taps)
        if count == 1:
            self._zero = now
            return
        middle = (count - 1) / 2.0
        mean = sum(self._taps) / count
        slope = sum((index - middle) * tap for index, tap in enumerate(self._taps))
        slope /= sum((index - middle) ** 2 for index in range(count))
        fitted_now = mean + slope * middle
        beats_so_far = round((fitted_now - self._zero) / slope)
        self._bpm = 60.0 / slope
        self._zero = fitted_now - beats_so_far * slope

    def beat(self, now: float) -> float:
        """Quarter notes since the first tap."""
        return (now - self._zero) * (self._bpm or 120.0) / 60.0


class AbletonLink:
    """Ableton Link through the optional package LinkPython-extern (``pip install lavlive[ableton]``).

    Raises:
        ControlError: the package is not installed.
    """

    def __init__(self) -> None:
        try:
            import link
        except ImportError:
            raise ControlError("Ableton Link needs a package: pip install 'lavlive[ableton]'.") from None
        self._session: Any = link.Link(120.0)
        self._session.enabled = True

    @property
    def peers(self) -> int:
        """How many other programs share the beat."""
        return int(self._session.numPeers())

    def state(self, now: float) -> BeatState:
        """The shared beat at `now`, seconds of `time.perf_counter`."""
        microseconds = self._session.clock().micros() + round((now - time.perf_counter()) * 1e6)
        shared = self._session.captureSessionState()
        return BeatState(shared.tempo(), shared.beatAtTime(microseconds, BEATS_PER_BAR), "link")

    def close(self) -> None:
        """Leave the session."""
        self._session.enabled = False


class Tempo:
    """Chooses among the sources of a beat: a MIDI clock that ticks, then Ableton Link with others, then taps.

    A clock that falls silent leaves its tempo behind: the beat goes on by itself.
    """

    def __init__(self, ableton: AbletonLink | None = None) -> None:
        self._clocks: dict[str, ClockEstimator] = {}
        self._tap = TapTempo()
        self._ableton = ableton
        self._kept: tuple[float, float, float] | None = None

    def take(self, event: ClockEvent) -> None:
        """Hear a MIDI clock."""
        self._clocks.setdefault(event.device, ClockEstimator()).take(event)

    def tap(self, now: float) -> None:
        """Hear a tap."""
        self._tap.tap(now)
        self._kept = None

    def state(self, now: float) -> BeatState:
        """The beat at `now`; at 120 a minute and of source ``none`` before anybody gave one."""
        for clock in self._clocks.values():
            bpm = clock.bpm
            if clock.alive(now) and clock.running and bpm is not None:
                self._kept = (bpm, clock.beat(now), now)
                return BeatState(bpm, self._kept[1], "clock")
        if self._ableton is not None and self._ableton.peers > 0:
            return self._ableton.state(now)
        if self._tap.bpm is not None and self._kept is None:
            return BeatState(self._tap.bpm, self._tap.beat(now), "tap")
        if self._kept is not None:
            bpm, beat, then = self._kept
            return BeatState(bpm, beat + (now - then) * bpm / 60.0, "clock")
        return BeatState(120.0, now * 2.0, "none")

    def close(self) -> None:
        """Leave a Link session."""
        if self._ableton is not None:
            self._ableton.close()


def seconds_until(state: BeatState, grid: float, lead: float) -> float:
    """Seconds until something should begin that is to be seen on the next multiple of `grid` beats.

    `lead` seconds pass between the beginning and the sight of it. Returns 0 when that moment is now.
    """
    per_beat = 60.0 / state.bpm
    seen = state.beat + lead / per_beat
    target = math.ceil(seen / grid - 1e-6) * grid
    return max(0.0, (target - seen) * per_beat)
