"""Shaders are tried elsewhere before the show draws them: what runs goes on meanwhile, and after errors."""

from __future__ import annotations

import io
import json
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lavlive.errors import DisplayError
from lavlive.link.contents import Picture
from lavlive.parameters import Value, Values, joined
from lavlive.stage.canvas.isf.document import Document, read_document
from lavlive.stage.canvas.isf.library import ShaderLibrary
from lavlive.stage.canvas.isf.trying import Task, work
from lavlive.stage.canvas.offscreen import offscreen_context
from lavlive.stage.canvas.rack import Rack
from lavlive.stage.canvas.slots import Slots
from lavlive.stage.canvas.trials import ShaderTrials, TryingProcess, Verdict
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput

SIZE = (48, 27)
STILL = {"show.dissolve": 0.0, "show.scaling": "stretch", "show.flash_limit": False}


def plain(red: float, code: str = "") -> str:
    return f"/*{{}}*/\nvoid main() {{ {code} gl_FragColor = vec4({red}, 0.0, 0.0, 1.0); }}"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[ShaderLibrary]:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    (ours / "shipped.fs").write_text(plain(0.2))
    for name in ("one", "two"):
        (theirs / f"{name}.fs").write_text(plain(0.4))
    made = ShaderLibrary([ours, theirs])
    with joined(Slots(made)):
        yield made


class HandTrials:
    """Trials whose verdicts a test gives."""

    def __init__(self) -> None:
        self.verdicts: dict[tuple[str, int], Verdict] = {}
        self.asked: list[tuple[str, int]] = []

    def verdict(self, name: str, version: int, document: Document, size: tuple[int, int]) -> Verdict | None:
        self.asked.append((name, version))
        return self.verdicts.get((name, version))

    def close(self) -> None:
        pass


class Scene:
    """A canvas in memory, a tick of a second for each picture."""

    def __init__(self, output: HeadlessOutput) -> None:
        self.output = output
        assert output.rack is not None
        self.rack: Rack = output.rack
        self.trials = HandTrials()
        self.rack.trials = self.trials
        self.ticks = 0

    def red(self, values: dict[str, Value]) -> int:
        self.ticks += 1
        pixels = np.zeros((16, 16, 3), np.uint8)
        now = float(self.ticks)
        self.output.present(Picture(pixels, self.ticks, now, now, 0), Values(STILL | values), now)
        return int(self.output.read_canvas()[10, 10, 0])


@pytest.fixture
def scene(library: ShaderLibrary) -> Iterator[Scene]:
    with HeadlessOutput(OutputSettings(canvas=SIZE, shaders=library)) as output:
        if output.note is not None:
            pytest.skip(output.note)
        yield Scene(output)


def test_what_runs_goes_on_until_the_trial_is_over(scene: Scene) -> None:
    assert scene.red({"gen.shader": "shipped"}) == 51
    assert scene.trials.asked == []  # a show begins with its effects
    for _ in range(3):
        assert scene.red({"gen.shader": "one"}) == 51
    scene.trials.verdicts["one", 1] = Verdict()
    scene.red({"gen.shader": "one"})
    scene.red({"gen.shader": "one"})
    assert scene.red({"gen.shader": "one"}) == 102


def test_what_a_trial_refuses_is_said_and_never_compiled(scene: Scene) -> None:
    scene.trials.verdicts["one", 1] = Verdict("one.fs: line 2: it ends the driver")
    scene.red({"gen.shader": "one"})
    assert scene.output.problems["gen"] == "one.fs: line 2: it ends the driver"
    scene.red({"gen.shader": "none"})
    assert not scene.output.problems


def test_one_program_is_compiled_for_a_picture(scene: Scene) -> None:
    scene.red({"gen.shader": "shipped"})
    for name in ("one", "two"):
        scene.trials.verdicts[name, 1] = Verdict()
    both: dict[str, Value] = {"gen.shader": "shipped", "fx1.shader": "one", "fx2.shader": "two"}
    scene.red(both)
    assert [scene.rack.shown_version(slot)[0] for slot in ("fx1", "fx2")] == ["one", "none"]
    scene.red(both)
    assert [scene.rack.shown_version(slot)[0] for slot in ("fx1", "fx2")] == ["one", "two"]


def test_twenty_saves_with_every_other_one_wrong_show_the_last_good_one(
    scene: Scene, library: ShaderLibrary
) -> None:
    path = library.folders[1] / "one.fs"
    scene.trials.verdicts["one", 1] = Verdict()
    for _ in range(3):
        scene.red({"gen.shader": "one"})
    good = 102
    for save in range(2, 22):
        wrong = save % 2 == 1
        path.write_text(plain(save / 51, "nonsense();" if wrong else "") + "\n" * save)
        library.reload()
        version = library.version("one")
        assert scene.red({"gen.shader": "one"}) == good
        # Half of the errors pass the trial, as where a driver says yes in one place and no in another.
        scene.trials.verdicts["one", version] = Verdict("one.fs: line 2" if save % 4 == 1 else None)
        good = good if wrong else round(save / 51 * 255)
        assert scene.red({"gen.shader": "one"}) == good
        assert ("gen" in scene.output.problems) == wrong


def test_no_picture_is_looked_up_as_if_it_were_a_parameter(scene: Scene, library: ShaderLibrary) -> None:
    (library.folders[0] / "filter.fs").write_text(
        '/*{"INPUTS": [{"NAME": "inputImage", "TYPE": "image"}]}*/\n'
        "void main() { gl_FragColor = IMG_THIS_PIXEL(inputImage) + vec4(0.6, 0.0, 0.0, 1.0); }"
    )
    library.reload()

    class Asked(Values):
        def __getitem__(self, name: str) -> Value:
            assert not name.endswith("inputImage")  # the search for a name like it takes milliseconds
            return super().__getitem__(name)

    values = Asked(STILL | {"fx1.shader": "filter"})
    for tick in (1.0, 2.0):
        scene.output.present(Picture(np.zeros((8, 8, 3), np.uint8), 1, tick, tick, 0), values, tick)
        canvas = scene.output.read_canvas()
    assert canvas[5, 5, 0] == 153


class HandTrying:
    """A place for trials that waits for the test."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.closed = (
            threading.Semaphore(0),
            threading.Semaphore(0),
            threading.Event(),
        )
        self.tried: list[str] = []

    def attempt(self, task: Task) -> str | None:
        self.begun.release()
        assert self.go_on.acquire(timeout=10)
        self.tried.append(task.document.fragment)
        if "raise" in task.document.fragment:
            raise RuntimeError("no memory")
        return "wrong" if "wrong" in task.document.fragment else None

    def close(self) -> None:
        self.closed.set()


def test_only_the_newest_of_what_was_saved_meanwhile_is_tried(tmp_path: Path) -> None:
    documents = []
    for text in ("first", "wrong second", "third", "raise fourth"):
        path = tmp_path / f"{text}.fs"
        path.write_text(f"/*{{}}*/ {text}")
        documents.append(read_document(path))
    place = HandTrying()
    trials = ShaderTrials(lambda: place)
    assert trials.verdict("a", 1, documents[0], SIZE) is None
    assert place.begun.acquire(timeout=10)
    for version, document in ((2, documents[1]), (3, documents[2])):
        assert trials.verdict("a", version, document, SIZE) is None
    assert trials.verdict("b", 1, documents[1], SIZE) is None
    assert trials.verdict("c", 1, documents[3], SIZE) is None
    for _ in range(3):
        place.go_on.release()
        assert place.begun.acquire(timeout=10)
    place.go_on.release()
    trials._queue.put(None)
    assert trials._thread is not None
    trials._thread.join(10)
    assert [text.strip() for text in place.tried] == ["first", "third", "wrong second", "raise fourth"]
    assert trials.verdict("a", 3, documents[2], SIZE) == Verdict()
    assert trials.verdict("b", 1, documents[1], SIZE) == Verdict("wrong")
    fourth = trials.verdict("c", 1, documents[3], SIZE)
    assert fourth is not None
    assert fourth.error is not None
    assert "no memory" in fourth.error
    trials.close()
    assert place.closed.is_set()


def test_the_trying_process_compiles_draws_and_says_the_line(tmp_path: Path) -> None:
    try:
        offscreen_context().release()
    except DisplayError as error:
        pytest.skip(str(error))
    tasks, answers = io.BytesIO(), io.StringIO()
    for text in (plain(0.1), plain(0.2, "nonsense();"), plain(0.3)):
        path = tmp_path / "tried.fs"
        path.write_text(text)
        pickle.dump(Task(read_document(path), SIZE), tasks)
    tasks.seek(0)
    work(tasks, answers)
    errors = [json.loads(line)["error"] for line in answers.getvalue().splitlines()]
    assert errors[0] is None
    assert errors[1].startswith("tried.fs: line 2: ")
    assert errors[2] is None


def test_a_shader_that_the_driver_hangs_over_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "endless.fs"
    path.write_text(plain(0.1))
    place = TryingProcess(patience=0.0)
    error = place.attempt(Task(read_document(path), SIZE))
    place.close()
    assert error == "endless.fs: the graphics driver takes more than 0 s over it; it is not drawn."
