"""Streams and NDI beside the recording: an address to type, switches, and how each fares."""

from __future__ import annotations

from imgui_bundle import imgui

from lavlive.control.actions import ACTIONS, Action
from lavlive.stage.output.takers.kinds import KINDS
from lavlive.stage.output.takers.typed import TypedStream
from lavlive.stage.panel.learning import offer_learn
from lavlive.stage.panel.outputs import draw_outlet, draw_state
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import BAD, RECORDING, button, heading, say, tip

_END, _BEGIN = "end the stream##typed", "begin the stream##typed"
_ENTER = imgui.InputTextFlags_.enter_returns_true.value
_HIDDEN = imgui.InputTextFlags_.password.value
_STREAM = Action("output.stream")
_SECRETS = {"srt": "its passphrase", "whip": "its path", "http": "its path", "https": "its path"}


class Streaming:
    """The field for an address, the streams of the file and the command line, and NDI."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lacks = next(kind.lacks() for kind in KINDS if kind.name == "ndi")

    def draw(self) -> None:
        """Draw it into the present window."""
        desk = self._desk
        typed, outlets = desk.show.typed_stream, desk.show.outlets.all
        heading("streams")
        self._draw_typed(typed)
        for outlet in outlets:
            if outlet.spec.kind == "stream" and outlet is not typed.outlet:
                draw_outlet(desk, outlet)
        for outlet in outlets:
            if outlet.spec.kind == "ndi" and not self._lacks:
                draw_outlet(desk, outlet)
        if self._lacks:
            say(f"NDI: {self._lacks}")

    def _draw_typed(self, typed: TypedStream) -> None:
        before = typed.address
        imgui.begin_disabled(typed.wanted)
        imgui.set_next_item_width(-1)
        entered, typed.address = imgui.input_text_with_hint(
            "##address",
            "an address: rtmp://host/app, srt://host:port, udp://…, https://…",
            typed.address,
            _ENTER,
        )
        if typed.address != before:
            typed.problem = ""
        if imgui.is_item_deactivated_after_edit():
            typed.hide()
        tip(
            "Where the stream goes. The key of rtmp://host/app/key moves to the field below, where nobody "
            "reads it; an application of several parts ends with /. The address is kept for the next show, "
            "without the key."
        )
        label = _END if typed.wanted else _BEGIN
        width = imgui.calc_text_size(label.partition("##")[0]).x + 3 * imgui.get_style().frame_padding.x
        imgui.set_next_item_width(max(60.0, imgui.get_content_region_avail().x - width - 8))
        secret = _SECRETS.get(typed.address.partition("://")[0], "its key")
        entered_below, typed.secret = imgui.input_text_with_hint(
            "##secret", secret, typed.secret, _ENTER | _HIDDEN
        )
        tip("The key of RTMP, the passphrase of SRT, or what follows the host for WHIP")
        imgui.end_disabled()
        imgui.same_line()
        pressed = button(label, typed.wanted, RECORDING)
        offer_learn(self._desk, _STREAM, f"{ACTIONS[_STREAM.name].help} (Ctrl+S, for all streams)")
        if pressed and typed.wanted:
            typed.end()
        elif pressed or entered or entered_below:
            typed.begin()
        if typed.problem:
            say(typed.problem, BAD)
        if typed.outlet is not None:
            draw_state(typed.outlet, self._desk.now)
