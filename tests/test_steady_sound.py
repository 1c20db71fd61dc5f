"""Sound on the pictures' clock: no holes, no drift, silence only where sound was missing. Simulated time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lavlive.link.memory import SharedBlock
from lavlive.show.leaving import SoundDelay
from lavlive.stage.recording.sound_tap import SoundTap
from lavlive.stage.recording.steady_sound import JUMP_SECONDS, SteadySound

RATE = 2000
BLOCK = 400


def run(
    steady: SteadySound,
    seconds: float,
    ppm: float,
    click_at: float,
    jitter: float = 0.003,
    begin: float = 0.0,
) -> np.ndarray:
    """A tone from a card whose clock is off, handed over unevenly, with a click; what is written."""
    true = RATE * (1 + ppm * 1e-6)
    count = int(seconds * true)
    times = begin + np.arange(count) / true
    samples = (0.3 * np.sin(2 * np.pi * 300 * times)).astype(np.float32)
    click = int((click_at - begin) * true)
    samples[click : click + 20] += 0.6
    random = np.random.default_rng(1)
    out: list[np.ndarray] = []
    for start in range(0, count, BLOCK):
        late = random.uniform(-jitter, jitter)
        out += steady.take(samples[start : start + BLOCK, None], begin + start / true + late)
    out += steady.end()
    return np.concatenate(out)[:, 0]


def longest_silence(samples: np.ndarray) -> int:
    """Samples in a row without sound."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.abs(samples) < 1e-5, 0]))
    return int(max(edges[1::2] - edges[::2], default=0))


@pytest.mark.parametrize("ppm", [200.0, -200.0, 1000.0])
def test_a_clock_that_is_off_leaves_no_hole_and_no_offset_after_ten_minutes(ppm: float) -> None:
    written = run(SteadySound(RATE, 1), 600.0, ppm, click_at=599.0)
    click = int(np.argmax(np.abs(written) > 0.6))
    assert abs(click / RATE - 599.0) < 0.020
    assert longest_silence(written[: click - 10]) <= 1
    # A tone that was cut or doubled anywhere would jump.
    steepest = 0.3 * 2 * np.pi * 300 / RATE
    assert np.abs(np.diff(written[RATE // 10 : click - 40])).max() < 1.1 * steepest


def test_sound_that_was_really_missing_is_silence_of_that_length() -> None:
    steady = SteadySound(RATE, 1)
    first = run(steady, 2.0, 0.0, click_at=1.0)
    second = run(steady, 2.0, 0.0, click_at=6.0, begin=5.0)
    written = np.concatenate([first, second])
    assert len(written) == pytest.approx(7 * RATE, abs=0.01 * RATE)
    assert longest_silence(written) == pytest.approx(3 * RATE, abs=0.01 * RATE)
    clicks = np.flatnonzero(np.abs(written) > 0.6)
    assert clicks[0] / RATE == pytest.approx(1.0, abs=0.005)
    assert clicks[clicks > 5 * RATE][0] / RATE == pytest.approx(6.0, abs=0.008)


def test_sound_from_before_the_first_picture_is_left_out_and_a_late_beginning_is_silence() -> None:
    early = run(SteadySound(RATE, 1), 2.0, 0.0, click_at=0.5, begin=-1.0)
    assert len(early) == pytest.approx(RATE, abs=0.01 * RATE)
    assert np.argmax(np.abs(early) > 0.6) / RATE == pytest.approx(0.5, abs=0.005)
    late = run(SteadySound(RATE, 1), 1.0, 0.0, click_at=2.5, begin=2.0)
    assert longest_silence(late) == pytest.approx(2 * RATE, abs=0.01 * RATE)


def test_a_source_that_has_ended_is_filled_up_to_where_the_pictures_are() -> None:
    steady = SteadySound(RATE, 1)
    run(steady, 1.0, 0.0, click_at=0.5)

    def filled(until: float) -> Iterator[np.ndarray]:
        yield from steady.fill(until)

    assert sum(len(piece) for piece in filled(4.0)) == pytest.approx(3 * RATE, abs=0.01 * RATE)
    assert list(filled(4.0 + JUMP_SECONDS / 1e6)) == []
    assert steady.written == pytest.approx(4 * RATE, abs=0.01 * RATE)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_sound_of_any_rate_keeps_its_moment_on_the_way_through_the_tap(rate: int) -> None:
    click, claps = 100.4, []
    with SharedBlock.create() as link:
        tap = SoundTap(link)
        block = rate // 50
        for number in range(40):
            times = 100.0 + (number * block + np.arange(block)) / rate
            samples = np.where((times >= click) & (times < click + 0.005), 0.9, 0.0).astype(np.float32)
            link.write_sound(
                np.repeat(samples[:, None], 2, axis=1), rate, captured=float(times[-1]) + 1 / rate
            )
            heard = tap.read()
            assert heard is not None
            made, begins = heard
            claps += [begins + int(index) / 48_000 for index in np.flatnonzero(made[:, 0] > 0.45)[:1]]
    assert claps[0] == pytest.approx(click, abs=0.0005)


def test_single_late_pictures_do_not_move_the_sound_and_another_latency_moves_it_once() -> None:
    delay = SoundDelay()
    assert delay.step(0.08, 10.0) == 0.08
    frames = iter(np.arange(10.0, 40.0, 1 / 60))
    steady = [delay.step(0.08, now) for now, _ in zip(frames, range(60), strict=False)]
    spike = [delay.step(0.4, now) for now, _ in zip(frames, range(60), strict=False)]
    after = [delay.step(0.1, now) for now, _ in zip(frames, range(600), strict=False)]
    other = [delay.step(0.3, now) for now, _ in zip(frames, range(600), strict=False)]
    assert np.ptp(steady + spike) == 0.0
    assert after[-1] == pytest.approx(0.1)
    assert np.diff(after).max() <= 0.003 / 60 + 1e-9
    assert np.count_nonzero(np.diff(other)) == 1
    assert other[-1] == 0.3
