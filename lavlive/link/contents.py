"""What stage and engine read from the memory that they share: pictures, sound, the beat, deviations.

Every time is in seconds of `time.perf_counter`, which both processes share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Journey(NamedTuple):
    """When a picture's newest hop passed the stages of the engine, in seconds; 0 where nobody looked."""

    encode_began: float = 0.0
    encoded: float = 0.0
    latent_ready: float = 0.0
    generate_began: float = 0.0


UNTIMED = Journey()


class BeatClock(NamedTuple):
    """Where the music is, from which any later moment follows.

    Attributes:
        time: seconds at which `beat` was so.
        beat: quarter notes since the first bar began.
        rate: quarter notes a second.
    """

    time: float = 0.0
    beat: float = 0.0
    rate: float = 2.0

    def at(self, time: float) -> float:
        """The beat at a time in seconds."""
        return self.beat + (time - self.time) * self.rate


class Deviation(NamedTuple):
    """The layer groups' smoothed deviations of one hop.

    Attributes:
        groups: float64 [3, w], in W_std; a copy that belongs to the reader.
        captured: capture time of the newest sample behind it; of a node, when it is to be seen.
        number: another for each hop of one link, over restarts of the engine too.
    """

    groups: np.ndarray
    captured: float
    number: int


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the generator with the times that it has seen.

    Attributes:
        pixels: uint8 [H, W, 3], sRGB; a copy that belongs to the reader.
        sequence: grows by one with every picture of one link, over restarts of the engine too.
        captured: capture time of the newest sample behind it.
        made: when the engine finished it.
        parameter_revision: the newest revision of the parameters that it was made with.
        journey: what the bench splits the latency by.
    """

    pixels: np.ndarray
    sequence: int
    captured: float
    made: float
    parameter_revision: int
    journey: Journey = UNTIMED


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of the source's sound.

    Attributes:
        samples: float32 [frames, 2]; a copy that belongs to the reader.
        rate: frames per second.
        position: number of frames before and including the last one, over all engines of one link.
        captured: capture time of the last frame.
    """

    samples: np.ndarray
    rate: int
    position: int
    captured: float
