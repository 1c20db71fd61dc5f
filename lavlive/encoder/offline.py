"""A whole signal at once, as the reference encodes it: continued at both ends by each layer's padding.

Equals ``encodec``'s ``SEANetEncoder`` on the same signal. The layers before the LSTM work in long pieces with
margins, so that a long track needs little memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lavlive.encoder.layers import (
    Activation,
    Convolution,
    Delay,
    Layer,
    Network,
    Recurrence,
    Residual,
    TimeNorm,
)

_PIECE_HOPS = 500
"""Latents per piece: ten seconds at 50 Hz."""

_FAINTEST = 1e-8
"""Added to a segment's level, as the reference does, so that silence can be divided by it."""


def encode_offline(network: Network, samples: np.ndarray, pad_mode: str | None = None) -> np.ndarray:
    """Float32 [n·hop] to float32 [n, dimension].

    ``pad_mode`` is how the ends are continued: the network's own, or ``constant`` or ``reflect``.
    """
    if not len(samples):
        return np.zeros((0, network.dimension), np.float32)
    sound = torch.from_numpy(np.ascontiguousarray(samples)).view(1, 1, -1)
    mode = pad_mode or network.pad_mode
    length = network.segment or sound.shape[2]
    with torch.inference_mode():
        parts = [_segment(network, part, mode) for part in sound.split(length, dim=2)]
        return torch.cat(parts, dim=2)[0].t().contiguous().numpy()


def _segment(network: Network, sound: Tensor, mode: str) -> Tensor:
    """[1, 1, n·hop] to [1, dimension, n]."""
    if network.normalize:
        sound = sound / (sound.square().mean().sqrt() + _FAINTEST)
    layers = network.layers
    if network.segment is not None:
        return _whole(layers, sound, mode)
    split = next((i for i, layer in enumerate(layers) if isinstance(layer, Recurrence)), len(layers))
    margin = -(-_reach(layers[:split]) // network.hop)
    hops = sound.shape[2] // network.hop
    parts = []
    for start in range(0, hops, _PIECE_HOPS):
        end = min(hops, start + _PIECE_HOPS)
        first, last = max(0, start - margin), min(hops, end + margin)
        piece = _whole(layers[:split], sound[:, :, first * network.hop : last * network.hop], mode)
        parts.append(piece[:, :, start - first : end - first])
    return _whole(layers[split:], torch.cat(parts, dim=2), mode)


def _whole(layers: Sequence[Layer], signal: Tensor, mode: str) -> Tensor:
    for layer in layers:
        if isinstance(layer, Convolution):
            ends = (layer.context - layer.ahead, layer.ahead)
            signal = _continued(signal, ends, mode)
            signal = functional.conv1d(
                signal, layer.weight, layer.bias, layer.stride, dilation=layer.dilation
            )
        elif isinstance(layer, Residual):
            signal = _whole(layer.shortcut, signal, mode) + _whole(layer.branch, signal, mode)
        elif isinstance(layer, Activation):
            signal = layer.module(signal)
        elif isinstance(layer, TimeNorm):
            signal = functional.group_norm(signal, 1, layer.weight, layer.bias, layer.epsilon)
        elif isinstance(layer, Recurrence):
            signal = recur(layer, signal)
        else:
            assert isinstance(layer, Delay)  # nothing waits where all is there
    return signal


def recur(layer: Recurrence, signal: Tensor) -> Tensor:
    """An LSTM from its beginning: [1, channels, time] to the same."""
    sequence = signal.permute(2, 0, 1)
    for weights in layer.layers:
        rest = torch.zeros(1, 1, layer.size)
        sequence, _, _ = torch.lstm(
            sequence, (rest, rest), weights.for_torch, True, 1, 0.0, False, False, False
        )
    result = sequence.permute(1, 2, 0)
    return result + signal if layer.skip else result


def _continued(signal: Tensor, ends: tuple[int, int], mode: str) -> Tensor:
    """``signal`` with so many steps more at each end; one too short to be reflected gets zeros first."""
    if mode == "constant" or not any(ends):
        return functional.pad(signal, ends)
    missing = max(0, max(ends) + 1 - signal.shape[2]) if mode == "reflect" else 0
    padded = functional.pad(functional.pad(signal, (0, missing)), ends, mode)
    return padded[:, :, : padded.shape[2] - missing]


def _reach(layers: Sequence[Layer]) -> int:
    """Input steps that an output hears beyond its own block, on the side where they are more, at most."""
    reach, block = 0, 1
    for layer in layers:
        if isinstance(layer, Convolution):
            reach += layer.context * block
            block *= layer.stride
        elif isinstance(layer, Residual):
            reach += max(_reach(layer.branch), _reach(layer.shortcut)) * block
    return reach
