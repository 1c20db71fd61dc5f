"""Sound on the pictures' clock: without holes and without drift, however the sound card's clock runs.

A card that says 48 000 samples a second delivers 48 010, or 47 995. What it delivers is stretched by as much,
all the time and far below what anybody hears, so that sample n belongs to second n / 48 000 of the pictures.
Where sound was really missing there is silence.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr

JUMP_SECONDS = 0.06
"""Sound that is off by more was lost or began anew: silence or a cut, instead of minutes of stretching."""
_FOLLOW_SECONDS = 6.0
"""Time constant with which an offset is made good: 200 millionths leave 1.2 ms."""
_SMOOTH_SECONDS = 1.5
"""Time constant over which an offset is measured: drivers hand over their blocks unevenly."""
_MOST = 0.004
"""Of stretching; 7 cents."""
_WIDEST = 1.01
"""Ratio of rates that the resampler is prepared for."""
_SLEW_SECONDS = 0.005


class SteadySound:
    """Turns blocks with capture times into one stream. One thread.

    Args:
        rate: samples a second, of what comes by its own word and of what goes, exactly.
        channels: of both.

    Attributes:
        written: samples given out since the beginning of the pictures.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.written = 0
        self._rate, self._channels = rate, channels
        self._offset, self._ratio = 0.0, 1.0
        self._stream: soxr.ResampleStream | None = None
        # Where the next sample that comes in will stand, in samples; the resampler holds the last ones back.
        self._taken = 0.0

    def take(self, samples: np.ndarray, time: float) -> Iterator[np.ndarray]:
        """What there is to write after a block, float32 [n, channels].

        Args:
            samples: float32 [n, channels].
            time: of its first sample, seconds from the first picture.
        """
        if not len(samples):
            return
        ahead = time - self._next
        if self._stream is None or abs(ahead) > JUMP_SECONDS:
            yield from self._rest()
            missing = round((time - self._next) * self._rate)
            if missing > 0:
                yield self._silence(missing)
            samples = samples[max(0, -missing) :]
            if not len(samples):
                return
            self._begin()
        else:
            self._follow(ahead, len(samples) / self._rate)
        assert self._stream is not None
        self._taken += len(samples) / self._ratio
        made = self._stream.resample_chunk(
            np.ascontiguousarray(samples, np.float32).reshape(-1, self._channels)
        )
        if len(made):
            yield self._given(made)

    def fill(self, time: float) -> Iterator[np.ndarray]:
        """Silence up to `time` where nothing comes any more."""
        missing = int((time - self._next) * self._rate)
        if missing > 0:
            yield from self._rest()
            missing = int((time - self._next) * self._rate)
            if missing > 0:
                yield self._silence(missing)

    def end(self) -> Iterator[np.ndarray]:
        """What the resampler still holds."""
        yield from self._rest()

    @property
    def _next(self) -> float:
        """Where the next sample that comes in will stand, seconds."""
        return (self._taken if self._stream is not None else self.written) / self._rate

    def _begin(self) -> None:
        self._offset, self._ratio, self._taken = 0.0, 1.0, float(self.written)
        self._stream = soxr.ResampleStream(
            self._rate * _WIDEST, self._rate, self._channels, dtype="float32", vr=True
        )
        self._stream.set_io_ratio(self._rate, self._rate, 0)

    def _follow(self, ahead: float, seconds: float) -> None:
        """Stretch by what makes the offset good: `ahead` is how far the sound lags behind its time."""
        assert self._stream is not None
        self._offset += (ahead - self._offset) * min(1.0, seconds / _SMOOTH_SECONDS)
        stretch = min(max(self._offset / _FOLLOW_SECONDS, -_MOST), _MOST)
        self._ratio = 1.0 - stretch
        self._stream.set_io_ratio(self._rate * self._ratio, self._rate, round(_SLEW_SECONDS * self._rate))

    def _rest(self) -> Iterator[np.ndarray]:
        if self._stream is None:
            return
        rest = self._stream.resample_chunk(np.zeros((0, self._channels), np.float32), last=True)
        self._stream = None
        if len(rest):
            yield self._given(rest)

    def _silence(self, samples: int) -> np.ndarray:
        return self._given(np.zeros((samples, self._channels), np.float32))

    def _given(self, made: np.ndarray) -> np.ndarray:
        self.written += len(made)
        return made
