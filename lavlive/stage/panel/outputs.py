"""The section of where the canvas goes besides the screen: streams, and other programs."""

from __future__ import annotations

from imgui_bundle import imgui

from lavlive.control.actions import ACTIONS, Action
from lavlive.resources import config_folder
from lavlive.stage.output.takers.outlets import Outlet
from lavlive.stage.output.takers.worker import State
from lavlive.stage.panel.learning import offer_learn
from lavlive.stage.panel.section import Column, Desk, Section
from lavlive.stage.panel.widgets import BAD, DIM, GOOD, RECORDING, WARN, button, say


class OutputsSection(Section):
    """Every outlet with a switch, how it fares, and what was left out."""

    title = "Outputs"
    column = Column.WATCH

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._file = config_folder() / "streams.toml"

    def draw(self) -> None:
        outlets = self.desk.show.outlets
        for outlet in outlets.all:
            self._draw_outlet(outlet)
        if not any(outlet.spec.kind == "stream" for outlet in outlets.all):
            say(f"No stream: name some in {self._file}, or start with --stream ADDRESS.")

    def _draw_outlet(self, outlet: Outlet) -> None:
        spec, worker = outlet.spec, outlet.worker
        action = Action(f"output.{spec.kind}")
        if button(f"{spec.name}##outlet {spec.name}", outlet.wanted, RECORDING):
            outlet.switch(not outlet.wanted)
        if action.name in ACTIONS:
            offer_learn(self.desk, action, ACTIONS[action.name].help)
        imgui.same_line()
        imgui.text_colored(DIM, spec.where)
        if worker is None or not (outlet.wanted or worker.problem):
            return
        if worker.problem:
            say(worker.problem, BAD if worker.state is State.ENDED else WARN)
        if worker.state is not State.ENDED:
            colour = GOOD if worker.state is State.ON else WARN
            say(f"{worker.state.value}: {worker.sent} pictures given, {worker.dropped} left out", colour)
