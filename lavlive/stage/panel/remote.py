"""The panel's lines about the remote: where a phone finds it, and a code to scan."""

from __future__ import annotations

import numpy as np
from imgui_bundle import ImVec2, imgui

from lavlive.stage.panel import texture
from lavlive.stage.panel.section import Desk
from lavlive.stage.panel.widgets import BAD, DIM, GOOD, WARN, button, heading, say, tip

_MODULE = 5
"""Pixels of one square of the code; with these a phone reads it from a metre away."""
_MARGIN = 4
"""Squares of white around it, as the standard wants."""


def code_of(text: str) -> np.ndarray | None:
    """The QR code of a text, uint8 [side, side, 3], black on white; None where segno is not installed."""
    try:
        import segno
    except ImportError:
        return None
    squares = np.array([list(row) for row in segno.make_qr(text, error="m").matrix], bool)
    dark = np.kron(np.pad(squares, _MARGIN), np.ones((_MODULE, _MODULE), bool))
    return np.repeat(np.where(dark, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


class RemoteLines:
    """A switch, the addresses, and the code, whose texture is made once for an address."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._url = ""
        self._texture: int | None = None
        self._side = 0

    def draw(self) -> None:
        """Draw them into the present window."""
        remote = self._desk.control.remote
        heading("remote for phones")
        if button("phones may play##remote", remote.wanted):
            remote.switch(not remote.wanted)
        tip("A page for phones and tablets in this network: whoever scans its code moves this show")
        urls = remote.urls
        if not remote.wanted:
            return
        if not urls:
            say(remote.problem or "beginning", WARN if remote.problem else DIM)
            return
        imgui.same_line()
        imgui.text_colored(GOOD if remote.phones else DIM, f"{remote.phones} connected")
        say(urls[0], imgui.get_style().color_(imgui.Col_.text.value))
        for url in urls[1:3]:
            say(f"or {url}")
        self._draw_code(urls[0])
        if "//127." in urls[0]:
            say("This computer is in no network: no phone finds it.", BAD)
        if remote.server is not None:
            counters = remote.server.counters
            say(f"{counters.accepted} messages, {counters.refused + counters.turned_away} refused")

    def _draw_code(self, url: str) -> None:
        if url != self._url:
            self.close()
            self._url = url
            pixels = code_of(url)
            if pixels is not None:
                self._texture, self._side = texture.upload(pixels), len(pixels)
        if self._texture is not None:
            imgui.image(imgui.ImTextureRef(self._texture), ImVec2(self._side, self._side))
        else:
            say("With pip install 'lavlive[remote]' a code to scan would stand here.")

    def close(self) -> None:
        """Let go of the texture."""
        if self._texture is not None:
            texture.delete([self._texture])
        self._texture, self._url = None, ""
