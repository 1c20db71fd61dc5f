"""MIDI devices that come and go.

One thread of ours owns the ports: it reads them every four milliseconds, looks four times a second which
devices are there, opens the new ones, closes those that went away, and sends what is to be sent. Without
a MIDI system everything here works and finds nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import Enum

from lavlive.control.events import ClockEvent, ControlEvent, Inbox
from lavlive.control.midi.messages import Parser
from lavlive.control.midi.system import InputPort, MidiSystem, OutputPort, named, output_for
from lavlive.errors import ControlError

LOOK_SECONDS = 0.25
"""A device that is pulled out and put back needs longer than this to appear again."""

_READ_SECONDS = 0.004
_MOST_AT_ONCE = 1024


class Change(Enum):
    """What became of a device."""

    CONNECTED = "connected"
    LISTENS = "listens"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """A device came, can now be sent to, or went away."""

    device: str
    change: Change
    time: float

    @property
    def key(self) -> Hashable:
        """What an overfull inbox keeps the newest of."""
        return self.device, self.change


MidiEvent = ControlEvent | ClockEvent | DeviceChange


@dataclass(slots=True)
class _Open:
    """An open device: its ends, and the ports that they were opened as."""

    port: str
    input: InputPort
    output_port: str | None = None
    output: OutputPort | None = None


class MidiPorts:
    """All devices, kept open as they come and go.

    Attributes:
        inbox: events for the main thread.
        problems: the newest errors of ports, for the panel.
    """

    def __init__(self, system: MidiSystem, only: str | None = None, limit: int = 4096) -> None:
        self.inbox: Inbox[MidiEvent] = Inbox(limit)
        self.problems: deque[str] = deque(maxlen=8)
        self._system = system
        self._only = only.lower() if only else None
        self._open: dict[str, _Open] = {}
        self._inputs: dict[str, str] = {}
        self._outputs: dict[str, str] = {}
        self._parsers: dict[str, Parser] = {}
        self._failed: dict[str, float] = {}
        self._to_send: dict[tuple[str, Hashable], Sequence[int]] = {}
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="midi ports", daemon=True)

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices that are open now."""
        return tuple(self._open)

    @property
    def bad(self) -> int:
        """Messages that were no MIDI, of all devices so far."""
        return sum(parser.bad for parser in list(self._parsers.values()))

    def start(self) -> None:
        """Begin to look for devices in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """End the thread, which closes every port; a MIDI system that hangs is left behind."""
        if self._thread.ident is None:
            self._close_ports()
            return
        self._ending = True
        self._wake.set()
        self._thread.join(timeout=2.0)

    def send(self, device: str, key: Hashable, message: Sequence[int]) -> None:
        """Send a message to a device soon; of several under one key only the newest is sent (any thread)."""
        self._to_send[device, key] = message
        self._wake.set()

    def look(self) -> None:
        """Open what has come, close what has gone (the ports' thread, or a test without it)."""
        try:
            inputs = named(self._system.inputs(), self._inputs)
            outputs = named(self._system.outputs(), self._outputs)
        except ControlError as reason:
            self._note(str(reason))
            inputs = outputs = {}
        self._inputs, self._outputs = inputs, outputs
        if self._only is not None:
            inputs = {name: port for name, port in inputs.items() if self._only in name.lower()}
        for device, entry in list(self._open.items()):
            if inputs.get(device) != entry.port:
                self._drop(device)
        now = time.perf_counter()
        for device, port in inputs.items():
            if device not in self._open and now - self._failed.get(device, -10.0) > 1.0:
                self._connect(device, port)
        for device, entry in self._open.items():
            back = output_for(device, outputs, entry.port)
            if back != entry.output_port:
                self._connect_output(device, entry, back)

    def flush(self) -> None:
        """Send what waits (the ports' thread, or a test without it)."""
        for device, key in list(self._to_send):
            message = self._to_send.pop((device, key))
            entry = self._open.get(device)
            if entry is None or entry.output is None:
                continue
            try:
                entry.output.send(message)
            except ControlError as reason:
                self._note(f"{device}: {reason}")

    def listen(self) -> None:
        """Hand over what has arrived (the ports' thread, or a test without it)."""
        for device, entry in self._open.items():
            for _ in range(_MOST_AT_ONCE):
                message = entry.input.read()
                if message is None:
                    break
                for event in self._parsers[device].parse(message, time.perf_counter()):
                    self.inbox.put(event)

    def _run(self) -> None:
        while not self._ending:
            try:
                self._serve()
            except Exception as error:  # whatever a driver raises, every device is opened anew
                self._note(f"MIDI failed and is begun again: {error}")
                self._close_ports()
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()
        self._close_ports()

    def _serve(self) -> None:
        due = time.perf_counter()
        while not self._ending:
            if time.perf_counter() >= due:
                self.look()
                due = time.perf_counter() + LOOK_SECONDS
            self.listen()
            self.flush()
            self._wake.wait(_READ_SECONDS if self._open else max(0.0, due - time.perf_counter()))
            self._wake.clear()

    def _close_ports(self) -> None:
        for device in list(self._open):
            with contextlib.suppress(Exception):  # it may be the very port that fails
                self._drop(device)
        with contextlib.suppress(Exception):
            self._system.close()

    def _connect(self, device: str, port: str) -> None:
        try:
            opened = self._system.open_input(port)
        except ControlError as reason:
            self._failed[device] = time.perf_counter()
            self._note(str(reason))
            return
        self._parsers.setdefault(device, Parser(device))
        self._open[device] = _Open(port, opened)
        self.inbox.put(DeviceChange(device, Change.CONNECTED, time.perf_counter()))

    def _connect_output(self, device: str, entry: _Open, port: str | None) -> None:
        """Follow the way back to a device, which may appear later than the device itself."""
        if entry.output is not None:
            entry.output.close()
        entry.output, entry.output_port = None, port
        if port is None:
            return
        try:
            entry.output = self._system.open_output(port)
        except ControlError as reason:
            self._note(str(reason))
            return
        self.inbox.put(DeviceChange(device, Change.LISTENS, time.perf_counter()))

    def _drop(self, device: str) -> None:
        entry = self._open.pop(device)
        try:
            entry.input.close()
            if entry.output is not None:
                entry.output.close()
        finally:
            self.inbox.put(DeviceChange(device, Change.GONE, time.perf_counter()))

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)
