"""The panel's popup that lets the beat move a parameter."""

from __future__ import annotations

from dataclasses import replace

from imgui_bundle import imgui

from lavlive.control.beat.modulation import PERIODS, BeatModulation, Shape
from lavlive.control.looks.looks import Looks
from lavlive.parameters import Parameter, ParameterKind
from lavlive.stage.panel.widgets import quiet_button, tip

_PERIOD_NAMES = ["half a beat", "1 beat", "2 beats", "1 bar", "2 bars", "4 bars"]


def draw_beat_button(parameter: Parameter, looks: Looks, width: float) -> None:
    """A button that opens the popup; it shows the shape where the beat already moves the parameter."""
    if parameter.kind is not ParameterKind.CONTINUOUS:
        return
    present = looks.modulations.get(parameter.name)
    if quiet_button(f"{present.shape.value if present else 'beat'}##beat", present is not None, width):
        imgui.open_popup("beat")
    tip("Let the beat move it")
    if imgui.begin_popup("beat"):
        _draw_popup(parameter, looks, present)
        imgui.end_popup()


def _draw_popup(parameter: Parameter, looks: Looks, present: BeatModulation | None) -> None:
    modulation = present or BeatModulation(
        parameter.name, Shape.SINE, 4.0, 0.0, float(parameter.low), float(parameter.high)
    )
    imgui.text(f"The beat moves {parameter.name}")
    shapes = list(Shape)
    imgui.set_next_item_width(180)
    reshaped, shape = imgui.combo("shape", shapes.index(modulation.shape), [s.value for s in shapes])
    imgui.set_next_item_width(180)
    retimed, period = imgui.combo("in", PERIODS.index(modulation.beats), _PERIOD_NAMES)
    imgui.set_next_item_width(180)
    deepened, depth = imgui.slider_float("depth", modulation.depth, -1.0, 1.0)
    imgui.set_next_item_width(180)
    bounded, low, high = imgui.drag_float_range2(
        "bounds", modulation.low, modulation.high, 0.01, float(parameter.low), float(parameter.high)
    )
    if reshaped or retimed or deepened or bounded:
        looks.modulate(
            replace(
                modulation,
                shape=shapes[shape],
                beats=PERIODS[period],
                depth=depth,
                low=low,
                high=max(low, high),
            )
        )
    if present and imgui.button("no beat"):
        looks.stop_modulating(parameter.name)
        imgui.close_current_popup()
