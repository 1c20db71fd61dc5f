"""The state of a show survives crashes, full disks and damage."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavlive.control.looks.state import ShowState, StateKeeper, backup_of, read_state, read_state_file
from lavlive.parameters import Values

FULL = ShowState(
    values={"mapper.y": 2.5, "projection.kind": "identity", "projection.seed": 12, "projection.hold": True},
    preset="House",
    source={"kind": "track", "name": "a.wav", "aloud": True, "loop": False},
    model="/models/one.safetensors",
    snapshots={3: {"mapper.y": 1.25}},
)


def write(path: Path, *states: ShowState) -> None:
    keeper = StateKeeper(path)
    for index, state in enumerate(states):
        keeper.step(state, index * 2.0)
    keeper.close()


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "state.json", FULL)
    assert read_state(tmp_path / "state.json") == FULL


def test_a_last_word_says_that_the_performer_ended_the_show(tmp_path: Path) -> None:
    keeper = StateKeeper(tmp_path / "state.json")
    keeper.step(FULL, 0.0)
    keeper.close(ShowState(clean=True))
    assert read_state(tmp_path / "state.json") == ShowState(clean=True)


def test_no_more_than_one_write_a_second(tmp_path: Path) -> None:
    keeper = StateKeeper(tmp_path / "state.json")
    keeper.step(ShowState(preset="first"), 10.0)
    keeper.step(ShowState(preset="second"), 10.9)
    keeper.close()
    assert read_state(tmp_path / "state.json").preset == "first"


@given(cut=st.integers(0, 400), noise=st.binary(max_size=40))
def test_a_damaged_file_gives_the_one_before_and_two_damaged_ones_give_none(cut: int, noise: bytes) -> None:
    whole = FULL.to_json().encode()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.json"
        path.write_bytes(whole[: min(cut, len(whole) - 1)] + b"\0" + noise)
        backup_of(path).write_bytes(whole)
        assert read_state(path) == FULL
        backup_of(path).write_bytes(path.read_bytes())
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
    path.write_text(json.dumps(content))
    state = read_state(path)
    assert state is not None
    assert set(state.values) == {"mapper.y", "projection.kind", "projection.seed", "projection.hold"}
    assert state.values["mapper.y"] == 4.0
    assert state.snapshots == FULL.snapshots
    Values(state.values)


@pytest.mark.parametrize("text", ["", "[]", "3", '{"schema": 2}', "[" * 5000, '{"schema": 1, "values": 3}'])
def test_files_that_are_no_state_are_no_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    assert read_state(path) in (None, ShowState())


def test_a_full_disk_is_a_problem_to_show_and_not_an_error(tmp_path: Path) -> None:
    path = tmp_path / "folder-that-is-a-file" / "state.json"
    path.parent.write_text("")
    keeper = StateKeeper(path)
    keeper.close(FULL)
    assert keeper.problem is not None
