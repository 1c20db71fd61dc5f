"""What the meters of the four failure signatures say, and the failure that they name.

The paper's signatures: static output, jitter, lag, glitches. The engine measures (`latent.diagnosis`), the
stage shows and names; this module is what both share. Pure numbers: no torch, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum

import numpy as np

from lavlive.parameters import GROUPS, INDEX

STATIC_BELOW = 0.07
JITTER_ABOVE = 0.10
JITTER_SHARE_ABOVE = 0.08
LAG_ABOVE = 0.30
GLITCH_ABOVE = 2.0
"""Where the failures begin, in the meters' units; docs/diagnosis.md says how each was measured."""

TOO_QUIET_BELOW = -40.0
"""dBFS over 10 s: of a track at its usual level the quietest parts have −32."""

SETTLED_SECONDS = 10.0
_AUDIBLE = 0.5


@dataclass(frozen=True, slots=True)
class Signs:
    """The meters at one hop; float64 [3] each for coarse, middle and fine unless said otherwise.

    Attributes:
        diversity: spread of w+ over the last 10 s (standard deviation over time, root mean square over the
            512 dimensions), in W_std.
        jitter: root mean square of w+'s motion above 8 Hz over the last 2 s, in W_std.
        jitter_share: the share of the last 10 s' variance that lies above 8 Hz, 0 to 1.
        lag: delay of the group's smoothing, in seconds.
        onset_lag: measured delay from onsets to the group's motion, in seconds; NaN where the motion does
            not follow onsets clearly enough to tell.
        onset_correlation: the correlation at that delay, -1 to 1.
        strangeness: share of the model's own w that lie nearer to W_mean (Mahalanobis) than w+ did over the
            last 2 s (root mean square), 0 to 1; NaN while no model is known.
        distance: the same distance as a multiple of the median of the model's own w; NaN while no model is
            known. The share saturates at 1 long before pictures look wrong; this does not.
        picture_change: mean change of a pixel from one picture to the next, in L* (0 to 100), one number.
        picture_lag, picture_correlation: like `onset_lag` and `onset_correlation` for the pictures, with the
            time that it takes to make them; one number each.
        sounding: share of the last 10 s that was not silent, 0 to 1.
        onset: mean onset strength over the last 10 s, 0 to 1.
        heard: seconds that the meters rest on, at most 10.
        level: dBFS of the last 10 s as pictures hear them, after all gains; NaN where nobody measured it.
    """

    diversity: np.ndarray
    jitter: np.ndarray
    jitter_share: np.ndarray
    lag: np.ndarray
    onset_lag: np.ndarray
    onset_correlation: np.ndarray
    strangeness: np.ndarray
    distance: np.ndarray
    picture_change: float
    picture_lag: float
    picture_correlation: float
    sounding: float
    onset: float
    heard: float
    level: float = float("nan")

    def numbers(self) -> dict[str, np.ndarray]:
        """Every meter by its name, float64 [3] or [1]."""
        return {
            each.name: np.atleast_1d(np.asarray(getattr(self, each.name), np.float64))
            for each in fields(self)
        }

    @classmethod
    def of(cls, numbers: Mapping[str, np.ndarray]) -> Signs:
        """The inverse of `numbers`."""
        return cls(
            diversity=numbers["diversity"].copy(),
            jitter=numbers["jitter"].copy(),
            jitter_share=numbers["jitter_share"].copy(),
            lag=numbers["lag"].copy(),
            onset_lag=numbers["onset_lag"].copy(),
            onset_correlation=numbers["onset_correlation"].copy(),
            strangeness=numbers["strangeness"].copy(),
            distance=numbers["distance"].copy(),
            picture_change=float(numbers["picture_change"][0]),
            picture_lag=float(numbers["picture_lag"][0]),
            picture_correlation=float(numbers["picture_correlation"][0]),
            sounding=float(numbers["sounding"][0]),
            onset=float(numbers["onset"][0]),
            heard=float(numbers["heard"][0]),
            level=float(numbers["level"][0]),
        )


LENGTHS: dict[str, int] = {each.name: 3 if each.type == "np.ndarray" else 1 for each in fields(Signs)}
"""How many numbers each meter has, by its name."""


class Signature(Enum):
    """A failure of the picture, in the paper's words."""

    STATIC = "static"
    JITTER = "jitter"
    LAG = "lag"
    GLITCH = "glitch"


class Cause(Enum):
    """Where a failure comes from."""

    LOOK = "look"
    TOO_QUIET = "too quiet"
    NO_SOUND = "no sound"


@dataclass(frozen=True, slots=True)
class Finding:
    """One failure that the meters name.

    Attributes:
        signature: which.
        excess: how far beyond its threshold, as a ratio above 1.
        group: 0 coarse, 1 middle, 2 fine: the group whose meter says so.
        cause: what lies before the knobs, where something does.
    """

    signature: Signature
    excess: float
    group: int
    cause: Cause = Cause.LOOK


def excesses(signs: Signs) -> dict[Signature, np.ndarray]:
    """How near each group is to each failure, float64 [3]: above 1 it is beyond the threshold."""
    return {
        Signature.STATIC: STATIC_BELOW / np.maximum(signs.diversity, 1e-6),
        Signature.JITTER: np.minimum(signs.jitter / JITTER_ABOVE, signs.jitter_share / JITTER_SHARE_ABOVE),
        Signature.LAG: signs.lag / LAG_ABOVE,
        Signature.GLITCH: np.nan_to_num(signs.distance) / GLITCH_ABOVE,
    }


_ONE_GROUP_IS_ENOUGH = (Signature.JITTER, Signature.GLITCH)


def worst(signature: Signature, excess: np.ndarray) -> tuple[float, int]:
    """Of a signature's excesses [3] the one that decides, and its group."""
    group = int(excess.argmax() if signature in _ONE_GROUP_IS_ENOUGH else excess.argmin())
    return float(excess[group]), group


def judged(signs: Signs) -> bool:
    """Whether the meters have settled on something to hear."""
    return signs.heard >= SETTLED_SECONDS and signs.sounding >= _AUDIBLE


def verdict(signs: Signs) -> list[Finding]:
    """The failures that the meters name now, the worst first; none before they have settled.

    In silence a picture that stands still is static, and nothing else is named.
    Static if no group moves enough, lag if no group follows soon enough: the form may rest while the surface
    lives. Jitter if any group has too much motion above 8 Hz, both in W_std and as a share; glitch if any
    group is too far from the model's own w.
    """
    if signs.heard < SETTLED_SECONDS:
        return []
    heard = judged(signs)
    findings = []
    for signature, excess in excesses(signs).items():
        decides, group = worst(signature, excess)
        if decides > 1.0 and signature is Signature.STATIC:
            quiet = Cause.TOO_QUIET if signs.level < TOO_QUIET_BELOW else Cause.LOOK
            findings.append(Finding(signature, decides, group, quiet if heard else Cause.NO_SOUND))
        elif decides > 1.0 and heard:
            findings.append(Finding(signature, decides, group))
    return sorted(findings, key=lambda finding: -finding.excess)


def remedy(finding: Finding, numbers: np.ndarray) -> str:
    """What mends a failure under the parameters' present values [len(TABLE)]: a knob and where to turn it."""
    window = f"smoothing.{GROUPS[finding.group]}"
    if finding.cause is Cause.NO_SOUND:
        return "no sound arrives: see to the source and audio.channels"
    if finding.cause is Cause.TOO_QUIET:
        automatic = numbers[INDEX["audio.auto_gain"]] >= 0.5
        return f"too quiet: raise audio.gain{'' if automatic else ', or switch audio.auto_gain on'}"
    match finding.signature:
        case Signature.STATIC:
            if numbers[INDEX["generator.truncation"]] < 0.5:
                return "raise generator.truncation"
            return "raise mapper.y" if numbers[INDEX["mapper.y"]] < 1.0 else f"shorten {window}"
        case Signature.JITTER:
            return f"lengthen {window}"
        case Signature.LAG:
            return f"shorten {window}"
        case Signature.GLITCH:
            if numbers[INDEX["generator.truncation"]] > 1.0:
                return "lower generator.truncation"
            return "lower mapper.c" if numbers[INDEX["mapper.c"]] > 0.2 else "lower mapper.y"
