"""The section of what is connected, and what happened."""

from __future__ import annotations

from lavlive.stage.panel.section import Column, Section
from lavlive.stage.panel.takeover import draw_default
from lavlive.stage.panel.widgets import DIM, say

_LINES = 40


class DevicesSection(Section):
    """MIDI, OSC, and the last lines of what happened, the newest first."""

    title = "Devices and log"
    column = Column.WATCH

    def draw(self) -> None:
        control = self.desk.control
        if control.midi is not None:
            devices = ", ".join(control.midi.devices) or "no device"
            say(f"MIDI: {devices}, {control.midi.inbox.received} messages")
            say("A knob that stands elsewhere than its value takes it over by")
            draw_default(self.desk)
        if control.osc is not None:
            counters = control.osc.counters
            host, port = control.osc.address
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            held = f", {counters.held} held at an end of their range" if counters.held else ""
            say(f"OSC: {where}, {counters.accepted} messages, {counters.bad} refused{held}")
        for notice in list(self.desk.show.notices.history)[: -_LINES - 1 : -1]:
            say(f"{_ago(self.desk.now - notice.time)}  {notice.text}", DIM)


def _ago(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 5400 else f"{seconds / 3600:.0f} h ago"
