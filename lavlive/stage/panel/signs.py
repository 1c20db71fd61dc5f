"""The panel's four meters of what can look wrong, and the knob that mends it."""

from __future__ import annotations

import numpy as np
from imgui_bundle import ImVec2, ImVec4, imgui

from lavlive.diagnosis.signs import SETTLED_SECONDS, Signature, Signs, excesses, remedy, verdict, worst
from lavlive.parameters import GROUPS
from lavlive.parameters.words import LAYERS
from lavlive.stage.panel.widgets import bar, say

_DIM = ImVec4(0.50, 0.52, 0.55, 1.0)
_CALM = ImVec4(0.24, 0.44, 0.36, 1.0)
_NEAR = ImVec4(0.56, 0.46, 0.22, 1.0)
_BEYOND = ImVec4(0.86, 0.42, 0.26, 1.0)
_WARN = ImVec4(0.98, 0.72, 0.30, 1.0)
_NAME_WIDTH = 56.0

_MEANING = {
    Signature.STATIC: "spread of w+ over the last 10 s in W_std; static when no group moves enough",
    Signature.JITTER: "motion above 8 Hz in W_std; jitter when one group has too much of it",
    Signature.LAG: "delay of the smoothing; laggy when no group follows soon enough",
    Signature.GLITCH: "distance from the model's own w, 1 is its median; glitches when one group is far out",
}


def draw_signs(signs: Signs, numbers: np.ndarray) -> None:
    """A row per signature, a bar per group that is full where the failure begins, and the verdict.

    Args:
        numbers: the parameters' present values, which decide what is advised.
    """
    values = {
        Signature.STATIC: (signs.diversity, "{:.2f}"),
        Signature.JITTER: (signs.jitter, "{:.3f}"),
        Signature.LAG: (signs.lag * 1000, "{:.0f} ms"),
        Signature.GLITCH: (np.nan_to_num(signs.distance), "{:.2f}"),
    }
    findings = verdict(signs)
    named = {finding.signature for finding in findings}
    near = excesses(signs)
    settled = signs.heard >= SETTLED_SECONDS
    width = (imgui.get_content_region_avail().x - _NAME_WIDTH - 24) / len(GROUPS)
    imgui.dummy(ImVec2(_NAME_WIDTH, 0))
    for group, name in enumerate(GROUPS):
        imgui.same_line(_NAME_WIDTH + 8 + group * (width + 6))
        imgui.text_colored(_DIM, LAYERS[name])
    for signature, (numbers_now, text) in values.items():
        imgui.align_text_to_frame_padding()
        imgui.text_colored(_WARN if signature in named else _DIM, signature.value)
        if imgui.is_item_hovered():
            imgui.set_tooltip(_MEANING[signature])
        decides, _ = worst(signature, near[signature])
        for group, name in enumerate(GROUPS):
            imgui.same_line(_NAME_WIDTH + 8 + group * (width + 6))
            excess = float(near[signature][group])
            bar(
                excess, text.format(numbers_now[group]), width, _colour(excess, decides) if settled else _CALM
            )
            if imgui.is_item_hovered():
                imgui.set_tooltip(f"{name} layers: {_MEANING[signature]}")
    if findings:
        told = "   ".join(f"{each.signature.value}: {remedy(each, numbers)}" for each in findings[:2])
        say(told, _WARN)
    elif not settled:
        imgui.text_colored(_DIM, f"measuring, {SETTLED_SECONDS - signs.heard:.0f} s more")
    else:
        imgui.text_colored(_DIM, "nothing looks wrong")


def _colour(excess: float, decides: float) -> ImVec4:
    """By what decides: a form may rest or be late while the surface is neither."""
    nearest = min(excess, decides)
    return _BEYOND if nearest > 1.0 else _NEAR if nearest > 0.7 else _CALM
