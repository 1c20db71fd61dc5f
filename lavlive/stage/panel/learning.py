"""How the panel learns a control of a MIDI device for a parameter, a preset or a button."""

from __future__ import annotations

from imgui_bundle import imgui

from lavlive.control.actions import Action
from lavlive.errors import LavliveError
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import quiet_button, tip


def draw_binding(desk: Desk, name: str, width: float) -> None:
    """A button that says what moves a parameter; pressed, it waits for a control to be moved."""
    control = desk.control
    if control.learning == name:
        if quiet_button("move it…##learn", True, width):
            control.cancel_learn()
        tip("Move the knob, fader or button that is to do this; another click here gives up.")
        return
    bound = control.bound_to(name)
    label = bound[0][1] if bound else "learn"
    try:
        if quiet_button(f"{label}##learn", bool(bound), width):
            control.learn(name)
        if bound:
            tip(f"{label} of {bound[0][0]}; right click takes it off.")
        else:
            tip("Click, then move the knob, fader or button that is to do this")
        if bound and imgui.is_item_clicked(imgui.MouseButton_.right.value):
            control.unbind(name)
    except LavliveError as error:
        desk.problem = str(error)


def offer_learn(desk: Desk, action: Action, text: str = "") -> None:
    """The button just drawn can be learned: by a right click, or the key L while it is pointed to.

    Another right click gives up; one with Shift takes off what is bound to it.

    Args:
        text: what it does; shown with what is bound to it when the mouse rests there.
    """
    control = desk.control
    if imgui.is_item_hovered() or imgui.is_item_focused():
        desk.pointed = action
    bound = [f"{source} of {device}" for device, source in control.bound_to(action)]
    waits = control.learning == action
    how = ["Right click: give up" if waits else "Right click: learn a control for it"]
    if bound:
        how.append("Shift and right click: take it off")
    tip("\n".join(filter(None, [text, *bound, *how])))
    if imgui.is_item_clicked(imgui.MouseButton_.right.value):
        try:
            if imgui.get_io().key_shift:
                control.unbind(action)
            elif waits:
                control.cancel_learn()
            else:
                control.learn(action)
        except LavliveError as error:
            desk.problem = str(error)
