"""The order in which a performer wants the presets: a text file with a name in each line."""

from __future__ import annotations

from pathlib import Path

from lavlive.errors import PresetError
from lavlive.files import read_whole, write_whole

ORDER = "order.txt"
_LARGEST = 1 << 18


def read_order(path: Path) -> list[str]:
    """The names in the file, in order; none where it is missing or cannot be read."""
    try:
        lines = read_whole(path, _LARGEST).decode("utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [line.strip() for line in lines if line.strip()]


def write_order(path: Path, names: list[str]) -> None:
    """Write the names, replacing the file whole.

    Raises:
        PresetError: the folder cannot be written to.
    """
    try:
        write_whole(path, "".join(f"{name}\n" for name in names).encode())
    except OSError as error:
        raise PresetError(f"{path} cannot be written: {error.strerror or error}.") from error
