"""The picture of a mapping in docs: python -m tools.mapping_picture docs/mapping.png

Two displays in software, one canvas on both, with a keystone, a bend and a soft edge; below, the pattern.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from PIL import Image

from lavlive.link.contents import Picture
from lavlive.parameters import Values
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.mapping.geometry import flat_grid
from lavlive.stage.output.mapping.mapping import ScreenMapping
from lavlive.stage.output.mapping.surfaces import Mask, Screen, Slice, Surfaces
from lavlive.stage.output.window import WindowOutput
from tests.support.xorg import two_monitors
from tests.test_mapping_windows import displayed

ROOT = Path(__file__).parents[1]
_VALUES = Values({"show.dissolve": 0.0, "show.flash_limit": False})


def room() -> Surfaces:
    """Two projectors side by side: the left one stands askew, the right one falls on a column."""
    grid = list(flat_grid())
    for index, (x, y) in enumerate(grid):
        grid[index] = (x, y + 0.16 * (0.5 - y) * (1 - (2 * x - 1) ** 2))
    left = Slice((0, 0, 0.6, 1), ((0.03, 0.1), (0.97, 0.03), (0.97, 0.97), (0.05, 0.9)), right=1 / 3)
    door = Mask(((0.6, 0.55), (0.75, 0.55), (0.75, 1.01), (0.6, 1.01)), "outside")
    right = Slice((0.4, 0, 0.6, 1), grid=tuple(grid), left=1 / 3, masks=(door,))
    return Surfaces(
        (Screen("left", "DUMMY0", slices=(left,)), Screen("right", "DUMMY1", slices=(right,))), (1280, 480)
    )


def picture() -> np.ndarray:
    """A real one of a bundled generator, uint8 [H, W, 3]."""
    with av.open(str(ROOT / "docs" / "generators" / "silk-music.jpg")) as sheet:
        return np.asarray(next(sheet.decode(video=0)).to_ndarray(format="rgb24")[4:130, 4:146])


def main(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder, two_monitors(Path(folder)):
        mapping = ScreenMapping(Path(folder) / "surfaces.toml", room())
        rows = []
        settings = OutputSettings(320, 180, fullscreen=True, vsync=False, mapping=mapping)
        with WindowOutput(settings) as window:
            for turn in ("canvas", "pattern"):
                mapping.pattern = turn == "pattern"
                end = time.perf_counter() + 4.0
                while (now := time.perf_counter()) < end:
                    window.poll()
                    if turn == "pattern":
                        mapping.identify()
                    window.present(Picture(picture(), 1, 0.0, 0.0, 0), _VALUES, now)
                assert window._screens is not None
                shown = [displayed(window.handle), displayed(window._screens.windows[0].handle)]
                small = [np.asarray(Image.fromarray(each).resize((480, 360))) for each in shown]
                gap = np.full((360, 12, 3), 255, np.uint8)
                rows.append(np.concatenate([small[0], gap, small[1]], axis=1))
        mapping.close()
        line = np.full((12, rows[0].shape[1], 3), 255, np.uint8)
        whole = np.concatenate([rows[0], line, rows[1]])
        Image.fromarray(whole).quantize(160).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
