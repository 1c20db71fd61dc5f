"""A plan as an OpenVINO model, layer by layer: nothing is traced or converted, so it starts at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from lavlive.generator.runners.cells import (
    cells_for,
    doubling_side_by_side,
    doubling_to_pairs,
    noise_in_cells,
    picture_across,
    repeated,
    to_cells,
)
from lavlive.generator.runners.plan import (
    LEAK,
    Array,
    BlockPlan,
    ConvPlan,
    PicturePlan,
    Plan,
)
from lavlive.generator.runners.styles import First, Styles

Node = Any
_NO_PADDING = [0, 0]
_PICTURE_CELLS_FROM = 128
"""From this resolution on a picture is large enough for its cells to pay."""
_FEW_WEIGHTS = 0.1
"""Of the numbers that a layer reads."""


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


def build_graph(plan: Plan, styles: Styles, lanes: int = 1, kernels_change: bool = False) -> Graph:
    """The whole synthesis but the styles, from [1] · noise and each layer's numbers to bytes.

    Args:
        lanes: float32 numbers in a vector of the processor. Layers of fewer channels work on cells of several
            pixels; 1 for a graph without cells.
        kernels_change: whether small kernels hold the styles and are inputs.
    """
    return _Builder(plan, styles, lanes, kernels_change).graph()


@dataclass(frozen=True)
class Piece:
    """A part of a network between two places where features may be bent.

    Attributes:
        model, inputs: as of `Graph`.
        outputs: where its outputs are to lie: features and the picture so far, or the bytes.
        features: the first of them, float32 [1, C, h, w]; None for the last piece.
        resolution: of the block that they are of; 0 for the last piece.
    """

    model: ov.Model
    inputs: list[Array]
    outputs: list[Any]
    features: Array | None
    resolution: int


def build_pieces(
    plan: Plan, styles: Styles, cuts: list[int], lanes: int, kernels_change: bool, pixels: Any
) -> list[Piece]:
    """The whole synthesis in pieces that end with the features of blocks ``cuts``, and with ``pixels``."""
    pieces: list[Piece] = []
    features: Array | None = None
    picture: Array | None = None
    for begin, end in pairwise([None, *cuts, None]):
        builder = _Builder(plan, styles, lanes, kernels_change)
        ends, x, before = builder.piece(begin, end, features, picture)
        model, inputs = (
            ov.Model([op.result(each) for each in ends], builder.parameters, "piece"),
            builder.inputs,
        )
        if x is None:
            pieces.append(Piece(model, inputs, [pixels], None, 0))
            break
        features = np.zeros((1, x.channels, x.height, x.width), np.float32)
        picture = None
        if before is not None:
            picture = np.zeros((1, before.channels, before.height, before.width), np.float32)
        outputs = [features] if picture is None else [features, picture]
        assert end is not None
        pieces.append(Piece(model, inputs, outputs, features, plan.blocks[end].resolution))
    return pieces


def _constant(values: Any) -> Node:
    return op.constant(np.ascontiguousarray(values, np.float32))


def _shape(*sizes: int) -> Node:
    return op.constant(np.array(sizes, np.int64))


@dataclass(frozen=True)
class _Map:
    """Features or a picture.

    Attributes:
        node: [1, cells · channels, height, width / cells].
        rows: the same as [height, width · channels] where it was made so, else None.
    """

    node: Node
    channels: int
    height: int
    width: int
    cells: int = 1
    rows: Node | None = None

    def of(self, cells: int) -> Node:
        """The same with other cells. OpenVINO keeps channels last, where this moves nothing."""
        if cells == self.cells:
            return self.node
        length = self.width * self.channels
        rows = _rows(self.node, self.height, length) if self.rows is None else self.rows
        return _from_rows(rows, self.height, self.width // cells, cells * self.channels)


def _rows(node: Node, height: int, length: int) -> Node:
    """[1, C, H, W] → [height, length], in the order of a picture's bytes."""
    return op.reshape(op.transpose(node, _shape(0, 2, 3, 1)), _shape(height, length), False)


def _from_rows(rows: Node, height: int, width: int, channels: int) -> Node:
    """Numbers in the order of a picture's bytes → [1, channels, height, width]."""
    rows = op.reshape(rows, _shape(1, height, width, channels), False)
    return op.transpose(rows, _shape(0, 3, 1, 2))


class _Builder:
    def __init__(self, plan: Plan, styles: Styles, lanes: int, kernels_change: bool) -> None:
        self._plan = plan
        self._styles = styles
        self._lanes = lanes
        self._kernels_change = kernels_change
        self.parameters: list[Node] = []
        self.inputs: list[Array] = []
        self._noise = self._input(np.ones(1, np.float32))
        self._spread = np.outer(plan.taps, plan.taps).astype(np.float32)
        self._outer_spread = np.outer(plan.outer_taps, plan.outer_taps).astype(np.float32)

    def graph(self) -> Graph:
        x: _Map | None = None
        picture: _Map | None = None
        for block in self._plan.blocks:
            x = self._features(block, x)
            picture = self._with_part(block, x, picture)
        assert picture is not None
        model = ov.Model([op.result(self._bytes(picture))], self.parameters, "synthesis")
        return Graph(model, self.inputs)

    def piece(
        self, begin: int | None, end: int | None, features: Array | None, picture_before: Array | None
    ) -> tuple[list[Node], _Map | None, _Map | None]:
        """From the features of block ``begin``, bent, to those of block ``end``; None is an end of it all.

        Returns:
            The nodes that come out; and the features and the picture before them, where there are such.
        """
        blocks = self._plan.blocks
        x: _Map | None = None
        picture: _Map | None = None
        if begin is not None:
            assert features is not None
            if picture_before is not None:
                _, channels, height, width = picture_before.shape
                picture = _Map(self._parameter(picture_before), channels, height, width)
            x = _Map(self._parameter(features), *features.shape[1:])
            picture = self._with_part(blocks[begin], x, picture)
        for index in range(0 if begin is None else begin + 1, len(blocks)):
            x = self._features(blocks[index], x)
            if index == end:
                ends = [x.of(1)] if picture is None else [x.of(1), picture.of(1)]
                return ends, x, picture
            picture = self._with_part(blocks[index], x, picture)
        assert picture is not None
        return [self._bytes(picture)], None, None

    def _with_part(self, block: BlockPlan, x: _Map, picture: _Map | None) -> _Map | None:
        """The picture with what a block's features add to it."""
        part = None if block.picture is None else self._to_picture(block.picture, x)
        if picture is None:
            return part
        if part is None or part.cells == 1 or any(block.trim):
            picture = _trimmed(self._doubled(picture), block.trim)
            return picture if part is None else _sum(part, picture)
        return self._picture_sum(part, picture)

    def _bytes(self, picture: _Map) -> Node:
        height, width = self._plan.height, self._plan.width
        made = picture.node if picture.rows is None else picture.rows
        levels = op.clamp(op.add(op.multiply(made, _constant(127.5)), _constant(128.0)), 0.0, 255.0)
        pixels = op.convert(levels, "u8")
        if picture.rows is None:
            pixels = _rows(pixels, height, width * 3)
        return op.reshape(pixels, _shape(height, width, 3), False)

    def _input(self, values: Array) -> Node:
        """A parameter [1, C, 1, 1] that reads an array of length C.

        OpenVINO fuses element-wise chains in the convolutions' own layout only if all ranks agree: one
        scalar among them would cost a reordering of every activation, a quarter of a picture's time.
        """
        return self._parameter(values.reshape(1, -1, 1, 1))

    def _parameter(self, values: Array) -> Node:
        node = op.parameter(values.shape, np.float32)
        self.parameters.append(node)
        self.inputs.append(values)
        return node

    def _features(self, block: BlockPlan, x: _Map | None) -> _Map:
        if block.constant is not None:
            if self._styles.first is not None:
                return self._activated(block.conv1, self._first(self._styles.first, block), 1)
            start = _Map(_constant(block.constant[None]), *block.constant.shape)
            return self._conv(block.conv1, start)
        assert block.conv0 is not None
        assert x is not None
        y = self._conv(block.conv1, _trimmed(self._conv(block.conv0, x), block.trim))
        if block.shortcut is None:
            return y
        weight = _constant(block.shortcut[:, :, None, None])
        past = op.convolution(x.of(1), weight, [1, 1], _NO_PADDING, _NO_PADDING, [1, 1])
        doubled = self._doubled(_Map(past, len(block.shortcut), x.height, x.width))
        return _sum(y, _trimmed(doubled, block.trim))

    def _first(self, first: First, block: BlockPlan) -> Node:
        """The first convolution as a product, which two threads share."""
        code = op.reshape(self._input(first.code), _shape(1, len(first.code)), False)
        made = op.add(op.matmul(code, _constant(first.matrix), False, True), _constant(first.bias[None]))
        return op.reshape(made, _shape(1, len(block.conv1.bias), block.height, block.width), False)

    def _has_changing_kernel(self, layer: ConvPlan | PicturePlan, x: _Map) -> bool:
        """Whether a layer's kernel is modulated for each picture, not the features that it reads.

        Then no pass over the features remains: bias and leak are done within the convolution, which
        OpenVINO does only where nothing that changes stands between.
        """
        return self._kernels_change and layer.weight.size <= _FEW_WEIGHTS * x.channels * x.height * x.width

    def _is_demodulated_within(self, plan: ConvPlan, x: _Map) -> bool:
        """Whether a kernel holds the demodulation, too. Noise needs a pass anyway, quicker with a product."""
        return self._has_changing_kernel(plan, x) and not np.any(plan.noise)

    def _modulated(
        self, layer: ConvPlan | PicturePlan, x: _Map, kernel: Array, inputs_first: bool = False
    ) -> tuple[_Map, Node]:
        """What a layer's convolution reads and its kernel, one of which holds the styles."""
        kernel = np.ascontiguousarray(kernel)
        if self._has_changing_kernel(layer, x):
            demodulated = isinstance(layer, ConvPlan) and self._is_demodulated_within(layer, x)
            return x, self._parameter(self._styles.modulated(layer, kernel, inputs_first, demodulated))
        styles = self._input(self._styles.styles(layer, x.cells))
        return replace(x, node=op.multiply(x.node, styles), rows=None), _constant(kernel)

    def _conv(self, plan: ConvPlan, x: _Map) -> _Map:
        cells = cells_for(len(plan.bias), self._lanes, plan.width)
        if plan.up:
            # More than pairs do not pay here: their kernels would be mostly zeros.
            cells = min(cells, 2)
            y = self._up(plan, x, cells)
        else:
            features, weight = self._modulated(plan, x, to_cells(plan.weight, cells))
            y = op.convolution(features.of(1), weight, [1, cells], [1, 1], [1, 1], [1, 1])
        return self._activated(plan, y, cells, self._is_demodulated_within(plan, x))

    def _activated(self, plan: ConvPlan, y: Node, cells: int, demodulated: bool = False) -> _Map:
        """What follows a convolution: demodulation, noise, bias, leak."""
        channels = len(plan.bias)
        if not demodulated:
            y = op.multiply(y, self._input(self._styles.demodulation(plan, cells)))
        if np.any(plan.noise):
            noise = _constant(noise_in_cells(plan.noise, cells, channels)[None])
            y = op.add(y, op.multiply(noise, self._noise))
        y = op.add(y, _constant(repeated(plan.bias, cells)[None, :, None, None]))
        y = op.prelu(y, _constant([LEAK]))
        y = y if plan.clamp is None else op.clamp(y, -plan.clamp, plan.clamp)
        return _Map(y, channels, plan.height, plan.width, cells)

    def _up(self, plan: ConvPlan, x: _Map, cells: int) -> Node:
        """The transposed convolution and the filter, to single pixels or to pairs."""
        channels = len(plan.bias)
        if cells == 2:
            y = self._transposed(plan, x, doubling_to_pairs(plan.weight, self._plan.taps), [2, 1], [0, 1])
            return _filtered(y, 2 * channels, self._plan.taps[::-1, None], [1, 0], [1, 0])
        if channels != self._lanes:
            # It wants [inputs, outputs, 3, 3].
            y = self._transposed(plan, x, plan.weight.transpose(1, 0, 2, 3), [2, 2], [0, 0])
            return _filtered(y, channels, self._spread[::-1, ::-1], [1, 1], [1, 1])
        y = self._transposed(plan, x, doubling_side_by_side(plan.weight), [2, 1], [0, 0])
        height, width = 2 * x.height + 1, 2 * x.width + 2
        y = _from_rows(_rows(y, height, width * channels), height, width, channels)
        return _filtered(y, channels, self._spread[::-1, ::-1], [1, 1], [1, 0])

    def _transposed(
        self, plan: ConvPlan, x: _Map, kernel: Array, stride: list[int], padding: list[int]
    ) -> Node:
        features, weight = self._modulated(plan, x, kernel, inputs_first=True)
        return op.convolution_backprop_data(
            features.of(1), weight, stride, pads_begin=padding, pads_end=padding, dilations=[1, 1]
        )

    def _to_picture(self, plan: PicturePlan, x: _Map) -> _Map:
        cells = cells_for(len(plan.bias), self._lanes, x.width) if x.height >= _PICTURE_CELLS_FROM else 1
        kernel = np.kron(np.eye(cells, dtype=np.float32), plan.weight)[:, :, None, None]
        features, weight = self._modulated(plan, x, kernel)
        y = op.convolution(features.of(cells), weight, [1, 1], _NO_PADDING, _NO_PADDING, [1, 1])
        y = op.add(y, _constant(repeated(plan.bias, cells)[None, :, None, None]))
        y = y if plan.clamp is None else op.clamp(y, -plan.clamp, plan.clamp)
        return _Map(y, len(plan.bias), x.height, x.width, cells)

    def _doubled(self, x: _Map) -> _Map:
        kernel: Array = np.tile(self._outer_spread, (x.channels, 1, 1, 1, 1))
        y = op.group_convolution_backprop_data(
            x.of(1), _constant(kernel), [2, 2], pads_begin=[1, 1], pads_end=[1, 1]
        )
        return _Map(y, x.channels, 2 * x.height, 2 * x.width)

    def _picture_sum(self, part: _Map, before: _Map) -> _Map:
        """A part in cells and the doubled picture before it.

        That is doubled along rows first, where cells fill the vectors, then along columns, where any numbers
        side by side do.
        """
        cells, height, length = part.cells, part.height, part.width * part.channels
        taps = self._plan.outer_taps
        kernel = _constant(picture_across(taps, cells, part.channels))
        wide = op.convolution(before.of(cells // 2), kernel, [1, 1], [0, 1], [0, 1], [1, 1])
        stripe = _from_rows(_rows(wide, height // 2, length), height // 2, length // self._lanes, self._lanes)
        upper = _filtered(stripe, self._lanes, taps[[3, 1], None], [1, 0], [0, 0])
        lower = _filtered(stripe, self._lanes, taps[[2, 0], None], [0, 0], [1, 0])
        # Beside each other, an upper and a lower row are two rows.
        doubled = op.concat([_rows(upper, height // 2, length), _rows(lower, height // 2, length)], 1)
        rows = op.add(_rows(part.node, height, length), op.reshape(doubled, _shape(height, length), False))
        node = _from_rows(rows, height, part.width // cells, cells * part.channels)
        return replace(part, node=node, rows=rows)


def _trimmed(x: _Map, trim: tuple[int, int]) -> _Map:
    """Without so many rows and columns at each side."""
    rows, columns = trim
    if not any(trim):
        return x
    begin, end = _shape(rows, columns), _shape(x.height - rows, x.width - columns)
    node = op.slice(x.of(1), begin, end, _shape(1, 1), _shape(2, 3))
    return _Map(node, x.channels, x.height - 2 * rows, x.width - 2 * columns)


def _filtered(x: Node, channels: int, kernel: Array, begin: list[int], end: list[int]) -> Node:
    """Every channel by one kernel."""
    each = _constant(np.tile(kernel, (channels, 1, 1, 1, 1)))
    return op.group_convolution(x, each, [1, 1], begin, end, [1, 1])


def _sum(one: _Map, other: _Map) -> _Map:
    """Both together, in the cells of the first."""
    return replace(one, node=op.add(one.node, other.of(one.cells)), rows=None)
