"""What has to be set right on an X11 display before GLFW starts."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from typing import Any

_WINDOW_TYPE = 33
"""Xlib's XA_WINDOW."""
_CHECK = b"_NET_SUPPORTING_WM_CHECK"
_ERROR_HANDLER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def forget_dead_window_manager() -> bool:
    """Remove the mark of a window manager that is gone; True if there was one.

    A window manager that was killed leaves the root window's `_NET_SUPPORTING_WM_CHECK` behind, pointing to
    a window that is no more. GLFW 3.4 and before then lose track of their error handler and end the whole
    process with an assertion. Nothing else needs the mark: the next window manager sets its own.
    """
    if not sys.platform.startswith("linux") or not os.environ.get("DISPLAY"):
        return False
    name = ctypes.util.find_library("X11") or "libX11.so.6"
    try:
        x11 = ctypes.CDLL(name)
    except OSError:
        return False
    _declare(x11)
    display = x11.XOpenDisplay(None)
    if not display:
        return False
    # A window that is gone is an error of the server, at which Xlib would end the process.
    ignore = _ERROR_HANDLER(lambda *_: 0)
    before = x11.XSetErrorHandler(ctypes.cast(ignore, ctypes.c_void_p))
    try:
        return _forget(x11, display)
    finally:
        x11.XSetErrorHandler(before)
        x11.XCloseDisplay(display)


def _forget(x11: Any, display: int) -> bool:
    atom, root = x11.XInternAtom(display, _CHECK, False), x11.XDefaultRootWindow(display)
    marked = _window_in(x11, display, root, atom)
    if marked is None or _window_in(x11, display, marked, atom) is not None:
        return False
    x11.XDeleteProperty(display, root, atom)
    x11.XSync(display, False)
    return True


def _window_in(x11: Any, display: int, window: int, atom: int) -> int | None:
    """The window that a property of a window names, None where there is no such window or property."""
    kind, form = ctypes.c_ulong(), ctypes.c_int()
    count, left = ctypes.c_ulong(), ctypes.c_ulong()
    value = ctypes.POINTER(ctypes.c_ulong)()
    status = x11.XGetWindowProperty(
        display,
        window,
        atom,
        0,
        1,
        False,
        _WINDOW_TYPE,
        ctypes.byref(kind),
        ctypes.byref(form),
        ctypes.byref(count),
        ctypes.byref(left),
        ctypes.byref(value),
    )
    if status != 0 or not value:
        return None
    found = int(value[0]) if count.value else None
    x11.XFree(value)
    return found


def _declare(x11: Any) -> None:
    """Xlib's types: what ctypes would assume are 32 bits."""
    pointer, number = ctypes.c_void_p, ctypes.c_ulong
    x11.XOpenDisplay.restype, x11.XOpenDisplay.argtypes = pointer, [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [pointer]
    x11.XSetErrorHandler.restype, x11.XSetErrorHandler.argtypes = pointer, [pointer]
    x11.XInternAtom.restype, x11.XInternAtom.argtypes = number, [pointer, ctypes.c_char_p, ctypes.c_int]
    x11.XDefaultRootWindow.restype, x11.XDefaultRootWindow.argtypes = number, [pointer]
    x11.XDeleteProperty.argtypes = [pointer, number, number]
    x11.XSync.argtypes = [pointer, ctypes.c_int]
    x11.XFree.argtypes = [pointer]
    x11.XGetWindowProperty.argtypes = [
        *(pointer, number, number, ctypes.c_long, ctypes.c_long, ctypes.c_int, number),
        *([pointer] * 5),
    ]
