"""A shader's file is edited during the show: what hands had on an input that is gone stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lavlive.control.actions import Action
from lavlive.control.control import Control
from lavlive.control.events import ControlEvent, MidiControl, MidiControlKind
from lavlive.control.looks.drives import SILENCE
from lavlive.control.looks.morph import between
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.bindings import Binding, BindingSet
from lavlive.control.midi.feedback import Feedback
from lavlive.control.osc.bindings import OscBinding
from lavlive.control.osc.wishes import Refused
from lavlive.parameters import Parameter, ParameterKind, Value, Values, joined

NAME = "fx1.mine.depth"
INPUT = Parameter(NAME, 0.5, 0, 2, "", "depth")
KNOB, OTHER = MidiControl(MidiControlKind.CC, 0, 1), MidiControl(MidiControlKind.CC, 0, 2)


class Shaders:
    """What is loaded at run time: one input, as long as its file has it."""

    def __init__(self) -> None:
        self.input: Parameter | None = INPUT

    def find(self, name: str) -> Parameter | None:
        return self.input if self.input is not None and name == self.input.name else None

    def present(self, value_of: Callable[[str], object]) -> list[Parameter]:
        return [self.input] if self.input is not None else []


@pytest.fixture
def shaders() -> Iterator[Shaders]:
    made = Shaders()
    with joined(made):
        yield made


@pytest.fixture
def control(shaders: Shaders, tmp_path: Path) -> Control:
    made = Control(Values(), BindingFolders(tmp_path / "none", tmp_path))
    bindings = (Binding(KNOB, NAME, low=1.0, high=2.0), Binding(OTHER, "mapper.c"))
    made.router.connect("pad", BindingSet("pad", bindings, feedback=True))
    turn(made, KNOB, 3)
    made.edit(NAME, 1.2, 0.0)
    made.step(0.1)
    made.looks.store(1)
    made.edit(NAME, 1.9, 0.2)
    return made


def turn(control: Control, knob: MidiControl, raw: int) -> None:
    control.router.handle(
        ControlEvent("pad", MidiControl(knob.kind, 1, knob.number), raw / 127, raw, raw / 50)
    )


@pytest.mark.parametrize(
    "changed",
    [
        None,
        replace(INPUT, high=0.9),
        replace(INPUT, kind=ParameterKind.CHOICE, choices=("a", "b"), default="a", high=1),
    ],
)
def test_hands_go_on_whatever_became_of_an_input(
    control: Control, shaders: Shaders, changed: Parameter | None
) -> None:
    shaders.input = changed
    turn(control, KNOB, 9)
    control.ghosts()
    control.takeovers(NAME)
    sent: list[Sequence[int]] = []
    Feedback(lambda _, __, message: sent.append(message)).step(
        9.0, control.values, [("pad", control.router.bindings("pad"))]
    )
    assert sent, "the other knob is told its value"
    for action in (Action("snapshot.recall", "1"), Action("undo"), Action("redo"), Action("undo")):
        control.ask(action)
        control.step(1.0)
    control.moved(SILENCE, 1.0)
    between({NAME: 1.2}, {NAME: 1.9}, 0.5)
    for raw in (0, 20, 60):
        turn(control, OTHER, raw)
    assert control.values["mapper.c"] == pytest.approx(60 / 127), "what stands beside it is as before"


def test_what_was_learned_for_an_input_that_comes_back_works_again(
    control: Control, shaders: Shaders
) -> None:
    shaders.input = None
    turn(control, KNOB, 9)
    shaders.input = INPUT
    for raw in range(10, 128, 3):
        turn(control, KNOB, raw)
    assert control.values.number(NAME) == pytest.approx(1.0 + 127 / 127, abs=0.05)


def test_nothing_is_learned_for_an_input_that_goes_meanwhile_and_that_is_told(
    control: Control, shaders: Shaders
) -> None:
    control.controllers.learn(NAME)
    shaders.input = None
    control.step(1.0)
    assert control.learning is None
    assert any(NAME in line for line in control.notices())


def test_a_surface_that_moves_an_input_that_is_gone_is_refused(shaders: Shaders) -> None:
    shaders.input = None
    with pytest.raises(Refused, match="no shader here has"):
        OscBinding("/1/fader", NAME).wish([0.5])


@pytest.mark.parametrize("value", [True, 1.5])
def test_a_switch_of_an_input_that_is_gone_does_not_end_the_show(shaders: Shaders, value: Value) -> None:
    shaders.input = (
        replace(INPUT, kind=ParameterKind.SWITCH, default=False, high=1, saved=False)
        if value is True
        else INPUT
    )
    values = Values()
    values.set(NAME, value)
    shaders.input = None
    values.end_events()


@pytest.mark.parametrize(
    ("row", "told"), [("low = 0.5\nhigh = 1.5\n", ""), ("low = 'a'\n", "low is a number")]
)
def test_a_bindings_file_for_a_shader_that_is_away_is_read_and_the_row_is_told(
    shaders: Shaders, tmp_path: Path, row: str, told: str
) -> None:
    shaders.input = None
    file = tmp_path / "pad.toml"
    file.write_text(
        "schema = 1\ndevice = 'pad'\n[[binding]]\nsource = 'cc'\nnumber = 2\nparameter = 'mapper.c'\n"
        f"[[binding]]\nsource = 'cc'\nnumber = 1\nparameter = '{NAME}'\n{row}"
    )
    folders = BindingFolders(tmp_path / "none", tmp_path)
    found = folders.find("pad")
    if told:
        assert [told in str(error) for error in folders.refused.values()] == [True]
        return
    assert [binding.target for binding in found.bindings] == ["mapper.c", NAME]
    assert folders.held == [
        f"{file}, line 10: no shader here has {NAME}; its control does nothing until one has."
    ]
