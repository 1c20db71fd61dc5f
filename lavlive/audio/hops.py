"""From blocks of any source to the encoder's hops: conditioned, resampled, cut, each with its time.

Live and offline go through this same code, so they hear the same samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lavlive.audio.block import Block, Samples
from lavlive.audio.condition import Conditioner, Lamps
from lavlive.audio.level import Level
from lavlive.audio.resample import StreamResampler

HOP = 320
HOP_RATE = 24_000


@dataclass(frozen=True, slots=True)
class Hop:
    """What one step of the encoder hears.

    Attributes:
        samples: mono float32 [320] at 24 kHz.
        time: when the last of them was captured, in seconds of the clock.
    """

    samples: Samples
    time: float


class HopCutter:
    """Blocks in, hops out; a change of rate between two blocks is taken in stride.

    Args:
        hop: samples of one hop.
        rate: the encoder's rate in hertz.

    Attributes:
        lamps: what is to be seen of the sound; counts go on over changes of rate.
        level: the gains, 0 dB at first.
        rate_changes: how often a block came at another rate than the one before.
    """

    def __init__(self, hop: int = HOP, rate: int = HOP_RATE) -> None:
        self.hop = hop
        self.rate = rate
        self.lamps = Lamps()
        self.level = Level(hop, rate)
        self.rate_changes = 0
        self._conditioner: Conditioner | None = None
        self._resampler: StreamResampler | None = None
        self._waiting: Samples = np.zeros(0, np.float32)
        self._time = 0.0

    def step(self, block: Block) -> list[Hop]:
        """All hops that are complete with this block, oldest first; often none or one."""
        if self._conditioner is None or self._resampler is None or self._conditioner.rate != block.rate:
            self.rate_changes += self._conditioner is not None
            self._conditioner = Conditioner(block.rate, self.lamps)
            self._resampler = StreamResampler(block.rate, self.rate)
        resampled = self._resampler.step(self._conditioner.step(block.samples, block.mix))
        self._time = block.time
        return self._cut(resampled, block.time - self._resampler.delay)

    def flush(self) -> list[Hop]:
        """The hops still inside at the end of a track, the last one filled up with silence."""
        if self._resampler is None:
            return []
        resampled = self._resampler.flush()
        missing = -(len(self._waiting) + len(resampled)) % self.hop
        silence = np.zeros(missing, np.float32)
        hops = self._cut(np.concatenate((resampled, silence)), self._time + missing / self.rate)
        self._conditioner = self._resampler = None
        return hops

    def _cut(self, resampled: Samples, last_time: float) -> list[Hop]:
        sound = np.concatenate((self._waiting, resampled))
        whole = len(sound) - len(sound) % self.hop
        self._waiting = sound[whole:]
        hops = [
            Hop(self.level.step(sound[end - self.hop : end]), last_time - (len(sound) - end) / self.rate)
            for end in range(self.hop, whole + 1, self.hop)
        ]
        self.lamps.gain = self.level.gain + self.level.automatic_gain
        self.lamps.too_quiet = self.level.too_quiet
        return hops
