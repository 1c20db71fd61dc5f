"""What holds for the whole house: its root, its circles, its boundary and its contracts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

from lavlive.link.messages import Command, StageEvent
from tools.circles import _strongly_connected, circles

ROOT = Path(__file__).parents[1]
LAVLIVE = ROOT / "lavlive"


def test_a_circle_would_be_found() -> None:
    assert _strongly_connected({"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": []}) == [["a", "b", "c"]]
    assert _strongly_connected({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def test_no_files_import_each_other() -> None:
    count, found = circles()
    assert found == []
    assert count > 300


def test_the_root_holds_only_what_everybody_uses() -> None:
    assert len(list(LAVLIVE.glob("*.py"))) <= 8


def test_no_dict_stands_for_a_message_outside_the_messages() -> None:
    key = re.compile(r"""["'](event|do)["']\s*:""")
    assert key.search('{"event": 1}')
    for file in LAVLIVE.rglob("*.py"):
        if file != LAVLIVE / "link" / "messages.py":
            assert not key.search(file.read_text(encoding="utf-8")), file


def test_the_import_contracts_name_every_room() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    fields = ("source_modules", "modules")
    named = {room for contract in contracts for field in fields for room in contract.get(field, [])}
    rooms = {f"lavlive.{folder.parent.name}" for folder in LAVLIVE.glob("*/__init__.py")}
    rooms.remove("lavlive.data")  # files, no code
    assert rooms - named == set()


def test_the_architecture_page_names_every_message_and_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    kinds = [*get_args(Command), *get_args(StageEvent)]
    assert len(kinds) > 20
    assert {kind.__name__ for kind in kinds if kind.__name__ not in page} == set()
    rooms = {folder.parent.name for folder in LAVLIVE.glob("*/__init__.py")} - {"data"}
    assert {room for room in rooms if f"`{room}/`" not in page} == set()
