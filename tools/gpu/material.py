"""Networks with random weights, of the sizes that matter, made without any file."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from lavlive.encoder.layers import Activation, Convolution, Layer, LstmWeights, Network, Recurrence, Residual
from lavlive.generator.network import Generator, GeneratorConfig


def generator(resolution: int, **settings: Any) -> Generator:
    """A frozen generator, config F unless told otherwise, whose noise is on and whose biases are not zero."""
    torch.manual_seed(0)
    made = Generator(GeneratorConfig(resolution, mapping_layers=2, **settings)).freeze()
    for name, parameter in made.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
        elif name.endswith("bias") and "affine" not in name:
            parameter.normal_(std=0.1)
    return made


def w_plus(made: Generator, count: int) -> np.ndarray:
    """Random w+, float32 [count, L, w_dim]."""
    shape = (count, made.num_ws, made.config.w_dim)
    return np.random.default_rng(1).standard_normal(shape, np.float32)


def encoder_network(filters: int, dimension: int = 128) -> Network:
    """EnCodec's encoder at 24 kHz with that many filters in its first layer: 16 is ours, 32 the published."""
    torch.manual_seed(0)
    elu = Activation(nn.ELU())

    def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> Convolution:
        made = nn.Conv1d(inputs, outputs, kernel)
        assert made.bias is not None
        return Convolution(made.weight.detach(), made.bias.detach(), stride, 1)

    width = filters
    layers: list[Layer] = [convolution(1, width, 7)]
    for ratio in (2, 4, 5, 8):
        branch = (elu, convolution(width, width // 2, 3), elu, convolution(width // 2, width, 1))
        layers += [Residual(branch, (convolution(width, width, 1),)), elu]
        layers.append(convolution(width, 2 * width, 2 * ratio, ratio))
        width *= 2
    lstm = nn.LSTM(width, width, 2)
    recurrent = [
        LstmWeights(
            getattr(lstm, f"weight_ih_l{index}").detach(),
            getattr(lstm, f"weight_hh_l{index}").detach(),
            (getattr(lstm, f"bias_ih_l{index}") + getattr(lstm, f"bias_hh_l{index}")).detach(),
            torch.zeros(4 * width),
        )
        for index in range(2)
    ]
    layers += [Recurrence(tuple(recurrent), skip=True), elu, convolution(width, dimension, 7)]
    return Network(tuple(layers), 320, dimension)
