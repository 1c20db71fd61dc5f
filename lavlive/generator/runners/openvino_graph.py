"""A plan as an OpenVINO model, layer by layer: nothing is traced or converted, so it starts at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from lavlive.generator.runners.plan import (
    EPSILON,
    LEAK,
    Affine,
    Array,
    BlockPlan,
    ConvPlan,
    PicturePlan,
    Plan,
)

Node = Any
_NO_PADDING = [0, 0]


def build_model(plan: Plan) -> ov.Model:
    """Inputs: w_plus float32 [L, w_dim], noise float32 []. Output: a picture uint8 [H, W, 3]."""
    return _Builder(plan).model()


def _constant(values: Any) -> Node:
    return op.constant(np.ascontiguousarray(values, np.float32))


def _shape(*sizes: int) -> Node:
    return op.constant(np.array(sizes, np.int64))


def _as_channels(vector: Node, channels: int) -> Node:
    return op.reshape(vector, _shape(1, channels, 1, 1), False)


class _Builder:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._w_plus = op.parameter([plan.num_ws, plan.w_dim], np.float32, name="w_plus")
        self._noise = op.parameter([], np.float32, name="noise")
        # OpenVINO fuses element-wise chains in the convolutions' own layout only if all ranks agree; a
        # scalar here would cost a reordering of every activation (a third of the picture's time).
        self._strength = op.reshape(self._noise, _shape(1, 1, 1, 1), False)
        self._spread = np.outer(plan.taps, plan.taps).astype(np.float32)

    def model(self) -> ov.Model:
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
        return ov.Model([op.result(pixels)], [self._w_plus, self._noise], "synthesis")

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

    def _styles(self, affine: Affine) -> Node:
        row = op.gather(self._w_plus, _shape(affine.row), op.constant(np.int64(0)))
        return op.add(op.matmul(row, _constant(affine.matrix), False, True), _constant(affine.bias[None]))

    def _conv(self, plan: ConvPlan, x: Node) -> Node:
        outputs, inputs = plan.square.shape
        styles = self._styles(plan.affine)
        energy = op.matmul(op.multiply(styles, styles), _constant(plan.square), False, True)
        demodulation = op.power(op.add(energy, _constant([[EPSILON]])), _constant(-0.5))
        x = op.multiply(x, _as_channels(styles, inputs))
        if plan.up:
            # op wants [inputs, outputs, 3, 3].
            y = op.convolution_backprop_data(
                x,
                _constant(plan.weight.transpose(1, 0, 2, 3)),
                [2, 2],
                pads_begin=_NO_PADDING,
                pads_end=_NO_PADDING,
                dilations=[1, 1],
            )
            backwards = self._spread[::-1, ::-1]
            y = op.group_convolution(
                y, _constant(np.tile(backwards, (outputs, 1, 1, 1, 1))), [1, 1], [1, 1], [1, 1], [1, 1]
            )
        else:
            y = op.convolution(x, _constant(plan.weight), [1, 1], [1, 1], [1, 1], [1, 1])
        y = op.multiply(y, _as_channels(op.multiply(demodulation, _constant(plan.gain)), outputs))
        if np.any(plan.noise):
            y = op.add(y, op.multiply(_constant(plan.noise[None, None]), self._strength))
        y = op.add(y, _constant(plan.bias[None, :, None, None]))
        y = op.prelu(y, _constant([LEAK]))
        return y if plan.clamp is None else op.clamp(y, -plan.clamp, plan.clamp)

    def _to_picture(self, plan: PicturePlan, x: Node) -> Node:
        inputs = plan.weight.shape[1]
        x = op.multiply(x, _as_channels(self._styles(plan.affine), inputs))
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
