"""The file under a fragmented ``.mp4`` or ``.mov``: whole after every fragment, however its writer ends."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

_HEAD = 8


class FragmentFile:
    """A file to which a muxer writes boxes in order; one thread.

    Such a file is a row of boxes, each with its length and kind in its first eight bytes; a ``moof`` tells of
    the ``mdat`` that follows it. A player that meets half a ``moof`` refuses the whole file, and half an
    ``mdat`` ends in a torn packet. So a fragment is kept back until it is complete, and its first eight
    bytes are written last: until then they are zero, for players a box without a meaning that reaches to
    the file's end. A write that fails leaves the fragments before it and nothing else.

    Attributes:
        failure: number and reason of the error of a write that failed, or None; nothing is written after
            it. Whoever has had something written has to look here: libavformat does not tell of failures
            while it writes a file's end.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.failure: tuple[int, str] | None = None
        self.name = str(path)
        self._descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666
        )
        self._length = 0
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Take bytes; what is complete with them is in the file afterwards, unless there was a `failure`."""
        if self.failure is None:
            self._waiting += data
            whole = _whole_bytes(self._waiting)
            if whole:
                self._append(bytes(self._waiting[:whole]))
                del self._waiting[:whole]
        return len(data)

    def _append(self, data: bytes) -> None:
        begin = self._length
        try:
            self._write_at(begin + _HEAD, data[_HEAD:])
            self._write_at(begin, data[:_HEAD])
        except OSError as error:
            self.failure = error.errno or 0, error.strerror or str(error)
            with contextlib.suppress(OSError):  # a disk that is gone; the fragment has no head
                os.ftruncate(self._descriptor, begin)
        else:
            self._length += len(data)

    def _write_at(self, position: int, data: bytes) -> None:
        os.lseek(self._descriptor, position, os.SEEK_SET)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Close it; a second call does nothing. Half a fragment that still waits is not written."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _whole_bytes(boxes: bytearray) -> int:
    """How many bytes are complete boxes, a ``moof`` only together with what follows it."""
    whole = at = 0
    while at + 2 * _HEAD <= len(boxes):
        length, kind = struct.unpack_from(">I4s", boxes, at)
        if length == 1:  # the length proper stands behind
            (length,) = struct.unpack_from(">Q", boxes, at + _HEAD)
        if length < _HEAD or at + length > len(boxes):
            break
        at += length
        if kind != b"moof":
            whole = at
    return whole
