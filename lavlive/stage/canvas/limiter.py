"""The flash limiter: holds back changes of the canvas that would flash more than three times a second.

After WCAG 2.2, success criterion 2.3.1 and its definition of "general flash and red flash thresholds":
a flash is a pair of opposing changes of relative luminance of 10 % or more of the maximum, the darker
below 0.8; a red flash is a pair of opposing changes of (R − G − B) · 320 by more than 20 (negative
values count as zero) that involve a saturated red, R / (R + G + B) ≥ 0.8. Three such flashes, six
changes, are allowed in any second; more only on less than a quarter of the picture.

The limiter works on a grid of cells, in linear light, with a margin on every number. It is a help to a
performer, not a certified test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROWS, COLUMNS = 36, 64
"""The grid; stripes of four cells and more are seen as they are, finer patterns as their mean."""

CHANGES = 6
WINDOW_SECONDS = 1.05
AREA = 0.2
LUMINANCE_STEP = 0.09
LUMINANCE_DARKER = 0.82
RED_STEP = 18 / 320
RED_SHARE = 0.78

SPENT_ROWS, SPENT_COLUMNS = 18, 32
"""The coarser grid in which limiters of several machines tell each other where no change is left."""
SPENT = SPENT_ROWS * SPENT_COLUMNS + 1
"""Places of that: the cells row by row, and the picture as a whole."""

_SEARCH_STEPS = 8
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_NEVER = -1e9


def relative_luminance(linear: np.ndarray) -> np.ndarray:
    """Relative luminance [...] of linear sRGB [..., 3], both 0 to 1."""
    return linear @ _LUMINANCE


@dataclass(frozen=True, slots=True)
class _Signal:
    """One measure of some places, and whether a counted change may begin or end at each value."""

    values: np.ndarray
    marked: np.ndarray


class _Swings:
    """Remembers, per place, the last extremes of one measure and when its last changes ended.

    A change is a swing from the last extreme against the last change.

    Args:
        count: number of places.
        step: the least change that counts.
        darker_below: the lower end of a change that counts lies below this.
        area: share of the places that may change too often.
        lasting_marks: whether a mark at the beginning of a change is enough, else it must be at its end.
        strict: a fall that follows a fall after a small rise counts once more, and so for rises: more than
            the definition asks for, as some analysers count the mean of the picture. Single places are not
            counted so: of a real picture they are never at rest, and what is no flash would be held back.

    Attributes:
        spent_elsewhere: until when each place may not change, whatever it did itself.
    """

    def __init__(
        self,
        count: int,
        step: float,
        darker_below: float,
        area: float,
        lasting_marks: bool = True,
        strict: bool = False,
    ) -> None:
        self._step = step
        self._darker_below = darker_below
        self._area = area
        self._lasting_marks = lasting_marks
        self._strict = strict
        self._direction = np.zeros(count, np.int8)
        self._high = np.zeros(count, np.float32)
        self._low = np.zeros(count, np.float32)
        self._high_marked = np.zeros(count, bool)
        self._low_marked = np.zeros(count, bool)
        self._last = np.zeros(count, np.float32)
        self._run_from = np.zeros(count, np.float32)
        self._run_counted = np.zeros(count, bool)
        self._times = np.full((CHANGES, count), _NEVER)
        self._over = np.full(count, _NEVER)
        self.spent_elsewhere = np.full(count, _NEVER)

    def begin(self, signal: _Signal) -> None:
        """Start from the first values."""
        self._high[:] = self._low[:] = self._last[:] = self._run_from[:] = signal.values
        if self._lasting_marks:
            self._high_marked[:] = self._low_marked[:] = signal.marked

    def _changes(self, signal: _Signal) -> tuple[np.ndarray, np.ndarray]:
        x, marked = signal.values, signal.marked
        down = (self._direction >= 0) & (self._high - x >= self._step) & (x < self._darker_below)
        up = (self._direction <= 0) & (x - self._low >= self._step) & (self._low < self._darker_below)
        if self._strict:
            turned, start = self._run(x)
            again = (turned | ~self._run_counted) & (np.abs(x - start) >= self._step)
            down |= again & (x < start) & (self._direction < 0) & (x < self._darker_below)
            up |= again & (x > start) & (self._direction > 0) & (start < self._darker_below)
        return down & (marked | self._high_marked), up & (marked | self._low_marked)

    def _run(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where showing `x` turns a rise into a fall or back, and where the rise or fall then began."""
        turned = (x - self._last) * (self._last - self._run_from) < 0
        return turned, np.where(turned, self._last, self._run_from)

    def turns(self, signal: _Signal) -> bool:
        """Whether showing these values turns any place's rise into a fall or back."""
        return bool(self._run(signal.values)[0].any())

    def within_budget(self, signal: _Signal, clock: float) -> bool:
        """Whether these values may be shown at `clock`."""
        down, up = self._changes(signal)
        spent = (clock - self._times[0] < WINDOW_SECONDS) | (clock < self.spent_elsewhere)
        too_many = (down | up) & spent
        if not too_many.any():
            return True
        over = too_many | (clock - self._over < WINDOW_SECONDS)
        return float(np.mean(over)) <= self._area

    @property
    def spent(self) -> np.ndarray:
        """Until when each place has used up its changes; the past where it has not."""
        until: np.ndarray = self._times[0] + WINDOW_SECONDS
        return until

    def show(self, signal: _Signal, clock: float) -> np.ndarray:
        """These values are shown at `clock`; returns where a change went on or a new one began."""
        down, up = self._changes(signal)
        x = signal.values
        changed = down | up
        turned, self._run_from = self._run(x)
        self._run_counted = changed | (self._run_counted & ~turned)
        self._last = x
        self._over[changed & (clock - self._times[0] < WINDOW_SECONDS)] = clock
        self._times[:, changed] = np.roll(self._times[:, changed], -1, axis=0)
        higher, lower = x > self._high, x < self._low
        moving: np.ndarray = changed | ((self._direction > 0) & higher) | ((self._direction < 0) & lower)
        self._times[-1, moving] = clock
        self._direction[down] = -1
        self._direction[up] = 1
        higher |= changed
        lower |= changed
        self._high[higher] = x[higher]
        self._low[lower] = x[lower]
        if self._lasting_marks:
            self._high_marked[higher] = signal.marked[higher]
            self._low_marked[lower] = signal.marked[lower]
        return moving


class _Measure:
    """Luminance or redness of every cell, and of the picture as a whole.

    The whole matters where parts flash in turn, each seldom enough by itself. It counts as changed only
    where a good part of the cells did. It is watched twice: from extreme to extreme, and strictly, from one
    reversal of its course to the next, however small.
    """

    def __init__(self, cells: int, step: float, darker_below: float) -> None:
        self._step = step
        self._cells = _Swings(cells, step, darker_below, AREA)
        self._whole = _Swings(1, step, darker_below, 0.0, lasting_marks=False)
        self._runs = _Swings(1, step, darker_below, 0.0, lasting_marks=False, strict=True)
        self._at_extreme = self._at_reversal = self._before = np.zeros(cells, np.float32)

    def begin(self, signal: _Signal) -> None:
        """Start from the first values."""
        self._cells.begin(signal)
        self._at_extreme = self._at_reversal = self._before = self._marked_values(signal)
        self._whole.begin(self._whole_of(signal))
        self._runs.begin(self._run_of(signal))

    def within_budget(self, signal: _Signal, clock: float) -> bool:
        """Whether these values may be shown at `clock`."""
        return (
            self._cells.within_budget(signal, clock)
            and self._whole.within_budget(self._whole_of(signal), clock)
            and self._runs.within_budget(self._run_of(signal), clock)
        )

    def show(self, signal: _Signal, clock: float) -> None:
        """These values are shown at `clock`."""
        self._cells.show(signal, clock)
        if self._whole.show(self._whole_of(signal), clock)[0]:
            self._at_extreme = self._marked_values(signal)
        run = self._run_of(signal)
        if self._runs.turns(run):
            self._at_reversal = self._before
        self._before = self._marked_values(signal)
        self._runs.show(run, clock)

    @property
    def spent(self) -> tuple[np.ndarray, float]:
        """Until when each cell, and the whole, have used up their changes."""
        return self._cells.spent, float(max(self._whole.spent[0], self._runs.spent[0]))

    def spend(self, cells: np.ndarray, whole: float) -> None:
        """Cells and the whole may not change until then."""
        self._cells.spent_elsewhere = cells
        self._whole.spent_elsewhere[:] = self._runs.spent_elsewhere[:] = whole

    @staticmethod
    def _marked_values(signal: _Signal) -> np.ndarray:
        marked: np.ndarray = signal.values * signal.marked
        return marked

    def _whole_of(self, signal: _Signal) -> _Signal:
        return self._mean_of(self._marked_values(signal), self._at_extreme)

    def _run_of(self, signal: _Signal) -> _Signal:
        values = self._marked_values(signal)
        run = self._mean_of(values, self._at_reversal)
        return self._mean_of(values, self._before) if self._runs.turns(run) else run

    def _mean_of(self, values: np.ndarray, begin: np.ndarray) -> _Signal:
        changed = np.abs(values - begin) >= self._step / 4
        return _Signal(np.array([values.mean()]), np.array([changed.mean() >= AREA]))


class FlashLimiter:
    """Says how far the canvas may move from what was shown towards what is wanted.

    `step` is called once for each canvas shown; one thread.
    """

    def __init__(self, rows: int = ROWS, columns: int = COLUMNS) -> None:
        cells = rows * columns
        self._block = rows // SPENT_ROWS, columns // SPENT_COLUMNS
        self._elsewhere: np.ndarray | None = None
        self._shown = np.zeros((cells, 3), np.float32)
        self._luminance = _Measure(cells, LUMINANCE_STEP, LUMINANCE_DARKER)
        self._red = _Measure(cells, RED_STEP, np.inf)
        self._clock = 0.0
        self._now: float | None = None

    def step(self, wanted: np.ndarray, now: float, limit: bool = True) -> float:
        """The largest factor, 0 to 1, by which the shown canvas may go towards the wanted one.

        The mix must be made in linear light: shown + factor · (wanted − shown).

        Args:
            wanted: mean linear light of each cell of the wanted canvas, [rows, columns, 3], 0 to 1.
            now: seconds; a clock that runs backwards counts as standing still.
            limit: False only watches and gives 1.
        """
        wanted = np.clip(np.nan_to_num(wanted.reshape(self._shown.shape).astype(np.float32)), 0.0, 1.0)
        if self._now is None:
            self._now = now
            self._shown = wanted
            self._luminance.begin(_luminance_of(wanted))
            self._red.begin(_redness_of(wanted))
            return 1.0
        self._clock += max(0.0, now - self._now)
        self._now = now
        self._spend()
        change = wanted - self._shown
        factor = self._largest_factor(change) if limit else 1.0
        self._shown = self._shown + np.float32(factor) * change
        self._luminance.show(_luminance_of(self._shown), self._clock)
        self._red.show(_redness_of(self._shown), self._clock)
        return factor

    def spent(self) -> np.ndarray:
        """Until when, by the clock of `step`, places have used up their changes; 0 where they have not.

        float64 [SPENT]. A cell of the coarse grid is spent as long as any of the fine ones in it is, by
        luminance or redness.
        """
        if self._now is None:
            return np.zeros(SPENT)
        measures = [self._luminance.spent, self._red.spent]
        fine = np.maximum(*(cells for cells, _ in measures))
        blocks = fine.reshape(SPENT_ROWS, self._block[0], SPENT_COLUMNS, self._block[1])
        until = np.append(blocks.max(axis=(1, 3)).ravel(), max(whole for _, whole in measures))
        return np.where(until > self._clock, until + (self._now - self._clock), 0.0)

    def spend(self, until: np.ndarray | None) -> None:
        """Let places not change until then, besides what this limiter itself holds back.

        Args:
            until: as `spent` of another limiter gives it, by this one's clock; None for nothing.
        """
        self._elsewhere = until

    def _spend(self) -> None:
        if self._elsewhere is None or self._now is None:
            return
        until = self._elsewhere + (self._clock - self._now)
        cells = until[:-1].reshape(SPENT_ROWS, SPENT_COLUMNS)
        fine = cells.repeat(self._block[0], axis=0).repeat(self._block[1], axis=1).ravel()
        for measure in (self._luminance, self._red):
            measure.spend(fine, float(until[-1]))

    def _largest_factor(self, change: np.ndarray) -> float:
        if self._allowed(self._shown + change):
            return 1.0
        allowed, refused = 0.0, 1.0
        for _ in range(_SEARCH_STEPS):
            middle = (allowed + refused) / 2
            if self._allowed(self._shown + np.float32(middle) * change):
                allowed = middle
            else:
                refused = middle
        return allowed

    def _allowed(self, cells: np.ndarray) -> bool:
        return self._luminance.within_budget(_luminance_of(cells), self._clock) and self._red.within_budget(
            _redness_of(cells), self._clock
        )


def _luminance_of(cells: np.ndarray) -> _Signal:
    return _Signal(relative_luminance(cells), np.ones(len(cells), bool))


def _redness_of(cells: np.ndarray) -> _Signal:
    red, others = cells[:, 0], cells[:, 1] + cells[:, 2]
    return _Signal(np.maximum(red - others, 0.0), (red > 0) & (red >= RED_SHARE * (red + others)))
