"""Kernels for pixels that stand side by side in cells, so that few channels still fill a processor's vectors.

A cell of n pixels of C channels is one position of n · C channels, pixel by pixel: in memory whose channels
come last both are the same bytes. Every kernel here is exact: it computes what the plain one does.
"""

from __future__ import annotations

import numpy as np

from lavlive.generator.runners.plan import Array, folded_taps


def cells_for(channels: int, lanes: int, width: int) -> int:
    """How many pixels, a power of two, fit into a vector of ``lanes`` and divide a row of ``width``."""
    cells = 1
    while 2 * cells * channels <= lanes and width % (2 * cells) == 0:
        cells *= 2
    return cells


def to_cells(weight: Array, cells: int) -> Array:
    """A 3×3 convolution that answers in cells: [O, I, 3, 3] → [cells · O, I, 3, cells + 2].

    Its stride is [1, cells], its padding 1 all round.
    """
    outputs, inputs = weight.shape[:2]
    wide = np.zeros((cells, outputs, inputs, 3, cells + 2), np.float32)
    for pixel in range(cells):
        wide[pixel, :, :, :, pixel : pixel + 3] = weight
    return wide.reshape(cells * outputs, inputs, 3, cells + 2)


def doubling_to_pairs(weight: Array, taps: Array) -> Array:
    """A transposed 3×3 convolution with the filter along rows folded in, that answers in pairs of pixels.

    weight [O, I, 3, 3] → [I, 2 · O, 3, 3] for a transposed convolution of stride [2, 1] and padding [0, 1].
    The filter along columns is still to come.
    """
    outputs, inputs = weight.shape[:2]
    folded = np.einsum("oikl,bql->ibokq", weight.astype(np.float64), folded_taps(taps))
    # A transposed convolution counts its taps from the output.
    backwards = folded.reshape(inputs, 2 * outputs, 3, 3)[..., ::-1]
    return np.ascontiguousarray(backwards, np.float32)


def doubling_side_by_side(weight: Array) -> Array:
    """A transposed 3×3 convolution whose even and odd columns come side by side, without the filter.

    weight [O, I, 3, 3] → [I, 2 · O, 3, 2] for a transposed convolution of stride [2, 1]. It makes a column
    more, of zeros. A third more products than the plain one, but with few channels it is quicker.
    """
    outputs, inputs = weight.shape[:2]
    apart = np.zeros((inputs, 2, outputs, 3, 2), np.float32)
    for column in range(3):
        # Tap 2 is tap 0 of the pixel to the left.
        apart[:, column % 2, :, :, column // 2] = weight[:, :, :, column].transpose(1, 0, 2)
    return apart.reshape(inputs, 2 * outputs, 3, 2)


def picture_across(taps: Array, cells: int, channels: int = 3) -> Array:
    """Doubles each row of a picture, cells of ``cells // 2`` pixels to cells of ``cells``.

    A convolution [cells · channels, cells // 2 · channels, 1, 3] with one cell of padding on either side.
    """
    narrow = cells // 2
    kernel = np.zeros((cells, channels, narrow, channels, 3), np.float32)
    for pixel in range(cells):
        for source in range(-narrow, 2 * narrow):
            tap = pixel - 2 * source + 1
            if 0 <= tap <= 3:
                cell, place = divmod(source, narrow)
                kernel[pixel, :, place, :, cell + 1] = np.eye(channels, dtype=np.float32) * taps[tap]
    return kernel.reshape(cells * channels, narrow * channels, 1, 3)


def repeated(values: Array, cells: int) -> Array:
    """Numbers of C channels for every pixel of a cell, [cells · C]."""
    return np.tile(values, cells)


def noise_in_cells(noise: Array, cells: int, channels: int) -> Array:
    """Noise [H, W] as cells see it: [H, W] itself, or [cells · channels, H, W / cells]."""
    if cells == 1:
        return noise[None]
    height, width = noise.shape
    apart = noise.reshape(height, width // cells, cells).transpose(2, 0, 1)
    return apart.repeat(channels, axis=0)
