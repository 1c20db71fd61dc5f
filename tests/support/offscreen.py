"""OpenGL without a window for tests, and what a shader drew in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import moderngl
import numpy as np
import pytest

from lavlive.errors import DisplayError
from lavlive.stage.canvas.offscreen import offscreen_context


@contextmanager
def offscreen() -> Iterator[moderngl.Context]:
    """A context that is current meanwhile; the test is skipped where there is none."""
    try:
        made = offscreen_context()
    except DisplayError as error:
        pytest.skip(str(error))
    with made:
        yield made
    made.release()


def pixels(texture: moderngl.Texture) -> np.ndarray:
    """What a shader drew, float [H, W, 4], first row at the bottom."""
    dtype = {"nu2": np.uint16, "f4": np.float32}[texture.dtype]
    data = np.frombuffer(texture.read(), dtype).reshape(texture.height, texture.width, 4).astype(float)
    return data / 65535 if texture.dtype == "nu2" else data
