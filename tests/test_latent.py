"""The mathematics from latents to w+, against direct formulas."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from lavlive.errors import EncoderError
from lavlive.latent.features import FeatureExtractor, Features
from lavlive.latent.mapper import Adaptation, leaky_tanh
from lavlive.latent.modulation import modulate
from lavlive.latent.projection import ProjectionWalk, directions, linear_layer
from lavlive.latent.smoothing import EnergyKeeper, GroupSmoother
from lavlive.latent.space import Space, layer_groups

RATE = 75.0


@dataclass(frozen=True)
class Measured:
    mean: np.ndarray
    covariance: np.ndarray


@pytest.fixture
def calibration() -> Measured:
    mixing = np.random.default_rng(0).standard_normal((128, 128)).astype(np.float32)
    return Measured(np.full(128, 3.0, np.float32), mixing @ mixing.T / 128)


def test_random_projection_is_the_default_initialisation_of_a_linear_layer() -> None:
    torch.manual_seed(7)
    expected = torch.nn.Linear(128, 512).weight.detach().numpy()
    assert np.array_equal(linear_layer("random", 7, 128), expected)


def test_orthogonal_projection_has_orthonormal_columns() -> None:
    weight = linear_layer("orthogonal", 3, 128)
    assert np.allclose(weight.T @ weight, np.eye(128), atol=1e-5)


def test_learned_projection_without_a_matrix_is_refused() -> None:
    with pytest.raises(EncoderError, match="no learned projection"):
        linear_layer("learned", 0, 128)


@pytest.mark.parametrize("kind", ["random", "orthogonal"])
def test_projected_latents_are_standard_on_the_calibration_clip(kind: str, calibration: Measured) -> None:
    latents = np.random.default_rng(1).multivariate_normal(calibration.mean, calibration.covariance, 20_000)
    u = (latents - calibration.mean) @ directions(kind, 5, calibration).matrix.T
    assert np.abs(u.mean(0)).max() < 0.05
    assert np.abs(u.std(0) - 1).max() < 0.05


def test_dimensions_that_no_latent_reaches_stay_at_the_mean(calibration: Measured) -> None:
    matrix = directions("identity", 0, calibration).matrix
    assert np.all(matrix[128:] == 0)
    assert np.all(np.isfinite(matrix))


def test_walk_between_projections_keeps_unit_variance_and_never_jumps(calibration: Measured) -> None:
    walk = ProjectionWalk(calibration)
    first = walk.step("random", 1, 1 / RATE, 1.0, hold=False)
    path = [walk.step("random", 2, 1 / RATE, 1.0, hold=False) for _ in range(80)]
    variances = [np.einsum("id,de,ie->i", p.matrix, calibration.covariance, p.matrix) for p in path]
    assert np.allclose(variances, 1.0, atol=0.01)
    steps = np.abs(np.diff([first.matrix, *(p.matrix for p in path)], axis=0)).max()
    assert steps < 0.1 * np.abs(first.matrix).max()
    assert np.array_equal(path[-1].matrix, directions("random", 2, calibration).matrix)


def test_hold_stops_a_walk_half_way(calibration: Measured) -> None:
    walk = ProjectionWalk(calibration)
    walk.step("random", 1, 1 / RATE, 1.0, hold=False)
    half = [walk.step("random", 2, 1 / RATE, 1.0, hold=False) for _ in range(30)][-1]
    held = [walk.step("random", 2, 1 / RATE, 1.0, hold=True) for _ in range(100)][-1]
    assert np.array_equal(half.matrix, held.matrix)
    assert walk.walking


def test_leaky_tanh_has_slope_one_at_the_origin_and_c_far_out() -> None:
    for c in (0.0, 0.1, 1.0):
        assert leaky_tanh(np.array([1e-6]), c)[0] == pytest.approx(1e-6, rel=1e-6)
        rise = leaky_tanh(np.array([101.0]), c) - leaky_tanh(np.array([100.0]), c)
        assert rise[0] == pytest.approx(c, abs=1e-9)


class Programme:
    """Adaptation over latents of eight dimensions under one orthogonal projection."""

    def __init__(self) -> None:
        self.matrix = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 8)))[0].astype(np.float32)
        self.adaptation = Adaptation(np.zeros(8))

    def hear(self, latents: np.ndarray, adapt: float = 60.0, silent: bool = False) -> np.ndarray:
        """u of each latent [n, 8]."""
        step = self.adaptation.step
        return np.array([step(e, self.matrix, adapt, 1 / RATE, silent=silent) for e in latents])


def music(seconds: float, offset: float, spread: float = 1.0, seed: int = 2) -> np.ndarray:
    random = np.random.default_rng(seed)
    return offset + spread * random.standard_normal((round(seconds * RATE), 8))


def test_a_foreign_programme_is_standardised_within_seconds_and_nothing_is_learned_in_silence() -> None:
    programme = Programme()
    heard = programme.hear(music(10.0, offset=5.0, spread=2.0))[round(5 * RATE) :]
    assert np.abs(heard.mean(0)).max() < 0.3
    assert 0.8 < heard.std() < 1.3
    probe = music(20.0, offset=1.0, seed=3)
    assert np.array_equal(programme.hear(probe, silent=True), programme.hear(probe, silent=True))


def test_a_section_stays_visible_and_another_track_is_caught_up_with() -> None:
    programme = Programme()
    programme.hear(music(60.0, offset=0.0))
    section = programme.hear(music(20.0, offset=0.7, seed=3))
    assert section[-300:].mean(0) @ section[:300].mean(0) > 0.5 * np.sum(section[:300].mean(0) ** 2)
    track = programme.hear(music(20.0, offset=5.0, seed=4))
    assert np.sqrt(np.mean(track[:75] ** 2)) > 3.0
    assert np.sqrt(np.mean(track[-150:].mean(0) ** 2)) < 1.2
    assert track[-150:].std(0).mean() > 0.7


def test_the_noise_of_a_silent_room_is_not_taken_for_music() -> None:
    assert Programme().hear(music(120.0, offset=4.0, spread=0.05))[-300:].std() < 0.2


def test_adaptation_comes_and_goes_without_a_jump() -> None:
    programme = Programme()
    same = np.full((round(40 * RATE), 8), 3.0)
    before = programme.hear(same, adapt=0.0)
    assert np.allclose(before, before[0])
    moves = np.diff(
        np.concatenate([before[-1:], programme.hear(same), programme.hear(same, adapt=0.0)]), axis=0
    )
    assert np.abs(moves).max() < 0.03 * np.abs(before).max()
    assert np.array_equal(programme.hear(same[:1], adapt=0.0)[0], before[0])


def test_another_projection_finds_the_programme_as_it_is() -> None:
    programme = Programme()
    programme.hear(music(30.0, offset=5.0))
    programme.matrix = programme.matrix[::-1].copy()
    assert np.abs(programme.hear(music(5.0, offset=5.0, seed=3)).mean(0)).max() < 0.3


def test_smoothing_equals_the_fractional_average_written_out() -> None:
    random = np.random.default_rng(3)
    values = random.standard_normal((400, 3, 4))
    smoother = GroupSmoother(RATE, dimension=4)
    windows = np.array([1.237, 0.4, 1 / RATE])
    for t, value in enumerate(values):
        smoothed = smoother.step(value, windows)
        if t < 100:
            continue
        for group, window in enumerate(windows):
            n = window * RATE
            whole = int(n + 1e-9)
            expected = values[t - whole + 1 : t + 1, group].sum(0) + (n - whole) * values[t - whole, group]
            assert np.allclose(smoothed[group], expected / n, atol=1e-9)


def test_turning_a_window_never_makes_the_picture_jump() -> None:
    random = np.random.default_rng(4)
    values = random.standard_normal((1000, 3, 4))
    smoother = GroupSmoother(RATE, dimension=4)
    for value in values[:-1]:
        smoother.step(value, np.full(3, 1.0))
    seconds = np.linspace(0.5, 2.0, 20_001)
    averages = [smoother._first.average(0, float(window) * RATE) for window in seconds]
    assert np.abs(np.diff(averages, axis=0)).max() < 0.002


@pytest.mark.parametrize(("roundness", "first", "second"), [(0.0, 31, 1), (0.4, 25, 7), (1.0, 16, 16)])
def test_roundness_leaves_delay_and_reach_and_calms_the_steps(
    roundness: float, first: int, second: int
) -> None:
    window = np.array([31 / RATE])
    smoother = GroupSmoother(RATE, groups=1, dimension=1)
    pulse = np.zeros((200, 1, 1))
    pulse[100] = 1.0
    weights = np.array([smoother.step(value, window, roundness)[0, 0] for value in pulse])[100:]
    expected = np.convolve(np.full(first, 1 / first), np.full(second, 1 / second))
    assert np.allclose(weights[:31], expected, atol=1e-12)
    assert np.abs(weights[31:]).max() < 1e-12
    assert weights @ np.arange(100) / RATE == pytest.approx(GroupSmoother.delay(window, RATE)[0])


def test_a_round_average_trembles_less_by_the_root_of_six_nths() -> None:
    noise = np.random.default_rng(9).standard_normal((4000, 1, 64))
    steps = []
    for roundness in (0.0, 1.0):
        smoother = GroupSmoother(RATE, groups=1, dimension=64)
        path = np.array([smoother.step(value, np.array([91 / RATE]), roundness) for value in noise])[200:]
        steps.append(np.diff(path, axis=0).std() / path.std())
    assert steps[1] / steps[0] == pytest.approx(np.sqrt(6 / 91), rel=0.1)


def test_smoothing_stays_exact_after_hours() -> None:
    smoother = GroupSmoother(RATE, groups=1, dimension=1)
    smoother._first._totals[:] = 5e7
    smoother._first._count = 3_000_000
    values = np.random.default_rng(5).standard_normal((100, 1, 1))
    for value in values:
        smoothed = smoother.step(value, np.array([30 / RATE]))
    assert smoothed[0, 0] == pytest.approx(values[-30:].mean(), abs=1e-6)


@pytest.mark.parametrize("offset", [0.0, 3.0])
@pytest.mark.parametrize(("keep", "expected"), [(0.0, 1 / np.sqrt(30)), (0.5, 30**-0.25), (1.0, 1.0)])
def test_kept_energy_restores_the_motion_that_smoothing_takes_wherever_it_happens(
    keep: float, expected: float, offset: float
) -> None:
    random = np.random.default_rng(6)
    smoother, energy = GroupSmoother(RATE), EnergyKeeper(RATE)
    kept = []
    for t in range(3000):
        raw = offset + random.standard_normal((3, 512))
        out = energy.step(raw, smoother.step(raw, np.full(3, 30 / RATE)), keep)
        if t > 2000:
            kept.append(out)
    assert np.std(kept, axis=0).mean() == pytest.approx(expected, rel=0.1)
    assert np.mean(kept) == pytest.approx(offset, abs=0.05)


def test_without_kept_energy_or_without_smoothing_nothing_is_added() -> None:
    random = np.random.default_rng(7)
    off, on = EnergyKeeper(RATE), EnergyKeeper(RATE)
    for _ in range(300):
        raw, smoothed = random.standard_normal((2, 3, 512))
        assert np.array_equal(off.step(raw, 0.1 * smoothed, 0.0), 0.1 * smoothed)
        assert np.allclose(on.step(raw, raw, 1.0), raw, atol=1e-12)


def test_kept_energy_makes_no_leap_when_music_sets_in_and_nothing_of_faint_noise() -> None:
    random = np.random.default_rng(8)
    smoother, energy = GroupSmoother(RATE), EnergyKeeper(RATE)
    for t in range(4000):
        loud = 1.0 if t > 3000 else 1e-3
        raw = loud * random.standard_normal((3, 512)) + (2.0 if t > 3000 else 0.0)
        smoothed = smoother.step(raw, np.full(3, 1.0))
        kept = energy.step(raw, smoothed, 1.0)
        if 1000 < t <= 3000:
            assert np.abs(kept - smoothed).max() < 1e-3
        assert np.sqrt(np.mean(kept**2, axis=1)).max() < 4.0


def test_modulation_adds_its_depth_in_w_std_to_its_own_group_only(calibration: Measured) -> None:
    towards = directions("random", 0, calibration)
    heard = Features(0.5, np.eye(12, dtype=np.float32)[3], np.zeros(64, np.float32), silent=False)
    nothing = np.zeros(3)
    pushed = modulate(np.zeros(512), heard, towards, np.array([0.0, 2.0, 0.0]), nothing)
    assert np.array_equal(pushed[0], np.zeros(512))
    assert np.allclose(pushed[1], towards.onset[1])
    turned = modulate(np.zeros(512), heard, towards, nothing, np.array([1.0, 0.0, 0.0]))
    assert 0.7 < turned[0].std() < 1.3
    assert np.all(turned[1:] == 0)


def hear(samples: np.ndarray) -> list[Features]:
    extractor = FeatureExtractor()
    return [extractor.step(hop) for hop in samples.reshape(-1, 320).astype(np.float32)]


def test_onset_answers_clicks_at_once_and_falls_slowly() -> None:
    samples = np.random.default_rng(7).standard_normal(24_000 * 4) * 1e-3
    for click in (24_000, 48_000, 72_000):
        samples[click : click + 400] += np.random.default_rng(8).standard_normal(400) * 0.5
    onset = np.array([f.onset for f in hear(samples)])
    for click in (75, 150, 225):
        assert onset[click : click + 3].max() > 0.8
        assert 0.05 < onset[click + 15] < 0.5
    assert onset.min() >= 0
    assert onset.max() <= 1
    assert onset[130:149].max() < 0.2


def test_chroma_finds_the_note_and_is_even_in_silence() -> None:
    t = np.arange(24_000) / 24_000
    features = hear(0.3 * np.sin(2 * np.pi * 329.63 * t))
    assert int(np.argmax(features[-1].chroma)) == 4
    assert features[-1].chroma.sum() == pytest.approx(1, abs=1e-5)
    quiet = hear(np.zeros(24_000))[-1]
    assert quiet.silent
    assert np.allclose(quiet.chroma, 1 / 12)


def test_layers_are_grouped_by_their_resolution() -> None:
    assert layer_groups([4, 8, 8, 16, 16, 32, 32, 64, 1024]).tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_truncation_zero_shows_the_mean() -> None:
    space = Space(np.full(512, 2.0), np.full(512, 0.5), layer_groups([4, 16, 64]))
    deviation = np.ones((3, 512))
    assert np.all(space.w_plus(deviation, 0.0) == 2.0)
    assert np.all(space.w_plus(deviation, 1.0) == 2.5)
    assert space.w_plus(deviation, 1.0).dtype == np.float32


@pytest.mark.parametrize("w_dim", [64, 1024])
def test_a_projection_has_as_many_rows_as_the_models_w(w_dim: int, calibration: Measured) -> None:
    torch.manual_seed(7)
    expected = torch.nn.Linear(128, w_dim).weight.detach().numpy()
    assert np.array_equal(linear_layer("random", 7, 128, w_dim=w_dim), expected)
    orthogonal = linear_layer("orthogonal", 7, 128, w_dim=w_dim)
    gram = orthogonal.T @ orthogonal if w_dim >= 128 else orthogonal @ orthogonal.T
    assert np.allclose(gram, np.eye(min(w_dim, 128)), atol=1e-5)
    assert np.array_equal(linear_layer("identity", 0, 128, w_dim=w_dim), np.eye(w_dim, 128))
    narrow, wide = sorted((w_dim, 512))
    fewer, more = (directions("random", 5, calibration, w_dim=width) for width in (narrow, wide))
    assert np.allclose(more.matrix[:narrow], fewer.matrix, atol=1e-5)
    assert np.array_equal(more.onset[:, :narrow], fewer.onset)
    assert np.array_equal(more.chroma[:narrow], fewer.chroma)
    assert more.onset.shape == (3, wide)
    assert more.chroma.shape == (wide, 12)
    assert 0.9 < more.onset[:, narrow:].std() < 1.1


@pytest.mark.parametrize("w_dim", [64, 1024])
def test_a_walk_goes_on_when_the_width_of_w_changes(w_dim: int, calibration: Measured) -> None:
    changing, steady = ProjectionWalk(calibration), ProjectionWalk(calibration)
    shared = min(w_dim, 512)
    for seed, steps in ((1, 1), (2, 20)):
        for walk in (changing, steady):
            for _ in range(steps):
                walk.step("random", seed, 1 / RATE, 1.0, hold=False)
    for width in (w_dim, 512):
        changing.resize(width)
        for _ in range(10):
            now, expected = (w.step("random", 2, 1 / RATE, 1.0, hold=False) for w in (changing, steady))
            assert changing.walking
            assert now.matrix.shape == (width, 128)
            assert np.allclose(now.matrix[:shared], expected.matrix[:shared], atol=1e-5)
            assert np.array_equal(now.onset[:, :shared], expected.onset[:, :shared])
    for _ in range(80):
        now = changing.step("random", 2, 1 / RATE, 1.0, hold=False)
    assert np.array_equal(now.matrix, directions("random", 2, calibration).matrix)


@pytest.mark.parametrize("w_dim", [64, 640])
def test_rows_that_depend_on_the_width_are_walked_to(w_dim: int, calibration: Measured) -> None:
    walk = ProjectionWalk(calibration)
    last = walk.step("orthogonal", 1, 1 / RATE, 1.0, hold=False)
    walk.resize(w_dim)
    shared = min(w_dim, 512)
    for _ in range(80):
        now = walk.step("orthogonal", 1, 1 / RATE, 1.0, hold=False)
        assert np.abs(now.matrix[:shared] - last.matrix[:shared]).max() < 0.1 * np.abs(last.matrix).max()
        last = now
    assert np.array_equal(now.matrix, directions("orthogonal", 1, calibration, w_dim=w_dim).matrix)


def test_a_learned_projection_of_another_width_gives_way_to_a_random_one_and_says_so(
    calibration: Measured,
) -> None:
    told: list[str] = []
    learned = np.ones((512, 128), np.float32) + np.eye(512, 128, dtype=np.float32)
    walk = ProjectionWalk(calibration, learned, tell_lacking=told.append)
    walk.step("learned", 3, 1 / RATE, 1.0, hold=False)
    assert not told
    walk.resize(256)
    for _ in range(80):
        now = walk.step("learned", 3, 1 / RATE, 1.0, hold=False)
    assert np.array_equal(now.matrix, directions("random", 3, calibration, w_dim=256).matrix)
    assert len(told) == 1
    assert "256 x 128" in told[0]


def test_a_knob_that_asks_for_what_was_never_learned_is_told_and_the_show_goes_on(
    calibration: Measured,
) -> None:
    told: list[str] = []
    walk = ProjectionWalk(calibration, tell_lacking=told.append)
    walk.step("random", 3, 1 / RATE, 1.0, hold=False)
    for _ in range(100):
        now = walk.step("learned", 3, 1 / RATE, 1.0, hold=False)
    assert np.array_equal(now.matrix, directions("random", 3, calibration).matrix)
    assert len(told) == 1


def test_a_leaky_tanh_between_origin_and_far_out() -> None:
    """Three values worked out by hand: c·x + (1 − c)·tanh(x)."""
    assert leaky_tanh(np.array([1.0]), 0.1)[0] == pytest.approx(0.7854347404, abs=1e-9)
    assert leaky_tanh(np.array([2.0]), 0.5)[0] == pytest.approx(1.4820137900, abs=1e-9)
    assert leaky_tanh(np.array([-1.5]), 0.25)[0] == pytest.approx(-1.0538611900, abs=1e-7)


def test_w_plus_puts_each_group_into_its_own_layers() -> None:
    """Exchanged groups, a truncation left out or one that takes W_mean along would all be seen."""
    mean, std = np.array([10.0, 20.0], np.float32), np.array([1.0, 2.0], np.float32)
    groups = layer_groups([4, 8, 8, 16, 32, 64, 128])
    coarse, middle, fine = [1.0, 1.0], [2.0, 3.0], [-4.0, 5.0]
    w_plus = Space(mean, std, groups).w_plus(np.array([coarse, middle, fine]), 0.5)
    expected = [[10.5, 21.0]] * 3 + [[11.0, 23.0]] * 2 + [[8.0, 25.0]] * 2
    assert w_plus.dtype == np.float32
    assert w_plus.tolist() == expected


def test_a_deviation_of_another_width_is_cut_or_stays_at_the_mean() -> None:
    space = Space(np.array([1.0, 2.0, 3.0]), np.ones(3), layer_groups([4]))
    wide = np.arange(12.0).reshape(3, 4)
    assert space.w_plus(wide, 1.0).tolist() == [[1.0, 3.0, 5.0]]
    assert space.w_plus(wide[:, :1], 1.0).tolist() == [[1.0, 2.0, 3.0]]
