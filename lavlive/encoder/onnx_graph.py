"""One hop of the encoder as an ONNX graph, with the stream's state as inputs and outputs.

Built from the folded layers with simple operators, so that any ONNX library runs it; every shape is fixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeGuard

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from lavlive.encoder.layers import (
    Activation,
    Convolution,
    Delay,
    Layer,
    Network,
    Recurrence,
    Residual,
    StateShape,
)
from lavlive.errors import RunnerError

SAMPLES = "samples"
LATENT = "latent"

_OPSET = 17
_IR_VERSION = 8


def next_name(state: str) -> str:
    """The output that holds what the input ``state`` becomes."""
    return f"next.{state}"


def to_graph(state: np.ndarray) -> np.ndarray:
    """A state as the graph holds it: contexts [1, channels, time] become [time, channels]."""
    return np.ascontiguousarray(state[0].T if state.ndim == 3 else state)


def from_graph(state: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of ``to_graph`` for a state of ``shape``; a copy."""
    return np.array(state.T[None] if len(shape) == 3 else state)


def hop_graph(network: Network) -> onnx.ModelProto:
    """``samples`` [hop, 1] and the states in, ``latent`` [1, dimension] and the next states out.

    Raises RunnerError for a layer that this graph cannot express.
    """
    states = network.state_shapes()
    shapes = {s.name: to_graph(np.zeros(s.shape)).shape for s in states}
    builder = _Builder()
    signal = builder.run(network.layers, SAMPLES, network.hop, iter(states))
    builder.node("Identity", [signal], LATENT)
    graph = helper.make_graph(
        builder.nodes,
        "hop",
        [_floats(SAMPLES, (network.hop, 1)), *(_floats(name, shape) for name, shape in shapes.items())],
        [
            _floats(LATENT, (1, network.dimension)),
            *(_floats(next_name(name), shape) for name, shape in shapes.items()),
        ],
        builder.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _floats(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class _Builder:
    """Collects nodes and constants while it walks the layers in the order of Network.state_shapes.

    A signal is [time, channels] here, so that cutting it into blocks of a stride is a mere reshape and
    every convolution one product with a constant matrix, which libraries keep packed.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._integers: dict[tuple[int, ...], str] = {}
        self._scalars: dict[float, str] = {}

    def node(self, operator: str, inputs: Sequence[str], output: str = "", **attributes: object) -> str:
        """Add an operator with one output and return that output's name."""
        output = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        """Add a constant and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def integers(self, *values: int) -> str:
        """A constant int64 vector, added once."""
        if values not in self._integers:
            self._integers[values] = self.constant(np.array(values, np.int64))
        return self._integers[values]

    def scalar(self, value: float) -> str:
        """A constant float, added once."""
        if value not in self._scalars:
            self._scalars[value] = self.constant(np.array(value, np.float32))
        return self._scalars[value]

    def rows(self, signal: str, start: int, end: int, step: int = 1, output: str = "") -> str:
        """``signal[start:end:step]``."""
        bounds = [self.integers(n) for n in (start, end, 0, step)]
        return self.node("Slice", [signal, *bounds], output)

    def reshape(self, signal: str, *shape: int) -> str:
        """``signal`` with another shape."""
        return self.node("Reshape", [signal, self.integers(*shape)])

    def split(self, signal: str, *widths: int) -> list[str]:
        """``signal`` [1, channels] cut into parts of these widths."""
        parts = [f"Split_{len(self.nodes)}_{index}" for index in range(len(widths))]
        self.nodes.append(helper.make_node("Split", [signal, self.integers(*widths)], parts, axis=1))
        return parts

    def run(self, layers: Sequence[Layer], signal: str, steps: int, states: Iterator[StateShape]) -> str:
        """The name of what becomes of ``signal`` [steps, channels]."""
        for layer in layers:
            if isinstance(layer, Convolution):
                signal = self._convolve(layer, signal, steps, states)
                steps //= layer.stride
            elif isinstance(layer, Residual):
                signal = self._residual(layer, signal, steps, states)
            elif isinstance(layer, Activation):
                signal = self._activate(layer.module, signal)
            elif isinstance(layer, Delay):
                signal = self._wait(layer, signal, steps, states)
            elif isinstance(layer, Recurrence):
                signal = self._recur(layer, signal, steps, states)
            else:
                raise RunnerError("an encoder that is normalised over time runs on torch only")
        return signal

    def _wait(self, layer: Delay, signal: str, steps: int, states: Iterator[StateShape]) -> str:
        state = next(states).name
        both = self.node("Concat", [state, signal], axis=0)
        self.rows(both, steps, steps + layer.steps, output=next_name(state))
        return self.rows(both, 0, steps)

    def _residual(self, layer: Residual, signal: str, steps: int, states: Iterator[StateShape]) -> str:
        *before, last = layer.branch
        inner = self.run(before, signal, steps, states)
        waiting, shortcut = _without_delay(layer.shortcut)
        if len(shortcut) == 1 and _is_pointwise(last) and _is_pointwise(shortcut[0]):
            if waiting is not None:
                signal = self._wait(waiting, signal, steps, states)
            # The second product starts from the first one's result, both biases in it.
            outer = self._product(signal, _matrix(shortcut[0]), (shortcut[0].bias + last.bias).numpy())
            return self.node("Gemm", [inner, self.constant(_matrix(last)), outer])
        inner = self.run([last], inner, steps, states)
        return self.node("Add", [self.run(layer.shortcut, signal, steps, states), inner])

    def _convolve(self, layer: Convolution, signal: str, steps: int, states: Iterator[StateShape]) -> str:
        """One product with [taps·in, out] of the windows [steps / stride, taps·in]."""
        taps, stride, channels = layer.weight.shape[2], layer.stride, layer.weight.shape[1]
        bias = layer.bias.numpy()
        if layer.context:
            state = next(states).name
            signal = self.node("Concat", [state, signal], axis=0)
            self.rows(signal, steps, steps + layer.context, output=next_name(state))
        block = _toeplitz_block(layer, steps)
        if block:
            padding = self.constant(np.zeros((block - layer.context, 1), np.float32))
            signal = self.node("Concat", [padding, signal], axis=0)
            windows = self._pairs(signal, steps // block, block)
            product = self._product(windows, _toeplitz(layer, block), np.tile(bias, block))
            return self.reshape(product, steps, len(bias))
        if _is_pointwise(layer):
            windows = signal
        elif taps == 2 * stride and layer.dilation == 1:
            windows = self._pairs(signal, steps // stride, stride * channels)
        else:
            last = (steps // stride - 1) * stride + 1
            shifted = [
                self.rows(signal, tap * layer.dilation, tap * layer.dilation + last, stride)
                for tap in range(taps)
            ]
            windows = self.node("Concat", shifted, axis=1)
        return self._product(windows, _matrix(layer), bias)

    def _pairs(self, signal: str, count: int, width: int) -> str:
        """Each two neighbours of the ``count`` + 1 blocks in ``signal``, as rows [count, 2·width]."""
        if count == 1:
            return self.reshape(signal, 1, 2 * width)
        blocks = self.reshape(signal, count + 1, width)
        return self.node("Concat", [self.rows(blocks, 0, count), self.rows(blocks, 1, count + 1)], axis=1)

    def _product(self, signal: str, matrix: np.ndarray, bias: np.ndarray) -> str:
        return self.node("Gemm", [signal, self.constant(matrix), self.constant(bias)])

    def _activate(self, module: nn.Module, signal: str) -> str:
        if isinstance(module, nn.ELU):
            return self._elu(signal, float(module.alpha))
        if isinstance(module, nn.LeakyReLU):
            return self.node("LeakyRelu", [signal], alpha=float(module.negative_slope))
        if isinstance(module, nn.SiLU):
            return self.node("Mul", [signal, self.node("Sigmoid", [signal])])
        for kind, operator in ((nn.ReLU, "Relu"), (nn.Tanh, "Tanh"), (nn.Sigmoid, "Sigmoid")):
            if isinstance(module, kind):
                return self.node(operator, [signal])
        raise RunnerError(
            f"the activation {type(module).__name__} has no ONNX form here: use the torch runner"
        )

    def _elu(self, signal: str, alpha: float) -> str:
        if alpha != 1.0:
            return self.node("Elu", [signal], alpha=alpha)
        # max(x, exp(min(x, 0)) - 1) is the same function, and twice as fast with ONNX Runtime's vectors.
        zero, one = self.scalar(0.0), self.scalar(1.0)
        power = self.node("Exp", [self.node("Min", [signal, zero])])
        return self.node("Max", [signal, self.node("Sub", [power, one])])

    def _recur(self, layer: Recurrence, signal: str, steps: int, states: Iterator[StateShape]) -> str:
        if steps != 1:
            raise RunnerError("an LSTM before the last stride has no ONNX form here: use torch")
        now, size = signal, layer.size
        for weights in layer.layers:
            hidden, cell = next(states).name, next(states).name
            # The three gates with a sigmoid come first, so that one operator serves them.
            order = np.concatenate(
                [np.arange(2 * size), np.arange(3 * size, 4 * size), np.arange(2 * size, 3 * size)]
            )
            matrix = np.concatenate([weights.input.numpy(), weights.hidden.numpy()], axis=1)[order].T
            both = self.node("Concat", [now, hidden], axis=1)
            gates = self._product(both, matrix, weights.bias.numpy()[order])
            doors, candidate = self.split(gates, 3 * size, size)
            i, f, o = self.split(self.node("Sigmoid", [doors]), size, size, size)
            kept = self.node("Mul", [f, cell])
            added = self.node("Mul", [i, self.node("Tanh", [candidate])])
            c = self.node("Add", [kept, added], next_name(cell))
            now = self.node("Mul", [o, self.node("Tanh", [c])], next_name(hidden))
        return self.node("Add", [now, signal]) if layer.skip else now


def _without_delay(layers: Sequence[Layer]) -> tuple[Delay | None, Sequence[Layer]]:
    """A shortcut's delay, which comes first where there is one, and the rest of it."""
    if layers and isinstance(layers[0], Delay):
        return layers[0], layers[1:]
    return None, layers


def _is_pointwise(layer: Layer) -> TypeGuard[Convolution]:
    return isinstance(layer, Convolution) and layer.weight.shape[2] == layer.stride == 1


def _matrix(layer: Convolution) -> np.ndarray:
    """The weight [out, in, taps] as [taps·in, out]."""
    return layer.weight.numpy().transpose(2, 1, 0).reshape(-1, layer.weight.shape[0])


def _toeplitz_block(layer: Convolution, steps: int) -> int:
    """How many samples the first convolution takes at once, 0 for any other layer."""
    if layer.weight.shape[1] != 1 or layer.stride != 1 or layer.dilation != 1 or layer.weight.shape[2] == 1:
        return 0
    return next((block for block in range(layer.context, 4 * layer.context) if steps % block == 0), 0)


def _toeplitz(layer: Convolution, block: int) -> np.ndarray:
    """[2·block, block·out]: the weight [out, 1, taps] for ``block`` outputs side by side."""
    weight = layer.weight.numpy()
    out, _, taps = weight.shape
    matrix = np.zeros((2 * block, block, out), np.float32)
    for step in range(block):
        first = block + step - (taps - 1)
        matrix[first : first + taps, step] = weight[:, 0].T
    return matrix.reshape(2 * block, -1)
