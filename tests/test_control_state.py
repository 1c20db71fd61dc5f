"""The state of a show survives crashes, full disks and damage."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavlive.audio.spec import SourceSpec
from lavlive.control.beat.modulation import BeatModulation, Shape
from lavlive.control.looks.own_state import own_state_file
from lavlive.control.looks.presets import read_preset
from lavlive.control.looks.state import ShowState, StateKeeper, backup_of, read_state, read_state_file
from lavlive.control.midi.binding_files import read_bindings
from lavlive.parameters import Values
from tests.support.waiting import wait_until

BEFORE = Path(__file__).parent / "fixtures" / "written_before"
"""A state, a preset and bindings as lavlive wrote them before these files were checked field by field."""

FULL = ShowState(
    values={"mapper.y": 2.5, "projection.kind": "identity", "projection.seed": 12, "projection.hold": True},
    preset="House",
    source=SourceSpec("track", "a.wav", aloud=True, loop=False),
    model="/models/one.safetensors",
    snapshots={3: {"mapper.y": 1.25}},
)


def write(path: Path, *states: ShowState) -> None:
    keeper = StateKeeper(path)
    for index, state in enumerate(states):
        keeper.step(partial(replace, state), index * 2.0)
    keeper.close()


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "state.json", FULL)
    assert read_state(tmp_path / "state.json") == FULL


def test_a_last_word_says_that_the_performer_ended_the_show(tmp_path: Path) -> None:
    keeper = StateKeeper(tmp_path / "state.json")
    keeper.step(lambda: FULL, 0.0)
    keeper.close(ShowState(clean=True))
    assert read_state(tmp_path / "state.json") == ShowState(clean=True)


def test_no_more_than_one_write_a_second(tmp_path: Path) -> None:
    keeper = StateKeeper(tmp_path / "state.json")
    keeper.step(lambda: ShowState(preset="first"), 10.0)
    keeper.step(lambda: pytest.fail("asked for in vain"), 10.9)
    keeper.close()
    assert read_state(tmp_path / "state.json").preset == "first"


def test_a_state_that_cannot_be_written_is_told_and_the_next_one_is_kept(tmp_path: Path) -> None:
    keeper = StateKeeper(tmp_path / "state.json")
    keeper.step(lambda: ShowState(values={"mapper.y": object()}), 0.0)  # type: ignore[dict-item]
    wait_until(lambda: keeper.problem)
    assert "cannot be written" in str(keeper.problem)
    keeper.step(lambda: FULL, 2.0)
    wait_until(lambda: keeper.problem is None)
    keeper.close()
    assert read_state(tmp_path / "state.json") == FULL


@given(cut=st.integers(0, 400), noise=st.binary(max_size=40))
def test_a_damaged_file_gives_the_one_before_and_two_damaged_ones_are_told(cut: int, noise: bytes) -> None:
    whole = FULL.to_json().encode()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.json"
        path.write_bytes(whole[: min(cut, len(whole) - 1)] + b"\0" + noise)
        backup_of(path).write_bytes(whole)
        assert read_state(path) == FULL
        backup_of(path).write_bytes(path.read_bytes())
        fresh = read_state(path)
        assert fresh == ShowState(clean=True, problems=fresh.problems)
        for file, told in zip((path, backup_of(path)), fresh.problems, strict=True):
            assert told.startswith(f"{file}, line ")
        path.unlink()
        backup_of(path).unlink()
        assert read_state(path) is None


def test_the_state_before_is_kept_beside_and_never_overwritten_by_damage(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write(path, ShowState(preset="one"))
    write(path, ShowState(preset="two"))
    assert read_state_file(backup_of(path)) == ShowState(preset="one")
    path.write_text("garbage")
    write(path, ShowState(preset="three"))
    assert read_state_file(backup_of(path)) == ShowState(preset="one")
    assert read_state(path) == ShowState(preset="three")


def test_what_no_longer_fits_is_left_out_and_a_show_never_comes_back_black(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    content = json.loads(FULL.to_json())
    content["values"] |= {"mapper.y": 99, "gone.parameter": 1, "show.blackout": True, "show.freeze": True}
    content["values"]["mapper.c"] = float("nan")
    content["snapshots"] |= {"9": {}, "x": {}, "12": {}}
    path.write_text(json.dumps(content, indent=1))
    state = read_state(path)
    assert state is not None
    assert set(state.values) == {"mapper.y", "projection.kind", "projection.seed", "projection.hold"}
    assert state.values["mapper.y"] == 4.0
    assert state.snapshots == FULL.snapshots
    Values(state.values)
    lines = path.read_text().splitlines()
    told = {}
    for problem in state.problems:
        where, _, reason = problem.partition(": ")
        told[lines[int(where.rpartition(" ")[2]) - 1].strip().split(":")[0].strip('"')] = reason
    assert set(told) == {"mapper.y", "gone.parameter", "mapper.c", "9", "x", "12"}
    assert "held at 4" in told["mapper.y"]
    assert "gone.parameter" in told["gone.parameter"]


def test_a_dimmed_show_comes_back_dimmed_and_one_at_black_comes_back_seen(tmp_path: Path) -> None:
    for master, restored in ((0.6, {"show.master": 0.6}), (0.0, {})):
        write(tmp_path / "state.json", ShowState(values={"show.master": master}))
        state = read_state(tmp_path / "state.json")
        assert state is not None
        assert state.values == restored


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("source", {"kind": "radio"}, "source.kind"),
        ("source", {"kind": "track"}, "source"),
        ("model", 3, "model"),
        ("encoder", "", "encoder"),
        ("clean", "yes", "clean"),
        ("preset", ["House"], "preset"),
        ("values", 3, "values"),
        ("colour", "red", "colour"),
    ],
)
def test_a_field_that_does_not_fit_is_told_with_file_line_and_name_and_the_rest_is_used(
    tmp_path: Path, field: str, value: object, kept: str
) -> None:
    path = tmp_path / "state.json"
    content = json.loads(FULL.to_json()) | {field: value}
    path.write_text(json.dumps(content, indent=1))
    state = read_state(path)
    assert state is not None
    assert state.snapshots == FULL.snapshots
    [problem] = state.problems
    number = int(problem.removeprefix(f"{path}, line ").partition(":")[0])
    assert f'"{kept.rpartition(".")[2]}"' in path.read_text().splitlines()[number - 1]
    assert field in problem.partition(": ")[2]


def test_a_damaged_file_is_named_with_its_line_when_the_one_before_is_used(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(FULL.to_json()[:60])
    backup_of(path).write_text(FULL.to_json())
    state = read_state(path)
    assert state == FULL
    assert state is not None
    [problem] = state.problems
    last_line = path.read_text().count("\n") + 1
    assert problem.startswith(f"{path}, line {last_line}: ")


def test_what_the_version_before_wrote_is_read() -> None:
    state = read_state(BEFORE / "state.json")
    assert state is not None
    assert state.problems == ()
    assert state.source == SourceSpec("input", "USB Mixer", channels="3,4")
    assert (state.model, state.encoder, state.preset) == ("/models/mine.safetensors", "encodec", "Slow tide")
    assert state.values["smoothing.coarse"] == 3.25
    assert state.snapshots[3] == {"mapper.y": 1.25}
    assert len(state.snapshots[8]) > 15
    preset = read_preset(BEFORE / "preset.toml")
    assert preset.values["projection.seed"] == 77
    assert preset.beat["mapper.y"] == BeatModulation("mapper.y", Shape.SINE, 4.0, 0.2, 0.5, 3.0)
    bindings = read_bindings(BEFORE / "bindings.toml")
    assert [str(binding.target) for binding in bindings.bindings] == [
        "mapper.y",
        "mapper.c",
        "preset.load Slow tide",
        "projection.seed",
    ]


@pytest.mark.parametrize("text", ["", "[]", "3", '{"schema": 2}', "[" * 5000, '{"schema": 1, "values": 3}'])
def test_files_that_are_no_state_are_no_error_and_are_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    state = read_state(path)
    assert state is not None
    assert state.problems[0].startswith(f"{path}, line 1: ")
    assert replace(state, problems=(), clean=False) == ShowState()


def test_a_full_disk_is_a_problem_to_show_and_not_an_error(tmp_path: Path) -> None:
    path = tmp_path / "folder-that-is-a-file" / "state.json"
    path.parent.write_text("")
    keeper = StateKeeper(path)
    keeper.close(FULL)
    assert keeper.problem is not None


def test_each_of_several_shows_has_a_state_of_its_own_and_a_dead_ones_is_free(tmp_path: Path) -> None:
    with own_state_file(tmp_path) as first, own_state_file(tmp_path) as second:
        assert (first.name, second.name) == ("state.json", "state-2.json")
    with own_state_file(tmp_path) as again:
        assert again == first


def test_where_nothing_can_be_locked_there_is_a_state_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file")
    with own_state_file(tmp_path / "blocked") as path:
        assert path == tmp_path / "blocked" / "state.json"
