"""Where an MPEG transport stream goes: UDP, and SRT through libsrt."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import socket
import struct
import sys
from dataclasses import dataclass, field
from typing import Any

from lavlive.errors import OutputError, OutputMissingError

_PACKET = 188
"""Bytes of a packet of a transport stream."""
DATAGRAM = 7 * _PACKET
"""Bytes at most: seven packets, which fit any network."""


@dataclass(frozen=True, slots=True)
class DatagramTarget:
    """Where to; `passphrase` and `stream` are secrets, and SRT's alone, like `latency` (milliseconds)."""

    scheme: str
    host: str
    port: int
    passphrase: str = field(default="", repr=False)
    stream: str = field(default="", repr=False)
    latency: int = 200

    @property
    def url(self) -> str:
        """The address without secrets."""
        return f"{self.scheme}://{self.host}:{self.port}"


class _Datagrams:
    """Cuts what a muxer writes into datagrams of whole packets.

    What is there is sent, though it fill no datagram: the end of a picture must not wait for the next one.
    """

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Take what the muxer writes.

        Raises:
            OutputError: it cannot be sent.
        """
        self._waiting += data
        while whole := min(len(self._waiting) // _PACKET * _PACKET, DATAGRAM):
            self._send(bytes(self._waiting[:whole]))
            del self._waiting[:whole]
        return len(data)

    def _send(self, data: bytes) -> None:
        raise NotImplementedError


class UdpSender(_Datagrams):
    """Sends datagrams; nobody knows whether anybody takes them.

    Raises:
        OutputError: the host is unknown.
    """

    def __init__(self, target: DatagramTarget) -> None:
        super().__init__()
        self._target = target
        family, self._address = _resolve(target)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        if family == socket.AF_INET:
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, self._address)
        except ConnectionRefusedError:  # a receiver on this machine that has ended; it may begin again
            pass
        except OSError as error:
            raise OutputError(f"{self._target.url}: {error.strerror or type(error).__name__}.") from None

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


# libsrt's names for the options that we set (srt.h)
_SENDER_TIMEOUT, _LATENCY, _PASSPHRASE, _CONNECT_TIMEOUT, _STREAM = 13, 23, 26, 36, 46
_REJECTED = {10: "the passphrase is wrong", 11: "a passphrase is wanted"}
"""Reasons of a receiver that a performer can do something about (SRT_REJ_BADSECRET, SRT_REJ_UNSECURE)."""


class SrtSender(_Datagrams):
    """Calls an SRT receiver and sends to it, in libsrt's live mode.

    Args:
        seconds: a receiver that answers or takes nothing for so long is left.

    Raises:
        OutputMissingError: there is no libsrt.
        OutputError: the receiver cannot be reached, or refuses.
    """

    def __init__(self, target: DatagramTarget, seconds: float = 4.0) -> None:
        super().__init__()
        self._target = target
        self._srt = srt_library()
        family, address = _resolve(target)
        self._handle = self._srt.srt_create_socket()
        milliseconds = int(seconds * 1000)
        self._set(_CONNECT_TIMEOUT, milliseconds)
        self._set(_SENDER_TIMEOUT, milliseconds)
        self._set(_LATENCY, target.latency)
        if target.passphrase:
            self._set(_PASSPHRASE, target.passphrase.encode())
        if target.stream:
            self._set(_STREAM, target.stream.encode())
        raw = _raw_address(family, address)
        if self._srt.srt_connect(self._handle, raw, len(raw)) < 0:
            rejected = _REJECTED.get(self._srt.srt_getrejectreason(self._handle))
            reason = rejected or self._why()
            self.close()
            raise OutputError(f"{target.url} cannot be reached: {reason}.")

    def _set(self, option: int, value: int | bytes) -> None:
        raw = struct.pack("i", value) if isinstance(value, int) else value
        if self._srt.srt_setsockflag(self._handle, option, raw, len(raw)) < 0:
            reason = self._why()
            self.close()
            raise OutputError(f"{self._target.url}: SRT refuses its settings: {reason}.")

    def _why(self) -> str:
        return str(self._srt.srt_getlasterror_str().decode("utf-8", "replace")).strip(". ")

    def _send(self, data: bytes) -> None:
        if self._srt.srt_sendmsg(self._handle, data, len(data), -1, 1) < 0:
            # libsrt's reason is one of two, by chance: that it broke, or that it is forgotten.
            raise OutputError(f"{self._target.url} takes the stream no more.")

    def close(self) -> None:
        """End the connection; a second call does nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            self._srt.srt_close(handle)


@functools.cache
def srt_library() -> Any:
    """libsrt, started.

    Raises:
        OutputMissingError: this machine has none.
    """
    names = [ctypes.util.find_library(name) for name in ("srt-gnutls", "srt-openssl", "srt")]
    if sys.platform == "win32":
        names.append("srt.dll")
    for name in filter(None, names):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        integer, text = ctypes.c_int, ctypes.c_char_p
        library.srt_getlasterror_str.restype = text
        library.srt_setsockflag.argtypes = [integer, integer, text, integer]
        library.srt_connect.argtypes = [integer, text, integer]
        library.srt_sendmsg.argtypes = [integer, text, integer, integer, integer]
        library.srt_startup()
        return library
    raise OutputMissingError("SRT needs libsrt: apt install libsrt1.5-gnutls, or brew install srt.")


def _resolve(target: DatagramTarget) -> tuple[int, Any]:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise OutputError(f"{target.host} is not known: {error.strerror or type(error).__name__}.") from None
    return found[0][0], found[0][4]


def _raw_address(family: int, address: Any) -> bytes:
    """A socket address as C has it."""
    kind = struct.pack("BB", 28, family) if sys.platform == "darwin" else struct.pack("H", family)
    port = struct.pack(">H", address[1])
    if family == socket.AF_INET6:
        return (
            kind
            + port
            + struct.pack(">I", address[2])
            + socket.inet_pton(family, address[0])
            + struct.pack("I", address[3])
        )
    return kind + port + socket.inet_aton(address[0]) + bytes(8)
