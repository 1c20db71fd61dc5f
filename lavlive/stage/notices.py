"""What the operator is told, never the audience: conditions while they last, news for a few seconds.

The panel, the window's title and the terminal show it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lavlive.files import shown

_NEWS_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the operator with the time, in seconds of the clock, at which it came."""

    text: str
    time: float


class Notices:
    """Keeps what is worth a line now, and the last lines of what happened for the panel.

    Args:
        say: is given every line once, as for the terminal.
    """

    def __init__(self, say: Callable[[str], object] | None = None) -> None:
        self._conditions: dict[str, Notice] = {}
        self._news: Notice | None = None
        self._say = say
        self._said = ""
        self.history: deque[Notice] = deque(maxlen=100)

    def raise_condition(self, key: str, text: str, now: float) -> None:
        """Show `text` until `clear` is called with the same key."""
        if key not in self._conditions or self._conditions[key].text != shown(text):
            self._conditions[key] = self._note(text, now)

    def clear(self, key: str) -> None:
        """End a condition; nothing happens if there is none."""
        self._conditions.pop(key, None)

    def tell(self, text: str, now: float) -> None:
        """Show `text` for a few seconds."""
        self._news = self._note(text, now)

    def explain(self, lines: list[str]) -> None:
        """Say what somebody asked to read, which is no news: in the terminal only."""
        if self._say is not None:
            self._say("\n".join(lines))

    def _note(self, text: str, now: float) -> Notice:
        text = shown(text)
        notice = Notice(text, now)
        self.history.append(notice)
        if self._say is not None and text != self._said:
            self._said = text
            self._say(text)
        return notice

    def badge(self, now: float) -> str | None:
        """The line to show now, or None: conditions first, in the order in which they came."""
        lines = [notice.text for notice in self._conditions.values()]
        if self._news is not None and now - self._news.time < _NEWS_SECONDS:
            lines.append(self._news.text)
        return "  ·  ".join(lines) or None
