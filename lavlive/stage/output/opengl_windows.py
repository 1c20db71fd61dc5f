"""Windows with an OpenGL 3.3 context, as GLFW makes them."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

import glfw

from lavlive.errors import DisplayError
from lavlive.stage.output.current import lay_aside_offscreen
from lavlive.stage.output.x11 import forget_dead_window_manager, outlive_errors

_errors: deque[str] = deque(maxlen=8)


def _note_error(code: int, description: bytes | str) -> None:
    text = description.decode("utf-8", "replace") if isinstance(description, bytes) else description
    _errors.append(f"{text} (GLFW {code:#x})")


def start_glfw() -> None:
    """Make GLFW ready; further calls do nothing.

    Raises:
        DisplayError: there is no display.
    """
    glfw.set_error_callback(_note_error)
    forget_dead_window_manager()
    outlive_errors(_errors.append)
    if not glfw.init():
        reason = f": {_errors[-1]}" if _errors else "."
        raise DisplayError(f"There is no display{reason} Use --headless, or set DISPLAY.")


def display_available() -> bool:
    """Whether a window could be opened here."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False
    try:
        start_glfw()
    except DisplayError:
        return False
    return bool(glfw.get_monitors())


def open_window(
    size: tuple[int, int], title: str, hints: Mapping[int, int] | None = None, share: Any = None
) -> Any:
    """A new window of GLFW with OpenGL 3.3, core profile.

    Args:
        size: width and height in screen coordinates.
        hints: further ones of GLFW, by their constants.
        share: the window with which it shares textures.

    Raises:
        DisplayError: it cannot be had; the message is GLFW's reason.
    """
    glfw.default_window_hints()
    opengl = {
        glfw.CONTEXT_VERSION_MAJOR: 3,
        glfw.CONTEXT_VERSION_MINOR: 3,
        glfw.OPENGL_PROFILE: glfw.OPENGL_CORE_PROFILE,
        glfw.OPENGL_FORWARD_COMPAT: glfw.TRUE,
    }
    for hint, value in {**opengl, **(hints or {})}.items():
        glfw.window_hint(hint, value)
    _errors.clear()
    lay_aside_offscreen()
    handle = glfw.create_window(*size, title, None, share)
    if not handle:
        raise DisplayError("; ".join(_errors) or "no reason given")
    return handle
