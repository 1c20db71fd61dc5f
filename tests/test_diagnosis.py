"""Each failure signature on signals whose answer is known, and the verdict that follows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lavlive.diagnosis.meters import Diagnosis, HighPass
from lavlive.diagnosis.picture_change import PictureChange
from lavlive.diagnosis.signs import Signature, Signs, remedy, verdict
from lavlive.latent.features import Features
from lavlive.latent.path import Latent
from lavlive.latent.space import WDistribution
from lavlive.link.memory import SharedBlock
from lavlive.parameters import INDEX, Values

RATE = 75.0


def latent(
    deviation: np.ndarray, onset: float = 0.0, silent: bool = False, truncation: float = 1.0
) -> Latent:
    numbers = Values({"generator.truncation": truncation}).numbers
    features = Features(onset, np.full(12, 1 / 12), np.zeros(64), silent)
    moved = deviation.astype(np.float32)
    delay = np.array([0.6, 0.2, 0.04])
    return Latent(moved, moved[0], moved, features, numbers, delay, (0.0, 0.0), 0, True)


def signs_of(deviations: np.ndarray, diagnosis: Diagnosis | None = None, **heard: float) -> Signs:
    """The meters after all of deviations [hops, 512], alike in every group."""
    meters = diagnosis or Diagnosis(RATE)
    for deviation in deviations:
        newest = meters.step(latent(np.repeat(deviation[None], 3, axis=0), **heard))  # type: ignore[arg-type]
    return newest


def swaying(hertz: float, amplitude: float = 1.0, seconds: float = 12.0) -> np.ndarray:
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, 512)
    times = np.arange(round(seconds * RATE)) / RATE
    return amplitude * np.sqrt(2) * np.sin(2 * np.pi * hertz * times[:, None] + phases)


@pytest.fixture
def distribution() -> WDistribution:
    own = np.linalg.norm(np.random.default_rng(1).standard_normal((4000, 512)), axis=1) / np.sqrt(512)
    return WDistribution(np.eye(512, dtype=np.float32), np.quantile(own, np.linspace(0, 1, 501)))


def test_diversity_is_the_spread_over_time_and_not_the_distance_from_the_mean() -> None:
    assert signs_of(swaying(0.5, 0.7) + 3.0).diversity == pytest.approx([0.7] * 3, rel=0.01)
    assert signs_of(np.full((900, 512), 2.0)).diversity == pytest.approx([0.0] * 3, abs=1e-6)


def test_diversity_forgets_what_is_longer_ago_than_ten_seconds() -> None:
    still_after_motion = np.concatenate([swaying(0.5), np.zeros((751, 512))])
    assert signs_of(still_after_motion).diversity == pytest.approx([0.0] * 3, abs=1e-6)


def test_hours_of_hops_leave_no_drift_in_the_totals() -> None:
    diagnosis = Diagnosis(RATE)
    signs_of(np.tile(swaying(3.0, 4.0), (10, 1)), diagnosis)
    assert signs_of(swaying(0.5, 0.01), diagnosis).diversity == pytest.approx([0.01] * 3, rel=0.01)


@pytest.mark.parametrize(("hertz", "above"), [(1.0, 0.0), (4.0, 0.06), (20.0, 1.0), (30.0, 1.0)])
def test_jitter_is_what_moves_faster_than_eight_hertz(hertz: float, above: float) -> None:
    signs = signs_of(swaying(hertz))
    assert signs.jitter_share == pytest.approx([above] * 3, abs=0.03)
    assert signs.jitter**2 == pytest.approx([above] * 3, abs=0.03)


def test_the_high_pass_halves_the_power_where_it_says() -> None:
    high_pass = HighPass(8.0, RATE)
    out = np.array([high_pass.step(x) for x in swaying(8.0)])[300:]
    assert np.mean(out**2) == pytest.approx(0.5, rel=0.02)


def test_a_high_pass_needs_steps_enough() -> None:
    with pytest.raises(ValueError, match="16"):
        HighPass(8.0, 15.0)


def test_truncation_calms_every_meter_of_w_plus() -> None:
    plain, halved = signs_of(swaying(10.0)), signs_of(swaying(10.0), truncation=0.5)
    assert halved.diversity == pytest.approx(plain.diversity / 2, rel=1e-3)
    assert halved.jitter == pytest.approx(plain.jitter / 2, rel=1e-3)
    assert halved.jitter_share == pytest.approx(plain.jitter_share, rel=1e-3)


def test_strangeness_is_the_share_of_the_models_own_that_are_nearer(distribution: WDistribution) -> None:
    random = np.random.default_rng(2)
    middle = random.standard_normal((200, 512))
    middle *= distribution.usual * np.sqrt(512) / np.linalg.norm(middle, axis=1, keepdims=True)
    usual = signs_of(middle, Diagnosis(RATE, distribution))
    assert usual.strangeness == pytest.approx([0.5] * 3, abs=0.01)
    assert usual.distance == pytest.approx([1.0] * 3, abs=0.01)
    strange = signs_of(2.5 * middle, Diagnosis(RATE, distribution))
    assert strange.strangeness == pytest.approx([1.0] * 3)
    assert strange.distance == pytest.approx([2.5] * 3, rel=0.01)
    assert np.isnan(signs_of(middle).strangeness).all()


@pytest.mark.parametrize("late", [0, 8, 30])
def test_the_delay_from_onsets_to_motion_is_measured(late: int) -> None:
    random = np.random.default_rng(3)
    struck = random.random(3000) < 0.03
    direction = random.standard_normal(512)
    position = np.cumsum(np.roll(struck, late) * random.choice([-1.0, 1.0], 3000))
    diagnosis = Diagnosis(RATE)
    for hop in range(3000):
        moved = np.repeat((position[hop] * direction)[None], 3, axis=0)
        signs = diagnosis.step(latent(moved, onset=float(struck[hop])))
    assert signs.onset_lag == pytest.approx([late / RATE] * 3, abs=1e-9)
    assert (signs.onset_correlation > 0.8).all()


def test_motion_that_does_not_follow_onsets_has_no_measured_delay() -> None:
    random = np.random.default_rng(4)
    diagnosis = Diagnosis(RATE)
    for step in random.standard_normal((3000, 512)):
        signs = diagnosis.step(latent(np.repeat(step[None], 3, axis=0), onset=float(random.random())))
    assert np.isnan(signs.onset_lag).all()


@pytest.fixture
def well() -> Signs:
    three = np.ones(3)
    return Signs(
        0.3 * three, 0.03 * three, 0.02 * three, np.array([0.6, 0.2, 0.04]), 0 * three, 0 * three,
        0.5 * three, 0.8 * three, 1.0, 0.1, 0.5, 1.0, 0.3, 10.0,
    )  # fmt: skip


def test_nothing_is_named_where_all_is_well(well: Signs) -> None:
    assert verdict(well) == []


SHAKING = {"jitter": np.array([0, 0, 0.3]), "jitter_share": np.array([0, 0, 0.3])}


@pytest.mark.parametrize(
    ("name", "change", "knob"),
    [
        ("static", {"diversity": np.array([0.01, 0.02, 0.05])}, "shorten smoothing.fine"),
        ("jitter", SHAKING, "lengthen smoothing.fine"),
        ("lag", {"lag": np.array([2.0, 1.0, 1.5])}, "shorten smoothing.middle"),
        ("glitch", {"distance": np.array([3.0, 1.0, 1.0])}, "lower mapper.y"),
    ],
)  # fmt: skip
def test_each_meter_names_its_signature_and_the_knob_that_mends_it(
    well: Signs, name: str, change: dict[str, np.ndarray], knob: str
) -> None:
    (finding,) = verdict(dataclasses.replace(well, **change))  # type: ignore[arg-type]
    assert finding.signature is Signature(name)
    assert remedy(finding, Values().numbers) == knob


def test_the_knob_named_is_one_that_can_still_be_turned(well: Signs) -> None:
    (static,) = verdict(dataclasses.replace(well, diversity=np.full(3, 0.01)))
    numbers = Values({"mapper.y": 0.1}).numbers
    assert remedy(static, numbers) == "raise mapper.y"
    numbers[INDEX["generator.truncation"]] = 0.1
    assert remedy(static, numbers) == "raise generator.truncation"


def test_one_group_that_moves_is_enough_and_a_slow_one_does_no_harm(well: Signs) -> None:
    assert verdict(dataclasses.replace(well, diversity=np.array([0.0, 0.0, 0.3]))) == []
    assert verdict(dataclasses.replace(well, lag=np.array([4.0, 4.0, 0.01]))) == []


def test_the_first_seconds_are_no_failure(well: Signs) -> None:
    assert verdict(dataclasses.replace(well, diversity=np.zeros(3), heard=5.0)) == []


def test_a_picture_that_stands_still_in_silence_is_static_and_nothing_else(well: Signs) -> None:
    still = dataclasses.replace(well, diversity=np.zeros(3), lag=np.full(3, 9.0), sounding=0.2)
    (static,) = verdict(still)
    assert static.signature is Signature.STATIC
    assert "no sound arrives" in remedy(static, Values().numbers)


def test_sound_that_is_too_quiet_is_to_blame_and_not_the_knobs(well: Signs) -> None:
    (static,) = verdict(dataclasses.replace(well, diversity=np.full(3, 0.01), level=-55.0))
    assert remedy(static, Values().numbers) == "too quiet: raise audio.gain"
    assert "audio.auto_gain" in remedy(static, Values({"audio.auto_gain": False}).numbers)
    (static,) = verdict(dataclasses.replace(well, diversity=np.full(3, 0.01), level=-25.0))
    assert "audio" not in remedy(static, Values().numbers)


def test_signs_travel_through_the_link(well: Signs) -> None:
    unknown = dataclasses.replace(well, strangeness=np.full(3, np.nan), picture_lag=float("nan"))
    with SharedBlock.create() as link:
        assert link.read_signs().heard == 0
        link.write_signs(unknown)
        read = link.read_signs()
    for name, values in unknown.numbers().items():
        assert np.array_equal(values, read.numbers()[name], equal_nan=True)


def test_picture_change_is_counted_in_lightness() -> None:
    change = PictureChange()
    black, white = np.zeros((256, 256, 3), np.uint8), np.full((256, 256, 3), 255, np.uint8)
    assert change.step(black) == 0
    assert change.step(white) == pytest.approx(100, abs=1e-6)
    assert change.step(white) == 0
    middle = np.full((256, 256, 3), 119, np.uint8)
    assert change.step(middle) == pytest.approx(50, abs=0.5)


def test_another_resolution_is_no_change() -> None:
    change = PictureChange()
    change.step(np.zeros((64, 64, 3), np.uint8))
    assert change.step(np.full((96, 96, 3), 255, np.uint8)) == 0
