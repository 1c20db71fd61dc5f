"""Which channels of a source are heard, and how many become two or one.

A source with known loudspeakers (5.1, 7.1) is mixed by the coefficients of ITU-R BS.775: centre and
surrounds at −3 dB to the fronts, the low-frequency channel left out. The sum is scaled so that sound
within full scale stays within. Channels of which nothing is known count alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lavlive.audio.block import MAX_CHANNELS, Samples
from lavlive.errors import SourceError

Layout = tuple[str, ...]
"""The loudspeaker of each channel by its usual short name ("FL", "FC", "LFE" …); () where it is not known."""
Mix = npt.NDArray[np.float32]
"""Shares of each channel in what is heard, [channels, 1 or 2]."""

SURROUND_51: Layout = ("FL", "FR", "FC", "LFE", "BL", "BR")
"""What six channels without a description are."""

_3DB = math.sqrt(0.5)
_SHARES: dict[str, tuple[float, float]] = {
    "FL": (1, 0),
    "FR": (0, 1),
    "DL": (1, 0),
    "DR": (0, 1),
    "FLC": (1, 0),
    "FRC": (0, 1),
    "WL": (1, 0),
    "WR": (0, 1),
    "FC": (_3DB, _3DB),
    "BL": (_3DB, 0),
    "BR": (0, _3DB),
    "SL": (_3DB, 0),
    "SR": (0, _3DB),
    "BC": (0.5, 0.5),
    "TFL": (_3DB, 0),
    "TFR": (0, _3DB),
    "TBL": (_3DB, 0),
    "TBR": (0, _3DB),
    "TFC": (0.5, 0.5),
    "TBC": (0.5, 0.5),
    "TC": (0.5, 0.5),
    "LFE": (0, 0),
    "LFE2": (0, 0),
}
SPEAKERS = frozenset(_SHARES)
"""Every loudspeaker of which is known how it is mixed."""
_WORDS = ("all", "left", "right", "mid", "side")


def stereo_mix(layout: Layout, channels: int) -> Mix:
    """How all channels become two, float32 [channels, 2]; one channel goes to both."""
    if channels == 2:
        return np.eye(2, dtype=np.float32)
    if channels == 1:
        return np.ones((1, 2), np.float32)
    if not layout and channels == len(SURROUND_51):
        layout = SURROUND_51
    if len(layout) != channels or not SPEAKERS.issuperset(layout):
        return np.full((channels, 2), 1.0 / channels, np.float32)
    mix = np.array([_SHARES[name] for name in layout], np.float64)
    return (mix / max(float(mix.sum(axis=0).max()), 1.0)).astype(np.float32)


def to_stereo(samples: Samples, layout: Layout = ()) -> Samples:
    """All channels mixed to two: float32 [n, channels] to [n, 2]."""
    mixed: Samples = samples @ stereo_mix(layout, samples.shape[1])
    return mixed


@dataclass(frozen=True, slots=True)
class Pick:
    """The channels that somebody wants to hear.

    Attributes:
        word: "all", "front" (the first two, or one where there is only one), "left", "right", "mid" (left and
            right together), "side" (their difference), or "numbers".
        numbers: for "numbers": counted from 1; one, two (as left and right), or more, which are mixed.
    """

    word: str = "all"
    numbers: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Pick:
        """Read what was typed: ``all``, ``left``, ``right``, ``mid``, ``side``, or ``3,4``.

        Raises:
            SourceError: it is none of these.
        """
        plain = text.strip().lower()
        if plain in _WORDS:
            return cls(plain)
        parts = [part.strip() for part in plain.split(",")]
        if all(part.isascii() and part.isdigit() and 1 <= int(part) <= MAX_CHANNELS for part in parts):
            return cls("numbers", tuple(int(part) for part in parts))
        raise SourceError(
            f"channels are {', '.join(_WORDS)}, or numbers from 1 to {MAX_CHANNELS} such as 3,4; not {text!r}"
        )

    def __str__(self) -> str:
        if self.word == "front":
            return "the first two"
        return ",".join(map(str, self.numbers)) if self.numbers else self.word

    @property
    def needs(self) -> int:
        """How many channels a source must have."""
        return max(self.numbers) if self.numbers else 2 if self.word in ("right", "side") else 1

    def mix(self, layout: Layout, channels: int) -> Mix:
        """How the channels of a source become one or two, float32 [channels, 1 or 2]; `needs` must be met."""
        if self.word == "all":
            mix = stereo_mix(layout, channels)
            alike = channels != 2 and bool((mix[:, 0] == mix[:, 1]).all())
            return mix[:, :1] if alike else mix
        mix = np.zeros((channels, 2 if len(self.numbers) == 2 else 1), np.float32)
        match self.word:
            case "front":
                mix = np.eye(channels, min(2, channels), dtype=np.float32)
            case "left":
                mix[0] = 1.0
            case "right":
                mix[1] = 1.0
            case "mid":
                mix[: min(2, channels)] = 1.0 / min(2, channels)
            case "side":
                mix[0], mix[1] = 0.5, -0.5
            case _:
                for place, number in enumerate(self.numbers):
                    mix[number - 1, place % mix.shape[1]] += 1.0 / (len(self.numbers) / mix.shape[1])
        return mix


ALL = Pick()
FRONT = Pick("front")
