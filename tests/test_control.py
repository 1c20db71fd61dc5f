"""A scripted controller plays the whole desk through JACK."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rtmidi

from lavlive.audio.spec import SourceSpec
from lavlive.control.actions import ACTIONS, Action
from lavlive.control.control import Control
from lavlive.control.events import MidiControl, MidiControlKind
from lavlive.control.keyboard import KEYS, action_for
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.midi.binding_files import BindingFolders, file_name
from lavlive.control.midi.bindings import Binding, BindingSet
from lavlive.control.midi.ports import MidiPorts
from lavlive.control.midi.system import RtmidiSystem
from lavlive.control.osc.server import OscSettings
from lavlive.errors import ControlError, ParameterError
from lavlive.parameters import INDEX, ParameterKind, Values, find
from lavlive.resources import shipped
from tests.support.jack import Controller, jack_server
from tests.support.waiting import wait_until


@pytest.fixture(scope="module", autouse=True)
def _jack() -> Iterator[None]:
    with jack_server():
        yield


@pytest.fixture(autouse=True)
def _unplugged() -> Iterator[None]:
    yield
    Controller.unplug_all()


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    with desk(tmp_path) as control:
        yield control


def desk(folder: Path, midi: bool = True) -> Control:
    return Control(
        Values({"show.morph": 0.0}),
        BindingFolders(shipped("presets") / "bindings", folder / "bindings"),
        midi=RtmidiSystem(rtmidi.API_UNIX_JACK) if midi else None,
        presets=PresetLibrary(shipped("presets"), folder / "presets"),
        chance=random.Random(1),
    )


def until(control: Control, condition: Callable[[], bool]) -> list[Action]:
    """Step as the show does until something is so; returns what the show was asked to do."""
    asked: list[Action] = []

    def stepped() -> bool:
        asked.extend(control.step(time.perf_counter()))
        return condition()

    wait_until(stepped)
    return asked


def plug_in(control: Control, name: str = "knobs", listens: bool = False) -> Controller:
    controller = Controller(name, listens)
    device = f"{name} out:midi" if listens else f"{name}:midi"
    until(control, lambda: device in control.router.devices and device in control.midi.devices)
    received = control.midi.inbox.received

    def is_heard() -> bool:
        controller.cc(119, 0)
        return control.midi.inbox.received > received

    until(control, is_heard)
    time.sleep(0.1)
    control.step(time.perf_counter())
    return controller


class Player:
    """Turns one knob, hears each message out, and watches how far the parameter moves."""

    def __init__(self, control: Control, knobs: Controller, number: int, name: str) -> None:
        self.control, self.knobs, self.number, self.name = control, knobs, number, name
        self.raw: int | None = None

    @property
    def position(self) -> float:
        return find(self.name).to_unit(self.control.values[self.name])

    def _has_received(self, more_than: int) -> bool:
        return self.control.midi.inbox.received > more_than

    def turn(self, *raws: int) -> None:
        for raw in raws:
            before, received = self.position, self.control.midi.inbox.received
            self.knobs.cc(self.number, raw)
            until(self.control, partial(self._has_received, received))
            self.control.step(time.perf_counter())
            step = abs(raw - self.raw) / 127 if self.raw is not None else 0.0
            assert abs(self.position - before) <= step + 1e-9, (self.raw, raw)
            self.raw = raw


def test_learn_sweep_bank_change_preset_and_takeover_never_make_the_parameter_jump(
    control: Control, tmp_path: Path
) -> None:
    knobs = plug_in(control)
    control.learn("generator.noise")
    for raw in range(40, 50):
        knobs.cc(50, raw)
    until(control, lambda: control.learning is None)
    assert (tmp_path / "bindings" / file_name("knobs:midi")).exists()
    assert control.values["generator.noise"] == 1.0

    noise = Player(control, knobs, 50, "generator.noise")
    noise.turn(*range(49, 100, 2))
    assert noise.position == pytest.approx(99 / 127)

    other_bank = Player(control, knobs, 51, "generator.noise")
    other_bank.turn(99, 60, 20)
    time.sleep(0.3)
    noise.turn(21, 22, 23)
    assert noise.position == pytest.approx(99 / 127)
    assert control.ghosts()["generator.noise"] == pytest.approx(23 / 127)

    control.ask(Action("preset.load", "Slow tide"))
    control.step(time.perf_counter())
    assert control.values["generator.noise"] == 0.4
    noise.turn(24)
    assert control.values["generator.noise"] == 0.4
    noise.turn(26, 40)
    assert noise.position == pytest.approx(40 / 127)
    noise.turn(*range(41, 60))
    assert noise.position == pytest.approx(59 / 127)

    control.edit("generator.noise", 0.1, time.perf_counter())
    noise.turn(127, 0, 127)
    assert noise.position == 1.0


def test_a_learned_binding_is_there_in_the_next_show(control: Control, tmp_path: Path) -> None:
    knobs = plug_in(control)
    control.learn(Action("preset.next"))
    knobs.send(0x99, 36, 100)
    until(control, lambda: control.learning is None)
    until(control, lambda: any("preset.next" in notice for notice in control.notices()))
    control.close()
    with desk(tmp_path) as following:
        until(following, lambda: "knobs:midi" in following.midi.devices and bool(following.router.devices))

        def press() -> bool:
            knobs.send(0x99, 36, 100)
            return following.looks.preset != ""

        assert until(following, press)[0] == Action("preset.loaded", "Slow tide")
        following.unbind(Action("preset.next"))
        assert following.router.bound_to(Action("preset.next")) == []
    assert "preset.next" not in (tmp_path / "bindings" / file_name("knobs:midi")).read_text()


def test_real_faders_of_one_number_and_the_pressure_of_a_pad_are_learned_apart(control: Control) -> None:
    desk_of_faders = plug_in(control, "faders")
    for channel, name in ((2, "mapper.c"), (3, "show.fader")):
        control.learn(name)
        for raw in range(40, 50):
            desk_of_faders.cc(7, raw, channel)
        until(control, lambda: control.learning is None)
    control.learn("generator.noise")
    desk_of_faders.send(0x99, 36, 100)
    for pressure in range(20, 30):
        desk_of_faders.send(0xA9, 36, pressure)
    until(control, lambda: control.learning is None)
    bound = [control.bound_to(name)[0][1] for name in ("mapper.c", "show.fader", "generator.noise")]
    assert bound == ["cc 7 ch 2", "cc 7 ch 3", "key-pressure 36 ch 10"]
    for raw in (0, 127, 64):
        desk_of_faders.cc(7, raw, 3)
    until(control, lambda: control.values["show.fader"] == pytest.approx(64 / 127))
    assert control.values["mapper.c"] == 0.1


def test_values_return_to_a_controller_that_shows_them(control: Control, tmp_path: Path) -> None:
    device = "lights out:midi"
    knob = Binding(MidiControl(MidiControlKind.CC, 0, 10), "mapper.c")
    control.controllers.bindings.save(BindingSet(device, (knob,), feedback=True))
    lights = plug_in(control, "lights", listens=True)
    until(control, lambda: [0xB0, 10, 13] in lights.heard)
    control.edit("mapper.c", 1.0, 0.0)
    until(control, lambda: lights.heard[-1] == [0xB0, 10, 127])


def test_midi_clock_drives_the_beat_and_a_preset_waits_for_it(control: Control) -> None:
    drums = plug_in(control, "drums")
    drums.send(0xFA)
    begin = time.perf_counter()
    for index in range(60):
        while time.perf_counter() < begin + index / 48:
            control.step(time.perf_counter())
            time.sleep(0.001)
        drums.send(0xF8)
    until(control, lambda: control.beat(time.perf_counter()).source == "clock")
    assert control.beat(time.perf_counter()).bpm == pytest.approx(120, rel=0.05)
    control.values.set("show.quantise", "beat")
    control.ask(Action("preset.recall", "5"))
    control.step(time.perf_counter())
    assert control.waiting == (Action("preset.recall", "5"),)
    asked = until(control, lambda: control.waiting == ())
    assert asked == [Action("preset.loaded", "Dub")]
    phase = control.beat(time.perf_counter()).phase
    assert min(phase, 1 - phase) < 0.2


def test_keys_do_what_the_reference_says(tmp_path: Path) -> None:
    control = desk(tmp_path, midi=False)
    for key, name in (("b", "show.blackout"), ("space", "show.freeze"), ("w", "projection.hold")):
        assert control.press(key)
        control.step(0.0)
        assert control.values[name] is True
    seed = control.values["projection.seed"]
    control.press("R")
    control.press("9")
    assert control.step(0.0) == [Action("preset.loaded", "Hard techno")]
    assert control.values["projection.seed"] != seed
    control.press("u")
    control.step(0.0)
    assert control.values["mapper.y"] == Values()["mapper.y"]
    for key, modifiers, name in (("q", {"ctrl"}, "quit"), ("n", (), "model.next"), ("tab", (), "panel")):
        control.press(key, modifiers)
        assert control.step(0.0) == [Action(name)]
    assert not control.press("q")
    assert not control.press("b", {"ctrl"})
    assert action_for("3", {"ctrl"}) == Action("snapshot.store", "3")
    assert all(action.name in ACTIONS for action in KEYS.values())


def test_the_controls_know_whether_hands_did_something(tmp_path: Path, control: Control) -> None:
    alone = desk(tmp_path, midi=False)
    assert not alone.stirred
    alone.press("b")
    assert alone.stirred
    alone.step(0.0)
    assert not alone.stirred
    controller = plug_in(control)
    controller.cc(1, 5)
    wait_until(lambda: control.stirred, 5.0)
    control.step(time.perf_counter())
    assert not control.stirred


def test_the_beat_moves_what_the_engine_gets_and_not_the_base_values(tmp_path: Path) -> None:
    control = desk(tmp_path, midi=False)
    assert control.numbers(0.0) is control.values.numbers
    control.ask(Action("preset.load", "House"))
    control.step(0.0)
    for index in range(3):
        control.do(Action("tap"), 10.0 + index / 2)
    revisions, moved = [], []
    for now in np.arange(12.0, 14.0, 0.05):
        moved.append(control.numbers(now)[INDEX["mapper.y"]])
        revisions.append(control.revision)
    assert np.ptp(moved) > 0.5
    assert max(moved) <= 2.4
    assert control.values["mapper.y"] == control.looks.library.find("House").values["mapper.y"]
    assert all(np.diff(revisions) >= 0)
    assert revisions[-1] - revisions[0] > 30


def test_the_state_goes_into_the_next_show(tmp_path: Path) -> None:
    control = desk(tmp_path, midi=False)
    control.ask(Action("preset.load", "Dub"))
    control.ask(Action("snapshot.store", "1"))
    control.step(0.0)
    control.edit("mapper.y", 3.25, 0.0)
    state = control.state(SourceSpec("demo"), None)
    following = desk(tmp_path, midi=False)
    following.restore(state)
    assert dict(following.values) == dict(control.values)
    assert following.looks.preset == "Dub"
    assert list(following.looks.modulations) == ["generator.truncation"]
    assert following.looks.snapshots == control.looks.snapshots


def test_wrong_wishes_are_told_to_the_performer_or_refused(tmp_path: Path) -> None:
    control = desk(tmp_path, midi=False)
    control.ask(Action("preset.load", "Nothing"))
    control.ask(Action("morph.a", "Nothing"))
    control.ask(Action("snapshot.recall", "5"))
    control.ask(Action("undo"))
    assert control.step(0.0) == []
    assert len(control.notices()) == 4
    for action in (
        Action("explode"),
        Action("preset.load"),
        Action("tap", "x"),
        Action("snapshot.store", "9"),
    ):
        with pytest.raises(ControlError):
            control.ask(action)
    with pytest.raises(ParameterError):
        control.learn("maper.y")
    with pytest.raises(ParameterError):
        control.edit("mapper.y", 9, 0.0)


def test_every_action_can_be_done(tmp_path: Path) -> None:
    control = desk(tmp_path, midi=False)
    arguments = {
        "preset's name": "House",
        "number 0 to 9": "3",
        "number 1 to 8": "2",
        "device's name, or default": "default",
        "part of its name": "song",
        "model's name, or off": "off",
        "": "",
    }
    for name, spec in ACTIONS.items():
        action = Action(name, arguments[spec.argument])
        assert control.do(action, 0.0) in ([action], [], [Action("preset.loaded", control.looks.preset)])
    for name in ("show.blackout", "show.freeze", "projection.hold"):
        assert find(name).kind is ParameterKind.SWITCH


def test_another_thread_may_not_step(tmp_path: Path) -> None:
    control = desk(tmp_path, midi=False)
    raised: list[Exception] = []

    def trespass() -> None:
        try:
            control.step(0.0)
        except RuntimeError as reason:
            raised.append(reason)

    thread = threading.Thread(target=trespass)
    thread.start()
    thread.join(30)
    assert len(raised) == 1


def test_the_controls_import_no_torch() -> None:
    code = "import sys, lavlive.control.control; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_what_ports_and_messages_are_refused_for_is_told_and_a_flood_only_now_and_then(
    tmp_path: Path,
) -> None:
    with Control(Values(), BindingFolders(tmp_path, tmp_path), osc=OscSettings(port=0), midi=None) as control:
        assert control.osc is not None
        for number in range(100):
            control.osc.take(b"/lavlive/nothing%02d\0\0,\0\0\0" % number, ("127.0.0.1", 9), 0.0)
            control.step(5.0)
        assert [line for line in control.notices() if "nothing" in line] == [
            "OSC: no address /lavlive/nothing00; 1 messages refused so far"
        ]
        control.step(16.0)
        assert "nothing99; 100 messages" in control.notices()[-1]
        control.controllers.ports = MidiPorts(RtmidiSystem(rtmidi.API_RTMIDI_DUMMY))
        control.controllers.ports.problems.append("knobs cannot be opened: busy")
        control.step(17.0)
        control.step(18.0)
        assert control.notices() == ["MIDI: knobs cannot be opened: busy"]
        control.controllers.ports = None


def test_locked_keys_do_nothing_and_say_so_until_they_are_unlocked(tmp_path: Path) -> None:
    control = desk(tmp_path, midi=False)
    control.press("l", {"ctrl"})
    control.step(0.0)
    assert control.locked
    assert not control.press("b")
    control.step(0.1)
    assert control.values["show.blackout"] is False
    assert any("Ctrl+L" in line for line in control.notices())
    control.press("l", {"ctrl"})
    control.step(0.2)
    assert control.press("b")
    control.step(0.3)
    assert control.values["show.blackout"] is True
