"""The source's sound as the stage sees it through the link: for the recorder, at one rate."""

from __future__ import annotations

import numpy as np
import soxr

from lavlive.link.memory import SharedBlock

RATE = 48_000
CHANNELS = 2


class SoundTap:
    """Reads what came into the link's ring since the last call, resampled to 48 kHz stereo.

    Another rate begins a new stream; what was lost over a restart of the engine stays a gap.
    """

    def __init__(self, link: SharedBlock) -> None:
        self._link = link
        self._position = 0
        self._rate = 0
        # Of the present stream: what came in and what went out.
        self._taken = self._made = 0
        self._stream: soxr.ResampleStream | None = None
        self.skip()

    def skip(self) -> None:
        """Begin with what comes from now on."""
        sound = self._link.read_sound(0)
        self._position = sound.position if sound else 0

    def read(self) -> tuple[np.ndarray, float] | None:
        """New samples, float32 [n, 2] at 48 kHz, and the capture time of the first; None if none came."""
        sound = self._link.read_sound(self._position)
        if sound is None:
            return None
        self._position = sound.position
        if sound.rate != self._rate:
            self._rate = sound.rate
            self._stream = soxr.ResampleStream(sound.rate, RATE, CHANNELS, dtype="float32")
            self._taken = self._made = 0
        assert self._stream is not None
        samples: np.ndarray = self._stream.resample_chunk(np.nan_to_num(sound.samples))
        self._taken += len(sound.samples)
        # The resampler keeps some milliseconds back: the newest sample is not the last of these.
        begins = sound.captured - (self._taken / sound.rate - self._made / RATE)
        self._made += len(samples)
        return samples, begins
