"""The study's measures on series whose answers are known."""

import numpy as np
import pytest

from lavlive.study import measures, pictures, sound
from lavlive.study.statistics import estimate, spread_by

STRIDE = 0.5


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def wander(random: np.random.Generator, count: int, dimension: int) -> np.ndarray:
    """A series that changes slowly, as music and pictures do."""
    return np.cumsum(random.standard_normal((count, dimension)), axis=0)


def test_a_rotated_copy_has_the_same_geometry(random: np.random.Generator) -> None:
    values = random.standard_normal((80, 6))
    rotation = np.linalg.qr(random.standard_normal((6, 6)))[0]
    one, other = measures.distances(values), measures.distances(3 * values @ rotation + 5)
    assert measures.similarity(one, other, STRIDE) == pytest.approx(1.0)
    assert measures.shared_neighbours(one, other, STRIDE) == 1.0


def test_independent_series_have_nothing_in_common(random: np.random.Generator) -> None:
    one, other = (measures.distances(random.standard_normal((120, 6))) for _ in range(2))
    assert abs(measures.similarity(one, other, STRIDE)) < 0.05
    assert measures.shared_neighbours(one, other, STRIDE) < 0.1


def test_a_random_linear_map_into_many_dimensions_keeps_the_geometry(random: np.random.Generator) -> None:
    values = random.standard_normal((80, 16))
    image = values @ random.uniform(-1, 1, (16, 512))
    assert measures.similarity(measures.distances(values), measures.distances(image), STRIDE) > 0.95


def test_what_drifts_looks_alike_and_only_a_strangers_drift_tells(random: np.random.Generator) -> None:
    own, against_shift, against_stranger = [], [], []
    for _ in range(20):
        one, other, stranger = (measures.distances(wander(random, 80, 4)) for _ in range(3))
        value = measures.similarity(one, other, STRIDE)
        shift = measures.similarity(measures.rolled(one, 40), other, STRIDE)
        own.append(value)
        against_shift.append(value - shift)
        against_stranger.append(value - measures.similarity(stranger, other, STRIDE))
    assert np.mean(own) > 0.15
    assert np.mean(against_shift) > 0.15
    assert abs(np.mean(against_stranger)) < 0.15


def test_ranks_share_ties() -> None:
    assert measures.ranks(np.array([3.0, 1.0, 1.0, 2.0])).tolist() == [3.0, 0.5, 0.5, 2.0]


def test_a_series_that_never_changes_has_no_similarity(random: np.random.Generator) -> None:
    still = measures.distances(np.ones((40, 3)))
    assert np.isnan(measures.similarity(still, measures.distances(random.standard_normal((40, 3))), STRIDE))


def test_sections_begin_where_the_music_changes(random: np.random.Generator) -> None:
    places = np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], 25, axis=0)
    distance = measures.distances(places + 0.3 * random.standard_normal(places.shape))
    labels = measures.sections(distance, STRIDE)
    begins = np.flatnonzero(np.diff(labels)) + 1
    assert len(begins) == 2
    assert np.abs(begins - [25, 50]).max() <= 2
    assert measures.section_area(distance, labels, STRIDE) > 0.9


def test_sections_mean_nothing_to_a_series_that_knows_nothing_of_them(random: np.random.Generator) -> None:
    labels = np.repeat([0, 1, 2], 40)
    areas = [
        measures.section_area(measures.distances(random.standard_normal((120, 5))), labels, STRIDE)
        for _ in range(10)
    ]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("delay", [0, 15, 60])
def test_an_answer_is_found_at_its_delay(delay: int, random: np.random.Generator) -> None:
    cause = (random.random(3000) < 0.03).astype(float)
    effect = np.roll(cause, delay) + 0.05 * random.standard_normal(3000)
    value, seconds = measures.answer(cause, effect, 75.0)
    assert seconds == pytest.approx(delay / 75.0)
    assert value > 0.9


def test_a_curve_peaks_before_zero_for_an_effect_that_comes_first(random: np.random.Generator) -> None:
    cause = (random.random(2000) < 0.05).astype(float)
    curve = measures.answer_curve(cause, np.roll(cause, -6), 20.0, 1.0)
    assert int(np.argmax(curve)) == 20 - 6


def test_a_strangers_onsets_are_answered_less(random: np.random.Generator) -> None:
    own, stranger = ((random.random(2500) < 0.03).astype(float) for _ in range(2))
    effect = np.convolve(own, np.ones(8) / 8)[:2500] + 0.02 * random.standard_normal(2500)
    assert measures.answer(own, effect, 75.0)[0] > 0.3
    assert measures.answer(stranger, effect, 75.0)[0] < 0.1


def test_straightness_tells_a_line_from_a_walk_from_noise(random: np.random.Generator) -> None:
    line = np.linspace(0, 1, 500)[:, None] * np.ones((1, 8))
    noise = random.standard_normal((5000, 64))
    assert measures.straightness(line, 5) == pytest.approx(1.0)
    assert measures.straightness(np.cumsum(noise, axis=0), 5) == pytest.approx(0.0, abs=0.05)
    assert measures.straightness(noise, 5) == pytest.approx(-0.5, abs=0.05)


def test_speed_is_distance_per_step() -> None:
    series = np.arange(10.0)[:, None] * np.ones((1, 4))
    assert measures.speed(series).tolist() == [0.0, *[1.0] * 9]


def test_the_interval_covers_the_truth_as_often_as_it_says(random: np.random.Generator) -> None:
    hits = 0
    for seed in range(150):
        tracks = random.normal(0.3, 0.2, (18, 1)) + random.normal(0.0, 0.1, (18, 5))
        known = estimate(tracks, replicates=300, seed=seed)
        hits += known.low <= 0.3 <= known.high
    assert 0.87 < hits / 150 <= 1.0


def test_tracks_without_a_value_are_left_out_and_nothing_gives_a_dash() -> None:
    known = estimate(np.array([[1.0, 1.0], [np.nan, np.nan], [3.0, np.nan]]))
    assert (known.mean, known.tracks) == (2.0, 2)
    assert estimate(np.full((3, 2), np.nan)).text() == "–"


def test_spread_is_split_into_seeds_and_tracks(random: np.random.Generator) -> None:
    table = random.normal(0.0, 1.0, (200, 1)) + random.normal(0.0, 0.1, (200, 20))
    within, between = spread_by(table)
    assert within == pytest.approx(0.1, rel=0.1)
    assert between == pytest.approx(1.0, rel=0.2)


def test_thumbnails_measure_colour_as_the_eye_does() -> None:
    white, black, grey = (np.full((64, 64, 3), level, np.uint8) for level in (255, 0, 119))
    lightness = [pictures.thumbnail(one).reshape(-1, 3)[:, 0].mean() for one in (white, black, grey)]
    assert lightness == pytest.approx([100.0, 0.0, 50.0], abs=0.5)
    assert np.abs(pictures.thumbnail(grey).reshape(-1, 3)[:, 1:]).max() < 0.1
    red = pictures.thumbnail(np.full((64, 64, 3), [255, 0, 0], np.uint8)).reshape(-1, 3)[0]
    assert red == pytest.approx([53.2, 80.1, 67.2], abs=0.5)
    assert pictures.change(np.stack([pictures.thumbnail(white), pictures.thumbnail(black)]))[
        0
    ] == pytest.approx(100.0, abs=0.5)


def test_a_description_hears_harmony_timbre_and_what_begins() -> None:
    seconds = np.arange(24_000 * 16) / 24_000
    tone = np.where(seconds < 8, np.sin(2 * np.pi * 261.63 * seconds), np.sin(2 * np.pi * 392.0 * seconds))
    samples = (0.3 * tone).astype(np.float32)
    samples[24_000 * 12 : 24_000 * 12 + 200] += 0.5
    described = sound.describe(samples, 1.0)
    assert all(block.shape[0] == len(described.whole) for block in described.blocks.values())
    labels = measures.sections(measures.distances(described.blocks["harmony"]), STRIDE)
    begins = (np.flatnonzero(np.diff(labels)) + 1) * STRIDE + 2.0
    assert np.abs(begins - 8.5).min() <= 1.0
    assert abs(int(np.argmax(described.flux[750:])) + 750 - 12 * 75) <= 8


def test_a_description_looks_at_no_later_sound() -> None:
    noise = np.random.default_rng(1).standard_normal(24_000 * 6).astype(np.float32) * 0.1
    whole, cut = sound.spectra(noise, 2048), sound.spectra(noise[: 24_000 * 3], 2048)
    assert np.allclose(whole[: len(cut)], cut, atol=1e-6)
