"""The preset folders: those that ship with lavlive, and the user's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lavlive.control.looks.order import ORDER, read_order, write_order
from lavlive.control.looks.presets import Preset, check_name, file_stem, read_preset, write_preset
from lavlive.errors import LavliveError, PresetError
from lavlive.files import version_of

_LOOK_SECONDS = 1.0
_MOST_FILES = 1000


class PresetLibrary:
    """All presets, read anew when their files change.

    A user's preset takes the place of a shipped one of the same name. A file that cannot be used is
    refused, and if it could be used before it changed, what it was stays.

    Attributes:
        refused: the errors of refused files, by path.
    """

    def __init__(self, shipped: Path | None, user: Path | None) -> None:
        self._folders = [folder for folder in (shipped, user) if folder is not None]
        self._user = user
        self._presets: dict[Path, Preset] = {}
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._due = float("-inf")
        self._order = read_order(user / ORDER) if user is not None else []
        self.refused: dict[Path, LavliveError] = {}
        self.reload()

    def __len__(self) -> int:
        return len(self.all())

    def all(self) -> list[Preset]:
        """Every preset once, in the order of next and previous: the user's, else by number key and name."""
        named = {preset.name.lower(): preset for preset in self._in_order_of_folders()}
        places = {name.lower(): place for place, name in enumerate(self._order)}
        return sorted(
            named.values(),
            key=lambda p: (
                places.get(p.name.lower(), len(places)),
                10 if p.key is None else (p.key - 1) % 10,
                p.name.lower(),
            ),
        )

    def names(self) -> list[str]:
        """The presets' names in that order."""
        return [preset.name for preset in self.all()]

    def find(self, name: str) -> Preset:
        """The preset of that name; case does not matter.

        Raises:
            PresetError: there is none; the message lists what there is.
        """
        wanted = name.strip().lower()
        for preset in self.all():
            if preset.name.lower() == wanted or file_stem(preset.name) == wanted:
                return preset
        shown = name if len(name) <= 64 else f"{name[:64]}…"
        raise PresetError(f"There is no preset {shown!r}; there are {', '.join(self.names()) or 'none'}.")

    def on_key(self, digit: int) -> Preset | None:
        """The preset of a number key: the one that names the key, a user's before a shipped one.

        Keys that no preset names recall the rest by name.
        """
        by_key = {p.key: p for p in self._in_order_of_folders() if p.key is not None and p in self.all()}
        if digit in by_key:
            return by_key[digit]
        free = [key for key in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0) if key not in by_key]
        rest = [preset for preset in self.all() if preset not in by_key.values()]
        position = free.index(digit)
        return rest[position] if position < len(rest) else None

    def neighbour(self, name: str | None, step: int) -> Preset | None:
        """The preset `step` places after the named one, round and round; None when there are none."""
        presets = self.all()
        if not presets:
            return None
        places = [place for place, preset in enumerate(presets) if preset.name == name]
        start = places[0] if places else (-1 if step > 0 else 0)
        return presets[(start + step) % len(presets)]

    def save(self, preset: Preset) -> Preset:
        """Write a preset into the user's folder; one of the same name there is replaced.

        Raises:
            PresetError: a name that cannot be used, or a folder that cannot be written to.
        """
        if self._user is None:
            raise PresetError("There is no folder to save presets in.")
        path = self._user / f"{file_stem(preset.name)}.toml"
        saved = replace(preset, name=check_name(preset.name), path=path, held=())
        write_preset(saved, path)
        self.reload()
        return saved

    def add(self, path: Path) -> Preset:
        """Take a preset's file from elsewhere into the user's folder, as it is but for its number key.

        Raises:
            PresetError: it cannot be read, its name is taken, or the folder cannot be written to.
        """
        preset = read_preset(path)
        if file_stem(preset.name) in {file_stem(other.name) for other in self.all()}:
            raise PresetError(f"There is a preset {preset.name!r} already; rename or delete it first.")
        return self.save(replace(preset, key=None))

    def rename(self, old: str, new: str) -> Preset:
        """Give one of the user's presets another name; a shipped one is copied under the new name.

        Raises:
            PresetError: no such preset, a name that is taken or cannot be used, or a full disk.
        """
        preset, stem = self.find(old), file_stem(new)
        taken = {file_stem(other.name) for other in self.all() if other != preset}
        if stem in taken:
            raise PresetError(f"There is a preset {new!r} already.")
        renamed = self.save(replace(preset, name=new))
        if preset.path is not None and preset.path.parent == self._user and preset.path != renamed.path:
            preset.path.unlink(missing_ok=True)
            self.reload()
        return renamed

    def delete(self, name: str) -> None:
        """Delete the file of one of the user's presets; where it stood for a shipped one, that is back.

        Raises:
            PresetError: no such preset, one that ships with lavlive, or a file that cannot be deleted.
        """
        preset = self.find(name)
        if preset.path is None or preset.path.parent != self._user:
            raise PresetError(f"{preset.name} ships with lavlive and stays; your own presets can be deleted.")
        try:
            preset.path.unlink(missing_ok=True)
        except OSError as error:
            raise PresetError(f"{preset.path} cannot be deleted: {error.strerror or error}.") from error
        self.reload()

    def set_key(self, name: str, key: int | None) -> Preset:
        """Give a preset a number key, 0 to 9, or none; another of the user's that has it loses it.

        Raises:
            PresetError: no such preset, or a folder that cannot be written to.
        """
        preset = self.find(name)
        for other in self.all():
            if key is not None and other.key == key and other != preset:
                self.save(replace(other, key=None))
        return self.save(replace(preset, key=key))

    def move(self, name: str, step: int) -> None:
        """Move a preset `step` places later (or, below 0, earlier) in the order of next and previous.

        Raises:
            PresetError: no such preset, or a folder that cannot be written to.
        """
        names = self.names()
        place = names.index(self.find(name).name)
        names.insert(min(max(place + step, 0), len(names) - 1), names.pop(place))
        if self._user is None:
            raise PresetError("There is no folder to save presets in.")
        write_order(self._user / ORDER, names)
        self._order = names

    def reload(self) -> list[str]:
        """Read what changed on disk; returns the names of presets that are new or different now."""
        before = {preset.name: preset for preset in self.all()}
        found: dict[Path, tuple[int, int]] = {}
        for folder in self._folders:
            for path in _toml_files(folder):
                version = version_of(path)
                if version is not None:
                    found[path] = version
        for path in [path for path in self._stamps if path not in found]:
            self._presets.pop(path, None)
            self.refused.pop(path, None)
        for path, stamp in found.items():
            if self._stamps.get(path) != stamp:
                self._read(path)
        self._stamps = found
        return [preset.name for preset in self.all() if before.get(preset.name) != preset]

    def poll(self, now: float) -> list[str]:
        """`reload` once a second."""
        if now < self._due:
            return []
        self._due = now + _LOOK_SECONDS
        return self.reload()

    def _read(self, path: Path) -> None:
        try:
            self._presets[path] = read_preset(path)
        except PresetError as reason:
            self.refused[path] = reason
        else:
            self.refused.pop(path, None)

    def _in_order_of_folders(self) -> list[Preset]:
        return [
            preset
            for folder in self._folders
            for path, preset in sorted(self._presets.items())
            if path.parent == folder
        ]


def _toml_files(folder: Path) -> list[Path]:
    try:
        # What macOS leaves beside files on a stick is hidden and ends like them.
        return sorted(path for path in folder.glob("*.toml") if not path.name.startswith("."))[:_MOST_FILES]
    except OSError:  # a folder that may not be looked into holds nothing for us
        return []
