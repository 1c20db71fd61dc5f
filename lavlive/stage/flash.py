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

_SEARCH_STEPS = 8
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_NEVER = -1e9


def relative_luminance(linear: np.ndarray) -> np.ndarray:
    """Relative luminance [...] of linear sRGB [..., 3], both 0 to 1."""
    return linear @ _LUMINANCE


@dataclass(slots=True)
class _Signal:
    """One measure of every cell and of the whole picture (last), and how sharp a change of it counts.

    `marked` says where a value is one that a counted change may start or end at.
    """

    values: np.ndarray
    marked: np.ndarray


class _Swings:
    """Remembers, per cell, the last extremes of one measure and when its last changes ended."""

    def __init__(self, count: int, step: float, darker_below: float) -> None:
        self._step = step
        self._darker_below = darker_below
        self._direction = np.zeros(count, np.int8)
        self._high = np.zeros(count, np.float32)
        self._low = np.zeros(count, np.float32)
        self._high_marked = np.zeros(count, bool)
        self._low_marked = np.zeros(count, bool)
        self._times = np.full((CHANGES, count), _NEVER)
        self._over = np.full(count, _NEVER)
        self._empty = True

    def begin(self, signal: _Signal) -> bool:
        """Start from the first values; False when that was done before."""
        if not self._empty:
            return False
        self._empty = False
        self._high[:] = self._low[:] = signal.values
        self._high_marked[:] = self._low_marked[:] = signal.marked
        return True

    def _changes(self, signal: _Signal) -> tuple[np.ndarray, np.ndarray]:
        x, marked = signal.values, signal.marked
        down = (self._direction >= 0) & (self._high - x >= self._step) & (x < self._darker_below)
        up = (self._direction <= 0) & (x - self._low >= self._step) & (self._low < self._darker_below)
        return down & (marked | self._high_marked), up & (marked | self._low_marked)

    def within_budget(self, signal: _Signal, clock: float) -> bool:
        """Whether these values may be shown at `clock`."""
        down, up = self._changes(signal)
        too_many = (down | up) & (clock - self._times[0] < WINDOW_SECONDS)
        if not too_many.any():
            return True
        over = too_many | (clock - self._over < WINDOW_SECONDS)
        return not over[-1] and float(np.mean(over[:-1])) <= AREA

    def show(self, signal: _Signal, clock: float) -> None:
        """These values are shown at `clock`."""
        down, up = self._changes(signal)
        x, marked = signal.values, signal.marked
        changed = down | up
        self._over[changed & (clock - self._times[0] < WINDOW_SECONDS)] = clock
        self._times[:, changed] = np.roll(self._times[:, changed], -1, axis=0)
        higher, lower = x > self._high, x < self._low
        goes_on = ((self._direction > 0) & higher) | ((self._direction < 0) & lower)
        self._times[-1, changed | goes_on] = clock
        self._direction[down] = -1
        self._direction[up] = 1
        higher |= changed
        lower |= changed
        self._high[higher], self._high_marked[higher] = x[higher], marked[higher]
        self._low[lower], self._low_marked[lower] = x[lower], marked[lower]


class FlashLimiter:
    """Says how far the canvas may move from what was shown towards what is wanted.

    `step` is called once for each canvas shown; one thread.
    """

    def __init__(self, rows: int = ROWS, columns: int = COLUMNS) -> None:
        cells = rows * columns
        self._shown = np.zeros((cells, 3), np.float32)
        self._luminance = _Swings(cells + 1, LUMINANCE_STEP, LUMINANCE_DARKER)
        self._red = _Swings(cells + 1, RED_STEP, np.inf)
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
        self._clock += max(0.0, now - self._now) if self._now is not None else 0.0
        self._now = now
        if self._luminance.begin(self._measure_luminance(wanted)):
            self._red.begin(self._measure_red(wanted))
            self._shown = wanted
            return 1.0
        change = wanted - self._shown
        factor = self._largest_factor(change) if limit else 1.0
        self._shown = self._shown + np.float32(factor) * change
        self._luminance.show(self._measure_luminance(self._shown), self._clock)
        self._red.show(self._measure_red(self._shown), self._clock)
        return factor

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
        return self._luminance.within_budget(
            self._measure_luminance(cells), self._clock
        ) and self._red.within_budget(self._measure_red(cells), self._clock)

    @staticmethod
    def _measure_luminance(cells: np.ndarray) -> _Signal:
        values = relative_luminance(cells)
        values = np.append(values, values.mean(dtype=np.float32))
        return _Signal(values, np.ones(len(values), bool))

    @staticmethod
    def _measure_red(cells: np.ndarray) -> _Signal:
        red, others = cells[:, 0], cells[:, 1] + cells[:, 2]
        values = np.maximum(red - others, 0.0)
        saturated = (red > 0) & (red >= RED_SHARE * (red + others))
        values = np.append(values, np.mean(values * saturated, dtype=np.float32))
        return _Signal(values, np.append(saturated, True))
