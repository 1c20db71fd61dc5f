"""What commands give to those who call them from Python; nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Rendered:
    """What a rendering left behind.

    Attributes:
        video: the file that was written, None where none was wanted. It may have another name.
        pictures: how many pictures it has.
        seconds: of the track.
        report: the file of measurements, if one was wanted.
        summary: the report in a line.
    """

    video: Path | None
    pictures: int
    seconds: float
    report: Path | None = None
    summary: str = ""

    def lines(self) -> list[str]:
        """The same for people, one line a file."""
        lines = []
        if self.video is not None:
            many = "s" if self.pictures > 1 else ""
            lines.append(f"{self.video}: {self.pictures} picture{many}, {_length(self.seconds)}")
        if self.report is not None:
            lines.append(f"{self.report}: {self.summary}")
        return lines


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"


@dataclass(frozen=True)
class DeviceList:
    """What there is of one kind.

    Attributes:
        title: what it is, and the option that takes one of it.
        found: one line each.
        missing: why there is none.
    """

    title: str
    found: tuple[str, ...]
    missing: str = ""

    def __str__(self) -> str:
        lines = self.found or (f"none: {self.missing}",)
        return "\n  ".join([self.title, *lines])


@dataclass(frozen=True)
class Devices:
    """Everything that a show can be plugged into; as text, the listing of ``lavlive devices``."""

    inputs: DeviceList
    loopbacks: DeviceList
    outputs: DeviceList
    midi: DeviceList
    monitors: DeviceList
    compute: DeviceList

    def __str__(self) -> str:
        return "\n".join(str(getattr(self, field.name)) for field in fields(self))
