"""The gains: by hand, and the slow one that tells music from noise."""

import numpy as np
import pytest

from lavlive.audio.block import Block
from lavlive.audio.hops import HopCutter
from lavlive.audio.level import MOST, TARGET, Level
from lavlive.audio.tracks import Track
from lavlive.resources import shipped

RATE, HOP = 24_000, 320


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """Twelve seconds of the demo track, mono at 24 kHz, float32."""
    cutter = HopCutter()
    with Track(shipped("data") / "demo.ogg") as track:
        block = Block(track.read(12 * track.rate), track.rate, 0.0)
    return np.concatenate([hop.samples for hop in cutter.step(block)])


def run(level: Level, sound: np.ndarray) -> np.ndarray:
    hops = sound[: len(sound) // HOP * HOP].reshape(-1, HOP)
    return np.concatenate([level.step(hop) for hop in hops.astype(np.float32)])


def automatic() -> Level:
    level = Level(HOP, RATE)
    level.automatic = True
    return level


def decibels(ratio: float) -> np.float32:
    return np.float32(10 ** (ratio / 20))


def noise(kind: str, seconds: float, dbfs: float) -> np.ndarray:
    """White, pink or brown noise, or hum with its harmonics over some noise."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(3).standard_normal(count))
    slope = {"white": 0.0, "pink": 0.5, "brown": 1.0, "hum": 0.0}[kind]
    spectrum /= np.maximum(np.arange(len(spectrum)), 20.0) ** slope
    sound = np.fft.irfft(spectrum, count)
    sound /= sound.std()
    if kind == "hum":
        times = np.arange(count) / RATE
        sound = 0.1 * sound + sum(np.sin(2 * np.pi * 50 * n * times) / n for n in (1, 2, 3, 5))
    return (sound / sound.std() * decibels(dbfs)).astype(np.float32)


def test_without_gain_nothing_is_touched(music):
    np.testing.assert_array_equal(run(Level(HOP, RATE), music), music)


def test_music_at_its_usual_level_is_left_as_it_is(music):
    np.testing.assert_array_equal(run(automatic(), music), music)


def test_a_gain_by_hand_is_that_gain_and_moves_without_a_step(music):
    level = Level(HOP, RATE)
    level.gain = 6.0
    np.testing.assert_allclose(run(level, 0.1 * music), 0.1 * music * decibels(6), rtol=1e-5, atol=1e-7)
    flat = np.full(HOP, 0.1, np.float32)
    level.gain = -24.0
    moved = level.step(flat)
    assert np.abs(np.diff(moved)).max() < 0.001
    assert moved[-1] == pytest.approx(0.1 * decibels(-24), rel=1e-5)


@pytest.mark.parametrize("down", [-25, -40])
def test_quiet_music_is_raised_until_its_loud_parts_reach_the_target(music, down):
    level = automatic()
    louder = run(level, np.tile(music * decibels(down), 2))
    assert level.automatic_gain > -down - 12
    pieces = louder[-10 * RATE :].reshape(25, -1)
    loudest = np.sqrt(np.mean(pieces**2, axis=1)).max()
    assert 20 * np.log10(loudest) == pytest.approx(TARGET, abs=4)
    assert not level.too_quiet


@pytest.mark.parametrize("kind", ["white", "pink", "brown", "hum"])
@pytest.mark.parametrize("dbfs", [-90, -60, -35])
def test_noise_and_hum_alone_are_never_raised(kind, dbfs):
    level, sound = automatic(), noise(kind, 10, dbfs)
    np.testing.assert_array_equal(run(level, sound), sound)
    assert not level.music


def test_a_gain_that_was_found_is_held_through_a_pause(music):
    level = automatic()
    run(level, music * decibels(-30))
    found = level.automatic_gain
    run(level, noise("white", 10, -85))
    assert level.automatic_gain == pytest.approx(found, abs=3)


def test_a_sudden_loud_sound_is_held_within_reach_and_the_gain_comes_down(music):
    level = automatic()
    run(level, music * decibels(-40))
    assert level.automatic_gain > 20
    louder = run(level, music)
    assert np.abs(louder).max() <= 2.05
    assert level.automatic_gain == 0


def test_switched_off_it_goes_back_to_nothing(music):
    level = automatic()
    run(level, music * decibels(-30))
    level.automatic = False
    run(level, music * decibels(-30))
    assert level.automatic_gain == 0


def test_too_quiet_is_told_when_no_gain_reaches(music):
    level = Level(HOP, RATE)
    run(level, music * decibels(-40))
    assert level.too_quiet
    level.gain = 40
    run(level, music[: 10 * HOP] * decibels(-40))
    assert not level.too_quiet


def test_the_gain_stays_in_its_range(music):
    level = automatic()
    run(level, np.tile(music * decibels(-58), 2))
    assert 0 <= level.automatic_gain <= MOST


def test_any_blocks_give_the_same_hops(music):
    sound = (music * decibels(-30))[:, None]
    whole, pieces = HopCutter(), HopCutter()
    whole.level.automatic = pieces.level.automatic = True
    expected = whole.step(Block(sound, RATE, 0.0))
    got = [hop for piece in np.array_split(sound, 97) for hop in pieces.step(Block(piece, RATE, 0.0))]
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one.samples, other.samples, atol=1e-6)
