"""RTMP and RTMPS: publishes what an FLV muxer writes (Adobe's RTMP specification 1.0).

Ours rather than ffmpeg's, which can be given neither a time after which a server that does not read is left,
nor certificates to check by default, and which writes the address with its key into its messages.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from lavlive.errors import OutputError

PORTS = {"rtmp": 1935, "rtmps": 443}
_CHUNK = 65_536
_HANDSHAKE = 1536
_SET_CHUNK, _USER_CONTROL = 1, 4
_VIDEO, _SCRIPT, _COMMAND = 9, 18, 20
_PING, _PONG = 6, 7
_FLV_HEADER, _TAG_HEADER, _TAG_END = 13, 11, 4
_LARGEST_MESSAGE = 1 << 20


@dataclass(frozen=True, slots=True)
class RtmpTarget:
    """Where to publish; `key` is a secret."""

    scheme: str
    host: str
    port: int
    app: str
    key: str = field(repr=False)
    certificate: str | None = None

    @property
    def url(self) -> str:
        """The address without the key."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}/{self.app}"


class RtmpPublisher:
    """A file to which an FLV muxer writes. One thread.

    Args:
        target: where to.
        seconds: a server that answers or reads nothing for so long is left.

    Raises:
        OutputError: it cannot be reached, or refuses.
    """

    def __init__(self, target: RtmpTarget, seconds: float = 8.0) -> None:
        self._target = target
        self._waiting = bytearray()
        self._header_seen = False
        self._number = 0
        self._chunk = 128
        self._socket = _connect(target, seconds)
        self._reader = _Messages()
        try:
            self._greet()
            self._publish()
        except TimeoutError:
            self.close()
            raise OutputError(f"{target.host} does not answer like an RTMP server.") from None
        except OSError as error:
            self.close()
            raise OutputError(f"{target.host} ended the connection: {_reason(error)}.") from None
        except OutputError:
            self.close()
            raise

    def write(self, data: bytes) -> int:
        """Take what the muxer writes.

        Raises:
            OutputError: the server is gone, reads too slowly, or has ended the stream.
        """
        self._waiting += data
        try:
            for kind, time, body in self._tags():
                if kind == _SCRIPT:
                    body = _amf("@setDataFrame") + body
                self._send(kind, body, stream=self._stream, channel=6 if kind == _VIDEO else 4, time=time)
            self._answer()
        except TimeoutError:
            raise OutputError(f"{self._target.host} does not take the stream fast enough.") from None
        except OSError as error:
            raise OutputError(f"{self._target.host} ended the stream: {_reason(error)}.") from None
        return len(data)

    def close(self) -> None:
        """End the stream and the connection; never raises."""
        try:
            if hasattr(self, "_stream"):
                self._socket.settimeout(1.0)
                self._command("FCUnpublish", None, self._target.key)
                self._command("deleteStream", None, float(self._stream))
        except OSError:
            pass
        finally:
            self._socket.close()

    # The beginning

    def _greet(self) -> None:
        first = struct.pack(">II", 0, 0) + os.urandom(_HANDSHAKE - 8)
        self._socket.sendall(b"\x03" + first)
        answer = self._read_exactly(1 + _HANDSHAKE)
        if answer[0] != 3:
            raise OutputError(f"{self._target.host} is no RTMP server.")
        self._socket.sendall(answer[1:])
        self._read_exactly(_HANDSHAKE)

    def _publish(self) -> None:
        target = self._target
        self._send(_SET_CHUNK, struct.pack(">I", _CHUNK), channel=2)
        self._chunk = _CHUNK
        url = f"{target.scheme}://{target.host}:{target.port}/{target.app}"
        self._command(
            "connect",
            {"app": target.app, "type": "nonprivate", "flashVer": "FMLE/3.0 (lavlive)", "tcUrl": url},
        )
        self._result("connection")
        self._command("releaseStream", None, target.key)
        self._command("FCPublish", None, target.key)
        number = self._command("createStream", None)
        values = self._result("stream", number)
        self._stream_id(values)
        self._command("publish", None, target.key, "live", stream=self._stream)
        self._started()

    def _stream_id(self, values: list[object]) -> None:
        number = values[-1] if values else None
        if not isinstance(number, float):
            raise OutputError(f"{self._target.host} gives no stream to publish to.")
        self._stream = int(number)

    def _result(self, what: str, number: int = 1) -> list[object]:
        while True:
            name, *values = self._next_command()
            if name == "_result" and values and values[0] == float(number):
                return values
            if name == "_error" and values and values[0] == float(number):
                raise OutputError(
                    f"{self._target.host} refuses the {what}{_code(values)}; check the address."
                )

    def _started(self) -> None:
        while True:
            name, *values = self._next_command()
            code = _code(values)
            if name == "onStatus" and "Publish.Start" in code:
                return
            if name in ("onStatus", "_error") and ("Start" not in code):
                raise OutputError(f"{self._target.host} refuses the stream{code}; check address and key.")

    # Messages

    def _command(self, name: str, first: object, *rest: object, stream: int = 0) -> int:
        self._number += 1
        body = b"".join(_amf(value) for value in (name, float(self._number), first, *rest))
        self._send(_COMMAND, body, stream=stream, channel=8 if stream else 3)
        return self._number

    def _send(self, kind: int, body: bytes, channel: int, stream: int = 0, time: int = 0) -> None:
        time &= 0xFFFFFFFF
        late = time >= 0xFFFFFF
        head = struct.pack(">B", channel)
        head += struct.pack(">I", 0xFFFFFF if late else time)[1:] + struct.pack(">I", len(body))[1:]
        head += struct.pack(">B", kind) + struct.pack("<I", stream)
        extended = struct.pack(">I", time) if late else b""
        size = self._chunk
        pieces = [head + extended + body[:size]]
        further = struct.pack(">B", 0xC0 | channel) + extended
        pieces += [further + body[start : start + size] for start in range(size, len(body), size)]
        self._socket.sendall(b"".join(pieces))

    def _next_command(self) -> list[object]:
        while True:
            for kind, body in self._reader.messages():
                if kind == _COMMAND:
                    return _read_amf(body)
                self._obey(kind, body)
            self._reader.feed(self._receive())

    def _receive(self) -> bytes:
        data = self._socket.recv(65_536)
        if not data:
            raise OutputError(f"{self._target.host} ended the connection; check address and key.")
        return data

    def _answer(self) -> None:
        """Read what the server says meanwhile, without waiting."""
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        while pending or select.select([self._socket], [], [], 0)[0]:
            self._reader.feed(self._receive())
            pending = False
        for kind, body in self._reader.messages():
            if kind != _COMMAND:
                self._obey(kind, body)
                continue
            name, *values = _read_amf(body)
            if name == "onStatus" and "Publish.Start" not in (code := _code(values)):
                raise OutputError(f"{self._target.host} ended the stream{code}.")

    def _obey(self, kind: int, body: bytes) -> None:
        if kind == _USER_CONTROL and body[:2] == struct.pack(">H", _PING):
            self._send(_USER_CONTROL, struct.pack(">H", _PONG) + body[2:6], channel=2)

    def _read_exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise OutputError(f"{self._target.host} ended the connection; it is no RTMP server.")
            data += piece
        return bytes(data)

    def _tags(self) -> Iterator[tuple[int, int, bytes]]:
        """Kind, milliseconds and body of each whole tag that has come."""
        if not self._header_seen:
            if len(self._waiting) < _FLV_HEADER:
                return
            del self._waiting[:_FLV_HEADER]
            self._header_seen = True
        while len(self._waiting) >= _TAG_HEADER:
            size = int.from_bytes(self._waiting[1:4], "big")
            whole = _TAG_HEADER + size + _TAG_END
            if len(self._waiting) < whole:
                return
            kind = self._waiting[0] & 0x1F
            time = int.from_bytes(self._waiting[4:7], "big") | self._waiting[7] << 24
            body = bytes(self._waiting[_TAG_HEADER : _TAG_HEADER + size])
            del self._waiting[:whole]
            yield kind, time, body


def _connect(target: RtmpTarget, seconds: float) -> socket.socket:
    try:
        plain = socket.create_connection((target.host, target.port), timeout=seconds)
    except TimeoutError:
        raise OutputError(f"{target.host}:{target.port} does not answer; is the address right?") from None
    except OSError as error:
        raise OutputError(f"{target.host}:{target.port} cannot be reached: {_reason(error)}.") from None
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if target.scheme == "rtmp":
        return plain
    context = ssl.create_default_context()
    try:
        if target.certificate is not None:
            context.load_verify_locations(target.certificate)
        return context.wrap_socket(plain, server_hostname=target.host)
    except (OSError, ValueError) as error:  # ssl's errors are of this kind
        plain.close()
        raise OutputError(f"{target.host} cannot be reached safely: {_reason(error)}.") from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__)


class _Messages:
    """Puts what comes in chunks together; only the first chunk of a message has a whole head."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._size = 128
        self._heads: dict[int, tuple[int, int, bool]] = {}
        self._bodies: dict[int, bytearray] = {}
        self._done: list[tuple[int, bytes]] = []

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._data += data
        while self._chunk():
            pass

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """Kind and body of the messages that are whole, each once."""
        while self._done:
            yield self._done.pop(0)

    def _chunk(self) -> bool:
        data = self._data
        if not data:
            return False
        form, channel = data[0] >> 6, data[0] & 0x3F
        at = 1
        if channel < 2:  # a longer number of the channel
            if len(data) < 2 + channel:
                return False
            channel = 64 + data[1] + (data[2] << 8 if channel else 0)
            at = 3 if data[0] & 0x3F else 2
        head = (11, 7, 3, 0)[form]
        if len(data) < at + head:
            return False
        length, kind, extended = self._heads.get(channel, (0, 0, False))
        if form < 3:
            extended = bytes(data[at : at + 3]) == b"\xff\xff\xff"
        if form < 2:
            length, kind = int.from_bytes(data[at + 3 : at + 6], "big"), data[at + 6]
        if length > _LARGEST_MESSAGE:
            raise OutputError("The server sends what is no RTMP.")
        at += head + (4 if extended else 0)
        body = self._bodies.setdefault(channel, bytearray())
        piece = min(self._size, length - len(body))
        if len(data) < at + piece:
            return False
        body += data[at : at + piece]
        del data[: at + piece]
        self._heads[channel] = length, kind, extended
        if len(body) == length:
            del self._bodies[channel]
            if kind == _SET_CHUNK and length >= 4:
                self._size = max(1, int.from_bytes(body[:4], "big") & 0x7FFFFFFF)
            self._done.append((kind, bytes(body)))
        return True


# AMF0, as far as RTMP's commands need it


def _amf(value: object) -> bytes:
    match value:
        case None:
            return b"\x05"
        case bool():
            return b"\x01" + bytes([value])
        case float() | int():
            return b"\x00" + struct.pack(">d", value)
        case str():
            return b"\x02" + _text(value)
        case dict():
            return b"\x03" + b"".join(_text(key) + _amf(each) for key, each in value.items()) + b"\0\0\x09"
        case _:
            raise TypeError(f"no AMF value: {type(value).__name__}")


def _text(text: str) -> bytes:
    data = text.encode("utf-8")
    return struct.pack(">H", len(data)) + data


def _read_amf(data: bytes) -> list[object]:
    """The values of a command; what cannot be read ends them."""
    values: list[object] = []
    at = 0
    try:
        while at < len(data):
            value, at = _read_value(data, at)
            values.append(value)
    except (struct.error, IndexError, ValueError):
        pass
    return values or [""]


def _read_value(data: bytes, at: int) -> tuple[object, int]:
    kind, at = data[at], at + 1
    match kind:
        case 0:
            return struct.unpack_from(">d", data, at)[0], at + 8
        case 1:
            return bool(data[at]), at + 1
        case 2:
            return _read_text(data, at)
        case 3 | 8:
            return _read_object(data, at + (4 if kind == 8 else 0))
        case 5 | 6:
            return None, at
        case _:
            raise ValueError(kind)


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">H", data, at)
    return data[at + 2 : at + 2 + length].decode("utf-8", "replace"), at + 2 + length


def _read_object(data: bytes, at: int) -> tuple[dict[str, object], int]:
    found: dict[str, object] = {}
    while data[at : at + 3] != b"\0\0\x09":
        key, at = _read_text(data, at)
        found[key], at = _read_value(data, at)
    return found, at + 3


def _code(values: list[object]) -> str:
    """The server's short word for what happened. Its longer text may hold the key, and is left out."""
    for value in values:
        if isinstance(value, dict) and isinstance(value.get("code"), str):
            return f" ({value['code'][:60]})"
    return ""
