"""What the operator reads, and what the show does, when something fails: an engine that is only a script."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from lavlive.audio.spec import SourceSpec
from lavlive.control.actions import Action
from lavlive.control.beat.modulation import BeatModulation, Shape
from lavlive.control.control import Control
from lavlive.control.looks.state import StateKeeper
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.link.keyframes import kept
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import (
    AnchorDrawn,
    ChangeSource,
    Command,
    DialsFound,
    DrawAnchors,
    EngineEvent,
    Failing,
    FailureKind,
    KeepMoment,
    LoadModel,
    MixRefused,
    MixWith,
    ModelLoading,
    ModelReady,
    ModelRefused,
    ModelShown,
    MomentKept,
    Ready,
    Refused,
    SourceLost,
    SourceNotice,
    SourceOpened,
    SourceRefused,
    SourceRunning,
    UseKeyframes,
    read_event,
)
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import Supervisor
from lavlive.parameters import INDEX, Value, Values
from lavlive.show.models import ShownModels
from lavlive.show.show import BLIND_SECONDS, Show
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.notices import Notices
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput
from lavlive.stage.output.takers.base import SoundBlock
from lavlive.stage.output.takers.outlets import Outlets, OutletSpec
from lavlive.stage.recording.recordings import Recordings
from tests.support.waiting import wait_until


class Engine:
    """Tells what the test wants, and dies when it wants."""

    def __init__(self) -> None:
        self.told: list[EngineEvent] = []
        self.commands: list[Command] = []
        self.status: int | None = None

    def events(self) -> list[EngineEvent]:
        told, self.told = self.told, []
        return told

    def send(self, command: Command) -> None:
        self.commands.append(command)

    def exit_status(self) -> int | None:
        return self.status

    def kill(self) -> None:
        self.status = -9

    def close(self, timeout: float) -> None:
        self.status = 0


class Stage:
    """A show with a clock of its own."""

    def __init__(self, link: SharedBlock, folder: Path) -> None:
        self.engines: list[Engine] = []
        self.settings: list[EngineSettings] = []
        self.notices = Notices()
        self.now = 0.0
        self.control = Control(Values(), BindingFolders(folder / "shipped", folder / "bindings"))
        self.keeper = StateKeeper(folder / "state.json")
        settings = EngineSettings(SourceSpec("input", "Mixer"), model="mine.pkl", runner="cuda")
        supervisor = Supervisor(link, settings, self.start, self.now)
        output = HeadlessOutput(OutputSettings(canvas=(64, 64)))
        self.show = Show(link, supervisor, self.control, output, self.notices, keeper=self.keeper)

    def start(self, link_name: str, settings: EngineSettings) -> Engine:
        self.engines.append(Engine())
        self.settings.append(settings)
        return self.engines[-1]

    def step(self, seconds: float = 0.1) -> str:
        """Let time pass, the engine's heart beating; what the operator reads then."""
        self.now += seconds
        self.show.link.meter("engine.heartbeat")[0] = self.now
        self.show.step(self.now)
        return self.notices.badge(self.now) or ""

    def tell(self, event: EngineEvent) -> str:
        """The engine tells something."""
        self.engines[-1].told.append(event)
        return self.step()

    def crash(self) -> str:
        """The engine dies; a second later the operator reads this."""
        self.engines[-1].status = -11
        self.step(1.0)
        return self.step()

    def ready(self) -> str:
        return self.tell(Ready())


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with SharedBlock.create() as link:
        stage = Stage(link, tmp_path)
        stage.ready()
        link.write_picture(np.zeros((8, 8, 3), np.uint8), captured=0.0, made=0.0, parameter_revision=0)
        stage.step()
        yield stage
        stage.keeper.close()
        stage.control.close()


def test_a_model_of_a_bank_that_is_refused_is_passed_over(stage: Stage, tmp_path: Path) -> None:
    models = [tmp_path / name for name in ("a.pkl", "b.pkl", "c.pkl")]
    names = {path.stem: str(path) for path in models}
    show = stage.show
    show.bank = ShownModels(names, show.supervisor, stage.control.looks, stage.notices, lambda: 2.0)
    stage.tell(ModelReady(str(models[0]), "a"))
    stage.control.press("n")
    stage.step()
    assert stage.engines[-1].commands[-1] == LoadModel(str(models[1]), 2.0)
    assert "cut short" in stage.tell(ModelRefused(str(models[1]), f"{models[1]}: cut short"))
    assert stage.engines[-1].commands[-1] == LoadModel(str(models[2]), 2.0)
    stage.tell(ModelReady(str(models[2]), "c"))
    stage.tell(ModelShown("c"))
    stage.control.press("p")
    stage.step()
    assert stage.engines[-1].commands[-1] == LoadModel(str(models[0]), 2.0)


def test_a_model_that_is_refused_leaves_the_dials_of_the_one_that_is_shown(stage: Stage) -> None:
    found = DialsFound("a", (8, 8, 4))
    stage.tell(found)
    stage.tell(ModelLoading("b.pkl"))
    stage.tell(ModelRefused("b.pkl", "cut short"))
    assert stage.show.dials == found
    stage.tell(ModelReady("c.pkl", "c"))
    assert stage.show.dials is None


def test_small_pictures_are_asked_of_every_engine_once_and_kept_while_the_show_runs(stage: Stage) -> None:
    def drawn(number: int) -> AnchorDrawn:
        pixels = np.full((48, 48, 3), number, np.uint8)
        return AnchorDrawn("a" * 64, number, 0, base64.b64encode(pixels.tobytes()).decode())

    stage.tell(ModelShown("a", "a" * 64))
    assert stage.show.anchor_pictures() == {}
    assert stage.engines[-1].commands[-1] == DrawAnchors(tuple(range(24)))
    sent = len(stage.engines[-1].commands)
    stage.tell(drawn(5))
    stage.tell(AnchorDrawn("a" * 64, 6, 0, "no picture"))
    (number,) = stage.show.anchor_pictures()
    assert number == 5
    assert np.all(stage.show.anchor_pictures()[5] == 5)
    assert len(stage.engines[-1].commands) == sent, "asked once"
    stage.show.anchors.others()
    assert stage.show.anchor_pictures() == {}
    assert stage.engines[-1].commands[-1] == DrawAnchors(tuple(range(24, 48)))
    stage.tell(ModelShown("b", "b" * 64))
    assert stage.show.anchor_pictures() == {}
    for _ in range(416):
        stage.show.anchors.others()
    stage.tell(ModelShown("a", "a" * 64))
    assert list(stage.show.anchor_pictures()) == [5], "kept by the model's hash"
    stage.crash()
    stage.ready()
    stage.tell(ModelShown("a", "a" * 64))
    assert list(stage.show.anchor_pictures()) == [5]
    assert stage.engines[-1].commands[-1] == DrawAnchors(tuple(n for n in range(24) if n != 5))


def test_kept_moments_reach_every_engine_and_strange_ones_are_told(stage: Stage) -> None:
    stage.control.press("k")
    stage.step()
    assert stage.engines[-1].commands[-1] == KeepMoment()
    mine, other = (kept(model * 64, np.zeros((3, 8))) for model in "ab")
    assert "Keyframe 1 kept" in stage.tell(MomentKept(mine))
    stage.tell(MomentKept(other))
    stage.step()
    assert stage.engines[-1].commands[-1] == UseKeyframes((mine, other))
    assert "1 keyframe is of another model" in stage.tell(ModelShown("a", "a" * 64))
    stage.crash()
    stage.ready()
    stage.step()
    assert stage.engines[-1].commands[-1] == UseKeyframes((mine, other))


def test_the_model_that_is_mixed_in_reaches_every_engine_and_one_that_is_not_there_is_told(
    stage: Stage,
) -> None:
    stage.show.bank.names.update(b="b.pkl")
    stage.control.ask(Action("mix.with", "b"))
    stage.step()
    assert stage.engines[-1].commands[-1] == MixWith("b.pkl")
    assert "another shape" in stage.tell(MixRefused("another shape"))
    stage.crash()
    stage.ready()
    stage.step()
    assert stage.engines[-1].commands[-1] == MixWith("b.pkl")
    stage.control.ask(Action("mix.with", "elsewhere"))
    assert "There is no model elsewhere here to mix in" in stage.step()
    assert stage.engines[-1].commands[-1] == MixWith(None)
    stage.control.ask(Action("undo"))
    stage.control.ask(Action("mix.with", "off"))
    stage.step()
    assert stage.control.looks.mix == ""


def test_a_restart_is_announced_until_pictures_can_come_again(stage: Stage) -> None:
    assert "again" in stage.crash()
    stage.step(20.0)
    assert "again" in stage.step()
    assert stage.ready() == ""


def test_out_of_graphics_memory_the_cpu_goes_on_and_the_operator_knows(stage: Stage) -> None:
    stage.tell(Failing(FailureKind.OUT_OF_MEMORY, "OutOfMemoryError: tried to allocate 2 GiB."))
    assert "the CPU makes the pictures" in stage.crash()
    assert (stage.settings[-1].runner, stage.settings[-1].device) == ("auto", "cpu")
    assert stage.settings[-1].model == "mine.pkl"
    assert "the CPU makes the pictures" in stage.ready()


def test_a_message_of_another_version_is_told_and_the_show_goes_on(stage: Stage) -> None:
    assert "left out" in stage.tell(read_event('{"version": 2, "kind": "Ready", "body": {}}'))
    assert stage.show.supervisor.misunderstood == 1
    assert stage.show.supervisor.restarts == 0


def test_safe_mode_begins_with_the_default_look_which_undo_takes_back(stage: Stage) -> None:
    stage.control.values.set("mapper.y", 3.3)
    for _ in range(3):
        badge = stage.crash()
        stage.ready()
    assert "Safe mode" in badge
    assert stage.control.values["mapper.y"] == Values()["mapper.y"]
    assert stage.control.looks.undo()
    assert stage.control.values["mapper.y"] == 3.3
    stage.crash()
    assert stage.control.values["mapper.y"] == 3.3, "a further crash in safe mode leaves the look alone"


def test_a_lost_device_is_announced_until_it_is_back(stage: Stage) -> None:
    assert "unplugged" in stage.tell(SourceLost("Mixer: unplugged"))
    assert "unplugged" in stage.tell(SourceNotice("a notice"))
    assert "unplugged" in stage.tell(SourceRefused(SourceSpec("demo"), "no"))
    assert "unplugged" not in stage.tell(SourceRunning("Mixer is back"))


def test_the_key_s_changes_the_source_and_a_refusal_is_read(stage: Stage) -> None:
    before = stage.show.supervisor.settings.source
    stage.control.press("s")
    stage.step()
    asked = stage.engines[-1].commands[-1]
    assert asked == ChangeSource(SourceSpec("loopback"))
    assert stage.show.state().source == SourceSpec("loopback")
    assert "no loopback" in stage.tell(SourceRefused(SourceSpec("loopback"), "There is no loopback here."))
    assert stage.show.state().source == before


def test_a_track_that_nobody_knows_is_told_and_changes_nothing(stage: Stage) -> None:
    stage.control.ask(Action("source.track", "anthem"))
    assert "anthem" in stage.step()
    assert stage.engines[-1].commands == []


def test_a_new_engine_that_finds_the_device_ends_the_announcement_of_the_old_one(stage: Stage) -> None:
    stage.tell(SourceLost("Mixer: unplugged"))
    stage.crash()
    stage.ready()
    badge = stage.tell(SourceOpened(SourceSpec("input", "usb-mixer")))
    assert "unplugged" not in badge
    assert stage.show.state().source == SourceSpec("input", "usb-mixer")


def test_what_the_beat_moves_reaches_the_output_and_the_engine_alike(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def present(picture: object, values: Mapping[str, Value], *rest: object) -> None:
        seen.append(float(values["show.dissolve"]))

    monkeypatch.setattr(stage.show.output, "present", present)
    for beat in range(4):
        stage.control.tempo.tap(stage.now + 0.5 * beat)
    stage.control.values.set("show.dissolve", 0.5)
    stage.control.looks.modulate(BeatModulation("show.dissolve", Shape.SINE, 1.0, 0.4, 0.0, 1.0))
    for _ in range(12):
        stage.step(0.04)
        sent = stage.show.link.read_parameters()
        assert sent is not None
        assert sent[0][INDEX["show.dissolve"]] == seen[-1] == stage.show.controls["show.dissolve"]
        assert sent[1] == stage.show.controls.revision
    assert max(seen) - min(seen) > 0.5, "the beat moves it"
    assert stage.control.values["show.dissolve"] == 0.5, "the knob stays where the hand left it"


def test_a_snapshot_of_the_controls_never_changes(stage: Stage) -> None:
    stage.step()
    before = stage.show.controls
    stage.control.values.set("mapper.y", 3.25)
    stage.step()
    assert before["mapper.y"] == Values()["mapper.y"]
    assert stage.show.controls["mapper.y"] == 3.25
    assert stage.show.controls.revision > before.revision
    with pytest.raises(ValueError, match="read-only"):
        before.numbers[0] = 1.0


def test_a_failing_panel_is_closed_and_the_show_goes_on(stage: Stage) -> None:
    class Panel:
        should_close = False
        closed = False

        def poll(self) -> list[object]:
            return []

        def present(self, now: float) -> None:
            raise RuntimeError("no texture")

        def close(self) -> None:
            self.closed = True

    panel = Panel()
    stage.show.operator.window = panel  # type: ignore[assignment]
    assert "no texture" in stage.step()
    assert panel.closed
    assert stage.show.operator.window is None
    stage.step()


def test_a_state_that_cannot_be_written_is_announced(stage: Stage, tmp_path: Path) -> None:
    stage.step()
    stage.keeper.close()
    (tmp_path / "blocked").write_text("a file where a folder should be")
    keeper = StateKeeper(tmp_path / "blocked" / "state.json")
    stage.show._keeper = keeper
    stage.step(2.0)
    keeper.close()
    assert "cannot be written" in stage.step()


def test_a_part_of_the_stage_that_fails_is_announced_and_the_pictures_go_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(now: float) -> None:
        raise ZeroDivisionError("no beat")

    shown = stage.show.pictures_shown
    with monkeypatch.context() as broken:
        broken.setattr(stage.control, "step", fail)
        stage.show.link.write_picture(np.ones((8, 8, 3), np.uint8), 0.0, 0.0, 0)
        assert "The controls failed: ZeroDivisionError: no beat" in stage.step()
        assert stage.show.pictures_shown == shown + 1
        assert "controls failed" in stage.step(30.0)
    assert "controls failed" in stage.step(), "long enough to be read"
    assert stage.step(10.0) == ""


def test_a_picture_waits_until_its_sound_is_heard_so_that_no_latency_is_below_zero(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A track played aloud is known to the engine before the loudspeakers sound it."""
    monkeypatch.setattr("lavlive.show.show.time.perf_counter", lambda: stage.now)
    stage.show.latency.seconds = 0.0
    shown = stage.show.pictures_shown
    lead = 0.06
    for _ in range(60):
        stage.show.link.write_picture(np.ones((8, 8, 3), np.uint8), stage.now + lead, stage.now, 0)
        stage.step(1 / 60)
        assert stage.show.latency.seconds >= 0.0
    assert stage.show.pictures_shown - shown == pytest.approx(60 - 60 * lead, abs=1.5)
    assert stage.show.latency.seconds <= 1 / 60


def test_a_picture_with_an_impossible_time_is_shown_at_once(stage: Stage) -> None:
    shown = stage.show.pictures_shown
    stage.show.link.write_picture(np.ones((8, 8, 3), np.uint8), stage.now + 3600.0, stage.now, 0)
    stage.step()
    assert stage.show.pictures_shown == shown + 1


def test_the_key_records_and_the_key_ends_it(stage: Stage, tmp_path: Path) -> None:
    stage.show.leaving.recordings = Recordings(tmp_path / "show.mp4")
    stage.control.press("r", {"ctrl"})
    for number in range(400):
        stage.show.link.write_picture(np.full((8, 8, 3), number % 255, np.uint8), 0.0, 0.0, 0)
        stage.step()
        if stage.show.recordings.recorder is not None:
            break
        time.sleep(0.01)
    assert stage.show.recordings.wanted
    stage.step()
    stage.step()  # a canvas is read in one step and there in the next
    stage.control.press("r", {"ctrl"})
    stage.step()
    assert not stage.show.recordings.wanted
    stage.show.recordings.close()
    assert (tmp_path / "show.mp4").stat().st_size > 0


def test_h_says_the_keys_in_the_terminal_where_no_panel_is_open(stage: Stage) -> None:
    said: list[str] = []
    stage.show.notices = Notices(said.append)
    stage.control.press("f1")
    stage.step()
    assert "Ctrl+R" in said[0]
    assert "begin or end a recording" in said[0]
    assert stage.show.notices.history == Notices().history


def test_a_recording_that_fails_is_announced_and_the_pictures_go_on(stage: Stage) -> None:
    class Recorder:
        error = None

        def wants(self, now: float) -> bool:
            raise MemoryError

    stage.show.recordings.recorder = Recorder()  # type: ignore[assignment]
    assert "recorder or another output failed" in stage.step()
    stage.show.link.write_picture(np.ones((8, 8, 3), np.uint8), 0.0, 0.0, 0)
    shown = stage.show.pictures_shown
    stage.step()
    assert stage.show.pictures_shown == shown + 1


def test_a_display_that_fails_for_a_moment_ends_nothing_and_one_that_fails_for_good_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("context lost")

    with monkeypatch.context() as broken:
        broken.setattr(stage.show.output, "present", fail)
        stage.step(3600.0)  # the computer slept, and the driver has not woken
        stage.step(BLIND_SECONDS - 1.0)
    stage.step()
    monkeypatch.setattr(stage.show.output, "present", fail)
    stage.step()
    with pytest.raises(RuntimeError, match="context lost"):
        stage.step(BLIND_SECONDS + 1.0)


def test_a_panel_that_cannot_even_be_closed_does_not_end_the_show(stage: Stage) -> None:
    class Panel:
        should_close = True

        def poll(self) -> list[object]:
            return []

        def close(self) -> None:
            raise RuntimeError("no context")

    stage.show.operator.window = Panel()  # type: ignore[assignment]
    assert "no context" in stage.step()
    assert stage.show.operator.window is None


@pytest.mark.parametrize(
    ("meter", "word"), [("audio.opposite", "opposite"), ("audio.too_quiet", "too quiet")]
)
def test_what_is_wrong_with_the_sound_is_told_as_long_as_it_is(stage: Stage, meter: str, word: str) -> None:
    stage.show.link.meter(meter)[0] = 1
    assert word in stage.step()
    assert word in stage.step(60.0)
    stage.show.link.meter(meter)[0] = 0
    assert word not in stage.step()


def test_what_keeps_a_show_from_beginning_is_left_to_whoever_started_it(tmp_path: Path) -> None:
    with SharedBlock.create() as link:
        stage = Stage(link, tmp_path)
        stage.tell(Refused(FailureKind.DEVICE_AWAY, "there is no input “nosuch”"))
        assert not any("nosuch" in notice.text for notice in stage.notices.history)
        stage.keeper.close()
        stage.control.close()


def test_an_output_is_switched_by_key_told_about_and_fed_with_picture_and_sound(stage: Stage) -> None:
    taken: list[float] = []
    heard: list[int] = []

    class Receiver:
        def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
            taken.append(shot.time)
            self.hear(sound)

        def hear(self, sound: list[SoundBlock]) -> None:
            heard.extend(len(block.samples) for block in sound)

        def close(self) -> None:
            pass

    tell = lambda text: stage.notices.tell(text, stage.now)  # noqa: E731
    spec = OutletSpec("stream", "stream", "rtmp://host/app", Receiver)
    stage.show.leaving.outlets = Outlets([spec], tell)
    stage.control.press("s", {"ctrl"})
    stage.step()
    samples = np.zeros((4800, 2), np.float32)

    def play() -> None:
        stage.show.link.write_sound(samples, 48_000, captured=stage.now)
        stage.step()

    wait_until(lambda: len(taken) >= 3, meanwhile=play)
    assert "Stream: on, to rtmp://host/app" in [notice.text for notice in stage.notices.history]
    assert sum(heard) >= 4800
    assert all(time <= stage.now for time in taken)
    stage.control.press("n", {"ctrl"})
    assert "There is no ndi" in stage.step()
    stage.control.press("s", {"ctrl"})
    assert "Stream: off" in stage.step()
    stage.show.outlets.close()


def test_as_long_as_learn_waits_for_a_control_it_says_so_and_how_to_give_up(stage: Stage) -> None:
    stage.show.control.learn(Action("preset.load", "House"))
    stage.step()
    told = stage.step(60.0)
    assert "Move a control for preset.load House; L gives up" in told
    stage.show.operator.learn(stage.now)
    assert "Move a control" not in stage.step()
