"""A synthesis network reduced to what a runner needs: constant arrays, with everything folded that may be.

A modulated layer is, with x its input, w its row of w+, gain √2 and slope 0.2:

    s = A w + a                              styles, [inputs]
    d = gain · (Σ_i s_i² Q_oi + ε)^−½        demodulation, [outputs]; Q_oi = Σ_k W_oik²
    y = leaky(conv(x · s, W) · d + noise · N + b)

leaky(gain · x) = gain · leaky(x), so the gain sits in d, N and b; N holds the learned strength too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lavlive.generator.grid import Fill, Grid, centred, noise_for, refilled
from lavlive.generator.network import Linear, ModulatedConv, SynthesisNetwork, ToPicture

Array = npt.NDArray[np.float32]
EPSILON = 1e-8
LEAK = 0.2
_FAINTEST_NOISE = 0.25 / 127.5
"""In a picture from -1 to 1: a quarter of a level of 255, half a level with the knob at its end."""


@dataclass(frozen=True)
class Affine:
    """w to styles: matrix float32 [inputs, w_dim], bias [inputs]; ``row`` is its entry of w+."""

    row: int
    matrix: Array
    bias: Array


@dataclass(frozen=True)
class ConvPlan:
    """One modulated 3×3 convolution.

    Attributes:
        height, width: of its output.
        up: whether it doubles the resolution.
        weight: [outputs, inputs, 3, 3].
        square: Q above, [outputs, inputs].
        noise: N above, [height, width]; zeros where it is too faint to be seen.
        bias: b above, [outputs].
        gain: of the activation.
        clamp: largest magnitude of y, or None.
    """

    affine: Affine
    height: int
    width: int
    up: bool
    weight: Array
    square: Array
    noise: Array
    bias: Array
    gain: float
    clamp: float | None


@dataclass(frozen=True)
class PicturePlan:
    """Features to red, green and blue: weight [3, inputs], bias [3]; the style's gain lies in the affine."""

    affine: Affine
    weight: Array
    bias: Array
    clamp: float | None


@dataclass(frozen=True)
class BlockPlan:
    """The layers of one resolution.

    Attributes:
        resolution: of a square picture; it tells the layer group.
        height, width: of the block's features.
        trim: how many rows and how many columns are taken off each side once features have doubled.
        constant: [channels, rows, columns], in the first block only.
        conv0: doubles the resolution; None in the first block.
        shortcut: [outputs, inputs] of the ``resnet`` architecture, gain √½ folded in, or None.
        picture: None where an architecture has no picture layer.
    """

    resolution: int
    height: int
    width: int
    trim: tuple[int, int]
    constant: Array | None
    conv0: ConvPlan | None
    conv1: ConvPlan
    shortcut: Array | None
    picture: PicturePlan | None


@dataclass(frozen=True)
class Plan:
    """All blocks, the resampling taps (float32 [4], gain of a doubling) and the length and width of w+.

    ``height`` and ``width`` are the picture's, ``resolution`` is that of a square one by the same weights.
    ``taps`` follow the doubling convolutions, ``outer_taps`` double pictures and shortcuts. ``centre``
    [w_dim] is what w lies about; pictures there are exact where others may be nearly so.
    """

    blocks: tuple[BlockPlan, ...]
    taps: Array
    outer_taps: Array
    resolution: int
    height: int
    width: int
    num_ws: int
    w_dim: int
    centre: Array


def make_plan(
    synthesis: SynthesisNetwork,
    w_mean: torch.Tensor | None = None,
    grid: Grid | None = None,
    fill: Fill = "stretch",
) -> Plan:
    """Reduce a network to its plan; the arrays are copies or views of float32 weights on the CPU.

    Args:
        w_mean: [w_dim], the plan's centre, else zero.
        grid: size of the constant, which gives pictures their shape; the network's own when not given.
        fill: how the constant comes to another size.
    """
    config = synthesis.config
    own = native_grid(synthesis)
    grid = grid or own
    # A network of a single block has no doubling after which anything could be taken off.
    whole = fill == "stretch" or len(synthesis.blocks) == 1
    begin = grid if whole else centred(grid, own)
    blocks: list[BlockPlan] = []
    row = 0
    for module in synthesis.blocks:
        block: Any = module
        scale = block.resolution // 4
        here = begin if scale == 1 else grid
        height, width = here.rows * scale, here.columns * scale
        trim = (begin.rows - grid.rows, begin.columns - grid.columns) if scale == 2 else (0, 0)
        residual = block.shortcut is not None
        shortcut = None
        if residual:
            matrix = array_of(block.shortcut.weight)[:, :, 0, 0]
            shortcut = matrix * np.float32(block.shortcut.weight_gain * math.sqrt(0.5))
        conv0 = None
        if block.conv0 is not None:
            conv0 = _conv(block.conv0, row, height + 2 * trim[0], width + 2 * trim[1], 1.0)
            row += 1
        conv1 = _conv(block.conv1, row, height, width, math.sqrt(0.5) if residual else 1.0)
        row += 1
        blocks.append(
            BlockPlan(
                resolution=block.resolution,
                height=height,
                width=width,
                trim=trim,
                constant=None if block.constant is None else refilled(array_of(block.constant), begin, fill),
                conv0=conv0,
                conv1=conv1,
                shortcut=shortcut,
                picture=None if block.to_picture is None else _picture(block.to_picture, row),
            )
        )
    centre = np.zeros(config.w_dim, np.float32) if w_mean is None else array_of(w_mean)
    return Plan(
        tuple(_without_faint_noise(blocks, centre)),
        _taps(config.fir),
        _taps(config.picture_taps),
        config.resolution,
        blocks[-1].height,
        blocks[-1].width,
        config.num_ws,
        config.w_dim,
        centre,
    )


def _taps(fir: tuple[float, ...]) -> Array:
    taps = np.asarray(fir, np.float32)
    normal: Array = taps / taps.sum() * 2
    return normal


def _without_faint_noise(blocks: list[BlockPlan], centre: Array) -> Iterator[BlockPlan]:
    """Blocks whose noise is zero where training has left so little of it that no picture shows it.

    That is judged by the most that the next picture layer can make of it at W's mean.
    """
    for index, block in enumerate(blocks):
        picture = next(later.picture for later in blocks[index:] if later.picture is not None)
        styles = picture.affine.matrix @ centre + picture.affine.bias
        # A picture layer that has not learned yet is zero, and shows nothing at all.
        most = max(float(np.abs(picture.weight * styles).sum(1).max()), 1e-12)
        faintest = _FAINTEST_NOISE / most
        conv0 = None if block.conv0 is None else _with_noise_from(faintest, block.conv0)
        yield replace(block, conv0=conv0, conv1=_with_noise_from(faintest, block.conv1))


def _with_noise_from(faintest: float, conv: ConvPlan) -> ConvPlan:
    is_faint = np.sqrt(np.square(conv.noise).mean()) < faintest
    return replace(conv, noise=np.zeros_like(conv.noise)) if is_faint else conv


def array_of(tensor: torch.Tensor) -> Array:
    """A parameter's numbers, float32, on the CPU."""
    array: Array = tensor.detach().float().cpu().numpy()
    return array


def affine_of(layer: Linear, row: int, gain: float = 1.0) -> Affine:
    """An affine layer with its gains folded in, and one more."""
    matrix = array_of(layer.weight) * np.float32(layer.weight_gain * gain)
    return Affine(row, matrix, array_of(layer.bias) * np.float32(layer.bias_gain * gain))


def native_grid(synthesis: SynthesisNetwork) -> Grid:
    """The size of a network's own constant."""
    first: Any = synthesis.blocks[0]
    return Grid(*first.constant.shape[1:])


def _conv(layer: ModulatedConv, row: int, height: int, width: int, gain: float) -> ConvPlan:
    activation_gain = math.sqrt(2) * gain
    weight = array_of(layer.weight)
    strength = float(layer.noise_strength)
    return ConvPlan(
        affine=affine_of(layer.affine, row),
        height=height,
        width=width,
        up=layer.resample is not None,
        weight=weight,
        square=np.square(weight).sum((2, 3)),
        noise=noise_for(array_of(layer.noise_constant), height, width, row)
        * np.float32(strength * activation_gain),
        bias=array_of(layer.bias) * np.float32(activation_gain),
        gain=activation_gain,
        clamp=None if layer.clamp is None else layer.clamp * gain,
    )


def _picture(layer: ToPicture, row: int) -> PicturePlan:
    return PicturePlan(
        affine=affine_of(layer.affine, row, layer.style_gain),
        weight=array_of(layer.weight)[:, :, 0, 0],
        bias=array_of(layer.bias),
        clamp=layer.clamp,
    )


def first_output(constant: Array, conv: ConvPlan) -> Affine:
    """What the first convolution makes of the constant [inputs, h, w] times its styles, as a function of w.

    The matrix is [outputs · h · w, w_dim]; demodulation, noise and bias are still to come.
    """
    _, height, width = constant.shape
    padded = np.pad(constant, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    each = np.einsum("oikl,iyxkl->oyxi", conv.weight, windows, optimize=True).astype(np.float32)
    each = each.reshape(len(conv.bias) * height * width, -1)
    return Affine(conv.affine.row, each @ conv.affine.matrix, each @ conv.affine.bias)


def folded_taps(taps: Array) -> npt.NDArray[np.float64]:
    """A transposed convolution of stride 2 and the filter after it as one, along one axis: [2, 3, 3].

    Entry [a, 1 + d, k] is what output 2p + a takes of input p + d by tap k of the convolution. Exact: the
    transposed convolution reaches no further than the padding that the filter sees as zeros.
    """
    reach = np.zeros((2, 3, 3), np.float64)
    for phase in range(2):
        for offset in (-1, 0, 1):
            for k in range(3):
                tap = k + 1 - (phase - 2 * offset)
                if 0 <= tap <= 3:
                    reach[phase, offset + 1, k] = taps[3 - tap]
    return reach


def folded_kernel(weight: Array, taps: Array) -> Array:
    """Transposed convolution and filter as one 3×3 convolution to four phases.

    weight [outputs, inputs, 3, 3] → [4 · outputs, inputs, 3, 3], phases innermost as depth-to-space wants
    them: output (2p + a, 2q + b) of channel o is channel 4o + 2a + b at (p, q).
    """
    outputs, inputs = weight.shape[:2]
    reach = folded_taps(taps)
    folded = np.einsum("oikl,apk,bql->oabipq", weight.astype(np.float64), reach, reach)
    return np.ascontiguousarray(folded.reshape(4 * outputs, inputs, 3, 3), np.float32)
