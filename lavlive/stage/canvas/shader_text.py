"""The text of a shader that ships with lavlive, with the files that it includes."""

from __future__ import annotations

import re

from lavlive.resources import shipped

_INCLUDE = re.compile(r'^#include "([a-z_]+\.glsl)"$', re.MULTILINE)


def shader_text(name: str) -> str:
    """The text of ``shaders/NAME``; a line ``#include "other.glsl"`` stands for that file's text."""
    folder = shipped("shaders")
    text = (folder / name).read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: (folder / found[1]).read_text(encoding="utf-8"), text)
