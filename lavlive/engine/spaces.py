"""A model's W by class: measured when it is asked for, or, beside a show, in a thread of its own.

Measuring a class takes a second or two. The picture worker, which asks for each picture, would seem dead for
so long, and a stage restarts an engine that seems dead.
"""

from __future__ import annotations

import logging
import threading

from lavlive.engine.priority import yield_to_other_threads
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.wstats import w_statistics, whitening
from lavlive.latent.space import Space, WDistribution, layer_groups

_log = logging.getLogger(__name__)


class Spaces:
    """Gives the W of a class by its number; of one beyond the last, set for another model, the last's.

    Args:
        live: a class that has not been measured is being measured aside, and until then the one that was
            given last stands for it. The first that is asked for is waited for all the same.
    """

    def __init__(self, loaded: LoadedGenerator, live: bool = False) -> None:
        self._loaded = loaded
        self._live = live
        self._last = max(loaded.generator.config.class_count - 1, 0)
        self._known: dict[int, Space] = {}
        self._given: Space | None = None
        self._measuring: set[int] = set()

    def __call__(self, class_index: int) -> Space:
        """The W of a class."""
        number = min(max(class_index, 0), self._last)
        known = self._known.get(number)
        if known is None:
            if self._live and self._given is not None:
                self._begin(number)
                return self._given
            known = self._known[number] = self._measured(number)
        self._given = known
        return known

    def _begin(self, number: int) -> None:
        if number not in self._measuring:
            self._measuring.add(number)  # and never taken out: what failed once is not tried in every picture
            threading.Thread(target=self._run, args=(number,), name="W of a class", daemon=True).start()

    def _run(self, number: int) -> None:
        yield_to_other_threads()
        try:
            self._known[number] = self._measured(number)
        except Exception:  # whatever a library raises: the show goes on with the class before
            _log.exception("the W of class %d cannot be measured", number)

    def _measured(self, number: int) -> Space:
        loaded = self._loaded
        statistics = w_statistics(loaded.generator, loaded.hash, class_index=number)
        distribution = WDistribution(whitening(statistics.covariance, statistics.std), statistics.own)
        groups = layer_groups(loaded.generator.layer_resolutions)
        return Space(statistics.mean, statistics.std, groups, distribution)
