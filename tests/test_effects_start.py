"""The look that a show begins with, and the presets that ship: their effects are there and are moved."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lavlive.commands.arguments import parse
from lavlive.commands.opening import _begin_with_effects
from lavlive.commands.options import FarmOptions, LiveOptions, LookOptions, RenderOptions, text_of
from lavlive.commands.render import effects_note, look_of
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.presets import read_preset
from lavlive.control.looks.starting import DEFAULT_EFFECTS, initial_looks
from lavlive.parameters import ParameterKind, Values, find, joined
from lavlive.resources import shipped
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import Slots, open_shaders
from lavlive.stage.output.software import INTERVAL, interval_for, within

PRESETS = sorted(shipped("presets").glob("*.toml"))


@pytest.fixture(scope="module", autouse=True)
def shaders() -> Iterator[ShaderLibrary]:
    library = ShaderLibrary([shipped("shaders") / "isf"])
    with joined(Slots(library)):
        yield library


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_that_ships_has_effects_that_sound_moves(path: object) -> None:
    preset = read_preset(path)  # type: ignore[arg-type]
    assert preset.notes == ()
    assert preset.held == ()
    assert sum(preset.values[f"fx{n}.shader"] != "none" for n in range(1, 7)) >= 2
    assert preset.drives
    for drive in preset.drives.values():
        assert find(drive.name).kind is ParameterKind.CONTINUOUS
        slot, part = drive.name.split(".")[:2]
        assert preset.values[f"{slot}.shader"] != "none"
        assert part in (preset.values[f"{slot}.shader"], "mix")


def test_the_default_look_has_effects_and_set_takes_them_away() -> None:
    looks = initial_looks(None, {"fx2.shader": "none"})
    assert looks.values["fx1.shader"] == DEFAULT_EFFECTS["fx1.shader"]
    assert looks.values["fx2.shader"] == "none"
    assert looks.drives


def test_a_bare_look_such_as_the_published_paths_has_no_effects() -> None:
    for options in (
        RenderOptions("song.wav", as_published=True, report="r.json"),
        FarmOptions("song.wav", as_published=True, video="film.mp4"),
    ):
        bare = look_of(options)
        assert bare.drives == {}
        assert bare.values["fx1.shader"] == bare.values["fx2.shader"] == "none"


def test_where_there_is_no_rack_a_show_begins_without() -> None:
    with joined(None):
        assert initial_looks(None, {}).drives == {}
        preset = read_preset(PRESETS[0])
    assert not any(name.startswith("fx") for name in preset.values)
    assert preset.notes


def test_the_fader_goes_between_presets_that_load_different_effects() -> None:
    looks = Looks(Values(), PresetLibrary(shipped("presets"), None))
    presets = [read_preset(path) for path in PRESETS]
    for lower, upper in pairwise([*presets, presets[0]]):
        looks.choose_fader_end(0, lower)
        looks.choose_fader_end(1, upper)
        for position in (0.3, 0.7, 1.0, 0.6, 0.4, 0.0):
            looks.by_hand("show.fader", position)
            near = lower if position < 0.5 else upper
            assert looks.values["fx1.shader"] == near.values["fx1.shader"]
        assert looks.values.saved() == lower.values


@pytest.mark.parametrize("software", [True, False])
def test_a_show_that_the_processor_draws_begins_without_effects_and_says_so(software: bool) -> None:
    looks = Looks(Values(), PresetLibrary(shipped("presets"), None))
    control: Any = SimpleNamespace(looks=looks, values=looks.values)
    output: Any = SimpleNamespace(software=software)
    said = _begin_with_effects(LiveOptions(settings={"mapper.y": "1.5"}), control, output)
    assert (said is not None) == software
    assert (looks.drives == {}) == software
    assert (looks.values["fx1.shader"] == "none") == software


def test_drawing_gives_way_where_the_processor_draws() -> None:
    assert interval_for(0.001) == INTERVAL
    assert interval_for(0.3) == pytest.approx(1.0)
    assert within((1280, 720), (640, 360)) == (640, 360)
    assert within((1000, 1000), (640, 360)) == (360, 360)
    assert within((320, 180), (640, 360)) == (320, 180)


def test_a_rendering_that_the_processor_draws_says_what_its_effects_cost_and_how_to_do_without() -> None:
    values = initial_looks(None, {}).values
    said = effects_note(values, software=True)
    assert said is not None
    assert "--set fx1.shader=none --set fx2.shader=none" in said
    assert effects_note(values, software=False) is None
    without = initial_looks(None, {"fx1.shader": "none", "fx2.shader": "none"}).values
    assert effects_note(without, software=True) is None


@pytest.mark.parametrize(
    "typed", [["live"], ["render", "track.ogg", "-o", "video.mp4"]], ids=["live", "render"]
)
def test_a_folder_of_shaders_can_be_named(typed: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.fs").write_text("/*{}*/ void main() { gl_FragColor = vec4(1.0); }")
    options = parse([*typed, "--shaders", str(tmp_path)]).options()
    assert isinstance(options, LookOptions)
    with open_shaders(text_of(options.shaders)) as library:
        assert {"mine", "bloom"} < set(library.names())
