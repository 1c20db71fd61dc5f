"""Where a piece lives in W, the breath of silence, and projections that even out slow motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lavlive.encoder.base import Calibration
from lavlive.encoder.calibration import calibrate
from lavlive.encoder.weights import load_encoder
from lavlive.latent import programme
from lavlive.latent.features import Features
from lavlive.latent.path import LatentPath
from lavlive.latent.place import Breath, Place
from lavlive.latent.programme import Programme, programme_of
from lavlive.latent.projection import directions
from lavlive.parameters import Values
from lavlive.study.drivers import Recorded

DIMENSION = 128
HOP = np.zeros(320, np.float32)
RATE = 75.0


class Told:
    """Hears silence or sound, as it is told."""

    def __init__(self, silent: bool = False) -> None:
        self.silent = silent

    def step(self, samples: np.ndarray) -> Features:
        return Features(0.0, np.full(12, 1 / 12, np.float32), np.zeros(64, np.float32), self.silent)


def colourful(seed: int = 0) -> Calibration:
    """Latents that vary along few directions, as music's do."""
    random = np.random.default_rng(seed)
    turn = np.linalg.qr(random.standard_normal((DIMENSION, DIMENSION)))[0]
    spread = 0.8 ** np.arange(DIMENSION)
    covariance = (turn * spread) @ turn.T
    return Calibration(random.standard_normal(DIMENSION).astype(np.float32), covariance.astype(np.float32))


def piece(calibration: Calibration, offset: np.ndarray, seconds: float, seed: int) -> np.ndarray:
    """Latents [hops, 128] of a piece that lies `offset` away from the mean."""
    random = np.random.default_rng(seed)
    root = np.linalg.cholesky(calibration.covariance + 1e-6 * np.eye(DIMENSION))
    noise = random.standard_normal((round(seconds * RATE), DIMENSION)) @ root.T
    return (calibration.mean + offset + 0.5 * noise).astype(np.float32)


def deviations(latents: np.ndarray, calibration: Calibration, **settings: object) -> np.ndarray:
    values = Values()
    values.update({name.replace("__", "."): value for name, value in settings.items()})
    path = LatentPath(Recorded(latents), calibration, listener=Told())
    return np.stack([path.step(HOP, values.numbers).deviation for _ in latents])


def test_the_slow_mean_is_of_what_was_heard_and_silence_teaches_nothing() -> None:
    calibration = colourful()
    place = Place(Programme.guessed(calibration))
    away = np.ones(DIMENSION, np.float32)
    for _ in range(round(60 * RATE)):
        offset = place.step(calibration.mean + away, 1 / RATE, silent=False)
    assert np.abs(offset - away).max() < 0.1
    for _ in range(round(60 * RATE)):
        offset = place.step(calibration.mean - away, 1 / RATE, silent=True)
    assert np.abs(offset - away).max() < 0.1


def test_a_piece_does_not_begin_with_a_leap() -> None:
    calibration = colourful()
    place = Place(Programme.guessed(calibration))
    offsets = [place.step(calibration.mean + 1.0, 1 / RATE, silent=False)[0] for _ in range(round(5 * RATE))]
    assert np.diff([0.0, *offsets]).max() < 0.01


def test_pieces_live_apart_and_move_about_where_they_live() -> None:
    calibration = colourful()
    random = np.random.default_rng(5)
    root = np.linalg.cholesky(calibration.covariance + 1e-6 * np.eye(DIMENSION))
    away = [1.5 * root @ random.standard_normal(DIMENSION) for _ in range(2)]
    pieces = [piece(calibration, offset, 40, seed) for seed, offset in enumerate(away)]

    def apart(amount: float) -> float:
        means = [deviations(p, calibration, mapper__place=amount)[1500:, 0].mean(0) for p in pieces]
        return float(np.sqrt(np.square(means[0] - means[1]).mean()))

    assert apart(0.0) < 0.25
    assert apart(1.0) > 0.5


def test_place_zero_changes_nothing() -> None:
    calibration = colourful()
    latents = piece(calibration, np.zeros(DIMENSION), 4, 1)
    plain = deviations(latents, calibration, mapper__place=0.0, show__idle=0.0)
    moved = deviations(latents, calibration, mapper__place=0.0, show__idle=1.0)
    assert np.array_equal(plain, moved)
    assert not np.array_equal(plain, deviations(latents, calibration, mapper__place=0.5))


def test_the_breath_comes_with_silence_slowly_and_goes_with_sound() -> None:
    along = np.random.default_rng(0).standard_normal((4, 512)).astype(np.float32)
    breath = Breath()
    assert breath.step(along, 1.0, 1 / RATE, silent=False) is None
    walked = [breath.step(along, 1.0, 1 / RATE, silent=True) for _ in range(round(60 * RATE))]
    steps = np.array([w for w in walked if w is not None])
    speed = np.sqrt(np.square(np.diff(steps, axis=0)).mean(1)) * RATE
    assert speed.max() < 0.3
    assert np.median(speed[1000:]) > 0.02
    assert np.sqrt(np.square(steps[1000:]).mean()) < 0.7
    gone = [breath.step(along, 1.0, 1 / RATE, silent=False) for _ in range(round(8 * RATE))]
    assert gone[-1] is None


def test_without_idle_nothing_moves_in_silence() -> None:
    along = np.ones((4, 512), np.float32)
    breath = Breath()
    assert all(breath.step(along, 0.0, 1 / RATE, silent=True) is None for _ in range(500))


def effective(values: np.ndarray) -> float:
    covariance = np.cov(values, rowvar=False)
    return float(np.trace(covariance) ** 2 / np.square(covariance).sum())


def test_an_even_projection_uses_more_directions_for_the_same_spread() -> None:
    calibration = colourful()
    latents = piece(calibration, np.zeros(DIMENSION), 60, 2)
    made = {}
    for kind in ("random", "even"):
        matrix = directions(kind, 3, calibration).matrix
        variance = np.einsum("id,de,ie->i", matrix, calibration.covariance, matrix)
        assert variance == pytest.approx(np.ones(512), rel=1e-3)
        made[kind] = effective(latents @ matrix.T)
    assert made["even"] > 1.5 * made["random"]


def test_the_bundled_encoder_comes_with_a_programme_and_others_with_a_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder("bundled")
    calibration = calibrate(encoder)
    shipped = programme_of(encoder.hash, calibration)
    assert shipped.measured
    assert shipped.slow.shape == shipped.place_covariance.shape == (128, 128)
    assert not programme_of("another", calibration).measured
    monkeypatch.setattr(programme, "FILE", "nowhere.safetensors")
    assert not programme_of(encoder.hash, calibration).measured
