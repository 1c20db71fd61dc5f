"""Small pictures to choose an anchor from, drawn in a thread of low priority while the show goes on."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable

from lavlive.engine.failures import kind_of
from lavlive.engine.picture_worker import Model
from lavlive.engine.priority import yield_to_other_threads
from lavlive.link.messages import AnchorDrawn, AnchorsRefused, DrawAnchors, EngineEvent


class AnchorPictures:
    """Draws what was asked for last, one picture at a time. The main thread's.

    Args:
        tell: takes events for the stage.
        shown: gives the model that is shown.
    """

    def __init__(self, tell: Callable[[EngineEvent], None], shown: Callable[[], Model]) -> None:
        self._tell = tell
        self._shown = shown
        self._wanted: DrawAnchors | None = None
        self._drawing = threading.Lock()
        self._ended = threading.Event()

    def draw(self, command: DrawAnchors) -> None:
        """Draw these instead of what is being drawn."""
        self._wanted = command
        threading.Thread(target=self._run, args=(command,), name="anchor pictures", daemon=True).start()

    def stop(self) -> None:
        """End after the present picture."""
        self._wanted = None
        self._ended.set()

    def _run(self, command: DrawAnchors) -> None:
        yield_to_other_threads()
        with self._drawing:  # one runner of them at a time, however often is asked
            if self._wanted is command:
                self._draw(command)

    def _draw(self, command: DrawAnchors) -> None:
        model = self._shown()
        if model.open_small is None:
            self._tell(AnchorsRefused(f"{model.name} is too slow here for small pictures to choose from."))
            return
        try:
            draw = model.open_small()
            for number in command.numbers:
                if self._wanted is not command or self._shown() is not model:
                    return
                began = time.perf_counter()
                code = base64.b64encode(draw(number, command.class_index).tobytes()).decode("ascii")
                self._tell(AnchorDrawn(model.hash, number, command.class_index, code))
                # As long again for the others: on one core, low priority alone leaves pictures uneven.
                self._ended.wait(time.perf_counter() - began)
        except Exception as error:  # whatever a library raises: the show goes on without
            self._tell(AnchorsRefused(f"{model.name} has no small pictures: {error}", kind_of(error)))
