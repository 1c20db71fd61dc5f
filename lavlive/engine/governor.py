"""How many pictures a second the machine can afford; the sound path always comes first."""

from __future__ import annotations

import math

_LOWEST_RATE = 5.0
_RECOVERY = 0.1
"""Share by which the rate grows in a second without backlog."""


class Governor:
    """Lowers the picture rate while the latent worker falls behind, and raises it again slowly.

    Backlog is the sound, in seconds, that waits to be encoded. One hop is normal; from three hops on the
    generator is taking time that the encoder needs.
    """

    def __init__(self, highest_rate: float, hop_seconds: float) -> None:
        self.highest_rate = highest_rate
        self.rate = highest_rate
        self._tolerated = 3 * hop_seconds
        self._smoothed = 0.0

    @property
    def limiting(self) -> bool:
        """Whether pictures are being held back."""
        return self.rate < 0.95 * self.highest_rate

    def step(self, backlog: float, elapsed: float) -> float:
        """Take the present backlog in seconds; returns the picture rate to keep, in pictures per second."""
        self._smoothed += (backlog - self._smoothed) * (1.0 - math.exp(-elapsed / 0.5))
        if self._smoothed > self._tolerated:
            self.rate *= math.exp(-elapsed * min(self._smoothed / self._tolerated, 4.0))
        else:
            self.rate *= math.exp(elapsed * _RECOVERY)
        self.rate = min(max(self.rate, _LOWEST_RATE), self.highest_rate)
        return self.rate
