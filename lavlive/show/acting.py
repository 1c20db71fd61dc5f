"""What the show does itself: actions that hands left to it, and what happens to its output."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lavlive.control.actions import Action
from lavlive.link.messages import KeepMoment
from lavlive.stage.output.base import (
    CloseRequested,
    KeyPressed,
    MonitorLost,
    MonitorMissed,
    MonitorReturned,
    OutputEvent,
)

if TYPE_CHECKING:
    from lavlive.show.show import Show


def act(show: Show, action: Action, now: float) -> None:
    """Do one of the actions that `Control.step` leaves to the show."""
    match action.name:
        case "quit":
            show.done = True
        case "fullscreen":
            show.output.toggle_fullscreen()
        case "panel":
            show.operator.toggle()
        case "keyframe.keep":
            show.supervisor.send(KeepMoment())
        case "record":
            show.recordings.toggle()
        case "mapping.edit" | "mapping.pattern" | "mapping.identify":
            _map(show, action.name)
        case "output.stream" | "output.ndi" | "output.camera" | "output.syphon" | "output.spout":
            _toggle_outlets(show, action.name.removeprefix("output."), now)
        case "help":
            show.operator.show_keys()
        case "learn":
            show.operator.learn(now)
        case "preset.loaded":
            show.notices.tell(action.argument, now)
        case "model.load":
            show.bank.load(action.argument or None)
        case "source.next" | "source.input" | "source.loopback" | "source.track" | "source.demo":
            show.change_source(show.sources.meant_by(action))
        case "model.next" | "model.previous":
            show.bank.walk(1 if action.name == "model.next" else -1, now)


def _map(show: Show, action: str) -> None:
    mapping = show.output.mapping
    if mapping is None:
        show.notices.tell("There is no window to map", time.perf_counter())
    elif action == "mapping.edit":
        mapping.toggle_editing()
    elif action == "mapping.pattern":
        mapping.toggle_pattern()
    else:
        mapping.identify()


def _toggle_outlets(show: Show, kind: str, now: float) -> None:
    if not show.outlets.toggle(kind):
        show.notices.tell(f"There is no {kind} to switch on; lavlive outputs says what there is", now)


def take_output_event(show: Show, event: OutputEvent, now: float) -> None:
    """Take something that happened to the output: a key, a monitor that went away, the wish to end."""
    match event:
        case CloseRequested():
            show.done = True
        case KeyPressed(name=name, modifiers=modifiers):
            show.control.press(name, modifiers)
        case MonitorLost(name=name):
            show.notices.raise_condition(
                f"monitor {name}", f"Monitor {name} is gone: the picture waits for it", now
            )
        case MonitorReturned(name=name):
            show.notices.clear(f"monitor {name}")
        case MonitorMissed(name=name):
            show.notices.tell(
                f"The window manager does not put the picture on {name}: move the window there, then F",
                now,
            )
