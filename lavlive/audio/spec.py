"""What to listen to, in words that a state file keeps and a restarted engine needs; opens no device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lavlive.audio.channels import Pick
from lavlive.errors import SourceError

SourceKind = Literal["input", "loopback", "track", "demo"]


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What to listen to; all that a restarted engine needs to open the same source.

    Attributes:
        kind: "input" (line-in), "loopback" (what the machine plays), "track", or "demo".
        name: of the device (any part that is unique, or its index) or the track's path; None for the
            system's default device. Unused for "demo".
        aloud: a track is played through the default output too.
        loop: a track begins again after its end.
        channels: which channels to hear: "all", "left", "right", "mid", "side", or numbers counted from 1
            such as "3,4"; None takes all of a track or loopback, and the first two of an input.

    Raises:
        ValueError: a track without a name, or channels that mean nothing.
    """

    kind: SourceKind
    name: str | None = None
    aloud: bool = False
    loop: bool = True
    channels: str | None = None

    def __post_init__(self) -> None:
        if self.kind == "track" and not self.name:
            raise ValueError("a track needs the name of its file")
        if self.channels is not None:
            try:
                Pick.parse(self.channels)
            except SourceError as error:
                raise ValueError(str(error)) from error
