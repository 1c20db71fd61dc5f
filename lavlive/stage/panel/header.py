"""What stands above the panel's tabs and is always seen: how it fares, and what is done in a hurry."""

from __future__ import annotations

from imgui_bundle import imgui

from lavlive.control.actions import Action
from lavlive.parameters import NAMES
from lavlive.stage.panel.learning import offer_learn
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import BAD, DIM, RECORDING, UNLIT, WARN, Row, say, tip


class Header:
    """One line of figures and lamps, one of notices, one of buttons."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._limited = (0.0, float("-inf"))

    def draw(self) -> None:
        """Draw it at the top of the present window."""
        self._draw_lamps()
        self._draw_notice()
        self._draw_buttons()

    def _draw_lamps(self) -> None:
        show, row = self._desk.show, Row()
        row.text(show.status(), imgui.get_style().color_(imgui.Col_.text.value))
        for text, lit, colour, meaning in self._lamps():
            row.text(text, colour if lit else UNLIT)
            tip(meaning)

    def _lamps(self) -> list[tuple[str, bool, imgui.ImVec4, str]]:
        number = self._desk.show.link.number
        invalid, gaps, lost = number("audio.invalid"), number("audio.xruns"), number("audio.dropped")
        held = self._desk.show.flash_held_back()
        return [
            ("no sound", number("audio.silent") > 0, WARN, "Nothing is heard"),
            (
                "clips",
                number("audio.peak") >= 0.999,
                BAD,
                "The sound is too loud: turn it down at its source",
            ),
            ("DC", abs(number("audio.offset")) > 0.05, WARN, "The sound has a constant offset"),
            (f"bad samples {invalid:.0f}", invalid > 0, BAD, "Sound that was no number; silence instead"),
            (f"gaps {gaps:.0f}", gaps > 0, WARN, "How often the sound driver was late"),
            (f"lost {lost:.0f}", lost > 0, WARN, "Samples that came faster than they were used"),
            ("held in", self._just_limited(), WARN, "w is held back from where the model makes no picture"),
            ("flash held", held > 0.01, WARN, "A flash that could hurt people is being held back"),
        ]

    def _draw_notice(self) -> None:
        desk = self._desk
        told = desk.problem or desk.show.notices.badge(desk.now)
        say(told or "all well", (BAD if desk.problem else WARN) if told else DIM)

    def _draw_buttons(self) -> None:
        desk, row = self._desk, Row()
        values = desk.control.values
        for label, action, meaning in (
            ("blackout", "show.blackout", "Fade to black, or come back (B)"),
            ("freeze", "show.freeze", "Hold the picture, or go on (Space)"),
            ("re-roll", "projection.reroll", "Another random projection from sound to picture (R)"),
            ("undo", "undo", "Take back the last change (U)"),
            ("redo", "redo", "Do again what was taken back (Shift+U)"),
            ("tap", "tap", "Tap the tempo (T)"),
            ("full screen", "fullscreen", "Full screen, or back to a window (F)"),
        ):
            lit = action in NAMES and values[action] is True
            if row.button(f"{label}##{action}", lit):
                desk.ask(action)
            offer_learn(desk, Action(action), meaning)
        seconds = desk.show.recordings.seconds(desk.now)
        recording = desk.show.recordings.wanted
        label = f"recording {seconds // 60:.0f}:{seconds % 60:02.0f}" if recording else "record"
        if row.button(f"{label}##record", recording, RECORDING):
            desk.ask("record")
        offer_learn(desk, Action("record"), "Begin or end a recording (Ctrl+R)")
        if row.button("keys locked##lock" if desk.control.locked else "lock keys##lock", desk.control.locked):
            desk.ask("lock")
        tip("Lock the keys against slips of the hand, or unlock them (Ctrl+L)")

    def _just_limited(self) -> bool:
        """Whether w+ was held at its limit within the last two seconds."""
        count = self._desk.show.link.number("picture.limited")
        if count != self._limited[0]:
            self._limited = count, self._desk.now
        return self._desk.now - self._limited[1] < 2.0
