"""``surfaces.toml``: read with the line of every fault, written whole, and followed while it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from lavlive.checking import plain, read_fields
from lavlive.control.looks.toml_files import TomlFile, read_toml, write_toml
from lavlive.errors import SurfacesError
from lavlive.files import version_of
from lavlive.stage.aside import END_SECONDS, Aside
from lavlive.stage.output.mapping.surfaces import Mask, Screen, Slice, Surfaces

_LOOK_SECONDS = 0.5
_REST_SECONDS = 0.7
_T = TypeVar("_T")


def read_surfaces(path: Path) -> Surfaces:
    """The surfaces of a file.

    Raises:
        SurfacesError: it cannot be read; the message gives file, line and field.
    """
    file = read_toml(path, SurfacesError)
    content = dict(file.content)
    screens = _tables(file, content.pop("screen", []), "screen")
    made = tuple(_screen(file, f"screen.{number}", table) for number, table in enumerate(screens))
    if not made:
        raise file.fault("", "there is no [[screen]].")
    return _made(file, Surfaces, "", content, screens=made)


def _screen(file: TomlFile, place: str, table: Mapping[str, object]) -> Screen:
    content = dict(table)
    slices = _tables(file, content.pop("slice", []), f"{place}.slice")
    made = tuple(_slice(file, f"{place}.slice.{number}", each) for number, each in enumerate(slices))
    return _made(file, Screen, place, content, slices=made or (Slice(),))


def _slice(file: TomlFile, place: str, table: Mapping[str, object]) -> Slice:
    content = dict(table)
    masks = _tables(file, content.pop("mask", []), f"{place}.mask")
    made = tuple(_made(file, Mask, f"{place}.mask.{number}", each) for number, each in enumerate(masks))
    return _made(file, Slice, place, content, masks=made)


def _tables(file: TomlFile, content: object, place: str) -> list[Mapping[str, object]]:
    if isinstance(content, list) and all(isinstance(each, Mapping) for each in content):
        return content
    raise file.fault(place, f"{place.rpartition('.')[2]} is written [[{_header(place)}]].")


def _header(place: str) -> str:
    return ".".join(part for part in place.split(".") if not part.isdigit())


def _made(file: TomlFile, kind: type[_T], place: str, content: Mapping[str, object], **further: object) -> _T:
    """One of the dataclasses; `further` are its fields that were read before."""
    unknown = [name for name in content if name in further]
    values, faults = read_fields(
        kind, {name: value for name, value in content.items() if name not in unknown}
    )
    prefix = f"{place}." if place else ""
    if unknown or faults:
        key = unknown[0] if unknown else faults[0].key
        reason = f"{key} is unknown." if unknown else faults[0].reason
        raise file.fault(prefix + key, reason)
    try:
        return kind(**(values | further))
    except ValueError as error:
        raise file.fault(prefix + str(error).partition(" ")[0], str(error)) from None


def write_surfaces(path: Path, surfaces: Surfaces) -> None:
    """Write a file whole, or leave the old one.

    Raises:
        SurfacesError: it cannot be written.
    """
    content: dict[str, Any] = plain(surfaces)
    screens = content.pop("screens")
    for screen in screens:
        screen["slice"] = screen.pop("slices")
        for part in screen["slice"]:
            part["mask"] = part.pop("masks")
    write_toml(path, _without_none({**content, "screen": screens}), SurfacesError)


def _without_none(value: Any) -> Any:
    """TOML has no word for nothing: what is None is left out, and so is an empty list of tables."""
    if isinstance(value, dict):
        return {
            key: _without_none(each)
            for key, each in value.items()
            if each is not None and not (key == "mask" and not each)
        }
    if isinstance(value, list | tuple):
        return [_without_none(each) for each in value]
    return value


class SurfacesFile:
    """Follows a file, and writes into it what was edited; the main thread's, which never waits for a disk.

    Args:
        tell: is given a line about what is wrong with it, once for each fault.
        patience: seconds that `close` waits for the disk.
    """

    def __init__(self, path: Path, tell: Callable[[str], None], patience: float = END_SECONDS) -> None:
        self.path = path
        self._tell = tell
        self._patience = patience
        self._aside = Aside("surfaces")
        self._seen = version_of(path)
        self._looked = float("-inf")
        self._unsaved: Surfaces | None = None
        self._changed = 0.0
        self._work: Future[tuple[Surfaces | None, str]] | None = None
        self._told = ""

    def edited(self, surfaces: Surfaces, now: float) -> None:
        """Write these, once they have rested for a moment."""
        self._unsaved, self._changed = surfaces, now

    def step(self, now: float) -> Surfaces | None:
        """Other surfaces, if somebody has written the file; a broken one is told, and changes nothing."""
        if self._work is not None:
            return self._take() if self._work.done() else None
        if self._unsaved is not None:
            if now - self._changed >= _REST_SECONDS:
                surfaces, self._unsaved = self._unsaved, None
                self._work = self._aside.submit(self._write, surfaces)
            return None
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._work = self._aside.submit(self._read)
        return None

    def _take(self) -> Surfaces | None:
        assert self._work is not None
        (surfaces, problem), self._work = self._work.result(), None
        if problem and problem != self._told:
            self._tell(problem)
        self._told = problem or ("" if surfaces is not None else self._told)
        return surfaces

    def _read(self) -> tuple[Surfaces | None, str]:
        version = version_of(self.path)
        if version == self._seen or version is None:
            return None, self._told
        self._seen = version
        try:
            return read_surfaces(self.path), ""
        except SurfacesError as error:
            return None, str(error)

    def _write(self, surfaces: Surfaces) -> tuple[Surfaces | None, str]:
        try:
            write_surfaces(self.path, surfaces)
        except SurfacesError as error:
            return None, str(error)
        self._seen = version_of(self.path)
        return None, ""

    def close(self) -> None:
        """Write what is not written yet, and end; a disk that hangs is left after a while."""
        if self._unsaved is not None:
            self._aside.submit(self._write, self._unsaved)
            self._unsaved = None
        if not self._aside.close(self._patience):
            self._tell(f"{self.path} does not answer: the last change of the mapping is not in it.")
