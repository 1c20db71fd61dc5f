"""Styles and demodulations of all layers, and small kernels that hold them, in numpy.

They are many small products of a matrix with a vector. Inside a graph each of them is a task that two
threads share, and the sharing costs more than the work: a quarter of a small network's picture.

The first convolution belongs to them: it sees a constant times a style, so what it makes is linear in w,
too. Where w counts along few directions only, that product is smaller than the convolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from lavlive.generator.runners.base import WPlus
from lavlive.generator.runners.directions import common_directions
from lavlive.generator.runners.plan import EPSILON, Array, ConvPlan, PicturePlan, Plan, first_output


@dataclass(frozen=True)
class First:
    """The first convolution before its demodulation, [channels · rows · columns]: matrix @ code + bias.

    ``code`` is a buffer: w along the common directions, as of the last update.
    """

    code: Array
    matrix: Array
    bias: Array


class _Kernel:
    """A kernel times a number for each entry of its first axis, of its second, or both.

    The numbers are read where they stand. What they make together comes from BLAS: numpy itself is slow where
    rows are short.
    """

    def __init__(self, plain: Array, first: Array | None, second: Array | None) -> None:
        rows, columns, rest = plain.shape[0], plain.shape[1], math.prod(plain.shape[2:])
        self.modulated = np.zeros_like(plain)
        self._plain, self._made = plain.reshape(rows, -1), self.modulated.reshape(rows, -1)
        self._first = None if first is None else first.reshape(-1, 1)
        self._second = None if second is None else second.reshape(-1, 1)
        self._ones = np.ones((1, rest), np.float32)
        self._row = np.ones((1, columns * rest), np.float32)
        if rest == 1 and second is not None:
            self._second, self._row = None, second.reshape(1, -1)

    def update(self) -> None:
        if self._second is not None:
            np.dot(self._second, self._ones, out=self._row.reshape(-1, self._ones.size))
        factors = self._row if self._first is None else np.dot(self._first, self._row, out=self._made)
        np.multiply(self._plain, factors, out=self._made)


class Styles:
    """Turns w+ into the numbers by which activations are scaled, in buffers that stay where they are."""

    def __init__(self, plan: Plan) -> None:
        layers: list[ConvPlan | PicturePlan] = [
            layer
            for block in plan.blocks
            for layer in (block.conv0, block.conv1, block.picture)
            if layer is not None
        ]
        convs = [layer for layer in layers if isinstance(layer, ConvPlan)]
        self._styles, parts = _buffer([len(layer.affine.bias) for layer in layers])
        self._squares = np.zeros_like(self._styles)
        self._demodulations, outputs = _buffer([len(conv.bias) for conv in convs])
        self._of_layer = {id(layer): self._styles[part] for layer, part in zip(layers, parts, strict=True)}
        self._of_conv = {
            id(conv): self._demodulations[part] for conv, part in zip(convs, outputs, strict=True)
        }
        self._basis = common_directions([layer.affine.matrix for layer in layers])
        self._centre = plan.centre
        self._seen: Array | None = None
        if self._basis is not None:
            self._seen = np.zeros((plan.num_ws, self._basis.shape[1]), np.float32)
        self._bias = np.concatenate([layer.affine.bias for layer in layers])
        # Neighbours that take the same row of w+ (a picture layer and what follows it) share one product.
        self._products: list[tuple[int, Array, Array]] = []
        for row, group in groupby(zip(layers, parts, strict=True), key=lambda pair: pair[0].affine.row):
            same = list(group)
            span = slice(same[0][1].start, same[-1][1].stop)
            matrix, self._bias[span] = self._along(
                np.concatenate([layer.affine.matrix for layer, _ in same]), self._bias[span]
            )
            self._products.append((row, matrix, self._styles[span]))
        self.first: First | None = None
        """None where the convolution itself is quicker."""
        if self._seen is not None:
            constant = plan.blocks[0].constant
            assert constant is not None
            made = first_output(constant, plan.blocks[0].conv1)
            self.first = First(self._seen[made.row], *self._along(made.matrix, made.bias))
        place = {id(layer): part for layer, part in zip(layers, parts, strict=True)}
        self._energies = [
            (conv.square, self._squares[place[id(conv)]], self._of_conv[id(conv)]) for conv in convs
        ]
        self._readers = [
            [layer for layer in (block.picture, following.conv0 if following else None) if layer is not None]
            for block, following in zip(plan.blocks, [*plan.blocks[1:], None], strict=True)
        ]
        self._factors: dict[int, Array] = {}
        self._copies: list[tuple[Array, Array]] = []
        self._kernels: list[_Kernel] = []
        self._gain = np.concatenate([np.full(len(conv.bias), conv.gain, np.float32) for conv in convs])

    def _along(self, matrix: Array, bias: Array) -> tuple[Array, Array]:
        """A matrix [n, w_dim] and a bias for w along the common directions; nothing is lost at the centre."""
        if self._basis is None:
            return matrix, bias
        along = np.ascontiguousarray(matrix @ self._basis)
        lost = matrix @ self._centre - along @ (self._basis.T @ self._centre)
        return along, bias + lost

    def styles(self, layer: ConvPlan | PicturePlan, cells: int = 1) -> Array:
        """Where the styles of a layer lie, float32 [cells · inputs], the same for every pixel of a cell."""
        return self._repeated(self._of_layer[id(layer)], cells)

    def demodulation(self, conv: ConvPlan, cells: int = 1) -> Array:
        """Where the demodulation of a convolution lies, gain included, float32 [cells · outputs]."""
        return self._repeated(self._of_conv[id(conv)], cells)

    def modulated(
        self, layer: ConvPlan | PicturePlan, kernel: Array, inputs_first: bool, demodulated: bool
    ) -> Array:
        """Where a layer's kernel lies times its styles and, if ``demodulated``, times its demodulation.

        Args:
            kernel: [outputs, inputs, ...] or, with ``inputs_first``, [inputs, outputs, ...]; an axis may
                count several cells, one after the other.
        """
        inputs, outputs = (0, 1) if inputs_first else (1, 0)
        factors: list[Array | None] = [None, None]
        channels = len(self._of_layer[id(layer)])
        factors[inputs] = self.styles(layer, kernel.shape[inputs] // channels)
        if demodulated:
            assert isinstance(layer, ConvPlan)
            factors[outputs] = self.demodulation(layer, kernel.shape[outputs] // len(layer.bias))
        made = _Kernel(kernel, *factors)
        self._kernels.append(made)
        return made.modulated

    def _repeated(self, numbers: Array, cells: int) -> Array:
        if cells == 1:
            return numbers
        copy: Array = np.tile(numbers, (cells, 1))
        self._copies.append((copy, numbers))
        return copy.reshape(-1)

    def multiply(self, block: int, factors: Array | None) -> None:
        """From now on let a block's features be read times ``factors`` [channels]; None: as they are.

        Their styles do it: the picture layer's and those of the next block's first convolution. What these
        convolutions are demodulated by stays that of the styles without.
        """
        if factors is None:
            self._factors.pop(block, None)
        else:
            self._factors[block] = factors

    def multiply_none(self) -> None:
        """From now on let features be read as they are."""
        self._factors.clear()

    def update(self, w_plus: WPlus) -> None:
        """Compute all of them for w+, float32 [L, w_dim]."""
        seen = w_plus if self._basis is None else np.dot(w_plus, self._basis, out=self._seen)
        for row, matrix, made in self._products:
            np.dot(matrix, seen[row], out=made)
        self._styles += self._bias
        np.square(self._styles, out=self._squares)
        for square, styles_squared, energy in self._energies:
            np.dot(square, styles_squared, out=energy)
        self._demodulations += EPSILON
        np.sqrt(self._demodulations, out=self._demodulations)
        np.divide(self._gain, self._demodulations, out=self._demodulations)
        for block, factors in self._factors.items():
            for reader in self._readers[block]:
                self._of_layer[id(reader)] *= factors
        for copy, numbers in self._copies:
            copy[...] = numbers
        for kernel in self._kernels:
            kernel.update()


def _buffer(lengths: list[int]) -> tuple[Array, list[slice]]:
    ends = np.cumsum(lengths).tolist()
    parts = [slice(end - length, end) for length, end in zip(lengths, ends, strict=True)]
    return np.zeros(ends[-1], np.float32), parts
