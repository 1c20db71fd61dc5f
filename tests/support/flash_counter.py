"""A counter of flashes for the tests: it sees only pictures and times, and shares no code with the limiter.

Every pixel's course through time is reduced to its turning points (reversals smaller than the threshold
are ignored), each stretch between two of them is one change, dated at its end. What counts is how many
changes, in the worst second, at least a quarter of the picture made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class FlashCount:
    """Changes in the worst second that at least a quarter of the picture made; six are three flashes."""

    general: int
    red: int


def _light(byte: int) -> float:
    share = byte / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


LIGHT = np.array([_light(byte) for byte in range(256)])


def turning_points(course: Sequence[float], threshold: float) -> list[int]:
    """Where a course turns by `threshold` or more: indices, ascending, the first and last point included."""
    points = [0]
    extreme = 0
    rising: bool | None = None
    for index, value in enumerate(course):
        if rising is None:
            if abs(value - course[0]) >= threshold:
                rising, extreme = value > course[0], index
        elif (value > course[extreme]) == rising and value != course[extreme]:
            extreme = index
        elif abs(value - course[extreme]) >= threshold:
            points.append(extreme)
            rising, extreme = not rising, index
    return [*points, extreme] if rising is not None else []


def _changes(course: Sequence[float], threshold: float, counts: Callable[[int, int], bool]) -> list[int]:
    points = turning_points(course, threshold)
    return [end for begin, end in pairwise(points) if counts(begin, end)]


def _worst_second(dates: list[np.ndarray], shares: np.ndarray, times: np.ndarray) -> int:
    """Changes in the worst second of what at least a quarter of the picture equals or exceeds."""
    worst = 0
    for end in times:
        counts = np.array([int(((d > end - 0.999) & (d <= end)).sum()) for d in dates])
        order = np.argsort(counts)[::-1]
        quarter = int(np.argmax(np.cumsum(shares[order]) >= 0.25))
        worst = max(worst, int(counts[order[quarter]]))
    return worst


def _one_is_dark(luminance: np.ndarray, first: int, second: int) -> bool:
    return bool(min(luminance[first], luminance[second]) < 0.8)


def _one_is_saturated(saturated: np.ndarray, first: int, second: int) -> bool:
    return bool(saturated[first] or saturated[second])


def count_flashes(pictures: np.ndarray, times: Sequence[float]) -> FlashCount:
    """Count over pictures uint8 [n, H, W, 3] shown at `times` in seconds."""
    courses = pictures.reshape(len(pictures), -1, 3).transpose(1, 0, 2)
    different, pixels = np.unique(courses, axis=0, return_counts=True)
    light = LIGHT[different]
    luminance = light @ [0.2126, 0.7152, 0.0722]
    red = np.maximum(light[..., 0] - light[..., 1] - light[..., 2], 0) * 320
    saturated = light[..., 0] >= 0.8 * np.maximum(light.sum(axis=-1), 1e-9)
    at = np.asarray(times)
    general_dates, red_dates = [], []
    for y, r, s in zip(luminance, red, saturated, strict=True):
        general = _changes(y.tolist(), 0.1, partial(_one_is_dark, y))
        reds = _changes(r.tolist(), 20.0, partial(_one_is_saturated, s))
        general_dates.append(at[general])
        red_dates.append(at[reds])
    shares = pixels / pixels.sum()
    return FlashCount(_worst_second(general_dates, shares, at), _worst_second(red_dates, shares, at))
