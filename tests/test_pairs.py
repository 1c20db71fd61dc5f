"""Pairs for eyes that do not know which is which: fair, and the key tells the truth."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tools import pairs

COLOURS = {"red": (200, 0, 0), "blue": (0, 0, 200)}


def folder(where: Path, name: str, files: list[str]) -> Path:
    made = where / name
    made.mkdir()
    for file in files:
        Image.new("RGB", (32, 18), COLOURS[name]).save(made / f"{file}.png")
    return made


@pytest.mark.parametrize("moments", [False, True])
def test_the_key_says_which_side_came_from_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moments: bool
) -> None:
    ends = [f"-{index}" for index in range(4)] if moments else [""]
    names = [f"{track}-{number}{end}" for track in ("slow", "fast") for number in "ab" for end in ends]
    one, other = folder(tmp_path, "red", names), folder(tmp_path, "blue", names)
    key = tmp_path / "key.json"
    command = ["pairs", str(one), str(other), "--out", str(tmp_path / "out"), "--key", str(key)]
    command += ["--count", "4", "--width", "200", *(["--moments"] if moments else [])]
    monkeypatch.setattr(sys, "argv", command)
    assert pairs.main() == 0
    told = json.loads(key.read_text())
    assert len(told) == 4
    for name, sides in told.items():
        assert sides["A of"].partition("-")[0] == sides["B of"].partition("-")[0]
        page = Image.open(tmp_path / "out" / f"{name}.jpg")
        first, second = (10, 24), (10, page.height - 6) if moments else (190, 24)
        for side, place in (("A", first), ("B", second)):
            seen = page.getpixel(place)
            assert isinstance(seen, tuple)
            assert (seen[0] > seen[2]) == (sides[side] == "red")
    assert Counter(sides["A"] for sides in told.values()) == {"red": 2, "blue": 2}
    used = [sides[f"{side} of"] for sides in told.values() for side in "AB" if sides[side] == "red"]
    assert len(set(used)) == 4
    assert pairs.judged(dict.fromkeys(told, "A"), told) == {"red": 2, "blue": 2}
