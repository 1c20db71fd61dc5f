"""Silk: folds of cloth in dark light: places moved three times by slow waves, then the sine of one way."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from lavlive.training.pictures.shapes import (
    Light,
    Palette,
    Waves,
    chord,
    hsv,
    shine,
    slope,
    square,
    turned,
    warped,
)


def draw(random: Generator, side: int) -> Light:
    """One picture of folds, float32 [side, side, 3], 0..1."""
    x, y = square(side)
    size = np.float32(random.uniform(0.7, 1.5))
    strength = random.uniform(0.5, 1.6, 3)
    steps = ((1.3, 0.55 * strength[0]), (2.4, 0.3 * strength[1]), (4.5, 0.12 * strength[2]))
    u, v = warped(random, x * size, y * size, steps)
    along, _ = turned(u, v, random.uniform(0, 2 * np.pi))
    frequency = np.float32(random.uniform(5, 14))
    phase = frequency * along + np.float32(random.uniform(0, 2 * np.pi))
    folds = 0.5 + 0.5 * np.sin(phase)
    fine = 0.5 + 0.5 * np.sin(np.float32(random.uniform(3, 6)) * phase)
    right, down = slope(folds)
    steep = np.sqrt(right * right + down * down)
    angle = random.uniform(0, 2 * np.pi)
    lit = np.clip((np.float32(np.cos(angle)) * right + np.float32(np.sin(angle)) * down) / (steep + 2), 0, 1)
    envelope = np.clip(0.85 + 0.35 * Waves(random, 1.6)(x, y), 0.2, 1) ** 1.5
    light = envelope * (0.12 + 0.5 * folds**2.2 + 0.36 * lit * folds + 0.3 * fine**6 * folds)
    hues = chord(random)
    drift = np.clip(0.5 + 0.4 * Waves(random, 1.1)(u, v), 0, 1)[..., None]
    one, two = (_palette(hues[0], hues[1]), _palette(hues[2], hues[1]))
    colours = one(light) * (1 - drift) + two(light) * drift
    return shine(1.25 * colours)


def _palette(dark: float, bright: float) -> Palette:
    stops = [
        hsv(dark, 0.9, 0.0),
        hsv(dark, 0.95, 0.15),
        hsv(dark, 0.9, 0.5),
        hsv(0.5 * (dark + bright), 0.7, 0.95),
        hsv(bright, 0.35, 1.15),
    ]
    return Palette(np.array(stops))
