"""Transitions: from what was seen to what comes, by a shader; where none is chosen looks morph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.presets import Preset
from lavlive.errors import ParameterError
from lavlive.link.contents import Picture
from lavlive.parameters import Value, Values, find, is_loaded, joined
from lavlive.resources import shipped
from lavlive.stage.canvas.isf.document import ShaderKind
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import Slots
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput

SIZE = (48, 27)
OWN = shipped("shaders") / "isf"
INPUTS = """/*{"INPUTS": [{"NAME": "startImage", "TYPE": "image"}, {"NAME": "endImage", "TYPE": "image"},
{"NAME": "progress", "TYPE": "float"}, {"NAME": "green", "TYPE": "float", "DEFAULT": 0.5}]}*/
"""
HALF = f"""{INPUTS} void main() {{
    vec4 c = mix(IMG_THIS_PIXEL(startImage), IMG_THIS_PIXEL(endImage), progress);
    gl_FragColor = vec4(c.r, green, c.b, 1.0); }}"""


@pytest.fixture
def library(tmp_path: Path) -> Iterator[ShaderLibrary]:
    (tmp_path / "half.fs").write_text(HALF)
    (tmp_path / "broken.fs").write_text(f"{INPUTS} void main() {{ nonsense }}")
    (tmp_path / "plain.fs").write_text("/*{}*/ void main() { gl_FragColor = vec4(0.0, 0.0, 1.0, 1.0); }")
    made = ShaderLibrary([tmp_path])
    with joined(Slots(made)):
        yield made


class Scene:
    """A canvas in memory whose picture is bright on top."""

    def __init__(self, output: HeadlessOutput) -> None:
        self.output = output
        self.sequence = 0

    def show(self, red: int, now: float, **values: Value) -> np.ndarray:
        """The canvas at `now`, as numbers [H, W, 3], with another picture: its upper half of that red."""
        self.sequence += 1
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[:8, :, 0] = red
        settings = {name.replace("__", "."): value for name, value in values.items()}
        still = {"show.dissolve": 0.0, "show.scaling": "stretch", "show.flash_limit": False}
        self.output.present(Picture(pixels, self.sequence, now, now, 0), Values(still | settings), now)
        return self.output.read_canvas().astype(int)


@pytest.fixture
def scene(library: ShaderLibrary) -> Iterator[Scene]:
    with HeadlessOutput(OutputSettings(canvas=SIZE, shaders=library)) as output:
        if output.note is not None:
            pytest.skip(output.note)
        yield Scene(output)


def test_the_choice_joins_the_table_and_belongs_to_the_show(library: ShaderLibrary) -> None:
    row = find("show.transition")
    assert row.choices == ("dissolve", "broken", "half")
    assert not row.saved
    assert is_loaded(row.name)
    assert "show.transition" in {parameter.name for parameter in Values().parameters()}
    assert "half" not in find("fx1.shader").choices


def test_it_goes_from_what_was_seen_held_to_what_comes(scene: Scene) -> None:
    scene.show(200, 0.0, show__transition="half")
    scene.output.begin_transition(2.0)
    for now, red in ((1.0, 200), (2.0, 120), (2.5, 80)):
        canvas = scene.show(40, now, show__transition="half")
        assert canvas[4, 20] == pytest.approx((red, 128, 0), abs=2)
        assert canvas[22, 20] == pytest.approx((0, 128, 0), abs=2)
    assert scene.show(40, 3.1, show__transition="half")[4, 20] == pytest.approx((40, 0, 0), abs=2)


def test_one_that_is_interrupted_goes_on_from_what_is_seen(scene: Scene) -> None:
    scene.show(200, 0.0, show__transition="half")
    scene.output.begin_transition(2.0)
    scene.show(40, 1.0, show__transition="half")
    assert scene.show(40, 2.0, show__transition="half")[4, 20, 0] == pytest.approx(120, abs=2)
    scene.output.begin_transition(1.0)
    assert scene.show(240, 2.1, show__transition="half")[4, 20, 0] == pytest.approx(120, abs=2)
    assert scene.show(240, 2.6, show__transition="half")[4, 20, 0] == pytest.approx(180, abs=2)


def test_one_that_does_not_compile_dissolves_and_says_so(scene: Scene) -> None:
    scene.show(200, 0.0, show__transition="broken")
    assert "broken.fs: line" in scene.output.problems["transition"]
    scene.output.begin_transition(2.0)
    scene.show(40, 1.0, show__transition="broken")
    assert scene.show(40, 2.0, show__transition="broken")[4, 20] == pytest.approx((120, 0, 0), abs=2)
    scene.show(40, 3.0)
    assert not scene.output.problems


def test_effects_of_the_new_look_come_with_it(scene: Scene) -> None:
    scene.show(200, 0.0, show__transition="half")
    scene.output.begin_transition(4.0)
    looks: dict[str, Value] = {"show__transition": "half", "fx1__shader": "plain"}
    scene.show(200, 1.0, **looks)
    for now in (2.0, 3.0):
        canvas = scene.show(200, now, **looks)
    assert canvas[4, 20] == pytest.approx((100, 128, 128), abs=3)


def test_our_own_begin_with_the_one_and_end_with_the_other() -> None:
    library = ShaderLibrary([OWN])
    names = library.names(ShaderKind.TRANSITION)
    assert len(names) >= 3
    settings = OutputSettings(canvas=SIZE, shaders=library)
    with joined(Slots(library)), HeadlessOutput(settings) as output:
        if output.note is not None:
            pytest.skip(output.note)
        scene = Scene(output)
        for place, name in enumerate(names):
            now = 10.0 * place
            before = scene.show(200, now, show__transition=name)
            scene.output.begin_transition(1.0)
            np.testing.assert_allclose(scene.show(90, now + 1, show__transition=name), before, atol=2)
            middle = scene.show(90, now + 1.5, show__transition=name)
            end = scene.show(90, now + 1.999, show__transition=name)
            after = scene.show(90, now + 3, show__transition=name)
            np.testing.assert_allclose(end, after, atol=6)
            assert np.abs(middle - before).mean() > 1, name
            assert np.abs(middle - after).mean() > 1, name
            assert not output.problems


def test_a_preset_is_there_at_once_behind_a_transition_and_morphs_without(library: ShaderLibrary) -> None:
    preset = Preset("", "", None, Values({"mapper.y": 4.0}).saved(), {})
    for chosen, at_once in (("half", True), ("dissolve", False)):
        looks = Looks(Values({"show.transition": chosen, "mapper.y": 0.0}), PresetLibrary(None, None))
        looks.recall(preset, 0.0)
        looks.step(0.001)
        assert (looks.values["mapper.y"] == 4.0) == at_once
        assert looks.take_transition() == (looks.values.number("show.morph") if at_once else None)
        assert looks.take_transition() is None


def test_without_a_rack_presets_morph() -> None:
    with pytest.raises(ParameterError):
        find("show.transition")
    looks = Looks(Values(), PresetLibrary(None, None))
    looks.recall(Preset("", "", None, Values({"mapper.y": 4.0}).saved(), {}), 0.0)
    assert looks.morphing
    assert looks.take_transition() is None
