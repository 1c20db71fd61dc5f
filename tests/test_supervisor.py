"""The watch over the engine, with injected time and an engine that is only a script."""

from collections.abc import Iterator
from typing import Any

import pytest

from lavlive.audio.sources import SourceSpec
from lavlive.engine_settings import EngineSettings
from lavlive.errors import LavliveError
from lavlive.link import Link
from lavlive.supervisor import CRASHES_UNTIL_SAFE, HEARTBEAT_LIMIT, START_LIMIT, Event, Supervisor


class ScriptedEngine:
    def __init__(self, link_name: str, settings: EngineSettings) -> None:
        self.settings = settings
        self.told: list[Event] = []
        self.commands: list[dict[str, Any]] = []
        self.status: int | None = None
        self.killed = False

    def events(self) -> list[Event]:
        told, self.told = self.told, []
        return told

    def send(self, command: dict[str, Any]) -> None:
        self.commands.append(command)

    def exit_status(self) -> int | None:
        return self.status

    def kill(self) -> None:
        self.killed = True

    def close(self, timeout: float) -> None:
        self.killed = True


class Rig:
    """A supervisor with all the engines that it started."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.engines: list[ScriptedEngine] = []
        settings = EngineSettings(SourceSpec("input", "Mixer"), model="mine.pkl", encoder="encodec")
        self.supervisor = Supervisor(link, settings, self.start, now=0.0)

    def start(self, link_name: str, settings: EngineSettings) -> ScriptedEngine:
        self.engines.append(ScriptedEngine(link_name, settings))
        return self.engines[-1]

    def ready(self, now: float) -> None:
        self.engines[-1].told.append({"event": "ready"})
        self.beat(now)
        self.supervisor.step(now)

    def beat(self, now: float) -> None:
        self.link.meter("engine.heartbeat")[0] = now


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Link.create() as link:
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
    assert [event["event"] for event in events] == ["restarted"]
    assert len(rig.engines) == 2
    replacement = rig.engines[1].settings
    assert replacement.source == SourceSpec("input", "Mixer")
    assert replacement.model == "mine.pkl"
    assert replacement.resumed


def test_an_engine_without_heartbeat_is_killed_and_replaced(rig: Rig) -> None:
    rig.ready(1.0)
    rig.supervisor.step(1.0 + HEARTBEAT_LIMIT - 0.1)
    assert len(rig.engines) == 1
    rig.supervisor.step(1.0 + HEARTBEAT_LIMIT + 0.1)
    assert rig.engines[0].killed
    assert len(rig.engines) == 2


def test_an_engine_that_never_starts_is_replaced(rig: Rig) -> None:
    rig.supervisor.step(START_LIMIT - 1)
    assert len(rig.engines) == 1
    rig.supervisor.step(START_LIMIT + 1)
    assert len(rig.engines) == 2


def test_three_crashes_in_a_minute_lead_to_safe_mode(rig: Rig) -> None:
    for crash in range(CRASHES_UNTIL_SAFE):
        rig.ready(10.0 * crash)
        rig.engines[-1].status = 3
        events = rig.supervisor.step(10.0 * crash + 1)
        assert events[-1]["safe"] == (crash == CRASHES_UNTIL_SAFE - 1)
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
    rig.engines[0].told.append({"event": "refused", "text": "There is no input Mixer."})
    rig.engines[0].status = 2
    with pytest.raises(LavliveError, match="no input Mixer"):
        rig.supervisor.step(1.0)


def test_a_later_engine_that_refuses_is_only_another_crash(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].status = 3
    rig.supervisor.step(2.0)
    rig.engines[1].told.append({"event": "refused", "text": "gone"})
    rig.engines[1].status = 2
    rig.supervisor.step(3.0)
    assert len(rig.engines) == 3


def test_a_swapped_model_and_a_new_source_survive_a_restart(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].told.append({"event": "model", "state": "ready", "path": "other.pkl"})
    rig.supervisor.step(1.5)
    rig.supervisor.change_source(SourceSpec("track", "a.wav"))
    assert rig.engines[0].commands[-1]["do"] == "source"
    rig.engines[0].status = -6
    rig.supervisor.step(2.0)
    assert rig.engines[1].settings.model == "other.pkl"
    assert rig.engines[1].settings.source.name == "a.wav"


def test_running_out_of_gpu_memory_steps_down_to_the_cpu(rig: Rig) -> None:
    rig.ready(1.0)
    rig.engines[0].told.append({"event": "failing", "text": "OutOfMemoryError: CUDA out of memory."})
    rig.engines[0].status = 3
    rig.supervisor.step(2.0)
    assert rig.engines[1].settings.runner == "torch"
    assert rig.engines[1].settings.model == "mine.pkl"


def test_settings_travel_as_one_line_of_json(rig: Rig) -> None:
    line = rig.supervisor.settings.to_json()
    assert "\n" not in line
    assert EngineSettings.from_json(line) == rig.supervisor.settings
