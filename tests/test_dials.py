"""Dials: found in closed form, ranked and scaled by what they do to pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lavlive.engine import dial_search
from lavlive.engine.dial_search import DialSearch
from lavlive.engine.picture_worker import Model
from lavlive.errors import CheckpointError
from lavlive.generator import dial_files, dial_pictures
from lavlive.generator import dials as dials_module
from lavlive.generator.checkpoint import LoadedGenerator, load_generator, save_generator
from lavlive.generator.dial_files import FoundDials, find_beside, keep_dials, read_names, write_names
from lavlive.generator.dial_pictures import DialPictures, RunnerPictures
from lavlive.generator.dials import LEAST_EFFECT, Dials, dials_of, find_dials, no_dials, sample_w
from lavlive.generator.network import Architecture, Generator, GeneratorConfig
from lavlive.generator.runner import plain_runner
from lavlive.generator.runners.base import picture
from lavlive.generator.runners.plan import Plan, make_plan
from lavlive.generator.runners.plans import plan_of
from lavlive.generator.wstats import WStatistics, measure_w
from lavlive.latent.instrument import Instrument
from lavlive.latent.limit import LARGEST_DEVIATION
from lavlive.latent.space import Space, layer_groups
from lavlive.light import lightness_on_grid
from lavlive.link.messages import DialsFound, DialsRefused, EngineEvent
from lavlive.parameters import Values
from lavlive.resources import bundled_generators
from tests.support.waiting import wait_until
from tests.test_picture_worker import Still

GROUPS = layer_groups(GeneratorConfig(64).layer_resolutions)


@pytest.fixture(scope="module")
def loaded() -> LoadedGenerator:
    """A small network whose W is wider along some directions than along others, as trained ones' are."""
    torch.manual_seed(1)
    config = GeneratorConfig(64, z_dim=32, w_dim=32, mapping_layers=3, channel_base=512, channel_max=16)
    return LoadedGenerator(Generator(config).freeze(), {}, "abc" * 20)


def small_network(
    architecture: Architecture, resolution: int
) -> tuple[Plan, np.ndarray, np.ndarray, np.ndarray]:
    """Its plan, eight w, its layer groups and three steps in W."""
    torch.manual_seed(4)
    config = GeneratorConfig(
        resolution, z_dim=8, w_dim=8, channel_base=1024, channel_max=8, architecture=architecture
    )
    generator = Generator(config).freeze()
    steps = np.random.default_rng(5).standard_normal((3, 8)).astype(np.float32)
    plan = make_plan(generator.synthesis)
    return plan, sample_w(generator, 8), layer_groups(config.layer_resolutions), steps


@pytest.fixture(scope="module")
def statistics(loaded: LoadedGenerator) -> WStatistics:
    return measure_w(loaded.generator, 2000)


@pytest.fixture(scope="module")
def found(loaded: LoadedGenerator, statistics: WStatistics) -> Dials:
    dials = find_dials(plan_of(loaded.generator), sample_w(loaded.generator, 16), statistics, GROUPS)
    assert dials is not None
    return dials


def change(loaded: LoadedGenerator, group: int, step: np.ndarray, count: int = 8) -> float:
    """Mean change of L* of pictures that no search has seen."""
    runner = plain_runner(plan_of(loaded.generator), 1)
    changes = []
    for index, w in enumerate(sample_w(loaded.generator, count, seed=77)):
        plain, moved = (np.repeat(w[None], len(GROUPS), axis=0) for _ in range(2))
        moved[group == GROUPS] += step * (-1) ** index
        pictures = np.zeros((2, 64, 64, 3), np.uint8)
        for w_plus, out in zip((plain, moved), pictures, strict=True):
            runner.picture_into(w_plus, 1.0, out)
        changes.append(np.abs(np.diff([lightness_on_grid(pixels) for pixels in pictures], axis=0)).mean())
    runner.close()
    return float(np.mean(changes))


def test_one_unit_of_any_dial_changes_pictures_equally(loaded: LoadedGenerator, found: Dials) -> None:
    assert sum(found.counts) >= 4  # enough to compare
    effects = [
        change(loaded, group, found.vectors[group, place])
        for group, count in enumerate(found.counts)
        for place in range(count)
    ]
    unit = found.effects.max()
    assert np.all(np.abs(np.array(effects) / unit - 1.0) < 0.25), np.round(np.array(effects) / unit, 2)


def test_of_a_large_network_less_is_tried_and_its_dials_are_equal_all_the_same(
    loaded: LoadedGenerator, statistics: WStatistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[tuple[int, int]] = []
    changes = DialPictures.changes

    def counted(self: DialPictures, index: int, group: int, steps: np.ndarray) -> np.ndarray:
        measured.append((index, len(steps)))
        return changes(self, index, group, steps)

    monkeypatch.setattr(DialPictures, "changes", counted)
    monkeypatch.setattr(dial_pictures, "_MOST_WORK", 1.0)
    found = find_dials(plan_of(loaded.generator), sample_w(loaded.generator, 32), statistics, GROUPS)
    assert found is not None
    assert sum(found.counts) >= 2
    assert max(count for _, count in measured) == 14, "ten candidates of a group and four random directions"
    for group, count in enumerate(found.counts):
        for place in range(count):
            now = change(loaded, group, found.vectors[group, place], 16)
            assert now == pytest.approx(found.effects.max(), rel=0.25)


def test_every_dial_does_at_least_twice_what_a_random_direction_does(found: Dials) -> None:
    for group, count in enumerate(found.counts):
        per_step = found.effects[group, :count] / found.steps[group, :count]
        assert np.all(per_step >= LEAST_EFFECT * found.random[group])
        assert np.all(np.diff(per_step) <= 0), "the strongest comes first"
        assert not found.vectors[group, count:].any()


def test_a_second_search_is_none(
    loaded: LoadedGenerator, statistics: WStatistics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(
        tmp_path / f"dials2-{loaded.hash[:32]}.npz",
        **{name: getattr(no_dials(32), name) for name in ("vectors", "effects", "steps", "random")},
    )
    monkeypatch.setattr(dials_module, "find_dials", lambda *_: pytest.fail("searched"))
    kept = dials_of(loaded, statistics, GROUPS, folder=tmp_path)
    assert kept is not None
    assert kept.counts == (0, 0, 0)


def test_a_search_that_nobody_wants_any_more_ends_and_leaves_nothing(
    loaded: LoadedGenerator, statistics: WStatistics, tmp_path: Path
) -> None:
    asked = iter([False] * 5 + [True] * 5)
    assert dials_of(loaded, statistics, GROUPS, lambda: next(asked), folder=tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert sum(1 for _ in asked) == 4


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
@pytest.mark.parametrize("group", [0, 1, 2])
def test_steps_together_change_pictures_as_they_do_one_by_one(architecture: Architecture, group: int) -> None:
    plan, sampled, groups, steps = small_network(architecture, 64)
    together = DialPictures(plan, sampled, groups)
    one_by_one = RunnerPictures(plan, sampled, groups, 1)
    assert not together.is_large
    expected = one_by_one.changes(1, group, steps)
    assert expected.min() > 0.1
    assert together.changes(1, group, steps) == pytest.approx(expected, abs=0.02)
    one_by_one.close()


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
@pytest.mark.parametrize("group", [0, 1, 2])
def test_windows_of_a_large_network_show_what_whole_pictures_show_there(
    architecture: Architecture, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, sampled, groups, steps = small_network(architecture, 256)
    seen: list[tuple[int, int, np.ndarray]] = []

    def look(window: dial_pictures._Window, whole: tuple[int, int]) -> np.ndarray:
        rows, columns = window.inner(whole)
        inner = pixels_of(window)[0, rows, columns]
        if whole == (256, 256):
            seen.append((window.top + rows.start, window.left + columns.start, inner))
        return lightness_of(window, whole)

    pixels_of, lightness_of = dial_pictures._pixels, dial_pictures._lightness_of
    monkeypatch.setattr(dial_pictures, "_lightness_of", look)
    monkeypatch.setattr(dial_pictures, "_MOST_WORK", 1.0)
    pictures = DialPictures(plan, sampled, groups)
    assert pictures.is_large
    pictures.changes(0, group, steps[:1])
    top, left, inner = seen[0]
    down, across = inner.shape[:2]
    assert 88 <= down <= 96 or (group == 2 and 40 <= down <= 48)
    assert len(seen) == 2
    runner = plain_runner(plan, 1)
    whole = picture(runner, np.repeat(sampled[:1], len(groups), axis=0))
    runner.close()
    part = whole[top : top + down, left : left + across].astype(int)
    assert np.abs(part - inner).max() <= 2
    assert part.std() > 1


def test_changes_of_parts_are_those_of_whole_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan, sampled, groups, steps = small_network("skip", 256)
    whole = DialPictures(plan, sampled, groups)
    expected = [np.mean([whole.changes(i, group, steps) for i in range(8)], axis=0) for group in range(3)]
    monkeypatch.setattr(dial_pictures, "_MOST_WORK", 1.0)
    cut = DialPictures(plan, sampled, groups)
    for group in range(3):
        found = np.mean([cut.changes(i, group, steps) for i in range(8)], axis=0)
        assert found.mean() == pytest.approx(expected[group].mean(), rel=0.25)


def numbers(**values: float) -> np.ndarray:
    return Values({name.replace("_", "."): value for name, value in values.items()}).numbers


SPACE = Space(np.full(8, 0.5, np.float32), np.full(8, 2.0, np.float32), np.array([0, 0, 1, 2]))


def test_dials_at_nought_are_bit_for_bit_no_dials() -> None:
    instrument = Instrument()
    instrument.dials = np.ones((3, 8, 8), np.float32)
    deviation = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    still = instrument.w_plus(deviation, numbers(generator_truncation=0.7), lambda _: SPACE)
    assert np.array_equal(still, SPACE.w_plus(deviation, 0.7))


def test_a_dial_moves_the_layers_of_its_group_before_truncation() -> None:
    instrument = Instrument()
    deviation = np.zeros((3, 8), np.float32)
    turned = numbers(dial_middle_2=1.5, generator_truncation=0.5)
    assert np.array_equal(instrument.w_plus(deviation, turned, lambda _: SPACE), SPACE.w_plus(deviation, 0.5))
    instrument.dials = np.zeros((3, 8, 8), np.float32)
    instrument.dials[1, 1] = np.arange(8) / 4
    w_plus = instrument.w_plus(deviation, turned, lambda _: SPACE)
    assert w_plus[2] == pytest.approx(0.5 + 0.5 * 1.5 * np.arange(8) / 4)
    assert np.all(w_plus[[0, 1, 3]] == 0.5)


def test_no_dial_drives_pictures_beyond_where_sound_may() -> None:
    instrument = Instrument()
    instrument.dials = np.full((3, 8, 8), 100.0, np.float32)
    w_plus = instrument.w_plus(np.zeros((3, 8)), numbers(dial_fine_1=3.0), lambda _: SPACE)
    assert 3.0 < np.sqrt(np.mean(((w_plus[3] - 0.5) / 2.0) ** 2)) < LARGEST_DEVIATION


@pytest.fixture
def file(loaded: LoadedGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAVLIVE_TEMPORARY_CACHE", str(tmp_path))
    path = tmp_path / "mine.safetensors"
    save_generator(path, loaded.generator, {})
    return path


def test_dials_and_their_names_lie_beside_the_model(file: Path, found: Dials) -> None:
    model = load_generator(file)
    keep_dials(file, model.hash, found)
    write_names(file, model.hash, {"coarse.1": "opening", "fine.2": "grain"})
    beside = find_beside(file, model, GROUPS, lambda: pytest.fail("searched"))
    assert beside is not None
    assert np.array_equal(beside.dials.vectors, found.vectors)
    assert beside.names == {"coarse.1": "opening", "fine.2": "grain"}
    assert beside.notes == ()


def test_what_belongs_to_another_model_is_left_out_with_a_line(file: Path, found: Dials) -> None:
    model = load_generator(file)
    keep_dials(file, "another" * 9, found)
    write_names(file, "another" * 9, {"coarse.1": "opening"})
    np.savez(
        file.with_name(f"dials2-{model.hash[:32]}.npz"),
        **{name: getattr(found, name) for name in ("vectors", "effects", "steps", "random")},
    )
    beside = find_beside(file, model, GROUPS, lambda: pytest.fail("searched"))
    assert beside is not None
    assert beside.names == {}
    names, dials = beside.notes
    assert "mine.dials.toml names the dials of another model" in names
    assert "mine.dials.npz holds the dials of another model" in dials


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"names = 3\n[", b"PK\x03\x04 cut short"])
def test_a_damaged_file_beside_a_model_is_told_in_a_line(file: Path, content: bytes) -> None:
    model = load_generator(file)
    file.with_suffix(".dials.npz").write_bytes(content)
    file.with_suffix(".dials.toml").write_bytes(content)
    beside = find_beside(file, model, GROUPS, lambda: True)
    assert beside is None
    with pytest.raises(CheckpointError, match=r"mine\.dials\.toml"):
        read_names(file, model.hash)


@pytest.mark.parametrize(
    ("dial", "name"), [("coarse.9", "x"), ("hair.1", "x"), ("fine.1", ""), ("fine.1", "\n")]
)
def test_a_dial_or_a_name_that_cannot_be_is_refused(file: Path, dial: str, name: str) -> None:
    with pytest.raises(CheckpointError):
        write_names(file, "abc", {dial: name})


def test_dials_that_ship_are_those_of_the_models_that_ship() -> None:
    for path in bundled_generators().values():
        if path.with_suffix(".dials.npz").exists():
            model = load_generator(path)
            groups = layer_groups(model.generator.layer_resolutions)
            beside = find_beside(path, model, groups, lambda: pytest.fail("searched"))
            assert beside is not None
            assert beside.notes == ()
            assert min(beside.dials.counts) > 0


def shown(find: object) -> Model:
    space = Space(np.zeros(512), np.ones(512), np.arange(3))
    return Model("still", Still(1), lambda _: space, find_dials=find)  # type: ignore[arg-type]


def test_the_engine_hands_a_model_its_dials_and_tells_the_stage() -> None:
    told: list[EngineEvent] = []
    search = DialSearch(told.append)
    dials = no_dials(512)
    dials.effects[0, :3] = 1.0
    model = shown(lambda stop: FoundDials(dials, {"coarse.1": "opening"}, ("a note",)))
    search.begin(model)
    wait_until(lambda: len(told) == 2)
    assert told == [DialsRefused("a note"), DialsFound("still", (3, 0, 0), {"coarse.1": "opening"})]
    assert model.instrument.dials is dials.vectors


def test_a_search_that_fails_is_told_and_leaves_the_show_alone() -> None:
    told: list[EngineEvent] = []
    search = DialSearch(told.append)

    def fail(stop: object) -> FoundDials:
        raise MemoryError("none left")

    search.begin(shown(fail))
    wait_until(lambda: told)
    assert isinstance(told[0], DialsRefused)
    assert "still has no dials: none left" in told[0].text


@pytest.mark.parametrize("end", ["close", "swap"])
def test_a_search_ends_when_the_show_ends_or_another_model_comes(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial_search, "CALM_SECONDS", 0.01)
    searching, ended = threading.Event(), threading.Event()

    def find(stop: Callable[[], bool]) -> None:
        while not stop():  # as between two pictures
            searching.set()
        ended.set()

    told: list[EngineEvent] = []
    search = DialSearch(told.append)
    search.begin(shown(find))
    assert searching.wait(10)
    if end == "close":
        search.stop()
    else:
        search.begin(shown(None))
    assert ended.wait(10)
    assert told == []


def test_no_search_begins_once_the_show_ends() -> None:
    search = DialSearch(lambda event: None)
    search.stop()
    search.begin(shown(lambda stop: pytest.fail("searched")))  # by a model's loader, which came late
    assert "dials" not in {thread.name for thread in threading.enumerate()}


def test_of_a_slow_model_dials_are_taken_that_were_found_before_and_nothing_is_opened(
    file: Path, found: Dials, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_generator(file)
    monkeypatch.setattr(dial_files, "dials_of", lambda *_: pytest.fail("searched"))
    monkeypatch.setattr(dial_files, "remembered_dials", lambda loaded: None)
    assert find_beside(file, model, GROUPS, search=False) is None
    monkeypatch.setattr(dial_files, "remembered_dials", lambda loaded: found)
    beside = find_beside(file, model, GROUPS, search=False)
    assert beside is not None
    assert beside.dials is found


def test_the_sheet_shows_every_dial(
    file: Path, found: Dials, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lavlive.commands.main import main

    keep_dials(file, load_generator(file).hash, found)
    sheet = tmp_path / "sheet.jpg"
    assert main(["model", "directions", str(file), "-o", str(sheet), "--name", "dial.middle.1=opening"]) == 0
    printed = capsys.readouterr().out
    assert f"{found.counts[0]} coarse, {found.counts[1]} middle, {found.counts[2]} fine" in printed
    assert "dial.middle.1  opening" in printed
    import av

    with av.open(str(sheet)) as opened:
        (frame,) = opened.decode(video=0)
        assert frame.width > 1000
    for bad in (["-o", "sheet.txt"], ["--name", "coarse.1"]):
        assert main(["model", "directions", str(file), *bad]) == 2
