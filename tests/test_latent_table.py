"""Every way to move a parameter moves it: one test over the whole table."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from lavlive.control.beat.modulation import BeatModulation, Shape
from lavlive.control.beat.tempo import BeatState
from lavlive.control.events import ControlEvent, MidiControl, MidiControlKind
from lavlive.control.looks.drives import Drive, Heard
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.presets import Preset, read_preset
from lavlive.control.midi.bindings import Binding, BindingSet
from lavlive.control.osc.packets import Message, decode
from lavlive.control.osc.wishes import Refused, SetParameter, parameter_address, understand
from lavlive.control.router import Router
from lavlive.errors import PresetError
from lavlive.parameters import INDEX, TABLE, Parameter, ParameterKind, Values, can_be_driven

KNOB = MidiControl(MidiControlKind.CC, 1, 1)
BEAT = BeatState(120.0, 0.25, "clock")
HEARD = Heard(np.ones((3, 8)), onset=1.0)


def other(parameter: Parameter) -> object:
    """A value that is not the default."""
    high, low = parameter.from_unit(0.75), parameter.from_unit(0.0)
    return high if high != parameter.default else low


@pytest.fixture
def looks(tmp_path: Path) -> Looks:
    return Looks(Values(), PresetLibrary(None, tmp_path), random.Random(1))


@pytest.mark.parametrize("parameter", TABLE, ids=lambda parameter: parameter.name)
def test_every_parameter_works_from_panel_midi_osc_preset_morph_beat_and_drive(
    parameter: Parameter, looks: Looks
) -> None:
    name, wanted = parameter.name, other(parameter)
    if parameter.guarded:  # what protects the audience is the panel's alone, and no step of undo
        looks.edit(name, wanted, 0.0)
        assert looks.values[name] == wanted
        assert looks.undo() is None
        asked = OscMessageBuilder(parameter_address(name))
        asked.add_arg(parameter.default)
        (message,) = decode(asked.build().dgram)
        assert isinstance(message, Message)
        with pytest.raises(Refused):
            understand(message)
        return
    looks.edit(name, wanted, 0.0)  # as the panel does
    assert looks.values[name] == wanted
    looks.undo()
    assert looks.values[name] == parameter.default

    router = Router(looks.values, looks.by_hand)
    router.connect("pad", BindingSet("pad", (Binding(KNOB, name),)))
    for raw in (0, 127, 96):  # past the value, so that the knob takes hold
        router.handle(ControlEvent("pad", MidiControl(KNOB.kind, 1, 1), raw / 127, raw, 0.1 + raw))
    assert looks.values[name] == parameter.from_unit(96 / 127)

    asked = OscMessageBuilder(parameter_address(name))
    asked.add_arg(wanted)
    (message,) = decode(asked.build().dgram)
    assert isinstance(message, Message)
    wish = understand(message)
    assert isinstance(wish, SetParameter)
    assert wish.name == name
    assert wish.value == pytest.approx(wanted) if isinstance(wanted, float) else wish.value == wanted

    if not parameter.saved:  # it belongs to the show: presets leave it alone
        assert name not in looks.as_preset("Kept").values
        return
    looks.edit(name, wanted, 0.0)
    saved = looks.save("Kept")
    assert saved.path is not None
    assert read_preset(saved.path).values[name] == wanted

    looks.recall(Preset("Plain", values=Values().saved()), 0.0, seconds=2.0)
    looks.step(1.0)
    halfway = looks.values[name]
    looks.step(2.1)
    assert looks.values[name] == parameter.default
    if parameter.kind is not ParameterKind.CONTINUOUS:
        assert halfway == parameter.default
        with pytest.raises(PresetError):
            looks.drive(Drive(name, "onset", 0.5))
        return
    ends = sorted((parameter.number(parameter.default), parameter.number(wanted)))
    assert ends[0] < float(halfway) < ends[1]

    place = INDEX[name]
    base = looks.numbers(BEAT, 3.0)[place]
    low, high = parameter.low, parameter.high
    towards = 0.3 if base < high else -0.3
    looks.modulate(BeatModulation(name, Shape.SINE, 1.0, towards, low, high))
    assert looks.numbers(BEAT, 3.0)[place] != base
    looks.stop_modulating(name)

    if not can_be_driven(name):  # sound is not moved by what it makes
        with pytest.raises(PresetError):
            looks.drive(Drive(name, "onset", towards))
        return
    looks.drive(Drive(name, "onset", towards))
    assert looks.numbers(BEAT, 3.0, HEARD)[place] != base
    assert looks.numbers(BEAT, 3.0, replace(HEARD, onset=0.0))[place] == base
    driven = read_preset(looks.save("Driven").path or Path())
    assert driven.drives[name] == Drive(name, "onset", towards)


def test_a_knob_of_the_sound_path_is_not_driven_by_what_it_makes(looks: Looks, tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="sound cannot move it"):
        looks.drive(Drive("mapper.y", "onset", 0.5))
    path = tmp_path / "bad.toml"
    path.write_text('schema = 1\nname = "Bad"\n[drive."mapper.y"]\nsource = "onset"\n')
    with pytest.raises(PresetError, match=r"line 3.*a drive moves an input of a shader"):
        read_preset(path)
