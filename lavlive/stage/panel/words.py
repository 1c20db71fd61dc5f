"""What the panel calls what is listened to."""

from __future__ import annotations

from pathlib import Path

from lavlive.audio.spec import SourceSpec
from lavlive.files import shown


def described(source: SourceSpec) -> str:
    """A source as a performer calls it."""
    if source.kind == "demo":
        return "the demo track"
    if source.kind == "track":
        return f"track: {shown(Path(str(source.name)).name)}"
    return f"{source.kind}: {shown(str(source.name or 'the default device'))}"
