"""Bindings: what knobs, encoders and buttons do, and the files that say so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavlive.control.actions import Action
from lavlive.control.control import Control
from lavlive.control.events import ControlEvent, MidiControl, MidiControlKind
from lavlive.control.midi.binding_files import BindingFolders, file_name, read_bindings
from lavlive.control.midi.bindings import Binding, BindingSet, Mode, relative_steps
from lavlive.control.midi.controllers import Controllers
from lavlive.control.midi.feedback import Feedback
from lavlive.control.midi.learn import Learn
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.control.notes import Notes
from lavlive.control.router import Router
from lavlive.control.travel import Curve
from lavlive.errors import ControlError
from lavlive.parameters import TABLE, Parameter, ParameterKind, Value, Values, find
from lavlive.resources import shipped

CC, NOTE, CC14, NRPN = MidiControlKind.CC, MidiControlKind.NOTE, MidiControlKind.CC14, MidiControlKind.NRPN
PRESSURE = MidiControlKind.PRESSURE
JUMP = TakeoverMode.JUMP
KNOB = MidiControl(CC, 0, 1)
NOTE_36 = MidiControl(NOTE, 0, 36)


class Desk:
    """A router with values, and a device to turn the knobs of."""

    def __init__(self, *bindings: Binding, settings: dict[str, object] | None = None) -> None:
        self.values = Values(settings)
        self.router = Router(self.values, self._change)
        self.router.connect("pad", BindingSet("pad", bindings))
        self.time = 0.0

    def _change(self, name: str, value: Value) -> None:
        self.values.set(name, value)

    def send(self, raw: int, source: MidiControl = KNOB, top: int = 127) -> list[Action]:
        self.time += 0.01
        heard = MidiControl(source.kind, source.channel or 1, source.number)
        return self.router.handle(ControlEvent("pad", heard, raw / top, raw, self.time))


@pytest.mark.parametrize(
    ("mode", "up", "down"),
    [(Mode.TWOS_COMPLEMENT, 1, 127), (Mode.SIGNED_BIT, 1, 65), (Mode.BINARY_OFFSET, 65, 63)],
)
def test_encoders_of_each_kind_step_up_and_down(mode: Mode, up: int, down: int) -> None:
    assert (relative_steps(mode, up), relative_steps(mode, down)) == (1, -1)
    desk = Desk(Binding(KNOB, "mapper.c", mode, step=0.1), settings={"mapper.c": 0.5})
    desk.send(up)
    assert desk.values["mapper.c"] == pytest.approx(0.6)
    desk.send(down)
    desk.send(down)
    assert desk.values["mapper.c"] == pytest.approx(0.4)
    for _ in range(20):
        desk.send(down)
    assert desk.values["mapper.c"] == 0.0


def test_an_encoder_steps_through_whole_numbers_and_choices_one_by_one() -> None:
    seed = Desk(Binding(KNOB, "projection.seed", Mode.TWOS_COMPLEMENT))
    seed.send(3)
    assert seed.values["projection.seed"] == 3
    binding = Binding(KNOB, "projection.kind", Mode.TWOS_COMPLEMENT)
    kind = Desk(binding, settings={"projection.kind": "random"})
    kind.send(1)
    assert kind.values["projection.kind"] == "orthogonal"


def test_a_toggle_flips_on_each_press_and_a_momentary_button_lets_go() -> None:
    button = MidiControl(NOTE, 1, 36)
    toggle = Desk(Binding(button, "show.freeze", Mode.TOGGLE))
    for raw, frozen in ((100, True), (0, True), (1, False), (0, False)):
        toggle.send(raw, button)
        assert toggle.values["show.freeze"] is frozen
    held = Desk(Binding(button, "show.blackout", Mode.MOMENTARY))
    for raw, black in ((100, True), (0, False)):
        held.send(raw, button)
        assert held.values["show.blackout"] is black
    boost = Desk(Binding(button, "mapper.y", Mode.MOMENTARY, low=1.0, high=3.0))
    boost.send(127, button)
    assert boost.values["mapper.y"] == pytest.approx(3.0)
    boost.send(0, button)
    assert boost.values["mapper.y"] == pytest.approx(1.0)


def test_a_button_calls_its_action_once_a_press() -> None:
    desk = Desk(Binding(KNOB, Action("preset.next")))
    assert [desk.send(raw) for raw in (127, 127, 0, 64)] == [
        [Action("preset.next")],
        [],
        [],
        [Action("preset.next")],
    ]


def test_invert_range_and_curve_shape_the_way_of_a_knob() -> None:
    desk = Desk(Binding(KNOB, "mapper.y", takeover=JUMP, invert=True, low=1.0, high=3.0))
    desk.send(0)
    assert desk.values["mapper.y"] == 3.0
    desk.send(127)
    assert desk.values["mapper.y"] == 1.0
    slow = Desk(Binding(KNOB, "mapper.c", takeover=JUMP, curve=Curve.SLOW_START))
    slow.send(64)
    assert slow.values["mapper.c"] == pytest.approx((64 / 127) ** 2)


@given(
    parameter=st.sampled_from([p for p in TABLE if p.kind is ParameterKind.CONTINUOUS]),
    curve=st.sampled_from(Curve),
    invert=st.booleans(),
    travel=st.floats(0, 1),
    part=st.tuples(st.floats(0, 0.4), st.floats(0.6, 1)),
)
def test_a_value_lies_where_the_knob_would_put_it(
    parameter: Parameter, curve: Curve, invert: bool, travel: float, part: tuple[float, float]
) -> None:
    low, high = (parameter.number(parameter.from_unit(end)) for end in part)
    binding = Binding(KNOB, parameter.name, invert=invert, low=low, high=high, curve=curve)
    value = binding.value_at(travel)
    assert isinstance(value, int | float)
    assert low - 1e-9 <= value <= high + 1e-9
    assert binding.value_at(binding.travel_of(value)) == pytest.approx(value, abs=1e-6)


def test_a_switch_and_a_choice_follow_a_fader() -> None:
    desk = Desk(
        Binding(KNOB, "show.freeze"), Binding(MidiControl(CC, 0, 2), "projection.kind", takeover=JUMP)
    )
    desk.send(127)
    assert desk.values["show.freeze"] is True
    desk.send(127, MidiControl(CC, 0, 2))
    assert desk.values["projection.kind"] == find("projection.kind").choices[-1]


def test_a_14_bit_knob_is_not_disturbed_by_its_own_parts() -> None:
    fader = MidiControl(CC14, 0, 3)
    desk = Desk(Binding(fader, "mapper.c"), settings={"mapper.c": 0.5})
    for raw in (0, 16383, 8000):
        desk.send(raw >> 7, MidiControl(CC, 1, 3))
        desk.send(raw & 127, MidiControl(CC, 1, 35))
        desk.time += 1.0
        desk.send(raw, fader, top=16383)
    assert desk.values["mapper.c"] == pytest.approx(8000 / 16383)


def learned(target: str | Action, *messages: tuple[MidiControl, int, float]) -> Binding | None:
    learn = Learn(target)
    for source, raw, time in messages:
        learn.take(ControlEvent("pad", source, raw / 127, raw, time))
    result = learn.result(1.0)
    return result[1] if result else None


def test_learn_tells_knobs_encoders_buttons_and_14_bit_faders_apart() -> None:
    knob = [(MidiControl(CC, 2, 7), raw, 0.01 * raw) for raw in range(10, 15)]
    assert learned("mapper.y", *knob) == Binding(MidiControl(CC, 2, 7), "mapper.y")
    down = [(MidiControl(CC, 1, 7), 127, 0.01 * index) for index in range(5)]
    assert learned("mapper.y", *down) == Binding(MidiControl(CC, 1, 7), "mapper.y", Mode.TWOS_COMPLEMENT)
    offset = [(MidiControl(CC, 1, 7), raw, 0.01 * raw) for raw in (63, 63, 63, 65)]
    assert learned("mapper.y", *offset).mode is Mode.BINARY_OFFSET
    sign = [(MidiControl(CC, 1, 7), raw, 0.0) for raw in (65, 65, 65, 1, 1)]
    assert learned("mapper.y", *sign).mode is Mode.SIGNED_BIT
    fader = [
        (s, 5 + i, 0.1)
        for i in range(4)
        for s in (MidiControl(CC, 1, 7), MidiControl(CC, 1, 39), MidiControl(CC14, 1, 7))
    ]
    assert learned("mapper.y", *fader).control == MidiControl(CC14, 1, 7)
    parts = [MidiControl(CC, 1, 99), MidiControl(CC, 1, 98), MidiControl(NRPN, 1, 300)]
    assert learned("mapper.y", *[(s, i, 0.1) for i in range(4) for s in parts]).control == MidiControl(
        NRPN, 1, 300
    )
    lone = [
        (source, index, 0.1)
        for index in range(4)
        for source in (MidiControl(CC, 1, 39), MidiControl(CC14, 1, 7))
    ]
    assert learned("mapper.y", *lone).control == MidiControl(CC, 1, 39)
    pad = MidiControl(NOTE, 10, 36)
    assert learned("show.freeze", (pad, 90, 0.9)) == Binding(pad, "show.freeze", Mode.TOGGLE)
    assert learned(Action("preset.next"), (pad, 90, 0.9)) == Binding(pad, Action("preset.next"))
    assert learned("mapper.y", (MidiControl(CC, 1, 7), 3, 0.0)) is None


def test_faders_that_send_one_number_on_eight_channels_are_eight_faders() -> None:
    names = [p.name for p in TABLE if p.kind is ParameterKind.CONTINUOUS][:8]
    for kind, number, top in ((CC, 7, 127), (MidiControlKind.BEND, 0, 16383)):
        bindings = BindingSet("pad", (Binding(MidiControl(kind, 0, number), "show.fader"),))
        for channel, name in enumerate(names, start=1):
            binding = learned(name, *((MidiControl(kind, channel, number), raw, 0.0) for raw in (1, 2, 3)))
            assert binding is not None
            bindings = bindings.with_binding(binding)
        assert [b.control.channel for b in bindings.bindings] == list(range(1, 9))
        desk = Desk(*bindings.bindings)
        for channel, name in enumerate(names, start=1):
            before = dict(desk.values)
            for raw in (0, top, top // 3):
                desk.send(raw, MidiControl(kind, channel, number), top)
            assert {n for n in desk.values if desk.values[n] != before[n]} == {name}


def test_each_fader_of_a_binding_for_any_channel_takes_hold_for_itself() -> None:
    desk = Desk(Binding(KNOB, "mapper.c"), settings={"mapper.c": 0.5})
    for raw in (127, 60):
        desk.send(raw, MidiControl(CC, 1, 1))
    assert desk.values["mapper.c"] == pytest.approx(60 / 127)
    desk.send(0, MidiControl(CC, 2, 1))
    assert desk.values["mapper.c"] == pytest.approx(60 / 127)
    desk.send(61, MidiControl(CC, 2, 1))
    assert desk.values["mapper.c"] == pytest.approx(61 / 127)
    assert desk.router.ghosts() == {}


def test_the_pressure_of_a_pad_is_learned_by_holding_it_and_the_pad_by_tapping_it() -> None:
    pad, key, whole = (
        MidiControl(NOTE, 10, 36),
        MidiControl(MidiControlKind.KEY_PRESSURE, 10, 36),
        MidiControl(PRESSURE, 10, 0),
    )
    for pressure in (key, whole):
        held = [(pad, 90, 0.0), *((pressure, raw, 0.01 * raw) for raw in range(5, 10))]
        assert learned("mapper.c", *held) == Binding(pressure, "mapper.c")
        assert learned("mapper.c", *held, (pad, 0, 0.2)) == Binding(pad, "mapper.c", Mode.TOGGLE)
        assert learned("show.freeze", *held) == Binding(pad, "show.freeze", Mode.TOGGLE)
    desk = Desk(Binding(key, "mapper.c", takeover=JUMP))
    desk.send(127, MidiControl(MidiControlKind.KEY_PRESSURE, 10, 37))
    assert desk.values["mapper.c"] == 0.1
    desk.send(127, key)
    assert desk.values["mapper.c"] == 1.0


FULL = BindingSet(
    "Böse [1] * Pad",
    (
        Binding(
            MidiControl(CC, 3, 7), "mapper.y", takeover=JUMP, invert=True, low=0.5, high=2.0, curve=Curve.S
        ),
        Binding(MidiControl(NRPN, 0, 9000), "mapper.c", takeover=TakeoverMode.SCALED),
        Binding(MidiControl(NOTE, 10, 36), Action("preset.load", "Slow tide")),
        Binding(MidiControl(MidiControlKind.BEND, 1, 0), "generator.noise"),
        Binding(MidiControl(CC, 0, 20), "projection.seed", Mode.SIGNED_BIT, step=0.5),
    ),
    feedback=True,
)


def test_what_is_saved_is_read_back_for_that_device_alone(tmp_path: Path) -> None:
    folders = BindingFolders(tmp_path / "none", tmp_path / "user")
    folders.save(FULL)
    assert folders.find(FULL.device) == FULL
    assert folders.find("other").bindings == ()
    assert file_name("A/../B") != file_name("A/./B")
    assert "/" not in file_name("A/../B")


def write_bindings(path: Path, device: str, parameter: str = "mapper.y") -> None:
    path.write_text(
        f"schema = 1\ndevice = {device!r}\n[[binding]]\nsource = 'key-pressure'\nnumber = 1\n"
        f"channel = 2\nparameter = '{parameter}'\n"
    )


def test_a_hand_written_file_is_found_by_its_device_whatever_it_is_called(tmp_path: Path) -> None:
    folders = BindingFolders(shipped("presets") / "bindings", tmp_path)
    write_bindings(tmp_path / "all.toml", "*KONTROL*", "mapper.c")
    write_bindings(tmp_path / "mine.toml", "nanoKONTROL2 MIDI 1")
    write_bindings(tmp_path / "._mine.toml", "nanoKONTROL2 MIDI 1", "show.fader")
    assert folders.find("nanokontrol2 midi 1").bindings[0].target == "mapper.y"
    assert folders.find("nanoKONTROL Studio").bindings[0].target == "mapper.c"
    assert folders.find("Knob box").path == shipped("presets") / "bindings" / "eight-knobs.toml"


def test_of_two_files_for_a_device_the_one_changed_last_is_used_and_learn_writes_into_it(
    tmp_path: Path,
) -> None:
    folders = BindingFolders(tmp_path / "none", tmp_path)
    learned_by_us = folders.save(BindingSet("pad", (Binding(KNOB, "mapper.c"),)))
    mine = tmp_path / "mine.toml"
    write_bindings(mine, "pad")
    os.utime(learned_by_us, (1, 1))
    assert folders.find("pad").path == mine
    changed = folders.find("pad").with_binding(Binding(KNOB, "show.fader")).named("pad")
    assert folders.save(changed) == mine
    assert [b.target for b in folders.find("pad").bindings] == ["mapper.y", "show.fader"]
    os.utime(mine, (0, 0))
    assert folders.find("pad").path == learned_by_us


def test_it_is_said_which_files_nobody_uses_and_why(tmp_path: Path) -> None:
    folders = BindingFolders(tmp_path / "none", tmp_path)
    write_bindings(tmp_path / "pad.toml", "pad")
    write_bindings(tmp_path / "pads.toml", "pad*")
    write_bindings(tmp_path / "desk.toml", "X-Touch")
    assert folders.unused(["pad"]) == [
        "desk.toml is for 'X-Touch', which is not plugged in",
        "pads.toml is for 'pad*', for which pad.toml is used",
    ]
    assert folders.unused(["pad", "pad two", "x-touch"]) == []


def test_the_shipped_bindings_fit_their_controllers() -> None:
    folders = BindingFolders(shipped("presets") / "bindings", Path("/nowhere"))
    nano = folders.find("nanoKONTROL2:nanoKONTROL2 MIDI 1")
    assert nano.device == "*nanoKONTROL2*"
    assert len(nano.bindings) > 40
    assert folders.find("Knob box").device == "*"
    assert folders.refused == {}


def test_how_a_knob_takes_over_is_as_set_for_all_unless_its_binding_says_otherwise() -> None:
    other = MidiControl(CC, 0, 2)
    desk = Desk(Binding(KNOB, "mapper.c"), Binding(other, "show.master", takeover=TakeoverMode.PICKUP))
    desk.values.update({"mapper.c": 0.9, "show.master": 0.9})
    desk.send(10)
    assert desk.values["mapper.c"] == 0.9
    desk.router.set_takeover(JUMP)
    desk.send(20)
    desk.send(20, other)
    assert desk.values["mapper.c"] == pytest.approx(20 / 127)
    assert desk.values["show.master"] == 0.9
    desk.router.set_takeover(TakeoverMode.PICKUP)
    desk.send(30)
    assert desk.values["mapper.c"] == pytest.approx(30 / 127), "it holds its value still"


def test_a_takeover_that_is_chosen_anew_does_not_take_the_value_out_of_the_knobs_hold() -> None:
    desk = Desk(Binding(KNOB, "mapper.c", takeover=JUMP))
    desk.send(64)
    bindings = desk.router.bindings("pad")
    changed = bindings.with_takeover(bindings.bindings[0], TakeoverMode.PICKUP)
    desk.router.connect("pad", changed)
    desk.send(65)
    assert desk.values["mapper.c"] == pytest.approx(65 / 127)
    desk.values.set("mapper.c", 1.0)
    desk.send(66)
    assert desk.values["mapper.c"] == 1.0
    assert desk.router.ghosts() == {"mapper.c": pytest.approx(66 / 127)}
    desk.router.connect("pad", bindings)
    assert desk.router.ghosts() == {}
    assert [b.to_table().get("takeover") for b in (*bindings.bindings, *changed.bindings)] == [
        "jump",
        "pickup",
    ]


def test_a_knob_learned_again_for_its_parameter_keeps_range_curve_and_takeover(tmp_path: Path) -> None:
    before = Binding(KNOB, "mapper.y", takeover=JUMP, low=1.0, high=2.0, curve=Curve.S, invert=True)
    desk = Desk(before)
    controllers = Controllers(None, desk.router, BindingFolders(tmp_path / "none", tmp_path), Notes())
    for _ in range(2):
        controllers.bind_learned("pad", Binding(MidiControl(CC, 1, 1), "mapper.y"))
    assert desk.router.bindings("pad").bindings == (replace(before, control=MidiControl(CC, 1, 1)),)
    controllers.bind_learned("pad", Binding(MidiControl(CC, 1, 1), "mapper.c"))
    assert desk.router.bindings("pad").bindings == (Binding(MidiControl(CC, 1, 1), "mapper.c"),)


def test_what_a_control_did_before_it_was_learned_for_something_else_is_told(tmp_path: Path) -> None:
    control = Control(Values(), BindingFolders(tmp_path / "none", tmp_path))
    control.router.connect(
        "pad", BindingSet("pad", (Binding(KNOB, "mapper.y"), Binding(NOTE_36, "mapper.y")))
    )
    for target in ("mapper.c", "mapper.c"):
        control.learn(target)
        learning = control.controllers._learn
        assert learning is not None
        for number in range(5):
            learning.take(ControlEvent("pad", MidiControl(CC, 1, 1), number / 127, number, number / 100))
        control.step(1.0)
    assert control.notices() == [
        "mapper.c: cc 1 ch 1 of pad, pickup; it no longer does mapper.y",
        "mapper.c: cc 1 ch 1 of pad, pickup",
    ]


def test_a_row_that_a_file_has_twice_acts_once() -> None:
    button = Binding(MidiControl(NOTE, 1, 36), "show.freeze", Mode.TOGGLE)
    desk = Desk(button, button)
    desk.send(100, button.control)
    assert desk.values["show.freeze"] is True


def channel_one(kind: MidiControlKind, number: int) -> MidiControl:
    return MidiControl(kind, 1, number)


@pytest.mark.parametrize(
    ("device", "master", "blackout", "five"),
    [
        ("nanoKONTROL2 MIDI 1", channel_one(CC, 7), channel_one(CC, 42), range(5)),
        ("LPD8 MIDI 1", channel_one(CC, 8), channel_one(NOTE, 43), range(1, 6)),
        ("LPD8 mk2", channel_one(CC, 77), channel_one(NOTE, 43), range(70, 75)),
        ("Launchkey MK2 49", channel_one(CC, 7), MidiControl(NOTE, 10, 47), range(21, 26)),
        ("X-TOUCH MINI MIDI 1", MidiControl(CC, 11, 9), MidiControl(NOTE, 11, 23), range(1, 6)),
        ("MIDI Mix", channel_one(CC, 62), channel_one(NOTE, 26), (19, 23, 27, 31, 49)),
        ("APC MINI", channel_one(CC, 56), channel_one(NOTE, 89), range(48, 53)),
        ("Knob box", channel_one(CC, 28), None, range(21, 26)),
    ],
)
def test_a_controller_out_of_the_box_dims_and_darkens_the_show_and_has_the_five_knobs(
    device: str, master: MidiControl, blackout: MidiControl | None, five: Sequence[int]
) -> None:
    found = BindingFolders(shipped("presets") / "bindings", Path("/nowhere")).find(device)
    desk = Desk(*found.bindings)
    desk.send(127, master)
    desk.send(64, master)
    assert desk.values["show.master"] == pytest.approx(64 / 127)
    if blackout is not None:
        assert desk.send(127, blackout) == [Action("show.blackout")]
    targets = {b.control.number: b.target for b in found.bindings if b.control.kind is CC}
    documented = ["mapper.y", "mapper.c", "smoothing.coarse", "smoothing.middle", "smoothing.fine"]
    assert [targets[number] for number in five] == documented


def test_no_note_of_a_controller_that_nobody_knows_does_anything() -> None:
    """It may be a key, or a drum machine that gives the clock."""
    found = BindingFolders(shipped("presets") / "bindings", Path("/nowhere")).find("Knob box")
    assert {binding.control.kind for binding in found.bindings} == {CC}


def test_what_was_learned_before_a_controller_was_known_by_name_is_still_used(tmp_path: Path) -> None:
    write_bindings(tmp_path / "lpd8.toml", "LPD8 MIDI 1")
    write_bindings(tmp_path / "any.toml", "*", "mapper.c")
    folders = BindingFolders(shipped("presets") / "bindings", tmp_path)
    assert folders.find("LPD8 MIDI 1").bindings[0].target == "mapper.y"
    assert folders.find("MIDI Mix").bindings[0].target == "mapper.c"


HEAD = "schema = 1\ndevice = 'x'\n[[binding]]\n"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("schema = 1\ndevice = ", 2, "Invalid value"),
        ("device = 'x'", 1, "schema"),
        ("schema = 2\ndevice = 'x'", 1, "newer"),
        ("schema = 1\ndevice = 'x'\nfoo = 1", 3, "foo"),
        (
            HEAD + "source = 'cc'\nnumber = 128\nparameter = 'mapper.y'",
            5,
            "0 to 127",
        ),
        (
            HEAD + "source = 'cc'\nnumber = 1\nparameter = 'maper.y'",
            6,
            "mapper.y",
        ),
        (HEAD + "source = 'cc'\nnumber = 1\naction = 'quit'", 6, "keyboard"),
        (
            HEAD + "source = 'knob'\nnumber = 1\nparameter = 'mapper.y'",
            4,
            "nrpn",
        ),
        (
            HEAD + "source = 'bend'\nparameter = 'mapper.y'\n"
            "[[binding]]\nsource = 'cc'\nnumber = 1\nparameter = 'mapper.y'\nlow = 3\nhigh = 2",
            11,
            "below",
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_line_and_left_alone(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = tmp_path / file_name("x")
    path.write_text(text)
    with pytest.raises(ControlError, match=f"line {line}: .*{reason}"):
        read_bindings(path)
    folders = BindingFolders(tmp_path / "none", tmp_path)
    assert folders.find("x").bindings == ()
    assert path.read_text() == text
    folders.save(BindingSet("x"))
    assert path.with_suffix(".toml.refused").read_text() == text


def test_an_end_out_of_range_is_held_and_told(tmp_path: Path) -> None:
    path = tmp_path / "pad.toml"
    path.write_text(HEAD + "source = 'cc'\nnumber = 1\nparameter = 'mapper.y'\nlow = 1\nhigh = 9")
    found = read_bindings(path)
    assert (found.bindings[0].low, found.bindings[0].high) == (1.0, 4.0)
    assert found.held == (f"{path}, line 8: mapper.y takes 0 to 4 W_std; 9 is held at 4.",)


class Lights:
    """A controller with rings of light that sends back whatever it is sent."""

    def __init__(self, *bindings: Binding) -> None:
        self.desk = Desk(*bindings)
        self.sent: list[tuple[int, ...]] = []
        self.keys: list[MidiControl] = []
        self.feedback = Feedback(self._take)
        self.sets = [("pad", BindingSet("pad", bindings, feedback=True))]

    def _take(self, device: str, source: MidiControl, message: Sequence[int]) -> None:
        self.sent.append(tuple(message))
        self.keys.append(source)

    def step(self, now: float) -> None:
        self.feedback.step(now, self.desk.values, self.sets)


def test_values_are_sent_to_the_controller_when_they_change_and_not_more_often_than_it_can_take() -> None:
    lights = Lights(Binding(KNOB, "mapper.c"), Binding(MidiControl(NOTE, 10, 36), "show.freeze", Mode.TOGGLE))
    lights.step(0.0)
    assert lights.sent == [(0xB0, 1, 13), (0x99, 36, 0)]
    assert len(set(lights.keys)) == 2
    for index in range(1000):
        lights.desk.values.set("mapper.c", 0.5 + index / 2000)
        lights.step(index / 1000)
    assert len(lights.sent) <= 23
    lights.desk.values.set("show.freeze", True)
    lights.step(2.0)
    assert lights.sent[-1] == (0x99, 36, 127)
    before = len(lights.sent)
    lights.step(3.0)
    assert len(lights.sent) == before


def test_an_echo_is_no_hand_and_a_knob_in_motion_is_left_alone() -> None:
    lights = Lights(Binding(KNOB, "mapper.c"))
    lights.step(0.0)
    echo = ControlEvent("pad", MidiControl(CC, 1, 1), 13 / 127, 13, 0.05)
    assert lights.feedback.heard(echo)
    hand = ControlEvent("pad", MidiControl(CC, 1, 1), 50 / 127, 50, 1.0)
    assert not lights.feedback.heard(hand)
    lights.desk.values.set("mapper.c", 50 / 127)
    lights.step(1.1)
    lights.step(2.0)
    assert lights.sent == [(0xB0, 1, 13)]


def test_each_fader_of_one_number_is_told_its_own_value_on_its_own_channel() -> None:
    faders = [MidiControl(CC14, channel, 7) for channel in (1, 2)]
    lights = Lights(Binding(faders[0], "mapper.c"), Binding(faders[1], "show.fader"))
    lights.desk.values.update({"mapper.c": 0.0, "show.fader": 1.0})
    lights.step(0.0)
    assert lights.sent == [(0xB0, 7, 0), (0xB0, 39, 0), (0xB1, 7, 127), (0xB1, 39, 127)]
    assert len(set(lights.keys)) == 4, "of equal keys only the newest message is sent"
    assert lights.feedback.heard(ControlEvent("pad", faders[1], 1.0, 16383, 0.05))
    assert not lights.feedback.heard(ControlEvent("pad", faders[0], 1.0, 16383, 0.05))


def test_a_knob_bound_on_any_channel_is_told_where_it_spoke_last() -> None:
    lights = Lights(Binding(KNOB, "mapper.c"))
    lights.feedback.heard(ControlEvent("pad", MidiControl(CC, 5, 1), 0.5, 64, 0.0))
    lights.step(1.0)
    assert lights.sent == [(0xB4, 1, 13)]
