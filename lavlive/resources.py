"""Where lavlive's own files lie, where it keeps a user's and its own choices, and memory given back."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lavlive.errors import UsageError
from lavlive.files import write_whole

_PACKAGE = Path(__file__).parent
_TEMPORARY_CACHE = "LAVLIVE_TEMPORARY_CACHE"

MODEL_ENDINGS = (".safetensors", ".pkl", ".pt", ".pth")
"""Of the files of generators that are read."""


def shipped(folder: str) -> Path:
    """A folder that ships with lavlive: ``shaders``, ``presets`` or ``data``.

    Installed packages hold them inside the package; a checkout has the first two beside it.
    """
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


_BANK = ("bloom", "silk", "cymatics", "nebula", "flames")
"""The bundled generators, the best first."""


def bundled_generators() -> dict[str, Path]:
    """The generators that ship with lavlive, by name, in the order of the next and previous model."""
    return dict(_bundled())


@cache
def _bundled() -> Mapping[str, Path]:
    # Read once: a show asks in every frame.
    files = {file.stem: file for file in sorted((shipped("data") / "generators").glob("*.safetensors"))}
    known = {name: files[name] for name in _BANK if name in files}
    return known | files


def generator_file(model: str | None) -> Path:
    """The file of a model: of a bundled one's name, of a path, or of the first bundled one for None.

    A file in the present folder with a bundled one's name is ``./silk``.
    """
    bundled = bundled_generators()
    if model is None:
        return next(iter(bundled.values()))
    return bundled.get(model) or Path(model)


def cache_folder() -> Path:
    """For what can be made again: downloads, statistics, compiled models. Created when missing.

    Where it cannot be made or written to, a temporary one serves this process and those that it starts, and
    is removed at this process's end; that is said once.

    Raises:
        UsageError: a temporary one cannot be made either.
    """
    if _TEMPORARY_CACHE in os.environ:
        return Path(os.environ[_TEMPORARY_CACHE])
    import platformdirs  # not carried to a machine that only measures or trains

    folder = Path(platformdirs.user_cache_dir("lavlive"))
    try:
        folder = Path(platformdirs.user_cache_dir("lavlive", ensure_exists=True))
    except OSError as error:
        return _temporary_cache(folder, f"cannot be made: {error.strerror or error}")
    return folder if os.access(folder, os.W_OK) else _temporary_cache(folder, "cannot be written to")


def _temporary_cache(folder: Path, reason: str) -> Path:
    """A folder with what the one that cannot be used holds."""
    try:
        temporary = Path(tempfile.mkdtemp(prefix="lavlive-cache-"))
    except OSError:
        raise UsageError(
            f"The cache folder {folder} {reason}, and there is no other; set XDG_CACHE_HOME or TMPDIR to one "
            "that can be written to."
        ) from None
    os.environ[_TEMPORARY_CACHE] = str(temporary)
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    print(f"lavlive: the cache folder {folder} {reason}; this run uses {temporary}.", file=sys.stderr)
    with contextlib.suppress(OSError):  # what cannot be had is made again
        for file in filter(Path.is_file, folder.rglob("*")):
            link = temporary / file.relative_to(folder)
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(file)
    return temporary


def config_folder() -> Path:
    """For what the user saved: presets, bindings, the last state. Created when missing.

    Where it cannot be made, its path: nothing is read there, and whoever writes is told why it cannot be.
    """
    import platformdirs

    with contextlib.suppress(OSError):
        return Path(platformdirs.user_config_dir("lavlive", ensure_exists=True))
    return Path(platformdirs.user_config_dir("lavlive"))


def is_no_file(path: Path) -> bool:
    """Whether something else lies there: a folder, or a pipe, which lets whoever opens it wait for ever."""
    return os.path.exists(path) and not os.path.isfile(path)


def return_memory() -> None:
    """Give freed memory back to the system, which glibc would keep for later: a show goes on for hours."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


class KeptChoices:
    """Which runner was measured to be the fastest: a JSON file that may be thrown away at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> str | None:
        """The runner chosen under ``key``; None when there is none or the file is damaged."""
        entry = self._read().get(key)
        name = entry.get("runner") if isinstance(entry, dict) else None
        return name if isinstance(name, str) else None

    def put(self, key: str, name: str, seconds: dict[str, float]) -> None:
        """Keep a choice; a folder that cannot be written costs the next start a second, no more."""
        entries = self._read()
        entries[key] = {"runner": name, "seconds": seconds}
        with contextlib.suppress(OSError):
            write_whole(self._path, json.dumps(entries, indent=1).encode("utf-8"))

    def _read(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}
