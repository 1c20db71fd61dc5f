"""What has to be set right on an X11 display before GLFW starts, so that X does not end the process."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
import sys
from collections.abc import Callable
from typing import Any

_WINDOW_TYPE = 33
"""Xlib's XA_WINDOW."""
_CHECK = b"_NET_SUPPORTING_WM_CHECK"


class _ErrorEvent(ctypes.Structure):
    """Xlib's XErrorEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("resourceid", ctypes.c_ulong),
        ("serial", ctypes.c_ulong),
        ("error_code", ctypes.c_ubyte),
        ("request_code", ctypes.c_ubyte),
        ("minor_code", ctypes.c_ubyte),
    )


_ERROR_HANDLER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_ErrorEvent))
_handlers: list[Any] = []
"""Xlib keeps an address only."""


def forget_dead_window_manager() -> bool:
    """Remove the mark of a window manager that is gone; True if there was one.

    A window manager that was killed leaves the root window's `_NET_SUPPORTING_WM_CHECK` behind, pointing to
    a window that is no more. GLFW 3.4 and before then lose track of their error handler and end the whole
    process with an assertion. Nothing else needs the mark: the next window manager sets its own.
    """
    if not sys.platform.startswith("linux") or not os.environ.get("DISPLAY"):
        return False
    x11 = _library()
    if x11 is None:
        return False
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


def outlive_errors(note: Callable[[str], None]) -> None:
    """Have ``note`` told in a line what the X server refuses, instead of the process ended.

    Xlib's own way with an error that nobody has asked for is a message and ``exit(1)``. This holds for the
    whole process and for as long as it lives: a further call changes who is told. Where there is no X11
    nothing happens.
    """
    if not sys.platform.startswith("linux") or not os.environ.get("DISPLAY"):
        return
    x11 = _library()
    if x11 is None:
        return

    def heard(display: int, event: Any) -> int:
        error = event.contents
        text = ctypes.create_string_buffer(160)
        x11.XGetErrorText(display, error.error_code, text, len(text))
        said = text.value.decode("utf-8", "replace")
        note(f"X server: {said} (request {error.request_code}.{error.minor_code})")
        return 0

    handler = _ERROR_HANDLER(heard)
    x11.XSetErrorHandler(ctypes.cast(handler, ctypes.c_void_p))
    _handlers[:] = [handler]


@functools.cache
def _library() -> Any | None:
    """Xlib, its functions declared; None where there is none."""
    try:
        x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    except OSError:
        return None
    _declare(x11)
    return x11


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
    x11.XGetErrorText.argtypes = [pointer, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    x11.XGetWindowProperty.argtypes = [
        *(pointer, number, number, ctypes.c_long, ctypes.c_long, ctypes.c_int, number),
        *([pointer] * 5),
    ]
