"""What is tried: settings of the path, each a condition with a name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from lavlive.parameters import GROUPS, ONE_HOP
from lavlive.study.drivers import LOG_MEL

DEFAULT = "default"
REHEARSED = "heard before"


@dataclass(frozen=True)
class Condition:
    """One way to run the path over every track.

    Attributes:
        name: what the report calls it; conditions that differ in their seed alone share it.
        family: the sweep or comparison that it belongs to.
        driver: of `drivers.driver_names`.
        projection: ``random``, ``orthogonal``, ``identity``, ``aligned`` or ``learned``.
        seed: of the projection, and of an untrained driver's weights.
        settings: what differs from the defaults, as for ``--set``.
        meters: whether the failure signatures are measured.
        pictures: whether pictures are made and compared.
        motion: whether pictures are made fast enough to see onsets in them.
        rehearsed: whether the path has heard the whole track once before, so that it has adapted to it.
    """

    name: str
    family: str
    driver: str
    projection: str = "random"
    seed: int = 0
    settings: tuple[tuple[str, float], ...] = ()
    meters: bool = True
    pictures: bool = False
    motion: bool = False
    rehearsed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON, and for the key of a kept result."""
        return asdict(self)


def plan(drivers: Iterable[str], seeds: int, quick: bool = False) -> list[Condition]:
    """Every condition; the first is the default at seed 0.

    Args:
        drivers: the chosen encoder first.
        seeds: of the random projection, at least 1.
        quick: a few conditions of each kind, to see that all works.
    """
    names = list(drivers)
    default = Condition(DEFAULT, "seeds", names[0], pictures=True, motion=True)
    # The seeds come last: a study that is stopped has seen some of everything by then.
    conditions = [default]
    conditions += _projections(default, min(seeds, 2))
    conditions += _drivers(default, names[1:], min(seeds, 2))
    conditions += [
        replace(
            default,
            name=name,
            family=family,
            settings=tuple(sorted(settings.items())),
            pictures=made >= _SHOWN,
            motion=made >= _MOVING,
        )
        for family, name, settings, made in _SWEEPS
    ]
    conditions.append(replace(default, name=REHEARSED, family="adapt", motion=False, rehearsed=True))
    conditions += [
        replace(default, seed=seed, meters=False, pictures=seed < 2, motion=False) for seed in range(1, seeds)
    ]
    if not quick:
        return conditions
    return [replace(c, motion=c == default) for c in conditions if c.name in _QUICK]


def _projections(default: Condition, seeds: int) -> list[Condition]:
    found = [
        replace(default, name="orthogonal", family="projection", projection="orthogonal", seed=seed)
        for seed in range(seeds)
    ]
    found += [
        replace(default, name=name, family="projection", projection=name)
        for name in ("identity", "aligned", "learned")
    ]
    return [replace(c, motion=False, pictures=c.seed == 0, meters=c.seed == 0) for c in found]


def _drivers(default: Condition, names: list[str], seeds: int) -> list[Condition]:
    found = [
        replace(default, name=name, family="driver", driver=name, seed=seed)
        for name in names
        for seed in range(seeds)
    ]
    return [replace(c, motion=False, pictures=c.seed == 0, meters=c.seed == 0) for c in found]


def _windows(coarse: float, middle: float, fine: float) -> dict[str, float]:
    return {
        f"smoothing.{group}": window for group, window in zip(GROUPS, (coarse, middle, fine), strict=True)
    }


def _all(prefix: str, depth: float) -> dict[str, float]:
    return {f"modulation.{prefix}.{group}": depth for group in GROUPS}


_STILL, _SHOWN, _MOVING = range(3)
"""What of a condition is made into pictures: nothing, what is compared with windows, also motion."""

_SWEEPS: tuple[tuple[str, str, dict[str, float], int], ...] = (
    ("y", "y 0.5", {"mapper.y": 0.5}, _SHOWN),
    ("y", "y 2", {"mapper.y": 2.0}, _STILL),
    ("y", "y 4", {"mapper.y": 4.0}, _SHOWN),
    ("c", "c 0", {"mapper.c": 0.0}, _STILL),
    ("c", "c 1", {"mapper.c": 1.0}, _STILL),
    ("c", "y 4, c 0", {"mapper.y": 4.0, "mapper.c": 0.0}, _STILL),
    ("c", "y 4, c 1", {"mapper.y": 4.0, "mapper.c": 1.0}, _STILL),
    ("windows", "no smoothing", _windows(ONE_HOP, ONE_HOP, ONE_HOP), _MOVING),
    ("windows", "windows ÷ 4", _windows(0.3, 0.1, 0.025), _SHOWN),
    ("windows", "windows × 4", _windows(4.8, 1.6, 0.4), _SHOWN),
    ("windows", "all 8 s", _windows(8.0, 8.0, 8.0), _MOVING),
    ("windows", "all 0.4 s", _windows(0.4, 0.4, 0.4), _SHOWN),
    ("energy", "keep_energy 0", {"smoothing.keep_energy": 0.0}, _SHOWN),
    ("energy", "keep_energy 1", {"smoothing.keep_energy": 1.0}, _SHOWN),
    ("adapt", "adapt 0", {"mapper.adapt": 0.0}, _SHOWN),
    ("adapt", "adapt 20", {"mapper.adapt": 20.0}, _STILL),
    ("modulation", "onset 1", _all("onset", 1.0), _MOVING),
    ("modulation", "onset 1, fine only", {"modulation.onset.fine": 1.0}, _STILL),
    ("modulation", "chroma 1", _all("chroma", 1.0), _STILL),
    ("modulation", "onset 1, windows ÷ 4", _all("onset", 1.0) | _windows(0.3, 0.1, 0.025), _MOVING),
)
_QUICK = (DEFAULT, "learned", LOG_MEL, "y 4", "no smoothing", "all 8 s")
