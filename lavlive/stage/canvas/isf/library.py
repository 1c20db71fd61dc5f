"""The shaders that there are: those that ship with lavlive, the user's own, and a folder that was named."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lavlive.errors import ShaderError
from lavlive.stage.canvas.isf.document import ENDINGS, Document, ShaderKind, read_document

NONE = "none"
_LOOK_SECONDS = 0.5
_MOST_FILES = 3000
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_TAKEN = (NONE, "shader", "on", "mix", "blend")
"""Names of a slot's own parameters, which no shader may have."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells that a file has changed."""

    modified: int
    size: int
    vertex_modified: int


def short_name(path: Path) -> str:
    """A shader's name in parameters and presets: ``Bad TV.fs`` is ``bad-tv``."""
    name = re.sub(r"[^a-z0-9_]+", "-", path.stem.lower()).strip("-") or "unnamed"
    return f"{name}-shader" if name in _TAKEN else name


class ShaderLibrary:
    """All shaders by their short names; a later folder's takes the place of an earlier one's.

    A file that is gone or no longer right keeps its last good version while this lives, so what runs goes on.

    Attributes:
        refused: why files cannot be used, by path, a line each.
        revision: grows with every change.
        images: image files in the folders that are not lavlive's own, by their names.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self.refused: dict[Path, str] = {}
        self.revision = 0
        self.images: dict[str, Path] = {}
        self._documents: dict[str, Document] = {}
        self._versions: dict[str, int] = {}
        self._stamps: dict[Path, _Stamp] = {}
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self.reload()

    def names(self, *kinds: ShaderKind) -> tuple[str, ...]:
        """Short names in alphabetical order, of some kinds or of all."""
        return tuple(sorted(name for name, one in self._documents.items() if not kinds or one.kind in kinds))

    def document(self, name: str) -> Document | None:
        """The last good version of a shader; None where there never was one."""
        return self._documents.get(name)

    def version(self, name: str) -> int:
        """Grows whenever a shader's file was read anew."""
        return self._versions.get(name, 0)

    def ships(self, document: Document) -> bool:
        """Whether it comes with lavlive: it lies in the first folder."""
        return document.path.is_relative_to(self.folders[0])

    def watch(self) -> None:
        """Read what is saved from now on, twice a second, in a thread of its own, until `close`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="shaders", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _watch(self) -> None:
        while not self._ending.wait(_LOOK_SECONDS):
            self.reload()

    def reload(self) -> list[str]:
        """Read what changed on disk; returns the short names of what is new. One thread at a time."""
        changed = []
        # Who reads meanwhile has the old ones whole.
        documents, versions, refused = dict(self._documents), dict(self._versions), dict(self.refused)
        found = {folder: _found_in(folder) for folder in self.folders}
        for path in self._files(found):
            stamp = _stamp_of(path)
            if stamp is None or self._stamps.get(path) == stamp:
                continue
            self._stamps[path] = stamp
            name = short_name(path)
            try:
                documents[name] = read_document(path)
            except ShaderError as error:
                refused[path] = str(error)
                continue
            refused.pop(path, None)
            versions[name] = versions.get(name, 0) + 1
            changed.append(name)
        self._documents, self._versions, self.refused = documents, versions, refused
        images, self.images = self.images, self._images(found)
        if changed or images != self.images:
            self.revision += 1
        return changed

    def _images(self, found: Mapping[Path, list[Path]]) -> dict[str, Path]:
        images = [path for folder in self.folders[1:] for path in _of(found[folder], IMAGE_ENDINGS)]
        return {path.name: path for path in images}

    def _files(self, found: Mapping[Path, list[Path]]) -> list[Path]:
        """Every shader's file, a later folder's last; two of one name in a folder: the first counts."""
        files: dict[str, Path] = {}
        for folder in self.folders:
            own: dict[str, Path] = {}
            for path in _of(found[folder], ENDINGS):
                own.setdefault(short_name(path), path)
            files |= own
        return list(files.values())


def _found_in(folder: Path) -> list[Path]:
    """Its shaders and images, in the order of their names."""
    try:
        return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (*ENDINGS, *IMAGE_ENDINGS))
    except OSError:  # a folder that may not be looked into holds nothing for us
        return []


def _of(paths: list[Path], endings: tuple[str, ...]) -> list[Path]:
    return [path for path in paths if path.suffix.lower() in endings][:_MOST_FILES]


def _stamp_of(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
        vertex = path.with_suffix(".vs")
        beside = vertex.stat().st_mtime_ns if vertex.exists() else 0
    except OSError:
        return None
    return _Stamp(status.st_mtime_ns, status.st_size, beside)
