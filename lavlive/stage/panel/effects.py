"""The section with the rack: what is in each slot, its inputs, and what sound and beat do to them."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
from imgui_bundle import ImVec2, imgui

from lavlive.control.looks.drives import LARGEST_SEED, SOURCES, Drive, drive_all
from lavlive.parameters import LOADED_GROUPS, Parameter, ParameterKind, loaded_parameters
from lavlive.stage.panel.knobs import KnobsSection
from lavlive.stage.panel.section import Column, Desk
from lavlive.stage.panel.widgets import DIM, say, tip

_TRACE = 90
"""Drawings that a drive's trace goes back."""


class EffectsSection(KnobsSection):
    """A part for each slot, the generator's first."""

    title = "Effects"
    column = Column.LOOK

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._traces: dict[str, deque[float]] = {}

    def watch(self) -> None:
        moved = self.desk.control.moved_now
        driven = self.desk.control.looks.drives
        for name in driven:
            trace = self._traces.setdefault(name, deque(maxlen=_TRACE))
            trace.append(float(moved.get(name, 0.0)))
        for name in self._traces.keys() - driven.keys():
            del self._traces[name]

    def draw(self) -> None:
        control = self.desk.control
        rows = loaded_parameters(control.values.__getitem__)
        if not rows:
            say("No effects here: this show has no rack.")
            return
        ghosts = control.ghosts()
        for group in LOADED_GROUPS:
            own = [row for row in rows if row.name.startswith(f"{group}.")]
            shader = str(control.values[f"{group}.shader"])
            imgui.push_id(group)
            imgui.separator_text(f"{group}  {shader}")
            if len(own) > 1:
                self._draw_buttons(group, own)
            for row in own:
                self._draw_parameter(row, ghosts.get(row.name))
                if row.kind is ParameterKind.CONTINUOUS:
                    self._draw_drive(row)
            imgui.pop_id()

    def _label(self, parameter: Parameter) -> str:
        """Without the shader's name, which stands above."""
        return parameter.name.rpartition(".")[2]

    def _draw_buttons(self, group: str, rows: list[Parameter]) -> None:
        looks = self.desk.control.looks
        place = LOADED_GROUPS.index(group)
        for label, other in (("up", place - 1), ("down", place + 1)):
            if place and 1 <= other < len(LOADED_GROUPS):
                if imgui.small_button(label):
                    looks.exchange(group, LOADED_GROUPS[other])
                imgui.same_line()
        inputs = [row.name for row in rows if row.name.count(".") > 1]
        if imgui.small_button("drive all"):
            for drive in drive_all(inputs, looks.chance.randrange(LARGEST_SEED)):
                looks.drive(drive)
        tip("Every input is moved by the sound, each in a direction of W of its own; press again for others.")
        imgui.same_line()
        if imgui.small_button("drive none"):
            for name in inputs:
                if name in looks.drives:
                    looks.stop_driving(name)

    def _draw_drive(self, parameter: Parameter) -> None:
        looks = self.desk.control.looks
        present = looks.drives.get(parameter.name)
        imgui.push_id(f"drive {parameter.name}")
        imgui.same_line(imgui.get_content_region_avail().x * 0.60)
        if imgui.small_button(present.source if present else "drive"):
            imgui.open_popup("drive")
        if imgui.begin_popup("drive"):
            self._draw_popup(parameter, present)
            imgui.end_popup()
        trace = self._traces.get(parameter.name)
        if trace:
            imgui.plot_lines(
                "##trace", np.array(trace, np.float32), 0, "", parameter.low, parameter.high, ImVec2(-1, 18)
            )
        imgui.pop_id()

    def _draw_popup(self, parameter: Parameter, present: Drive | None) -> None:
        looks = self.desk.control.looks
        drive = present or Drive(parameter.name, "middle", 0.0, 0)
        imgui.text_colored(DIM, f"Sound moves {parameter.name}")
        imgui.set_next_item_width(180)
        other, source = imgui.combo("source", SOURCES.index(drive.source), list(SOURCES))
        imgui.set_next_item_width(180)
        deepened, depth = imgui.slider_float("depth", drive.depth, -1.0, 1.0)
        imgui.set_next_item_width(180)
        reseeded, seed = imgui.input_int("seed", drive.seed)
        if other or deepened or reseeded:
            looks.drive(
                replace(
                    drive,
                    source=SOURCES[source],
                    depth=min(max(depth, -1.0), 1.0),
                    seed=min(max(seed, 0), LARGEST_SEED),
                )
            )
        if present and imgui.button("no drive"):
            looks.stop_driving(parameter.name)
            imgui.close_current_popup()
