"""What hands do in one model's W, on top of what sound asks for.

    deviation [3, w_dim] ─► + dials ─► limit ─► w+ [L, w_dim]

It belongs to a model and not to the latent path: its directions mean nothing in another model's W, and while
one model fades into the next each has its own. Where no hand does anything, w+ is bit for bit what it is
without it.
"""

from __future__ import annotations

import numpy as np

from lavlive.latent.limit import held_back, spread_of
from lavlive.latent.space import Space, fitted
from lavlive.parameters import DIALS_PER_GROUP, GROUPS, INDEX

_DIALS = np.array([[INDEX[f"dial.{g}.{n + 1}"] for n in range(DIALS_PER_GROUP)] for g in GROUPS])
_TRUNCATION = INDEX["generator.truncation"]


class Instrument:
    """The hands of one model. The picture worker's, but for `dials`, which another thread may put in place.

    Attributes:
        dials: float32 [3, 8, w_dim], what one unit of each dial adds to w; None until they are known.
    """

    def __init__(self) -> None:
        self.dials: np.ndarray | None = None

    def w_plus(self, deviation: np.ndarray, numbers: np.ndarray, space: Space) -> np.ndarray:
        """w+ [L, w_dim], float32, of the groups' deviations under the parameters' present values.

        Args:
            deviation: [3, w], in W_std, of any width.
            numbers: of all parameters, in the table's order.
            space: the model's W.
        """
        turned = numbers[_DIALS]
        if self.dials is not None and turned.any():
            added = (turned[:, None, :] @ self.dials)[:, 0]
            width = len(space.mean)
            moved = fitted(deviation, width) + added / np.where(space.std > 0, space.std, 1.0)
            deviation = held_back(moved, spread_of(moved))
        return space.w_plus(deviation, float(numbers[_TRUNCATION]))
