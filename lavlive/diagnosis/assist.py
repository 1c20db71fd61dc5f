"""A slow hand that keeps the picture from looking wrong: spread, leak, energy and windows, by the meters.

It adds offsets to what the engine gets and never touches the knobs' own values. It moves so slowly that
nobody sees it move, and a parameter that the performer (or a preset) changes is the performer's again.
"""

from __future__ import annotations

import numpy as np

from lavlive.diagnosis.signs import Signature, Signs, excesses, judged, worst
from lavlive.parameters import GROUPS, INDEX, TABLE

SPEED = 0.01
"""Share of a parameter's range, along its curve, per second."""
RELEASE_SPEED = 0.002
LEAVE_SPEED = 0.05
"""When it is switched off."""
FARTHEST = 0.75
"""Of the range: from the widest spread to an ordinary one."""
HANDS_OFF_SECONDS = 30.0
MENDED = 0.8
"""Of the threshold: a failure that was named is seen to until it is below, lest it come and go."""
_COMFORT = 0.5
_ON = INDEX["assist.on"]
_WINDOWS = tuple(INDEX[f"smoothing.{group}"] for group in GROUPS)
_Y, _C, _ENERGY = INDEX["mapper.y"], INDEX["mapper.c"], INDEX["smoothing.keep_energy"]
_MOVED = (_Y, _C, _ENERGY, *_WINDOWS)


class Assist:
    """The offsets of one show; belongs to the main thread.

    Attributes:
        offsets: by index in the table, as a share of the range along the parameter's curve.
        revision: grows whenever `step` moved something.
    """

    def __init__(self) -> None:
        self.offsets = dict.fromkeys(_MOVED, 0.0)
        self.revision = 0
        self._bases: dict[int, float] = {}
        self._touched = dict.fromkeys(_MOVED, float("-inf"))
        self._last: float | None = None
        self._open: set[Signature] = set()

    def step(self, numbers: np.ndarray, bases: np.ndarray, signs: Signs, now: float) -> np.ndarray:
        """What the engine gets, float64 in the table's order.

        Args:
            numbers: what it would get without help.
            bases: where the knobs stand; one that has moved since the last call belongs to the hand.
            signs: the meters, of the same engine.
            now: seconds of the clock.
        """
        elapsed = 0.0 if self._last is None else min(max(now - self._last, 0.0), 0.1)
        self._last = now
        before = dict(self.offsets)
        self._yield_to_hands(bases, now)
        if bases[_ON] < 0.5:
            self._relax(LEAVE_SPEED * elapsed)
        elif judged(signs):
            self._follow(signs, now, elapsed)
        if self.offsets != before:
            self.revision += 1
        if not any(self.offsets.values()):
            return numbers
        moved = numbers.copy()
        for index, offset in self.offsets.items():
            if offset:
                parameter = TABLE[index]
                position = parameter.to_unit(parameter.value(float(numbers[index]))) + offset
                moved[index] = parameter.number(parameter.from_unit(position))
        return moved

    def _yield_to_hands(self, bases: np.ndarray, now: float) -> None:
        for index in _MOVED:
            base = float(bases[index])
            if self._bases.get(index, base) != base:
                self._touched[index] = now
                self.offsets[index] = 0.0
            self._bases[index] = base

    def _follow(self, signs: Signs, now: float, elapsed: float) -> None:
        wanted: dict[int, float] = {}
        near = excesses(signs)
        decides = {signature: worst(signature, excess) for signature, excess in near.items()}
        self._open = {
            s for s, (excess, _) in decides.items() if excess > (MENDED if s in self._open else 1.0)
        }
        for signature in sorted(self._open, key=lambda signature: decides[signature][0]):
            match signature:
                case Signature.STATIC:
                    wanted |= {_Y: 1.0, _ENERGY: 1.0}
                case Signature.JITTER:
                    shaking = near[Signature.JITTER] > MENDED
                    wanted |= {_WINDOWS[group]: 1.0 for group in range(len(GROUPS)) if shaking[group]}
                case Signature.LAG:
                    wanted[_WINDOWS[decides[signature][1]]] = -1.0
                case Signature.GLITCH:
                    wanted |= {_Y: -1.0, _C: -1.0, _ENERGY: -1.0}
        comfortable = max(excess for excess, _ in decides.values()) < _COMFORT
        for index in _MOVED:
            if now - self._touched[index] < HANDS_OFF_SECONDS:
                continue
            if index in wanted:
                offset = self.offsets[index] + wanted[index] * SPEED * elapsed
                self.offsets[index] = min(max(offset, -FARTHEST), FARTHEST)
            elif comfortable:
                self.offsets[index] = _towards_zero(self.offsets[index], RELEASE_SPEED * elapsed)

    def _relax(self, step: float) -> None:
        for index, offset in self.offsets.items():
            self.offsets[index] = _towards_zero(offset, step)


def _towards_zero(offset: float, step: float) -> float:
    return max(offset - step, 0.0) if offset > 0 else min(offset + step, 0.0)
