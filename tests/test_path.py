"""The latent path as a whole, with an encoder whose latents the test chooses."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lavlive.latent.limit import LARGEST_DEVIATION, soft_limit
from lavlive.latent.path import Latent, LatentPath
from lavlive.parameters import Values

SILENCE = np.zeros(320, np.float32)


@dataclass(frozen=True)
class Measured:
    mean: np.ndarray
    covariance: np.ndarray


class ChosenLatents:
    """Gives the latents of a list, one a hop."""

    sample_rate, hop, dimension = 24_000, 320, 128
    name, trained, hash = "chosen", True, ""
    ahead, lookahead, delay = 0, 0.0, 0

    def __init__(self, latents: np.ndarray) -> None:
        self.latents = latents.astype(np.float32)
        self.given = 0
        self.resets = 0

    def step(self, samples: np.ndarray) -> np.ndarray:
        self.given += 1
        return self.latents[self.given - 1][None]

    def reset(self) -> None:
        self.resets += 1


def path_over(latents: np.ndarray, w_dim: int = 512) -> tuple[LatentPath, ChosenLatents]:
    encoder: Any = ChosenLatents(latents)
    measured = Measured(np.zeros(128, np.float32), np.eye(128, dtype=np.float32))
    return LatentPath(encoder, measured, w_dim=w_dim), encoder


def run(path: LatentPath, hops: int, values: Values) -> list[Latent]:
    return [path.step(SILENCE, values.numbers) for _ in range(hops)]


@pytest.fixture
def random_latents() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((600, 128))


def test_a_burst_of_invalid_latents_leaves_no_trace_but_a_count(random_latents: np.ndarray) -> None:
    random_latents[100:110] = np.nan
    path, encoder = path_over(random_latents)
    latents = run(path, 200, Values())
    assert path.invalid == 10
    assert not latents[105].valid
    assert np.array_equal(latents[105].embedding, latents[99].embedding)
    assert all(np.isfinite(latent.deviation).all() for latent in latents)
    assert encoder.resets == 0


def test_lasting_invalid_latents_reset_the_encoder(random_latents: np.ndarray) -> None:
    random_latents[50:150] = np.inf
    path, encoder = path_over(random_latents)
    run(path, 200, Values())
    assert encoder.resets == 2


def test_no_setting_takes_a_group_further_than_the_limit(random_latents: np.ndarray) -> None:
    path, _ = path_over(random_latents * 50)
    wild = Values({"mapper.y": 4, "mapper.c": 1, "smoothing.keep_energy": 1, "modulation.onset.fine": 2})
    spreads = [np.sqrt(np.mean(latent.deviation**2, axis=1)) for latent in run(path, 200, wild)]
    assert np.max(spreads) <= LARGEST_DEVIATION * 1.001
    assert path.limited > 100


def test_y_keeps_its_effect_however_far_the_sound_drives(random_latents: np.ndarray) -> None:
    """At a hard limit every y would give the same here."""

    def spread(y: float) -> float:
        path, _ = path_over(random_latents)
        settings = Values({"mapper.y": y, "mapper.c": 1, "mapper.adapt": 0, "smoothing.keep_energy": 1})
        return float(np.mean([latent.deviation.std() for latent in run(path, 200, settings)[100:]]))

    spreads = [spread(y) for y in (1.0, 3.0, 3.5, 4.0)]
    assert np.diff(spreads).min() > 0.02
    assert spreads[-1] < LARGEST_DEVIATION


def test_the_limit_is_soft_and_leaves_alone_what_is_near() -> None:
    spreads = np.linspace(0.0, 100.0, 2001)
    limited = soft_limit(spreads)
    np.testing.assert_array_equal(limited[spreads <= 2.5], spreads[spreads <= 2.5])
    assert (np.diff(limited) > 0).all()
    assert limited[-1] < LARGEST_DEVIATION
    assert np.abs(np.diff(limited, 2)).max() < 0.005  # no corner


def test_the_groups_follow_their_own_windows(random_latents: np.ndarray) -> None:
    path, _ = path_over(random_latents)
    plain = Values({"smoothing.keep_energy": 0})
    latents = run(path, 400, plain)[200:]
    speed = np.abs(np.diff([latent.deviation for latent in latents], axis=0)).mean((0, 2))
    assert speed[0] < speed[1] < speed[2]


def test_the_same_samples_and_parameters_give_the_same_latents(random_latents: np.ndarray) -> None:
    runs = [run(path_over(random_latents)[0], 100, Values({"mapper.y": 2})) for _ in range(2)]
    for one, other in zip(*runs, strict=True):
        assert np.array_equal(one.deviation, other.deviation)


def test_a_new_value_is_reached_within_a_tenth_of_a_second(random_latents: np.ndarray) -> None:
    path, _ = path_over(np.ones((100, 128)))
    values = Values({"mapper.y": 0, "mapper.place": 0, "smoothing.keep_energy": 0, "show.idle": 0})
    for group in ("coarse", "middle", "fine"):
        values.set(f"smoothing.{group}", 320 / 24_000)
    assert np.abs(run(path, 10, values)[-1].deviation).max() == 0
    values.set("mapper.y", 1)
    moved = [float(np.abs(latent.deviation).mean()) for latent in run(path, 20, values)]
    assert 0 < moved[0] < 0.7 * moved[-1]
    assert moved[7] > 0.98 * moved[-1]


@pytest.mark.parametrize("w_dim", [64, 256, 1024])
def test_any_width_of_w_gives_deviations_of_its_own(random_latents: np.ndarray, w_dim: int) -> None:
    path, _ = path_over(random_latents, w_dim)
    loud = Values({"modulation.onset.fine": 1, "modulation.chroma.coarse": 1})
    latents = run(path, 200, loud)
    assert latents[-1].deviation.shape == latents[-1].unsmoothed.shape == (3, w_dim)
    usual = run(path_over(random_latents)[0], 200, loud)
    spreads = [np.std([one.deviation for one in these[100:]]) for these in (latents, usual)]
    assert spreads[0] == pytest.approx(spreads[1], rel=0.1)


@pytest.mark.parametrize("widths", [(1024, 512), (64, 512)])
def test_a_change_of_width_leaves_what_stays_as_it_is(
    random_latents: np.ndarray, widths: tuple[int, int]
) -> None:
    """Walk, windows and programme go on: no dimension that stays moves otherwise than without the change."""
    still, changing = path_over(random_latents)[0], path_over(random_latents)[0]
    values = Values({"mapper.adapt": 0, "smoothing.keep_energy": 0})
    for turn, width in enumerate((512, *widths)):
        values.set("projection.seed", turn % 2)
        changing.resize(width)
        kept = min(width, *widths[:turn], 512)
        for one, other in zip(run(still, 40, values), run(changing, 40, values), strict=True):
            assert other.deviation.shape == (3, width)
            assert np.allclose(one.deviation[:, :kept], other.deviation[:, :kept], atol=1e-5)
