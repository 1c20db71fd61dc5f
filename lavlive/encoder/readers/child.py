"""Reads one foreign encoder in a process of its own: ``python -m lavlive.encoder.readers.child``.

It answers {"format", "config", "notes"} or {"error"}; see ``lavlive.weightfiles.child``.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from lavlive.encoder.readers.recognise import read_file
from lavlive.weightfiles.child import Answer, serve


def read(path: Path) -> Answer:
    """The encoder in ``path``. Raises CheckpointError."""
    reading = read_file(path)
    answer = {"format": reading.format, "config": asdict(reading.config), "notes": reading.notes}
    return answer, reading.weights


if __name__ == "__main__":
    sys.exit(serve(read))
