"""Sources that are changed in the middle of a show, with real tracks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lavlive.audio.sources import Source, SourceSpec, open_source
from lavlive.engine import source_switch
from lavlive.engine.source_switch import SourceSwitch
from lavlive.errors import SourceError
from lavlive.link.messages import EngineEvent, SourceLost, SourceOpened, SourceRefused, SourceRunning
from tests.support.waiting import wait_until

RATE = 24_000


class Listener:
    """What a latent worker and a stage would get of a switch."""

    def __init__(self, spec: SourceSpec) -> None:
        self.told: list[EngineEvent] = []
        self.sources: list[Source] = []
        self.switch = SourceSwitch(spec, self.told.append)
        self.switch.on_change = self.sources.append

    def wait(self, condition: Callable[[], bool]) -> None:
        wait_until(condition, what=lambda: self.told, meanwhile=self.switch.step)

    def heard(self, kind: type[EngineEvent]) -> bool:
        return any(isinstance(event, kind) for event in self.told)

    def opened(self) -> list[str | None]:
        return [event.source.name for event in self.told if isinstance(event, SourceOpened)]


def track(path: Path) -> SourceSpec:
    soundfile.write(path, np.zeros(RATE, np.float32), RATE)
    return SourceSpec("track", str(path))


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listening = Listener(track(tmp_path / "first.wav"))
    listening.switch.start(resumed=False)
    yield listening
    listening.switch.stop()


def test_another_source_takes_over_when_it_is_open(listener: Listener, tmp_path: Path) -> None:
    first = listener.switch.source
    second = track(tmp_path / "second.wav")
    listener.switch.change(second)
    listener.wait(lambda: len(listener.opened()) == 2)
    assert listener.sources == [listener.switch.source]
    assert listener.switch.source.name == "second.wav"
    listener.wait(lambda: first.state == "idle")
    assert listener.opened()[-1] == second.name


def test_what_cannot_be_opened_is_told_and_the_old_source_goes_on(listener: Listener, tmp_path: Path) -> None:
    before = listener.switch.source
    missing = SourceSpec("track", str(tmp_path / "missing.wav"))
    listener.switch.change(missing)
    listener.wait(lambda: listener.heard(SourceRefused))
    assert listener.switch.source is before
    assert before.state == "running"
    refused = listener.told[-1]
    assert isinstance(refused, SourceRefused)
    assert refused.source == missing


def test_of_several_wishes_the_last_one_is_heard(listener: Listener, tmp_path: Path) -> None:
    for number in range(20):
        listener.switch.change(track(tmp_path / f"{number}.wav"))
    listener.wait(lambda: listener.switch.source.name == "19.wav")


def test_at_the_beginning_of_a_show_a_missing_track_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        Listener(SourceSpec("track", str(tmp_path / "missing.wav"))).switch.start(resumed=False)


def test_in_the_middle_of_a_show_it_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later.wav"
    listener = Listener(SourceSpec("track", str(path)))
    listener.switch.start(resumed=True)
    try:
        listener.wait(lambda: listener.heard(SourceLost))
        track(path)
        listener.wait(lambda: listener.heard(SourceRunning))
        assert listener.opened() == [str(path)]
    finally:
        listener.switch.stop()


def test_a_source_that_opens_after_the_end_is_let_go_of(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, returns = threading.Event(), threading.Event()
    late: list[Source] = []

    class Late(Source):
        def start(self, wait_for_device: bool = False) -> None:
            late.append(self)
            hangs.set()
            returns.wait(10)
            super().start(wait_for_device)

    monkeypatch.setattr(source_switch, "open_source", lambda spec: Late(open_source(spec)._opener))
    first = listener.switch.source
    listener.switch.change(track(tmp_path / "late.wav"))
    assert hangs.wait(10)
    listener.switch.stop()
    returns.set()
    listener.switch._thread.join(10)
    assert late[0].state == "idle"
    assert late[0]._capture is None
    assert listener.switch.source is first
    assert listener.sources == []


def test_a_driver_that_keeps_a_lost_device_asks_for_another_process(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lavlive.audio.portaudio.hangs", lambda: True)
    assert not listener.switch.stuck(0.0)
    assert not listener.switch.stuck(10.0), "a source that is heard needs nobody"
    listener.switch.source._state = "lost"
    assert not listener.switch.stuck(20.0)
    assert not listener.switch.stuck(21.5)
    assert listener.switch.stuck(22.5)
    monkeypatch.setattr("lavlive.audio.portaudio.hangs", lambda: False)
    assert not listener.switch.stuck(30.0)
