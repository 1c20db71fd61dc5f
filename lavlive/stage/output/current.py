"""Whose OpenGL is current in this thread, as far as GLFW knows; GLFW need not have been started.

On X11 a window's OpenGL comes from GLX, that without a window from EGL, and a thread has one of the two at a
time: GLX answers with an error of X where EGL's is still current.
"""

from __future__ import annotations

import ctypes
import os
import sys
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
    lay_aside_offscreen()
    glfw.make_context_current(window)


def lay_aside_offscreen() -> None:
    """Let no context without a window be current in this thread. Whoever owns one makes it current again.

    GLFW must have been started.
    """
    if not sys.platform.startswith("linux") or glfw.get_current_context():
        return  # on Wayland windows have EGL's, too
    try:
        egl = ctypes.CDLL("libEGL.so.1", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:
        return  # nobody here has loaded it, so nobody has such a context
    for name in ("eglGetCurrentContext", "eglGetCurrentDisplay"):
        getattr(egl, name).restype = ctypes.c_void_p
    if egl.eglGetCurrentContext():
        egl.eglMakeCurrent.argtypes = [ctypes.c_void_p] * 4
        egl.eglMakeCurrent(egl.eglGetCurrentDisplay(), None, None, None)
