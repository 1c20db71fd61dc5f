"""The section of meters: what is heard, how the picture moves, and what looks wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from imgui_bundle import imgui

from lavlive.parameters import GROUPS
from lavlive.parameters.words import LAYERS
from lavlive.stage.panel.section import Column, Section
from lavlive.stage.panel.signs import draw_signs
from lavlive.stage.panel.widgets import DIM, WARN, bar, decibels, heading, histogram, lines, say, tip

_NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FASTEST = 8.0
"""W_std per second at which the bar of motion is full."""


class MetersSection(Section):
    """Sound, motion, and the four ways in which a picture can look wrong."""

    title = "Meters"
    column = Column.WATCH

    def draw(self) -> None:
        heading("what can look wrong")
        draw_signs(self.desk.show.link.read_signs(), self.desk.show.controls.numbers)
        heading("sound")
        self._draw_sound()
        heading("motion")
        self._draw_motion()

    def _draw_sound(self) -> None:
        meter, number = self.desk.show.link.meter, self.desk.show.link.number
        level = number("audio.level")
        half = (imgui.get_content_region_avail().x - imgui.get_style().item_spacing.x) / 2
        bar(decibels(level), f"level {20 * np.log10(max(level, 1e-6)):.0f} dB", half)
        imgui.same_line()
        bar(number("audio.onset"), "hits", half)
        tip("Full at the beginning of a note or a beat")
        lines("wave", meter("audio.waveform"), -1.0, 1.0, 60)
        histogram("from low to high", np.clip((meter("audio.spectrum") + 80) / 80, 0, 1), 1.0, 60)
        chroma = meter("audio.chroma")
        histogram("notes C to B", chroma, max(0.25, float(chroma.max())), 46)
        tip("How strong each note is:  " + "  ".join(_NOTES))

    def _draw_motion(self) -> None:
        meter = self.desk.show.link.meter
        motion, spread, delay = meter("latent.motion"), meter("latent.deviation"), meter("time.smooth")
        for group, name in enumerate(GROUPS):
            text = f"{LAYERS[name]} move {motion[group]:.1f}, spread {spread[group]:.2f}"
            bar(motion[group] / _FASTEST, f"{text}, {delay[group] * 1000:.0f} ms late")
            tip(
                f"The {name} layers: how fast they move and how far they spread, in W_std, and how much "
                "later their window makes them"
            )
        shares = meter("latent.histogram")
        highest = float(max(0.1, shares.max()))
        histogram("how far from the model's middle", shares, highest, 50)
        _draw_normal(highest)
        tip("Deviation from W_mean, −4 to 4 W_std, of the last second; the line is the model's own")
        stages = "   ".join(f"{name} {seconds * 1000:.1f}" for name, seconds in self.desk.show.stages())
        say(f"milliseconds each step takes: {stages}", DIM)


def _draw_normal(highest: float) -> None:
    """The standard normal's shares over the histogram just drawn."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    x = np.linspace(-4, 4, 33)
    shares = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi) * 0.25
    across = low.x + (x + 4) / 8 * (high.x - low.x)
    down = high.y - np.minimum(shares / highest, 1.0) * (high.y - low.y)
    points: list[Any] = [(float(a), float(b)) for a, b in zip(across, down, strict=True)]
    imgui.get_window_draw_list().add_polyline(points, imgui.get_color_u32(WARN), 1.5, 0)
