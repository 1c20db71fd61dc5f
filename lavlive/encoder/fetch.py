"""Fetches the published EnCodec weights, once, when a user asks for them."""

from __future__ import annotations

import errno
import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from lavlive.errors import DownloadError
from lavlive.files import replacing
from lavlive.resources import cache_folder

ENCODEC_URL = "https://dl.fbaipublicfiles.com/encodec/v0/encodec_24khz-d7cc33bc.th"
ENCODEC_SHA256 = "d7cc33bcf1aad7f2dad9836f36431530744abeace3ca033005e3290ed4fa47bf"
ENCODEC_LICENCE = "CC BY-NC 4.0"
ENCODEC_NOTICE = (
    "EnCodec's published 24 kHz weights: © Meta Platforms, licence CC BY-NC 4.0 (no commercial use), "
    "https://creativecommons.org/licenses/by-nc/4.0/"
)
"""To be shown wherever a user chooses or fetches these weights."""

LARGEST = 200 * 2**20
"""Bytes; the published file has 93 MB."""

_PIECE = 2**18
_OTHERWISE = "Try again later, or give a local copy with --encoder FILE."
_TIMEOUT = 30.0


def encodec_path() -> Path:
    """Where the fetched weights lie, whether they do or not."""
    return cache_folder() / "encodec_24khz-d7cc33bc.th"


def fetch_encodec(
    progress: Callable[[int, int | None], None] | None = None,
    url: str = ENCODEC_URL,
    sha256: str = ENCODEC_SHA256,
    target: Path | None = None,
    largest: int = LARGEST,
) -> Path:
    """Download the published weights into the cache and return their path; there already, do nothing.

    Args:
        progress: called with the bytes received and the bytes expected, None when unknown.
        url, sha256, target, largest: for a mirror of the same file, and for tests.

    The file appears whole and with the right hash, or not at all. Raises DownloadError.
    """
    target = target or encodec_path()
    try:
        if target.exists() and file_hash(target) == sha256:
            return target
        with replacing(target) as beside, beside.open("wb") as file:
            arrived = _download(url, file.fileno(), target, progress, largest)
            if arrived != sha256:
                raise DownloadError(
                    f"what arrived from {url} is not the file that was promised (SHA-256 {arrived[:12]}…, "
                    f"not {sha256[:12]}…).\nNothing was kept. {_OTHERWISE}"
                )
    except OSError as error:
        raise _cannot_write(target, error) from error
    return target


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hex. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(
    url: str,
    descriptor: int,
    target: Path,
    progress: Callable[[int, int | None], None] | None,
    largest: int,
) -> str:
    """The SHA-256 of what was received and written to ``descriptor``."""
    digest = hashlib.sha256()
    received = 0
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            length = response.headers.get("Content-Length", "")
            expected = int(length) if length.isdigit() else None
            if expected is not None and expected > largest:
                raise DownloadError(f"{url} offers {expected:,} bytes; at most {largest:,} are taken")
            while piece := response.read(_PIECE):
                received += len(piece)
                if received > largest:
                    raise DownloadError(f"{url} sends more than {largest:,} bytes; stopped, nothing kept")
                _write_all(descriptor, piece, target)
                digest.update(piece)
                if progress:
                    progress(received, expected)
    except urllib.error.HTTPError as error:
        with error:
            raise DownloadError(f"{url} answers {error.code} {error.reason}.\n{_OTHERWISE}") from error
    except (OSError, EOFError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(f"cannot download {url}: {reason}.\n{_OTHERWISE}") from error
    if expected is not None and received != expected:
        raise DownloadError(f"the connection broke after {received:,} of {expected:,} bytes; try again")
    return digest.hexdigest()


def _write_all(descriptor: int, piece: bytes, target: Path) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        raise _cannot_write(target, error) from error


def _cannot_write(target: Path, error: OSError) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError(f"the disk of {target.parent} is full; make room (about 100 MB) and try again")
    return DownloadError(f"cannot write {target}: {error.strerror or error}")
