"""Addresses of streams, and the file that keeps them with their keys: ``streams.toml``.

    [twitch]
    address = "rtmps://live.twitch.tv/app"
    key = "live_…"

    [wall]
    address = "srt://10.0.0.7:9710"
    passphrase = "…"
    size = "1920x1080"

Nothing here shows a secret: not an error, not a `repr`, not the address that a performer reads.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from msgspec import Meta

from lavlive.checking import read_fields
from lavlive.control.looks.toml_files import read_toml
from lavlive.errors import OutputError
from lavlive.stage.output.takers.live_encoder import LiveSettings
from lavlive.stage.output.takers.rtmp import PORTS, RtmpTarget
from lavlive.stage.output.takers.transports import DatagramTarget

SCHEMES = ("rtmp", "rtmps", "srt", "udp", "whip", "http", "https")
_HOW = "use rtmp://, rtmps://, srt://, udp:// or, for WHIP, https://"


@dataclass(frozen=True, slots=True)
class StreamFields:
    """One table of the file."""

    address: Annotated[str, Meta(min_length=1, description="address is text, such as rtmps://host/app.")]
    key: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    certificate: str = ""
    size: str = "1280x720"
    rate: Annotated[float, Meta(ge=1, le=120, description="rate is 1 to 120 pictures a second.")] = 30.0
    kilobits: Annotated[int, Meta(ge=50, le=200_000, description="kilobits is 50 to 200000 a second.")] = 4500
    latency: Annotated[int, Meta(ge=20, le=8000, description="latency is 20 to 8000 milliseconds.")] = 200
    encoder: str = "auto"


@dataclass(frozen=True, slots=True)
class WhipTarget:
    """Where to; `token` is a secret, and so may the address be."""

    address: str = field(repr=False)
    url: str
    token: str = field(default="", repr=False)


Target = RtmpTarget | DatagramTarget | WhipTarget


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that can be begun.

    Attributes:
        name: what the performer calls it.
        target: where it goes.
        settings: how it is encoded.
    """

    name: str
    target: Target
    settings: LiveSettings


def read_streams(path: Path) -> list[Stream]:
    """The streams of a file, in its order; none where there is no file.

    Raises:
        OutputError: it cannot be read; the message gives line and field, and never a value.
    """
    if not path.exists():
        return []
    file = read_toml(path, OutputError)
    streams = []
    for name, table in file.content.items():
        values, faults = read_fields(StreamFields, table)
        for fault in faults:
            # The reason of a wrong type shows the value, which may be a key.
            secret = fault.key.partition(".")[0] in ("key", "passphrase", "address")
            reason = (
                f"{fault.key} is text in quotes." if secret and fault.key in dict_of(table) else fault.reason
            )
            raise file.fault(f"{name}.{fault.key}", reason)
        fields = StreamFields(**values)
        try:
            streams.append(_stream(name, fields))
        except OutputError as error:
            raise file.fault(f"{name}.address", str(error)) from None
    return streams


def dict_of(table: object) -> dict[str, object]:
    """A table, or an empty one in place of anything else."""
    return dict(table) if isinstance(table, dict) else {}


def open_to_others(path: Path) -> bool:
    """Whether other users of this computer can read the file with the keys."""
    if os.name != "posix" or not path.exists():
        return False
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def typed_stream(address: str, number: int = 1) -> Stream:
    """A stream of an address as typed, key and all.

    Raises:
        OutputError: it is no address.
    """
    name = "stream" if number == 1 else f"stream {number}"
    return _stream(name, StreamFields(address))


def _stream(name: str, fields: StreamFields) -> Stream:
    try:
        split = urlsplit(fields.address)
        port = split.port
    except ValueError:
        raise OutputError(f"The address of {name} is none; {_HOW}.") from None
    if split.scheme not in SCHEMES or not split.hostname:
        raise OutputError(f"The address of {name} is none; {_HOW}.")
    target = _target(split, port, fields)
    return Stream(
        name, target, LiveSettings(_size(fields.size), fields.rate, fields.kilobits, fields.encoder)
    )


def _target(split: SplitResult, port: int | None, fields: StreamFields) -> Target:
    host, scheme = split.hostname or "", split.scheme
    match scheme:
        case "rtmp" | "rtmps":
            path, key = split.path.strip("/"), fields.key
            if not key:
                path, _, key = path.rpartition("/")
                key += f"?{split.query}" if split.query else ""
            if not path or not key:
                raise OutputError("An RTMP address has an application and a key: rtmp://host/app and key.")
            return RtmpTarget(scheme, host, port or PORTS[scheme], path, key, fields.certificate or None)
        case "srt" | "udp":
            if port is None:
                raise OutputError(f"An address of {scheme} names a port: {scheme}://host:9710.")
            query = {name: values[-1] for name, values in parse_qs(split.query).items()}
            passphrase = fields.passphrase or query.get("passphrase", "")
            if passphrase and not 10 <= len(passphrase) <= 79:
                raise OutputError("A passphrase of SRT has 10 to 79 letters.")
            stream = fields.key or query.get("streamid", "")
            return DatagramTarget(scheme, host, port, passphrase, stream, fields.latency)
        case _:
            plain = "https" if scheme in ("https", "whip") else "http"
            url = f"{plain}://{host}{f':{port}' if port else ''}/…"
            whole = split._replace(scheme=plain).geturl()
            return WhipTarget(whole, url, fields.key)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().replace("×", "x").partition("x")
    if width.isdigit() and height.isdigit():
        size = int(width), int(height)
        if all(not side % 2 and 64 <= side <= 4096 for side in size):
            return size
    raise OutputError("size is WIDTHxHEIGHT, even numbers from 64 to 4096, such as 1280x720.")


def secrets_of(address: str) -> list[str]:
    """What in a typed address nobody should read: a user's name and word, the key, what follows a ``?``."""
    try:
        split = urlsplit(address)
    except ValueError:
        return []
    found = [part for part in (split.username, split.password, split.query) if part]
    key = split.path.rstrip("/").rpartition("/")[2]
    if split.scheme.startswith("rtmp") and key:
        found.append(key)
    elif split.scheme in ("whip", "http", "https") and split.path.strip("/"):
        found.append(split.path.strip("/"))
    return [*found, *(unquote(part) for part in found if unquote(part) != part)]


def split_secret(address: str) -> tuple[str, str]:
    """A typed address as two fields show it: where to, and what nobody should read.

    Both parts are as typed; `whole_address` joins them. What is no address is left as it is.
    """
    address = address.strip()
    try:
        split = urlsplit(address)
    except ValueError:
        return address, ""
    if split.scheme not in SCHEMES or not split.hostname:
        return address, ""
    user, _, place = split.netloc.rpartition("@")
    where, path = f"{split.scheme}://{place}", split.path.strip("/")
    query = f"?{split.query}" if split.query else ""
    match split.scheme:
        case "rtmp" | "rtmps":
            application, _, key = path.rpartition("/")
            if not application:  # of one part there is no key
                return f"{where}/{key}", query
            return f"{where}/{application}", key + query
        case "srt" | "udp":
            return where, query
        case _:
            # A server may want the user's name and word: they go with the rest.
            rest = split.path + query
            return where, address if user else rest if rest != "/" else ""


def whole_address(address: str, secret: str) -> str:
    """The address of which `split_secret` made two; a secret that is an address is the whole."""
    address, secret = address.strip(), secret.strip()
    if not secret or "://" in secret:
        return secret or address
    if secret.startswith(("?", "/")):
        return f"{address.rstrip('/')}{secret}"
    if address.lower().startswith("srt:"):
        return f"{address}?passphrase={quote(secret, safe='')}"
    return f"{address.rstrip('/')}/{secret}"
