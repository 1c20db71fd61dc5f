"""The operator's panel of a running show: opened, closed and drawn without standing in the picture's way."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING

from lavlive.control.keyboard import key_lines
from lavlive.errors import DisplayError, LavliveError

if TYPE_CHECKING:
    from lavlive.show.show import Show
    from lavlive.stage.panel.panel import Panel
    from lavlive.stage.panel.window import PanelWindow

_PANEL_SECONDS = 1 / 30
_PREVIEW_SECONDS = 0.1
_ASK_AGAIN_SECONDS = 4.0
"""So long does a second Tab mean that the panel is wanted although it covers the picture."""


class OperatorsPanel:
    """The panel, which costs nothing while it is closed: Dear ImGui is imported when it first opens.

    Attributes:
        window: its window, None while it is closed.
        panel: what was drawn in it last.
    """

    def __init__(self, show: Show) -> None:
        self.window: PanelWindow | None = None
        self.panel: Panel | None = None
        self._show = show
        self._drawn = self._previewed = 0.0
        self._refused = float("-inf")

    def toggle(self) -> None:
        """Open it, or close it."""
        if self.window is not None:
            self.close()
            return
        from lavlive.stage.panel.panel import Panel
        from lavlive.stage.panel.window import SIZE, PanelWindow

        now = time.perf_counter()
        place = self._show.output.make_room(SIZE)
        if place is None and now - self._refused > _ASK_AGAIN_SECONDS:
            self._refused = now
            self._show.notices.tell(
                "The panel would cover the picture: F leaves full screen, Tab again opens it all the same",
                now,
            )
            return
        try:
            self.panel = Panel(self._show)
            self.window = PanelWindow(self.panel.draw, self.panel.close, place)
        except DisplayError as error:
            self._show.notices.tell(str(error), now)

    def close(self) -> None:
        """Close it, if it is open."""
        window, self.window = self.window, None
        if window is not None:
            window.close()

    def step(self, now: float) -> None:
        """Take its keys and draw it, thirty times a second; one that fails is closed, and that is told."""
        if self.window is None:
            return
        from lavlive.stage.panel.section import PREVIEW

        for key in self.window.poll():
            self._show.control.press(key.name, key.modifiers)
        if self.window.should_close:
            self.close()
        elif now - self._drawn >= _PANEL_SECONDS:
            self._drawn = now
            try:
                if self.panel is not None and now - self._previewed >= _PREVIEW_SECONDS:
                    self._previewed = now
                    self.panel.desk.preview = self._show.output.preview(*PREVIEW)
                self.window.present(now)
            except Exception as error:  # the audience must not suffer from the operator's view
                traceback.print_exc()
                self.close()
                self._show.notices.tell(f"The panel failed and was closed: {error}", now)

    def show_keys(self) -> None:
        """All keys: in the panel where it is open, else in the terminal."""
        if self.panel is not None and self.window is not None:
            self.panel.show("Keys")
        else:
            self._show.notices.explain(key_lines())

    def learn(self, now: float) -> None:
        """Learn a control for the parameter that the panel points to, or stop learning."""
        control, notices = self._show.control, self._show.notices
        pointed = self.panel.pointed if self.panel is not None else None
        if control.learning is not None:
            control.cancel_learn()
        elif pointed is None:
            notices.tell("Point to a parameter, a preset or a button in the panel (Tab), then press L", now)
        else:
            try:
                control.learn(pointed)
            except LavliveError as error:
                notices.tell(str(error), now)
