"""The small pictures that an anchor is chosen from, as the engine draws them; kept while the show runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lavlive.link.keyframes import model_key
from lavlive.link.messages import ANCHORS, AnchorDrawn, DrawAnchors
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import find

_HIGHEST = int(find("anchor.number").high)
_MOST_KEPT = 4096


class AnchorGrid:
    """24 numbers of random w at a time, and what they look like with the model that is shown."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._page = 0
        self._kept: dict[tuple[str, int, int], np.ndarray] = {}
        self._asked: tuple[str, int, int] | None = None

    @property
    def numbers(self) -> range:
        """Those that are to choose from, as ``anchor.number``."""
        return range(self._page * ANCHORS, min((self._page + 1) * ANCHORS, _HIGHEST + 1))

    def others(self) -> None:
        """The next 24; the first after the last."""
        self._page = (self._page + 1) % (_HIGHEST // ANCHORS + 1)

    def pictures(self, model_hash: str, class_index: int) -> Mapping[int, np.ndarray]:
        """What has come of them, uint8 [48, 48, 3] by number; what lacks is asked for, once."""
        model = model_key(model_hash)
        there = {number: (model, class_index, number) for number in self.numbers}
        lacking = tuple(number for number, key in there.items() if key not in self._kept)
        asked = model, class_index, self._page
        if lacking and model and asked != self._asked and self._supervisor.state == "running":
            self._asked = asked
            self._supervisor.send(DrawAnchors(lacking, class_index))
        return {number: self._kept[key] for number, key in there.items() if key in self._kept}

    def take(self, drawn: AnchorDrawn) -> None:
        """One has come.

        Raises:
            ValueError: it is damaged.
        """
        while len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[model_key(drawn.model), drawn.class_index, drawn.number] = drawn.pixels

    def begin(self) -> None:
        """A new engine, which has been asked for none."""
        self._asked = None
