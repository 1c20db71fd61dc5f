"""Still images that shaders are given: files of the user's, decoded aside and kept as textures."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

import moderngl
import numpy as np

from lavlive.errors import ShaderError
from lavlive.stage.aside import Aside
from lavlive.stage.canvas.isf.images import read_image


class Pictures:
    """Textures by the names of files; in an OpenGL context that is current in every call.

    Attributes:
        problems: why files are not shown, a line each, by name.
    """

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self.problems: dict[str, str] = {}
        self._known: dict[Path, moderngl.Texture] = {}
        self._coming: dict[Path, Future[np.ndarray]] = {}
        self._aside = Aside("images")

    def texture(self, name: str, files: Mapping[str, Path], wait: bool) -> moderngl.Texture | None:
        """The image of that name, first row at the bottom; None while it is read, and where there is none.

        Args:
            wait: have it at once, as a rendering does.
        """
        path = files.get(name)
        if path is None:
            return None
        if path in self._known:
            return self._known[path]
        if path not in self._coming:
            self._coming[path] = self._aside.submit(read_image, path)
        coming = self._coming[path]
        if name in self.problems or not (wait or coming.done()):
            return None
        try:
            pixels = coming.result()
        except ShaderError as error:
            self.problems[name] = str(error)
            return None
        height, width, _ = pixels.shape
        made = self._context.texture((width, height), 4, pixels.tobytes(), alignment=1)
        made.repeat_x = made.repeat_y = False
        self._known[path] = made
        return made

    def release(self) -> None:
        """Let go of all."""
        for texture in self._known.values():
            texture.release()
        self._known.clear()
        for coming in self._coming.values():
            coming.cancel()
        self._aside.close(0.0)
