"""Two controllers of one make, as ALSA names them: each keeps its place while the other comes and goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from lavlive.control.events import ControlEvent
from lavlive.control.midi.ports import MidiPorts


class Port:
    """Both ends of a device."""

    def __init__(self, plugged: Alsa, name: str) -> None:
        self._plugged = plugged
        self._name = name

    def read(self) -> Sequence[int] | None:
        waiting = self._plugged.sent[self._name]
        return waiting.popleft() if waiting else None

    def send(self, message: Sequence[int]) -> None:
        self._plugged.lit.append((self._name, list(message)))

    def close(self) -> None:
        pass


class Alsa:
    """The system's MIDI: what is plugged in, in the order of its numbers."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)
        self.sent: dict[str, deque[list[int]]] = {}
        self.lit: list[tuple[str, list[int]]] = []

    def inputs(self) -> list[str]:
        names = [f"pad:pad MIDI 1 {number}:0" for number in sorted(self.numbers)]
        for name in names:
            self.sent.setdefault(name, deque())
        return names

    outputs = inputs

    def open_input(self, port: str) -> Port:
        return Port(self, port)

    open_output = open_input

    def close(self) -> None:
        pass


def heard_as(ports: MidiPorts, alsa: Alsa, number: int) -> list[str]:
    """Under which device's name a knob of the controller with that number is heard."""
    ports.look()
    ports.listen()
    ports.inbox.drain()
    alsa.sent[f"pad:pad MIDI 1 {number}:0"].append([0xB0, 1, 64])
    ports.listen()
    return [event.device for event in ports.inbox.drain() if isinstance(event, ControlEvent)][:1]


def test_the_twin_that_stays_keeps_its_name_and_the_one_that_returns_finds_its_own() -> None:
    alsa = Alsa(20, 24)
    ports = MidiPorts(alsa)
    first, second = heard_as(ports, alsa, 20), heard_as(ports, alsa, 24)
    assert (first, second) == (["pad:pad MIDI 1"], ["pad:pad MIDI 1 #2"])
    alsa.numbers.remove(20)
    assert heard_as(ports, alsa, 24) == second
    alsa.numbers.append(28)  # plugged in again, with another number
    assert heard_as(ports, alsa, 24) == second
    assert heard_as(ports, alsa, 28) == first


def test_the_one_that_stays_is_not_closed_meanwhile() -> None:
    alsa = Alsa(20, 24)
    ports = MidiPorts(alsa)
    ports.look()
    ports.inbox.drain()
    alsa.numbers.remove(20)
    ports.look()
    assert [event.device for event in ports.inbox.drain()] == ["pad:pad MIDI 1"]  # gone; of the other nothing
    assert ports.devices == ("pad:pad MIDI 1 #2",)


def test_each_twins_lights_are_its_own() -> None:
    alsa = Alsa(20, 24)
    ports = MidiPorts(alsa)
    ports.look()
    alsa.numbers.remove(20)
    ports.look()
    alsa.numbers.append(16)
    ports.look()
    ports.send("pad:pad MIDI 1 #2", "knob", [0xB0, 1, 1])
    ports.send("pad:pad MIDI 1", "knob", [0xB0, 1, 2])
    ports.flush()
    assert alsa.lit == [("pad:pad MIDI 1 24:0", [0xB0, 1, 1]), ("pad:pad MIDI 1 16:0", [0xB0, 1, 2])]
