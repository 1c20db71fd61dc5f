"""The operating system's MIDI, through rtmidi, and the small protocol that stands for it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import rtmidi

from lavlive.errors import ControlError

CLIENT = "lavlive"
_QUEUE = 4096
_AGAIN_SECONDS = 5.0
"""Rest after a MIDI system that is there refused us."""

_RTMIDI_ERRORS = (rtmidi.RtMidiError, OSError, ValueError)


class InputPort(Protocol):
    """An open port that collects what arrives until it is read."""

    def read(self) -> Sequence[int] | None: ...

    def close(self) -> None: ...


class OutputPort(Protocol):
    """An open port that messages can be sent to."""

    def send(self, message: Sequence[int]) -> None: ...

    def close(self) -> None: ...


class MidiSystem(Protocol):
    """Where ports are found: the operating system's MIDI, or a test's.

    Every call may raise `ControlError`.
    """

    def inputs(self) -> list[str]: ...

    def outputs(self) -> list[str]: ...

    def open_input(self, port: str) -> InputPort: ...

    def open_output(self, port: str) -> OutputPort: ...

    def close(self) -> None: ...


def available_api() -> int | None:
    """rtmidi's number of the MIDI system to use here, None where there is none.

    On Linux that is ALSA's sequencer, else a running JACK server. Asking rtmidi for one that is absent
    would print lines of complaints.
    """
    compiled = rtmidi.get_compiled_api()
    for api in (rtmidi.API_MACOSX_CORE, rtmidi.API_WINDOWS_MM):
        if api in compiled:
            return int(api)
    if rtmidi.API_LINUX_ALSA in compiled and Path("/dev/snd/seq").exists():
        return int(rtmidi.API_LINUX_ALSA)
    if rtmidi.API_UNIX_JACK in compiled and _jack_runs():
        return int(rtmidi.API_UNIX_JACK)
    return None


def _jack_runs() -> bool:
    server = os.environ.get("JACK_DEFAULT_SERVER", "default")
    folders = (Path("/dev/shm"), Path(tempfile.gettempdir()))
    return any(any(folder.glob(f"jack_{server}_*")) for folder in folders if folder.is_dir())


class RtmidiSystem:
    """The operating system's MIDI through rtmidi.

    Args:
        api: rtmidi's number of a MIDI system; None takes what `available_api` finds, and goes on looking.
    """

    def __init__(self, api: int | None = None) -> None:
        self._api = api
        self._watch_in: Any = None
        self._watch_out: Any = None
        self._again = float("-inf")

    def inputs(self) -> list[str]:
        """Names of the ports that send to us."""
        return self._names(incoming=True)

    def outputs(self) -> list[str]:
        """Names of the ports that we can send to."""
        return self._names(incoming=False)

    def open_input(self, port: str) -> InputPort:
        """Open a port by its name."""
        return _RtmidiInput(self._api_or_found(), port)

    def open_output(self, port: str) -> OutputPort:
        """Open a port by its name."""
        return _RtmidiOutput(self._api_or_found(), port)

    def close(self) -> None:
        """Let go of the MIDI system."""
        for end in (self._watch_in, self._watch_out):
            if end is not None:
                end.delete()
        self._watch_in = self._watch_out = None

    def _api_or_found(self) -> int:
        api = available_api() if self._api is None else self._api
        if api is None:
            raise ControlError(
                "This computer has no MIDI system; on Linux, ALSA's sequencer or JACK is needed."
            )
        return api

    def _names(self, incoming: bool) -> list[str]:
        if self._watch_in is None:
            api = available_api() if self._api is None else self._api
            if api is None or time.perf_counter() < self._again:
                return []
            try:
                self._watch_in = rtmidi.MidiIn(api, name=f"{CLIENT} watch in")
                self._watch_out = rtmidi.MidiOut(api, name=f"{CLIENT} watch out")
            except _RTMIDI_ERRORS as reason:
                self._watch_in = self._watch_out = None
                self._again = time.perf_counter() + _AGAIN_SECONDS
                raise ControlError(f"MIDI cannot be used: {reason}") from None
        try:
            names = (self._watch_in if incoming else self._watch_out).get_ports()
        except _RTMIDI_ERRORS as reason:
            self.close()
            raise ControlError(f"MIDI ports cannot be listed: {reason}") from None
        return [name for name in names if not name.startswith(CLIENT) and "Midi Through" not in name]


def _open(end: Any, port: str) -> None:
    names = end.get_ports()
    if port not in names:
        end.delete()
        raise ControlError(f"The MIDI port {port!r} has gone; there are {', '.join(names) or 'none'}.")
    try:
        end.open_port(names.index(port), name="control")
    except _RTMIDI_ERRORS as reason:
        end.delete()
        raise ControlError(f"The MIDI port {port!r} cannot be opened: {reason}") from None


class _RtmidiInput:
    """An input that rtmidi's own thread fills without Python.

    A Python callback would do the same with the interpreter's lock, which rtmidi holds while it closes a
    port; JACK then waits for the callback, and the callback for the lock, for ten seconds.
    """

    def __init__(self, api: int, port: str) -> None:
        try:
            self._midi = rtmidi.MidiIn(api, name=CLIENT, queue_size_limit=_QUEUE)
        except _RTMIDI_ERRORS as reason:
            raise ControlError(f"MIDI cannot be used: {reason}") from None
        self._midi.ignore_types(sysex=True, timing=False, active_sense=True)
        _open(self._midi, port)

    def read(self) -> Sequence[int] | None:
        arrived = self._midi.get_message()
        return arrived[0] if arrived else None

    def close(self) -> None:
        self._midi.close_port()
        self._midi.delete()


class _RtmidiOutput:
    def __init__(self, api: int, port: str) -> None:
        try:
            self._midi = rtmidi.MidiOut(api, name=CLIENT)
        except _RTMIDI_ERRORS as reason:
            raise ControlError(f"MIDI cannot be used: {reason}") from None
        _open(self._midi, port)

    def send(self, message: Sequence[int]) -> None:
        try:
            self._midi.send_message(message)
        except _RTMIDI_ERRORS as reason:
            raise ControlError(f"A MIDI message cannot be sent: {reason}") from None

    def close(self) -> None:
        self._midi.close_port()
        self._midi.delete()


def device_name(port: str, platform: str = sys.platform) -> str:
    """A port's name without the numbers that the system changes when a device is plugged in again."""
    name = re.sub(r" \d+:\d+$", "", port)
    name = re.sub(r" \[\d+\]", "", name)
    if platform == "win32":
        name = re.sub(r" \d+$", "", name)
    return name.strip() or port


def named(ports: Sequence[str], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Device name to port name; a second device of the same name is called ``name #2``.

    Args:
        ports: as the system names them now.
        before: what was returned the last time. Whoever is still there keeps its name, so that of two equal
            controllers the one that is pulled out, and not the other, loses its place, and finds it free.
    """
    keeps = {port: device for device, port in (before or {}).items()}
    named: dict[str, str] = {}
    new = []
    for port in ports:
        if (device := keeps.pop(port, None)) is not None:
            named[device] = port
        else:
            new.append(port)
    for port in new:
        device = device_name(port)
        number = 1
        while device in named:
            number += 1
            device = f"{device_name(port)} #{number}"
        named[device] = port
    return named


_NUMBERED = re.compile(r" \d+:\d+$")
_DIRECTION = re.compile(r"\b(in|out|input|output|capture|playback)\b", re.IGNORECASE)


def output_for(device: str, outputs: Mapping[str, str], port: str = "") -> str | None:
    """The port that leads back to an input device: of the same name, but for words like in and out.

    Where the system gives both ends of a device one number, as ALSA does, that of the input's `port` counts.
    """
    if _NUMBERED.search(port) and port in outputs.values():
        return port
    if device in outputs:
        return outputs[device]
    plain = _DIRECTION.sub("", device)
    return next((port for name, port in outputs.items() if _DIRECTION.sub("", name) == plain), None)


def list_devices(system: MidiSystem | None = None) -> list[str]:
    """Names of the MIDI devices that are plugged in, empty where there is no MIDI."""
    system = system or RtmidiSystem()
    try:
        return list(named(system.inputs()))
    except ControlError:
        return []
    finally:
        system.close()
