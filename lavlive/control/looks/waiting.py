"""Actions that wait for the beat."""

from __future__ import annotations

from dataclasses import dataclass

from lavlive.control.actions import Action
from lavlive.control.beat.tempo import BEATS_PER_BAR, BeatState, seconds_until

GRIDS = {
    "beat": 1.0,
    "bar": 1.0 * BEATS_PER_BAR,
    "2 bars": 2.0 * BEATS_PER_BAR,
    "4 bars": 4.0 * BEATS_PER_BAR,
}
"""Beats between the moments that each choice of ``show.quantise`` waits for."""


@dataclass(slots=True)
class _Waiting:
    action: Action
    grid: float
    left: float
    asked: float


class WaitingRoom:
    """Holds actions until their beat; a newer one of the same kind takes the older one's place.

    An action waits no longer than its grid lasts, whatever the clock does: a clock that stops, jumps or
    goes away releases it.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    @property
    def actions(self) -> tuple[Action, ...]:
        """What waits now, for the panel."""
        return tuple(waiting.action for waiting in self._waiting.values())

    def add(self, action: Action, grid: float, state: BeatState, lead: float, now: float) -> None:
        """Let an action wait for the next multiple of `grid` beats, less `lead` seconds."""
        kind = action.name.partition(".")[0]
        left = seconds_until(state, grid, lead)
        self._waiting[kind] = _Waiting(action, grid, left, now)

    def due(self, state: BeatState, lead: float, now: float) -> list[Action]:
        """The actions whose beat has come; call it once a picture."""
        released = []
        for kind, waiting in list(self._waiting.items()):
            left = seconds_until(state, waiting.grid, lead)
            longest = waiting.grid * 60.0 / state.bpm + 0.1
            passed = left > waiting.left + 0.5 * longest
            if left == 0.0 or passed or not state.known or now - waiting.asked > longest:
                released.append(self._waiting.pop(kind).action)
            else:
                waiting.left = left
        return released
