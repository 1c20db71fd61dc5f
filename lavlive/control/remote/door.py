"""Who may come in: the key, and what is answered to what a browser asks for.

GET /?key=KEY          the page; without the key 403
GET /desk?key=KEY      the WebSocket behind it; without the key, or from a page of another origin, 403
anything else          404
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import platform
import re
import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from lavlive.errors import ControlError
from lavlive.files import read_whole, write_whole

PORT = 9080
EVERYWHERE = "0.0.0.0"
DESK = "/desk"
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_PHONE = re.compile(r"[a-z0-9]{1,32}\Z")
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}\Z")
_LARGEST_KEY_FILE = 1024


def parse_place(text: str) -> tuple[str, int]:
    """Read ``PORT`` or ``HOST:PORT``; "" is the usual port in every network that this computer is in.

    Raises:
        ControlError: of another form.
    """
    if not text.strip():
        return EVERYWHERE, PORT
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or EVERYWHERE
    if not (port.isascii() and port.isdigit() and 0 <= int(port) <= 65535):
        raise ControlError(f"--remote takes PORT or HOST:PORT, not {text!r}; for example --remote {PORT}.")
    return host, int(port)


def read_key(path: Path | None) -> tuple[str, str]:
    """The key in a file, and what there is to tell about it; made and kept where there is none yet.

    Args:
        path: None keeps nothing.
    """
    new = secrets.token_urlsafe(12)
    if path is None:
        return new, ""
    told = ""
    try:
        kept = read_whole(path, _LARGEST_KEY_FILE).decode("ascii", "replace").strip()
        if _KEY.match(kept):
            return kept, ""
        told = f"{path} held no key for the remote: there is a new one."
    except FileNotFoundError:
        pass
    except OSError as error:
        return new, f"{path} cannot be read ({error.strerror}): the remote's key is for this show only."
    try:
        write_whole(path, f"{new}\n".encode(), private=True)
    except OSError as error:
        return new, f"{path} cannot be written ({error.strerror}): the remote's key is for this show only."
    return new, told


@dataclass(frozen=True)
class Answer:
    """What a browser is answered with."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Admitted:
    """A phone that may play; `phone` is the name that its page gave itself, or ""."""

    phone: str


def _plain(status: int, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})


_NOT_FOUND = _plain(404, "There is nothing here.")
_WRONG_KEY = _plain(403, "Without its key nobody plays this show: scan the code in the panel.")
_WRONG_PAGE = _plain(403, "This page is no page of this show.")


class Door:
    """Decides about requests; knows nothing of sockets.

    Args:
        key: what the address has to carry.
        page: the whole page, HTML.
        host: the name that it was told to listen at, which may be asked for by name.
    """

    def __init__(self, key: str, page: bytes, host: str = "") -> None:
        self._key = key.encode()
        self._page = page
        own = platform.node().lower().partition(".")[0]
        self._names = {"localhost", host.lower(), own, f"{own}.local"} - {""}
        self._policy = (
            "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
            f"script-src {_hashes(page, b'script')}; style-src {_hashes(page, b'style')}"
        )

    def ask(
        self, method: str, path: str, host: str | None, origin: str | None, upgrades: bool
    ) -> Answer | Admitted:
        """What to answer to a request; `Admitted` for one that may become a WebSocket.

        Args:
            path: as asked for, with its query.
            host, origin: these headers, None where they are missing.
            upgrades: whether it asks for a WebSocket.
        """
        try:
            parts = urlsplit(path)
            asked = parse_qs(parts.query, max_num_fields=8)
        except ValueError:
            return _NOT_FOUND
        if method != "GET" or parts.path not in ("/", DESK) or (parts.path == DESK) != upgrades:
            return _NOT_FOUND
        key = asked.get("key", [""])[0].encode("utf-8", "replace")
        if not secrets.compare_digest(key, self._key):
            return _WRONG_KEY
        if not self._is_own(host) or (
            upgrades and origin is not None and origin.lower() != f"http://{host}".lower()
        ):
            return _WRONG_PAGE
        if not upgrades:
            return self._whole_page(str(host))
        phone = asked.get("phone", [""])[0]
        return Admitted(phone if _PHONE.match(phone) else "")

    def _is_own(self, host: str | None) -> bool:
        """Whether a request was meant for this computer: a foreign page may have its own name lead here."""
        if host is None or not _HOST.match(host):
            return False
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        with contextlib.suppress(ValueError):
            return bool(ipaddress.ip_address(name))
        return name in self._names

    def _whole_page(self, host: str) -> Answer:
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "Content-Security-Policy": f"{self._policy}; connect-src 'self' ws://{host}",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return Answer(200, self._page, headers)


def _hashes(page: bytes, tag: bytes) -> str:
    """The hashes of what stands between these tags: nothing else in the page runs or dresses it."""
    found = re.findall(rb"<%s>(.*?)</%s>" % (tag, tag), page, re.DOTALL)
    hashes = (b64encode(hashlib.sha256(text).digest()).decode() for text in found)
    return " ".join(f"'sha256-{each}'" for each in hashes) or "'none'"
