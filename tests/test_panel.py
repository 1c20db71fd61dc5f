"""The panel in a real window, driven by real mouse and key events."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import glfw
import numpy as np
import pytest
from OpenGL import GL

from lavlive.control.actions import Action
from lavlive.control.events import MidiControl, MidiControlKind
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.midi.bindings import Binding, BindingSet, Mode
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.control.osc.bindings import OscBinding
from lavlive.control.remote.remote import Remote, RemoteSettings
from lavlive.errors import ControlError
from lavlive.link.messages import DialsFound
from lavlive.parameters import Value, find
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.outlets import Outlets, OutletSpec
from lavlive.stage.panel.presets import PresetsSection
from lavlive.stage.panel.remote import code_of
from lavlive.stage.panel.sections import SECTIONS
from lavlive.stage.panel.thumbnails import Thumbnails
from tests.support.golden import assert_as_kept, reduced
from tests.support.panel_rig import PanelRig
from tests.support.xvfb import xvfb

DEFAULT_Y = find("mapper.y").default


@pytest.fixture(scope="module")
def desktop() -> Iterator[str]:
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed")
    with xvfb(1920, 1400) as name:
        yield name


@pytest.fixture
def rig(desktop: str, tmp_path: Path) -> Iterator[PanelRig]:
    made = PanelRig(tmp_path)
    glfw.set_window_size(made.window.handle, 1180, 1380)
    try:
        with made.eye.open():
            made.frames(2)
            made.draw_nothing()
            made.frames(4)
            yield made
    finally:
        made.close()


def test_the_panel_still_looks_as_it_was_looked_at(
    desktop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an eighth of its size: another drawing of a letter is no change, a widget that moved is one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no pictures of presets, whoever runs this
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = PanelRig(tmp_path)
    try:
        glfw.set_window_size(made.window.handle, 1180, 860)
        made.point(2, 2)
        made.frames(8)
        assert made.window.size == (1180, 860)
        lines = GL.glReadPixels(0, 0, 1180, 860, GL.GL_RGB, GL.GL_UNSIGNED_BYTE)
        shown = np.frombuffer(lines, np.uint8).reshape(860, 1180, 3)[::-1]
        assert_as_kept("panel", reduced(shown, 8), worst=24, mean=1.0)
    finally:
        made.close()


def test_dragging_a_slider_moves_its_parameter_and_undo_takes_it_back(rig: PanelRig) -> None:
    assert rig.control.values["mapper.y"] == DEFAULT_Y
    slider = rig.place("slider_float ##value", beside="spread (y)")
    rig.point(round(slider.left + 20), slider.middle[1])
    rig.mouse("mousedown", "1")
    rig.point(round(slider.left * 0.25 + slider.right * 0.75), slider.middle[1])
    rig.mouse("mouseup", "1")
    assert rig.control.values["mapper.y"] == pytest.approx(3.0, abs=0.2)
    rig.mouse("key", "u")
    assert rig.control.values["mapper.y"] == DEFAULT_Y


def test_a_double_click_takes_a_slider_back_to_its_default(rig: PanelRig) -> None:
    rig.control.edit("mapper.y", 3.0, 0.0)
    x, y = rig.place("slider_float ##value", beside="spread (y)").middle
    rig.mouse("mousemove", str(x + 40), str(y), "click", "--repeat", "2", "--delay", "60", "1")
    rig.frames(8)
    assert rig.control.values["mapper.y"] == DEFAULT_Y


def test_presets_keep_their_places_when_a_picture_of_one_arrives(rig: PanelRig) -> None:
    def places() -> dict[str, tuple[int, int]]:
        return {p.name: p.middle for p in rig.eye.places if p.name.startswith("button")}

    before = places()
    section = next(s for s in rig.panel._sections if isinstance(s, PresetsSection))
    for preset in rig.control.looks.library.all():
        section._thumbnails._keep(preset.name, np.zeros((64, 64, 3), np.uint8))
    rig.frames()
    assert any(place.name.startswith("image") for place in rig.eye.places)
    assert places() == before


@pytest.mark.parametrize("width", [1180, 1920])
def test_nothing_is_clipped(rig: PanelRig, width: int) -> None:
    glfw.set_window_size(rig.window.handle, width, 1080)
    rig.frames(8)
    for section in SECTIONS:
        rig.press(f"begin_tab_item {section.title}")
        rig.frames()
        assert [place.name for place in rig.eye.places if place.clipped] == []


def test_a_node_of_the_wall_is_seen_and_shows_its_name_when_asked(rig: PanelRig) -> None:
    rig.press("begin_tab_item Wall")
    rig.frames()
    rig.press("button left wall 4711##node left wall 4711")
    rig.press("button All show their names")
    assert rig.wall.identified == ["left wall 4711", "*"]
    said = [place.name for place in rig.eye.places]
    assert any("60 pictures/s, 84 ms after the sound, 17 messages lost" in name for name in said)
    assert any("is gone" in name for name in said)
    rig.wall = None
    rig.frames()
    assert any("no nodes: lavlive conduct" in place.name for place in rig.eye.places)


def test_a_click_on_learn_waits_for_a_control(rig: PanelRig) -> None:
    rig.press("button learn##learn", beside="spread (y)")
    assert rig.control.learning == "mapper.y"


def test_a_button_is_learned_given_up_and_freed_by_the_right_button(rig: PanelRig) -> None:
    blackout = Action("show.blackout")
    rig.point(*rig.place("button blackout##show.blackout").middle)
    rig.mouse("click", "3")
    assert rig.control.learning == blackout
    rig.mouse("click", "3")
    assert rig.control.learning is None
    rig.control.surfaces.bind(OscBinding("/1/push1", blackout))
    assert rig.control.bound_to(blackout)
    rig.mouse("keydown", "shift")
    rig.mouse("click", "3")
    rig.mouse("keyup", "shift")
    assert rig.control.bound_to(blackout) == []
    assert rig.control.learning is None


def test_keys_reach_the_show_from_the_panel(rig: PanelRig) -> None:
    rig.mouse("key", "space")
    assert rig.control.values["show.freeze"] is True
    rig.mouse("key", "2")
    rig.run_until(lambda: rig.control.looks.preset == rig.control.looks.library.on_key(2).name)


def test_the_keyboard_alone_moves_a_parameter(rig: PanelRig) -> None:
    for _ in range(3):
        rig.mouse("key", "Down")
    before = dict(rig.control.values)
    rig.mouse("key", "space")
    for _ in range(6):
        rig.mouse("key", "Right")
    assert dict(rig.control.values) != before


def test_the_flash_limiter_is_turned_off_only_after_a_question(rig: PanelRig) -> None:
    rig.press("checkbox ##value", beside="hold flashes back")
    assert rig.control.values["show.flash_limit"] is True
    rig.press("button show flashes")
    assert rig.control.values["show.flash_limit"] is False
    rig.press("checkbox ##value", beside="hold flashes back")
    assert rig.control.values["show.flash_limit"] is True


def test_the_beat_is_set_in_a_popup_and_taken_off_again(rig: PanelRig) -> None:
    rig.press("button beat##beat", beside="spread (y)")
    depth = rig.place("slider_float depth")
    rig.click(round(depth.left + 150), depth.middle[1])
    modulation = rig.control.looks.modulations.get("mapper.y")
    assert modulation is not None
    assert modulation.depth != 0
    assert modulation.beats == 4.0


def test_a_preset_that_was_shown_has_a_thumbnail_from_then_on(rig: PanelRig, tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "thumbnails")
    pixels = np.full((256, 256, 3), (10, 200, 30), np.uint8)
    thumbnails.watch("Dub", False, pixels, 0.0)
    thumbnails.watch("Dub", True, pixels, 1.0)
    thumbnails.watch("Dub", False, pixels, 2.0)
    assert thumbnails.texture("Dub") is None
    thumbnails.watch("Dub", False, pixels, 6.0)
    assert thumbnails.texture("Dub") is not None
    thumbnails.close()
    again = Thumbnails(tmp_path / "thumbnails")
    assert again.texture("Dub") is not None
    kept = np.load(tmp_path / "thumbnails" / "dub.npy")
    assert kept.shape == (48, 48, 3)
    assert np.all(kept == (10, 200, 30))
    again.close()


def test_no_controller_may_learn_the_flash_limiter(rig: PanelRig) -> None:
    with pytest.raises(ControlError, match="panel only"):
        rig.control.learn("show.flash_limit")


def choose(rig: PanelRig, combo: str, label: str) -> None:
    rig.press(f"begin_combo {combo}")
    rig.frames()
    rig.press(f"selectable {label}")
    rig.frames()


def test_a_look_between_two_presets_is_had_with_the_fader(rig: PanelRig) -> None:
    choose(rig, "##morph.a", "Dub")
    choose(rig, "##morph.b", "Acid")
    assert rig.control.looks.fader_ends == ("Dub", "Acid")
    fader = rig.place("slider_float ##fader")
    rig.click(round(fader.right - 3), fader.middle[1])
    rig.frames()
    acid = rig.control.looks.library.find("Acid")
    assert rig.control.looks.preset == "Acid"
    assert rig.control.values["mapper.y"] == pytest.approx(acid.values["mapper.y"], abs=0.05)


def test_the_latents_show_the_dials_that_the_model_has_and_keep_a_moment(rig: PanelRig) -> None:
    asked: list[Action] = []
    step = rig.control.step
    rig.control.step = lambda now: asked.extend(step(now)) or []  # type: ignore[method-assign]
    rig.dials = DialsFound("flames", (2, 0, 1), {"coarse.1": "opening"})
    rig.press("begin_tab_item Latents")
    rig.frames()
    drawn = [place.name for place in rig.eye.places]
    assert "text opening" in drawn
    assert "text_unformatted This model has none here: no direction changes the picture enough." in drawn
    slider = rig.place("slider_float ##value", beside="opening")
    rig.point(round(slider.left + 20), slider.middle[1])
    rig.mouse("mousedown", "1")
    rig.point(round(slider.right - 20), slider.middle[1])
    rig.mouse("mouseup", "1")
    assert rig.control.values.number("dial.coarse.1") > 1.0
    rig.press("button keep this moment")
    assert asked == [Action("keyframe.keep")]


def test_the_anchor_goes_to_the_small_picture_that_is_clicked(rig: PanelRig) -> None:
    pixels = np.full((48, 48, 3), (200, 120, 40), np.uint8)
    rig.drawn_anchors = {3: pixels, 30: pixels}
    rig.control.edit("anchor.glide", 0.5, rig.now)
    rig.press("begin_tab_item Latents")
    rig.frames()
    scroll_to(rig, "image_button anchor 3")
    assert rig.control.values.number("anchor.amount") == 0.0
    rig.press("image_button anchor 3")
    values = rig.control.values
    assert (values["anchor.kind"], values["anchor.number"]) == ("random", 3)
    assert 0.0 < values.number("anchor.amount") < 0.5, "it rises in the time of the glide"
    rig.frames(30)
    assert values.number("anchor.amount") == 1.0
    rig.press("button 24 others##anchors")
    rig.frames()
    rig.press("image_button anchor 30")
    assert values["anchor.number"] == 30


def test_a_hand_on_the_amount_stops_its_rise(rig: PanelRig) -> None:
    rig.drawn_anchors = {3: np.zeros((48, 48, 3), np.uint8)}
    rig.press("begin_tab_item Latents")
    rig.frames()
    scroll_to(rig, "image_button anchor 3")
    rig.press("image_button anchor 3")
    rig.control.edit("anchor.amount", 0.75, rig.now)
    rig.frames(8)
    assert rig.control.values.number("anchor.amount") == 0.75


def scroll_to(rig: PanelRig, name: str) -> None:
    """Turn the mouse's wheel over the open tab until something is well within the window."""
    for _ in range(60):
        if rig.place(name).middle[1] < 1200:
            return
        rig.point(rig.place(name).middle[0], 900)
        rig.mouse("click", "5")


def test_a_model_and_a_source_are_chosen_from_lists(rig: PanelRig) -> None:
    rig.press("begin_tab_item Show")
    rig.frames()
    rig.press("button tissue##model tissue")
    assert rig.chosen_models[-1] == "/models/tissue"
    choose(rig, "##source", "input: the default device")
    assert rig.source.kind == "input"
    rig.press("button fill 1: EPSON PJ, 1280 x 800 at 60 Hz##monitor")
    assert rig.output.filled == [1]


def test_phones_are_let_in_by_a_switch_and_find_the_show_by_its_code(rig: PanelRig) -> None:
    rig.control.remote = Remote(RemoteSettings("127.0.0.1:0"), rig.control.notes.tell)
    rig.control.remote.wanted = False
    rig.press("begin_tab_item Show")
    rig.frames()
    rig.press("button phones may play##remote")
    rig.run_until(lambda: bool(rig.control.remote.urls))
    rig.frames()
    (url,) = rig.control.remote.urls
    assert rig.place(f"text_unformatted {url}")
    images = [place for place in rig.eye.places if place.name.startswith("image")]
    pixels = code_of(url)
    assert pixels is not None
    assert [round(place.right - place.left) for place in images[1:]] == [len(pixels)]


def test_a_preset_is_saved_given_a_key_moved_and_deleted(rig: PanelRig) -> None:
    library = rig.control.looks.library
    rig.control.looks.save("Mine")
    rig.frames()
    assert library.names()[-1] != "Mine"
    before = library.names().index("Mine")
    rig.press("button earlier")
    assert library.names().index("Mine") == before - 1
    rig.press("button delete")
    rig.press("button keep it")
    assert "Mine" in library.names()
    rig.press("button delete")
    rig.press("button delete it")
    assert "Mine" not in library.names()


def test_the_lock_is_seen_and_taken_off_in_the_panel(rig: PanelRig) -> None:
    rig.press("button lock keys##lock")
    rig.frames()
    rig.mouse("key", "b")
    assert rig.control.values["show.blackout"] is False
    rig.press("button keys locked##lock")
    rig.frames()
    rig.mouse("key", "b")
    assert rig.control.values["show.blackout"] is True


def test_h_brings_the_keys_to_the_front(rig: PanelRig) -> None:
    rig.panel.show("Keys")
    rig.frames()
    assert rig.place("text_colored Ctrl+R")


def test_nothing_below_moves_when_there_is_news_and_lamps_count(rig: PanelRig) -> None:
    def places() -> dict[str, tuple[int, int]]:
        kinds = ("button", "slider_float", "begin_tab_item")
        return {f"{n} {p.name}": p.middle for n, p in enumerate(rig.eye.places) if p.name.startswith(kinds)}

    before = places()
    rig.notices.raise_condition("long", "The recording stopped because the disk is full. " * 8, rig.now)
    rig.link.meter("audio.xruns")[0] = 123
    rig.link.meter("audio.rate")[0] = 48_000
    rig.link.meter("audio.dropped")[0] = 48_000 * 77
    rig.control.edit("show.master", 0.4, rig.now)
    rig.frames()
    assert rig.place("text_colored master 40%")
    assert [place.middle for place in rig.eye.places if place.name == "text_colored lost 77.0 s"]
    assert places() == before


@pytest.mark.parametrize("size", [(260, 180), (40, 30)])
def test_a_panel_made_small_goes_on_drawing(rig: PanelRig, size: tuple[int, int]) -> None:
    glfw.set_window_size(rig.window.handle, *size)
    for section in SECTIONS:
        rig.panel.show(section.title)
        rig.frames(3)
    glfw.set_window_size(rig.window.handle, 1180, 860)
    rig.frames()
    assert rig.place("button blackout##show.blackout")


def test_outputs_are_switched_and_slices_added_by_the_mouse(rig: PanelRig) -> None:
    class Receiver:
        def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
            pass

        def hear(self, sound: list[SoundBlock]) -> None:
            pass

        def close(self) -> None:
            pass

    rig.outlets = Outlets([OutletSpec("wall", "stream", "srt://host:9710", Receiver)])
    rig.press("begin_tab_item Outputs")
    rig.frames()
    rig.press("button wall##outlet wall")
    assert rig.outlets.all[0].wanted
    rig.press("button wall##outlet wall")
    assert not rig.outlets.all[0].wanted
    rig.outlets.close()
    mapping = rig.output.mapping
    rig.press("begin_tab_item Mapping")
    rig.frames()
    rig.press("button +##slice")
    assert len(mapping.surfaces.screens[0].slices) == 2
    rig.press("button undo##mapping")
    assert len(mapping.surfaces.screens[0].slices) == 1
    mapping.close()


def test_how_a_knob_takes_over_is_chosen_beside_its_bar_and_kept(rig: PanelRig, tmp_path: Path) -> None:
    control = rig.control
    bar = rig.place("slider_float ##value", beside="spread (y)")
    knobs = (
        Binding(MidiControl(MidiControlKind.CC, 0, 1), "mapper.y"),
        Binding(MidiControl(MidiControlKind.CC, 0, 2), "mapper.c"),
        Binding(MidiControl(MidiControlKind.NOTE, 0, 1), "show.freeze", Mode.TOGGLE),
    )
    learn = rig.place("button learn##learn", beside="spread (y)").middle
    control.router.connect("pad", BindingSet("pad", knobs))
    rig.frames()
    assert rig.place("button cc 1##learn", beside="spread (y)").middle == learn
    assert rig.place("slider_float ##value", beside="spread (y)").right < bar.right - 60
    assert len([place for place in rig.eye.places if place.name == "button pickup##takeover"]) == 2
    rig.press("button pickup##takeover", beside="spread (y)")
    rig.frames()
    rig.press("button jump##takeover")
    rig.press("button scaled##of all")
    kept = {
        str(b.target): b.takeover for b in BindingFolders(tmp_path / "none", tmp_path).find("pad").bindings
    }
    assert kept["mapper.y"] is TakeoverMode.JUMP
    assert kept["mapper.c"] is None
    assert control.takeover is TakeoverMode.SCALED
    assert [place.name for place in rig.eye.places if place.clipped] == []
    rig.mouse("key", "Escape")
    rig.frames()
    assert rig.place("button jump##takeover", beside="spread (y)")
    assert rig.place("button scaled##takeover", beside="outliers (c)")


def test_a_stream_is_typed_begun_and_ended_in_the_panel_and_its_key_is_never_seen(rig: PanelRig) -> None:
    typed = rig.typed_stream
    rig.press("begin_tab_item Show")
    rig.frames()
    rig.press("input_text_with_hint ##address")
    rig.mouse("type", "nonsense")
    rig.run_until(lambda: typed.address == "nonsense")
    rig.mouse("key", "Return")
    rig.run_until(lambda: typed.problem != "")
    rig.frames(8)
    assert rig.place(f"text_unformatted {typed.problem}")
    assert "use rtmp://" in typed.problem
    rig.press("input_text_with_hint ##address")
    rig.mouse("key", "ctrl+a")
    rig.mouse("type", "rtmp://127.0.0.1:1/app/SECRET")
    rig.run_until(lambda: typed.address == "rtmp://127.0.0.1:1/app/SECRET")
    rig.mouse("key", "Tab")
    rig.run_until(lambda: typed.secret == "SECRET")
    assert typed.address == "rtmp://127.0.0.1:1/app"
    rig.press("button begin the stream##typed")
    assert typed.wanted
    assert typed.problem == ""
    assert typed.outlet in rig.outlets.all
    rig.run_until(lambda: any("trying again" in place.name for place in rig.eye.places))
    assert not any("SECRET" in place.name for place in rig.eye.places)
    assert rig.control.values["show.blackout"] is False, "letters of an address are no keys of the show"
    assert [place.name for place in rig.eye.places if place.clipped] == []
    rig.press("button end the stream##typed")
    assert not typed.wanted
    rig.outlets.close()


@pytest.mark.parametrize(
    ("name", "dark", "light"), [("show.blackout", True, False), ("show.master", 0.3, 1.0)]
)
def test_a_presets_picture_is_of_the_canvas_and_never_of_the_dark(
    rig: PanelRig, tmp_path: Path, name: str, dark: Value, light: Value
) -> None:
    rig.control.looks.recall(rig.control.looks.library.find("Dub"), rig.now, 0.0)
    section = next(s for s in rig.panel._sections if isinstance(s, PresetsSection))
    rig.control.edit(name, dark, rig.now)
    rig.frames(2)
    rig.now += 4.0
    rig.frames(2)
    assert section._thumbnails._taken == ""
    rig.control.edit(name, light, rig.now)
    rig.frames(2)
    assert section._thumbnails._taken == "", "not while it fades in"
    rig.now += 4.0
    rig.frames(2)
    assert section._thumbnails._taken == "Dub"
    assert section._thumbnails._path("Dub").is_relative_to(tmp_path), "and not into the user's own"
