"""What travels from a source to the encoder, and the formats that lavlive hears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lavlive.errors import SourceError

Samples = npt.NDArray[np.float32]
Clock = Callable[[], float]

MIN_RATE, MAX_RATE = 8_000, 192_000
"""Hertz."""
MAX_CHANNELS = 32


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of sound as its source gave it.

    Attributes:
        samples: float32 [n, channels], full scale ±1, owned by the receiver.
        rate: hertz.
        time: when the last sample was captured, in seconds of the clock (`time.perf_counter`).
        mix: how the channels become one or two, float32 [channels, 1 or 2]; None where all count alike.
    """

    samples: Samples
    rate: int
    time: float
    mix: npt.NDArray[np.float32] | None = None

    @property
    def seconds(self) -> float:
        """How long the block lasts."""
        return len(self.samples) / self.rate

    def mixed(self) -> Samples:
        """What of it is heard, float32 [n, 1 or 2], and finite."""
        finite: Samples = np.nan_to_num(self.samples, posinf=0.0, neginf=0.0)
        return finite if self.mix is None else finite @ self.mix


def check_format(rate: float, channels: int, name: str) -> None:
    """Refuse what lavlive cannot hear: rates outside 8–192 kHz, no channel, more than 32.

    Raises:
        SourceError: with the name of the source and the limit.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise SourceError(
            f"{name}: a rate of {rate:g} Hz is outside {MIN_RATE} to {MAX_RATE} Hz; convert it first"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise SourceError(f"{name}: {channels} channels, but lavlive mixes 1 to {MAX_CHANNELS}")


def stall_limit(age: float) -> float:
    """Seconds without sound after which a stream of this age counts as dead.

    A sound server that slept takes two seconds to wake a device, and may hand out a first block before.
    """
    return 5.0 if age < 5.0 else 1.0
