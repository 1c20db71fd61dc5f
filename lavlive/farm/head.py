"""The farm's head: gives groups out, looks at where parts meet, and joins them.

A part's canvas just before its first picture was drawn from its pre-roll; the part before has the same
picture as the film has it. Where the two differ by more than 1/255, the pre-roll was too short for what the
effects and the limiter remember: the group is drawn again with twice as much, up to all that came before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lavlive.errors import FarmError
from lavlive.farm.material import PREROLL_SECONDS, Material, Part, Spool
from lavlive.farm.pools import Pool

_DIFFERENCE = 1
"""Of 255, at a join."""
_DEATHS = 3
"""A group whose worker died so often is given up."""
_IN_HAND = 2
"""Groups for each worker that are given out at a time."""


@dataclass
class FarmReport:
    """How it went.

    Attributes:
        groups: of the film.
        again: groups that were drawn again with a longer pre-roll.
        died: workers that died.
        difference: largest at a join, of 255.
        notes: lines of workers, each once.
    """

    groups: int = 0
    again: int = 0
    died: int = 0
    difference: int = 0
    notes: tuple[str, ...] = ()


class Head:
    """Makes one film.

    Args:
        material: of each picture, in their order; asked for as it is needed.
        bounds: first and end of each group, of `group_bounds`.
        append: takes the parts in their order.
        progress: is told of pictures that are done.
    """

    def __init__(
        self,
        pool: Pool,
        material: Iterator[Material],
        bounds: list[tuple[int, int]],
        rate: Fraction,
        append: Callable[[Part], object],
        progress: Callable[[int], object] = lambda count: None,
        preroll: float = PREROLL_SECONDS,
    ) -> None:
        self.report = FarmReport()
        self._pool = pool
        self._material = material
        self._append = append
        self._progress = progress
        self._bounds = bounds
        self._before = [max(1, round(preroll * rate))] * len(self._bounds)
        self._deaths = [0] * len(self._bounds)
        self._given = 0
        self._done: dict[int, Part] = {}
        self.report.groups = len(self._bounds)

    def run(self) -> FarmReport:
        """Make the film.

        Raises:
            LavliveError: it cannot be made.
        """
        with Spool() as spool:
            joined, in_hand = 0, 0
            last: np.ndarray | None = None
            while joined < len(self._bounds):
                while self._given < len(self._bounds) and in_hand < _IN_HAND * self._pool.workers:
                    self._give(spool, self._given)
                    self._given += 1
                    in_hand += 1
                told = self._pool.next()
                if isinstance(told, int):
                    self._give_again(spool, told)
                    continue
                in_hand -= 1
                self._done[told.number] = told
                while (part := self._done.pop(joined, None)) is not None:
                    if not self._joins(part, last):
                        self._give_longer(spool, joined)
                        in_hand += 1
                        break
                    self._take(part)
                    last, joined = part.last, joined + 1
        return self.report

    def _give(self, spool: Spool, number: int) -> None:
        first, end = self._bounds[number]
        while len(spool) < end:
            spool.append(next(self._material))
        group = spool.group(number, first, end, self._before[number])
        self._pool.submit(group)

    def _give_again(self, spool: Spool, number: int) -> None:
        self.report.died += 1
        self._deaths[number] += 1
        if self._deaths[number] >= _DEATHS:
            first, _ = self._bounds[number]
            raise FarmError(
                f"{_DEATHS} workers died over the group that begins with picture {first}: is there memory "
                "enough? Try fewer --workers."
            )
        self._give(spool, number)

    def _joins(self, part: Part, last: np.ndarray | None) -> bool:
        if part.before is None or last is None:
            return True
        difference = int(np.abs(part.before.astype(np.int16) - last).max())
        if difference > _DIFFERENCE and self._before[part.number] < self._bounds[part.number][0]:
            return False
        self.report.difference = max(self.report.difference, difference)
        return True

    def _give_longer(self, spool: Spool, number: int) -> None:
        self.report.again += 1
        self._before[number] = min(2 * self._before[number], self._bounds[number][0])
        self._give(spool, number)

    def _take(self, part: Part) -> None:
        self._append(part)
        first, end = self._bounds[part.number]
        self._progress(end - first)
        fresh = tuple(note for note in part.notes if note not in self.report.notes)
        self.report.notes += fresh
