"""Draws the pictures of docs/panel.md: the panel of a real show on the demo track, on a display of its own.

    PYTHONPATH=. .venv/bin/python tools/panel_picture.py docs

What the panel says of speed is this machine's at that moment: run it where nothing else does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import glfw
import numpy as np
from OpenGL import GL
from PIL import Image

from lavlive.commands.opening import open_show
from lavlive.commands.options import LiveOptions
from lavlive.link.environment import prepare_process
from lavlive.show.show import Show
from tests.support.xvfb import xvfb

_LOOKS = ("Slow tide", "Acid", "Cathedral", "Dub")
_SETTLED = 8.0
_PICTURES = {
    "panel.png": (1180, 860, ("Knobs", "Presets")),
    "panel-effects.png": (1180, 860, ("Effects", "Show")),
    "panel-wide.png": (1920, 1080, ("Knobs", "Presets", "Meters")),
}
"""Width, height, and the tabs in front."""
_COLOURS = 128


def _run(show: Show, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        show.step(time.perf_counter())
        time.sleep(0.005)


def _pixels(show: Show) -> np.ndarray:
    """What the panel's window shows, uint8 [H, W, 3]: read before the swap, after which none may ask."""
    assert show.operator.window is not None
    width, height = show.operator.window.size
    taken: list[bytes] = []
    swap, glfw.swap_buffers = (
        glfw.swap_buffers,
        lambda window: taken.append(GL.glReadPixels(0, 0, width, height, GL.GL_RGB, GL.GL_UNSIGNED_BYTE)),
    )
    try:
        show.operator.window.present(time.perf_counter())
    finally:
        glfw.swap_buffers = swap
    return np.frombuffer(taken[0], np.uint8).reshape(height, width, 3)[::-1]


def _take(show: Show, path: Path, width: int, height: int, tabs: tuple[str, ...]) -> None:
    assert show.operator.window is not None
    assert show.operator.panel is not None
    glfw.set_window_pos(show.operator.window.handle, 0, 0)
    glfw.set_window_size(show.operator.window.handle, width, height)
    for tab in tabs:
        show.operator.panel.show(tab)
        _run(show, 1.0)
    picture = Image.fromarray(_pixels(show))
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def main(folder: str) -> None:
    """Run the show until there is something to see, and keep the pictures."""
    prepare_process()
    with tempfile.TemporaryDirectory() as config, xvfb(3200, 1200):
        os.environ["XDG_CONFIG_HOME"] = config
        subprocess.run(["xdotool", "mousemove", "3199", "1199"], check=True)  # no tip in the picture
        with open_show(LiveOptions(demo=True, aloud=False, osc="off")) as show:
            while show.pictures_shown < 100:
                _run(show, 0.5)
            show.operator.toggle()
            for name in _LOOKS:
                show.control.looks.recall(show.control.looks.library.find(name), time.perf_counter(), 0.0)
                _run(show, _SETTLED)
            for name, (width, height, tabs) in _PICTURES.items():
                _take(show, Path(folder) / name, width, height, tabs)


if __name__ == "__main__":
    main(*sys.argv[1:])
