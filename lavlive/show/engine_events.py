"""What the engine and its supervisor tell, and what it means for the show and its operator."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from lavlive.control.looks.presets import Preset
from lavlive.link.messages import (
    AnchorDrawn,
    AnchorsRefused,
    BendRefused,
    DialsFound,
    DialsRefused,
    Failing,
    GovernorChanged,
    KeyframesRefused,
    Misunderstood,
    MixReady,
    MixRefused,
    ModelLoading,
    ModelReady,
    ModelRefused,
    ModelShown,
    MomentKept,
    ProjectionRefused,
    Ready,
    Refused,
    Restarted,
    SourceLost,
    SourceNotice,
    SourceOpened,
    SourceRefused,
    SourceRunning,
    StageEvent,
)
from lavlive.parameters import Values
from lavlive.resources import return_memory

if TYPE_CHECKING:
    from lavlive.show.show import Show


class EngineEvents:
    """Takes the events of one show's engines, in the order in which they came."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._safe = False

    def take(self, told: StageEvent, now: float) -> None:
        """Do what one of them means for the show."""
        show, notices = self._show, self._show.notices
        match told:
            case Ready():
                notices.clear("engine")
                show.moments.begin(told.model_hash)
                show.bank.mix_anew()
                show.anchors.begin()
                for name in told.untrained:
                    notices.tell(f"{name}: untrained placeholder", now)
                for note in told.notes:
                    notices.tell(note, now)
                # Of the engine before, if there was one.
                return_memory()
            case Restarted():
                self._take_restart(told, now)
            case SourceOpened():
                notices.clear("source")
            case SourceRefused(source=source, text=text):
                show.sources.forget(source)
                notices.tell(text, now)
            case SourceLost(text=text):
                notices.raise_condition("source", text, now)
            case SourceRunning(text=text):
                notices.clear("source")
                notices.tell(text, now)
            case Refused() if not (show.pictures_shown or show.supervisor.settings.resumed):
                pass  # the show ends with it, and whoever started it says so
            case ModelLoading(path=path):
                notices.tell(f"Loading {path or 'the bundled model'}", now)
            case ModelRefused(path=path, text=text):
                notices.tell(text, now)
                show.bank.refused(path)
            case ModelReady():
                show.dials = None  # those of the one that fades in are told when they are found
                if show.control.looks.transitions and show.bank.coming is not None:
                    show.output.begin_transition(show.controls.number("show.swap_fade"))
            case ModelShown(name=name):
                show.bank.arrived()
                notices.tell(f"Model {name}", now)
                show.moments.show_model(told.model, now)
            case MomentKept(keyframe=keyframe):
                show.moments.keep(keyframe, now)
            case DialsFound():
                show.dials = told
            case AnchorDrawn():
                with contextlib.suppress(ValueError):  # one without a picture is a number to choose
                    show.anchors.take(told)
            case GovernorChanged(limiting=True):
                notices.raise_condition("governor", "The machine is busy: fewer pictures a second", now)
            case GovernorChanged():
                notices.clear("governor")
            case Misunderstood(text=text):
                notices.tell(f"A message between stage and engine was left out: {text}", now)
            case (
                SourceNotice(text=text)
                | ProjectionRefused(text=text)
                | DialsRefused(text=text)
                | AnchorsRefused(text=text)
                | KeyframesRefused(text=text)
                | MixReady(text=text)
                | MixRefused(text=text)
                | BendRefused(text=text)
                | Failing(text=text)
                | Refused(text=text)
            ):
                notices.tell(text, now)

    def _take_restart(self, told: Restarted, now: float) -> None:
        """Say why the pictures stand still; in safe mode begin again with the default look, too."""
        show = self._show
        show.bank.abandoned()
        show.notices.raise_condition("engine", f"Starting the engine again: {told.reason}", now)
        if told.stepped_down:
            show.notices.raise_condition("memory", "Out of memory: the CPU makes the pictures", now)
        if told.safe and not self._safe:
            self._safe = True
            show.notices.raise_condition("safe", "Safe mode: bundled models on the CPU, default look", now)
            default = Preset("", "", None, Values().saved(), {})
            show.control.looks.recall(default, now, seconds=0.0)
