"""The ring between the audio callback and the latent worker."""

import threading
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavlive.audio.ring import Ring
from lavlive.errors import SourceError


def numbered(start: int, count: int, channels: int = 1) -> np.ndarray:
    """Samples whose values are their positions, which float32 holds exactly up to 2^24."""
    positions = np.arange(start, start + count, dtype=np.float32)
    return np.repeat(positions[:, None], channels, axis=1)


@given(
    writes=st.lists(st.integers(0, 700), max_size=40),
    reads=st.lists(st.one_of(st.none(), st.integers(1, 900)), min_size=1, max_size=10),
)
def test_what_comes_out_is_what_went_in_and_the_rest_is_counted(writes, reads):
    ring = Ring(0.1, 8000, 2)
    position, expected = 0, 0
    for turn, count in enumerate(writes):
        ring.write(numbered(position, count, 2), capture_time=(position + count) / 8000)
        position += count
        block = ring.read(reads[turn % len(reads)]) if turn % 3 == 0 else None
        if block is not None:
            first = int(block.samples[0, 0])
            expected = first + len(block.samples)
            np.testing.assert_array_equal(block.samples, numbered(first, len(block.samples), 2))
            assert block.time == pytest.approx(expected / 8000, abs=1e-9)
    taken = ring.read()
    if taken is not None:
        expected += len(taken.samples)
    assert ring.written == position
    assert expected + ring.dropped_samples >= position


def test_an_overrun_drops_the_oldest_and_counts_it():
    ring = Ring(1.0, 8000, 1)
    for start in range(0, 12_000, 1000):
        ring.write(numbered(start, 1000), capture_time=(start + 1000) / 8000)
    assert ring.dropped_samples == 4000, "it counts before the reader notices"
    block = ring.read()
    assert block is not None
    np.testing.assert_array_equal(block.samples, numbered(4000, 8000))
    assert block.time == 12_000 / 8000
    assert (ring.overruns, ring.dropped_samples) == (1, 4000)
    ring.write(numbered(0, 10), 2.0)
    assert ring.read() is not None
    assert (ring.overruns, ring.dropped_samples) == (1, 4000)


def test_a_block_longer_than_the_ring_leaves_its_end():
    ring = Ring(0.1, 8000, 1)
    ring.write(numbered(0, 2000), 1.0)
    block = ring.read()
    assert block is not None
    np.testing.assert_array_equal(block.samples, numbered(1200, 800))
    assert block.time == 1.0
    assert ring.dropped_samples == 1200


def test_a_read_that_ends_inside_a_block_gets_the_time_of_its_own_last_sample():
    ring = Ring(1.0, 10_000, 1)
    ring.write(numbered(0, 100), 5.0)
    ring.write(numbered(100, 100), 7.0)  # two seconds were lost between the blocks
    times = [block.time for block in (ring.read(40), ring.read(60), ring.read(50), ring.read()) if block]
    assert times == pytest.approx([5.0 - 60 / 10_000, 5.0, 7.0 - 50 / 10_000, 7.0])
    assert ring.read() is None


def test_gaps_that_the_driver_reports_are_counted():
    ring = Ring(1.0, 8000, 1)
    ring.write(numbered(0, 0), 0.0, gap=True)
    ring.write(numbered(0, 10), 0.0, gap=True)
    ring.write(numbered(10, 10), 0.0)
    assert ring.xruns == 2


class OvertakenRing(Ring):
    """A ring whose writer gets between the reader's look at the positions and its copy."""

    hurry = 0

    def _copy(self, start: int, stop: int) -> np.ndarray:
        if self.hurry:
            self.write(numbered(self.written, self.hurry), 0.0)
        return super()._copy(start, stop)


@pytest.mark.parametrize(("hurry", "intact"), [(0, 800), (1, 799), (300, 500), (799, 1), (800, 0), (2000, 0)])
def test_sound_that_the_writer_overtook_during_the_copy_is_left_out_and_counted(hurry, intact):
    ring = OvertakenRing(0.1, 8000, 1)
    ring.write(numbered(0, 800), 0.1)
    ring.hurry = hurry
    block = ring.read()
    ring.hurry = 0
    given = 0 if block is None else len(block.samples)
    assert given == intact
    if block is not None:
        np.testing.assert_array_equal(block.samples, numbered(800 - intact, intact))
    rest = ring.read()
    given += 0 if rest is None else len(rest.samples)
    assert given + ring.dropped_samples == ring.written


def test_a_reader_beside_a_hurried_writer_never_gets_torn_sound():
    ring = Ring(0.02, 48_000, 8)
    total, pieces = 2_000_000, [37, 480, 960, 111]

    def write() -> None:
        position, turn = 0, 0
        while position < total:
            count = pieces[turn % len(pieces)]
            ring.write(numbered(position, count, 8), position + count)
            position, turn = position + count, turn + 1
            if turn % 50 == 0:
                time.sleep(0)

    writer = threading.Thread(target=write)
    writer.start()
    last, blocks = -1.0, 0
    while writer.is_alive() or ring.available:
        block = ring.read()
        if block is None:
            continue
        blocks += 1
        assert block.samples[0, 0] > last
        assert (np.diff(block.samples[:, 0]) == 1).all()
        assert (block.samples == block.samples[:, :1]).all()
        last = block.samples[-1, 0]
    writer.join(30)
    assert blocks > 1
    assert ring.overruns > 0, "the ring was large enough, so nothing was tried"
    assert last + 1 == ring.written


def test_writing_keeps_no_memory():
    ring = Ring(0.5, 48_000, 2)
    block = numbered(0, 480, 2)
    for turn in range(200):
        ring.write(block, turn)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for turn in range(3000):
        ring.write(block, float(turn))
    grown = sum(line.size_diff for line in tracemalloc.take_snapshot().compare_to(before, "filename"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert grown < 8_000
    assert peak < 200_000


@pytest.mark.parametrize(("rate", "channels"), [(7999, 1), (192_001, 1), (48_000, 0), (48_000, 33)])
def test_formats_that_lavlive_does_not_hear_are_refused(rate, channels):
    with pytest.raises(SourceError):
        Ring(1.0, rate, channels)
