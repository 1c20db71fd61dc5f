"""What the conductor's clock shows, by a node's clock and by pings: offset and slope.

A ping that left at t0 (node), came at t1 and was answered at t2 (conductor) and was back at t3 (node) holds
the offset between t1 − t0 less the way there, and t2 − t3 plus the way back. The best round trip alone is off
by half the difference of its two ways, some milliseconds where the network's jitter is 20 ms. So each way is
judged by itself: the quickest way there of the last 30 s and the quickest way back, which need not be of one
ping, each come close to the network's least delay. The slope, which crystals keep for minutes, is a robust
line (Theil-Sen) through the offsets of short stretches, and is taken away before the quickest are looked for.

The two least delays count as equal: of a network that is slower one way nobody can know by asking.

No clock here: every call is given the time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

WINDOW_SECONDS = 30.0
_STRETCH_SECONDS = 5.0
_STRETCHES = 36
_LEAST_PINGS = 4
_STEEPEST = 150e-6
"""Two poor quartzes against each other; a line that is steeper is none."""
_LEAST_STRETCHES = 8
"""Before these, on a busy machine, a line through them may be steeper than no slope is wrong."""
_JUMP_SECONDS = 0.020
_JUMPS = 5
"""So many pings in a row that the estimate cannot explain: a clock has jumped."""
_HURRY = 0.002
"""Seconds a second by which the clock that is shown moves towards a better estimate."""
_FAR = 0.025
"""An estimate so far off is taken at once."""
_FIRST = 1.0
"""So many seconds after the first estimate better ones are taken at once, too."""

QUICK_INTERVAL, INTERVAL = 0.05, 0.1
_QUICK_PINGS = 20


@dataclass(frozen=True, slots=True)
class _Sample:
    """One ping: node's time, and between what the offset lies."""

    at: float
    high: float
    low: float


class ConductorClock:
    """Estimates the conductor's clock.

    Attributes:
        pings: how many were used.
        offset: seconds to add to the node's clock, now.
        slope: seconds a second by which the offset grows.
        uncertainty: seconds; half of what the quickest ways leave open. inf before the first pings.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, as for another conductor."""
        self._quickest_there: deque[_Sample] = deque()
        self._quickest_back: deque[_Sample] = deque()
        self._stretches: deque[tuple[float, float]] = deque(maxlen=_STRETCHES)
        self._stretch: list[_Sample] = []
        self._jumps = 0
        self.pings = 0
        self.slope = 0.0
        self.uncertainty = math.inf
        self._offset, self._at = 0.0, 0.0
        self._shown: float | None = None
        self._shown_at = self._first = -math.inf
        self._asked = -math.inf

    @property
    def known(self) -> bool:
        """Whether there is an estimate."""
        return self.pings >= _LEAST_PINGS

    @property
    def offset(self) -> float:
        """The estimate at the time of the newest ping, seconds."""
        return self._offset

    def wants_ping(self, now: float) -> bool:
        """Whether it is time to ask; counts as asked."""
        interval = QUICK_INTERVAL if self.pings < _QUICK_PINGS else INTERVAL
        if now - self._asked < interval:
            return False
        self._asked = now
        return True

    def take(self, sent: float, came: float, answered: float, back: float) -> bool:
        """Use a ping: sent and back by the node's clock, came and answered by the conductor's.

        Returns False where these times cannot be.
        """
        if not sent <= back or not came <= answered or back - sent > WINDOW_SECONDS:
            return False
        sample = _Sample((sent + back) / 2, came - sent, answered - back)
        if sample.high < sample.low:  # it was answered before it was asked
            return False
        if self._explained(sample):
            self._jumps = 0
        else:
            self._jumps += 1
            if self._jumps >= _JUMPS:
                self.reset()
        self._keep(sample)
        self.pings += 1
        self._note_stretch(sample)
        self._estimate(sample.at)
        return True

    def conductor_time(self, now: float) -> float:
        """The conductor's clock at the node's `now`: small errors are mended too slowly for an eye to see."""
        estimate = self._offset + self.slope * (now - self._at)
        if self._shown is None:
            self._first = now
        elapsed = now - self._shown_at
        if self._shown is None or now - self._first < _FIRST or abs(estimate - self._shown) > _FAR:
            self._shown = estimate
        else:
            self._shown += self.slope * elapsed
            step = _HURRY * max(elapsed, 0.0)
            self._shown += min(max(estimate - self._shown, -step), step)
        self._shown_at = now
        return now + self._shown

    def _explained(self, sample: _Sample) -> bool:
        if not self.known:
            return True
        offset = self._offset + self.slope * (sample.at - self._at)
        return sample.low - _JUMP_SECONDS <= offset <= sample.high + _JUMP_SECONDS

    def _keep(self, sample: _Sample) -> None:
        """Keep a sample, without those that can no more be the quickest, whatever the slope is."""
        there, back = self._quickest_there, self._quickest_back
        while there and sample.high + _STEEPEST * (sample.at - there[-1].at) <= there[-1].high:
            there.pop()
        while back and sample.low - _STEEPEST * (sample.at - back[-1].at) >= back[-1].low:
            back.pop()
        for samples in (there, back):
            samples.append(sample)
            while sample.at - samples[0].at > WINDOW_SECONDS:
                samples.popleft()

    def _note_stretch(self, sample: _Sample) -> None:
        self._stretch.append(sample)
        begin = self._stretch[0].at
        if sample.at - begin < _STRETCH_SECONDS:
            return
        middle = (begin + sample.at) / 2
        highest, lowest = _between(self._stretch, self._stretch, self.slope, middle)
        self._stretches.append((middle, (highest + lowest) / 2))
        self._stretch = []
        if len(self._stretches) >= _LEAST_STRETCHES:
            self.slope = min(max(_theil_sen(list(self._stretches)), -_STEEPEST), _STEEPEST)

    def _estimate(self, now: float) -> None:
        highest, lowest = _between(self._quickest_there, self._quickest_back, self.slope, now)
        self._offset, self._at = (highest + lowest) / 2, now
        self.uncertainty = max(highest - lowest, 0.0) / 2


def _between(
    there: Iterable[_Sample], back: Iterable[_Sample], slope: float, now: float
) -> tuple[float, float]:
    """Between what the offset lies at `now`: the quickest way there, and the quickest way back."""
    highest = min(sample.high + slope * (now - sample.at) for sample in there)
    lowest = max(sample.low + slope * (now - sample.at) for sample in back)
    return highest, lowest


def _theil_sen(points: list[tuple[float, float]]) -> float:
    """The median of the slopes of all pairs that are at least a third of the whole apart."""
    at, offsets = np.array(points).T
    first, second = np.triu_indices(len(points), max(1, len(points) // 3))
    return float(np.median((offsets[second] - offsets[first]) / (at[second] - at[first])))
