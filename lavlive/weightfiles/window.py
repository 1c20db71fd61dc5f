"""A stretch of a file that is read in small pieces and never taken whole."""

from __future__ import annotations

from typing import BinaryIO

from lavlive.errors import CheckpointError

_CHUNK = 1 << 16
_LINE = 4096


class Window:
    """Bytes ``start`` to ``start + length`` of ``file``, with a reading position of its own.

    A length that the file only claims is checked before anything is allocated.
    Raises CheckpointError when more is asked for than is there.
    """

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self.file = file
        self.start = start
        self.length = length
        self.position = 0
        self._chunk = b""
        self._chunk_start = 0

    @classmethod
    def whole(cls, file: BinaryIO) -> Window:
        """All of ``file``."""
        return cls(file, 0, file.seek(0, 2))

    @property
    def remaining(self) -> int:
        """Bytes between the reading position and the end."""
        return self.length - self.position

    def read(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        self._check(count)
        begin = self.position - self._chunk_start
        if begin < 0 or begin + count > len(self._chunk):
            self.file.seek(self.start + self.position)
            self._chunk = self.file.read(min(max(count, _CHUNK), self.remaining))
            self._chunk_start = self.position
            begin = 0
            if len(self._chunk) < count:
                raise CheckpointError("the file was cut short while it was read")
        self.position += count
        return self._chunk[begin : begin + count]

    def line(self) -> bytes:
        """Up to and without the next line feed, at most 4096 bytes."""
        begin = self.position
        ahead = self.read(min(_LINE, self.remaining))
        end = ahead.find(b"\n")
        if end < 0:
            raise CheckpointError(f"damaged at byte {self.start + begin}: a line does not end")
        self.position = begin + end + 1
        return ahead[:end]

    def take(self, count: int) -> Window:
        """The next ``count`` bytes as a window, unread."""
        self._check(count)
        part = Window(self.file, self.start + self.position, count)
        self.position += count
        return part

    def part(self, offset: int, count: int) -> Window:
        """``count`` bytes from ``offset`` of this window, unread; the position stays."""
        if offset < 0 or count < 0 or offset + count > self.length:
            raise CheckpointError("the file is cut short: it points beyond its own end")
        return Window(self.file, self.start + offset, count)

    def content(self, limit: int) -> bytes:
        """All bytes of the window, which may be no more than ``limit``."""
        if self.length > limit:
            raise CheckpointError(f"holds {self.length} bytes where at most {limit} can be meant")
        self.file.seek(self.start)
        content = self.file.read(self.length)
        if len(content) < self.length:
            raise CheckpointError("the file was cut short while it was read")
        return content

    def find(self, needles: tuple[bytes, ...], limit: int) -> bytes | None:
        """The first of ``needles`` that occurs in the window's first ``limit`` bytes."""
        overlap = max(len(needle) for needle in needles)
        before = b""
        for offset in range(0, min(self.length, limit), 1 << 20):
            self.file.seek(self.start + offset)
            text = before + self.file.read(min(1 << 20, self.length - offset))
            for needle in needles:
                if needle in text:
                    return needle
            before = text[-overlap:]
        return None

    def _check(self, count: int) -> None:
        if count < 0 or count > self.remaining:
            raise CheckpointError(
                f"damaged or cut short at byte {self.start + self.position}: {count} more bytes are "
                f"announced, {self.remaining} are there"
            )
