"""The engine as it really runs: a process of its own, on the demo track, over a real link."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lavlive.audio.sources import SourceSpec
from lavlive.commands.main import main
from lavlive.errors import LavliveError
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import AnchorDrawn, DrawAnchors, ModelRefused, ModelShown, Restarted, StageEvent
from lavlive.link.process import PythonEngine
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import Values
from lavlive.resources import generator_file, shipped
from tests.support.waiting import wait_until

DEMO = shipped("data") / "demo.ogg"
PATIENCE = 90.0


class RealShow:
    """A link, a supervisor and a real engine, driven without a window."""

    def __init__(self, settings: EngineSettings, log: Path) -> None:
        self.link = SharedBlock.create()
        self.values = Values()
        self.link.write_parameters(self.values.numbers, 0)
        self.events: list[StageEvent] = []
        self.pids: list[int] = []

        def start(name: str, settings: EngineSettings) -> PythonEngine:
            engine = PythonEngine(name, settings, log)
            self.pids.append(engine.pid)
            self.engine = engine
            return engine

        self.supervisor = Supervisor(self.link, settings, start, time.perf_counter())

    def run_until(self, done: Callable[[], bool], what: str) -> None:
        def step() -> None:
            self.events += self.supervisor.step(time.perf_counter())
            time.sleep(0.008)  # the engine works meanwhile

        wait_until(done, PATIENCE, lambda: f"no {what} ({self.events})", step)

    def close(self) -> None:
        self.supervisor.close()
        self.link.close()


def begun(folder: Path) -> RealShow:
    settings = EngineSettings(SourceSpec("demo"), runner="torch", rate=20.0, log=str(folder / "w.raw"))
    return RealShow(settings, folder / "engine.log")


@pytest.fixture
def show(tmp_path: Path) -> Iterator[RealShow]:
    running = begun(tmp_path)
    yield running
    running.close()


@pytest.fixture(scope="module")
def long_show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealShow]:
    """A show that goes on through several tests, none of which ends its engine."""
    running = begun(tmp_path_factory.mktemp("show"))
    yield running
    running.close()


@pytest.fixture
def running(long_show: RealShow) -> RealShow:
    """The long show, with pictures, and nothing heard from it yet."""
    long_show.run_until(lambda: long_show.link.newest_sequence > 3, "pictures")
    long_show.events.clear()
    return long_show


def test_pictures_follow_the_demo_and_a_killed_engine_is_replaced(show: RealShow) -> None:
    show.run_until(lambda: show.link.newest_sequence > 10, "pictures")
    first = show.link.read_picture()
    show.run_until(lambda: show.link.newest_sequence > 25, "more pictures")
    later = show.link.read_picture()
    assert first is not None
    assert later is not None
    assert np.abs(first.pixels.astype(int) - later.pixels).mean() > 0.1
    assert later.captured < later.made < time.perf_counter()

    show.values.set("mapper.y", 0)
    show.link.write_parameters(show.values.numbers, 41)
    before = show.link.newest_sequence
    show.run_until(lambda: show.link.number("latent.parameter_revision") == 41, "new parameters")
    show.run_until(
        lambda: (p := show.link.read_picture()) is not None and p.parameter_revision == 41,
        "picture made with them",
    )
    assert show.link.newest_sequence - before <= 5

    show.engine.kill()
    stopped_at = show.link.newest_sequence
    assert show.link.read_picture() is not None
    show.run_until(lambda: show.link.newest_sequence > stopped_at + 3, "pictures of a second engine")
    assert len(show.pids) == 2
    assert sum(isinstance(event, Restarted) for event in show.events) == 1
    after = show.link.read_picture()
    assert after is not None
    assert after.parameter_revision == 41


def test_pictures_take_the_shape_that_is_asked_for_during_the_show(show: RealShow) -> None:
    show.run_until(lambda: show.link.newest_sequence > 3, "pictures")
    show.supervisor.change_shape(16 / 9, 0.2)
    show.run_until(lambda: any(isinstance(event, ModelShown) for event in show.events), "another shape")
    shown = show.link.newest_sequence
    show.run_until(lambda: show.link.newest_sequence > shown + 3, "pictures of it")
    picture = show.link.read_picture()
    assert picture is not None
    assert picture.pixels.shape == (256, 448, 3)
    assert len(show.pids) == 1


def test_a_missing_track_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    settings = EngineSettings(SourceSpec("track", str(tmp_path / "none.wav")), runner="torch")
    running = RealShow(settings, tmp_path / "engine.log")
    try:
        with pytest.raises(LavliveError, match=r"none\.wav"):
            running.run_until(lambda: False, "refusal")
    finally:
        running.close()


@pytest.mark.alone
def test_live_and_offline_make_the_same_w_plus(show: RealShow, tmp_path: Path) -> None:
    show.run_until(lambda: show.link.number("latent.hops") > 300, "hops")
    assert show.link.number("audio.dropped") == 0
    show.supervisor.close()
    live = np.fromfile(tmp_path / "w.raw", np.float32)
    offline_log = tmp_path / "offline.raw"
    arguments = ["render", str(DEMO), "-o", str(tmp_path / "clip.mp4"), "--fps", "2", "--size", "64x64"]
    assert main([*arguments, "--seconds", "1", "--runner", "torch", "--log-w", str(offline_log)]) == 0
    offline = np.fromfile(offline_log, np.float32)
    count = min(len(live), len(offline))
    assert count > 300 * 14 * 512
    assert np.abs(live[:count] - offline[:count]).max() <= 1e-5


def test_a_report_names_what_was_provoked_and_when(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    arguments = ["render", str(DEMO), "--report", str(report), "--seconds", "13", "--runner", "torch"]
    assert main([*arguments, "--set", "mapper.y=0.05", "--set", "mapper.place=0"]) == 0
    told = json.loads(report.read_text())
    assert told["shares"] == {"static": 1.0}
    assert [span["signature"] for span in told["spans"]] == ["static"]
    assert told["spans"][0]["begin"] >= 10.0
    assert told["spans"][0]["end"] <= 13.0
    assert "raise mapper.y" in capsys.readouterr().out
    assert len(told["times"]) == len(told["meters"]["diversity"])


def test_render_wants_something_to_make(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", str(DEMO)]) == 2
    assert "--report" in capsys.readouterr().err


# One show for all that does not end its engine: last, since it goes on beside what follows.


def test_a_bad_model_is_refused_while_the_show_goes_on(running: RealShow, tmp_path: Path) -> None:
    page = tmp_path / "model.pkl"
    page.write_text("<!DOCTYPE html><html>404</html>")
    running.supervisor.load_model(str(page), 0.1)
    running.run_until(lambda: any(isinstance(event, ModelRefused) for event in running.events), "refusal")
    shown = running.link.newest_sequence
    running.run_until(lambda: running.link.newest_sequence > shown + 3, "pictures after it")
    assert len(running.pids) == 1


def test_small_pictures_to_choose_from_come_while_the_show_goes_on(running: RealShow) -> None:
    running.supervisor.send(DrawAnchors((0, 1, 2)))

    def drawn() -> list[AnchorDrawn]:
        return [event for event in running.events if isinstance(event, AnchorDrawn)]

    running.run_until(lambda: len(drawn()) == 3, "small pictures")
    shown = running.link.newest_sequence
    running.run_until(lambda: running.link.newest_sequence > shown + 3, "pictures after them")
    assert [each.number for each in drawn()] == [0, 1, 2]
    assert all(each.pixels.std() > 5 for each in drawn())
    assert not np.array_equal(drawn()[0].pixels, drawn()[1].pixels)


def test_a_model_is_swapped_by_a_cross_fade(running: RealShow) -> None:
    running.supervisor.load_model(str(generator_file(None)), 0.3)
    running.run_until(lambda: any(isinstance(event, ModelShown) for event in running.events), "swap")
    shown = running.link.newest_sequence
    running.run_until(lambda: running.link.newest_sequence > shown + 3, "pictures of the new model")
    assert len(running.pids) == 1
    assert running.supervisor.settings.model is not None
