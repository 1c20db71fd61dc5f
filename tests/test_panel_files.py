"""A file is chosen in the panel without a desktop: a list of folders, and a path to type."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import glfw
import pytest

from lavlive.audio.spec import SourceSpec
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.presets import Preset, write_preset
from lavlive.control.sources import KnownSources
from lavlive.errors import PresetError
from lavlive.parameters import TABLE, Parameter, ParameterKind, Values
from lavlive.parameters.words import label, title, written
from lavlive.show.bank import ModelBank
from lavlive.stage.panel import files
from lavlive.stage.panel.files import Folder, list_folder
from tests.support.panel_rig import PanelRig
from tests.support.xvfb import xvfb


@pytest.fixture(scope="module")
def desktop() -> Iterator[str]:
    if shutil.which("xdotool") is None:
        pytest.skip("xdotool is not installed")
    with xvfb(1280, 900) as name:
        yield name


@pytest.fixture
def rig(desktop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelRig]:
    home = tmp_path / "home"
    (home / "Music" / "Set").mkdir(parents=True)
    for name in ("b.wav", "A.FLAC", "cover.jpg", ".hidden.wav", "Set/long.mp3"):
        (home / "Music" / name).write_bytes(b"x")
    (home / "mine.pkl").write_bytes(b"x")
    write_preset(Preset("Rain", values=Values({"mapper.y": 1.5}).saved()), home / "rain.toml")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    made = PanelRig(tmp_path)
    glfw.set_window_size(made.window.handle, 1180, 860)
    try:
        with made.eye.open():
            made.frames(2)
            made.draw_nothing()
            yield made
    finally:
        made.close()


def is_there(rig: PanelRig, name: str) -> bool:
    return any(place.name == name for place in rig.eye.places)


def open_chooser(rig: PanelRig, tab: str, button: str, seen: str) -> None:
    rig.press(f"begin_tab_item {tab}")
    rig.frames()
    rig.press(f"button {button}")
    rig.run_until(lambda: is_there(rig, seen))


def test_a_track_is_chosen_from_a_folder(rig: PanelRig) -> None:
    open_chooser(rig, "Show", "open a track…", "selectable Set/##Set")
    shown = [place.name for place in rig.eye.places if place.name.startswith("selectable")]
    assert shown == ["selectable Set/##Set", "selectable A.FLAC##A.FLAC", "selectable b.wav##b.wav"]
    rig.press("selectable Set/##Set")
    rig.run_until(lambda: is_there(rig, "selectable long.mp3##long.mp3"))
    rig.press("selectable long.mp3##long.mp3")
    assert rig.source.kind == "track"
    assert Path(str(rig.source.name)).parts[-3:] == ("Music", "Set", "long.mp3")
    assert not is_there(rig, "button cancel")


def test_names_from_another_alphabet_and_links_into_themselves_hide_nothing(rig: PanelRig) -> None:
    music = Path(os.environ["HOME"]) / "Music"
    (music / "0.wav").symlink_to("0.wav")
    (music / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"x")
    seen = "selectable caf\ufffd.wav##caf\ufffd.wav"
    open_chooser(rig, "Show", "open a track…", seen)
    assert is_there(rig, "selectable b.wav##b.wav")
    rig.press(seen)
    assert os.fsencode(str(rig.source.name)).endswith(b"/caf\xe9.wav")
    rig.frames()
    assert is_there(rig, "begin_combo ##source")


def test_a_path_can_be_typed(rig: PanelRig) -> None:
    open_chooser(rig, "Show", "open a model…", "selectable mine.pkl##mine.pkl")
    rig.press("input_text ##path")
    rig.mouse("key", "ctrl+a")
    rig.mouse("type", "~/Music/other.pt")
    rig.mouse("key", "Return")
    rig.run_until(lambda: rig.chosen_models[-1].endswith("/home/Music/other.pt"))
    assert "other" in rig.models


def test_a_preset_is_taken_from_a_file_and_shown(rig: PanelRig) -> None:
    open_chooser(rig, "Presets", "open…", "selectable rain.toml##rain.toml")
    rig.press("selectable rain.toml##rain.toml")
    rig.run_until(lambda: rig.control.looks.preset == "Rain")
    assert "Rain" in rig.control.looks.library.names()


def test_a_folder_that_does_not_answer_stops_nothing(rig: PanelRig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answers = threading.Event(), threading.Event()

    def hangs(path: Path, endings: object) -> Folder:
        asked.set()
        answers.wait(20)
        return Folder(path, files=("late.wav",))

    monkeypatch.setattr(files, "list_folder", hangs)
    rig.press("begin_tab_item Show")
    rig.frames()
    rig.press("button open a track…")
    assert asked.wait(10)
    rig.frames()
    assert is_there(rig, "text_colored looking…")
    answers.set()
    rig.run_until(lambda: is_there(rig, "selectable late.wav##late.wav"))
    rig.press("button cancel")
    rig.frames()
    assert not is_there(rig, "button cancel")


def test_a_folder_that_cannot_be_listed_says_why(tmp_path: Path) -> None:
    assert "No such file" in list_folder(tmp_path / "gone", (".wav",)).problem


def test_a_preset_of_a_name_that_is_taken_is_not_written_over(tmp_path: Path) -> None:
    library = PresetLibrary(None, tmp_path / "presets")
    library.save(Preset("Rain", values=Values({"mapper.y": 3.0}).saved()))
    write_preset(Preset("Rain", values=Values().saved()), tmp_path / "rain.toml")
    with pytest.raises(PresetError, match="already"):
        library.add(tmp_path / "rain.toml")
    assert library.find("Rain").values["mapper.y"] == 3.0


def test_a_track_that_could_not_be_played_is_none_to_choose() -> None:
    good, bad = SourceSpec("track", "/a.wav", aloud=True), SourceSpec("track", "/b.wav", aloud=True)
    sources = KnownSources(good)
    sources.note(bad)
    sources.forget(bad)
    assert bad not in sources.known()
    assert good in sources.known()


def test_a_model_opened_by_hand_is_named_apart_and_forgotten_once_it_is_refused() -> None:
    bank = ModelBank(["/bank/mine.pkl"])
    assert bank.add("/stick/mine.pkl", ["mine"]) == "mine.pkl"
    assert bank.step("/bank/mine.pkl", 1) == "/stick/mine.pkl"
    assert bank.forget("/stick/mine.pkl")
    assert not bank.forget("/bank/mine.pkl"), "the show's own bank keeps what it was begun with"
    assert bank.step("/bank/mine.pkl", 1) is None


def heading_of(name: str) -> str:
    """Dials and bends have a heading for each group and slot."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] in ("dial", "bend") else parts[0]


def test_parameters_have_names_in_plain_words_each_another_below_its_title() -> None:
    shown = [(title(heading_of(row.name)), label(row)) for row in TABLE]
    assert len(set(shown)) == len(TABLE)
    assert not [words for pair in shown for words in pair if set("_.") & set(words)]


def test_values_are_written_with_units_that_are_seen_or_heard() -> None:
    window = Parameter("x", 0.5, 0.0, 8, "s", "")
    assert [written(window, value) for value in (0.0, 0.02, 0.5)] == ["0.00 s", "20 ms", "0.50 s"]
    assert written(Parameter("x", 0.0, -24, 48, "dB", ""), 6.0) == "+6.0 dB"
    assert written(Parameter("x", 1.0, 0, 4, "W_std", ""), 1.3) == "1.30"
    assert written(Parameter("x", True, 0, 1, "", "", ParameterKind.SWITCH), True) == "on"
