"""The look that a show begins with, and the presets that ship: their effects are there and are moved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lavlive.control.looks.presets import read_preset
from lavlive.control.looks.starting import DEFAULT_EFFECTS, initial_looks
from lavlive.parameters import Kind, find, join_table
from lavlive.resources import shipped
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import Slots

PRESETS = sorted(shipped("presets").glob("*.toml"))


@pytest.fixture(scope="module", autouse=True)
def shaders() -> Iterator[ShaderLibrary]:
    library = ShaderLibrary([shipped("shaders") / "isf"])
    join_table(Slots(library))
    yield library
    join_table(None)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_that_ships_has_effects_that_sound_moves(path: object) -> None:
    preset = read_preset(path)  # type: ignore[arg-type]
    assert preset.notes == ()
    assert preset.held == ()
    assert sum(preset.values[f"fx{n}.shader"] != "none" for n in range(1, 7)) >= 2
    assert preset.drives
    for drive in preset.drives.values():
        assert find(drive.name).kind is Kind.CONTINUOUS
        slot, shader = drive.name.split(".")[:2]
        assert preset.values[f"{slot}.shader"] == shader


def test_the_default_look_has_effects_and_set_takes_them_away() -> None:
    looks = initial_looks(None, ["fx2.shader=none"])
    assert looks.values["fx1.shader"] == DEFAULT_EFFECTS["fx1.shader"]
    assert looks.values["fx2.shader"] == "none"
    assert looks.drives


def test_where_there_is_no_rack_a_show_begins_without() -> None:
    loaded = ShaderLibrary([shipped("shaders") / "isf"])
    join_table(None)
    try:
        assert initial_looks(None, []).drives == {}
        preset = read_preset(PRESETS[0])
        assert not any(name.startswith("fx") for name in preset.values)
        assert preset.notes
    finally:
        join_table(Slots(loaded))
