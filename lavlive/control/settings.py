"""What a performer chose once and for all, and no look has: ``settings.toml`` in the configuration folder.

takeover = "pickup"                      # of bindings that say nothing else: pickup, scaled, jump
stream = "rtmp://live.twitch.tv/app"     # what stands in the panel's field; never with its key
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from lavlive.checking import plain, read_fields
from lavlive.control.looks.toml_files import read_toml, write_toml
from lavlive.errors import ControlError

LONGEST = 1000
"""Letters of an address that is kept."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The fields of the file; none has a secret."""

    takeover: Annotated[
        Literal["pickup", "scaled", "jump"], Meta(description="takeover is one of pickup, scaled, jump.")
    ] = "pickup"
    stream: Annotated[str, Meta(max_length=LONGEST, description="stream is an address, without its key.")] = (
        ""
    )


class Settings:
    """Read once, written with every change; belongs to the main thread.

    A file that cannot be read changes nothing; the next change puts it aside and begins a new one.

    Args:
        path: the file; None keeps nothing.

    Attributes:
        chosen: what holds now.
        problems: a line for each thing in the file that was left out.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.chosen = Chosen()
        self.problems: list[str] = []
        if path is None or not path.exists():
            return
        try:
            file = read_toml(path, ControlError)
        except ControlError as error:
            self.problems.append(str(error))
            return
        values, faults = read_fields(Chosen, file.content)
        self.chosen = Chosen(**values)
        self.problems += [str(file.fault(fault.key, fault.reason)) for fault in faults]

    def change(self, **values: Any) -> None:
        """Let fields of `Chosen` have other values from now on.

        Raises:
            ControlError: they cannot be kept; they hold all the same.
        """
        before, self.chosen = self.chosen, replace(self.chosen, **values)
        if self._path is None or before == self.chosen:
            return
        if self.problems:
            self.problems = []
            with contextlib.suppress(OSError):  # what cannot be put aside is written over
                self._path.replace(self._path.with_name(f"{self._path.name}.refused"))
        unlike = {key: value for key, value in plain(self.chosen).items() if value != getattr(Chosen(), key)}
        write_toml(self._path, unlike, ControlError)
