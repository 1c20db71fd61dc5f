"""Pictures that are made before their sound is heard, and wait for it."""

from __future__ import annotations

from collections import deque

from lavlive.link.contents import Picture

LONGEST = 0.5
"""Seconds; a picture that claims to be earlier than that has no true time, and is shown at once."""
_MOST = 32


class EarlyPictures:
    """Gives each picture when its newest sample is heard, not before.

    A track that is played aloud reaches the engine when the loudspeakers are given it, which is the output's
    latency before anybody hears it: its pictures would come so much too early. Line-in and loopback are
    heard before, so their pictures never wait.
    """

    def __init__(self) -> None:
        self._waiting: deque[Picture] = deque(maxlen=_MOST)

    def step(self, newest: Picture | None, now: float) -> Picture | None:
        """Take the newest picture, if one came; returns the newest of which the sound is heard at `now`."""
        if newest is not None:
            self._waiting.append(newest)
        due: Picture | None = None
        while self._waiting and not now < self._waiting[0].captured < now + LONGEST:
            due = self._waiting.popleft()
        return due

    def due(self, now: float) -> bool:
        """Whether a picture that waited is to be shown now."""
        return bool(self._waiting) and self._waiting[0].captured <= now
