"""Whether one series follows another: geometry, neighbours, sections, onsets.

Everything works on windows [n, d] of the same moments, or on series at 75 Hz. No measure looks at pairs of
windows less than two seconds apart: whatever moves smoothly is like itself a moment later, with or without
music.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

APART_SECONDS = 2.0
NEIGHBOURS = 5
_SHIFTS = 8
_SMALLEST_SHIFT = 0.15
"""Of the length: a shifted control is at least so far from the truth."""


def distances(values: np.ndarray) -> np.ndarray:
    """Euclidean distances of all windows, float64 [n, n]."""
    squares = np.einsum("nd,nd->n", values, values)
    gram = values @ values.T
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2.0 * gram, 0.0)))


def pairs_apart(count: int, stride: float, apart: float = APART_SECONDS) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the pairs of windows at least `apart` seconds from each other."""
    rows, columns = np.triu_indices(count, k=max(1, int(np.ceil(apart / stride))))
    return rows, columns


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, ties shared, float64 [n]."""
    order = np.argsort(values, kind="stable")
    _, inverse, counts = np.unique(values[order], return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared = np.empty(len(values))
    shared[order] = ((ends - counts + ends - 1) / 2.0)[inverse]
    return shared


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation; NaN where one of the two never changes."""
    a, b = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    # What is constant but for rounding has no direction to correlate.
    if scale <= 1e-12 * max(1.0, float(np.abs(one).max() * np.abs(other).max())) * len(a):
        return float("nan")
    return float(a @ b) / scale


def similarity(one: np.ndarray, other: np.ndarray, stride: float) -> float:
    """Representational similarity (Kriegeskorte et al. 2008): Spearman's correlation of distances.

    1: the two series have the same geometry up to a monotone stretch; 0: they know nothing of each other.

    Args:
        one, other: distances [n, n] of the same windows.
        stride: seconds from window to window.
    """
    chosen = pairs_apart(len(one), stride)
    return correlation(ranks(one[chosen]), ranks(other[chosen]))


def shared_neighbours(one: np.ndarray, other: np.ndarray, stride: float, count: int = NEIGHBOURS) -> float:
    """Share of a window's nearest neighbours that both series agree on (Huh et al. 2024), 0 to 1.

    Retrieval both ways: of the moments most like this one in sound, how many are so in pictures. By chance:
    ``count`` over the number of windows that are far enough away.
    """
    size = len(one)
    near = np.abs(np.arange(size)[:, None] - np.arange(size)[None, :]) * stride < APART_SECONDS
    taken = []
    for table in (one, other):
        order = np.argsort(np.where(near, np.inf, table), axis=1, kind="stable")[:, :count]
        chosen = np.zeros((size, size), bool)
        np.put_along_axis(chosen, order, True, axis=1)
        taken.append(chosen)
    return float((taken[0] & taken[1]).sum() / (size * count))


def sections(distance: np.ndarray, stride: float, reach: float = 4.0) -> np.ndarray:
    """Section of each window, int [n], found without a hand: by novelty (Foote 2000).

    A checkerboard of `reach` seconds each way slides along the diagonal of the distances; a section begins
    where before and after differ most, at least `reach` seconds after the one before.
    """
    half = max(2, round(reach / stride))
    count = len(distance)
    scale = np.exp(-0.5 * ((np.arange(-half, half) + 0.5) / (0.5 * half)) ** 2)
    sign = np.where(np.arange(-half, half) < 0, -1.0, 1.0)
    kernel = np.outer(scale, scale) * np.outer(sign, sign)
    novelty = np.zeros(count)
    for centre in range(half, count - half + 1):
        block = distance[centre - half : centre + half, centre - half : centre + half]
        novelty[centre if centre < count else count - 1] = -(block * kernel).sum()
    inner = novelty[half : count - half + 1]
    threshold = inner.mean() + 0.25 * inner.std() if len(inner) else np.inf
    begins = np.zeros(count, int)
    for centre in np.argsort(-novelty, kind="stable"):
        if novelty[centre] <= threshold:
            break
        if not begins[max(0, centre - half) : centre + half + 1].any():
            begins[centre] = 1
    return np.asarray(np.cumsum(begins))


def section_area(distance: np.ndarray, labels: np.ndarray, stride: float) -> float:
    """How well distances tell sections apart: the chance that two windows of one section are nearer than
    two of different ones (area under the ROC curve). NaN with fewer than two sections.
    """
    rows, columns = pairs_apart(len(distance), stride)
    same = labels[rows] == labels[columns]
    own, other = int(same.sum()), int((~same).sum())
    if min(own, other) < 20:
        return float("nan")
    order = ranks(-distance[rows, columns])
    return float((order[same].sum() - own * (own - 1) / 2) / (own * other))


def rolled(table: np.ndarray, shift: int) -> np.ndarray:
    """The distances of a series whose time is turned around a circle by `shift` windows."""
    return np.roll(table, (shift, shift), axis=(0, 1))


def shifts(count: int) -> Iterator[int]:
    """The control's shifts: spread evenly, none near the truth."""
    smallest = max(1, int(_SMALLEST_SHIFT * count))
    return iter(np.unique(np.linspace(smallest, count - smallest, _SHIFTS).astype(int)).tolist())


def by_chance(measure: Callable[[int], float], count: int) -> float:
    """Mean of a measure over the control's shifts: what slow change alone would give."""
    values = np.array([measure(shift) for shift in shifts(count)])
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def answer(cause: np.ndarray, effect: np.ndarray, rate: float, longest: float = 1.0) -> tuple[float, float]:
    """How strongly and how late an effect answers a cause: the highest correlation over delays.

    Both lose what changes over more than four seconds first, so that a loud half of a track does not count
    as an onset.

    Returns:
        Correlation, and the delay in seconds, 0 to `longest`, at which it is reached.
    """
    a, b = _without_drift(cause, rate), _without_drift(effect, rate)
    values = [correlation(a[: len(a) - lag], b[lag:]) for lag in range(round(longest * rate) + 1)]
    if not np.isfinite(values).all():
        return float("nan"), float("nan")
    best = int(np.argmax(values))
    return values[best], best / rate


def answer_curve(cause: np.ndarray, effect: np.ndarray, rate: float, longest: float = 1.5) -> np.ndarray:
    """The correlation at every delay from −`longest` to `longest` seconds, float64 [2·n + 1]."""
    a, b = _without_drift(cause, rate), _without_drift(effect, rate)
    reach = round(longest * rate)
    curve = [
        correlation(a[: len(a) - lag], b[lag:]) if lag >= 0 else correlation(a[-lag:], b[:lag])
        for lag in range(-reach, reach + 1)
    ]
    return np.array(curve)


def speed(values: np.ndarray, steps: int = 1) -> np.ndarray:
    """Distance travelled per step [n], root mean square over dimensions; the first `steps` are 0."""
    moved = np.zeros(len(values))
    difference = values[steps:] - values[:-steps]
    moved[steps:] = np.sqrt(np.mean(difference.reshape(len(difference), -1) ** 2, axis=1))
    return moved


def straightness(values: np.ndarray, steps: int) -> float:
    """Mean cosine between a displacement over `steps` and the next one: 1 a straight path, 0 a random walk,
    −0.5 independent noise.
    """
    flat = values.reshape(len(values), -1)[::steps]
    moves = np.diff(flat, axis=0)
    lengths = np.linalg.norm(moves, axis=1)
    dots = np.einsum("nd,nd->n", moves[1:], moves[:-1])
    scale = lengths[1:] * lengths[:-1]
    alive = scale > 1e-12
    return float((dots[alive] / scale[alive]).mean()) if alive.any() else float("nan")


def _without_drift(values: np.ndarray, rate: float, seconds: float = 4.0) -> np.ndarray:
    length = min(max(1, round(seconds * rate)), len(values))
    padded = np.pad(values.astype(np.float64), (length // 2, length - 1 - length // 2), mode="reflect")
    totals = np.concatenate([[0.0], np.cumsum(padded)])
    return np.asarray(values - (totals[length:] - totals[:-length]) / length)
