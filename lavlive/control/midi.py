"""MIDI devices that come and go.

One thread of ours owns the ports: it looks four times a second which devices are there, opens the new
ones, closes those that went away, and sends what is to be sent. rtmidi's own threads parse and enqueue.
Without a MIDI system everything here works and finds nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from lavlive.control.events import ClockEvent, ControlEvent, Inbox
from lavlive.control.midi_messages import Parser
from lavlive.control.midi_system import InputPort, MidiSystem, OutputPort, named, output_for
from lavlive.errors import ControlError

POLL_SECONDS = 0.25
"""A device that is pulled out and put back needs longer than this to appear again."""


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """A device came or went away."""

    device: str
    connected: bool
    has_output: bool
    time: float

    @property
    def key(self) -> Hashable:
        """What an overfull inbox keeps the newest of."""
        return self.device


MidiEvent = ControlEvent | ClockEvent | DeviceChange


@dataclass(slots=True)
class _Open:
    """An open device: the port that it was opened as, and its ends."""

    port: str
    input: InputPort
    output: OutputPort | None


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
        """End the thread and close every port."""
        self._ending = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)
        for device in list(self._open):
            self._drop(device)
        self._system.close()

    def send(self, device: str, key: Hashable, message: Sequence[int]) -> None:
        """Send a message to a device soon; of several under one key only the newest is sent (any thread)."""
        self._to_send[device, key] = message
        self._wake.set()

    def look(self) -> None:
        """Open what has come, close what has gone (the ports' thread, or a test without it)."""
        try:
            inputs = named(self._system.inputs())
            outputs = named(self._system.outputs())
        except ControlError as reason:
            self._note(str(reason))
            inputs = outputs = {}
        if self._only is not None:
            inputs = {name: port for name, port in inputs.items() if self._only in name.lower()}
        for device, entry in list(self._open.items()):
            if inputs.get(device) != entry.port:
                self._drop(device)
        now = time.perf_counter()
        for device, port in inputs.items():
            if device not in self._open and now - self._failed.get(device, -10.0) > 1.0:
                self._connect(device, port, output_for(device, outputs))

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

    def _run(self) -> None:
        due = time.perf_counter()
        while not self._ending:
            if time.perf_counter() >= due:
                self.look()
                due = time.perf_counter() + POLL_SECONDS
            self._wake.wait(max(0.0, due - time.perf_counter()))
            self._wake.clear()
            self.flush()

    def _connect(self, device: str, port: str, output_port: str | None) -> None:
        try:
            opened = self._system.open_input(port, self._receiver(device))
        except ControlError as reason:
            self._failed[device] = time.perf_counter()
            self._note(str(reason))
            return
        output = None
        if output_port is not None:
            try:
                output = self._system.open_output(output_port)
            except ControlError as reason:
                self._note(str(reason))
        self._open[device] = _Open(port, opened, output)
        self.inbox.put(DeviceChange(device, True, output is not None, time.perf_counter()))

    def _receiver(self, device: str) -> Callable[[Sequence[int]], None]:
        parser = self._parsers.setdefault(device, Parser(device))

        def receive(message: Sequence[int]) -> None:
            for event in parser.parse(message, time.perf_counter()):
                self.inbox.put(event)

        return receive

    def _drop(self, device: str) -> None:
        entry = self._open.pop(device)
        entry.input.close()
        if entry.output is not None:
            entry.output.close()
        self.inbox.put(DeviceChange(device, False, False, time.perf_counter()))

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)
