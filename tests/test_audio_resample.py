"""The streaming resampler, and the hops that are cut from what it gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lavlive.audio.block import Block
from lavlive.audio.hops import HOP, HopCutter
from lavlive.audio.resample import StreamResampler

RATES = [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000]


def tone(frequency: float, rate: int, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate).astype(np.float32)


def in_chunks(resampler: StreamResampler, sound: np.ndarray, chunk: int) -> np.ndarray:
    pieces = [resampler.step(sound[at : at + chunk]) for at in range(0, len(sound), chunk)]
    return np.concatenate([*pieces, resampler.flush()])


@settings(max_examples=20, deadline=None)
@given(rate=st.sampled_from(RATES), cuts=st.lists(st.integers(0, 9000), max_size=40))
def test_any_chunks_give_the_same_output(rate, cuts):
    noise = np.random.default_rng(1).standard_normal(9000).astype(np.float32)
    whole, pieces = StreamResampler(rate), StreamResampler(rate)
    expected = np.concatenate([whole.step(noise), whole.flush()])
    stepped = [pieces.step(piece) for piece in np.split(noise, sorted(cuts))]
    np.testing.assert_allclose(np.concatenate([*stepped, pieces.flush()]), expected, atol=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_arrives_in_time_and_undamped(rate):
    resampled = in_chunks(StreamResampler(rate), tone(1000, rate, 1.0), rate // 100)
    assert len(resampled) == pytest.approx(24_000, abs=2)
    times = np.arange(2400, 21_600) / 24_000
    phase = np.exp(-2j * np.pi * 1000 * times) @ resampled[2400:21_600] / len(times)
    assert 2 * abs(phase) == pytest.approx(1, abs=1e-3)
    late = -(np.angle(phase) + np.pi / 2) / (2 * np.pi * 1000)
    assert abs(late) < 1e-4
    residue = resampled[2400:21_600] - 2 * np.real(phase * np.exp(2j * np.pi * 1000 * times))
    assert np.abs(residue).max() < 1e-4


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("frequency", [13_000, 15_000, 21_000])
def test_what_the_encoder_cannot_hear_is_not_folded_back(rate, frequency):
    resampled = in_chunks(StreamResampler(rate), tone(frequency, rate, 1.0), 480)
    assert np.sqrt(np.mean(resampled[2400:21_600] ** 2)) < 1e-4


@pytest.mark.parametrize(
    ("rate", "most"), [(8000, 0.0301), (44_100, 0.007), (48_000, 0.007), (192_000, 0.008)]
)
def test_the_delay_is_short_and_even_so_that_pictures_do_not_move_in_jerks(rate, most):
    resampler = StreamResampler(rate)
    sound = np.zeros(rate // 100, np.float32)
    delays = []
    for _ in range(200):
        resampler.step(sound)
        delays.append(resampler.delay)
    assert max(delays) <= most
    assert max(delays[20:]) - min(delays[20:]) < 0.001


def test_24_khz_passes_through_untouched():
    resampler = StreamResampler(24_000)
    noise = np.random.default_rng(2).standard_normal(1000).astype(np.float32)
    np.testing.assert_array_equal(resampler.step(noise), noise)
    assert resampler.delay == 0
    assert not len(resampler.flush())


def test_after_a_reset_nothing_of_the_old_sound_is_left():
    resampler, fresh = StreamResampler(44_100), StreamResampler(44_100)
    resampler.step(np.ones(5000, np.float32))
    resampler.reset()
    sound = tone(300, 44_100, 0.3)
    np.testing.assert_array_equal(resampler.step(sound), fresh.step(sound))
    assert resampler.delay == fresh.delay


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100, 96_000])
def test_a_click_is_found_in_its_hop_at_the_time_it_was_captured(rate):
    sound = np.zeros(rate, np.float32)
    clicked = round(0.5 * rate)
    sound[clicked] = 0.9
    cutter, found = HopCutter(), []
    for at in range(0, rate, 333):
        piece = sound[at : at + 333]
        for hop in cutter.step(Block(piece[:, None], rate, 100 + (at + len(piece) - 1) / rate)):
            loudest = int(np.abs(hop.samples).argmax())
            if abs(hop.samples[loudest]) > 0.1:
                found.append(hop.time - (HOP - 1 - loudest) / 24_000)
    assert found
    assert found[0] == pytest.approx(100 + clicked / rate, abs=1.5e-4)


def test_hops_are_whole_and_flush_fills_up_the_last():
    cutter = HopCutter()
    sound = np.random.default_rng(4).standard_normal((44_100, 2)).astype(np.float32) * 0.1
    hops = [
        hop for at in range(0, 44_100, 700) for hop in cutter.step(Block(sound[at : at + 700], 44_100, 0.0))
    ]
    hops += cutter.flush()
    assert {hop.samples.shape for hop in hops} == {(HOP,)}
    assert len(hops) == 75
    assert cutter.flush() == []


def test_a_change_of_rate_in_a_running_show_is_counted_and_the_sound_goes_on():
    cutter = HopCutter()
    hops = []
    for turn in range(200):
        rate = 48_000 if turn < 100 else 44_100
        at = turn * 0.01
        times = at + np.arange(rate // 100) / rate
        samples = (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)[:, None]
        hops += cutter.step(Block(samples, rate, at + 0.01))
    assert cutter.rate_changes == 1
    assert len(hops) == pytest.approx(150, abs=2)
    assert all(np.abs(hop.samples).max() > 0.3 for hop in hops[5:])
    assert cutter.lamps.invalid == 0


def test_counts_of_bad_samples_survive_a_change_of_rate():
    cutter = HopCutter()
    bad = np.full((100, 1), np.nan, np.float32)
    cutter.step(Block(bad, 48_000, 0.0))
    hops = cutter.step(Block(np.repeat(bad, 20, axis=0), 44_100, 0.1))
    assert cutter.lamps.invalid == 2100
    assert all(np.isfinite(hop.samples).all() for hop in hops)
