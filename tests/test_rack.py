"""The rack: slots in the table of parameters, effects on the canvas, presets, drives, and what goes wrong."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavlive.control.beat.tempo import BeatState
from lavlive.control.looks.drives import SOURCES, Drive, Heard, direction, drive_all
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.presets import read_preset, write_preset
from lavlive.control.osc.packets import Message
from lavlive.control.osc.wishes import SetParameter, Unknown, understand
from lavlive.errors import ParameterError, PresetError
from lavlive.link.contents import Picture
from lavlive.link.memory import SharedBlock
from lavlive.parameters import TABLE, ParameterKind, Value, Values, find, joined
from lavlive.resources import shipped
from lavlive.stage.canvas.isf.document import ShaderKind, read_document
from lavlive.stage.canvas.isf.library import ShaderLibrary, short_name
from lavlive.stage.canvas.rack import BUDGET_FRAMES, FADE_SECONDS
from lavlive.stage.canvas.slots import Slots
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput
from tests.support.flash_counter import count_flashes

SIZE = (64, 36)
SEQUENCE = itertools.count(1)
OWN = shipped("shaders") / "isf"
NEGATIVE = """/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"},
{"NAME": "much", "TYPE": "float", "DEFAULT": 1}]}*/
void main() { vec3 c = IMG_THIS_PIXEL(inputImage).rgb; gl_FragColor = vec4(mix(c, 1.0 - c, much), 1.0); }"""
RED = """/*{"INPUTS": [{"NAME": "go", "TYPE": "event"}]}*/
void main() { gl_FragColor = vec4(1, go ? 1 : 0, 0, 1); }"""
STROBE = "/*{}*/ void main() { gl_FragColor = vec4(vec3(step(0.5, fract(TIME * 10.0))), 1.0); }"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[ShaderLibrary]:
    folder = tmp_path / "shaders"
    folder.mkdir()
    for name, text in (("negative", NEGATIVE), ("Bright Red", RED), ("strobe", STROBE)):
        (folder / f"{name}.fs").write_text(text)
    made = ShaderLibrary([folder])
    with joined(Slots(made)):
        yield made


@pytest.fixture
def output(library: ShaderLibrary) -> Iterator[HeadlessOutput]:
    with HeadlessOutput(OutputSettings(canvas=SIZE, shaders=library)) as opened:
        if opened.note is not None:
            pytest.skip(opened.note)
        yield opened


def picture(level: int = 50, sequence: int = 1) -> Picture:
    pixels = np.full((32, 32, 3), level, np.uint8)
    pixels[:16] = 200  # brighter on top
    return Picture(pixels, sequence, 0.0, 0.0, 0)


def shown(output: HeadlessOutput, values: Mapping[str, Value], now: float) -> np.ndarray:
    output.present(picture(sequence=next(SEQUENCE)), values, now)
    return output.read_canvas().astype(int)


STILL = {"show.dissolve": 0.0, "show.scaling": "stretch", "show.flash_limit": False}


def test_a_slot_and_its_shaders_inputs_join_the_table(library: ShaderLibrary) -> None:
    assert find("fx3.shader").choices == ("none", "bright-red", "negative", "strobe")
    assert find("gen.shader").choices == ("none", "bright-red", "strobe")
    assert find("fx1.negative.much").kind is ParameterKind.CONTINUOUS
    values = Values()
    assert len(values) == len(TABLE) + 8
    values.set("fx1.shader", "negative")
    assert {"fx1.on", "fx1.mix", "fx1.blend", "fx1.negative.much"} < set(values)
    assert values.copy()["fx1.shader"] == "negative"
    assert values.saved()["fx1.negative.much"] == 1.0
    with pytest.raises(ParameterError, match="0 to 1"):
        values.set("fx1.negative.much", 2)
    with pytest.raises(ParameterError, match="no parameter"):
        values.set("fx1.negative.little", 0)
    with pytest.raises(ParameterError, match=r"fx1\.shader is one of"):
        values.set("fx1.shader", "gone")
    assert len(values.numbers) == len(TABLE)


def test_short_names_never_meet_a_slots_own(tmp_path: Path) -> None:
    names = [short_name(Path(name)) for name in ("Bad TV.fs", "mix.fs", "None.fs", "Ärger!.fs", "...fs")]
    assert names == ["bad-tv", "mix-shader", "none-shader", "rger", "unnamed"]


def test_osc_reaches_what_is_loaded(library: ShaderLibrary) -> None:
    assert understand(Message("/lavlive/fx2/negative/much", (0.25,))) == SetParameter(
        "fx2.negative.much", 0.25
    )
    assert understand(Message("/lavlive/norm/fx2/mix", (0.5,))) == SetParameter("fx2.mix", 0.5)
    with pytest.raises(Unknown):
        understand(Message("/lavlive/fx2/negative/little", (0.25,)))


def test_an_effect_changes_the_canvas_and_keeps_it_upright(output: HeadlessOutput) -> None:
    plain = shown(output, Values(STILL), 0.0)
    assert plain[5].mean() > 190
    assert plain[30].mean() < 60
    values = Values(STILL | {"fx2.shader": "negative"})
    shown(output, values, 0.1)
    inverted = shown(output, values, 1.0)
    np.testing.assert_allclose(inverted, 255 - plain, atol=4)
    values.set("fx2.mix", 0.5)
    np.testing.assert_allclose(shown(output, values, 1.2), 127.5, atol=2)
    values.set("fx2.on", False)
    np.testing.assert_allclose(shown(output, values, 3.0), plain, atol=4)


def test_an_empty_rack_draws_what_no_rack_draws(output: HeadlessOutput) -> None:
    with HeadlessOutput(OutputSettings(canvas=SIZE)) as bare:
        np.testing.assert_array_equal(shown(output, Values(STILL), 0.0), shown(bare, Values(STILL), 0.0))


def test_slots_work_in_order_and_the_generator_comes_first(output: HeadlessOutput) -> None:
    values = Values(STILL | {"gen.shader": "bright-red", "fx1.shader": "negative", "gen.blend": "normal"})
    np.testing.assert_allclose(shown(output, values, 0.0)[18, 30], (0, 255, 255), atol=2)
    values.set("gen.blend", "multiply")
    np.testing.assert_allclose(shown(output, values, 0.5)[5, 30], (55, 255, 255), atol=3)
    swapped = Values(STILL | {"fx1.shader": "negative", "fx2.shader": "bright-red"})
    shown(output, swapped, 1.0)
    shown(output, swapped, 2.0)
    np.testing.assert_allclose(shown(output, swapped, 3.0)[18, 30], (255, 0, 0), atol=2)


def test_another_shader_fades_in_after_the_old_one_has_faded_out(output: HeadlessOutput) -> None:
    values = Values(STILL | {"fx1.shader": "negative"})
    shown(output, values, 0.0)
    values.set("fx1.shader", "bright-red")
    levels = [shown(output, values, 0.05 * n)[30, 30, 1] for n in range(1, round(2.2 * FADE_SECONDS / 0.05))]
    assert max(abs(np.diff([205, *levels]))) < 40
    assert levels[-1] <= 15


TWO = """/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}, {"NAME": "other", "TYPE": "image"}]}*/
void main() { gl_FragColor = vec4(IMG_THIS_PIXEL(other).rgb, 1.0); }"""


def test_a_second_image_is_another_slots_or_a_file(
    output: HeadlessOutput, library: ShaderLibrary, tmp_path: Path
) -> None:
    (library.folders[0] / "two.fs").write_text(TWO)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2] = (30, 220, 90)
    Image.fromarray(pixels).save(pictures / "green above.png")
    (pictures / "no image.png").write_text("nothing")
    library.folders = (*library.folders, pictures)
    library.reload()
    choices = find("fx1.two.other").choices
    assert choices[:4] == ("input", "picture", "generator", "fx2")
    assert choices[-2:] == ("green above.png", "no image.png")
    assert "fx1" not in choices
    values = Values(STILL | {"fx1.shader": "bright-red", "fx2.shader": "negative", "fx3.shader": "two"})
    values.set("fx3.two.other", "fx1")
    shown(output, values, 0.0)
    np.testing.assert_allclose(shown(output, values, 1.0)[5, 5], (255, 0, 0), atol=2)
    values.set("fx3.two.other", "green above.png")
    canvas = shown(output, values, 1.1)
    np.testing.assert_allclose(canvas[3, 5], (30, 220, 90), atol=2)
    np.testing.assert_allclose(canvas[33, 5], 0, atol=2)
    values.set("fx3.two.other", "no image.png")
    np.testing.assert_allclose(shown(output, values, 1.2)[5, 5], (0, 255, 255), atol=2)
    assert "no image.png is no image" in output.problems["no image.png"]


def test_an_event_is_true_for_one_picture(output: HeadlessOutput) -> None:
    values = Values(STILL | {"gen.shader": "bright-red"})
    shown(output, values, 0.0)
    values.set("gen.bright-red.go", True)
    assert shown(output, values, 0.1)[5, 5, 1] == 255
    values.end_events()
    assert shown(output, values, 0.2)[5, 5, 1] == 0


def test_blackout_is_black_behind_a_generator(output: HeadlessOutput) -> None:
    values = Values(STILL | {"gen.shader": "bright-red", "show.blackout": True})
    shown(output, values, 0.0)
    assert shown(output, values, 1.0).max() <= 1


def test_nothing_that_a_shader_does_passes_the_flash_limiter(output: HeadlessOutput) -> None:
    for limit, most in ((True, 6), (False, 1000)):
        values = Values(STILL | {"fx1.shader": "strobe", "show.flash_limit": limit})
        canvases, times = [], []
        for tick in range(36):
            canvases.append(shown(output, values, 10 * (not limit) + tick / 30)[::6, ::8])
            times.append(tick / 30)
        changes = count_flashes(np.array(canvases), times).general
        assert changes <= most
        if not limit:
            assert changes > 8


def test_a_shader_that_breaks_while_it_runs_goes_on_and_says_so(
    output: HeadlessOutput, library: ShaderLibrary
) -> None:
    values = Values(STILL | {"fx1.shader": "negative"})
    before = shown(output, values, 0.0)
    path = library.folders[0] / "negative.fs"
    for text, reason in ((NEGATIVE.replace("1.0 - c", "1.0 - d"), "line 3"), ("no header", "no ISF header")):
        path.write_text(text)
        library.reload()
        np.testing.assert_allclose(shown(output, values, 0.1), before, atol=1)
        said = [*output.problems.values(), *library.refused.values()]
        assert any(reason in line and "\n" not in line for line in said)
    path.unlink()
    library.reload()
    np.testing.assert_allclose(shown(output, values, 0.2), before, atol=1)
    path.write_text(NEGATIVE.replace("1.0 - c", "vec3(0.0)"))
    library.reload()
    assert shown(output, values, 0.3).max() <= 1
    assert not output.problems


def test_a_shader_that_never_compiled_leaves_the_picture(
    output: HeadlessOutput, library: ShaderLibrary
) -> None:
    (library.folders[0] / "broken.fs").write_text("/*{}*/ void main() { nonsense }")
    library.reload()
    plain = shown(output, Values(STILL), 0.0)
    values = Values(STILL | {"fx1.shader": "broken"})
    np.testing.assert_allclose(shown(output, values, 1.0), plain, atol=4)
    np.testing.assert_array_equal(shown(output, values, 2.0), plain)
    assert "broken.fs: line 1" in output.problems["fx1"]
    shown(output, Values(STILL | {"fx1.shader": "negative"}), 3.0)
    assert not output.problems


def test_a_shader_that_is_too_slow_is_switched_off_and_said(
    output: HeadlessOutput, library: ShaderLibrary
) -> None:
    plain = shown(output, Values(STILL), 0.0)
    rack = output.rack
    assert rack is not None
    rack.budget = 1e-9
    values = Values(STILL | {"fx1.shader": "negative"})
    for tick in range(BUDGET_FRAMES + 8):
        canvas = shown(output, values, 1 + tick / 100)
    assert "fx1 is switched off" in output.problems["fx1"]
    np.testing.assert_allclose(canvas, plain, atol=4)
    rack.budget = 10.0
    shown(output, Values(STILL | {"fx1.shader": "none"}), 3.0)
    shown(output, values, 4.0)
    assert shown(output, values, 6.0)[5].mean() < 70


# Presets


PRESET = """schema = 1
name = "Glow"
[values]
mapper.y = 2.0
fx1.shader = "negative"
fx1.mix = 0.5
fx1.negative.much = 0.25
fx4.shader = "gone"
fx4.gone.zoom = 1.0
[drive."fx1.negative.much"]
source = "fine"
depth = 0.5
seed = 3
[drive."fx4.gone.zoom"]
depth = 0.1
"""


def test_a_preset_holds_shaders_and_one_that_is_gone_leaves_the_rest(
    library: ShaderLibrary, tmp_path: Path
) -> None:
    path = tmp_path / "glow.toml"
    path.write_text(PRESET)
    preset = read_preset(path)
    assert preset.values["fx1.shader"] == "negative"
    assert preset.values["fx1.negative.much"] == 0.25
    assert preset.values["fx1.on"] is True
    assert preset.values["fx4.shader"] == "none"
    assert preset.drives == {"fx1.negative.much": Drive("fx1.negative.much", "fine", 0.5, 3)}
    assert len(preset.notes) == 3
    looks = Looks(Values({"fx2.shader": "strobe"}), PresetLibrary(None, None))
    looks.recall(preset, 0.0, seconds=1.0)
    looks.step(0.5)
    assert looks.values["fx2.shader"] == "none"
    looks.step(2.0)
    assert looks.values["fx1.negative.much"] == 0.25
    assert looks.drives == preset.drives
    write_preset(looks.as_preset("Again"), tmp_path / "again.toml")
    again = read_preset(tmp_path / "again.toml")
    assert dict(again.values) == dict(preset.values)
    assert again.drives == preset.drives
    assert looks.undo() is not None
    assert looks.values["fx2.shader"] == "strobe"
    assert looks.drives == {}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('[drive."fx1.negative.much"]\nsource = "nose"', "source is one of"),
        ('[drive."fx1.negative.much"]\ndepth = 3', "depth"),
        ('[drive."fx1.negative.much"]\nseed = -1', "seed"),
        ('[drive."fx1.on"]\ndepth = 1', "not continuous"),
        ('[drive."mapper.y"]\ndepth = 1', "input of a shader"),
    ],
)
def test_a_drive_that_cannot_be_is_refused_with_its_line(
    library: ShaderLibrary, tmp_path: Path, line: str, reason: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(f'schema = 1\nname = "Bad"\n{line}\n')
    with pytest.raises(PresetError, match=rf"bad\.toml, line \d: .*{reason}"):
        read_preset(path)


def test_slots_change_places_with_all_that_moves_in_them(library: ShaderLibrary) -> None:
    looks = Looks(Values({"fx1.shader": "negative", "fx1.negative.much": 0.25}), PresetLibrary(None, None))
    looks.values.update({"fx2.shader": "strobe", "fx2.mix": 0.5})
    looks.drive(Drive("fx1.negative.much", "fine", 0.5, 3))
    looks.exchange("fx1", "fx2")
    assert looks.values["fx1.shader"] == "strobe"
    assert looks.values["fx1.mix"] == 0.5
    assert looks.values["fx2.negative.much"] == 0.25
    assert looks.drives == {"fx2.negative.much": Drive("fx2.negative.much", "fine", 0.5, 3)}
    looks.undo()
    assert looks.values["fx1.shader"] == "negative"
    assert list(looks.drives) == ["fx1.negative.much"]


# Drives


def heard(seed: int = 0) -> Heard:
    rng = np.random.default_rng(seed)
    chroma = rng.random(12)
    return Heard(rng.normal(size=(3, 512)), 0.5, np.full(64, rng.uniform(-80, -20)), chroma / chroma.sum())


def test_a_drive_follows_its_group_by_the_papers_formula(library: ShaderLibrary) -> None:
    sound = heard()
    drive = Drive("fx1.negative.much", "middle", 0.6, 42)
    x = 1.5 * float(direction(42, 512) @ sound.deviation[1])
    expected = 0.5 + 0.6 * 0.5 * (0.1 * x + 0.9 * np.tanh(x))
    assert drive.apply(0.5, sound, y=1.5, c=0.1) == pytest.approx(np.clip(expected, 0, 1), abs=1e-12)
    assert np.linalg.norm(direction(42, 512)) == pytest.approx(1.0)


def test_depth_zero_is_bit_for_bit_no_drive(library: ShaderLibrary) -> None:
    value = 0.1 + 0.2
    assert Drive("fx1.negative.much", "fine", 0.0, 1).apply(value, heard(), 1.0, 0.1) == value


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_moves_and_stays_inside_the_range(library: ShaderLibrary, source: str) -> None:
    values = [Drive("fx1.mix", source, 1.0, 5).apply(0.3, heard(n), 1.0, 0.2) for n in range(40)]
    assert np.ptp(values) > 0.05 or source == "onset"
    assert min(values) >= 0.0
    assert max(values) <= 1.0
    broken = Heard(np.full((3, 512), np.nan))
    assert Drive("fx1.mix", source, 1.0, 5).apply(0.3, broken, 1.0, 0.2) == 0.3


def test_drives_reach_the_canvas_through_looks_and_not_the_knobs(library: ShaderLibrary) -> None:
    looks = Looks(Values({"fx1.shader": "negative"}), PresetLibrary(None, None))
    looks.drive(Drive("fx1.negative.much", "onset", -1.0))
    moved = looks.loaded_numbers(BeatState(120.0, 0.0, "none"), heard(), 0.0)
    assert moved["fx1.negative.much"] == pytest.approx(0.5)
    assert looks.values["fx1.negative.much"] == 1.0
    looks.stop_driving("fx1.negative.much")
    assert looks.loaded_numbers(BeatState(120.0, 0.0, "none"), heard(), 0.0)["fx1.negative.much"] == 1.0
    with pytest.raises(PresetError):
        looks.drive(Drive("mapper.y", "onset", 1.0))


def test_drive_all_gives_every_continuous_input_its_own_direction(library: ShaderLibrary) -> None:
    values = Values({"gen.shader": "bright-red"})
    drives = drive_all([name for name in values if name.startswith("gen.")], seed=9)
    assert [drive.name for drive in drives] == ["gen.mix"]


def test_the_deviation_comes_through_the_link_whole() -> None:
    deviation = heard().deviation.astype(np.float32)
    with SharedBlock.create() as link:
        link.write_deviation(deviation)
        read = link.read_deviation()
        assert read is not None
        np.testing.assert_array_equal(read, deviation)
        link.meter("latent.groups_version")[0] += 1
        assert link.read_deviation() is None


# Our own


@pytest.mark.parametrize("path", sorted(OWN.glob("*.fs")), ids=lambda path: path.stem)
def test_our_own_shaders_have_at_most_six_inputs_and_words_for_each(path: Path) -> None:
    document = read_document(path)
    inputs = [one for one in document.inputs if one.name != "inputImage"]
    assert not document.notes
    assert len(inputs) <= 6
    assert document.description
    assert "MIT" in document.credit


def test_there_are_fourteen_effects_and_four_generators() -> None:
    kinds = [read_document(path).kind for path in OWN.glob("*.fs")]
    assert kinds.count(ShaderKind.FILTER) == 14
    assert kinds.count(ShaderKind.GENERATOR) == 4


def test_our_own_all_draw_one_after_the_other(tmp_path: Path) -> None:
    shutil.copytree(OWN, tmp_path / "isf")
    library = ShaderLibrary([tmp_path / "isf"])
    settings = OutputSettings(canvas=(48, 28), shaders=library)
    with joined(Slots(library)), HeadlessOutput(settings) as output:
        if output.note is not None:
            pytest.skip(output.note)
        names = [*library.names(ShaderKind.FILTER), *library.names(ShaderKind.GENERATOR)]
        for place, name in enumerate(names):
            slot = "fx1" if name in library.names(ShaderKind.FILTER) else "gen"
            for tick in range(3):
                canvas = shown(output, Values(STILL | {f"{slot}.shader": name}), place * 10 + tick * 0.4)
            assert not output.problems, output.problems
            assert np.ptp(canvas) > 10, name
