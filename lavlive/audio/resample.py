"""Streaming resampling to the encoder's rate.

soxr's fixed-rate mode works in large transforms: from 48 kHz it hands out 34 ms of sound at a time, up
to 38 ms late, and pictures would move in jerks. Its variable-rate mode, kept at one ratio, filters
sample by sample: 5 ms late from 48 kHz and never more than 1 ms off that, with aliases below −110 dB.
"""

from __future__ import annotations

import numpy as np
import soxr

from lavlive.audio.block import Samples, check_format


class StreamResampler:
    """Mono sound from any rate to the encoder's; the same samples in any chunks give the same output.

    Args:
        rate_in: hertz, 8–192 kHz.
        rate_out: hertz.
    """

    def __init__(self, rate_in: int, rate_out: int = 24_000) -> None:
        check_format(rate_in, 1, "resampler")
        self.rate_in = rate_in
        self.rate_out = rate_out
        self.reset()

    def reset(self) -> None:
        """Forget all sound, as at the start."""
        self._stream = (
            None
            if self.rate_in == self.rate_out
            else soxr.ResampleStream(self.rate_in, self.rate_out, 1, dtype="float32", quality="HQ", vr=True)
        )
        self._taken = 0
        self._given = 0

    def step(self, mono: Samples) -> Samples:
        """Resample what came: float32 [n] to float32 [m]; m may be 0."""
        return self._resample(mono, last=False)

    def flush(self) -> Samples:
        """Give what is still inside, float32 [m]; then `reset` before the next step."""
        return self._resample(np.zeros(0, np.float32), last=True)

    @property
    def delay(self) -> float:
        """Seconds of sound taken and not yet given.

        The filter's own delay is made good to 0.1 ms, so this is all of it: the last sample given sounded
        this long before the last sample taken.
        """
        return self._taken / self.rate_in - self._given / self.rate_out

    def _resample(self, mono: Samples, last: bool) -> Samples:
        self._taken += len(mono)
        resampled: Samples = mono if self._stream is None else self._stream.resample_chunk(mono, last=last)
        self._given += len(resampled)
        return resampled
