"""What the glitch threshold rests on: pictures compared with a model's own."""

from __future__ import annotations

import numpy as np

from lavlive.training.thresholds import Likeness, statistics


def pictures(count: int, light: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        small = random.uniform(0, light, (16, 16, 3))
        made.append(np.kron(small, np.ones((4, 4, 1))).astype(np.uint8))
    return np.array([statistics(one) for one in made])


def test_a_models_own_pictures_are_like_it_and_others_are_not() -> None:
    likeness = Likeness(pictures(200, 200.0, 1))
    share, usual = likeness(pictures(100, 200.0, 2))
    assert share < 0.15
    assert 0.7 < usual < 1.4
    assert likeness(pictures(100, 80.0, 3))[0] == 1.0


def test_a_black_picture_has_statistics_too() -> None:
    found = statistics(np.zeros((64, 64, 3), np.uint8))
    assert found.shape == (14,)
    assert np.isfinite(found).all()
