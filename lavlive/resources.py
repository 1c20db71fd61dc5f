"""Where lavlive's own files lie, where it keeps a user's, and memory that it no longer needs."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).parent


def shipped(folder: str) -> Path:
    """A folder that ships with lavlive: ``shaders``, ``presets`` or ``data``.

    Installed packages hold them inside the package; a checkout has the first two beside it.
    """
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def cache_folder() -> Path:
    """For what can be made again: downloads, statistics, compiled models. Created when missing."""
    return Path(platformdirs.user_cache_dir("lavlive", ensure_exists=True))


def config_folder() -> Path:
    """For what the user saved: presets, bindings, the last state. Created when missing."""
    return Path(platformdirs.user_config_dir("lavlive", ensure_exists=True))


def is_no_file(path: Path) -> bool:
    """Whether something else lies there: a folder, or a pipe, which lets whoever opens it wait for ever."""
    return os.path.exists(path) and not os.path.isfile(path)


def return_memory() -> None:
    """Give freed memory back to the system, which glibc would keep for later: a show goes on for hours."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
