"""The flash limiter: three flashes a second at most, and nothing else touched."""

from __future__ import annotations

import numpy as np
import pytest

from lavlive.light import to_encoded, to_linear
from lavlive.link.contents import Picture
from lavlive.parameters import Values
from lavlive.stage.canvas.limiter import FlashLimiter
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput
from tests.support.flash_counter import count_flashes, turning_points
from tools.robustness.flash_patterns import (
    ALLOWED,
    BLACK,
    COLUMNS,
    RED,
    ROWS,
    WHITE,
    Colour,
    Pattern,
    drums,
    moving_grating,
    noise,
    plain,
    run,
    square_wave,
)


def test_the_counter_itself_counts_what_it_should() -> None:
    course = [0, 0.05, 0, 0.5, 0.45, 1.0, 0.2, 0.25, 0.2, 0.9]
    assert turning_points(course, 0.1) == [0, 5, 6, 9]
    pictures, times = run(square_wave(5, BLACK, WHITE), 60, limit=False)
    assert count_flashes(pictures, times).general == 10


@pytest.mark.parametrize(
    ("hertz", "rate"),
    [(h, 60) for h in (1, 3, 4, 5, 7.5, 10, 15, 20, 30)] + [(h, 30) for h in (4, 10, 12, 15)],
)
def test_a_flashing_screen_is_held_to_three_flashes_a_second(hertz: float, rate: float) -> None:
    pictures, times = run(square_wave(hertz, BLACK, WHITE), rate)
    assert count_flashes(pictures, times).general <= ALLOWED
    assert pictures.std() > 10, "held back, not switched off"


@pytest.mark.parametrize("hertz", [1, 2, 2.8])
def test_up_to_three_flashes_a_second_pass_untouched(hertz: float) -> None:
    limited, _ = run(square_wave(hertz, BLACK, WHITE), 60)
    free, _ = run(square_wave(hertz, BLACK, WHITE), 60, limit=False)
    np.testing.assert_array_equal(limited, free)


@pytest.mark.parametrize("hertz", [4, 15])
@pytest.mark.parametrize("other", [BLACK, (0.05, 0.05, 0.05), (0.0, 0.0, 0.2126 * 0.9 / 0.0722)])
def test_saturated_red_is_held_even_where_luminance_does_not_flash(hertz: float, other: Colour) -> None:
    pattern = square_wave(hertz, (other[0], other[1], min(other[2], 1.0)), RED)
    before, times = run(pattern, 60, limit=False)
    after, _ = run(pattern, 60)
    assert count_flashes(before, times).red > ALLOWED
    assert count_flashes(after, times).red <= ALLOWED


@pytest.mark.parametrize(("period", "hertz"), [(4, 5), (8, 12), (16, 12)])
def test_moving_stripes_are_slowed_where_they_flash(period: int, hertz: float) -> None:
    before, times = run(moving_grating(hertz, period), 60, limit=False)
    after, _ = run(moving_grating(hertz, period), 60)
    assert count_flashes(before, times).general > ALLOWED
    assert count_flashes(after, times).general <= ALLOWED


@pytest.mark.parametrize("pattern", [noise(0), drums(5), drums(8)], ids=["noise", "5 drums/s", "8 drums/s"])
def test_noise_and_drums_are_held(pattern: Pattern) -> None:
    before, times = run(pattern, 60, limit=False)
    after, _ = run(pattern, 60)
    assert count_flashes(before, times).general > ALLOWED
    assert count_flashes(after, times).general <= ALLOWED


def test_quarters_that_flash_in_turn_are_one_flashing_picture() -> None:
    """Each quarter alone flashes two and a half times a second; together they make ten."""

    def pattern(time: float) -> np.ndarray:
        picture = np.zeros((ROWS, COLUMNS, 3), np.float32)
        part, within = divmod(time * 10 + 1e-6, 1.0)
        left = int(part) % 4 * 4
        picture[:, left : left + 4] = float(within < 0.5)
        return picture

    for limit, allowed in ((False, 20), (True, ALLOWED)):
        shown, times = run(pattern, 60, limit=limit)
        mean_light = to_linear(shown / 255).mean(axis=(1, 2), keepdims=True)
        mean = np.rint(255 * to_encoded(mean_light)).astype(np.uint8)
        assert count_flashes(shown, times).general <= ALLOWED
        assert count_flashes(mean, times).general <= allowed


def test_a_fall_that_goes_on_after_a_small_rise_counts_again() -> None:
    """As some analysers count it: eight decaying strokes a second stay at six changes."""
    pictures, times = run(drums(8), 30, seconds=5.0)
    light = to_linear(pictures[:, 0, 0, 1] / 255)
    runs, begin = [], 0
    for tick in range(1, len(light) - 1):
        if (light[tick + 1] - light[tick]) * (light[tick] - light[begin]) < 0:
            runs.append((times[tick], abs(light[tick] - light[begin])))
            begin = tick
    dates = np.array([time for time, size in runs if size >= 0.1])
    assert max(int(((dates > t - 0.999) & (dates <= t)).sum()) for t in dates) <= ALLOWED


def test_a_picture_that_swells_with_the_beat_passes_although_it_is_never_at_rest() -> None:
    """Twice a second from dark to light and back, as music does it, each cell trembling a little."""
    random = np.random.default_rng(0)
    trembling = random.normal(0, 0.02, (400, ROWS, COLUMNS, 1))

    def pattern(time: float) -> np.ndarray:
        swell = 0.25 - 0.2 * np.cos(2 * np.pi * 2.0 * time)
        return np.clip(plain((swell,) * 3) + trembling[round(time * 60)], 0.0, 1.0).astype(np.float32)

    limited, _ = run(pattern, 60, seconds=5.0)
    free, _ = run(pattern, 60, seconds=5.0, limit=False)
    np.testing.assert_array_equal(limited, free)


def test_a_flash_in_a_corner_is_left_alone() -> None:
    def pattern(time: float) -> np.ndarray:
        picture = np.full((ROWS, COLUMNS, 3), 0.2, np.float32)
        picture[:4, :6] = float(time * 10 % 1 < 0.5)
        return picture

    limited, _ = run(pattern, 60)
    free, _ = run(pattern, 60, limit=False)
    np.testing.assert_array_equal(limited, free)


def test_changes_between_bright_and_brighter_are_no_flashes() -> None:
    pattern = square_wave(10, (0.85, 0.85, 0.85), WHITE)
    limited, _ = run(pattern, 60)
    free, _ = run(pattern, 60, limit=False)
    np.testing.assert_array_equal(limited, free)


def test_what_was_held_back_is_shown_as_soon_as_it_may_be() -> None:
    def pattern(time: float) -> np.ndarray:
        return (
            plain(WHITE if (time * 10) % 1.0 < 0.5 and time < 1.0 else BLACK) if time < 1.5 else plain(WHITE)
        )

    pictures, times = run(pattern, 60)
    late = pictures[np.asarray(times) > 2.6]
    assert late.min() == 255


def test_a_clock_that_jumps_back_neither_frees_nor_freezes_the_limiter() -> None:
    limiter = FlashLimiter(ROWS, COLUMNS)
    shown, pictures, times = plain(BLACK), [], []
    for tick in range(240):
        wanted = square_wave(10, BLACK, WHITE)(tick / 60)
        now = tick / 60 - (5000.0 if tick > 60 else 0.0)
        shown = shown + limiter.step(wanted, now) * (wanted - shown)
        pictures.append(np.rint(255 * to_encoded(shown)).astype(np.uint8))
        times.append(tick / 60)
    assert count_flashes(np.array(pictures), times).general <= ALLOWED
    assert np.array(pictures)[120:].std() > 10


def test_values_that_are_no_numbers_do_no_harm() -> None:
    limiter = FlashLimiter(ROWS, COLUMNS)
    limiter.step(plain(BLACK), 0.0)
    for tick in range(60):
        assert 0.0 <= limiter.step(plain((np.nan, np.inf, -np.inf)), tick / 60) <= 1.0
    assert limiter.step(plain(BLACK), 3.0) == 1.0


def test_ordinary_pictures_pass_unchanged_through_a_whole_output() -> None:
    """Smooth motion of the size that music makes: the canvas is the same with and without the limiter."""
    y, x = np.mgrid[0:1:64j, 0:1:64j]

    def picture(tick: int) -> Picture:
        t = tick / 30
        waves = [
            np.sin(9 * x + 1.3 * t + c) * np.cos(7 * y - 0.9 * t) * np.sin(0.7 * t + c) for c in range(3)
        ]
        pixels = np.rint(127 + 110 * np.stack(waves, axis=-1)).astype(np.uint8)
        return Picture(pixels, tick + 1, t, t, 0)

    outputs = [HeadlessOutput(OutputSettings(160, 90)) for _ in range(2)]
    values = [Values({"show.flash_limit": limit}) for limit in (True, False)]
    difference = []
    for tick in range(90):
        canvases = []
        for output, present in zip(outputs, values, strict=True):
            output.present(picture(tick), present, tick / 30)
            canvases.append(output.read_canvas().astype(float))
        difference.append(np.abs(canvases[0] - canvases[1]).mean())
    assert float(np.mean(difference)) < 1.0


def test_a_flashing_show_is_held_through_a_whole_output() -> None:
    output, values = HeadlessOutput(OutputSettings(160, 90)), Values({"show.dissolve": 0.0})
    pictures, times = [], []
    for tick in range(120):
        pixels = np.full((64, 64, 3), 255 * (tick // 3 % 2), np.uint8)
        output.present(Picture(pixels, tick + 1, 0.0, 0.0, 0), values, tick / 60)
        pictures.append(output.read_canvas()[::6, ::10])
        times.append(tick / 60)
    assert count_flashes(np.array(pictures), times).general <= ALLOWED
    assert max(p.max() for p in pictures) == 255


def test_linear_light_and_its_encoding_are_inverse() -> None:
    levels = np.arange(256, dtype=np.float32) / 255
    np.testing.assert_allclose(to_encoded(to_linear(levels)), levels, atol=0.4 / 255)
