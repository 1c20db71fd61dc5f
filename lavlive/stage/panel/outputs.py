"""The section of where the canvas goes besides the screen: streams, and other programs."""

from __future__ import annotations

from imgui_bundle import imgui

from lavlive.control.actions import ACTIONS, Action
from lavlive.resources import config_folder
from lavlive.stage.output.takers.outlets import Outlet
from lavlive.stage.output.takers.worker import State
from lavlive.stage.panel.learning import offer_learn
from lavlive.stage.panel.section import Column, Desk, Section
from lavlive.stage.panel.widgets import BAD, DIM, GOOD, RECORDING, WARN, button, fitted, say


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
            draw_outlet(self.desk, outlet)
        if not any(outlet.spec.kind == "stream" for outlet in outlets.all):
            say(f"No stream: type an address below Show, or name some in {self._file}.")


def draw_outlet(desk: Desk, outlet: Outlet) -> None:
    """A switch, where it goes, and how it fares."""
    action = Action(f"output.{outlet.spec.kind}")
    if button(f"{outlet.spec.name}##outlet {outlet.spec.name}", outlet.wanted, RECORDING):
        outlet.switch(not outlet.wanted)
    if action.name in ACTIONS:
        offer_learn(desk, action, ACTIONS[action.name].help)
    imgui.same_line()
    room = imgui.get_content_region_avail().x
    imgui.text_colored(DIM, fitted(outlet.spec.where, room))
    draw_state(outlet, desk.now)


def draw_state(outlet: Outlet, now: float) -> None:
    """Since when it is live and what was sent, or why not; nothing for one that was never on."""
    worker = outlet.worker
    if worker is None or not (outlet.wanted or worker.problem):
        return
    if worker.problem:
        say(worker.problem, BAD if worker.state is State.ENDED else WARN)
    if worker.state is State.ENDED:
        return
    counts = f"{worker.sent} pictures sent, {worker.dropped} left out"
    again = f", connected {worker.begun} times" if worker.begun > 1 else ""
    since = worker.on_since
    if worker.state is State.ON and since is not None:
        say(f"live for {_duration(now - since)}: {counts}{again}", GOOD)
    else:
        say(f"{worker.state.value}: {counts}{again}", WARN)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(int(seconds), 0), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
