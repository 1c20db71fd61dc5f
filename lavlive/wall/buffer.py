"""The jitter buffer of a node: Moments as they come, what to show at any time of the conductor's.

Between two hops a deviation is interpolated; beyond the newest it is held. Nothing here waits for anything,
and nothing has a clock.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from dataclasses import replace

import numpy as np

from lavlive.parameters import GLIDES
from lavlive.wall.messages import Content

KEPT_SECONDS = 2.0
_MOST = 512
"""Moments kept, whatever their times say."""
_LATENESSES = 750
"""Of the last ten seconds."""
_MEASURED_EVERY = 25

SHORTEST_DELAY, LONGEST_DELAY = 0.060, 0.120
_MARGIN = 0.004
_BEFORE = 0.03
_FALL_SECONDS = 20.0
"""A delay rises in a second and falls over this."""


class JitterBuffer:
    """Holds the Moments of one conductor's run, by capture time.

    Attributes:
        lost: sequence numbers that were passed over and have not come.
        late: Moments that came when something newer was already to be shown.
        newest: the Moment with the highest sequence number: what hands have set is taken from it, at once.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, for another run."""
        self._kept: list[tuple[float, int, Content]] = []
        self._latenesses: deque[float] = deque(maxlen=_LATENESSES)
        self._unmeasured, self._lateness = 0, 0.0
        self._highest = -1
        self._shown = -np.inf
        self.lost = 0
        self.late = 0
        self.newest: Content | None = None

    def put(self, content: Content, arrived: float) -> bool:
        """Keep a Moment that arrived at a time of the conductor's clock; False if it was here already."""
        moment = content.moment
        if any(number == moment.sequence for _, number, _ in self._kept):
            return False
        if moment.sequence > self._highest:
            if self._highest >= 0:
                self.lost += moment.sequence - self._highest - 1
            self._highest, self.newest = moment.sequence, content
        elif self.lost:
            self.lost -= 1
        if not moment.width:
            return True
        if moment.captured < self._shown:
            self.late += 1
        if all(captured != moment.captured for captured, _, _ in self._kept):
            # What is told again, because a hand moved or no sound comes, says nothing of the network.
            self._latenesses.append(arrived - moment.captured)
            self._unmeasured += 1
        insort(self._kept, (moment.captured, moment.sequence, content), key=lambda kept: kept[:2])
        while len(self._kept) > 2 and (
            self._kept[-1][0] - self._kept[0][0] > KEPT_SECONDS or len(self._kept) > _MOST
        ):
            self._kept.pop(0)
        return True

    @property
    def lateness(self) -> float:
        """Seconds after their capture within which 99 % of the Moments came, over ten seconds; 0 of none."""
        if self._unmeasured and (
            self._unmeasured >= _MEASURED_EVERY or len(self._latenesses) < _MEASURED_EVERY
        ):
            self._unmeasured = 0
            self._lateness = float(np.quantile(np.array(self._latenesses), 0.99))
        return self._lateness

    def at(self, time: float) -> Content | None:
        """What to show at a capture time by the conductor's clock; None before the first Moment.

        Deviations, drives and parameters that glide are interpolated; all else is the newest Moment's.
        """
        if not self._kept or self.newest is None:
            return None
        self._shown = max(self._shown, time)
        after = bisect_right(self._kept, time, key=lambda kept: kept[0])
        before = self._kept[max(after - 1, 0)][2]
        following = self._kept[min(after, len(self._kept) - 1)][2]
        span = following.moment.captured - before.moment.captured
        share = min(max((time - before.moment.captured) / span, 0.0), 1.0) if span > 0 else 0.0
        return replace(
            _between(before, following, np.float32(share), self.newest), spent=self._spent_at(time)
        )

    def _spent_at(self, time: float) -> np.ndarray | None:
        """What the conductor told of its limiter before the change that is to be shown at a time.

        A change that is shown here is the one that the conductor let pass itself: it is not counted twice.
        """
        for _, _, content in reversed(self._kept):
            if content.moment.sent <= time - _BEFORE:
                return content.spent
        return None

    def covers(self, time: float) -> bool:
        """Whether a Moment of that capture time or a later one is here."""
        return bool(self._kept) and self._kept[-1][0] >= time


def _between(one: Content, other: Content, share: np.float32, newest: Content) -> Content:
    deviation = other.deviation
    if one.deviation.shape == other.deviation.shape:
        deviation = one.deviation + share * (other.deviation - one.deviation)
    gliding = one.numbers + float(share) * (other.numbers - one.numbers)
    return Content(
        moment=other.moment,
        deviation=deviation,
        numbers=np.where(GLIDES, gliding, newest.numbers),
        spectrum=_mixed(one.spectrum, other.spectrum, share),
        chroma=_mixed(one.chroma, other.chroma, share),
        moved=_moved_between(one.moved, other.moved, float(share)),
    )


def _moved_between(one: dict[str, float], other: dict[str, float], share: float) -> dict[str, float]:
    """Values of drives between two Moments; what only the later one has is its."""
    return {
        name: one.get(name, value) + share * (value - one.get(name, value)) for name, value in other.items()
    }


def _mixed(one: np.ndarray | None, other: np.ndarray | None, share: np.float32) -> np.ndarray | None:
    if one is None or other is None:
        return other
    mixed: np.ndarray = one + share * (other - one)
    return mixed


class DelayChooser:
    """How late all nodes show what the conductor hears, so that it has come everywhere by then.

    One for the whole wall, the conductor's: nodes that chose for themselves would show different moments.
    """

    def __init__(self) -> None:
        self.seconds = 0.080

    def step(self, wishes: list[float], elapsed: float) -> float:
        """Follow the wishes of the nodes: quickly up, slowly down, 60 to 120 ms; returns the delay.

        Args:
            wishes: seconds after the capture at which each node could show all that came.
            elapsed: seconds since the last call.
        """
        wanted = max(wishes, default=SHORTEST_DELAY) + _MARGIN
        wanted = min(max(wanted, SHORTEST_DELAY), LONGEST_DELAY)
        whole = LONGEST_DELAY - SHORTEST_DELAY
        step = max(elapsed, 0.0) * (whole if wanted > self.seconds else whole / _FALL_SECONDS)
        self.seconds += min(max(wanted - self.seconds, -step), step)
        return self.seconds
