"""OpenGL without a window."""

from __future__ import annotations

import sys
from typing import Any

import moderngl

from lavlive.errors import DisplayError


def offscreen_context() -> moderngl.Context:
    """OpenGL 3.3 without a window.

    Raises:
        DisplayError: none can be had; the message says what to install.
    """
    try:
        if sys.platform.startswith("linux"):
            backend: Any = "egl"
            return moderngl.create_context(standalone=True, require=330, backend=backend)
        return moderngl.create_context(standalone=True, require=330)
    except Exception as error:  # moderngl has no narrower one
        raise DisplayError(
            f"No OpenGL here ({error}), so effects are left out; on Debian: apt install libegl-mesa0 "
            "libgl1-mesa-dri."
        ) from None
