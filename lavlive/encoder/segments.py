"""An encoder of segments, as EnCodec's 48 kHz model is: a second of sound at a time.

It is normalised over the whole time of a segment, so its first latent hears the last sample. The latents of a
segment are given one a hop after its end: all of them come as late as the first has to.
"""

from __future__ import annotations

import numpy as np

from lavlive.encoder.base import EncoderInfo, NetworkEncoder
from lavlive.encoder.layers import Network
from lavlive.encoder.offline import encode_offline


class SegmentEncoder(NetworkEncoder):
    """A stream through ``network``, segment by segment, in torch on the CPU.

    Once a segment the call takes as long as the whole of it; the others take nothing. The reference's
    segments overlap by a hundredth so that decoded sound can be cross-faded; for latents alone they follow
    each other.
    """

    runner = "torch"

    def __init__(self, network: Network, info: EncoderInfo | None = None) -> None:
        super().__init__(network, info or EncoderInfo("unnamed"))
        assert network.segment is not None
        self._sound = np.zeros(network.segment, np.float32)
        self._hops = network.segment // network.hop
        self._heard = 0
        self._latents = encode_offline(network, self._sound)

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Float32 [n·hop] to float32 [n, dimension]."""
        latents = np.empty((len(samples) // self.hop, self.dimension), np.float32)
        for index, hop in enumerate(self.split(samples)):
            self._sound[self._heard * self.hop : (self._heard + 1) * self.hop] = hop
            self._heard += 1
            if self._heard == self._hops:
                self._heard = 0
                self._latents = encode_offline(self.network, self._sound)
            latents[index] = self._latents[self._heard]
        return latents

    def reset(self) -> None:
        """Forget everything heard."""
        self._heard = 0
        self._sound[:] = 0.0
        self._latents = encode_offline(self.network, self._sound)

    def save_state(self) -> dict[str, np.ndarray]:
        """A copy of all that the stream carries, by name."""
        return {
            "sound": self._sound.copy(),
            "heard": np.array(self._heard),
            "latents": self._latents.copy(),
        }

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from where ``save_state`` was."""
        self._sound[:] = state["sound"]
        self._heard = int(state["heard"])
        self._latents = state["latents"].copy()

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """A whole clip as its own stream, at once."""
        self.check(samples)
        return encode_offline(self.network, samples)
