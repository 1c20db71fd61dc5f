"""Files that are written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[Path]:
    """A path beside `path` to write to; at the end of the block that file takes the place of the old one.

    A crash at any moment leaves the old file or the new one, and two processes may write the same one. If the
    block raises, the old file stays and nothing is left beside it. Folders that are missing are made. A link
    stays one: what it leads to is replaced, as for those who keep their settings on a stick. The old file's
    permissions stay, too.

    Args:
        private: no other user of this computer may read it, whatever the old one's permissions were.

    Raises:
        OSError: it cannot be written, or a link leads into a folder that is not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    place = Path(os.path.realpath(path))
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        if private:
            beside.touch(0o600)
            beside.chmod(0o600)
        yield beside
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        if not private:
            with contextlib.suppress(OSError):  # there is no old one, or the file system knows no permissions
                shutil.copymode(place, beside)
        beside.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes, private: bool = False) -> None:
    """Put `content` in the place of a file.

    Args:
        private: see `replacing`.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    with replacing(path, private) as beside:
        beside.write_bytes(content)


def read_whole(path: str | Path, largest: int) -> bytes:
    """The content of a file of at most `largest` bytes.

    Raises:
        OSError: it cannot be read, is longer, or is none: a folder, or a pipe or device, which would let
            whoever opens it wait, or read, for ever. `strerror` says which.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    with open(path, "rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        size = f"{largest >> 20} MiB" if largest >= 1 << 20 else f"{largest >> 10} KiB"
        raise OSError(errno.EFBIG, f"it is longer than {size}, which no such file should be", str(path))
    return content


def shown(text: str | Path) -> str:
    """A file's name, or a line that has one, as any window, terminal and network takes it.

    A name may hold bytes that are no letters here, as on sticks from older computers, and line breaks.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(
        " " if each in "\n\r\t" else "\ufffd" if unicodedata.category(each) in ("Cc", "Cs") else each
        for each in text
    )


def version_of(path: str | Path) -> tuple[int, int] | None:
    """Tells whether a file was written anew; None where it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file that is there."""
    return one.exists() and other.exists() and one.samefile(other)


def unused(path: Path, is_taken: Callable[[Path], bool]) -> Path:
    """The path itself, or with -2, -3 … before its ending: the first that is not taken."""
    candidate, number = path, 1
    while is_taken(candidate):
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate
