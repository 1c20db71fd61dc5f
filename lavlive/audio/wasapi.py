"""What a Windows machine plays, through the library soundcard, which opens WASAPI's loopback.

PortAudio's released builds cannot open it. Windows converts to the rate asked for.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import deque
from typing import Any

import numpy as np

from lavlive.audio.block import Clock
from lavlive.audio.ring import RING_SECONDS, Ring
from lavlive.errors import SourceError

RATE = 48_000
_BLOCK = RATE // 100
_CLOSE_SECONDS = 3.0


def _library() -> Any:
    try:
        import soundcard
    except Exception as error:  # it connects to the sound system as it is imported, and fails in many ways
        raise SourceError(f"the sound system cannot be asked for loopbacks: {error}") from error
    return soundcard


def _microphones(soundcard: Any) -> list[Any]:
    try:
        return [found for found in soundcard.all_microphones(include_loopback=True) if found.isloopback]
    except (RuntimeError, OSError) as error:
        raise SourceError(f"the sound system cannot be asked for loopbacks: {error}") from error


def list_loopbacks() -> list[tuple[str, int, bool]]:
    """Name, channels, and whether it is the default output's, of all that can be recorded.

    Raises:
        SourceError: the sound system cannot be asked.
    """
    soundcard = _library()
    default = str(getattr(soundcard.default_speaker(), "name", ""))
    return [
        (str(found.name), int(found.channels), default in str(found.name))
        for found in _microphones(soundcard)
    ]


class LoopbackCapture:
    """Records what an output plays into a ring, from a thread of its own.

    Args:
        name: of the loopback, whole.
        clock: seconds.

    Raises:
        SourceError: it is not there.
    """

    ended = False

    def __init__(self, name: str, clock: Clock = time.perf_counter) -> None:
        matching = [found for found in _microphones(_library()) if found.name == name]
        if not matching:
            raise SourceError(f"there is no loopback “{name}” now")
        self.name = self.address = name
        self.ring = Ring(RING_SECONDS, RATE, min(2, int(matching[0].channels)))
        self.heard = clock()
        self.notices: deque[str] = deque()
        self._clock = clock
        self._microphone = matching[0]
        self._failure: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loopback capture", daemon=True)

    def start(self) -> None:
        """Let sound come."""
        self.heard = self._clock()
        self._thread.start()

    def tend(self, now: float) -> str | None:
        """Why the loopback can no longer be used, or None."""
        return self._failure

    def close(self) -> None:
        """Let go of the sound system."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            with self._microphone.recorder(RATE, self.ring.channels, _BLOCK) as recorder:
                while not self._stop.is_set():
                    with warnings.catch_warnings(record=True) as gaps:
                        warnings.simplefilter("always")
                        block = np.asarray(recorder.record(_BLOCK), np.float32)
                    self.heard = self._clock()
                    self.ring.write(block, self.heard, bool(gaps))
        except Exception as error:  # whatever the driver raises ends this capture, never the engine
            self._failure = f"the sound system gave up: {error}"
