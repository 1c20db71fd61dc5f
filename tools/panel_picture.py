"""Draws docs/panel.png: the panel of a real show on the demo track, on a display of its own.

    PYTHONPATH=. .venv/bin/python tools/panel_picture.py docs/panel.png [SECTION]

What the panel says of speed is this machine's at that moment: run it where nothing else does.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time

import glfw
import numpy as np
from OpenGL import GL
from PIL import Image

from lavlive.commands.live import open_show
from lavlive.commands.main import _parser
from lavlive.show.show import Show
from tests.support.xvfb import xvfb

_LOOKS = ("Slow tide", "Acid", "Cathedral", "Dub")
_SETTLED = 8.0


def _run(show: Show, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        show.step(time.perf_counter())
        time.sleep(0.005)


def _pixels(show: Show) -> np.ndarray:
    """What the panel's window shows, uint8 [H, W, 3]: read before the swap, after which none may ask."""
    assert show.panel is not None
    width, height = show.panel.size
    taken: list[bytes] = []
    swap, glfw.swap_buffers = (
        glfw.swap_buffers,
        lambda _: taken.append(GL.glReadPixels(0, 0, width, height, GL.GL_RGB, GL.GL_UNSIGNED_BYTE)),
    )
    try:
        show.panel.present(time.perf_counter())
    finally:
        glfw.swap_buffers = swap
    return np.frombuffer(taken[0], np.uint8).reshape(height, width, 3)[::-1]


def main(path: str, section: str = "Presets") -> None:
    """Run the show until there is something to see, and keep the picture."""
    arguments = ["live", "--demo", "--silent", "--osc", "off"]
    with tempfile.TemporaryDirectory() as folder, xvfb(1900, 960):
        os.environ["XDG_CONFIG_HOME"] = folder
        with open_show(_parser().parse_args(arguments)) as show:
            while show.pictures_shown < 100:
                _run(show, 0.5)
            show.toggle_panel()
            for name in _LOOKS:
                show.control.looks.recall(show.control.looks.library.find(name), time.perf_counter(), 0.0)
                _run(show, _SETTLED)
            assert show._panel is not None
            show._panel.show(section)
            _run(show, 2.0)
            Image.fromarray(_pixels(show)).save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
