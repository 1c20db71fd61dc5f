"""What the formulas share: places on the square, slow waves, palettes, glow.

Everything is float32 and smooth in its numbers, so that pictures of near numbers are near.
"""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

Field = npt.NDArray[np.float32]
"""One number per pixel, [side, side], or any shape that broadcasts with it."""
Light = npt.NDArray[np.float32]
"""A picture, [side, side, 3], 0 to 1 and brighter before `shine`."""

_TURN = 2 * np.pi


def square(side: int) -> tuple[Field, Field]:
    """x and y of every pixel's middle, [side, side] each, −1 to 1."""
    line = ((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1).astype(np.float32)
    x, y = np.meshgrid(line, line)
    return x, y


def turned(x: Field, y: Field, angle: float) -> tuple[Field, Field]:
    """The places turned about the middle by an angle in radians."""
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along: Field = np.asarray(c * x - s * y, np.float32)
    across: Field = np.asarray(s * x + c * y, np.float32)
    return along, across


class Waves:
    """A sum of plane waves of random directions: a slow random field with deviation 1, the same for ever.

    Args:
        frequency: in radians per unit of place; each wave's differs by up to 40 %.
    """

    def __init__(self, random: Generator, frequency: float, count: int = 7) -> None:
        angles = random.uniform(0, _TURN, count)
        lengths = frequency * random.uniform(0.6, 1.4, count)
        self._kx = (lengths * np.cos(angles)).astype(np.float32)
        self._ky = (lengths * np.sin(angles)).astype(np.float32)
        self._phase = random.uniform(0, _TURN, count).astype(np.float32)
        weights = random.uniform(0.5, 1.0, count)
        self._weights = (weights / np.sqrt(0.5 * np.square(weights).sum())).astype(np.float32)

    def __call__(self, x: Field, y: Field) -> Field:
        """The field at places of any shape."""
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
        for kx, ky, phase, weight in zip(self._kx, self._ky, self._phase, self._weights, strict=True):
            total += weight * np.cos(kx * x + ky * y + phase)
        return total

    def flow(self, x: Field, y: Field) -> tuple[Field, Field]:
        """The field's curl: a current without sources, so that nothing piles up."""
        along_x, along_y = np.zeros_like(x), np.zeros_like(y)
        for kx, ky, phase, weight in zip(self._kx, self._ky, self._phase, self._weights, strict=True):
            slope = weight * np.sin(kx * x + ky * y + phase)
            along_x -= ky * slope
            along_y += kx * slope
        return along_x, along_y


def warped(
    random: Generator, x: Field, y: Field, steps: tuple[tuple[float, float], ...]
) -> tuple[Field, Field]:
    """Places moved by slow waves, once per step of (frequency, strength)."""
    for frequency, strength in steps:
        across, along = Waves(random, frequency), Waves(random, frequency)
        x, y = x + np.float32(strength) * across(x, y), y + np.float32(strength) * along(x, y)
    return x, y


def slope(field: Field) -> tuple[Field, Field]:
    """The field's gradient along x and y, per unit of place."""
    down, right = np.gradient(field, 2 / field.shape[0])
    return np.asarray(right, np.float32), np.asarray(down, np.float32)


def smoothstep(low: float, high: float, x: Field) -> Field:
    """0 below ``low``, 1 above ``high``, smooth between; downward where low > high."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    risen: Field = t * t * (3 - 2 * t)
    return risen


def blurred(light: Light, radius: float) -> Light:
    """A picture's glow: a Gaussian of deviation ``radius``, a share of the side; beyond the edge is black."""
    side = light.shape[0]
    around = min(side, int(np.ceil(4 * radius * side)))
    size = side + around
    frequency = np.fft.rfftfreq(size), np.fft.fftfreq(size)
    narrow = 2 * (np.pi * radius * side) ** 2
    window = np.exp(-narrow * (frequency[1][:, None] ** 2 + frequency[0][None] ** 2))[..., None]
    spread = np.fft.rfft2(light, s=(size, size), axes=(0, 1)) * window
    glow: Light = np.fft.irfft2(spread, s=(size, size), axes=(0, 1))[:side, :side].astype(np.float32)
    return np.maximum(glow, 0)


class Palette:
    """Colours along 0 to 1, from near black to bright, smooth between the stops."""

    def __init__(self, stops: npt.NDArray[np.float64]) -> None:
        fine = np.linspace(0, 1, 512)
        where = np.linspace(0, 1, len(stops))
        self._table = np.stack([np.interp(fine, where, stops[:, c]) for c in range(3)], axis=1)
        # Rounded corners: a kink in a ramp is seen as an edge.
        kernel = np.hanning(65) / np.hanning(65).sum()
        padded = np.pad(self._table, ((32, 32), (0, 0)), mode="edge")
        smooth = [np.convolve(padded[:, c], kernel, mode="valid") for c in range(3)]
        self._table = np.stack(smooth, axis=1).astype(np.float32)

    def __call__(self, values: Field) -> Light:
        """Colours of values, clipped to 0..1: one axis more, of 3."""
        place = np.clip(values, 0, 1) * np.float32(511)
        index = np.minimum(place.astype(np.int32), 510)
        part = (place - index)[..., None].astype(np.float32)
        found: Light = self._table[index] * (1 - part) + self._table[index + 1] * part
        return found


def hsv(hue: float, saturation: float, value: float) -> npt.NDArray[np.float64]:
    """RGB [3] in linear-looking 0..1; the hue turns at 1."""
    return np.array(colorsys.hsv_to_rgb(hue % 1, float(np.clip(saturation, 0, 1)), max(value, 0)))


_CHORDS = (
    (0.0, 0.04, 0.08),
    (0.0, -0.08, 0.10),
    (0.0, 0.09, 0.5),
    (0.0, 0.5, 0.58),
    (0.0, 0.12, 0.38),
    (0.0, -0.12, 0.34),
    (0.0, 0.3, 0.62),
)
"""Hues that go together, in turns from the first: neighbours, neighbours and their opposite, triads."""


def chord(random: Generator) -> list[float]:
    """Three hues that go together."""
    first = random.random()
    if 0.2 < first < 0.43 and random.random() < 0.6:
        first += 0.3  # a third of the circle is green, and green is seldom what a stage wants
    chosen = _CHORDS[random.integers(len(_CHORDS))]
    return [float(first + step + random.normal(0, 0.012)) for step in chosen]


def shine(light: Light, white: float = 0.35) -> Light:
    """Bring light of any strength into 0..1, as film does: the brightest spots run toward white.

    Args:
        white: how much of what exceeds 1 spills into the other colours.
    """
    over = np.maximum(light - 1, 0).mean(axis=-1, keepdims=True)
    light = light + np.float32(white * 3) * over
    # Straight up to 0.6, then bent, so that dark colours stay as they are.
    bent = 0.6 + 0.4 * (1 - np.exp(-(np.maximum(light, 0.6) - 0.6) / 0.4))
    shown: Light = np.where(light < 0.6, np.maximum(light, 0), bent).astype(np.float32)
    return shown
