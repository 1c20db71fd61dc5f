"""What stands above the panel's tabs and is always seen: how it fares, and what is done in a hurry."""

from __future__ import annotations

from imgui_bundle import imgui

from lavlive.audio.condition import CLIP
from lavlive.control.actions import Action
from lavlive.parameters import NAMES
from lavlive.stage.panel.learning import offer_learn
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import BAD, DARK, DIM, RECORDING, UNLIT, WARN, Row, fitted, tip

_LONGEST_STATUS = "00 pictures/s  sound to picture 0000 ms"
"""Room for numbers that come and go: nothing moves when another is longer."""


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
        status = show.status().removeprefix("lavlive").strip()
        row.text(status, imgui.get_style().color_(imgui.Col_.text.value), _LONGEST_STATUS)
        for text, lit, colour, meaning in self._lamps():
            counts = text.startswith(("gaps", "lost", "master"))
            row.text(text, colour if lit else UNLIT, f"{text.split()[0]} 000 ms" if counts else "")
            tip(meaning)

    def _lamps(self) -> list[tuple[str, bool, imgui.ImVec4, str]]:
        number = self._desk.show.link.number
        invalid, gaps = number("audio.invalid"), number("audio.xruns")
        lost = number("audio.dropped") / max(number("audio.rate"), 1.0)
        held = self._desk.show.flash_held_back()
        master = self._desk.control.values.number("show.master")
        return [
            ("no sound", number("audio.silent") > 0, WARN, "Nothing is heard"),
            ("too quiet", number("audio.too_quiet") > 0, WARN, "Raise the gain, or the sound at its source"),
            (
                "too loud",
                number("audio.peak") >= CLIP,
                BAD,
                "The sound is cut off at full scale: turn it down at its source",
            ),
            ("offset", abs(number("audio.offset")) > 0.05, WARN, "The sound has a constant offset"),
            (
                "broken sound",
                invalid > 0,
                BAD,
                f"Silence instead of {invalid:.0f} samples that are no numbers",
            ),
            (
                "at its limit",
                self._just_limited(),
                WARN,
                "The picture is held back from where the model has none",
            ),
            ("flash held back", held > 0.01, WARN, "A flash that could hurt people is being held back"),
            (
                f"gaps {gaps:.0f}" if gaps else "gaps",
                gaps > 0,
                WARN,
                "How often the sound driver was late",
            ),
            (
                f"lost {_seconds(lost)}" if lost else "lost",
                lost > 0,
                WARN,
                "Sound that came faster than it was used",
            ),
            (
                f"master {master:.0%}" if master < 1 else "master",
                master < 1,
                WARN,
                "Everything is dimmed by show.master",
            ),
        ]

    def _draw_notice(self) -> None:
        """Always one line, so that nothing below moves under the mouse; the tip has all of it."""
        desk = self._desk
        told = desk.problem or desk.show.notices.badge(desk.now)
        imgui.push_style_color(imgui.Col_.text.value, (BAD if desk.problem else WARN) if told else DIM)
        imgui.text_unformatted(fitted(told or "all well", imgui.get_content_region_avail().x))
        imgui.pop_style_color()
        if told:
            tip(told)

    def _draw_buttons(self) -> None:
        imgui.push_style_var(imgui.StyleVar_.frame_padding.value, imgui.ImVec2(13, 8))
        self._draw_row(Row())
        imgui.pop_style_var()

    def _draw_row(self, row: Row) -> None:
        desk = self._desk
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
            colour = DARK if action == "show.blackout" else None
            if row.button(f"{label}##{action}", lit, colour):
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


def _seconds(seconds: float) -> str:
    return (
        f"{seconds * 1000:.0f} ms"
        if seconds < 0.1
        else f"{seconds:.1f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
    )
