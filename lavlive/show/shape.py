"""Which shape pictures have: one that was typed, or that of the screen once it has come to rest."""

from __future__ import annotations

import math

from lavlive.errors import UsageError
from lavlive.link.settings import WIDEST

SCREEN, OWN = "screen", "own"
_REST_SECONDS = 0.7
_ALIKE = math.log(1.06)
"""Shapes within 6 % are one: no grid of a generator lies between them."""


def parse_aspect(text: str) -> float:
    """Width by height of ``16:9``, ``1920x1080``, ``2.35`` or ``square``.

    Raises:
        UsageError: it is none of these, or beyond 1:8 to 8:1.
    """
    words = {"square": "1"}.get(text.lower(), text.lower()).replace("x", ":").split(":")
    try:
        width, height = (float(word) for word in (*words, "1")[: max(2, len(words))])
        aspect = width / height
    except (ValueError, ZeroDivisionError):
        aspect = math.nan
    if not 1 / WIDEST <= aspect <= WIDEST:
        raise UsageError(
            f"{text!r} is no shape for pictures: give one like 16:9, from 1:8 to 8:1, or {SCREEN}, or {OWN}."
        )
    return aspect


class ShapeFollower:
    """Says when pictures should get another shape.

    Args:
        asked: what ``--shape`` said: ``screen``, ``own`` (the model's), or a shape.

    Raises:
        UsageError: it is no shape.
    """

    def __init__(self, asked: str = OWN) -> None:
        self._follows = asked == SCREEN
        self.aspect: float | None = None if asked in (SCREEN, OWN) else parse_aspect(asked)
        self._seen: float | None = None
        self._since = 0.0

    def begin(self, canvas: tuple[int, int]) -> float | None:
        """The first shape, width by height, for a canvas of that size; None is the model's own."""
        if self._follows:
            self.aspect = _aspect_of(canvas)
        return self.aspect

    def step(self, canvas: tuple[int, int], now: float) -> float | None:
        """Another shape that is wanted from now on, or None for no change.

        Args:
            canvas: width and height, pixels.
            now: seconds.
        """
        if not self._follows:
            return None
        seen = _aspect_of(canvas)
        if self._seen is None or not _alike(seen, self._seen):
            self._seen, self._since = seen, now
        if now - self._since < _REST_SECONDS or _alike(seen, self.aspect):
            return None
        self.aspect = seen
        return seen


def _aspect_of(canvas: tuple[int, int]) -> float:
    return min(max(canvas[0] / max(canvas[1], 1), 1 / WIDEST), WIDEST)


def _alike(one: float, other: float | None) -> bool:
    return other is not None and abs(math.log(one / other)) < _ALIKE
