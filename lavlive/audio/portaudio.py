"""PortAudio: line-ins on every system, and the loudspeakers for a track played aloud.

PortAudio lists the devices once, when it is initialised. To see a device that came back it has to be
initialised anew, which is only allowed while no stream is open; the streams opened here are counted.

Its C libraries write to the process's standard error while they look for devices. That says nothing to a
user, so it is kept quiet for as long as the look takes.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from lavlive.audio.block import Clock, Samples, check_format, stall_limit
from lavlive.audio.ring import RING_SECONDS, Ring
from lavlive.errors import SourceError

Fill = Callable[[Samples, float, bool], None]

_LATENCY = 0.03
"""Seconds of the driver's buffer: three blocks of 10 ms, so that a busy machine is not an xrun."""
_SANE_DELAY = 0.5
_CLOSE_SECONDS = 3.0

_guard = threading.RLock()
_quiet_guard = threading.Lock()
_quiet_depth = 0
_kept_error = -1
_open_streams = 0
_closing: list[threading.Thread] = []


@contextmanager
def quiet_standard_error() -> Iterator[None]:
    """Send what C libraries print to standard error nowhere.

    The descriptor is the whole process's: whoever comes first sends it away, whoever leaves last brings it
    back. No lock is held in between, for a driver may hang there.
    """
    _begin_quiet()
    try:
        yield
    finally:
        _end_quiet()


def _begin_quiet() -> None:
    global _quiet_depth, _kept_error
    with _quiet_guard:
        _quiet_depth += 1
        if _quiet_depth > 1:
            return
        try:
            _kept_error = os.dup(2)
        except OSError:  # there is no standard error, as under pythonw
            _kept_error = -1
            return
        if sys.stderr is not None:
            sys.stderr.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


def _end_quiet() -> None:
    global _quiet_depth, _kept_error
    with _quiet_guard:
        _quiet_depth -= 1
        if _quiet_depth or _kept_error < 0:
            return
        os.dup2(_kept_error, 2)
        os.close(_kept_error)
        _kept_error = -1


def library() -> Any:
    """The module sounddevice, imported when first needed, for the import already asks for all devices.

    Raises:
        SourceError: PortAudio is not installed or cannot start.
    """
    with _guard, quiet_standard_error():
        try:
            import sounddevice
        except OSError as error:
            raise SourceError("PortAudio is not installed (on Debian: apt install libportaudio2)") from error
        except Exception as error:  # sounddevice.PortAudioError, which cannot be named before the import
            raise SourceError(f"PortAudio cannot start: {error}") from error
    return sounddevice


def look_again() -> None:
    """Make PortAudio look for devices again, if no stream is open.

    Raises:
        SourceError: PortAudio cannot start, or a driver hangs.
    """
    sounddevice = library()
    with _guard, quiet_standard_error():
        if hangs():
            raise SourceError("a sound driver does not let go of a device")
        if _open_streams:
            return
        try:
            # Where it could not start the last time, there is nothing to end.
            with suppress(sounddevice.PortAudioError):
                sounddevice._terminate()
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise SourceError(f"PortAudio cannot start: {error}") from error


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of PortAudio's list: its index, name, driver system, channels, usual rate; default or not."""

    index: int
    name: str
    system: str
    channels: int
    rate: int
    default: bool


def entries(kind: Literal["input", "output"]) -> list[Entry]:
    """PortAudio's devices that have inputs, or outputs, as they are now, unless a stream is open.

    Raises:
        SourceError: PortAudio is not there, or a driver hangs.
    """
    sounddevice = library()
    look_again()
    with _guard, quiet_standard_error():
        systems = sounddevice.query_hostapis()
        found = sounddevice.query_devices()
        default = sounddevice.default.device[0 if kind == "input" else 1]
    return [
        Entry(
            int(device["index"]),
            str(device["name"]),
            str(systems[device["hostapi"]]["name"]),
            int(device[f"max_{kind}_channels"]),
            round(device["default_samplerate"]),
            device["index"] == default
            or (default < 0 and device["index"] == systems[device["hostapi"]][f"default_{kind}_device"]),
        )
        for device in found
        if device[f"max_{kind}_channels"] > 0
    ]


def _query(index: int) -> Any:
    sounddevice = library()
    try:
        return sounddevice.query_devices(index)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise SourceError(f"the device with index {index} went away") from error


def plays(index: int, rate: int, channels: int) -> bool:
    """Whether an output takes this rate."""
    sounddevice = library()
    with _guard, quiet_standard_error():
        most = int(_query(index)["max_output_channels"])
        try:
            sounddevice.check_output_settings(index, min(channels, most), "float32", samplerate=rate)
        except (sounddevice.PortAudioError, ValueError):
            return False
    return True


def hangs() -> bool:
    """A driver does not let go of a stream; if that lasts, only a new process can use PortAudio again."""
    _closing[:] = [thread for thread in _closing if thread.is_alive()]
    return bool(_closing)


class _Stream:
    """An open PortAudio stream that is counted, and closed without ever hanging the caller."""

    def __init__(self, open_stream: Callable[[Any], Any], name: str) -> None:
        global _open_streams
        sounddevice = library()
        with _guard, quiet_standard_error():
            try:
                self._stream = open_stream(sounddevice)
            except (sounddevice.PortAudioError, ValueError) as error:
                raise SourceError(f"{name} cannot be opened: {_plain(error)}") from error
            _open_streams += 1
        self.rate = round(self._stream.samplerate)
        self.name = name
        self._error = sounddevice.PortAudioError

    @property
    def active(self) -> bool:
        return bool(self._stream.active)

    def start(self) -> None:
        try:
            with quiet_standard_error():
                self._stream.start()
        except self._error as error:
            raise SourceError(f"{self.name} cannot be started: {_plain(error)}") from error

    def close(self) -> None:
        closing = threading.Thread(target=self._close, name="portaudio close", daemon=True)
        _closing.append(closing)
        closing.start()
        closing.join(_CLOSE_SECONDS)

    def _close(self) -> None:
        global _open_streams
        self._stream.close(ignore_errors=True)
        with _guard:
            _open_streams -= 1


def _plain(error: Exception) -> str:
    return str(error.args[0] if error.args else error)


class InputCapture:
    """Records a PortAudio input into a ring; the callback copies, counts and returns.

    Args:
        index: PortAudio's, valid since the last look.
        clock: seconds.
        channels: how many to open, from the first on.

    Raises:
        SourceError: the device cannot be opened.
    """

    ended = False

    def __init__(self, index: int, clock: Clock, channels: int) -> None:
        device = _query(index)
        self.name = self.address = str(device["name"])
        most = int(device["max_input_channels"])
        wanted = min(most, channels)
        rate = float(device["default_samplerate"])
        check_format(rate, wanted, self.name)
        self._clock = clock
        self._stream = _Stream(
            lambda sounddevice: sounddevice.InputStream(
                device=index,
                channels=wanted,
                samplerate=rate,
                dtype="float32",
                latency=_LATENCY,
                callback=self._on_block,
            ),
            self.name,
        )
        self.ring = Ring(RING_SECONDS, self._stream.rate, wanted)
        self.heard = clock()
        self.notices: deque[str] = deque()

    def start(self) -> None:
        """Let sound come."""
        self.heard = self._clock()
        self._stream.start()

    def tend(self, now: float) -> str | None:
        """Why the device can no longer be used, or None."""
        return None if self._stream.active else "the device went away"

    def close(self) -> None:
        """Let go of the device."""
        self._stream.close()

    def _on_block(self, samples: Samples, frames: int, times: Any, status: Any) -> None:
        try:
            now = self._clock()
            last = times.inputBufferAdcTime + frames / self.ring.rate
            delay = times.currentTime - last
            self.ring.write(samples, now - delay if 0 <= delay < _SANE_DELAY else now, bool(status))
            self.heard = now
        except Exception:  # an exception would end the stream, and the show has to go on
            self.ring.xruns += 1


class Speaker:
    """The loudspeakers: an output that asks for its sound block by block.

    Args:
        index: PortAudio's, valid since the last look.
        rate: hertz.
        channels: of the track; an output with fewer plays the first ones.
        fill: called in the callback with a zeroed float32 [n, channels] to fill, the time at which its
            first sample will be heard, and whether the driver had to wait for us; must copy and return.
        clock: seconds.

    Raises:
        SourceError: the device cannot be opened, or not at this rate.
    """

    def __init__(self, index: int, rate: int, channels: int, fill: Fill, clock: Clock) -> None:
        device = _query(index)
        self.name = str(device["name"])
        heard = min(channels, int(device["max_output_channels"]))
        self._fill = fill
        self._clock = clock
        self.played = self._started = clock()
        self._stream = _Stream(
            lambda sounddevice: sounddevice.OutputStream(
                device=index,
                channels=heard,
                samplerate=rate,
                dtype="float32",
                latency=2 * _LATENCY,
                callback=self._on_block,
            ),
            self.name,
        )

    def start(self) -> None:
        """Let it ask."""
        self.played = self._started = self._clock()
        self._stream.start()

    @property
    def active(self) -> bool:
        """The device still takes sound."""
        now = self._clock()
        return self._stream.active and now - self.played < stall_limit(now - self._started)

    def close(self) -> None:
        """Let go of the device."""
        self._stream.close()

    def _on_block(self, out: Samples, frames: int, times: Any, status: Any) -> None:
        out.fill(0)
        now = self._clock()
        delay = times.outputBufferDacTime - times.currentTime
        self._fill(out, now + delay if 0 <= delay < _SANE_DELAY else now, bool(status))
        self.played = now
