"""Cymatics: standing waves of a round plate with k-fold symmetry, lit where the plate stands still."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from lavlive.training.pictures.shapes import Light, blurred, chord, hsv, shine, smoothstep, square, turned


def draw(random: Generator, side: int) -> Light:
    """One figure, float32 [side, side, 3], 0..1."""
    x, y = square(side)
    x, y = turned(x, y, random.uniform(0, 2 * np.pi))
    fold = int(random.choice((3, 4, 5, 6, 6, 8, 8, 9)))
    radius = np.hypot(x, y)
    angle = np.arctan2(y, x)
    plate = random.uniform(0.9, 1.5)
    figure = np.zeros_like(x)
    for order in range(3):
        # Rings and spokes of one mode; the radius is bent so that the rings grow narrower outward.
        rings = random.uniform(4, 12) * (1 + 0.15 * order)
        bend = random.uniform(-0.25, 0.45)
        wave = np.cos(
            np.float32(rings) * radius * (1 + np.float32(bend) * radius) + np.float32(random.uniform(0, 6.3))
        )
        spokes = np.cos(fold * order * angle) if order else 1.0
        twist = np.minimum(radius * 2.2, 1) ** min(order * fold * 0.35, 4)
        figure += np.float32(random.uniform(0.45, 1.0)) * wave * spokes * (twist if order else 1)
    figure *= np.float32(random.uniform(0.8, 1.15))
    thin = np.float32(random.uniform(0.16, 0.34))
    line = np.exp(-np.square(figure / thin))
    haze = np.exp(-np.abs(figure) / (3.2 * thin))
    crest = smoothstep(0.5, 1.8, np.abs(figure))
    edge = smoothstep(plate, plate - 0.05, radius)
    fade = edge * (0.35 + 0.65 * np.exp(-np.square(radius / np.float32(random.uniform(0.7, 1.4)))))
    hues = chord(random)
    inner = np.exp(-np.square(radius / np.float32(random.uniform(0.3, 0.6))))[..., None]
    colour = inner * hsv(hues[1], 0.6, 1.0) + (1 - inner) * hsv(hues[0], 0.85, 1.0)
    rim = np.exp(-np.square((radius - plate + 0.02) / 0.014)) * np.float32(random.uniform(0.3, 0.9))
    light = (fade * (1.1 * line + 0.3 * haze))[..., None] * colour
    light = light + (fade * 0.5 * crest)[..., None] * hsv(hues[2], 0.9, 0.9)
    light = light + rim[..., None] * hsv(hues[0], 0.6, 1.0)
    light = light.astype(np.float32)
    return shine(light + 0.45 * blurred(light, 0.03))
