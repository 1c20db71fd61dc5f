"""What the meters said over a track: the file of ``render --report`` and its summary."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lavlive.diagnosis.signs import Signs, remedy, verdict
from lavlive.errors import UsageError
from lavlive.parameters import GROUPS

_EVERY_SECONDS = 0.5
_PER_GROUP = ("diversity", "jitter", "jitter_share", "lag", "onset_lag", "strangeness", "distance")


@dataclass(slots=True)
class Span:
    """A stretch of a track in which a failure was named; seconds from its start."""

    begin: float
    end: float
    signature: str
    worst: float
    remedy: str


@dataclass(slots=True)
class Report:
    """Meters and verdicts over a track, twice a second.

    Attributes:
        spans: when which failure was named.
    """

    times: list[float] = field(default_factory=list)
    signs: list[Signs] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    _next: float = 0.0

    def add(self, time: float, signs: Signs, numbers: np.ndarray) -> None:
        """Take the meters at a hop, `time` seconds from the track's start, under its parameters."""
        if time < self._next:
            return
        self._next = time + _EVERY_SECONDS
        self.times.append(time)
        self.signs.append(signs)
        for finding in verdict(signs):
            name = finding.signature.value
            last = next((span for span in reversed(self.spans) if span.signature == name), None)
            if last is None or time - last.end > 1.5 * _EVERY_SECONDS:
                self.spans.append(Span(time, time, name, finding.excess, remedy(finding, numbers)))
            else:
                last.end, last.worst = time, max(last.worst, finding.excess)

    def shares(self) -> dict[str, float]:
        """Which part of the time that could be judged each failure was named in, 0 to 1."""
        judged = [verdict(signs) for signs in self.signs if signs.heard >= 10.0]
        named = Counter(finding.signature.value for findings in judged for finding in findings)
        return {name: count / len(judged) for name, count in named.items()}

    def median(self, meter: str) -> np.ndarray:
        """The median over the track of one meter, float64 [3] or [1]; NaN where it never could tell."""
        settled = [signs for signs in self.signs if signs.heard >= 10.0] or self.signs
        values = np.array([signs.numbers()[meter] for signs in settled])
        known = [column[np.isfinite(column)] for column in values.T]
        return np.array([np.median(column) if len(column) else np.nan for column in known])

    def summary(self) -> str:
        """One paragraph for people."""
        shares = self.shares()
        if shares:
            parts = []
            for name, share in sorted(shares.items(), key=lambda item: -item[1]):
                spans = [span for span in self.spans if span.signature == name]
                advice = Counter(span.remedy for span in spans).most_common(1)[0][0]
                parts.append(f"{name} {share:.0%} of the time, first at {spans[0].begin:.0f} s ({advice})")
            verdicts = "; ".join(parts)
        else:
            verdicts = "none of static, jitter, lag, glitch"
        change = float(self.median("picture_change")[0])
        return (
            f"{verdicts}. Medians for {', '.join(GROUPS)}: "
            f"diversity {_three(self.median('diversity'))} W_std, "
            f"motion above 8 Hz {_three(self.median('jitter'))} W_std, delay {_three(self.median('lag'))} s, "
            f"distance {_three(self.median('distance'))} of the model's own; "
            f"{change:.2f} L* from picture to picture."
        )

    def write(self, path: Path, track: str, model: str) -> None:
        """Write everything as JSON; numbers that are not known become null.

        Raises:
            UsageError: the file cannot be written.
        """
        content = {
            "track": track,
            "model": model,
            "summary": self.summary(),
            "shares": self.shares(),
            "spans": [
                {
                    "begin": round(span.begin, 2),
                    "end": round(span.end, 2),
                    "signature": span.signature,
                    "worst": round(span.worst, 3),
                    "remedy": span.remedy,
                }
                for span in self.spans
            ],
            "medians": {
                name: _plain(self.median(name)) for name in (self.signs[0].numbers() if self.signs else ())
            },
            "times": [round(time, 3) for time in self.times],
            "meters": {
                name: [_plain(signs.numbers()[name]) for signs in self.signs]
                for name in (*_PER_GROUP, "picture_change", "picture_lag")
            },
        }
        try:
            path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--report cannot write {path}: {error.strerror or error}.") from error


def _plain(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 5) if np.isfinite(value) else None for value in values]


def _three(values: np.ndarray) -> str:
    return " ".join(f"{value:.2f}" for value in values)
