"""Whose OpenGL is current in this thread, as far as GLFW knows; GLFW need not have been started."""

from __future__ import annotations

import warnings
from typing import Any

import glfw


def current_window() -> Any | None:
    """GLFW's window whose OpenGL context is current in this thread, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GLFW was not started: then it has no window either
        window = glfw.get_current_context()
    return window or None


def make_window_current(window: Any) -> None:
    """Make a window's context current; of None, no context is."""
    glfw.make_context_current(window)
