"""The streaming SEANet encoder in torch: every convolution keeps its context, the LSTM its state.

A convolution that is not causal works on a stream as if it were, and its outputs are those of the reference
some steps later; a residual branch is waited for by its shortcut. So causal and other encoders are one loop,
and what all delays add up to is the encoder's look-ahead.

A causal one equals ``encodec``'s own encoder built with ``pad_mode="constant"`` over the whole signal
(Défossez et al., "High Fidelity Neural Audio Compression", 2022), whatever pieces the signal comes in; others
equal it away from the signal's ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lavlive.encoder.base import EncoderInfo, NetworkEncoder
from lavlive.encoder.layers import (
    Activation,
    Convolution,
    Delay,
    Layer,
    LstmWeights,
    Network,
    Recurrence,
    Residual,
    fold,
)
from lavlive.encoder.offline import encode_offline
from lavlive.errors import EncoderError

_ENCODE_SECONDS = 5.0
"""``encode`` works in pieces of this length: long enough to be fast, short enough to stay in memory."""

_LONG = 16
"""Hops at once from which torch's own LSTM is faster."""


class StreamState:
    """All that a stream carries from one hop to the next: tensors by name, zero at its beginning."""

    def __init__(self, network: Network, device: torch.device | str = "cpu") -> None:
        self.tensors = {
            state.name: torch.zeros(state.shape, device=device) for state in network.state_shapes()
        }

    def reset(self) -> None:
        """Begin a new stream."""
        for tensor in self.tensors.values():
            tensor.zero_()

    def save(self) -> dict[str, np.ndarray]:
        """A copy, by name."""
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.tensors.items()}

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Take over what ``save`` gave."""
        for name, tensor in self.tensors.items():
            tensor.copy_(torch.from_numpy(state[name]))


class StreamingEncoder(NetworkEncoder):
    """A ``SEANetEncoder`` that hears one stream, in torch on the CPU.

    Args:
        encoder: an ``encodec.modules.SEANetEncoder`` of any hyperparameters, or its folded layers. Its
            weights are copied.
        info: what is known of the weights.

    Raises EncoderError for an encoder that cannot stream.
    """

    runner = "torch"

    def __init__(self, encoder: nn.Module | Network, info: EncoderInfo | None = None) -> None:
        network = encoder if isinstance(encoder, Network) else fold(encoder)
        super().__init__(network, info or EncoderInfo("unnamed"))
        self.state = StreamState(network)

    def step(self, samples: np.ndarray) -> np.ndarray:
        """Float32 [n·hop] to float32 [n, dimension]."""
        self.check(samples)
        return run(self.network, samples, self.state)

    def reset(self) -> None:
        """Forget everything heard."""
        self.state.reset()

    def save_state(self) -> dict[str, np.ndarray]:
        """A copy of all that the stream carries, by name."""
        return self.state.save()

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from where ``save_state`` was."""
        self.state.load(state)

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """A whole clip as its own stream, at once."""
        self.check(samples)
        return encode(self.network, samples, self.sample_rate)


def encode(network: Network, samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """A whole clip as its own stream: float32 [n·hop] to float32 [n, dimension].

    A causal encoder hears silence before it; others hear it continued at both ends as the reference does.
    """
    if network.ahead or network.segment:
        return encode_offline(network, samples)
    state = StreamState(network)
    piece = max(1, int(_ENCODE_SECONDS * sample_rate) // network.hop) * network.hop
    pieces = [run(network, samples[start : start + piece], state) for start in range(0, len(samples), piece)]
    return np.concatenate(pieces) if pieces else np.zeros((0, network.dimension), np.float32)


def run(network: Network, samples: np.ndarray, state: StreamState) -> np.ndarray:
    """Float32 [n·hop] to float32 [n, dimension]; ``state`` moves on by n hops."""
    if not len(samples):
        return np.zeros((0, network.dimension), np.float32)
    with torch.inference_mode():
        sound = torch.from_numpy(np.ascontiguousarray(samples)).view(1, 1, -1)
        latents = advance(network.layers, sound, iter(state.tensors.values()))
        return latents[0].t().contiguous().numpy()


def advance(layers: Sequence[Layer], signal: Tensor, states: Iterator[Tensor]) -> Tensor:
    """Run ``signal`` [1, channels, time] through ``layers``, which take their ``states`` in order."""
    for layer in layers:
        if isinstance(layer, Convolution):
            signal = _convolve(layer, signal, states)
        elif isinstance(layer, Residual):
            # The order in which branch and shortcut take their states is that of Network.state_shapes.
            inner = advance(layer.branch, signal, states)
            signal = advance(layer.shortcut, signal, states) + inner
        elif isinstance(layer, Activation):
            signal = layer.module(signal)
        elif isinstance(layer, Delay):
            signal = _wait(signal, next(states))
        elif isinstance(layer, Recurrence):
            signal = _recur(layer, signal, states)
        else:
            raise EncoderError("an encoder that is normalised over time has no stream, only segments")
    return signal


def _wait(signal: Tensor, waiting: Tensor) -> Tensor:
    both = torch.cat((waiting, signal), dim=2)
    waiting.copy_(both[:, :, -waiting.shape[2] :])
    return both[:, :, : signal.shape[2]]


def _convolve(layer: Convolution, signal: Tensor, states: Iterator[Tensor]) -> Tensor:
    if layer.context:
        context = next(states)
        signal = torch.cat((context, signal), dim=2)
        context.copy_(signal[:, :, -layer.context :])
    return functional.conv1d(signal, layer.weight, layer.bias, layer.stride, dilation=layer.dilation)


def _recur(layer: Recurrence, signal: Tensor, states: Iterator[Tensor]) -> Tensor:
    """[1, channels, time]; takes two states [1, channels] for each layer of the LSTM."""
    sequence = signal[0].t()  # [time, channels]
    for weights in layer.layers:
        hidden, cell = next(states), next(states)
        if len(sequence) < _LONG:
            sequence = _recur_by_step(weights, sequence, hidden, cell)
        else:
            batch = sequence[:, None]  # [time, 1, channels]
            batch, last_hidden, last_cell = torch.lstm(
                batch, (hidden[None], cell[None]), weights.for_torch, True, 1, 0.0, False, False, False
            )
            hidden.copy_(last_hidden[0])
            cell.copy_(last_cell[0])
            sequence = batch[:, 0]
    result = sequence.t()[None]
    return result + signal if layer.skip else result


def _recur_by_step(weights: LstmWeights, sequence: Tensor, hidden: Tensor, cell: Tensor) -> Tensor:
    """[time, channels]. For a few steps faster than torch.lstm, which rearranges its weights each time."""
    outputs = []
    h, c = hidden, cell
    for driven in functional.linear(sequence, weights.input, weights.bias).split(1):
        i, f, g, o = torch.addmm(driven, h, weights.hidden.t()).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    hidden.copy_(h)
    cell.copy_(c)
    return torch.cat(outputs)
