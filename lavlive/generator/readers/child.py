"""Reads one foreign generator in a process of its own: ``python -m lavlive.generator.readers.child``.

It answers {"format", "config", "notes", "licence"} or {"error"}; see ``lavlive.weightfiles.child``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lavlive.generator.readers.recognise import read_file
from lavlive.weightfiles.child import Answer, serve


def read(path: Path) -> Answer:
    """The generator in ``path``. Raises CheckpointError."""
    conversion = read_file(path)
    answer = {
        "format": conversion.format,
        "config": conversion.config,
        "notes": conversion.notes,
        "licence": conversion.licence,
    }
    return answer, conversion.weights


if __name__ == "__main__":
    sys.exit(serve(read))
