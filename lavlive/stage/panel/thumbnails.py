"""Small pictures of what each preset looked like when it was last shown, kept over the end of a show."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lavlive.control.looks.presets import file_stem
from lavlive.shrinking import averaged
from lavlive.stage.panel import texture

SIZE = 48
_SETTLED_SECONDS = 3.0


class Thumbnails:
    """Takes, keeps and uploads them; every call needs the panel's OpenGL context.

    Args:
        folder: where they are kept as numpy arrays, uint8 [48, 48, 3].
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._textures: dict[str, int] = {}
        self._preset = ""
        self._since = 0.0
        self._taken = ""

    def watch(self, preset: str, morphing: bool, pixels: np.ndarray | None, now: float) -> None:
        """Look at what is shown, uint8 [H, W, 3]; once a preset has settled its picture is taken."""
        if preset != self._preset or morphing:
            self._preset, self._since = preset, now
            return
        if preset and pixels is not None and preset != self._taken and now - self._since > _SETTLED_SECONDS:
            self._taken = preset
            self._keep(preset, averaged(pixels, SIZE, SIZE))

    def texture(self, preset: str) -> int | None:
        """OpenGL's number of a preset's thumbnail, None if it was never shown."""
        if preset not in self._textures:
            try:
                pixels = np.load(self._path(preset), allow_pickle=False)
            except (OSError, ValueError, EOFError):
                return None
            if pixels.shape != (SIZE, SIZE, 3) or pixels.dtype != np.uint8:
                return None
            self._textures[preset] = texture.upload(pixels)
        return self._textures[preset]

    def close(self) -> None:
        """Let go of the textures."""
        if self._textures:
            texture.delete(list(self._textures.values()))
            self._textures.clear()

    def _keep(self, preset: str, pixels: np.ndarray) -> None:
        old = self._textures.pop(preset, None)
        if old is not None:
            texture.delete([old])
        self._textures[preset] = texture.upload(pixels)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            np.save(self._path(preset), pixels)
        except OSError:
            # A thumbnail that cannot be kept is taken again in the next show.
            return

    def _path(self, preset: str) -> Path:
        return self._folder / f"{file_stem(preset)}.npy"
