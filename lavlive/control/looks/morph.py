"""From one set of values to another, so that every state between is a valid look."""

from __future__ import annotations

from collections.abc import Mapping

from lavlive.parameters import ParameterKind, Value, known


def between(start: Mapping[str, Value], end: Mapping[str, Value], share: float) -> dict[str, Value]:
    """The values at `share` (0 to 1) of the way.

    Continuous parameters go straight along their curves, so each moves one way only; the others flip at
    the half. What only one of the two names, such as an input of a shader that the other does not load,
    stands as it says. Both ends are exact.
    """
    if share >= 1.0:
        return dict(end)
    if share <= 0.0:
        return dict(start)
    return {**start, **end} | {
        name: _between(name, start[name], value, share) for name, value in end.items() if name in start
    }


def _between(name: str, start: Value, end: Value, share: float) -> Value:
    parameter = known(name)
    if parameter is None or parameter.kind is not ParameterKind.CONTINUOUS:
        return start if share < 0.5 else end
    if start == end:
        return end
    first, last = parameter.to_unit(start), parameter.to_unit(end)
    number = parameter.number(parameter.from_unit(first + (last - first) * share))
    low, high = sorted((parameter.number(start), parameter.number(end)))
    return min(max(number, low), high)


class Morph:
    """A morph under way, from `begin` on for `seconds`.

    What a performer's hand moves meanwhile leaves the morph and stays under the hand.
    """

    def __init__(
        self, start: Mapping[str, Value], end: Mapping[str, Value], begin: float, seconds: float
    ) -> None:
        self._start = {name: start[name] for name in end}
        self._end = dict(end)
        self._begin = begin
        self._seconds = seconds
        self._left: set[str] = set()

    def target(self, name: str) -> Value | None:
        """The value that a parameter is on its way to, None for one that goes its own way."""
        return None if name in self._left else self._end.get(name)

    def leave(self, name: str) -> None:
        """Let a parameter go its own way."""
        self._left.add(name)

    def at(self, now: float) -> dict[str, Value]:
        """The values to set now."""
        values = between(self._start, self._end, self.share(now))
        return {name: value for name, value in values.items() if name not in self._left}

    def share(self, now: float) -> float:
        """How far it has come, 0 to 1."""
        return 1.0 if self.over(now) else max(now - self._begin, 0.0) / self._seconds

    def over(self, now: float) -> bool:
        """Whether the end has been reached."""
        return now >= self._begin + self._seconds
