"""A node's side without a network: what it shows when, and what it tells its conductor.

`take` may be called by another thread than the rest: what it is given waits in a queue.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from lavlive.wall.buffer import JitterBuffer
from lavlive.wall.clock import ConductorClock
from lavlive.wall.messages import (
    LONGEST_SPENT,
    TABLE_HASH,
    VERSION,
    Content,
    Look,
    Moment,
    Ping,
    Pong,
    Report,
    StrangeMessageError,
    read_from_conductor,
    unpack,
)

LOST_SECONDS = 0.5
"""A conductor that has said nothing for so long is lost."""
HELD_SECONDS = 0.15
"""So long after the newest hop is over it is shown on; then the stage holds its picture and breathes."""
REPORT_SECONDS = 0.5
LONGEST_AHEAD = 0.08
_MOST_WAITING = 512
_UNKNOWN_OFFSET = float("-inf")


@dataclass(frozen=True, slots=True)
class Due:
    """What to make a picture of.

    Attributes:
        content: deviation, numbers and drives.
        due: node's clock, when the picture is to be on the screen.
        time: conductor's clock, the capture time of the sound that it shows.
    """

    content: Content
    due: float
    time: float


class Follower:
    """Follows one conductor.

    Args:
        node: its name.
        software: version of lavlive.

    Attributes:
        clock: the conductor's, as this node knows it.
        look: what the conductor has loaded; None before it told.
        strange: messages that were none.
        trouble: why the conductor cannot be followed, for the operator; or "".
        ahead: seconds that this node needs from a deviation to the picture on its screen, as measured.
    """

    def __init__(self, node: str, software: str) -> None:
        self.node = node
        self.software = software
        self.clock = ConductorClock()
        self.buffer = JitterBuffer()
        self.look: Look | None = None
        self.strange = 0
        self.trouble = ""
        self.ahead = 0.0
        self._waiting: deque[tuple[bytes, float]] = deque(maxlen=_MOST_WAITING)
        self._show: int | None = None
        self._heard = self._rough = _UNKNOWN_OFFSET
        self._shown = self._captured = self._grew = float("-inf")
        self._number = 0
        self._reported = float("-inf")

    def take(self, payload: bytes, now: float) -> None:
        """A message came; `step` looks at it. Any thread."""
        self._waiting.append((payload, now))

    @property
    def identify(self) -> bool:
        """Whether this node is asked to show its name."""
        newest = self.buffer.newest
        return newest is not None and newest.moment.identify in (self.node, "*")

    def lost(self, now: float) -> bool:
        """Whether the conductor has said nothing for a while."""
        return now - self._heard > LOST_SECONDS

    def step(self, now: float) -> Due | None:
        """What to make a picture of now; None where the picture before is to be held.

        The picture is begun so much ahead of its time as it takes, as far as what it is to show has come.
        """
        while self._waiting:
            self._look_at(*self._waiting.popleft())
        newest = self.buffer.newest
        if newest is None or self.lost(now):
            return None
        delay = newest.moment.delay
        ahead = min(self.ahead, max(delay - self.buffer.lateness, 0.0), LONGEST_AHEAD)
        time = self.conductor_time(now) + ahead - delay
        # Never backwards, but for a clock that was far off.
        if self._shown - 0.5 < time < self._shown:
            time = self._shown
        self._shown = time
        if newest.moment.captured > self._captured:
            self._captured, self._grew = newest.moment.captured, now
        # A conductor that is itself far behind its sound is followed as well as it can be.
        if not self.buffer.covers(time - HELD_SECONDS) and now - self._grew > HELD_SECONDS:
            return None
        content = self.buffer.at(time)
        return Due(content, now + ahead, time) if content is not None else None

    def conductor_time(self, now: float) -> float:
        """The conductor's clock; before the first pings by the quickest Moment, as if that took no time."""
        if self.clock.known:
            return self.clock.conductor_time(now)
        return now + self._rough

    def spent(self, due: Due | None, now: float) -> np.ndarray | None:
        """Until when, by this node's clock, places of the canvas may not flash: float64 [577] or None.

        What the conductor has let pass is a node's to count when the node shows it, `delay` later.
        """
        if due is None or due.content.spent is None or now - due.due > LOST_SECONDS:
            return None
        until = due.content.spent + due.content.moment.delay - self.conductor_time(now)
        # Not longer than any limiter would, whatever a clock does.
        return np.where(due.content.spent > 0, now + np.minimum(until, LONGEST_SPENT), 0.0)

    def asks(self, now: float) -> list[Ping]:
        """What this node asks now: a ping, where it is time for one."""
        if not self.clock.wants_ping(now):
            return []
        self._number += 1
        return [Ping(node=self.node, number=self._number, sent=now)]

    def wants_report(self, now: float) -> bool:
        """Whether it is time to tell how this node fares; counts as told."""
        if now - self._reported < REPORT_SECONDS:
            return False
        self._reported = now
        return True

    def report(self, pictures: float, latency: float, model: str, place: str) -> Report:
        """How this node fares."""
        known = self.clock.known
        return Report(
            node=self.node,
            software=self.software,
            pictures=pictures,
            latency=latency,
            offset=self.clock.offset if known else 0.0,
            uncertainty=self.clock.uncertainty if known else 0.0,
            lateness=self.buffer.lateness,
            ahead=self.ahead,
            lost=self.buffer.lost,
            late=self.buffer.late,
            strange=self.strange,
            model=model[:1000],
            place=place[:200],
            note=self.trouble[:1000],
        )

    def _look_at(self, payload: bytes, now: float) -> None:
        try:
            message = read_from_conductor(payload)
            if isinstance(message, Moment):
                content = unpack(message)
        except StrangeMessageError as error:
            self.strange += 1
            if error.version is not None:
                self.trouble = (
                    f"The conductor speaks version {error.version} of the wall's language, this node "
                    f"{VERSION}: install the same lavlive on both"
                )
            return
        if not self._is_ours(message.show, now, isinstance(message, Moment)):
            return
        match message:
            case Moment():
                self._heard = now
                self._rough = max(self._rough, message.sent - now)
                self.buffer.put(content, self.conductor_time(now))
            case Look():
                self.look = message
                self.trouble = (
                    ""
                    if message.table == TABLE_HASH
                    else f"The conductor's lavlive is {message.software}, this node's {self.software}, with "
                    "other parameters: install the same on both"
                )
            case Pong() if message.node == self.node:
                self.clock.take(message.sent, message.came, message.answered, now)

    def _is_ours(self, show: int, now: float, begins: bool) -> bool:
        """Whether a message is of the run that is followed; where that is lost, another one begins."""
        if show == self._show:
            return True
        if self._show is not None and not self.lost(now):
            self.trouble = "Two conductors are heard; this node follows the first: give one another address"
            return False
        if not begins:
            return False
        self._show, self.trouble, self.look = show, "", None
        self.clock.reset()
        self.buffer.reset()
        self._rough, self._shown, self._captured = _UNKNOWN_OFFSET, float("-inf"), float("-inf")
        return True
