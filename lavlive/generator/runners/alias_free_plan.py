"""StyleGAN3's synthesis reduced to what a runner needs: constant arrays, with everything folded that may be.

A layer is, with x its input, w its row of w+ and gain √2:

    s = A w + a, over its root mean square      styles, [inputs]
    d = gain · (Σ_i s_i² Q_oi + ε)^−½           demodulation, [outputs]; Q_oi = Σ_k W_oik²
    y = conv(x · s, m W) · d + b                m: what brings the input to a mean square of one
    y = down(clamp(leaky(up(y))))

Filters are linear and leaky(gain · y) = gain · leaky(y), so the gain sits in d and b. The last layer has
neither d nor filters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lavlive.generator.alias_free import GAIN, AliasFreeSynthesis, centred
from lavlive.generator.grid import Grid
from lavlive.generator.runners.plan import Affine, Array, affine_of, array_of


@dataclass(frozen=True)
class FourierPlan:
    """The features that everything grows from.

    Attributes:
        affine: w to (cosine, sine, across, down), not yet normalised.
        transform: [3, 3], a fixed one before that of w.
        frequencies, phases: [channels, 2], [channels].
        weight: [channels, channels], what mixes them.
        places_across, places_down: of the samples, [width] and [height], in widths of a square picture.
        bandwidth, limit: up to which frequencies are whole, and from which on they are nothing.
    """

    affine: Affine
    transform: Array
    frequencies: Array
    phases: Array
    weight: Array
    places_across: Array
    places_down: Array
    bandwidth: float
    limit: float


@dataclass(frozen=True)
class FilteredPlan:
    """One layer.

    Attributes:
        height, width: of its output.
        resolution: at which it works; it tells the layer group.
        weight: [outputs, inputs, k, k].
        square: Q above, [outputs, inputs]; None in the last layer.
        bias: [outputs], gain included.
        up, down: factors of its filters.
        up_taps: [taps] or None; with the gain of the zeros that they fill.
        down_taps: [taps], [taps, taps] or None.
        padding: left, right, top, bottom, in samples of the leaky ReLU; below nought: cut off.
        clamp: largest magnitude after the leaky ReLU, or None.
    """

    affine: Affine
    height: int
    width: int
    resolution: int
    weight: Array
    square: Array | None
    bias: Array
    up: int
    down: int
    up_taps: Array | None
    down_taps: Array | None
    padding: tuple[int, int, int, int]
    clamp: float | None


@dataclass(frozen=True)
class AliasFreePlan:
    """All of a StyleGAN3's synthesis; ``scale`` is what its last layer's numbers are multiplied by."""

    fourier: FourierPlan
    layers: tuple[FilteredPlan, ...]
    scale: float
    resolution: int
    height: int
    width: int
    num_ws: int
    w_dim: int


def make_alias_free_plan(synthesis: AliasFreeSynthesis, grid: Grid | None = None) -> AliasFreePlan:
    """Reduce a network to its plan; the arrays are copies or views of float32 weights on the CPU.

    Args:
        grid: samples of the Fourier features per picture, which give it its shape; a square when not given.
            Features are drawn as far as the picture goes: nothing is stretched.
    """
    config = synthesis.config
    grid = grid or alias_free_grid(synthesis)
    margins = [config.input_size - config.input_rate]
    margins += [layer.size - rate for layer, rate in zip(config.layers, config.rates, strict=True)]
    heights, widths = (
        [
            rate * cells // config.input_rate + margin
            for rate, margin in zip((config.input_rate, *config.rates), margins, strict=True)
        ]
        for cells in (grid.rows, grid.columns)
    )
    source = synthesis.input
    fourier = FourierPlan(
        affine=affine_of(source.affine, 0),
        transform=array_of(source.transform),
        frequencies=array_of(source.frequencies),
        phases=array_of(source.phases),
        weight=array_of(source.weight) / np.float32(math.sqrt(config.input_channels)),
        places_across=array_of(centred(widths[0], config.input_rate)),
        places_down=array_of(centred(heights[0], config.input_rate)),
        bandwidth=config.bandwidth,
        limit=config.input_rate / 2,
    )
    layers = []
    for index, module in enumerate(synthesis.layers):
        layer: Any = module
        # The samples that another shape adds are whole ones on both sides, so the paddings stay.
        before, after = layer.padding
        layers.append(
            _layer(
                layer,
                row=index + 1,
                resolution=config.layer_resolutions[index + 1],
                size=(heights[index + 1], widths[index + 1]),
                padding=(before, after, before, after),
            )
        )
    return AliasFreePlan(
        fourier,
        tuple(layers),
        config.output_scale,
        config.resolution,
        heights[-1],
        widths[-1],
        config.num_ws,
        config.w_dim,
    )


def alias_free_grid(synthesis: AliasFreeSynthesis) -> Grid:
    """The grid of a square picture."""
    return Grid(synthesis.config.input_rate, synthesis.config.input_rate)


def _layer(
    layer: Any, row: int, resolution: int, size: tuple[int, int], padding: tuple[int, int, int, int]
) -> FilteredPlan:
    weight = array_of(layer.weight).astype(np.float64)
    inputs = weight.shape[1]
    square = None
    if not layer.last:
        weight /= np.sqrt(np.square(weight).mean((1, 2, 3), keepdims=True))
        square = np.square(weight).sum((2, 3)).astype(np.float32)
    weight /= math.sqrt(float(layer.magnitude))
    gain = 1.0 if layer.last else GAIN
    return FilteredPlan(
        affine=affine_of(layer.affine, row, 1 / math.sqrt(inputs) if layer.last else 1.0),
        height=size[0],
        width=size[1],
        resolution=resolution,
        weight=weight.astype(np.float32),
        square=square,
        bias=array_of(layer.bias) * np.float32(gain),
        up=layer.layer.up,
        down=layer.layer.down,
        up_taps=None if layer.up_filter is None else array_of(layer.up_filter) * np.float32(layer.layer.up),
        down_taps=None if layer.down_filter is None else array_of(layer.down_filter),
        padding=padding,
        clamp=layer.clamp,
    )
