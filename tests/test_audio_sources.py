"""Sources: their description, a track's pace, and the loss and return of a device; by an injected clock."""

import json
import threading
from collections import deque
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from lavlive.audio import source as source_module
from lavlive.audio.channels import FRONT, Pick
from lavlive.audio.devices import Device
from lavlive.audio.players import AloudPlayer, SilentPlayer
from lavlive.audio.ring import Ring
from lavlive.audio.source import Source
from lavlive.audio.sources import SourceSpec, open_source
from lavlive.audio.tracks import Track
from lavlive.checking import FieldError, plain, read_as
from lavlive.errors import SourceError
from tests.support.waiting import wait_until


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Machine:
    """A device that can be pulled out and put back, with another format."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rate, self.channels = 48_000, 2
        self.plugged = True
        self.opened: list[Plug] = []
        self.tries: list[float] = []

    def open(self) -> "Plug":
        self.tries.append(self.clock.now)
        if not self.plugged:
            raise SourceError("“Interface” is not there")
        self.opened.append(Plug(self))
        return self.opened[-1]


class Plug:
    """One opening of the device."""

    def __init__(self, machine: Machine) -> None:
        self.name = self.address = "Interface"
        self.machine = machine
        self.ring = Ring(1.0, machine.rate, machine.channels)
        self.heard = machine.clock.now
        self.ended = False
        self.closed = False
        self.notices: deque[str] = deque()
        self.reason: str | None = None

    def start(self) -> None:
        self.heard = self.machine.clock.now

    def tend(self, now: float) -> str | None:
        return self.reason

    def close(self) -> None:
        self.closed = True

    def deliver(self, gap: bool = False) -> None:
        self.heard = self.machine.clock.now
        self.ring.write(np.zeros((480, self.ring.channels), np.float32), self.heard, gap)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def machine(clock):
    return Machine(clock)


@pytest.fixture
def source(machine, clock):
    """An open source whose watch is the test itself."""
    source = Source(machine.open, clock)
    source._open(source._stop)
    return source


def run(source: Source, machine: Machine, seconds: float, sound: bool = True) -> list[tuple[float, str]]:
    """Let time pass, with or without sound; returns (time, event) pairs."""
    events = []
    for _ in range(round(seconds / 0.25)):
        machine.clock.now += 0.25
        if sound and source.state == "running":
            machine.opened[-1].deliver()
        source.check(machine.clock.now)
        source.read()
        events += [(event.time, str(event.kind)) for event in source.events()]
    return events


def test_a_device_that_gives_sound_stays_running(source, machine):
    assert run(source, machine, 60) == []
    assert (source.state, source.losses, source.xruns) == ("running", 0, 0)


def test_a_device_that_goes_silent_without_a_word_is_lost_after_a_second(source, machine):
    run(source, machine, 10)
    events = run(source, machine, 1.5, sound=False)
    assert [kind for _, kind in events] == ["lost"]
    assert events[0][0] == pytest.approx(1011.25)
    assert machine.opened[0].closed


def test_a_device_that_has_just_been_opened_has_five_seconds_to_wake(source, machine):
    assert run(source, machine, 4.75, sound=False) == []
    assert [kind for _, kind in run(source, machine, 0.75, sound=False)] == ["lost"]


def test_a_lost_device_is_tried_every_two_seconds_and_taken_back_with_its_new_format(source, machine):
    run(source, machine, 10)
    machine.opened[0].deliver(gap=True)
    machine.plugged, machine.opened[0].reason = False, "it was unplugged"
    assert [kind for _, kind in run(source, machine, 0.25)] == ["lost"]
    lost_at, before = machine.clock.now, len(machine.tries)
    assert run(source, machine, 20) == []
    tries = machine.tries[before:]
    assert len(tries) == 10
    assert np.diff([lost_at, *tries]) == pytest.approx(2.0)
    machine.plugged, machine.rate, machine.channels = True, 44_100, 1
    assert [kind for _, kind in run(source, machine, 2.25)] == ["running"]
    assert (source.state, source.rate, source.channels, source.losses) == ("running", 44_100, 1, 1)
    assert source.xruns == 1, "counts go on over a loss"
    assert source.ring is machine.opened[-1].ring


def test_a_device_that_comes_back_and_stalls_again_is_lost_again(source, machine):
    for _ in range(3):
        run(source, machine, 10)
        run(source, machine, 9, sound=False)
    assert source.losses >= 3


def test_a_restarted_engine_waits_for_a_device_that_is_away(machine, clock):
    machine.plugged = False
    source = Source(machine.open, clock)
    with pytest.raises(SourceError, match="not there"):
        source.start()
    source.start(wait_for_device=True)
    assert source.state == "lost"
    assert source.read() is None
    source.stop()
    assert source.state == "idle"


def test_a_driver_that_raises_something_odd_cannot_end_the_watch(machine, clock):
    class Odd(Plug):
        def tend(self, now: float) -> str | None:
            raise ZeroDivisionError("driver")

    source = Source(lambda: Odd(machine), clock)
    source.start()
    wait_until(lambda: source.state == "lost")
    (event,) = source.events()
    assert "ZeroDivisionError: driver" in event.text
    clock.now += 2
    wait_until(lambda: source.state == "running")
    source.stop()


def test_notices_of_a_player_become_events(source, machine):
    machine.opened[0].notices.append("the output went away")
    source.check(machine.clock.now)
    assert [(event.kind, event.text) for event in source.events()] == [("notice", "the output went away")]


def test_only_the_channels_asked_for_are_heard(machine, clock):
    machine.channels = 4
    source = Source(machine.open, clock, Pick.parse("4,2"))
    source._open(source._stop)
    assert heard(source, machine) == [[4, 2]]
    with pytest.raises(SourceError, match="has 4 channels; there is no channel 5"):
        Source(machine.open, clock, Pick.parse("5")).start()
    assert machine.opened[-1].closed


def heard(source: Source, machine: Machine) -> list[list[float]]:
    """What is heard of a sample that tells its channel."""
    channels = np.arange(1, source.channels + 1, dtype=np.float32)
    machine.opened[-1].ring.write(channels[None], 0.0)
    block = source.read()
    assert block is not None
    sounds: list[list[float]] = block.mixed().tolist()
    return sounds


def test_other_channels_are_heard_from_the_next_sample_on(machine, clock):
    machine.channels = 4
    source = Source(machine.open, clock, FRONT)
    source._open(source._stop)
    assert heard(source, machine) == [[1, 2]]
    source.hear(Pick.parse("3,4"))
    assert heard(source, machine) == [[3, 4]]
    source.hear(Pick("side"))
    assert heard(source, machine) == [[-0.5]]
    source.hear(None)
    assert heard(source, machine) == [[1, 2]]
    assert run(source, machine, 1) == []
    assert len(machine.opened) == 1


def test_channels_that_a_device_does_not_have_are_told_once_and_the_old_ones_go_on(machine, clock):
    source = Source(machine.open, clock, FRONT)
    source._open(source._stop)
    source.hear(Pick.parse("3,4"))
    assert heard(source, machine) == [[1, 2]]
    clock.now += 0.25
    source.check(clock.now)
    (event,) = source.events()
    assert event.text == "Interface has 2 channels; there is no channel 4, so it goes on with the first two"
    assert run(source, machine, 5) == []


def test_a_device_that_was_opened_too_narrow_is_opened_anew(machine, clock):
    def widen(pick: Pick) -> bool:
        machine.channels = max(machine.channels, pick.needs)
        return pick.needs > 2

    source = Source(machine.open, clock, FRONT, widen)
    source._open(source._stop)
    source.hear(Pick.parse("4"))
    assert run(source, machine, 0.25) == []
    assert machine.opened[0].closed
    assert heard(source, machine) == [[4]]
    assert source.losses == 0


@pytest.mark.parametrize(
    "spec",
    [
        SourceSpec("input", "USB", channels="3,4"),
        SourceSpec("loopback"),
        SourceSpec("track", "/music/song.flac", aloud=True, loop=False),
        SourceSpec("demo"),
    ],
)
def test_a_description_survives_json(spec):
    assert read_as(SourceSpec, json.loads(json.dumps(plain(spec)))) == spec


@pytest.mark.parametrize(
    "values",
    [
        {},
        [],
        {"kind": "radio"},
        {"kind": "track"},
        {"kind": "input", "name": 3.5},
        {"kind": "track", "name": "a", "loop": "yes"},
        {"kind": "input", "channels": [0]},
        {"kind": "input", "channels": []},
        {"kind": "input", "channels": "3;4"},
    ],
)
def test_a_damaged_description_is_refused(values):
    with pytest.raises(FieldError):
        read_as(SourceSpec, values)


@pytest.fixture
def track(tmp_path):
    ramp = np.linspace(-0.5, 0.5, 48_000, dtype=np.float32)[:, None]
    soundfile.write(tmp_path / "ramp.wav", ramp, 48_000, subtype="FLOAT")
    return tmp_path / "ramp.wav"


def test_a_silent_track_keeps_its_pace_and_its_times(track, clock):
    player = SilentPlayer(Track(track), True, clock)
    began, blocks = clock.now, []
    for _ in range(150):  # the decoder is two seconds ahead, and this clock outruns it
        clock.now += 0.0101
        player.pace(clock.now)
        blocks.append(player.ring.read())
    player.close()
    blocks = [block for block in blocks if block]
    frames = [len(block.samples) for block in blocks]
    heard = float(sum(frames))
    assert heard == pytest.approx(150 * 0.0101 * 48_000, abs=480)
    position = 0
    for block in blocks:
        position += len(block.samples)
        assert block.time == pytest.approx(began + position / 48_000, abs=1e-6)
    sound = np.concatenate([block.samples for block in blocks])[:, 0]
    expected = np.tile(np.linspace(-0.5, 0.5, 48_000, dtype=np.float32), 4)[: len(sound)]
    np.testing.assert_array_equal(sound, expected)


def test_a_short_stall_is_caught_up_and_a_long_one_is_counted(track, clock):
    player = SilentPlayer(Track(track), True, clock)
    clock.now += 0.3
    player.pace(clock.now)
    assert player.ring.written == pytest.approx(0.3 * 48_000, abs=480)
    assert (player.stalls, player.ring.xruns) == (0, 0)
    clock.now += 3600
    player.pace(clock.now)
    clock.now += 0.005
    player.pace(clock.now)
    assert player.ring.written == pytest.approx(0.3 * 48_000, abs=1000)
    assert (player.stalls, player.ring.xruns) == (1, 1)
    clock.now += 0.1
    player.pace(clock.now)
    assert player.ring.written == pytest.approx(0.4 * 48_000, abs=1500)
    block = player.ring.read()
    assert block is not None
    assert block.time == pytest.approx(clock.now, abs=0.02)
    player.close()


def test_a_track_without_a_loop_ends_with_its_last_sample(track, clock):
    player = SilentPlayer(Track(track), False, clock)
    for _ in range(120):
        clock.now += 0.01
        player.pace(clock.now)
    assert player.ended
    assert player.ring.written == 48_000
    player.close()


def test_a_track_that_should_play_aloud_plays_silently_where_there_is_no_output(track, clock):
    player = AloudPlayer(Track(track), True, clock, None, "there is no output")
    clock.now += 0.2
    player.pace(clock.now)
    assert player.ring.written == pytest.approx(0.2 * 48_000, abs=480)
    assert list(player.notices) == ["ramp.wav plays silently: there is no output"]
    player.close()


class Loudspeaker:
    """An output that plays when the test says so, stops when it says so, and may be away."""

    there = True
    opened: ClassVar[list["Loudspeaker"]] = []

    def __init__(self, index: int, rate: int, channels: int, fill, clock) -> None:
        if not self.there:
            raise SourceError("the output cannot be opened")
        self.active, self.closed = True, False
        self.fill = fill
        self.opened.append(self)

    def start(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def loudspeakers(monkeypatch):
    monkeypatch.setattr("lavlive.audio.portaudio.Speaker", Loudspeaker)
    monkeypatch.setattr("lavlive.audio.devices.find_again", lambda device: device)
    monkeypatch.setattr(Loudspeaker, "there", True)
    monkeypatch.setattr(Loudspeaker, "opened", [])
    return Loudspeaker.opened


OUTPUT = Device("output", "ALSA", "Speakers", "Speakers", 0, 2, 48_000, True)


def test_an_output_that_underran_is_opened_again_at_once_and_nothing_is_said(track, clock, loudspeakers):
    player = AloudPlayer(Track(track), True, clock, OUTPUT)
    player._play_on(OUTPUT)
    for _ in range(5):
        loudspeakers[-1].active = False
        player.tend(clock.now)
        assert loudspeakers[-2].closed
        assert loudspeakers[-1].active
        clock.now += 0.25
    out = np.zeros((480, 2), np.float32)
    loudspeakers[-1].fill(out, clock.now, False)
    assert player.ring.written == 480
    loudspeakers[0].fill(np.zeros((480, 2), np.float32), clock.now, False)
    assert list(player.notices) == []
    player.close()


def test_an_output_that_is_away_is_told_once_and_comes_back_aloud(track, clock, loudspeakers, monkeypatch):
    player = AloudPlayer(Track(track), True, clock, OUTPUT)
    player._play_on(OUTPUT)
    loudspeakers[-1].active = False
    monkeypatch.setattr(Loudspeaker, "there", False)
    for _ in range(40):
        player.tend(clock.now)
        clock.now += 0.25
    player.pace(clock.now)
    assert player.ring.written > 0, "the pictures have lost their track"
    assert len(player.notices) == 1
    assert "silently" in player.notices[0]
    monkeypatch.setattr(Loudspeaker, "there", True)
    for _ in range(9):
        player.tend(clock.now)
        clock.now += 0.25
    assert len(loudspeakers) == 2
    assert player.notices[-1] == "ramp.wav plays aloud again"
    player.close()


def test_surround_sound_is_mixed_for_a_stereo_output(tmp_path, clock, loudspeakers):
    wide = np.zeros((4800, 6), np.float32)
    wide[:, 2] = 0.5
    soundfile.write(tmp_path / "centre.wav", wide, 48_000, subtype="FLOAT")
    player = AloudPlayer(Track(tmp_path / "centre.wav"), False, clock, OUTPUT)
    player._play_on(OUTPUT)
    out = np.zeros((480, 2), np.float32)
    loudspeakers[0].fill(out, clock.now, False)
    np.testing.assert_allclose(out, 0.5 * np.sqrt(0.5) / (1 + np.sqrt(2)), rtol=1e-5)
    player.close()


def test_a_running_track_ends_and_says_so(track):
    source = open_source(SourceSpec("track", str(track), loop=False))
    source.start()
    capture = source._capture
    assert capture is not None
    wait_until(lambda: capture.ended)
    source.check(0.0)
    assert source.state == "ended"
    assert [event.kind for event in source.events()] == ["ended"]
    block = source.read()
    assert block is not None
    assert len(block.samples) == 48_000
    source.stop()


def test_a_missing_track_is_refused_at_the_start():
    with pytest.raises(SourceError, match="does not exist"):
        open_source(SourceSpec("track", "/nowhere/song.wav")).start()


def test_the_demo_track_is_always_there():
    with open_source(SourceSpec("demo")) as source:
        assert source.state == "running"
        assert source.rate >= 8000


@pytest.mark.parametrize("again", [False, True])
def test_a_device_that_opens_after_the_end_is_let_go_of(machine, clock, monkeypatch, again):
    monkeypatch.setattr(source_module, "_STOP_SECONDS", 0.0)
    hangs, returns = threading.Event(), threading.Event()

    def hanging() -> Plug:
        if machine.opened:
            hangs.set()
            returns.wait(10)
        return machine.open()

    source = Source(hanging, clock)
    source.start()
    machine.opened[0].reason = "pulled out"
    clock.now += 1.0
    watch = source._thread
    wait_until(lambda: source.state == "lost")
    clock.now += 10.0
    assert hangs.wait(10)
    source.stop()
    if again:
        machine.opened.clear()
        source.start()
    returns.set()
    watch.join(10)
    assert [plug.closed for plug in machine.opened] == ([False, True] if again else [True, True])
    assert source.state == ("running" if again else "idle")
    source.stop()
