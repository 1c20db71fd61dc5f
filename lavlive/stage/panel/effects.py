"""The section with the rack: what is in each slot, its inputs, and what sound and beat do to them."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
from imgui_bundle import ImVec2, imgui

from lavlive.control.looks.drives import LARGEST_SEED, SOURCES, Drive, drive_all
from lavlive.parameters import (
    INDEX,
    LOADED_GROUPS,
    LOADED_NAMES,
    Parameter,
    ParameterKind,
    is_event,
    loaded_parameters,
)
from lavlive.parameters.words import SOURCES as SOURCE_WORDS
from lavlive.parameters.words import slot_title
from lavlive.stage.panel.inputs import PartsHand, parts_from
from lavlive.stage.panel.knobs import KnobsSection
from lavlive.stage.panel.section import Column, Desk
from lavlive.stage.panel.widgets import DIM, heading, quiet_button, say, tip

_SOUND_WIDTH = 82.0
"""Pixels of the button that lets sound move an input."""
_TRACE = 90
"""Drawings that a drive's trace goes back."""


class EffectsSection(KnobsSection):
    """A part for each slot, the generator's first."""

    title = "Effects"
    column = Column.LOOK

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._traces: dict[str, deque[float]] = {}
        self._parts = PartsHand(desk, self._hold)

    def watch(self) -> None:
        moved = self.desk.control.moved_now
        driven = self.desk.control.looks.drives
        for name in driven:
            trace = self._traces.setdefault(name, deque(maxlen=_TRACE))
            trace.append(float(moved[name]) if name in moved else self._of_table(name))
        for name in self._traces.keys() - driven.keys():
            del self._traces[name]

    def _of_table(self, name: str) -> float:
        """What a parameter of the table is moved to; of a shader that is gone, nothing."""
        return self.desk.show.controls.number(name) if name in INDEX else 0.0

    def draw(self) -> None:
        control = self.desk.control
        rows = loaded_parameters(control.values.__getitem__)
        if not rows:
            say("No effects here: this show has no rack.")
            return
        ghosts = control.ghosts()
        for row in rows:
            if row.name in LOADED_NAMES:
                self._draw_parameter(row, ghosts.get(row.name))
        for group in LOADED_GROUPS:
            own = [row for row in rows if row.name.startswith(f"{group}.")]
            imgui.push_id(group)
            heading(slot_title(group))
            for place, row in enumerate(own):
                if is_event(row):
                    self._parts.draw_event(row)
                    continue
                parts = parts_from(own, place)
                if parts:
                    self._parts.draw(parts)
                self._draw_parameter(row, ghosts.get(row.name))
                self._draw_trace(row)
                if row.name == f"{group}.shader" and len(own) > 1:
                    self._draw_buttons(group, own)
            imgui.pop_id()

    def _draw_buttons(self, group: str, rows: list[Parameter]) -> None:
        looks = self.desk.control.looks
        place = LOADED_GROUPS.index(group)
        inputs = [
            row.name for row in rows if row.name.count(".") > 1 and row.kind is ParameterKind.CONTINUOUS
        ]
        if inputs and imgui.small_button("sound moves all"):
            for drive in drive_all(inputs, looks.chance.randrange(LARGEST_SEED)):
                looks.drive(drive)
        if inputs:
            tip("Everything in it follows the sound, each in a way of its own; press again for other ways")
            imgui.same_line()
            if imgui.small_button("none"):
                for name in inputs:
                    if name in looks.drives:
                        looks.stop_driving(name)
            tip("Nothing in it follows the sound")
            imgui.same_line()
        for words, other in (("earlier", place - 1), ("later", place + 1)):
            if place and 1 <= other < len(LOADED_GROUPS):
                if imgui.small_button(words):
                    looks.exchange(group, LOADED_GROUPS[other])
                tip(f"Change places with {slot_title(LOADED_GROUPS[other])}")
                imgui.same_line()
        imgui.new_line()

    def _more_width(self) -> float:
        return _SOUND_WIDTH + imgui.get_style().item_spacing.x

    def _draw_more(self, parameter: Parameter) -> None:
        """The button that lets sound move it."""
        if parameter.kind is not ParameterKind.CONTINUOUS:
            return
        present = self.desk.control.looks.drives.get(parameter.name)
        words = SOURCE_WORDS.get(present.source, present.source) if present else "sound"
        if quiet_button(f"{words}##sound", present is not None, _SOUND_WIDTH):
            imgui.open_popup("drive")
        tip("Let the sound move it")
        if imgui.begin_popup("drive"):
            self._draw_popup(parameter, present)
            imgui.end_popup()
        imgui.same_line(0, 0)

    def _draw_trace(self, parameter: Parameter) -> None:
        trace = self._traces.get(parameter.name)
        if trace:
            imgui.plot_lines(
                f"##trace {parameter.name}",
                np.array(trace, np.float32),
                0,
                "",
                parameter.low,
                parameter.high,
                ImVec2(-1, 18),
            )

    def _draw_popup(self, parameter: Parameter, present: Drive | None) -> None:
        looks = self.desk.control.looks
        drive = present or Drive(parameter.name, "middle", 0.0, 0)
        imgui.text_colored(DIM, f"Sound moves {parameter.name}")
        imgui.set_next_item_width(180)
        words = [SOURCE_WORDS.get(each, each) for each in SOURCES]
        other, source = imgui.combo("by", SOURCES.index(drive.source), words)
        imgui.set_next_item_width(180)
        deepened, depth = imgui.slider_float("how far", drive.depth, -1.0, 1.0)
        imgui.set_next_item_width(180)
        reseeded, seed = imgui.input_int("which way", drive.seed)
        if other or deepened or reseeded:
            looks.drive(
                replace(
                    drive,
                    source=SOURCES[source],
                    depth=min(max(depth, -1.0), 1.0),
                    seed=min(max(seed, 0), LARGEST_SEED),
                )
            )
        if present and imgui.button("no sound"):
            looks.stop_driving(parameter.name)
            imgui.close_current_popup()
