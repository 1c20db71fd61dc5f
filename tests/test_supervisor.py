"""The watch over the engine, with injected time and an engine that is only a script."""

from collections.abc import Iterator

import numpy as np
import pytest

from lavlive.audio.spec import SourceSpec
from lavlive.errors import LavliveError
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import (
    ChangeSource,
    Command,
    EngineEvent,
    Failing,
    FailureKind,
    LoadModel,
    Misunderstood,
    ModelReady,
    ModelRefused,
    Ready,
    Refused,
    Restarted,
    SourceOpened,
    SourceRefused,
)
from lavlive.link.settings import EngineSettings
from lavlive.link.supervisor import (
    CRASHES_UNTIL_SAFE,
    HEARTBEAT_LIMIT,
    SPARE_AFTER,
    START_LIMIT,
    Supervisor,
)


class ScriptedEngine:
    def __init__(self, link_name: str, settings: EngineSettings | None) -> None:
        self.settings = settings
        self.told: list[EngineEvent] = []
        self.commands: list[Command] = []
        self.status: int | None = None
        self.killed = False
        self.waiting = True

    def events(self) -> list[EngineEvent]:
        told, self.told = self.told, []
        return told

    def send(self, command: Command) -> None:
        self.commands.append(command)

    def exit_status(self) -> int | None:
        return self.status

    def begin(self, settings: EngineSettings) -> None:
        self.settings = settings

    def kill(self) -> None:
        self.killed = True

    def close(self, timeout: float) -> None:
        self.killed = True


class Rig:
    """A supervisor with all the engines that it started."""

    def __init__(self, link: SharedBlock) -> None:
        self.link = link
        self.engines: list[ScriptedEngine] = []
        self.spares: list[ScriptedEngine] = []
        self.broken: type[Exception] | None = None
        settings = EngineSettings(SourceSpec("input", "Mixer"), model="mine.pkl", encoder="encodec")
        self.supervisor = Supervisor(link, settings, self.start, 0.0, self.spare)

    def start(self, link_name: str, settings: EngineSettings) -> ScriptedEngine:
        if self.broken:
            raise self.broken("nothing to be had")
        self.engines.append(ScriptedEngine(link_name, settings))
        return self.engines[-1]

    def spare(self, link_name: str) -> ScriptedEngine:
        if self.broken:
            raise self.broken("nothing to be had")
        self.spares.append(ScriptedEngine(link_name, None))
        return self.spares[-1]

    def ready(self, now: float) -> None:
        self.engines[-1].told.append(Ready())
        self.beat(now)
        self.supervisor.step(now)

    def look(self, begin: float, end: float) -> None:
        """Step as a stage does, only less often."""
        for now in np.arange(begin, end, 0.05):
            self.supervisor.step(float(now))

    def beat(self, now: float) -> None:
        self.link.meter("engine.heartbeat")[0] = now


@pytest.fixture
def rig() -> Iterator[Rig]:
    with SharedBlock.create() as link:
        yield Rig(link)


def test_a_beating_engine_is_left_alone(rig: Rig) -> None:
    rig.ready(1.0)
    for now in range(2, 100):
        rig.beat(now)
        assert rig.supervisor.step(now + 0.5) == []
    assert len(rig.engines) == 1
    assert rig.supervisor.state == "running"


def test_an_engine_that_exits_is_replaced_with_the_same_state(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].status = -9
    events = rig.supervisor.step(1.1)
    assert [type(event) for event in events] == [Restarted]
    assert len(rig.engines) == 2
    replacement = rig.engines[1].settings
    assert replacement.source == SourceSpec("input", "Mixer")
    assert replacement.model == "mine.pkl"
    assert replacement.resumed


def test_an_engine_without_heartbeat_is_killed_and_replaced(rig: Rig) -> None:
    rig.ready(1.0)
    rig.look(1.0, 1.0 + HEARTBEAT_LIMIT - 0.1)
    assert len(rig.engines) == 1
    rig.look(1.0 + HEARTBEAT_LIMIT - 0.1, 1.0 + HEARTBEAT_LIMIT + 0.1)
    assert rig.engines[0].killed
    assert len(rig.engines) == 2


def test_an_engine_that_never_starts_is_replaced(rig: Rig) -> None:
    rig.look(0.0, START_LIMIT - 1)
    assert len(rig.engines) == 1
    rig.look(START_LIMIT - 1, START_LIMIT + 1)
    assert len(rig.engines) == 2


def test_on_a_slow_machine_each_try_to_start_gets_twice_the_time_of_the_one_before(rig: Rig) -> None:
    rig.look(0.0, START_LIMIT + 1)
    rig.look(START_LIMIT + 1, 3 * START_LIMIT - 1)
    assert len(rig.engines) == 2
    rig.ready(3 * START_LIMIT - 1)
    assert rig.supervisor.state == "running"
    assert not rig.supervisor.safe
    rig.engines[-1].status = 3  # from now on it is known to start
    rig.supervisor.step(300.0)
    rig.look(300.0, 300.0 + START_LIMIT + 1)
    assert len(rig.engines) == 4


def test_three_starts_without_an_end_lead_to_safe_mode(rig: Rig) -> None:
    for late in (91.0, 272.0, 633.0):
        assert not rig.supervisor.safe
        rig.look(late - 3.0, late)  # the computer does not sleep; the rest of the time is left out
    assert len(rig.engines) == 4
    assert rig.supervisor.safe
    assert rig.engines[-1].settings.model is None


def test_after_the_computer_slept_the_engine_gets_time_to_show_that_it_lives(rig: Rig) -> None:
    rig.ready(1.0)
    rig.supervisor.step(3601.0)
    rig.beat(3601.1)
    rig.look(3601.2, 3603.0)
    assert rig.supervisor.restarts == 0
    rig.look(3603.0, 3604.0)
    assert rig.supervisor.restarts == 1


def test_three_crashes_in_a_minute_lead_to_safe_mode(rig: Rig) -> None:
    for crash in range(CRASHES_UNTIL_SAFE):
        rig.ready(10.0 * crash)
        rig.engines[-1].status = 3
        events = rig.supervisor.step(10.0 * crash + 1)
        restarted = events[-1]
        assert isinstance(restarted, Restarted)
        assert restarted.safe == (crash == CRASHES_UNTIL_SAFE - 1)
    safe = rig.engines[-1].settings
    assert (safe.model, safe.encoder, safe.runner) == (None, "bundled", "torch")
    assert safe.source == SourceSpec("input", "Mixer")


def test_rare_crashes_keep_the_performers_model(rig: Rig) -> None:
    for crash in range(6):
        rig.ready(100.0 * crash)
        rig.engines[-1].status = 3
        rig.supervisor.step(100.0 * crash + 1)
    assert not rig.supervisor.safe
    assert rig.engines[-1].settings.model == "mine.pkl"


def test_a_first_engine_that_refuses_ends_the_show_with_its_reason(rig: Rig) -> None:
    rig.engines[0].told.append(Refused(FailureKind.DEVICE_AWAY, "There is no input Mixer."))
    rig.engines[0].status = 2
    with pytest.raises(LavliveError, match="no input Mixer"):
        rig.supervisor.step(1.0)


def test_a_show_that_no_engine_can_start_for_ends_with_the_reason(rig: Rig) -> None:
    def fail(now: float) -> None:
        rig.engines[-1].told.append(Failing(FailureKind.WORKER_FAILED, "OSError: no such file: libtorch"))
        rig.engines[-1].status = 3
        rig.supervisor.step(now)

    for crash in range(CRASHES_UNTIL_SAFE):
        fail(2.0 * (crash + 1))
    assert rig.supervisor.safe
    with pytest.raises(LavliveError, match="no such file: libtorch"):
        fail(20.0)
    assert rig.engines[-1].settings is not None
    assert rig.engines[-1].settings.model is None


def test_an_engine_that_refuses_to_come_back_leads_to_safe_mode_at_once(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].status = 3
    rig.supervisor.step(2.0)
    rig.engines[1].told.append(Refused(FailureKind.UNUSABLE, "There is no model mine.pkl."))
    rig.engines[1].status = 2
    event = rig.supervisor.step(3.0)[-1]
    assert isinstance(event, Restarted)
    assert event.safe
    assert "mine.pkl" in event.reason
    assert rig.engines[2].settings is not None
    assert rig.engines[2].settings.model is None


def test_a_swapped_model_and_a_new_source_survive_a_restart(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].told.append(ModelReady("other.pkl"))
    rig.supervisor.step(1.5)
    rig.supervisor.change_source(SourceSpec("track", "a.wav"))
    assert rig.engines[0].commands[-1] == ChangeSource(SourceSpec("track", "a.wav"))
    rig.engines[0].status = -6
    rig.supervisor.step(2.0)
    assert rig.engines[1].settings is not None
    assert rig.engines[1].settings.model == "other.pkl"
    assert rig.engines[1].settings.source.name == "a.wav"


def test_a_shape_that_was_refused_is_not_asked_of_the_next_engine(rig: Rig) -> None:
    rig.ready(1.0)
    rig.supervisor.change_shape(16 / 9, 0.5)
    assert rig.engines[0].commands[-1] == LoadModel("mine.pkl", 0.5, 16 / 9)
    rig.engines[0].told.append(ModelReady("mine.pkl"))
    rig.supervisor.step(1.5)
    rig.supervisor.change_shape(8.0, 0.5)
    rig.engines[0].told.append(ModelRefused("mine.pkl", "too large"))
    rig.supervisor.step(1.6)
    rig.engines[0].status = -6
    rig.supervisor.step(2.0)
    assert rig.engines[1].settings is not None
    assert rig.engines[1].settings.aspect == 16 / 9


def test_running_out_of_gpu_memory_steps_down_to_the_cpu(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].told.append(Failing(FailureKind.OUT_OF_MEMORY, "OutOfMemoryError: CUDA has none left."))
    rig.engines[0].status = 3
    rig.supervisor.step(2.0)
    assert rig.engines[1].settings.runner == "auto"  # the fastest of what needs no graphics card
    assert rig.engines[1].settings.device == "cpu"
    assert rig.engines[1].settings.model == "mine.pkl"


def test_an_illegal_memory_access_is_not_announced_as_out_of_memory(rig: Rig) -> None:
    rig.ready(1.0)
    text = "RuntimeError: CUDA error: an illegal memory access was encountered"
    rig.engines[0].told.append(Failing(FailureKind.WORKER_FAILED, text))
    rig.engines[0].status = 3
    restarted = rig.supervisor.step(2.0)[-1]
    assert isinstance(restarted, Restarted)
    assert not restarted.stepped_down
    assert rig.engines[1].settings is not None
    assert rig.engines[1].settings.runner == "auto"


def test_a_model_that_does_not_fit_after_a_restart_leaves_the_graphics_card_and_stays(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].status = 3
    rig.supervisor.step(2.0)
    rig.engines[1].told.append(Refused(FailureKind.MODEL_DOES_NOT_FIT, "It needs 9000 MiB."))
    rig.engines[1].status = 2
    rig.supervisor.step(4.0)
    assert not rig.supervisor.safe
    replacement = rig.engines[2].settings
    assert replacement is not None
    assert (replacement.model, replacement.runner, replacement.device) == ("mine.pkl", "auto", "cpu")


def test_lines_that_are_no_messages_are_counted_and_told(rig: Rig) -> None:
    rig.ready(1.0)
    strange = Misunderstood("There is no message 'Sing' of version 1.")
    rig.engines[0].told += [strange, strange]
    assert rig.supervisor.step(1.5) == [strange, strange]
    assert rig.supervisor.misunderstood == 2
    assert rig.supervisor.restarts == 0


def test_a_restart_asks_for_the_very_device_that_was_found(rig: Rig) -> None:
    rig.ready(1.0)
    found = SourceSpec("input", "alsa_input.usb-Mixer-00", channels="1,2")
    rig.engines[0].told.append(SourceOpened(found))
    rig.supervisor.step(1.5)
    rig.engines[0].status = -9
    rig.supervisor.step(2.0)
    assert rig.supervisor.settings.source.name == "alsa_input.usb-Mixer-00"


def test_a_source_that_is_refused_is_not_tried_after_a_restart(rig: Rig) -> None:
    rig.ready(1.0)
    wrong = SourceSpec("input", "nobody")
    rig.supervisor.change_source(wrong)
    assert rig.supervisor.settings.source == wrong
    rig.engines[0].told.append(SourceRefused(wrong, ""))
    rig.supervisor.step(1.5)
    assert rig.supervisor.settings.source == SourceSpec("input", "Mixer")


def test_a_spare_that_waited_takes_the_place_of_a_dead_engine(rig: Rig) -> None:
    rig.ready(1.0)
    rig.beat(1.0 + SPARE_AFTER)
    rig.supervisor.step(1.0 + SPARE_AFTER)
    assert [spare.settings for spare in rig.spares] == [None]
    rig.engines[0].status = -9
    rig.supervisor.step(7.0)
    assert len(rig.engines) == 1
    assert rig.spares[0].settings == rig.supervisor.settings
    rig.spares[0].told.append(Ready())
    for now in (7.5, 7.6 + SPARE_AFTER):
        rig.beat(now)
        rig.supervisor.step(now)
    assert len(rig.spares) == 2


def test_a_spare_that_still_loads_gives_way_to_an_engine_that_starts_at_full_speed(rig: Rig) -> None:
    rig.ready(1.0)
    rig.beat(6.0)
    rig.supervisor.step(6.0)
    rig.spares[0].waiting = False
    rig.engines[0].status = -9
    rig.supervisor.step(6.1)
    assert rig.spares[0].killed
    assert len(rig.engines) == 2


def test_a_spare_that_died_is_not_used(rig: Rig) -> None:
    rig.ready(1.0)
    rig.beat(6.0)
    rig.supervisor.step(6.0)
    rig.spares[0].status = -9
    rig.engines[0].status = -9
    rig.supervisor.step(6.1)
    assert len(rig.engines) == 2


def test_a_spare_that_died_is_let_go_of_before_the_next(rig: Rig) -> None:
    """Its process is gone, but the stage's threads and pipes to it are not."""
    rig.ready(1.0)
    rig.beat(6.0)
    rig.supervisor.step(6.0)
    rig.spares[0].status = -9
    rig.beat(9.0)
    rig.supervisor.step(9.0)
    assert len(rig.spares) == 2
    assert rig.spares[0].killed


def test_engines_that_end_at_once_are_not_started_faster_than_once_a_second(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].status = 3
    for hundredth in range(200, 600):
        rig.supervisor.step(hundredth / 100)
        rig.engines[-1].status = 3
    assert 3 <= len(rig.engines) - 1 <= 5


@pytest.mark.parametrize("nothing", [OSError, MemoryError, RuntimeError])
def test_a_system_without_room_for_a_process_or_thread_does_not_end_the_show(
    rig: Rig, nothing: type[Exception]
) -> None:
    rig.ready(1.0)
    rig.broken = nothing
    for now in range(2, 10):  # no spare, either
        rig.beat(now)
        rig.supervisor.step(now)
    rig.engines[0].status = -9
    for now in range(10, 20):
        rig.supervisor.step(now)
    assert len(rig.engines) == 1
    rig.broken = None
    rig.supervisor.step(20.5)
    assert len(rig.engines) == 2


def test_the_stage_writes_none_of_the_engines_meters_and_counts_no_old_beat(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].status = -9
    rig.supervisor.step(2.0)
    rig.look(2.0, 20.0)
    rig.engines[1].told.append(Ready())
    rig.look(20.0, 20.0 + HEARTBEAT_LIMIT - 0.1)
    assert rig.supervisor.restarts == 1
    assert rig.link.number("engine.heartbeat") == 1.0
    rig.look(20.0 + HEARTBEAT_LIMIT - 0.1, 20.0 + HEARTBEAT_LIMIT + 0.1)
    assert rig.supervisor.restarts == 2


def test_stepping_down_goes_from_the_card_to_the_fastest_cpu_runner_and_only_then_to_torch() -> None:
    settings = EngineSettings(SourceSpec("demo"), model="mine.pkl", runner="cuda")
    seen = []
    for _ in range(3):
        settings = settings.stepped_down()
        seen.append((settings.runner, settings.device, settings.on_cpu))
    assert seen == [("auto", "cpu", True), ("torch", "cpu", True), ("torch", "cpu", True)]
    assert not EngineSettings().on_cpu
    assert EngineSettings(runner="openvino").on_cpu
