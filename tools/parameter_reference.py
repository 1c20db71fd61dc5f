"""Writes docs/parameters.md from the table of parameters: python -m tools.parameter_reference"""

from __future__ import annotations

from pathlib import Path

from lavlive.parameters import reference

PAGE = Path(__file__).parents[1] / "docs" / "parameters.md"
_HEAD = """# Parameters

Every parameter can be moved in the panel, by MIDI and OSC (`/lavlive/mapper/y`), set by `--set mapper.y=1.5`,
kept in a preset, morphed and undone. A change is seen within a picture; continuous ones glide.

"""


def page() -> str:
    """The page as it should be."""
    return _HEAD + reference().rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
