"""The farm: groups that are drawn apart are the film that is drawn in sequence."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import av
import numpy as np
import pytest

from lavlive import __version__
from lavlive.commands.arguments import parse
from lavlive.commands.options import FarmOptions
from lavlive.errors import FarmError, LavliveError, ParameterError, RecordingError, UsageError
from lavlive.farm import drawing
from lavlive.farm.drawing import Drawer
from lavlive.farm.head import FarmReport, Head
from lavlive.farm.joining import Film, write_sound
from lavlive.farm.material import Group, Material, Part, Recipe, Spool, group_bounds
from lavlive.farm.pools import OwnPool
from lavlive.parameters import INDEX, Values, find
from lavlive.stage.canvas.slots import open_shaders
from lavlive.stage.recording.video import VideoWriter

RATE = Fraction(10)
SIZE = (64, 64)
NUMBERS = Values().numbers
NOISE = INDEX["generator.noise"]
COUNT = 60


def plain(value: float) -> Material:
    return Material(np.full((3, 4), value, np.float32), NUMBERS, {}, None)


# Groups


@pytest.mark.parametrize(("pictures", "workers"), [(1, 1), (40, 2), (1001, 4), (100_000, 16)])
def test_groups_cover_the_film_in_order_and_begin_with_key_pictures(pictures: int, workers: int) -> None:
    bounds = group_bounds(pictures, Fraction(30), workers)
    assert [first for first, _ in bounds] == [0, *(end for _, end in bounds[:-1])]
    assert bounds[-1][1] == pictures
    assert all(first % 120 == 0 and 0 < end - first <= 8 * 120 for first, end in bounds)


def test_a_group_holds_its_pre_roll_as_far_as_there_is_one() -> None:
    with Spool() as spool:
        for number in range(20):
            spool.append(plain(number))
        group = spool.group(1, 6, 9, before=4)
        assert [float(each.w[0, 0]) for each in group.pictures] == [2, 3, 4, 5, 6, 7, 8]
        assert (group.begin, group.first, group.end) == (2, 6, 9)
        assert float(group.opening.w[0, 0]) == 0
        assert spool.group(0, 0, 6, before=4).begin == 0


# The head


class Fading:
    """A canvas that remembers: each picture is its material and a share of the one before."""

    def __init__(self, memory: float) -> None:
        self.memory = memory
        self.value = 0.0

    def draw(self, value: float) -> np.ndarray:
        self.value = self.memory * self.value + value
        return np.array([[[round(self.value)]]], np.uint8)


def part_of(group: Group, memory: float) -> Part:
    canvas, before = Fading(memory), None
    shown = []
    for number, each in enumerate(group.pictures, group.begin):
        pixels = canvas.draw(float(each.w[0, 0]))
        shown.append(pixels)
        if number == group.first - 1:
            before = pixels
    pictures = bytes(int(each[0, 0, 0]) for each in shown[group.first - group.begin :])
    return Part(group.number, pictures, before if group.begin else None, shown[-1], ("a note",))


class Workers:
    """Workers that finish in no order, and some of which die."""

    def __init__(self, memory: float, deaths: dict[int, int] | None = None, workers: int = 3) -> None:
        self.workers = workers
        self._memory = memory
        self._deaths = deaths or {}
        self._waiting: deque[Group] = deque()
        self.prerolls: list[tuple[int, int]] = []

    def submit(self, group: Group) -> None:
        self._waiting.append(group)
        self.prerolls.append((group.number, group.first - group.begin))

    def next(self) -> Part | int:
        self._waiting.rotate(1)
        group = self._waiting.popleft()
        if self._deaths.get(group.number, 0) > 0:
            self._deaths[group.number] -= 1
            return group.number
        return part_of(group, self._memory)

    def close(self) -> None: ...


def bounds_of(pictures: int, length: int = 40) -> list[tuple[int, int]]:
    return [(first, min(first + length, pictures)) for first in range(0, pictures, length)]


def values_of(count: int) -> list[float]:
    return [float(value) for value in np.random.default_rng(2).integers(0, 9, count)]


def film_of(pool: Workers, values: list[float], preroll: float = 0.3) -> tuple[bytes, FarmReport]:
    parts: list[bytes] = []
    made = iter([plain(value) for value in values])
    head = Head(
        pool, made, bounds_of(len(values)), RATE, lambda part: parts.append(part.video), preroll=preroll
    )
    report = head.run()
    return b"".join(parts), report


def sequence_of(values: list[float], memory: float) -> bytes:
    canvas = Fading(memory)
    return bytes(int(canvas.draw(value)[0, 0, 0]) for value in values)


@pytest.mark.parametrize("deaths", [{}, {3: 1}, {0: 2, 5: 1}])
def test_the_film_is_the_one_drawn_in_sequence_whoever_dies(deaths: dict[int, int]) -> None:
    values = values_of(400)
    film, report = film_of(Workers(0.4, dict(deaths)), values, preroll=1.0)
    assert film == sequence_of(values, 0.4)
    assert report.died == sum(deaths.values())
    assert report.difference <= 1
    assert report.notes == ("a note",)


def test_a_pre_roll_that_is_too_short_is_found_and_made_longer() -> None:
    """An effect that remembers for ten seconds: the join shows it, and only then is more drawn."""
    values = values_of(400)
    pool = Workers(0.95)
    film, report = film_of(pool, values)
    assert report.again > 0
    assert report.difference <= 1
    errors = np.abs(
        np.frombuffer(film, np.uint8).astype(int) - np.frombuffer(sequence_of(values, 0.95), np.uint8)
    )
    assert errors.max() <= 1
    assert max(before for _, before in pool.prerolls) > 3


def test_a_group_that_kills_every_worker_ends_the_film_with_a_line() -> None:
    with pytest.raises(FarmError, match="3 workers died over the group that begins with picture 80"):
        film_of(Workers(0.4, {2: 99}), values_of(400))


# Drawing


def draw_colour(w_plus: np.ndarray, numbers: np.ndarray, into: np.ndarray) -> None:
    """Pictures of one colour that jump with w: they flash, so that the limiter has something to do."""
    rows = np.arange(len(into))[:, None, None] * 4
    into[:] = np.clip(w_plus[0, 0] * 40 + w_plus[1, 1] * numbers[NOISE] + rows, 0, 255)


def fake_model(*_: object, **__: object) -> tuple[Any, list[str]]:
    return (
        SimpleNamespace(
            draw=draw_colour,
            hash="h",
            buffer=np.zeros((16, 24, 3), np.uint8),
            space=lambda number: SimpleNamespace(groups=np.array([0, 1, 2, 2])),
            prepare_bends=lambda values: None,
            close=lambda: None,
        ),
        [],
    )


def recipe_of(**settings: object) -> Recipe:
    looked = {
        "fx1.shader": "feedback",
        "show.dissolve": 0.05,
        "show.flash_limit": True,
        **settings,
    }
    with open_shaders():
        return Recipe(
            None, "h", __version__, "torch", None, "auto", SIZE, RATE, "h264", ".mp4",
            dict(Values(looked)), None, 48_000,
        )  # fmt: skip


def flashing(count: int) -> list[Material]:
    chance = np.random.default_rng(4)
    made = []
    for number in range(count):
        w = np.zeros((3, 4), np.float32)
        w[0, 0] = 5.0 * (number % 2) if number % 40 < 12 else 2.0 + np.sin(number / 7)
        w[1, 1] = chance.normal()
        made.append(Material(w, NUMBERS, {"fx1.mix": 0.5 + 0.3 * np.sin(number / 9)}, None))
    return made


class Kept(VideoWriter):
    """Keeps what is encoded."""

    pictures_of: ClassVar[list[np.ndarray]] = []

    def picture(self, rgb: np.ndarray, repeat: int = 1) -> None:
        Kept.pictures_of.append(rgb.copy())
        super().picture(rgb, repeat)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    monkeypatch.setattr(drawing, "load_model", fake_model)
    monkeypatch.setattr(drawing, "VideoWriter", Kept)
    Kept.pictures_of = []
    return Kept.pictures_of


def test_a_worker_draws_in_whatever_thread_it_is_called_and_leaves_no_parameters_behind(
    drawn: list[np.ndarray],
) -> None:
    pictures = flashing(2)
    drawer = Drawer(recipe_of())
    with ThreadPoolExecutor(1) as pool:
        pool.submit(drawer.draw, Group(0, 0, 0, 2, pictures[0], tuple(pictures))).result(30)
    assert len(drawn) == 2
    with pytest.raises(ParameterError):
        find("fx1.shader")
    drawer.close()


def test_groups_with_feedback_and_the_limiter_are_the_film_in_sequence(
    drawn: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = flashing(COUNT)
    recipe = recipe_of()
    whole = Drawer(recipe).draw(Group(0, 0, 0, COUNT, pictures[0], tuple(pictures)))
    sequence = np.array(drawn)
    drawn.clear()
    unlimited = recipe_of(**{"show.flash_limit": False})
    Drawer(unlimited).draw(Group(0, 0, 0, 30, pictures[0], tuple(pictures[:30])))
    assert np.abs(np.array(drawn).astype(int) - sequence[:30]).max() > 20  # the limiter works
    drawn.clear()
    assert np.abs(np.diff(sequence.astype(int), axis=0)).max() > 20  # something moves
    target = tmp_path / "film.mp4"
    sound = tmp_path / "sound.mp4"
    write_sound(sound, [np.zeros((48_000, 2), np.float32)] * 6, 48_000, 2, "h264")
    pool = OwnPool(recipe)
    draw, groups = pool._drawer.draw, {}

    def watched(group: Group) -> Part:
        drawn.clear()
        part = draw(group)
        groups[group.number] = list(drawn)
        return part

    monkeypatch.setattr(pool._drawer, "draw", watched)
    with Film(target, RATE, sound) as film:
        report = Head(pool, iter(pictures), bounds_of(COUNT, 20), RATE, film.append, preroll=2.5).run()
        film.finish()
    assert report.groups == len(groups) == 3
    assert report.difference <= 1
    farmed = np.concatenate([groups[number] for number in sorted(groups)])
    assert np.abs(farmed.astype(int) - sequence).max() <= 1
    assert whole.before is None
    with av.open(str(target)) as made:
        stamps = [round(frame.pts * frame.time_base * RATE) for frame in made.decode(video=0)]
        assert stamps == list(range(COUNT))
    with av.open(str(target)) as made:
        heard = sum(frame.samples for frame in made.decode(audio=0))
        assert abs(heard - 288_000) < 2048 + 1024


def test_a_part_of_another_encoder_is_not_joined(tmp_path: Path) -> None:
    parts: list[Part] = []
    for size in (64, 96):
        path = tmp_path / f"{size}.mp4"
        with VideoWriter(path, size, size, RATE) as video:
            video.picture(np.zeros((size, size, 3), np.uint8))
        parts.append(Part(len(parts), path.read_bytes(), None, np.zeros((1, 1, 3), np.uint8), ()))
    with Film(tmp_path / "film.mp4", RATE, None) as film:
        film.append(parts[0])
        with pytest.raises(RecordingError, match=r"Part 2 of film.mp4 was encoded differently"):
            film.append(parts[1])


@pytest.mark.parametrize(
    ("change", "line"),
    [({"software": "0.0"}, "install the same"), ({"model_hash": "other"}, "another model")],
)
def test_a_worker_that_is_another_refuses(drawn: list[np.ndarray], change: dict[str, str], line: str) -> None:
    from dataclasses import replace

    with pytest.raises(UsageError, match=line):
        Drawer(replace(recipe_of(), **change))  # type: ignore[arg-type]


# What is typed


def test_a_farm_is_typed_like_a_rendering() -> None:
    options = parse(["farm", "render", "a.wav", "-o", "b.mp4", "--workers", "3", "--ray", "auto"]).options()
    assert isinstance(options, FarmOptions)
    assert (options.workers, options.ray, str(options.film)) == (3, "auto", "b.mp4")


@pytest.mark.parametrize(
    ("typed", "line"),
    [({}, "wants -o"), ({"video": "a.png"}, "one film"), ({"video": "a.mp4", "workers": 0}, "1 to 256")],
)
def test_what_a_farm_cannot_make_is_refused(typed: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        FarmOptions("a.wav", **typed)


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from lavlive.farm.pools import RayPool

    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(LavliveError, match=r"pip install 'lavlive\[farm\]'"):
        RayPool(recipe_of(), 2, None)


@pytest.mark.parametrize(
    ("address", "line"), [("127.0.0.1:1", "No Ray cluster answers at 127.0.0.1:1"), ("there", "HOST:PORT")]
)
def test_an_address_where_nobody_answers_is_told_at_once(
    address: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lavlive.farm.pools import RayPool

    monkeypatch.setitem(__import__("sys").modules, "ray", SimpleNamespace())
    with pytest.raises(UsageError, match=line):
        RayPool(recipe_of(), 2, address)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (None, r"Ray does not start on this machine.*timed out"),
        ("auto", r"No Ray cluster answers at auto.*timed out"),
    ],
)
def test_a_ray_that_does_not_start_is_told_in_one_line(
    address: str | None, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lavlive.farm.pools import RayPool

    def init(**_: object) -> None:
        raise Exception("The current node timed out during startup.\nThis could happen because …")

    ended: list[bool] = []
    ray = SimpleNamespace(init=init, shutdown=lambda: ended.append(True))
    monkeypatch.setitem(__import__("sys").modules, "ray", ray)
    with pytest.raises(UsageError, match=line) as told:
        RayPool(recipe_of(), 2, address)
    assert "\n" not in str(told.value)
    assert ended == [True] * (address is None)
