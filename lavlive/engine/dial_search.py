"""Finds the dials of the model that is shown, in a thread of low priority, while the show goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lavlive.engine.failures import kind_of
from lavlive.engine.picture_worker import Model
from lavlive.engine.priority import yield_to_other_threads
from lavlive.link.messages import DialsFound, DialsRefused, EngineEvent

CALM_SECONDS = 4.0
"""So long after a model came does a search begin that takes a while: a show that begins has other cares."""


class DialSearch:
    """One search at a time: that of the newest model. The main thread's, or a model loader's.

    Args:
        tell: takes events for the stage.
    """

    def __init__(self, tell: Callable[[EngineEvent], None]) -> None:
        self._tell = tell
        self._wanted: Model | None = None
        self._ended = threading.Event()

    def begin(self, model: Model) -> None:
        """Find a model's dials; a search for another one ends."""
        self._wanted = model
        if model.find_dials is None or self._ended.is_set():
            return
        threading.Thread(target=self._run, args=(model,), name="dials", daemon=True).start()

    def stop(self) -> None:
        """End the search within a picture of it, and begin no other."""
        self._wanted = None
        self._ended.set()

    def _run(self, model: Model) -> None:
        assert model.find_dials is not None
        yield_to_other_threads()
        calm = threading.Event()

        def unwanted() -> bool:
            """Asked before a search and before each of its pictures; where dials are known already, never."""
            if not calm.is_set():
                self._ended.wait(CALM_SECONDS)
                calm.set()
            return self._wanted is not model or self._ended.is_set()

        try:
            found = model.find_dials(unwanted)
        except Exception as error:  # whatever a library raises: the show goes on without dials
            self._tell(DialsRefused(f"{model.name} has no dials: {error}", kind_of(error)))
            return
        if found is None or self._wanted is not model:
            return
        for note in found.notes:
            self._tell(DialsRefused(note))
        model.instrument.dials = found.dials.vectors
        self._tell(DialsFound(model.name, found.dials.counts, dict(found.names)))
