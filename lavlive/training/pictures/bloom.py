"""Bloom: flowers seen through, petal upon petal of thin light, bright at every rim."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from lavlive.training.pictures.shapes import (
    Light,
    blurred,
    chord,
    hsv,
    shine,
    smoothstep,
    square,
    turned,
    warped,
)


def draw(random: Generator, side: int) -> Light:
    """One flower, float32 [side, side, 3], 0..1."""
    x, y = square(side)
    lean = np.float32(random.uniform(0.82, 1.0))
    x, y = turned(x - random.normal(0, 0.07), y - random.normal(0, 0.07), random.uniform(0, 2 * np.pi))
    x, y = warped(
        random, x.astype(np.float32), (y / lean).astype(np.float32), ((1.6, random.uniform(0.02, 0.12)),)
    )
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    fold = int(random.choice((3, 4, 5, 5, 6, 6, 7, 8)))
    hues = chord(random)
    light = np.zeros((side, side, 3), np.float32)
    largest = random.uniform(0.85, 1.35)
    whorls = int(random.integers(3, 7))
    twist = random.uniform(-0.9, 0.9)
    sharp = random.uniform(0.5, 1.6)
    deep = random.uniform(0.25, 0.6)
    for whorl in range(whorls):
        share = (whorl + 1) / whorls
        size = 0.14 + (largest - 0.14) * share ** random.uniform(0.9, 1.2)
        bent = (
            angle
            + np.float32(twist * share) * radius * 2
            + np.float32(whorl * np.pi / fold + random.normal(0, 0.12))
        )
        lobe = np.abs(np.cos(0.5 * fold * bent)) ** np.float32(sharp)
        outline = np.float32(size) * (1 - np.float32(deep) * (1 - lobe))
        inside = outline - radius
        veil = smoothstep(-0.012, 0.012, inside)
        width = np.float32(0.03 + 0.12 * share)
        rim = np.exp(-np.maximum(inside, 0) / width) * veil
        vein = 0.5 + 0.5 * np.cos(fold * int(random.integers(3, 7)) * bent)
        mix = np.clip(radius / outline, 0, 1)[..., None]
        colour = (1 - mix) * hsv(hues[(whorl + 1) % 3], 0.75, 1.0) + mix * hsv(hues[whorl % 3], 0.85, 1.0)
        body = veil * (0.10 + 0.10 * vein * mix[..., 0])
        light += ((0.62 * rim + body)[..., None] * colour * np.float32(1.05 - 0.35 * share)).astype(
            np.float32
        )
    heart = np.exp(-np.square(radius / np.float32(random.uniform(0.06, 0.14))))
    light += heart[..., None] * np.float32(0.9) * hsv(hues[2], 0.4, 1.0).astype(np.float32)
    return shine(light + 0.5 * blurred(light, 0.035))
