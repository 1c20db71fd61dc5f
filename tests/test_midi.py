"""MIDI devices through a real JACK server: opened, heard, lost and found again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import rtmidi

from lavlive.control.control import Control
from lavlive.control.events import ControlEvent
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.ports import MidiPorts
from lavlive.control.midi.system import RtmidiSystem, device_name, list_devices, named, output_for
from lavlive.errors import ControlError
from lavlive.parameters import Values
from lavlive.resources import shipped
from tests.support.jack import Controller, jack_server
from tests.support.waiting import wait_until

FIVE = ("mapper.y", "mapper.c", "smoothing.coarse", "smoothing.middle", "smoothing.fine")


@pytest.fixture(scope="module", autouse=True)
def _jack() -> Iterator[None]:
    with jack_server():
        yield


@pytest.fixture(autouse=True)
def _unplugged() -> Iterator[None]:
    yield
    Controller.unplug_all()


def system() -> RtmidiSystem:
    return RtmidiSystem(rtmidi.API_UNIX_JACK)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    folders = BindingFolders(shipped("presets") / "bindings", tmp_path)
    with Control(Values(), folders, midi=system()) as control:
        yield control


def plug_in(control: Control, name: str = "knobs", listens: bool = False) -> Controller:
    controller = Controller(name, listens)
    wait_until(
        lambda: f"{name}:midi" in step(control).router.devices and f"{name}:midi" in control.midi.devices
    )
    return controller


def step(control: Control) -> Control:
    control.step(time.perf_counter())
    return control


def test_five_knobs_of_an_unknown_controller_move_y_c_and_the_three_windows(control: Control) -> None:
    knobs = plug_in(control)
    for number in range(1, 6):
        knobs.cc(number, 0)
        knobs.cc(number, 127)
        knobs.cc(number, 96)
    wait_until(lambda: step(control).values["smoothing.fine"] != Values()["smoothing.fine"])
    for name in FIVE:
        assert control.values[name] != Values()[name], name
    assert control.values["mapper.y"] == pytest.approx(4 * 96 / 127)


def test_a_replugged_controller_works_again_within_two_seconds(control: Control) -> None:
    knobs = plug_in(control)
    knobs.cc(2, 0)
    knobs.cc(2, 64)
    wait_until(lambda: step(control).values["mapper.c"] == pytest.approx(64 / 127))
    knobs.unplug()
    wait_until(lambda: not step(control).midi.devices)
    knobs = Controller("knobs")
    began = time.perf_counter()

    def sweep_is_heard() -> bool:
        knobs.cc(2, 10)
        knobs.cc(2, 100)
        return step(control).values["mapper.c"] == pytest.approx(100 / 127)

    wait_until(sweep_is_heard)
    assert time.perf_counter() - began < 2.0


def test_a_knob_turned_while_unplugged_does_not_make_its_value_jump(control: Control) -> None:
    knobs = plug_in(control)
    knobs.cc(2, 0)
    knobs.cc(2, 30)
    wait_until(lambda: step(control).values["mapper.c"] == pytest.approx(30 / 127))
    knobs.unplug()
    wait_until(lambda: not step(control).midi.devices)
    knobs = plug_in(control)
    wait_until(lambda: bool(step(control).midi.devices))
    knobs.cc(2, 100)
    wait_until(lambda: "mapper.c" in step(control).router.ghosts())
    assert control.router.ghosts()["mapper.c"] == pytest.approx(100 / 127)
    assert control.values["mapper.c"] == pytest.approx(30 / 127)


def test_two_controllers_work_at_once_and_one_going_leaves_the_other(control: Control) -> None:
    one, two = plug_in(control, "one"), plug_in(control, "two")
    one.unplug()
    wait_until(lambda: step(control).midi.devices == ("two:midi",))
    two.cc(2, 0)
    two.cc(2, 127)
    wait_until(lambda: step(control).values["mapper.c"] == 1.0)


def test_only_the_asked_for_controller_is_opened() -> None:
    ports = MidiPorts(system(), only="ONE")
    one, two = Controller("one"), Controller("two")
    ports.look()
    assert ports.devices == ("one:midi",)
    assert sorted(list_devices(system())) == ["one:midi", "two:midi"]
    one.unplug()
    two.unplug()
    ports.look()
    assert ports.devices == ()
    ports.close()


def test_messages_are_sent_to_a_device_and_only_the_newest_of_each_key() -> None:
    knobs = Controller("lights", listens=True)
    ports = MidiPorts(system())
    ports.look()

    def is_connected() -> bool:
        ports.send("lights out:midi", 0, (0xB0, 0, 0))
        ports.flush()
        return bool(knobs.heard)

    wait_until(is_connected)
    for value in range(100):
        ports.send("lights out:midi", 7, (0xB0, 7, value))
    ports.send("gone:midi", 7, (0xB0, 7, 1))
    ports.flush()
    wait_until(lambda: knobs.heard[-1][1] == 7)
    assert [message for message in knobs.heard if message[1] == 7] == [[0xB0, 7, 99]]
    knobs.unplug()
    ports.close()


def test_a_thousand_messages_a_second_leave_the_newest_values_and_no_queue(control: Control) -> None:
    knobs = plug_in(control)
    for number in range(1, 9):
        knobs.cc(number, 0)
        knobs.cc(number, 127)
    wait_until(lambda: step(control).values["generator.truncation"] == 1.5)
    longest, sent = 0, 0
    threads = threading.active_count()
    start = time.perf_counter()
    next_picture = start
    while (now := time.perf_counter()) < start + 1.5:
        while sent < (now - start) * 1000:
            knobs.cc(1 + sent % 16, sent // 16 % 128)
            sent += 1
        if now >= next_picture:
            longest = max(longest, len(control.midi.inbox))
            control.step(now)
            next_picture += 1 / 60
        time.sleep(0.0005)
    for number in range(1, 9):
        for value in (0, 127, 77):
            knobs.cc(number, value)
    received = control.midi.inbox.received
    wait_until(lambda: step(control).values["generator.truncation"] == pytest.approx(1.5 * 77 / 127))
    assert received > 1400
    assert longest < 400
    assert control.midi.inbox.coalesced == control.midi.inbox.dropped == 0
    assert threading.active_count() == threads


class Absent:
    """A computer on which MIDI is broken."""

    def inputs(self) -> list[str]:
        raise ControlError("no MIDI here")

    outputs = inputs

    def open_input(self, port: str) -> Any:
        raise ControlError("no MIDI here")

    open_output = open_input

    def close(self) -> None:
        pass


def test_without_a_midi_system_everything_else_works(tmp_path: Path) -> None:
    with Control(Values(), BindingFolders(tmp_path, tmp_path), midi=cast(Any, Absent())) as control:
        wait_until(lambda: bool(control.midi.problems))
        assert control.step(0.0) == []
    with Control(Values(), BindingFolders(tmp_path, tmp_path)) as control:
        assert control.step(0.0) == []


class Faulty(Absent):
    """A driver that raises what it should not, once, and then works."""

    def __init__(self) -> None:
        self.reads = 0
        self.opened = 0

    def inputs(self) -> list[str]:
        return ["pad"]

    def outputs(self) -> list[str]:
        return []

    def open_input(self, port: str) -> Any:
        self.opened += 1
        return self

    def read(self) -> Sequence[int] | None:
        self.reads += 1
        if self.reads == 1:
            raise SystemError("the driver's own words")
        return (0xB0, 7, 99) if self.reads == 3 else None

    def close(self) -> None:
        if self.reads == 1:
            raise SystemError("cannot even be closed")


def test_a_driver_that_raises_anything_is_opened_anew() -> None:
    driver = Faulty()
    ports = MidiPorts(cast(Any, driver))
    ports.start()
    heard: list[Any] = []
    wait_until(lambda: heard.extend(ports.inbox.drain()) or driver.reads > 3)
    ports.close()
    assert driver.opened == 2
    assert "the driver's own words" in ports.problems[0]
    assert any(isinstance(event, ControlEvent) for event in heard)


def test_a_device_keeps_its_name_when_the_system_numbers_it_anew() -> None:
    assert device_name("nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0") == "nanoKONTROL2:nanoKONTROL2 MIDI 1"
    assert device_name("nanoKONTROL2 3", "win32") == "nanoKONTROL2"
    assert device_name("a2j:nanoKONTROL2 [20] (capture)") == "a2j:nanoKONTROL2 (capture)"
    outputs = {"lamp in": "lamp in 24:1", "pad": "pad 20:0"}
    assert output_for("lamp out", outputs) == "lamp in 24:1"
    assert output_for("pad", outputs) == "pad 20:0"
    assert output_for("key", outputs) is None
    assert named(["pad 20:0", "pad 24:0"]) == {"pad": "pad 20:0", "pad #2": "pad 24:0"}
