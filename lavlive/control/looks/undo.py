"""One step back for presets and edits in the panel."""

from __future__ import annotations

from collections.abc import Mapping

from lavlive.parameters import Value

_SAME_EDIT_SECONDS = 1.0


class Undo:
    """Remembers what the last preset or edit changed; undoing twice does it again.

    Moves of one slider in quick succession are one edit. What hands moved by MIDI or OSC is not touched,
    unless the same parameter was edited.
    """

    def __init__(self) -> None:
        self._before: dict[str, Value] = {}
        self._edited: str | None = None
        self._time = float("-inf")

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that `take_back` would change."""
        return tuple(self._before)

    def edit(self, name: str, present: Value, now: float) -> None:
        """A parameter is about to be edited in the panel."""
        if self._edited != name or now - self._time > _SAME_EDIT_SECONDS:
            self._before = {name: present}
        self._edited, self._time = name, now

    def replace(self, present: Mapping[str, Value]) -> None:
        """A preset is about to change these values."""
        self._before, self._edited = dict(present), None

    def take_back(self, present: Mapping[str, Value]) -> dict[str, Value]:
        """The values to go back to; what they replace can be had back by another call."""
        restored = self._before
        self._before = {name: present[name] for name in restored}
        self._edited = None
        return restored
