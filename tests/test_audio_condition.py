"""What every sample passes before it is believed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lavlive.audio.channels import Pick
from lavlive.audio.condition import Conditioner

RATE = 48_000


def tone(frequency: float, seconds: float, amplitude: float = 0.5, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def hostile(seed: int, count: int = 6000) -> np.ndarray:
    """Noise with DC, clipping, silence, NaN and infinities, in three channels."""
    random = np.random.default_rng(seed)
    sound = (random.standard_normal((count, 3)) * 0.6 + 0.2).astype(np.float32)
    sound[1000:3000] = 0
    for bad in (np.nan, np.inf, -np.inf, 1e30, 1e-42):
        sound[random.integers(0, count, 5), random.integers(0, 3, 5)] = bad
    return sound


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 9),
    cuts=st.lists(st.integers(0, 6000), max_size=30),
    rate=st.sampled_from([8000, 192_000]),
)
def test_any_chunks_give_the_same_output_and_the_same_counts(seed, cuts, rate):
    sound = hostile(seed)
    whole, pieces = Conditioner(rate), Conditioner(rate)
    expected = whole.step(sound)
    got = np.concatenate([pieces.step(piece) for piece in np.split(sound, sorted(cuts))])
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert (pieces.lamps.invalid, pieces.lamps.clipped) == (whole.lamps.invalid, whole.lamps.clipped)
    assert pieces.lamps.silent == whole.lamps.silent
    assert pieces.lamps.level == pytest.approx(whole.lamps.level, abs=1e-6)
    assert pieces.lamps.offset == pytest.approx(whole.lamps.offset, abs=1e-6)


def test_later_sound_never_changes_what_was_given():
    sound = hostile(3)
    changed = sound.copy()
    changed[4000:] = 1
    np.testing.assert_array_equal(
        Conditioner(RATE).step(sound)[:4000], Conditioner(RATE).step(changed)[:4000]
    )


def test_nan_and_infinity_become_silence_and_are_counted():
    conditioner = Conditioner(RATE)
    sound = np.stack([tone(440, 0.1), tone(440, 0.1)], axis=1)
    expected = Conditioner(RATE).step(sound)
    sound[100, 0], sound[200, 1], sound[300, :] = np.nan, np.inf, -np.inf
    got = conditioner.step(sound)
    assert np.isfinite(got).all()
    assert conditioner.lamps.invalid == 4
    assert np.abs(got[400:] - expected[400:]).max() < 1e-3, "a bad sample is forgotten at once"


def test_sound_far_beyond_full_scale_cannot_blow_anything_up():
    conditioner = Conditioner(RATE)
    conditioner.step(np.full((10, 1), 3e38, np.float32))
    after = conditioner.step(tone(440, 1.0)[:, None])
    assert conditioner.lamps.clipped == 10
    assert np.abs(after[RATE // 2 :]).max() == pytest.approx(0.5, abs=0.01)


def test_dc_is_removed_and_lights_a_lamp_and_the_sound_stays():
    conditioner = Conditioner(RATE)
    got = conditioner.step((tone(440, 3.0, 0.25) + np.float32(0.3))[:, None].astype(np.float32))
    assert conditioner.lamps.offset == pytest.approx(0.3, abs=0.01)
    assert conditioner.lamps.offset_lamp
    assert abs(got[RATE:].mean()) < 1e-3
    assert np.abs(got[RATE:]).max() == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize("frequency", [30, 40, 60])
def test_a_loud_bass_is_no_offset(frequency):
    conditioner = Conditioner(RATE)
    for piece in np.split(tone(frequency, 2.0, 0.9), 100):
        got = conditioner.step(piece)
        assert not conditioner.lamps.offset_lamp
    assert np.abs(got).max() <= 0.91


def test_clipping_is_counted_once_per_moment():
    conditioner = Conditioner(RATE)
    sound = np.zeros((1000, 4), np.float32)
    sound[10:20] = 1.0
    sound[30, 2] = -1.0
    conditioner.step(sound)
    assert conditioner.lamps.clipped == 11


def test_silence_is_told_after_half_a_second_and_ends_at_once():
    conditioner = Conditioner(RATE)
    assert conditioner.lamps.silent
    conditioner.step(tone(440, 0.1)[:, None])
    assert not conditioner.lamps.silent
    conditioner.step(np.zeros((round(0.4 * RATE), 1), np.float32))
    assert not conditioner.lamps.silent
    conditioner.step(np.zeros((round(0.4 * RATE), 1), np.float32))
    assert conditioner.lamps.silent
    conditioner.step(tone(440, 0.01, 0.01)[:, None])
    assert not conditioner.lamps.silent


def test_a_constant_voltage_counts_as_silence():
    conditioner = Conditioner(RATE)
    conditioner.step(np.full((2 * RATE, 1), 0.4, np.float32))
    assert conditioner.lamps.silent


def test_level_and_peak_are_those_of_the_sound():
    conditioner = Conditioner(RATE)
    conditioner.step(tone(1000, 2.0, 0.5)[:, None])
    assert conditioner.lamps.level == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    assert conditioner.lamps.level_dbfs == pytest.approx(-9.03, abs=0.1)
    assert conditioner.lamps.peak == pytest.approx(0.5, rel=0.01)
    conditioner.step(np.zeros((3 * RATE, 1), np.float32))
    assert conditioner.lamps.level_dbfs < -40
    assert conditioner.lamps.peak == pytest.approx(0.5 * np.exp(-2), rel=0.02)


def test_no_denormals_are_left_for_the_networks_to_stumble_over():
    conditioner = Conditioner(8000)
    conditioner.step(np.full((100, 1), 0.5, np.float32))
    tail = np.concatenate([conditioner.step(np.full((800, 1), 1e-41, np.float32)) for _ in range(100)])
    assert not ((tail != 0) & (np.abs(tail) < np.finfo(np.float32).tiny)).any()
    assert not tail[-800:].any()


@pytest.mark.parametrize("channels", [1, 2, 7, 32])
def test_any_number_of_channels_is_mixed_to_their_mean(channels):
    sound = np.repeat(tone(440, 0.5)[:, None], channels, axis=1)
    np.testing.assert_allclose(Conditioner(RATE).step(sound), Conditioner(RATE).step(sound[:, 0]), atol=1e-6)


def stereo(seconds: float, seed: int = 5) -> np.ndarray:
    """Two channels of different noise, float32 [n, 2]."""
    noise = np.random.default_rng(seed).normal(0, 0.1, (round(seconds * RATE), 2))
    return noise.astype(np.float32)


def test_a_sound_whose_channels_are_opposite_is_heard_by_its_left_one():
    conditioner = Conditioner(RATE)
    left = tone(440, 4.0, 0.3)
    got = conditioner.step(np.stack([left, -left], axis=1))
    assert conditioner.lamps.opposite
    assert np.abs(got[: RATE // 2]).max() < 1e-4, "wide chords must not switch"
    np.testing.assert_allclose(got[2 * RATE :], left[2 * RATE :], atol=2e-3)
    assert np.abs(np.diff(got)).max() < 0.03, "it is faded, not switched"


@pytest.mark.parametrize(("offset", "balance"), [(0.05, 1.0), (0.0, 0.7), (0.0, 1.3)])
def test_neither_an_offset_nor_unequal_channels_hide_the_opposite(offset, balance):
    conditioner = Conditioner(RATE)
    left = tone(440, 6.0, 0.01)
    conditioner.step(np.stack([left, -balance * left], axis=1) + np.float32(offset))
    assert conditioner.lamps.opposite


def test_when_the_plug_is_mended_both_channels_are_heard_again():
    conditioner = Conditioner(RATE)
    left = tone(440, 3.0, 0.3)
    conditioner.step(np.stack([left, -left], axis=1))
    right = tone(660, 3.0, 0.3)
    got = conditioner.step(np.stack([left, right], axis=1))
    assert not conditioner.lamps.opposite
    np.testing.assert_allclose(got[2 * RATE :], ((left + right) / 2)[2 * RATE :], atol=2e-3)


@pytest.mark.parametrize("sound", [stereo(4.0), np.zeros((4 * RATE, 2), np.float32)])
def test_ordinary_stereo_and_silence_are_not_opposite(sound):
    conditioner = Conditioner(RATE)
    got = conditioner.step(sound)
    assert not conditioner.lamps.opposite
    np.testing.assert_allclose(got, Conditioner(RATE).step(sound.mean(axis=1)), atol=1e-6)


def test_opposite_channels_in_any_pieces_give_the_same_sound():
    left = tone(440, 3.0, 0.3)
    sound = np.concatenate([np.stack([left, -left], axis=1), stereo(2.0), np.stack([left, -left], axis=1)])
    whole, pieces = Conditioner(RATE), Conditioner(RATE)
    cuts = np.cumsum(np.random.default_rng(2).integers(1, 3000, 400))
    got = [pieces.step(piece) for piece in np.split(sound, cuts[cuts < len(sound)])]
    np.testing.assert_allclose(np.concatenate(got), whole.step(sound), atol=1e-5)
    assert pieces.lamps.opposite
    assert whole.lamps.opposite


def test_a_channel_that_is_not_heard_lights_no_lamp():
    conditioner = Conditioner(RATE)
    sound = np.stack([tone(440, 0.5), np.full(RATE // 2, np.nan, np.float32)], axis=1)
    got = conditioner.step(sound, Pick("left").mix((), 2))
    assert conditioner.lamps.invalid == 0
    np.testing.assert_allclose(got, Conditioner(RATE).step(sound[:, 0]), atol=1e-6)
