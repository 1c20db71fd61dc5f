"""How a knob of the hardware takes hold of a value that stands elsewhere: for each one, and for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from imgui_bundle import imgui

from lavlive.control.midi.bindings import Binding
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.errors import LavliveError
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import DIM, Row, quiet_button, tip

WIDTH = 66.0
"""Pixels of the button beside a bar."""
_MEANINGS: Mapping[TakeoverMode, str] = {
    TakeoverMode.PICKUP: "nothing moves until the knob passes the value",
    TakeoverMode.SCALED: "the value moves with the knob, but no faster, until both meet",
    TakeoverMode.JUMP: "the value goes to where the knob stands, at once",
}


def draw_takeover(desk: Desk, bound: Sequence[tuple[str, Binding]]) -> None:
    """A button that says how the first of these knobs takes over; it opens the choice for each of them."""
    control = desk.control
    chosen = bound[0][1].takeover
    shown = chosen or control.takeover
    if quiet_button(f"{shown.value}##takeover", chosen is not None, WIDTH):
        imgui.open_popup("takeover")
    tip(f"{shown.value}: {_MEANINGS[shown]}. A click chooses. The orange line is where the knob stands.")
    if not imgui.begin_popup("takeover"):
        return
    for number, (device, binding) in enumerate(bound):
        imgui.text_colored(DIM, f"{binding.control} of {device}")
        imgui.push_id(number)
        _draw_choice(desk, binding.takeover, partial(control.choose_takeover, device, binding))
        imgui.pop_id()
    imgui.separator()
    draw_default(desk)
    for mode, meaning in _MEANINGS.items():
        imgui.text_colored(DIM, f"{mode.value}: {meaning}")
    imgui.end_popup()


def draw_default(desk: Desk) -> None:
    """How all knobs take over for which nothing else was chosen."""
    control = desk.control
    imgui.text_colored(DIM, "all other knobs")
    row = Row()
    for mode in _MEANINGS:
        if row.button(f"{mode.value}##of all", control.takeover is mode):
            _try(desk, partial(control.set_takeover, mode))
        tip(f"{_MEANINGS[mode]}; kept for the next shows")


def _draw_choice(
    desk: Desk, present: TakeoverMode | None, choose: Callable[[TakeoverMode | None], None]
) -> None:
    row = Row()
    for mode in (None, *_MEANINGS):
        label = "as all others" if mode is None else mode.value
        if row.button(f"{label}##takeover", present is mode):
            _try(desk, partial(choose, mode))
        tip(f"as all others, {desk.control.takeover.value}" if mode is None else _MEANINGS[mode])


def _try(desk: Desk, change: Callable[[], None]) -> None:
    desk.problem = ""
    try:
        change()
    except LavliveError as error:
        desk.problem = str(error)
