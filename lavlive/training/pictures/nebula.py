"""Nebulae: curtains of glowing gas with torn edges, dark dust before them, and a sun inside."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from lavlive.training.pictures.shapes import (
    Field,
    Light,
    Waves,
    blurred,
    chord,
    hsv,
    shine,
    smoothstep,
    square,
    warped,
)


def draw(random: Generator, side: int) -> Light:
    """One picture of gas, float32 [side, side, 3], 0..1."""
    x, y = square(side)
    strength = random.uniform(0.7, 1.3)
    u, v = warped(random, x, y, ((1.3, 0.35 * strength), (2.8, 0.16 * strength), (6.0, 0.06 * strength)))
    middle = random.normal(0, 0.22, 2).astype(np.float32)
    hues = chord(random)
    body = _gas(random, u, v, random.uniform(1.8, 2.8))
    veil = _gas(random, u + 0.2, v - 0.1, random.uniform(2.2, 3.4))
    dust = smoothstep(0.2, 0.95, 0.5 + 0.35 * Waves(random, 3.4)(u, v) + 0.12 * Waves(random, 8.0)(u, v))
    # One shell about a place near the middle, warped with the gas.
    stretch, turn = np.float32(random.uniform(0.65, 1.0)), random.uniform(0, np.pi)
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    a, b = c * (u - middle[0]) + s * (v - middle[1]), c * (v - middle[1]) - s * (u - middle[0])
    reach = np.sqrt(a * a + np.square(b / stretch))
    size = np.float32(random.uniform(0.65, 1.15))
    shell = np.exp(-np.square((reach - size * 0.75) / (0.38 * size)))
    core = np.exp(-np.square(reach / (0.6 * size)))
    cloud = np.clip(shell + 0.8 * core, 0, 1.2)
    bright = hsv(hues[1], 0.55, 1.0).astype(np.float32)
    light = (0.95 * cloud * body * (0.25 + 0.75 * dust))[..., None] * hsv(hues[0], 0.85, 1.0).astype(
        np.float32
    )
    light += (0.9 * cloud * veil * veil * dust)[..., None] * bright
    light += (0.7 * shell * body * (1 - dust) ** 2)[..., None] * hsv(hues[2], 0.8, 1.0).astype(np.float32)
    # Faint gas all over, so that no part of a wide picture is empty.
    light += (0.32 * veil * (0.3 + 0.7 * dust))[..., None] * hsv(hues[2], 0.8, 1.0).astype(np.float32)
    light += (0.10 * np.exp(-np.square(reach / 1.1)))[..., None] * hsv(hues[0], 0.9, 1.0).astype(np.float32)
    far = np.hypot(x - middle[0], y - middle[1])
    sun = np.float32(random.uniform(0.025, 0.06))
    glow = 0.9 * np.exp(-np.square(far / sun)) + 0.35 * np.exp(-far / (3.5 * sun))
    light += (np.float32(random.uniform(0.4, 1.1)) * glow)[..., None] * hsv(hues[1], 0.3, 1.0).astype(
        np.float32
    )
    return shine(1.25 * (light + 0.3 * blurred(light, 0.03)))


def _gas(random: Generator, x: Field, y: Field, frequency: float) -> Field:
    """Ridged noise, octave on octave, each where the one below is bright; 0 to about 1, mostly dim."""
    total, weight, whole = np.zeros_like(x), np.ones_like(x), 0.0
    for octave in range(4):
        ridge = np.exp(-1.1 * np.abs(Waves(random, frequency * 2.0**octave)(x, y)))
        part = 0.6**octave
        total += np.float32(part) * weight * ridge
        weight = np.clip(1.2 * ridge, 0.2, 1)
        whole += part
    return (total / np.float32(0.75 * whole)) ** 2
