"""How the bench measures: tasks in turn, so that a busy machine slows all of them alike; and its tables."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Task = Callable[[], object]
_WARM_UPS = 2
_LEAST_ROUNDS = 5
_REST_SECONDS = 0.005
_UNCOUNTED, _COUNTED = 2, 3
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST_MMAPPED = 32 << 20


@dataclass(frozen=True, slots=True)
class Summary:
    """Durations of one task in milliseconds: of the clock, and of the processors (the median only).

    ``p10`` is what the task takes when nothing disturbs it.
    """

    median: float
    p95: float
    p99: float
    count: int
    p10: float
    processor: float | None = None

    @classmethod
    def of(cls, seconds: Sequence[float], processor: Sequence[float] | None = None) -> Summary:
        """Summarise durations in seconds."""
        p10, median, p95, p99 = np.percentile(np.asarray(seconds) * 1000, (10, 50, 95, 99)).tolist()
        busy = None if processor is None else float(np.median(processor) * 1000)
        return cls(median, p95, p99, len(seconds), p10, busy)


@dataclass(slots=True)
class Samples:
    """Durations of one task in seconds, of the clock and of all this process's threads together."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def summary(self) -> Summary:
        """In milliseconds."""
        return Summary.of(self.clock, self.processor)

    @property
    def turns(self) -> np.ndarray:
        """The quickest call of each turn, seconds, float64 [turns]."""
        quickest: np.ndarray = np.reshape(self.clock, (-1, _COUNTED)).min(1)
        return quickest


def interleave(
    tasks: Mapping[str, Task],
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    processor: Callable[[], float] = time.process_time,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Samples]:
    """Run all tasks in turn for about ``seconds``, and at least in five turns.

    Ratios of what ran in turn hold on a busy machine, where figures taken one after the other do not. At each
    turn a task runs five times, and the first two are not counted: torch's threads wait actively for some
    milliseconds after their work and would be charged to whoever comes next, as would cold caches.
    """
    _keep_memory()
    for task in tasks.values():
        for _ in range(_WARM_UPS):
            task()
    samples = {name: Samples() for name in tasks}
    gc.collect()
    end = clock() + seconds
    rounds = 0
    while rounds < _LEAST_ROUNDS or clock() < end:
        for name, task in tasks.items():
            sleep(_REST_SECONDS)
            for _ in range(_UNCOUNTED):
                task()
            for _ in range(_COUNTED):
                busy, began = processor(), clock()
                task()
                samples[name].clock.append(clock() - began)
                samples[name].processor.append(processor() - busy)
        rounds += 1
    return samples


def _keep_memory() -> None:
    """Have the C library keep what is freed, where that is glibc.

    Left alone, it gives an eager network's activations back to the system after each picture, or does not, as
    the heap happens to lie: 4 000 page faults more or less, half of the baseline's time.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _MOST_MMAPPED)
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def slope_per_minute(times: Sequence[float], values: Sequence[float]) -> float:
    """Least-squares slope of values over times in seconds, per minute; 0 with fewer than two."""
    if len(times) < 2:
        return 0.0
    return float(np.polyfit(np.asarray(times) - times[0], np.asarray(values), 1)[0] * 60)


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lines of text; numbers to the right, with two digits behind the point."""
    shown = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *shown]) for i in range(len(header))]
    lines = [title, "  ".join(name.ljust(w) for name, w in zip(header, widths, strict=True)).rstrip()]
    for row, line in zip(rows, shown, strict=True):
        aligned = [
            text.ljust(width) if isinstance(value, str) else text.rjust(width)
            for value, text, width in zip(row, line, widths, strict=True)
        ]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def summary_table(title: str, summaries: Mapping[str, Summary]) -> str:
    """Tenth percentile, median, p95, p99 and processor time of each task, in milliseconds."""
    rows = [[name, s.p10, s.median, s.p95, s.p99, s.processor, s.count] for name, s in summaries.items()]
    return table(title, ("ms", "p10", "median", "p95", "p99", "cpu", "runs"), rows)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
