"""What hands did is taken back in the order in which they did it, and done again."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from lavlive.control.actions import Action
from lavlive.control.beat.modulation import BeatModulation, Shape
from lavlive.control.control import Control
from lavlive.control.events import ControlEvent, MidiControl, MidiControlKind
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.undo import LEVELS
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.bindings import Binding, BindingSet
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.parameters import Values
from lavlive.resources import shipped

KNOB = MidiControl(MidiControlKind.CC, 1, 1)


class Hands:
    """A desk without devices, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.control = Control(
            Values({"show.morph": 0.0, "mapper.y": 1.0, "mapper.c": 0.1, "projection.kind": "random"}),
            BindingFolders(folder, folder),
            presets=PresetLibrary(shipped("presets"), folder / "presets"),
            chance=random.Random(1),
        )
        binding = Binding(KNOB, "mapper.c", takeover=TakeoverMode.JUMP)
        self.control.router.connect("pad", BindingSet("pad", (binding,)))
        self.now = 0.0

    @property
    def look(self) -> tuple[object, ...]:
        """Everything that hands can change."""
        looks = self.control.looks
        modulations, snapshots = dict(looks.modulations), dict(looks.snapshots)
        return dict(looks.values), looks.preset, modulations, snapshots, looks.fader_ends

    def do(self, name: str, argument: str = "") -> list[Action]:
        self.now += 2.0
        self.control.ask(Action(name, argument))
        return self.control.step(self.now)

    def press(self, key: str, modifiers: tuple[str, ...] = ()) -> list[Action]:
        self.now += 2.0
        assert self.control.press(key, modifiers)
        return self.control.step(self.now)

    def edit(self, name: str, value: object, seconds: float = 2.0) -> None:
        self.now += seconds
        self.control.edit(name, value, self.now)
        self.control.step(self.now)

    def turn(self, raw: int, seconds: float = 0.01) -> None:
        self.now += seconds
        self.control.step(self.now)
        self.control.router.handle(ControlEvent("pad", KNOB, raw / 127, raw, self.now))


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return Hands(tmp_path)


def test_everything_that_hands_do_is_taken_back_in_order_and_done_again(hands: Hands) -> None:
    sine = BeatModulation("mapper.y", Shape.SINE, 4.0, 0.2, 0.0, 4.0)
    deeds: list[Callable[[], object]] = [
        lambda: hands.press("r"),
        lambda: hands.edit("mapper.y", 2.0),
        lambda: hands.turn(90, 2.0),
        lambda: hands.press("3"),
        lambda: hands.press("b"),
        lambda: hands.press("b"),
        lambda: hands.do("snapshot.store", "1"),
        lambda: hands.edit("projection.kind", "identity"),
        lambda: hands.do("morph.a", "House"),
        lambda: hands.do("morph.b", "Acid"),
        lambda: hands.edit("show.fader", 0.75),
        lambda: hands.control.looks.modulate(sine),
        lambda: hands.do("snapshot.recall", "1"),
        lambda: hands.press("r"),
        lambda: hands.press("w"),
    ]
    looks = [hands.look]
    for deed in deeds:
        deed()
        looks.append(hands.look)
        assert looks[-1] != looks[-2]
    for before in reversed(looks[:-1]):
        hands.press("u")
        assert hands.look == before
    hands.press("u")
    assert hands.control.notices()[-1] == "Nothing to undo"
    for after in looks[1:]:
        hands.press("u", ("shift",))
        assert hands.look == after
    hands.press("u", ("shift",))
    assert hands.control.notices()[-1] == "Nothing to do again"


def test_a_knob_in_motion_is_one_step_and_two_at_once_are_two(hands: Hands) -> None:
    for raw in range(60, 100):
        hands.turn(raw)
        hands.edit("mapper.y", raw / 40, seconds=0.01)
    hands.press("u")
    assert hands.control.values["mapper.y"] == 1.0
    assert hands.control.values["mapper.c"] == pytest.approx(99 / 127)
    hands.press("u")
    assert hands.control.values["mapper.c"] == 0.1
    hands.turn(5, 2.0)
    hands.turn(6, 2.0)
    hands.press("u")
    assert hands.control.values["mapper.c"] == pytest.approx(5 / 127)


def test_fifty_steps_are_kept_and_a_new_one_ends_the_way_forward(hands: Hands) -> None:
    for index in range(LEVELS + 10):
        hands.edit("mapper.y", index / 100)
    for _ in range(LEVELS):
        hands.press("u")
    assert LEVELS == 50
    assert hands.control.values["mapper.y"] == 0.09
    hands.press("u")
    assert hands.control.values["mapper.y"] == 0.09
    hands.press("u", ("shift",))
    assert hands.control.values["mapper.y"] == 0.1
    hands.edit("mapper.c", 0.9)
    hands.press("u", ("shift",))
    assert hands.control.values["mapper.y"] == 0.1


def test_a_control_that_came_back_to_where_it_began_is_no_step(hands: Hands) -> None:
    hands.edit("mapper.y", 2.0)
    for value in (0.5, 0.9, 0.1):
        hands.edit("mapper.c", value, seconds=0.1)
    hands.press("u")
    assert hands.control.values["mapper.y"] == 1.0


def test_a_hand_in_the_middle_of_a_morph_is_taken_back_to_where_the_morph_goes(hands: Hands) -> None:
    hands.control.values.set("show.morph", 10.0)
    hands.do("preset.load", "Storm")
    hands.now += 3.0
    hands.edit("mapper.y", 0.5)
    hands.press("u")
    hands.now += 20.0
    hands.control.step(hands.now)
    storm = hands.control.looks.library.find("Storm")
    assert hands.control.values.saved() == storm.values


def test_what_goes_somewhere_by_itself_needs_no_panel_and_is_one_step(hands: Hands) -> None:
    looks, values = hands.control.looks, hands.control.values

    def after(seconds: float) -> float:
        hands.now += seconds
        hands.control.step(hands.now)
        return values.number("anchor.amount")

    looks.walk_to({"anchor.amount": 1.0}, 2.0, hands.now)
    assert after(1.0) == pytest.approx(0.5)
    assert after(1.5) == 1.0
    hands.press("u")
    assert after(1.0) == 0.0, "all of it is taken back, and it does not begin again"
    looks.walk_to({"anchor.amount": 1.0}, 2.0, hands.now)
    after(1.0)
    hands.edit("anchor.amount", 0.75, seconds=0.1)
    assert after(5.0) == 0.75, "a hand has taken it over"
    looks.walk_to({"anchor.amount": 0.0}, 20.0, hands.now)
    hands.do("preset.load", "Storm")
    wanted = values.number("anchor.amount")
    assert after(30.0) == wanted, "a preset's values stay"


def test_undo_never_turns_the_flash_limiter_off(hands: Hands) -> None:
    hands.edit("show.flash_limit", False)
    hands.edit("show.flash_limit", True)
    for keys in ((), ("shift",)):
        for _ in range(4):
            hands.press("u", keys)
            assert hands.control.values["show.flash_limit"] is True


def test_a_change_of_models_is_taken_back_by_the_show(hands: Hands) -> None:
    hands.control.looks.changed_model(None, "/b.safetensors")
    assert hands.press("u") == [Action("model.load")]
    assert hands.press("u", ("shift",)) == [Action("model.load", "/b.safetensors")]


def test_a_bar_held_and_dragged_slowly_is_one_step(hands: Hands) -> None:
    before = hands.look
    looks = hands.control.looks
    hands.edit("mapper.c", 0.5)
    looks.hold("mapper.y")
    for value in (1.5, 2.0, 2.5):
        hands.edit("mapper.y", value, seconds=5.0)
    looks.let_go("mapper.y")
    hands.do("undo")
    assert hands.control.values["mapper.y"] == 1.0
    hands.do("undo")
    assert hands.look == before
    hands.edit("mapper.y", 1.2)
    hands.edit("mapper.y", 1.4)
    hands.do("undo")
    assert hands.control.values["mapper.y"] == 1.2, "let go, each move is a step again"


def test_a_bar_that_is_taken_again_begins_another_step(hands: Hands) -> None:
    hands.edit("mapper.y", 1.5)
    hands.control.looks.hold("mapper.y")
    hands.edit("mapper.y", 2.0, seconds=5.0)
    hands.do("undo")
    assert hands.control.values["mapper.y"] == 1.5
