"""The ring between the audio callback and the latent worker: one writer, one reader, no lock.

    who      may call                    may not
    writer   write                       wait, lock, log, grow memory
    reader   read, available             be two threads

The writer never waits. It announces how far it is about to write, copies, then publishes; the reader
copies and looks afterwards how much of its copy the announcement has overtaken. Overtaken sound is the
oldest and is dropped. Positions are whole counts of samples since the start and only grow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lavlive.audio.block import Block, Samples, check_format
from lavlive.audio.channels import Layout

RING_SECONDS = 4.0
"""What a source keeps for a reader that is late."""
_MARKS = 8192  # blocks whose capture times are remembered; more than a ring of seconds ever holds


class Ring:
    """Seconds of sound with their capture times.

    Args:
        seconds: how much it holds before the oldest is dropped.
        rate: hertz, 8–192 kHz.
        channels: 1–32.
        layout: the loudspeaker of each channel, () where it is not known.

    Attributes:
        written: samples per channel that the writer has given so far.
        xruns: gaps that the writer knows of: the driver lost sound before the block that was written.
        overruns: how often the reader came too late and found sound dropped.
    """

    def __init__(self, seconds: float, rate: int, channels: int, layout: Layout = ()) -> None:
        check_format(rate, channels, "ring")
        self.rate = rate
        self.channels = channels
        self.layout = layout
        self.capacity = max(1, round(seconds * rate))
        self.written = 0
        self.xruns = 0
        self.overruns = 0
        self._data: Samples = np.zeros((self.capacity, channels), np.float32)
        self._claimed = 0
        self._mark_end = np.zeros(_MARKS, np.int64)
        self._mark_time = np.zeros(_MARKS, np.float64)
        self._marks = 0
        self._position = 0
        self._mark = 0
        self._dropped = 0

    def write(self, block: npt.NDArray[np.floating], capture_time: float, gap: bool = False) -> None:
        """Copy a block in; safe in an audio callback.

        Args:
            block: [n, channels]; the caller may reuse it at once.
            capture_time: when the block's last sample was captured, seconds of the clock.
            gap: the driver lost sound just before this block.
        """
        if gap:
            self.xruns += 1
        length = len(block)
        if not length:
            return
        end = self.written + length
        if length > self.capacity:
            block = block[-self.capacity :]
            length = self.capacity
        self._claimed = end
        at = (end - length) % self.capacity
        before_edge = min(length, self.capacity - at)
        self._data[at : at + before_edge] = block[:before_edge]
        if before_edge < length:
            self._data[: length - before_edge] = block[before_edge:]
        slot = self._marks % _MARKS
        self._mark_end[slot] = end
        self._mark_time[slot] = capture_time
        self._marks += 1
        self.written = end

    @property
    def available(self) -> int:
        """Samples per channel that a read would give now."""
        return min(self.written - self._position, self.capacity)

    @property
    def dropped_samples(self) -> int:
        """Samples per channel that the reader came too late for, those still unread included."""
        return self._dropped + max(0, self.written - self._position - self.capacity)

    def read(self, max_frames: int | None = None) -> Block | None:
        """Take the oldest sound out.

        Args:
            max_frames: most samples per channel to take; None takes all.

        Returns:
            A block, or None when there is nothing new.
        """
        stop = self.written
        start = max(self._position, stop - self.capacity)
        if max_frames is not None:
            stop = min(stop, start + max_frames)
        if stop <= start:
            return None
        samples = self._copy(start, stop)
        intact = max(start, min(stop, self._claimed - self.capacity))
        lost = intact - self._position
        if lost:
            self._dropped += lost
            self.overruns += 1
        self._position = stop
        if intact == stop:
            return None
        return Block(samples[intact - start :], self.rate, self._time_of(stop))

    def _copy(self, start: int, stop: int) -> Samples:
        at, length = start % self.capacity, stop - start
        samples = np.empty((length, self.channels), np.float32)
        before_edge = min(length, self.capacity - at)
        samples[:before_edge] = self._data[at : at + before_edge]
        samples[before_edge:] = self._data[: length - before_edge]
        return samples

    def _time_of(self, position: int) -> float:
        """When the last sample before `position` was captured: counted back from the end of its block."""
        newest = self._marks - 1
        # Half the table away from the writer, so that no entry changes while it is read.
        mark = max(self._mark, newest - _MARKS // 2)
        while mark < newest and self._mark_end[mark % _MARKS] < position:
            mark += 1
        self._mark = mark
        after = int(self._mark_end[mark % _MARKS]) - position
        return float(self._mark_time[mark % _MARKS]) - after / self.rate
