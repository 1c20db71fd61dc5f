"""Bends: what hands do to the features inside a generator (Broad and others, "Network Bending", 2021).

    features of a block [C, h, w] ─► up to three bends, one by one ─► its picture layer, the next block

A bend takes a share of the features, chosen under a seed, and changes them:

    translate x, y    by `amount` of the width or height; what leaves comes back mirrored
    rotate            by `amount` half turns
    zoom              4^amount times larger
    mirror            one half over the other: from the left; below nought from above
    multiply          by 4^amount
    ablate            takes |amount| of them away
    invert            turns their sign round: half-way they are gone
    threshold         what is fainter than 3 · |amount| of a feature's root mean square vanishes
    erode, dilate     the least, the greatest of what lies within |amount| / 8 of the picture's side
    wrap              what is stronger than 0.5 / |amount| root mean squares is folded back

Every one is continuous in its amount and is nothing at nought. They are had at 8² to 64²: above that the
canvas does the same for less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lavlive.parameters import BEND_KINDS, BEND_PLACES, BEND_SLOTS, INDEX

RESOLUTIONS = (8, 16, 32, 64)
"""Of square pictures; where features may be bent."""
_GROUPS = {"coarse": (8,), "middle": (16, 32), "fine": (64,)}
CHANNELWISE = ("multiply", "ablate", "invert")
"""Kinds that multiply whole features, which the styles of the next layers can do as well."""
_NAMES = ("amount", "share", "seed", "kind", "where")
_ROWS = np.array([[INDEX[f"bend.{slot}.{name}"] for name in _NAMES] for slot in BEND_SLOTS])


@dataclass(frozen=True, slots=True)
class Bend:
    """One bend at work.

    Attributes:
        kind: see the module.
        where: a layer group, or a resolution of square pictures.
        share: of the features, 0 to 1.
        seed: which ones.
        amount: −1 to 1.
    """

    kind: str
    where: str
    share: float
    seed: int
    amount: float

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Where it bends."""
        return _GROUPS[self.where] if self.where in _GROUPS else (int(self.where),)

    def features(self, resolution: int, channels: int) -> np.ndarray:
        """The numbers of the features that it takes of a block; those of a smaller share are among them."""
        count = max(1, round(self.share * channels))
        return np.random.default_rng((self.seed, resolution)).permutation(channels)[:count]

    @property
    def factor(self) -> float:
        """By what a kind of `CHANNELWISE` multiplies."""
        match self.kind:
            case "multiply":
                return float(4.0**self.amount)
            case "ablate":
                return 1.0 - abs(self.amount)
        return 1.0 - 2.0 * abs(self.amount)


Bends = tuple[Bend, ...]


def bends_of(numbers: np.ndarray) -> Bends:
    """The bends that are at work under the parameters' values, in the table's order; () for none."""
    rows = numbers[_ROWS]
    if not rows[:, 0].any():
        return ()
    return tuple(
        Bend(BEND_KINDS[round(kind)], BEND_PLACES[round(where)], float(share), int(seed), float(amount))
        for amount, share, seed, kind, where in rows
        if amount and share > 0 and round(kind)
    )


def at(bends: Bends, resolution: int) -> Bends:
    """Those that bend the features of a block."""
    return tuple(bend for bend in bends if resolution in bend.resolutions)


def factors(bends: Bends, resolution: int, channels: int) -> np.ndarray | None:
    """What bends multiply a block's features by, float32 [channels]; None where that is not all they do."""
    if any(bend.kind not in CHANNELWISE for bend in bends):
        return None
    found = np.ones(channels, np.float32)
    for bend in bends:
        found[bend.features(resolution, channels)] *= bend.factor
    return found
