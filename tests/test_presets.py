"""Presets: read strictly, saved safely, and morphed so that every state between is a look."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.control.looks.morph import Morph, between
from lavlive.control.looks.presets import Preset, defaults, file_stem, read_preset, write_preset
from lavlive.control.looks.toml_files import flatten
from lavlive.errors import PresetError
from lavlive.files import write_whole
from lavlive.parameters import TABLE, Parameter, ParameterKind, Value, Values, find
from lavlive.resources import shipped

SAVED = [parameter for parameter in TABLE if parameter.saved]
GLIDING = [parameter for parameter in SAVED if parameter.kind is ParameterKind.CONTINUOUS]


def random_value(parameter: Parameter, chance: random.Random) -> Value:
    return parameter.from_unit(chance.choice([0.0, 1.0, chance.random(), chance.random()]))


def random_look(chance: random.Random) -> dict[str, Value]:
    return {parameter.name: random_value(parameter, chance) for parameter in SAVED}


def library(tmp_path: Path) -> PresetLibrary:
    return PresetLibrary(shipped("presets"), tmp_path / "user")


def test_a_dozen_presets_ship_each_with_a_line_for_the_performer_and_the_keys_all_taken() -> None:
    presets = library(Path("/nowhere"))
    assert presets.refused == {}
    assert len(presets) >= 12
    assert all(20 <= len(preset.description) <= 90 for preset in presets.all())
    on_keys = [presets.on_key(digit) for digit in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)]
    assert [preset.name for preset in on_keys if preset] == presets.names()[:10]


def test_shipped_presets_are_truly_different() -> None:
    looks = library(Path("/nowhere")).all()
    seeds = [look.values["projection.seed"] for look in looks]
    assert len(set(seeds)) == len(seeds)
    assert sum(bool(look.beat) for look in looks) >= 4
    for one, other in combinations(looks, 2):
        apart = [abs(p.to_unit(one.values[p.name]) - p.to_unit(other.values[p.name])) for p in GLIDING]
        assert sum(step > 0.05 for step in apart) >= 4, (one.name, other.name)


def test_two_hundred_random_morphs_stay_valid_and_move_each_parameter_one_way() -> None:
    chance = random.Random(5)
    for _ in range(200):
        start, end = random_look(chance), random_look(chance)
        begin, seconds = chance.uniform(0, 1e5), chance.choice([0.0, 0.1, 2.0, 60.0])
        morph = Morph(start, end, begin, seconds)
        times = sorted([begin, begin + seconds, *(begin + seconds * chance.random() for _ in range(12))])
        states = [morph.at(now) for now in times]
        assert states[-1] == end
        assert morph.over(begin + seconds)
        if seconds:
            assert states[0] == start
        for name in end:
            parameter = find(name)
            numbers = [parameter.number(parameter.check(state[name])) for state in states]
            if parameter.kind is ParameterKind.CONTINUOUS:
                direction = np.sign(parameter.number(end[name]) - parameter.number(start[name]))
                assert all(direction * (after - before) >= 0 for before, after in pairwise(numbers)), name
            else:
                assert set(numbers) <= {parameter.number(start[name]), parameter.number(end[name])}
                assert sum(before != after for before, after in pairwise(numbers)) <= 1


@given(st.floats(0, 1), st.integers(0, 2**32))
def test_choices_and_switches_flip_at_the_half(share: float, seed: int) -> None:
    chance = random.Random(seed)
    start, end = random_look(chance), random_look(chance)
    state = between(start, end, share)
    for parameter in SAVED:
        if parameter.kind is not ParameterKind.CONTINUOUS:
            assert state[parameter.name] == (start if share < 0.5 else end)[parameter.name]


def test_what_is_saved_is_read_back_exactly(tmp_path: Path) -> None:
    chance = random.Random(1)
    for number in range(50):
        preset = Preset(f"Look {number}", 'a "quoted" line', number % 10, random_look(chance))
        write_preset(preset, tmp_path / "p.toml")
        assert read_preset(tmp_path / "p.toml") == preset


def test_a_preset_leaves_what_it_does_not_name_at_the_default(tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    path.write_text('schema = 1\nname = "Plain"\n[values]\nmapper.y = 2\n')
    assert read_preset(path).values == defaults() | {"mapper.y": 2.0}


HEAD = 'schema = 1\nname = "Broken"\n'
VALUES = HEAD + "[values]\n"
BEAT = HEAD + '[beat."mapper.y"]\n'
BROKEN: list[tuple[str, int, str]] = [
    ("", 1, "schema"),
    ("schema = 1", 1, "name"),
    ("schema = 1\nname = ", 2, "[Ii]nvalid"),
    ("schema = 1\nname = 'x", 2, ""),
    ("schema = 1\nschema = 1", 2, "[Cc]annot overwrite"),
    ("schema = 2\nname = 'x'", 1, "newer"),
    ("schema = 999999999999\nname = 'x'", 1, "newer"),
    ("schema = '1'\nname = 'x'", 1, "schema"),
    ("schema = true\nname = 'x'", 1, "schema"),
    ("schema = 0\nname = 'x'", 1, "schema"),
    ("schema = 1.0\nname = 'x'", 1, "schema"),
    ("schema = 1\nname = 3", 2, "name"),
    ("schema = 1\nname = ''", 2, "name"),
    ("schema = 1\nname = '../../etc/passwd'", 2, "dot"),
    ("schema = 1\nname = 'a/b'", 2, "none of"),
    ("schema = 1\nname = 'a\\b'", 2, "none of"),
    (f"schema = 1\nname = '{'x' * 65}'", 2, "64 letters"),
    (HEAD + "description = 3", 3, "one line"),
    (HEAD + 'description = "a\\nb"', 3, "one line"),
    (HEAD + "key = 10", 3, "0 to 9"),
    (HEAD + "key = -1", 3, "0 to 9"),
    (HEAD + "key = true", 3, "0 to 9"),
    (HEAD + "author = 'me'", 3, "author"),
    (HEAD + "values = 3", 3, "table"),
    (HEAD + "[value]\nmapper.y = 1", 3, "value"),
    (VALUES + "[values.mapper]\nc = 0.1\ny = true", 6, "0 to 4"),
    (VALUES + "mapper = {y = '9'}", 4, "quotes"),
    (VALUES + "mapper.y = nan", 4, "nan"),
    (VALUES + "mapper.y = inf", 4, "inf"),
    (VALUES + "mapper.y = '1'", 4, "quotes"),
    (VALUES + "mapper.y = true", 4, "True"),
    (VALUES + "mapper.y = [1]", 4, "0 to 4"),
    (VALUES + "mapper.y = 1979-05-27", 4, "0 to 4"),
    (VALUES + "maper.y = 1", 4, "mapper.y"),
    (VALUES + "mapper.y.z = 1", 4, "no parameter"),
    (VALUES + "mapper = 1", 4, "no parameter"),
    (VALUES + "projection.seed = 1.5", 4, "whole"),
    (VALUES + "projection.kind = 'cubic'", 4, "one of"),
    (VALUES + "projection.kind = 1", 4, "one of"),
    (VALUES + "projection.hold = 2", 4, "on or off"),
    (VALUES + "show.blackout = true", 4, "belongs to the show"),
    (BEAT + "shape = 'saw'", 4, "one of sine"),
    (BEAT + "beats = 3", 4, "one of 0.5"),
    (BEAT + "depth = 2", 4, "-1 to 1"),
    (BEAT + "depth = nan", 4, "-1 to 1"),
    (BEAT + "speed = 2", 4, "speed"),
    (BEAT + "low = 3\nhigh = 2", 5, "below"),
    (HEAD + '[beat."projection.seed"]\ndepth = 1', 3, "continuous"),
    (HEAD + '[beat."show.morph"]\ndepth = 1', 3, "belongs to the show"),
    (HEAD + "[beat]\nmapper = 3", 4, "no parameter"),
    (HEAD + "x = " + "[" * 2000, 1, ""),
    (HEAD + "[values]\n" + ".".join("a" * 3000) + " = 1", 4, "no parameter"),
    ("#" * 270_000, 1, "KiB"),
]


@pytest.mark.parametrize(("text", "line", "reason"), BROKEN)
def test_a_broken_preset_is_refused_with_file_line_and_reason(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(text)
    with pytest.raises(PresetError, match=rf"broken\.toml, line {line}: .*{reason}") as refusal:
        read_preset(path)
    assert len(str(refusal.value)) < 60_000


def test_a_number_out_of_range_is_held_at_the_nearest_end_and_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "wild.toml"
    path.write_text(
        VALUES
        + f"mapper.y = 5\nmapper.c = -0.1\nprojection.seed = {10**30}\n"
        + "[beat.'mapper.y']\nhigh = 9\nlow = 1"
    )
    preset = read_preset(path)
    names = ("mapper.y", "mapper.c", "projection.seed")
    assert [preset.values[name] for name in names] == [4.0, 0.0, 9999]
    assert (preset.beat["mapper.y"].low, preset.beat["mapper.y"].high) == (1.0, 4.0)
    assert sorted(preset.held) == [
        f"{path}, line 4: mapper.y takes 0 to 4 W_std; 5 is held at 4.",
        f"{path}, line 5: mapper.c takes 0 to 1; -0.1 is held at 0.",
        f"{path}, line 6: projection.seed takes 0 to 9999; {10**30} is held at 9999.",
        f"{path}, line 8: mapper.y takes 0 to 4 W_std; 9 is held at 4.",
    ]


def test_hidden_files_are_no_presets(tmp_path: Path) -> None:
    (tmp_path / "._house.toml").write_bytes(b"\0\5\x16\7")
    assert PresetLibrary(None, tmp_path).refused == {}


def test_broken_bytes_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"schema = 1\nname = '\xff\xfe'")
    with pytest.raises(PresetError, match="line 2: not UTF-8"):
        read_preset(path)
    with pytest.raises(PresetError, match="cannot be read"):
        read_preset(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_in_the_place_of_a_preset_is_refused_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    presets = PresetLibrary(None, tmp_path)
    assert "it is not a file" in str(presets.refused[tmp_path / "pipe.toml"])


def test_broken_presets_leave_the_good_ones_and_the_look_alone(tmp_path: Path) -> None:
    folder = tmp_path / "user"
    folder.mkdir()
    presets = library(tmp_path)
    looks = Looks(Values(), presets)
    looks.recall(presets.find("House"), 0.0, seconds=0.0)
    before, names = looks.values.numbers.copy(), presets.names()
    for number, (text, _, _) in enumerate(BROKEN):
        (folder / f"{number}.toml").write_text(text)
    assert not looks.refresh(presets.poll(1.0), 1.0)
    assert len(presets.refused) == len(BROKEN) >= 48
    assert presets.names() == names
    np.testing.assert_array_equal(looks.values.numbers, before)


def test_a_preset_that_breaks_on_disk_stays_what_it_was_and_follows_its_file_once_repaired(
    tmp_path: Path,
) -> None:
    presets = library(tmp_path)
    looks = Looks(Values(), presets)
    looks.values.set("mapper.y", 1.5)
    path = looks.save("Mine").path
    assert path is not None
    good = path.read_text()
    path.write_text(good.replace("y = 1.5", "y = true"))
    assert not looks.refresh(presets.poll(1.0), 1.0)
    assert presets.find("mine").values["mapper.y"] == 1.5
    assert path in presets.refused
    path.write_text(good.replace("y = 1.5", "y = 2.25"))
    assert presets.poll(1.5) == []
    assert looks.refresh(presets.poll(2.0), 2.0)
    assert looks.values["mapper.y"] == 2.25
    assert presets.refused == {}


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "a\\b", "..", ".hidden", "c:x", "a\0b", "a\nb", "", " ", "x" * 65, "trailing.", "a*"],
)
def test_no_name_reaches_outside_the_folder(tmp_path: Path, name: str) -> None:
    presets = library(tmp_path)
    looks = Looks(Values(), presets)
    with pytest.raises(PresetError):
        looks.save(name)
    with pytest.raises(PresetError):
        presets.rename("House", name)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@given(st.text(max_size=70))
def test_every_name_is_refused_or_becomes_one_plain_file(name: str) -> None:
    try:
        stem = file_stem(name)
    except PresetError:
        return
    path = Path("/presets") / f"{stem}.toml"
    assert path.parent == Path("/presets")
    assert os.path.normpath(path) == str(path)
    assert stem.lower() not in ("con", "nul", "com1")


def test_saving_renaming_and_taking_a_shipped_ones_place(tmp_path: Path) -> None:
    presets = library(tmp_path)
    looks = Looks(Values({"mapper.y": 3.0}), presets)
    looks.save("House", "mine", key=7)
    assert presets.find("house").values["mapper.y"] == 3.0
    assert presets.on_key(7).description == "mine"
    looks.rename("House", "Garage")
    assert looks.preset == "Garage"
    assert presets.find("House").description != "mine"
    assert presets.find("garage").values["mapper.y"] == 3.0
    with pytest.raises(PresetError, match="already"):
        presets.rename("Garage", "HOUSE")
    with pytest.raises(PresetError, match="There is no preset 'Hous'; there are Slow tide"):
        presets.find("Hous")
    assert sorted(path.name for path in (tmp_path / "user").iterdir()) == ["garage.toml"]


def test_a_crash_while_saving_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "look.toml"
    write_whole(path, b"old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["look.toml"]


def test_hands_win_over_a_morph_and_undo_takes_the_whole_preset_back(tmp_path: Path) -> None:
    presets = library(tmp_path)
    looks = Looks(Values(), presets)
    start = dict(looks.values)
    looks.recall(presets.find("Storm"), 10.0, seconds=2.0)
    looks.step(11.0)
    assert 1.0 < looks.values.number("mapper.y") < 3.6
    assert looks.morphing
    looks.by_hand("mapper.y", 0.5)
    looks.step(12.5)
    assert looks.values["mapper.y"] == 0.5
    assert looks.values["generator.noise"] == 2.0
    assert not looks.morphing
    assert looks.undo()
    assert looks.values["mapper.y"] == presets.find("Storm").values["mapper.y"]
    assert looks.undo()
    assert dict(looks.values) == start
    assert looks.preset == ""
    assert looks.redo()
    assert looks.preset == "Storm"
    assert looks.values["mapper.y"] == presets.find("Storm").values["mapper.y"]


def test_the_fader_goes_from_one_preset_to_the_other_and_back(tmp_path: Path) -> None:
    presets = library(tmp_path)
    looks = Looks(Values(), presets)
    looks.by_hand("show.fader", 0.5)
    assert looks.values["mapper.y"] == find("mapper.y").default
    ends = presets.find("Glass"), presets.find("Acid")
    for end, preset in enumerate(ends):
        looks.choose_fader_end(end, preset)
    assert looks.fader_ends == ("Glass", "Acid")
    for position, preset in ((1.0, ends[1]), (0.0, ends[0])):
        looks.by_hand("show.fader", position)
        assert looks.values.saved() == preset.values
        assert looks.preset == preset.name
    looks.by_hand("show.fader", 0.5)
    assert looks.values["mapper.y"] == pytest.approx((0.35 + 1.4) / 2)


def test_snapshots_come_back_at_once(tmp_path: Path) -> None:
    looks = Looks(Values({"mapper.y": 2.0}), library(tmp_path))
    looks.store(3)
    looks.by_hand("mapper.y", 0.1)
    assert not looks.go_back_to(4)
    assert looks.go_back_to(3)
    assert looks.values["mapper.y"] == 2.0


def test_a_reroll_always_takes_another_projection(tmp_path: Path) -> None:
    looks = Looks(Values(), library(tmp_path), random.Random(2))
    seeds = [looks.values["projection.seed"]]
    for _ in range(200):
        looks.reroll()
        seeds.append(looks.values["projection.seed"])
    assert all(before != after for before, after in pairwise(seeds))
    assert len(set(seeds)) > 150


def test_deep_tables_flatten_without_recursion() -> None:
    table: dict[str, object] = {"leaf": 1}
    for _ in range(5000):
        table = {"a": table}
    assert list(flatten(table).values()) == [1]


def test_a_number_key_is_given_to_one_preset_and_taken_from_another(tmp_path: Path) -> None:
    library = PresetLibrary(None, tmp_path)
    library.save(Preset("One", key=3, values=defaults()))
    library.save(Preset("Two", values=defaults()))
    library.set_key("Two", 3)
    found = library.on_key(3)
    assert found is not None
    assert found.name == "Two"
    assert library.find("One").key is None
    library.set_key("Two", None)
    assert PresetLibrary(None, tmp_path).find("Two").key is None


def test_presets_are_put_in_order_and_stay_so(tmp_path: Path) -> None:
    library = PresetLibrary(None, tmp_path)
    for name in ("A", "B", "C"):
        library.save(Preset(name, values=defaults()))
    library.move("C", -1)
    library.move("A", 99)
    assert library.names() == ["C", "B", "A"]
    again = PresetLibrary(None, tmp_path)
    again.save(Preset("New", values=defaults()))
    assert again.names() == ["C", "B", "A", "New"]
    following = again.neighbour("C", 1)
    assert following is not None
    assert following.name == "B"


def test_own_presets_are_deleted_and_shipped_ones_stay_or_come_back(tmp_path: Path) -> None:
    library = PresetLibrary(shipped("presets"), tmp_path)
    with pytest.raises(PresetError, match="ships with lavlive"):
        library.delete("Dub")
    theirs = library.find("Dub")
    library.save(replace(theirs, description="mine"))
    library.delete("Dub")
    assert library.find("Dub").description == theirs.description
    library.save(replace(theirs, name="Mine"))
    library.delete("Mine")
    assert "Mine" not in library.names()


def test_a_torn_order_is_no_order(tmp_path: Path) -> None:
    (tmp_path / "order.txt").write_bytes(b"\xff\xfe\0B")
    library = PresetLibrary(None, tmp_path)
    library.save(Preset("B", values=defaults()))
    library.save(Preset("A", values=defaults()))
    assert library.names() == ["A", "B"]
