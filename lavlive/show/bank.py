"""The models of a folder, in their order, without those that turned out not to be playable."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from lavlive.errors import CheckpointError
from lavlive.files import shown, version_of
from lavlive.resources import MODEL_ENDINGS


def models_in(folder: Path) -> dict[str, str]:
    """The models of a folder in the order of their names: from a name, each another, to a path.

    Hidden files are none: macOS leaves a `._name` beside every file that it copies to a foreign disk.

    Raises:
        CheckpointError: there are none.
    """
    try:
        found = sorted(
            file
            for file in folder.iterdir()
            if file.suffix.lower() in MODEL_ENDINGS and not file.name.startswith(".")
        )
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be listed: {error.strerror or error}") from error
    if not found:
        raise CheckpointError(f"{folder} holds no model; lavlive reads {', '.join(MODEL_ENDINGS)}.")
    stems = [shown(file.stem) for file in found]
    names: dict[str, str] = {}
    for stem, file in zip(stems, found, strict=True):
        name = stem if stems.count(stem) == 1 else shown(file.name)
        names[name if name not in names else f"{name} {len(names) + 1}"] = str(file)
    return names


class ModelBank:
    """Which model comes after which. What was refused is passed over until its file changes."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)
        self._refused: dict[str, tuple[int, int] | None] = {}
        self._direction = 1
        self._added: set[str] = set()

    def add(self, path: str, names: Collection[str]) -> str:
        """Put a file that a hand opened at the end; returns a name for it that is none of `names`."""
        self.paths.append(path)
        self._added.add(path)
        file = Path(path)
        stem, name = shown(file.stem), shown(file.name)
        choices = [stem, name, *(f"{name} {number}" for number in range(2, len(names) + 3))]
        return next(name for name in choices if name not in names)

    def forget(self, path: str | None) -> bool:
        """Take out a file that came by `add` and turned out not to be playable; False for any other."""
        if path not in self._added:
            return False
        self._added.discard(str(path))
        self.paths.remove(str(path))
        return True

    def step(self, current: str | None, direction: int) -> str | None:
        """The member after `current` (`direction` 1) or before it (−1); None where no other is playable."""
        self._direction = direction
        if current not in self.paths:
            order = self.paths[::direction]
        else:
            start = self.paths.index(current)
            order = [
                self.paths[(start + direction * step) % len(self.paths)] for step in range(1, len(self.paths))
            ]
        return next((path for path in order if not self._is_refused(path)), None)

    def refuse(self, path: object, current: str | None) -> str | None:
        """Pass over `path`, which could not be loaded; the member to try instead, if there is one."""
        if path not in self.paths:
            return None
        self._refused[str(path)] = version_of(path)
        # From where it stood on, in the direction in which it was asked for, but not round to what is shown.
        instead = self.step(str(path), self._direction)
        return None if instead == current else instead

    def _is_refused(self, path: str) -> bool:
        return path in self._refused and self._refused[path] == version_of(path)
