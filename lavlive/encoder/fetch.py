"""Fetches the published EnCodec weights, once, when a user asks for them."""

from __future__ import annotations

import errno
import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lavlive.errors import DownloadError
from lavlive.files import replacing
from lavlive.resources import cache_folder


@dataclass(frozen=True)
class PublishedFile:
    """One file of a published encoder.

    Attributes:
        url: where it lies.
        name: of the file in the cache.
        sha256: what is known of its checksum from its publisher: all of it, its beginning, or nothing.
    """

    url: str
    name: str
    sha256: str = ""


@dataclass(frozen=True)
class Published:
    """A published encoder: its files, the weights last, and under which terms it comes.

    Attributes:
        folder: in the cache; empty for the cache itself.
        known: what is known of the checksums, for whoever fetches them.
    """

    title: str
    folder: str
    files: tuple[PublishedFile, ...]
    megabytes: int
    licence: str
    known: str

    @property
    def notice(self) -> str:
        """To be shown wherever a user chooses or fetches these weights."""
        return (
            f"{self.title}: © Meta Platforms, licence {self.licence} (no commercial use), "
            "https://creativecommons.org/licenses/by-nc/4.0/"
        )


ENCODEC_URL = "https://dl.fbaipublicfiles.com/encodec/v0/encodec_24khz-d7cc33bc.th"
ENCODEC_SHA256 = "d7cc33bcf1aad7f2dad9836f36431530744abeace3ca033005e3290ed4fa47bf"
ENCODEC_LICENCE = "CC BY-NC 4.0"
ENCODEC_NOTICE = (
    "EnCodec's published 24 kHz weights: © Meta Platforms, licence CC BY-NC 4.0 (no commercial use), "
    "https://creativecommons.org/licenses/by-nc/4.0/"
)
"""To be shown wherever a user chooses or fetches these weights."""

_HUB = "https://huggingface.co/facebook/encodec_32khz/resolve/main"
PUBLISHED: dict[str, Published] = {
    "encodec": Published(
        "EnCodec's published 24 kHz weights",
        "",
        (PublishedFile(ENCODEC_URL, "encodec_24khz-d7cc33bc.th", ENCODEC_SHA256),),
        93,
        ENCODEC_LICENCE,
        "checked by its SHA-256",
    ),
    "encodec-32khz": Published(
        "EnCodec's 32 kHz weights, as MusicGen uses them",
        "encodec_32khz",
        (
            PublishedFile(f"{_HUB}/config.json", "config.json"),
            PublishedFile(f"{_HUB}/model.safetensors", "model.safetensors"),
        ),
        236,
        ENCODEC_LICENCE,
        "its publisher names no checksum that lavlive knows: what came is not checked",
    ),
    "encodec-48khz": Published(
        "EnCodec's published 48 kHz weights",
        "",
        (
            PublishedFile(
                "https://dl.fbaipublicfiles.com/encodec/v0/encodec_48khz-7e698e3e.th",
                "encodec_48khz-7e698e3e.th",
                "7e698e3e",
            ),
        ),
        73,
        ENCODEC_LICENCE,
        "checked by the eight first digits of its SHA-256, which its publisher put into its name",
    ),
}
"""The encoders of ``lavlive model fetch``, by name. Sizes are about right."""

LARGEST = 400 * 2**20
"""Bytes; the largest published file has about 236 MB."""

_PIECE = 2**18
_OTHERWISE = "Try again later, or give a local copy with --encoder FILE."
_TIMEOUT = 30.0


def encodec_path() -> Path:
    """Where the fetched weights lie, whether they do or not."""
    return cache_folder() / "encodec_24khz-d7cc33bc.th"


def published_path(name: str) -> Path:
    """Where the weights of a published encoder lie, whether they do or not."""
    published = PUBLISHED[name]
    return cache_folder() / published.folder / published.files[-1].name


def fetch_published(
    name: str, progress: Callable[[int, int | None], None] | None = None, server: str | None = None
) -> Path:
    """Download a published encoder into the cache; the path of its weights. What is there already stays.

    Args:
        server: for a mirror: where all its files lie under their names.

    Raises DownloadError.
    """
    published = PUBLISHED[name]
    folder = cache_folder() / published.folder
    for file in published.files:
        url = f"{server}/{file.name}" if server else file.url
        fetch_encodec(progress, url, file.sha256, folder / file.name)
    return published_path(name)


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
        url, target, largest: for another file, a mirror, and for tests.
        sha256: what is known of the checksum, at least its beginning; empty takes what comes.

    The file appears whole and with the right hash, or not at all. Raises DownloadError.
    """
    target = target or encodec_path()
    try:
        if target.exists() and file_hash(target).startswith(sha256):
            return target
        with replacing(target) as beside, beside.open("wb") as file:
            arrived = _download(url, file.fileno(), target, progress, largest)
            if not arrived.startswith(sha256):
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
        return DownloadError(f"the disk of {target.parent} is full; make room (100 to 300 MB) and try again")
    return DownloadError(f"cannot write {target}: {error.strerror or error}")
