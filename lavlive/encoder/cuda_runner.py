"""One hop as a captured CUDA graph: one launch instead of two hundred.

Static buffers for sound, states and latent; the graph is captured once and replayed on the encoder's own
stream, whose work comes before the pictures'.

Never run on a GPU by us: only the refusal without one and the arithmetic, which is that of the torch runner,
are tested. `tools/gpu-check` is there to do the rest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from lavlive.encoder.base import EncoderInfo, NetworkEncoder
from lavlive.encoder.layers import Convolution, Layer, LstmWeights, Network, Recurrence, Residual
from lavlive.encoder.seanet import StreamState, advance, encode
from lavlive.errors import RunnerError
from lavlive.gpu.captured import Captured, exactly


class CudaEncoder(NetworkEncoder):
    """A stream through ``network`` on a CUDA device, hop by hop.

    Latents equal the torch runner's to float32 rounding: TF32, which would cost three digits, is off here.

    Raises RunnerError without a CUDA device, or when the device refuses the capture.
    """

    runner = "cuda"

    def __init__(
        self, network: Network, info: EncoderInfo | None = None, device: torch.device | str = "cuda"
    ) -> None:
        super().__init__(network, info or EncoderInfo("unnamed"))
        if not torch.cuda.is_available():
            raise RunnerError("no CUDA device for the encoder: choose the runner auto, onnx or torch")
        try:
            self._capture(torch.device(device))
        except RuntimeError as error:
            first = str(error).strip().splitlines() or ["no reason given"]
            raise RunnerError(f"the CUDA device does not take the encoder: {first[0]}") from error

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Float32 [n·hop] to float32 [n, dimension]. Waits for the device, and releases the GIL meanwhile."""
        latents = np.empty((len(samples) // self.hop, self.dimension), np.float32)
        for index, hop in enumerate(self.split(samples)):
            self._sound_here[:] = hop
            self._hop.run()
            self._hop.wait()
            latents[index] = self._latent_here
        return latents

    def reset(self) -> None:
        """Forget everything heard."""
        with self._hop.on_stream():
            self._state.reset()
        self._hop.wait()

    def save_state(self) -> dict[str, np.ndarray]:
        """A copy of all that the stream carries, by name."""
        return self._state.save()

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from where ``save_state`` of an encoder with the same layers was, on any runner."""
        with self._hop.on_stream():
            self._state.load(state)
        self._hop.wait()

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """A whole clip as its own stream, at once, on the CPU: no graph has its length."""
        self.check(samples)
        return encode(self.network, samples, self.sample_rate)

    def _capture(self, device: torch.device) -> None:
        layers = tuple(_moved(layer, device) for layer in self.network.layers)
        self._state = state = StreamState(self.network, device)
        # Pinned memory, so that the copies are part of the graph.
        pinned_sound = torch.zeros(1, 1, self.hop, pin_memory=True)
        pinned_latent = torch.zeros(self.dimension, pin_memory=True)
        self._sound_here, self._latent_here = pinned_sound.numpy()[0, 0], pinned_latent.numpy()
        self._pinned = (pinned_sound, pinned_latent)
        sound = torch.zeros(1, 1, self.hop, device=device)

        def hop() -> None:
            sound.copy_(pinned_sound, non_blocking=True)
            latent = advance(layers, sound, iter(state.tensors.values()))
            pinned_latent.copy_(latent.view(-1), non_blocking=True)

        with torch.no_grad(), exactly(benchmark=True):
            self._hop: Captured[None] = Captured(hop, device, "encoder")
        self.reset()


def _moved(layer: Layer, device: torch.device) -> Layer:
    """``layer`` with its weights on ``device``."""

    def there(tensor: Tensor) -> Tensor:
        return tensor.to(device)

    if isinstance(layer, Convolution):
        return replace(layer, weight=there(layer.weight), bias=there(layer.bias))
    if isinstance(layer, Residual):
        return Residual(
            tuple(_moved(part, device) for part in layer.branch),
            tuple(_moved(part, device) for part in layer.shortcut),
        )
    if isinstance(layer, Recurrence):
        weights = [LstmWeights(*(there(tensor) for tensor in part.for_torch)) for part in layer.layers]
        return replace(layer, layers=tuple(weights))
    return layer
