"""Questions to the findings: a measure of a condition, its control, its difference from the default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lavlive.parameters import GROUPS
from lavlive.study.conditions import DEFAULT
from lavlive.study.laboratory import Finding
from lavlive.study.statistics import Estimate, estimate
from lavlive.study.trial import Result

NOT_TRIED = "not tried"

Measure = Callable[[Result], float]


class Findings:
    """All results of a study, by condition and track."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.tracks = list(dict.fromkeys(finding.track for finding in findings))
        self.names = list(dict.fromkeys(finding.condition.name for finding in findings))
        self.families = {finding.condition.name: finding.condition.family for finding in findings}
        self._results = {(f.condition.name, f.track, f.condition.seed): f.result for f in findings}
        self._seeds = {
            name: sorted({f.condition.seed for f in findings if f.condition.name == name})
            for name in self.names
        }

    def of_family(self, family: str) -> list[str]:
        """The conditions of a family, in the order of the plan."""
        return [name for name in self.names if self.families[name] == family]

    def values(self, name: str, measure: Measure) -> np.ndarray:
        """A measure, float64 [tracks, seeds]; NaN where a trial did not take it."""
        seeds = self._seeds.get(name, [])
        table = np.full((len(self.tracks), len(seeds)), np.nan)
        for row, track in enumerate(self.tracks):
            for column, seed in enumerate(seeds):
                table[row, column] = _number(self._results.get((name, track, seed)), measure)
        return table

    def estimate(self, name: str, measure: Measure) -> Estimate:
        """Mean and interval over tracks and seeds."""
        return estimate(self.values(name, measure))

    def difference(self, name: str, measure: Measure, against: str = DEFAULT) -> Estimate:
        """How much more than in another condition, on the same tracks under the same seeds."""
        seeds = [seed for seed in self._seeds.get(name, []) if seed in self._seeds.get(against, [])]
        table = np.full((len(self.tracks), max(len(seeds), 1)), np.nan)
        for row, track in enumerate(self.tracks):
            for column, seed in enumerate(seeds):
                table[row, column] = _number(self._results.get((name, track, seed)), measure) - _number(
                    self._results.get((against, track, seed)), measure
                )
        return estimate(table)

    def curves(self, name: str) -> np.ndarray:
        """Correlation of onsets and pictures over delays, [tracks, delays]; empty where none was taken."""
        found = [self._results.get((name, track, 0)) for track in self.tracks]
        return np.array([one["onset_curve"] for one in found if one and "onset_curve" in one])


def _number(result: Result | None, measure: Measure) -> float:
    if result is None:
        return float("nan")
    try:
        value = measure(result)
    except (KeyError, IndexError):
        return float("nan")
    return float("nan") if value is None else float(value)


def similarity(stage: str) -> Measure:
    """Similarity of the sound's geometry and a stage's."""
    return lambda result: result["rsa"][stage]


def stranger(stage: str) -> Measure:
    """The same with the sounds of the other tracks."""
    return lambda result: result["rsa_wrong"][stage]


def shifted(stage: str) -> Measure:
    """The same with the own sound shifted in time."""
    return lambda result: result["rsa_shifted"][stage]


def margin(stage: str) -> Measure:
    """Similarity with the own sound less that with the others'."""
    return lambda result: result["rsa"][stage] - result["rsa_wrong"][stage]


def found(stage: str) -> Measure:
    """Whether the own sound was the most similar of all."""
    return lambda result: result["found"][stage]


def kept(step: str) -> Measure:
    """How much of the geometry a step of the path keeps, as ``embedding to w``."""
    return lambda result: result["kept"][step]


def paired(kind: str, stage: str, control: bool = False) -> Measure:
    """``neighbours`` or ``sections`` of a stage, or their control."""
    return lambda result: result[kind][stage][int(control)]


def onsets(where: str, what: int = 0) -> Measure:
    """How motion answers onsets: 0 correlation, 1 its delay in seconds, 2 correlation with other tracks'."""
    return lambda result: result["onsets"][where][what]


def above_strangers(where: str) -> Measure:
    """The correlation with onsets, less that with other tracks' onsets."""
    return lambda result: result["onsets"][where][0] - result["onsets"][where][2]


def sign(meter: str, group: str) -> Measure:
    """A meter of the failure signatures, of a layer group."""
    return lambda result: result["signs"][meter][GROUPS.index(group)]


def straightness(group: str) -> Measure:
    """Smoothness of a group's way."""
    return lambda result: result["straightness"][GROUPS.index(group)]


def single(name: str) -> Measure:
    """``picture_change`` or ``picture_spread``, in ΔE."""
    return lambda result: result[name]


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, in our words, and what became of it.

    Attributes:
        sentence: what is claimed.
        test: what was measured.
        result: the figures.
        verdict: ``supported``, ``contradicted``, ``partly``, ``not decided`` or `NOT_TRIED`.
    """

    sentence: str
    test: str
    result: str
    verdict: str


def above(value: Estimate, floor: float = 0.0) -> bool | None:
    """Whether all of the interval lies above; None where nothing was measured."""
    return value.low > floor if value.known else None


def below(value: Estimate, ceiling: float = 0.0) -> bool | None:
    """Whether all of the interval lies below; None where nothing was measured."""
    return value.high < ceiling if value.known else None


def verdict(expected: Sequence[bool | None], refuted: Sequence[bool | None]) -> str:
    """From what was expected and seen, and what was seen against it; what was not measured says nothing."""
    asked = [one for one in expected if one is not None]
    if not asked:
        return NOT_TRIED
    if any(refuted):
        return "partly" if any(asked) else "contradicted"
    if all(asked):
        return "supported"
    return "partly" if any(asked) else "not decided"
