"""Flow: long exposures of sparks that drift along currents without sources, from a few bright mouths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from lavlive.training.pictures.shapes import Field, Light, Waves, blurred, chord, hsv, shine

_SPARKS = 4000
_STEPS = 120
_AGES = 8
"""Colours from a spark's birth to its end."""
_GOLDEN = 0.6180339887


def draw(random: Generator, side: int) -> Light:
    """One exposure, float32 [side, side, 3], 0..1."""
    slow, quick = Waves(random, random.uniform(1.8, 2.8)), Waves(random, random.uniform(5, 7))
    share = np.float32(random.uniform(0.04, 0.14))
    hues = chord(random)
    light = np.zeros((side, side, 3), np.float32)
    mouths = int(random.integers(3, 6))
    for mouth in range(mouths):
        x, y, strength = _mouth(random, _SPARKS // mouths)
        paths = _drift(x, y, slow, quick, share, np.float32(random.uniform(0.007, 0.012)))
        first, last = hsv(hues[mouth % 3], 0.85, 1.0), hsv(hues[(mouth + 1) % 3], 0.75, 1.0)
        for age, (xs, ys, fade) in enumerate(paths):
            part = age / (_AGES - 1)
            exposed = _exposed(side, xs, ys, fade[:, None] * strength)
            light += exposed[..., None] * (first * (1 - part) + last * part).astype(np.float32)
    light *= np.float32((side / 256) ** 2 * 0.22)
    light = 1 - np.exp(-blurred(light, 0.55 / 256))
    return shine(1.3 * light + 0.8 * blurred(light, 0.02))


def _mouth(random: Generator, count: int) -> tuple[Field, Field, Field]:
    """Where the sparks of a bent line begin, and how bright each is: bundles of threads."""
    along = np.linspace(-1, 1, count).astype(np.float32)
    middle, turn, length = random.normal(0, 0.42, 2), random.uniform(0, np.pi), random.uniform(0.2, 0.7)
    bend = Waves(random, 2.5)
    x = np.float32(middle[0]) + np.float32(length * np.cos(turn)) * along + 0.08 * bend(along, 0 * along)
    y = np.float32(middle[1]) + np.float32(length * np.sin(turn)) * along + 0.08 * bend(0 * along, along)
    threads = 0.5 + 0.3 * Waves(random, 9.0)(along, 0 * along) + 0.2 * Waves(random, 40.0)(along, 0 * along)
    return x, y, np.clip(threads, 0.02, 1.5) ** 2 * (1 - along**4)


def _drift(
    x: Field, y: Field, slow: Waves, quick: Waves, share: np.float32, step: np.float32
) -> list[tuple[Field, Field, Field]]:
    """Places of all sparks, [steps, count] for each of `_AGES` ages, and how bright each step is."""
    # Each spark starts a part of a step ahead of the next, or their steps would be seen as rows of dots.
    ahead = ((np.arange(len(x)) * _GOLDEN) % 1).astype(np.float32)
    xs, ys = np.empty((_STEPS, len(x)), np.float32), np.empty((_STEPS, len(x)), np.float32)
    for index in range(_STEPS):
        far = step * ahead if index == 0 else step
        ax, ay = slow.flow(x, y)
        bx, by = quick.flow(x, y)
        x, y = x + far * (ax + share * bx), y + far * (ay + share * by)
        xs[index], ys[index] = x, y
    fade = np.sin(np.pi * np.linspace(0.04, 1, _STEPS)).astype(np.float32)
    return list(
        zip(np.split(xs, _AGES), np.split(ys, _AGES), np.split(fade, _AGES), strict=True),
    )


def _exposed(side: int, x: Field, y: Field, weight: Field) -> Field:
    """Light [side, side] of sparks, each over the four pixels about it, so that none jumps."""
    px, py = (x.ravel() + 1) * (side / 2) - 0.5, (y.ravel() + 1) * (side / 2) - 0.5
    inside = (px > 0) & (px < side - 1) & (py > 0) & (py < side - 1)
    px, py, amount = px[inside], py[inside], weight.ravel()[inside]
    column, row = px.astype(np.int32), py.astype(np.int32)
    part_x, part_y = px - column, py - row
    total: npt.NDArray[np.float64] = np.zeros(side * side)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        share = amount * (part_x if dx else 1 - part_x) * (part_y if dy else 1 - part_y)
        total += np.bincount((row + dy) * side + column + dx, share, side * side)
    return total.reshape(side, side).astype(np.float32)
