"""A plan as an OpenVINO model, layer by layer: nothing is traced or converted, so it starts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from lavlive.generator.runners.plan import (
    LEAK,
    Array,
    BlockPlan,
    ConvPlan,
    PicturePlan,
    Plan,
)
from lavlive.generator.runners.styles import Styles

Node = Any
_NO_PADDING = [0, 0]


@dataclass(frozen=True)
class Graph:
    """A model and what its inputs are.

    Attributes:
        model: output: a picture, uint8 [H, W, 3].
        inputs: float32 arrays in the order of the model's inputs; what they hold when a picture is asked
            for is what it is made of. The first is the noise, [1]; the others are those of ``Styles``.
    """

    model: ov.Model
    inputs: list[Array]


def build_graph(plan: Plan, styles: Styles) -> Graph:
    """The whole synthesis but the styles, from [1] · noise and each layer's numbers to bytes."""
    return _Builder(plan, styles).graph()


def _constant(values: Any) -> Node:
    return op.constant(np.ascontiguousarray(values, np.float32))


def _shape(*sizes: int) -> Node:
    return op.constant(np.array(sizes, np.int64))


class _Builder:
    def __init__(self, plan: Plan, styles: Styles) -> None:
        self._plan = plan
        self._styles = styles
        self._parameters: list[Node] = []
        self._inputs: list[Array] = []
        self._noise = self._input(np.ones(1, np.float32))
        self._spread = np.outer(plan.taps, plan.taps).astype(np.float32)

    def graph(self) -> Graph:
        x: Node = None
        picture: Node = None
        for block in self._plan.blocks:
            x = self._features(block, x)
            if picture is not None:
                picture = self._doubled(picture, 3)
            if block.picture is not None:
                part = self._to_picture(block.picture, x)
                picture = part if picture is None else op.add(picture, part)
        levels = op.clamp(op.add(op.multiply(picture, _constant(127.5)), _constant(128.0)), 0.0, 255.0)
        size = self._plan.resolution
        rows = op.transpose(op.convert(levels, "u8"), _shape(0, 2, 3, 1))
        pixels = op.reshape(rows, _shape(size, size, 3), False)
        return Graph(ov.Model([op.result(pixels)], self._parameters, "synthesis"), self._inputs)

    def _input(self, values: Array) -> Node:
        """A parameter [1, C, 1, 1] that reads an array of length C.

        OpenVINO fuses element-wise chains in the convolutions' own layout only if all ranks agree: one
        scalar among them would cost a reordering of every activation, a quarter of a picture's time.
        """
        node = op.parameter([1, len(values), 1, 1], np.float32)
        self._parameters.append(node)
        self._inputs.append(values)
        return node

    def _features(self, block: BlockPlan, x: Node) -> Node:
        if block.constant is not None:
            return self._conv(block.conv1, _constant(block.constant[None]))
        assert block.conv0 is not None
        y = self._conv(block.conv1, self._conv(block.conv0, x))
        if block.shortcut is None:
            return y
        past = op.convolution(
            x, _constant(block.shortcut[:, :, None, None]), [1, 1], _NO_PADDING, _NO_PADDING, [1, 1]
        )
        return op.add(self._doubled(past, len(block.shortcut)), y)

    def _conv(self, plan: ConvPlan, x: Node) -> Node:
        x = op.multiply(x, self._input(self._styles.styles(plan)))
        if plan.up:
            y = op.convolution_backprop_data(
                x,
                # It wants [inputs, outputs, 3, 3].
                _constant(plan.weight.transpose(1, 0, 2, 3)),
                [2, 2],
                pads_begin=_NO_PADDING,
                pads_end=_NO_PADDING,
                dilations=[1, 1],
            )
            backwards = np.tile(self._spread[::-1, ::-1], (len(plan.bias), 1, 1, 1, 1))
            y = op.group_convolution(y, _constant(backwards), [1, 1], [1, 1], [1, 1], [1, 1])
        else:
            y = op.convolution(x, _constant(plan.weight), [1, 1], [1, 1], [1, 1], [1, 1])
        y = op.multiply(y, self._input(self._styles.demodulation(plan)))
        if np.any(plan.noise):
            y = op.add(y, op.multiply(_constant(plan.noise[None, None]), self._noise))
        y = op.add(y, _constant(plan.bias[None, :, None, None]))
        y = op.prelu(y, _constant([LEAK]))
        return y if plan.clamp is None else op.clamp(y, -plan.clamp, plan.clamp)

    def _to_picture(self, plan: PicturePlan, x: Node) -> Node:
        x = op.multiply(x, self._input(self._styles.styles(plan)))
        y = op.convolution(
            x, _constant(plan.weight[:, :, None, None]), [1, 1], _NO_PADDING, _NO_PADDING, [1, 1]
        )
        y = op.add(y, _constant(plan.bias[None, :, None, None]))
        return y if plan.clamp is None else op.clamp(y, -plan.clamp, plan.clamp)

    def _doubled(self, x: Node, channels: int) -> Node:
        kernel: Array = np.tile(self._spread, (channels, 1, 1, 1, 1))
        return op.group_convolution_backprop_data(
            x, _constant(kernel), [2, 2], pads_begin=[1, 1], pads_end=[1, 1]
        )
