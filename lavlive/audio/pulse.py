"""PulseAudio and PipeWire through their own client library: what the machine plays, and its inputs.

PortAudio reaches a sound server only as "default", without its sources' names, and the usual Python
wrapper connects once per process, at import, and never again. A show needs both: sources by name, and a
new connection after the server was restarted. So this speaks to libpulse directly, a connection per
capture, owned by one thread. A stream asks not to be moved: when its source goes away it ends, and the
server does not put another microphone in its place.

The structures and numbers are those of PulseAudio's public headers (introspect.h, stream.h, def.h).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np

from lavlive.audio.block import Clock, check_format
from lavlive.audio.channels import Layout
from lavlive.audio.ring import RING_SECONDS, Ring
from lavlive.errors import SourceError

_FRAGMENT_SECONDS = 0.01
_CONNECT_SECONDS = 2.0
_POLL_MICROSECONDS = 50_000
_SANE_LATENCY = 0.25  # the server's first guesses after a start are far off

_NO_AUTOSPAWN = 1
_CONTEXT_READY, _CONTEXT_FAILED = 4, 5
_STREAM_READY, _STREAM_FAILED = 2, 3
_INTERPOLATE_TIMING, _AUTO_TIMING_UPDATE = 0x2, 0x8
_DONT_MOVE, _ADJUST_LATENCY = 0x200, 0x2000
_FLOAT32 = 5 if sys.byteorder == "little" else 6
# pa_channel_position's first values, and of those above it.
_SPEAKERS = ("FC", "FL", "FR", "FC", "BC", "BL", "BR", "LFE", "FLC", "FRC", "SL", "SR")
_SPEAKERS_ABOVE = {44: "TC", 45: "TFL", 46: "TFR", 47: "TFC", 48: "TBL", 49: "TBR", 50: "TBC"}
_NOT_A_MONITOR = 0xFFFFFFFF
_SERVERS_CHOICE = 0xFFFFFFFF


class _SampleSpec(ctypes.Structure):
    _fields_ = (("format", c_int), ("rate", c_uint32), ("channels", c_uint8))


class _ChannelMap(ctypes.Structure):
    _fields_ = (("channels", c_uint8), ("map", c_int * 32))


class _Volume(ctypes.Structure):
    _fields_ = (("channels", c_uint8), ("values", c_uint32 * 32))


class _SourceInfo(ctypes.Structure):
    """The beginning of pa_source_info, as far as it is read here."""

    _fields_ = (
        ("name", c_char_p),
        ("index", c_uint32),
        ("description", c_char_p),
        ("sample_spec", _SampleSpec),
        ("channel_map", _ChannelMap),
        ("owner_module", c_uint32),
        ("volume", _Volume),
        ("mute", c_int),
        ("monitor_of_sink", c_uint32),
        ("monitor_of_sink_name", c_char_p),
    )


class _ServerInfo(ctypes.Structure):
    """The beginning of pa_server_info, as far as it is read here."""

    _fields_ = (
        ("user_name", c_char_p),
        ("host_name", c_char_p),
        ("server_version", c_char_p),
        ("server_name", c_char_p),
        ("sample_spec", _SampleSpec),
        ("default_sink_name", c_char_p),
        ("default_source_name", c_char_p),
    )


class _BufferAttributes(ctypes.Structure):
    _fields_ = tuple((name, c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize"))


_SourceCallback = ctypes.CFUNCTYPE(None, c_void_p, POINTER(_SourceInfo), c_int, c_void_p)
_ServerCallback = ctypes.CFUNCTYPE(None, c_void_p, POINTER(_ServerInfo), c_void_p)

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "pa_mainloop_new": (c_void_p, ()),
    "pa_mainloop_free": (None, (c_void_p,)),
    "pa_mainloop_get_api": (c_void_p, (c_void_p,)),
    "pa_mainloop_prepare": (c_int, (c_void_p, c_int)),
    "pa_mainloop_poll": (c_int, (c_void_p,)),
    "pa_mainloop_dispatch": (c_int, (c_void_p,)),
    "pa_context_new": (c_void_p, (c_void_p, c_char_p)),
    "pa_context_connect": (c_int, (c_void_p, c_char_p, c_int, c_void_p)),
    "pa_context_disconnect": (None, (c_void_p,)),
    "pa_context_unref": (None, (c_void_p,)),
    "pa_context_get_state": (c_int, (c_void_p,)),
    "pa_context_errno": (c_int, (c_void_p,)),
    "pa_strerror": (c_char_p, (c_int,)),
    "pa_context_get_server_info": (c_void_p, (c_void_p, _ServerCallback, c_void_p)),
    "pa_context_get_source_info_list": (c_void_p, (c_void_p, _SourceCallback, c_void_p)),
    "pa_operation_get_state": (c_int, (c_void_p,)),
    "pa_operation_unref": (None, (c_void_p,)),
    "pa_stream_new": (c_void_p, (c_void_p, c_char_p, POINTER(_SampleSpec), POINTER(_ChannelMap))),
    "pa_stream_connect_record": (c_int, (c_void_p, c_char_p, POINTER(_BufferAttributes), c_int)),
    "pa_stream_disconnect": (c_int, (c_void_p,)),
    "pa_stream_unref": (None, (c_void_p,)),
    "pa_stream_get_state": (c_int, (c_void_p,)),
    "pa_stream_peek": (c_int, (c_void_p, POINTER(c_void_p), POINTER(c_size_t))),
    "pa_stream_drop": (c_int, (c_void_p,)),
    "pa_stream_get_latency": (c_int, (c_void_p, POINTER(c_uint64), POINTER(c_int))),
}


@functools.cache
def _library() -> Any:
    name = ctypes.util.find_library("pulse") or "libpulse.so.0"
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise SourceError("PulseAudio's client library (libpulse) is not installed") from error
    for function, (result, arguments) in _SIGNATURES.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


@dataclass(frozen=True, slots=True)
class PulseSource:
    """A source of the sound server: an input, or the monitor of an output.

    Attributes:
        id: the server's own name, unique and stable over replugs.
        description: what a desktop shows.
        rate: hertz.
        channels: 1–32.
        monitor: it gives what an output plays.
        default: it is the server's default input, or the monitor of its default output.
        channel_map: the library's own description of which channel is which loudspeaker.
    """

    id: str
    description: str
    rate: int
    channels: int
    monitor: bool
    default: bool
    channel_map: bytes

    @property
    def layout(self) -> Layout:
        """The loudspeaker of each channel of a monitor; () of an input, where it tells nothing.

        The server calls the eight inputs of an interface "7.1" too.
        """
        positions = list(_ChannelMap.from_buffer_copy(self.channel_map).map)[: self.channels]
        names = [
            _SPEAKERS[position] if 0 <= position < len(_SPEAKERS) else _SPEAKERS_ABOVE.get(position, "")
            for position in positions
        ]
        return tuple(names) if self.monitor and all(names) else ()


class _Connection:
    """A connection to the server with its main loop; for one thread at a time."""

    def __init__(self) -> None:
        self.library = _library()
        self._loop = self.library.pa_mainloop_new()
        api = self.library.pa_mainloop_get_api(self._loop)
        self.context = self.library.pa_context_new(api, b"lavlive")
        try:
            self.library.pa_context_connect(self.context, None, _NO_AUTOSPAWN, None)
            self.wait(lambda: self.context_state == _CONTEXT_READY)
        except SourceError:
            self.close()
            raise

    @property
    def context_state(self) -> int:
        return int(self.library.pa_context_get_state(self.context))

    @property
    def reason(self) -> str:
        return str(self.library.pa_strerror(self.library.pa_context_errno(self.context)).decode())

    def turn(self) -> None:
        """Let the library work: wait a moment for the server, then handle what came."""
        if self.library.pa_mainloop_prepare(self._loop, _POLL_MICROSECONDS) >= 0:
            self.library.pa_mainloop_poll(self._loop)
            self.library.pa_mainloop_dispatch(self._loop)

    def wait(self, done: Callable[[], bool]) -> None:
        """Turn until it is done.

        Raises:
            SourceError: the server is not there, went away, or does not answer.
        """
        give_up = time.monotonic() + _CONNECT_SECONDS
        while not done():
            if self.context_state >= _CONTEXT_FAILED:
                raise SourceError(f"the sound server (PulseAudio or PipeWire) is not there: {self.reason}")
            if time.monotonic() > give_up:
                raise SourceError("the sound server (PulseAudio or PipeWire) does not answer")
            self.turn()

    def finish(self, operation: int) -> None:
        """Wait for an operation to end."""
        try:
            self.wait(lambda: self.library.pa_operation_get_state(operation) != 0)
        finally:
            self.library.pa_operation_unref(operation)

    def close(self) -> None:
        self.library.pa_context_disconnect(self.context)
        self.library.pa_context_unref(self.context)
        self.library.pa_mainloop_free(self._loop)


@contextmanager
def _connected() -> Iterator[_Connection]:
    connection = _Connection()
    try:
        yield connection
    finally:
        connection.close()


def list_sources() -> list[PulseSource]:
    """All sources of the sound server.

    Raises:
        SourceError: there is no server, or no client library.
    """
    with _connected() as connection:
        return _sources(connection)


def _sources(connection: _Connection) -> list[PulseSource]:
    defaults: set[bytes] = set()
    found: list[PulseSource] = []

    def on_server(_context: int, info: Any, _data: int) -> None:
        if info:
            defaults.update((info.contents.default_source_name, info.contents.default_sink_name))

    def on_source(_context: int, info: Any, end: int, _data: int) -> None:
        if not end and info:
            source = info.contents
            monitor = source.monitor_of_sink != _NOT_A_MONITOR
            found.append(
                PulseSource(
                    source.name.decode(errors="replace"),
                    (source.description or source.name).decode(errors="replace"),
                    int(source.sample_spec.rate),
                    int(source.sample_spec.channels),
                    monitor,
                    (source.monitor_of_sink_name if monitor else source.name) in defaults,
                    bytes(source.channel_map),
                )
            )

    server_callback, source_callback = _ServerCallback(on_server), _SourceCallback(on_source)
    library = connection.library
    connection.finish(library.pa_context_get_server_info(connection.context, server_callback, None))
    connection.finish(library.pa_context_get_source_info_list(connection.context, source_callback, None))
    return found


class PulseCapture:
    """Records one source of the sound server into a ring, from a thread of its own.

    Args:
        source_id: the server's own name of the source.
        clock: seconds.

    Raises:
        SourceError: the server or the source is not there.
    """

    def __init__(self, source_id: str, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self._connection = _Connection()
        self._stream = 0
        try:
            source = self._find(source_id)
            self.name, self.address = source.description, source.id
            check_format(source.rate, source.channels, source.description)
            self.ring = Ring(RING_SECONDS, source.rate, source.channels, source.layout)
            self._stream = self._open(source)
        except SourceError:
            self._connection.close()
            raise
        self.heard = clock()
        self.ended = False
        self._failure: str | None = None
        self._gap = False
        self.notices: deque[str] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse capture", daemon=True)

    def start(self) -> None:
        """Let sound come."""
        self.heard = self._clock()
        self._thread.start()

    def tend(self, now: float) -> str | None:
        """Why the source can no longer be used, or None."""
        return self._failure

    def close(self) -> None:
        """Let go of the server."""
        self._stop.set()
        if self._thread.ident is None:
            self._free()
        else:
            self._thread.join(2 * _CONNECT_SECONDS)

    def _find(self, source_id: str) -> PulseSource:
        for source in _sources(self._connection):
            if source.id == source_id:
                return source
        raise SourceError(f"the sound server has no source {source_id!r} now")

    def _open(self, source: PulseSource) -> int:
        library = self._connection.library
        specification = _SampleSpec(_FLOAT32, source.rate, source.channels)
        channel_map = _ChannelMap.from_buffer_copy(source.channel_map)
        stream = library.pa_stream_new(self._connection.context, b"pictures", specification, channel_map)
        if not stream:
            raise SourceError(f"{source.description}: {self._connection.reason}")
        fragment = max(1, round(_FRAGMENT_SECONDS * source.rate)) * source.channels * 4
        attributes = _BufferAttributes(*[_SERVERS_CHOICE] * 4, fragment)
        flags = _DONT_MOVE | _ADJUST_LATENCY | _INTERPOLATE_TIMING | _AUTO_TIMING_UPDATE
        library.pa_stream_connect_record(stream, source.id.encode(), attributes, flags)
        try:
            self._connection.wait(lambda: library.pa_stream_get_state(stream) >= _STREAM_READY)
            if library.pa_stream_get_state(stream) >= _STREAM_FAILED:
                raise SourceError(f"{source.description} cannot be recorded: {self._connection.reason}")
        except SourceError:
            library.pa_stream_unref(stream)
            raise
        return int(stream)

    def _run(self) -> None:
        library = self._connection.library
        while not self._stop.is_set():
            self._connection.turn()
            if self._connection.context_state >= _CONTEXT_FAILED:
                self._failure = "the sound server went away"
                break
            if library.pa_stream_get_state(self._stream) >= _STREAM_FAILED:
                self._failure = "the sound server has closed this source"
                break
            self._drain()
        self._free()

    def _drain(self) -> None:
        """Move all that has arrived into the ring."""
        library = self._connection.library
        data, size = c_void_p(), c_size_t()
        pieces: list[bytes] = []
        while library.pa_stream_peek(self._stream, data, size) >= 0 and size.value:
            if data.value:
                pieces.append(ctypes.string_at(data.value, size.value))
            else:  # a hole: the server had to throw sound away
                self._gap = True
            library.pa_stream_drop(self._stream)
        if pieces:
            now = self._clock()
            block = np.frombuffer(b"".join(pieces), np.float32).reshape(-1, self.ring.channels)
            self.ring.write(block, now - self._latency(), self._gap)
            self._gap = False
            self.heard = now

    def _latency(self) -> float:
        """Seconds since the newest sample was captured; negative when its output will play it only later."""
        latency, negative = c_uint64(), c_int()
        if self._connection.library.pa_stream_get_latency(self._stream, latency, negative) < 0:
            return 0.0
        seconds = latency.value / 1e6
        return 0.0 if seconds > _SANE_LATENCY else -seconds if negative.value else seconds

    def _free(self) -> None:
        self._connection.library.pa_stream_disconnect(self._stream)
        self._connection.library.pa_stream_unref(self._stream)
        self._connection.close()
