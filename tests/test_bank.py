"""The bundled generators: a bank that the show walks through and that presets choose from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lavlive.audio.spec import SourceSpec
from lavlive.commands.choices import first_model, model_bank, with_mixed_in
from lavlive.commands.opening import _if_there
from lavlive.commands.options import LiveOptions, RenderOptions
from lavlive.commands.render import look_of
from lavlive.control.actions import Action
from lavlive.control.control import Control
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.presets import Preset, read_preset, write_preset
from lavlive.control.looks.starting import initial_model
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.errors import CheckpointError, PresetError
from lavlive.generator.checkpoint import load_generator
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import (
    Command,
    EngineEvent,
    LoadModel,
    ModelLoading,
    ModelReady,
    ModelRefused,
    ModelShown,
    Ready,
)
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import Values, joined
from lavlive.resources import bundled_generators, generator_file, shipped
from lavlive.show.show import Show
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.slots import Slots
from lavlive.stage.notices import Notices
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput


class Engine:
    """Remembers which models it was asked for."""

    def __init__(self) -> None:
        self.told: list[EngineEvent] = [Ready()]
        self.asked: list[str | None] = []
        self.fades: list[float] = []

    def events(self) -> list[EngineEvent]:
        told, self.told = self.told, []
        return told

    def send(self, command: Command) -> None:
        assert isinstance(command, LoadModel)
        self.asked.append(command.path)
        self.fades.append(command.fade)

    def exit_status(self) -> int | None:
        return None

    def kill(self) -> None: ...

    def close(self, timeout: float) -> None: ...


class Stage:
    """A show over an engine that is only a script, with a bank of three."""

    def __init__(self, link: SharedBlock, folder: Path) -> None:
        self.engine = Engine()
        self.now = 0.0
        presets = PresetLibrary(None, folder / "presets")
        for name, model in (("One", "silk"), ("Two", "bloom"), ("Any", ""), ("Lost", "elsewhere")):
            presets.save(Preset(name, "", None, Values().saved(), model=model))
        self.control = Control(Values({"show.morph": 0.0}), BindingFolders(folder, folder), presets=presets)
        settings = EngineSettings(SourceSpec("demo"), model="silk")
        supervisor = Supervisor(link, settings, lambda *_: self.engine, 0.0)
        output = HeadlessOutput(OutputSettings(canvas=(64, 64)))
        bank = {"silk": "silk", "bloom": "bloom", "mine": "/a/mine.pkl"}
        self.show = Show(link, supervisor, self.control, output, Notices(), models=bank)
        self.step()

    def step(self) -> None:
        self.now += 0.1
        self.show.link.meter("engine.heartbeat")[0] = self.now
        self.show.step(self.now)

    def do(self, name: str, argument: str = "") -> None:
        self.control.ask(Action(name, argument))
        self.step()

    def finish(self) -> None:
        """The engine loads the model that it was asked for last, and has faded to it."""
        path = self.engine.asked[-1]
        self.engine.told += [
            ModelLoading(path),
            ModelReady(path),
            ModelShown(str(path)),
        ]
        self.step()
        self.step()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with SharedBlock.create() as link:
        stage = Stage(link, tmp_path)
        yield stage
        stage.control.close()


def test_every_bundled_generator_loads_has_a_card_and_all_of_them_are_small() -> None:
    bundled = bundled_generators()
    assert len(bundled) >= 1
    assert sum(file.stat().st_size for file in bundled.values()) <= 48e6
    names = set()
    for name, file in bundled.items():
        assert file.stat().st_size <= 8e6
        card = load_generator(file).card
        names.add(card["name"])
        assert {"name", "trained", "licence", "data", "recipe", "command", "pictures_seen"} <= set(card), name
        assert card["trained"]
        assert card["licence"] == "MIT"
    assert len(names) == len(bundled)


def test_a_model_is_a_bundled_name_a_path_or_the_first_bundled_one() -> None:
    first, file = next(iter(bundled_generators().items()))
    assert generator_file(None) == generator_file(first) == file
    assert generator_file("./" + first) == Path("./" + first)
    assert generator_file("/a/mine.pkl") == Path("/a/mine.pkl")


def test_the_bank_holds_the_bundled_models_a_folders_or_one_file(tmp_path: Path) -> None:
    names = list(bundled_generators())
    assert list(model_bank(None)) == list(model_bank(names[-1])) == names
    for file in ("b.pkl", "a.safetensors", "notes.txt"):
        (tmp_path / file).touch()
    assert model_bank(str(tmp_path)) == {
        "a": str(tmp_path / "a.safetensors"),
        "b": str(tmp_path / "b.pkl"),
    }
    assert list(model_bank(str(tmp_path / "b.pkl"))) == ["b"]
    with pytest.raises(CheckpointError, match=f"no model nowhere; {names[0]}.* ship with lavlive"):
        model_bank("nowhere")


def test_a_film_is_told_in_one_line_of_a_model_to_mix_in_that_is_not_there() -> None:
    options = RenderOptions(track="a.wav", video="a.mp4", mix="nowhere")
    with pytest.raises(CheckpointError, match="There is no model nowhere to mix in; a file, or one of"):
        look_of(options)


def test_a_model_to_mix_in_is_known_by_name_or_comes_as_a_file(tmp_path: Path) -> None:
    names = list(bundled_generators())
    mine = tmp_path / f"{names[0]}.pkl"
    mine.write_bytes(b"")
    bank = model_bank(None)
    assert with_mixed_in(bank, names[1]) == (bank, names[1])
    added, name = with_mixed_in(bank, str(mine))
    assert name == mine.name, "another of that stem ships"
    assert added == {**bank, name: str(mine)}
    alone = model_bank(str(mine))
    assert with_mixed_in(alone, str(mine)) == (alone, mine.stem)
    assert with_mixed_in({"own": "/own.pkl"}, names[1])[0] == {"own": "/own.pkl", names[1]: names[1]}
    assert look_of(RenderOptions(track="a.wav", video="a.mp4", mix=names[1])).mix == names[1]
    with pytest.raises(CheckpointError, match=f"no model nowhere to mix in.*{names[1]}"):
        with_mixed_in(bank, "nowhere")


def test_a_show_begins_with_the_model_typed_else_its_presets_else_the_default() -> None:
    bank = model_bank(None)
    name = next(preset.name for preset in PresetLibrary(shipped("presets"), None).all() if preset.model)
    wanted = PresetLibrary(shipped("presets"), None).find(name).model

    def begun(model: str | None, preset: str | None) -> str | None:
        return first_model(LiveOptions(model=model, preset=preset), bank)

    last = list(bank)[-1]
    assert begun(last, name) == last
    assert begun(None, name) == wanted
    assert begun(None, None) is None
    assert initial_model(name, "/a/mine.pkl") == "/a/mine.pkl"
    with pytest.raises(PresetError):
        initial_model("no such preset", None)


def test_after_a_crash_a_bundled_model_is_found_by_its_name() -> None:
    assert _if_there(next(iter(bundled_generators()))) is not None
    assert _if_there("/no/such/model.pkl") is None


def test_a_preset_keeps_its_model_and_old_ones_name_none(tmp_path: Path) -> None:
    preset = Preset("Mine", "", None, Values().saved(), model="silk")
    write_preset(preset, tmp_path / "mine.toml")
    assert read_preset(tmp_path / "mine.toml").model == "silk"
    write_preset(replace(preset, model=""), tmp_path / "old.toml")
    assert "model" not in (tmp_path / "old.toml").read_text()
    assert read_preset(tmp_path / "old.toml").model == ""
    (tmp_path / "bad.toml").write_text('schema = 1\nname = "Bad"\nmodel = 3\n')
    with pytest.raises(PresetError, match=r"bad\.toml.*3.*name of a model"):
        read_preset(tmp_path / "bad.toml")


def test_every_shipped_preset_names_a_bundled_model() -> None:
    presets = PresetLibrary(shipped("presets"), None).all()
    assert {preset.model for preset in presets} <= set(bundled_generators())


def test_next_and_previous_walk_round_the_bank_from_the_first(stage: Stage) -> None:
    for name in ("model.next", "model.next", "model.next", "model.previous"):
        stage.do(name)
        stage.finish()
    assert stage.engine.asked == ["bloom", "/a/mine.pkl", "silk", "/a/mine.pkl"]


def test_a_preset_brings_its_model_if_the_bank_has_it_and_another_is_shown(stage: Stage) -> None:
    for name in ("One", "Any", "Lost"):
        stage.do("preset.load", name)
    assert stage.engine.asked == []
    stage.do("preset.load", "Two")
    stage.finish()
    stage.do("preset.load", "Two")
    assert stage.engine.asked == ["bloom"]
    stage.do("undo")
    stage.do("undo")
    assert stage.engine.asked == ["bloom", "silk"] or stage.engine.asked == ["bloom", None]


def test_a_model_asked_for_while_another_loads_comes_after_it_and_only_the_last(stage: Stage) -> None:
    stage.do("model.next")
    stage.do("model.next")
    stage.do("preset.load", "One")
    assert stage.engine.asked == ["bloom"]
    stage.finish()
    assert stage.engine.asked == ["bloom", "silk"]
    stage.finish()
    assert stage.engine.asked == ["bloom", "silk"]


def test_a_saved_preset_names_the_model_that_is_shown(stage: Stage) -> None:
    assert stage.control.looks.as_preset("New").model == "silk"
    stage.do("model.next")
    stage.finish()
    assert stage.control.looks.as_preset("New").model == "bloom"


def test_a_model_opened_by_hand_joins_the_bank_unless_it_is_refused(stage: Stage) -> None:
    stage.show.open_model("/stick/good.pkl")
    stage.step()
    stage.finish()
    assert list(stage.show.models)[-1] == "good"
    stage.show.open_model("/stick/bad.pkl")
    stage.step()
    asked = list(stage.engine.asked)
    stage.engine.told.append(ModelRefused("/stick/bad.pkl", "bad.pkl is no model"))
    stage.step()
    assert "bad" not in stage.show.models
    assert stage.engine.asked == asked, "no other model comes in its place"
    assert stage.show.notices.badge(stage.now) == "bad.pkl is no model"


def test_models_and_presets_follow_each_other_by_the_transition_that_was_chosen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []
    monkeypatch.setattr(stage.show.output, "begin_transition", begun.append)
    with joined(Slots(ShaderLibrary([shipped("shaders") / "isf"]))):
        values = stage.control.values
        values.update({"show.swap_fade": 3.0, "show.morph": 2.0})
        stage.step()
        for chosen, fade, seconds in (("dissolve", 3.0, []), ("melt", 0.3, [3.0])):
            values.set("show.transition", chosen)
            begun.clear()
            stage.do("model.next")
            assert begun == []
            assert stage.engine.fades[-1] == pytest.approx(fade)
            stage.finish()
            assert begun == seconds
            begun.clear()
            stage.control.looks.recall(
                Preset("Plain", "", None, Values({"mapper.y": 1.0}).saved(), {}), stage.now
            )
            stage.step()
            assert begun == ([2.0] if seconds else [])


def test_in_safe_mode_the_bundled_model_is_named_whatever_the_bank_holds(stage: Stage) -> None:
    stage.show.bank.names.clear()
    supervisor = stage.show.supervisor
    supervisor.settings = supervisor.settings.safe()
    assert stage.show.model_name == next(iter(bundled_generators()))
