"""Takers of the canvas: in threads of their own, the newest only, again after failures, never waited for."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lavlive.commands import outputs
from lavlive.commands.options import LiveOptions
from lavlive.commands.surroundings import open_outlets
from lavlive.control.actions import ACTIONS
from lavlive.control.settings import Settings
from lavlive.errors import OutputError, OutputMissingError
from lavlive.link.contents import Picture
from lavlive.parameters import Values
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.base import OutputSettings
from lavlive.stage.output.headless import HeadlessOutput, MemoryCanvas
from lavlive.stage.output.takers.addresses import (
    read_streams,
    secrets_of,
    split_secret,
    typed_stream,
    whole_address,
)
from lavlive.stage.output.takers.base import SoundBlock, Taker
from lavlive.stage.output.takers.camera import CameraTaker
from lavlive.stage.output.takers.kinds import KINDS, outlets_of
from lavlive.stage.output.takers.outlets import Outlets, OutletSpec
from lavlive.stage.output.takers.rtmp import RtmpTarget
from lavlive.stage.output.takers.spout import SpoutTaker
from lavlive.stage.output.takers.syphon import SyphonTaker
from lavlive.stage.output.takers.transports import DatagramTarget
from lavlive.stage.output.takers.typed import TypedStream
from lavlive.stage.output.takers.worker import BACK_OFF, SLOW_SECONDS, State, Worker
from tests.support.waiting import wait_until


def shot(number: int) -> Shot:
    return Shot(np.full((4, 6, 3), number, np.uint8), number / 10)


class Receiver:
    """Takes what it is given; may be told to hang or to fail."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.heard = 0
        self.closed = 0
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.failure: Exception | None = None

    def take(self, shot: Shot, sound: list[SoundBlock]) -> None:
        assert self.goes_on.wait(30)
        if self.failure is not None:
            raise self.failure
        self.taken.append(int(shot.pixels[0, 0, 0]))
        self.hear(sound)

    def hear(self, sound: list[SoundBlock]) -> None:
        self.heard += sum(len(block.samples) for block in sound)

    def close(self) -> None:
        self.closed += 1


def test_a_receiver_that_hangs_gets_the_newest_canvas_when_it_goes_on_and_the_rest_is_counted() -> None:
    receiver = Receiver()
    worker = Worker("test", lambda: receiver, clock=lambda: 100.0)
    wait_until(lambda: worker.ready)
    receiver.goes_on.clear()
    worker.offer(shot(1))
    wait_until(lambda: worker._busy_since is not None)
    for number in range(2, 9):
        worker.offer(shot(number))
    assert not worker.slow(100.0 + SLOW_SECONDS - 0.1)
    assert worker.slow(100.0 + SLOW_SECONDS + 0.1)
    receiver.goes_on.set()
    wait_until(lambda: worker.sent == 2)
    worker.stop()
    worker.join(10)
    assert receiver.taken == [1, 8]
    assert worker.dropped == 6
    assert receiver.closed == 1


def test_a_server_that_is_away_is_tried_again_after_longer_and_longer_waits_and_then_served() -> None:
    waits: list[float] = []
    receiver = Receiver()

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    def opening() -> Taker:
        if len(waits) < 7:
            raise OutputError("The server is away.")
        return receiver

    worker = Worker("test", opening, clock=lambda: 0.0, wait=wait)
    wait_until(lambda: worker.ready)
    assert waits == [*BACK_OFF, BACK_OFF[-1], BACK_OFF[-1]]
    assert worker.problem == ""
    worker.offer(shot(3))
    wait_until(lambda: receiver.taken == [3])
    worker.stop()
    worker.join(10)


def test_a_server_that_answers_only_after_long_to_refuse_is_asked_less_and_less_often() -> None:
    now, waits = [0.0], []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 4

    def opening() -> Taker:
        now[0] += 20.0
        raise OutputError("The server does not answer.")

    worker = Worker("test", opening, clock=lambda: now[0], wait=wait)
    worker.join(10)
    assert waits == list(BACK_OFF[:4])


def test_a_receiver_that_breaks_is_closed_and_opened_again_three_times() -> None:
    receivers: list[Receiver] = []

    def opening() -> Taker:
        receivers.append(Receiver())
        return receivers[-1]

    worker = Worker("test", opening, wait=lambda _: False)
    for life in range(3):
        wait_until(partial(lambda lives: worker.ready and len(receivers) == lives, life + 1))
        receivers[-1].failure = ConnectionResetError(104, "Connection reset by peer")
        worker.offer(shot(1))
        wait_until(partial(lambda lives: len(receivers) == lives, life + 2))
        assert receivers[life].closed == 1
    wait_until(lambda: worker.ready)
    worker.offer(shot(7))
    wait_until(lambda: receivers[-1].taken == [7])
    worker.stop()
    worker.join(10)


def test_what_is_missing_is_told_once_and_not_tried_again() -> None:
    told: list[str] = []

    def opening() -> Taker:
        raise OutputMissingError("NDI needs cyndilib.")

    outlets = Outlets([OutletSpec("ndi", "ndi", "NDI", opening)], told.append)
    assert outlets.toggle("ndi")
    worker = outlets.all[0].worker
    assert worker is not None
    wait_until(lambda: not worker.alive)
    outlets.news()
    outlets.news()
    assert told == ["NDI: NDI needs cyndilib."]
    assert worker.state is State.ENDED
    assert not outlets.all[0].wanted


def test_the_words_of_foreign_errors_are_not_told_for_they_may_hold_a_key() -> None:
    def opening() -> Taker:
        raise RuntimeError("cannot open rtmp://host/app/SECRET")

    waiting = threading.Event()
    worker = Worker("test", opening, wait=lambda _: waiting.wait(30))
    wait_until(lambda: worker.problem)
    assert worker.problem == "RuntimeError."
    waiting.set()
    worker.join(10)


def test_outlets_are_switched_during_the_show_and_get_canvas_and_sound_at_their_own_rate() -> None:
    fast, slow = Receiver(), Receiver()
    told: list[str] = []
    specs = [
        OutletSpec("ndi", "ndi", "NDI", lambda: fast),
        OutletSpec("stream", "stream", "rtmp://host/app", lambda: slow, rate=20.0, size=(64, 36)),
    ]
    outlets = Outlets(specs, told.append)
    assert not outlets.ask(0.0)
    assert not outlets.toggle("camera")
    outlets.toggle("stream")
    wait_until(lambda: outlets.all[1].worker is not None and outlets.all[1].worker.ready)
    assert outlets.ask(0.0)
    assert outlets.largest == (64, 36)
    outlets.toggle("ndi")
    wait_until(lambda: outlets.all[0].worker is not None and outlets.all[0].worker.ready)
    for number in range(60):
        now = 1.0 + number / 60
        if outlets.ask(now):
            assert outlets.largest is None or outlets.largest == (64, 36)
            outlets.hear(SoundBlock(np.zeros((10, 2), np.float32), now))
            outlets.offer(Shot(np.full((4, 6, 3), number, np.uint8), now))
            wait_until(lambda: all(o.worker is not None and o.worker._newest is None for o in outlets.all))
    wait_until(lambda: len(fast.taken) == 60)
    assert len(slow.taken) == pytest.approx(20, abs=1)
    assert fast.heard > 500
    outlets.toggle("ndi")
    outlets.news()
    outlets.close()
    outlets.news()
    assert not outlets.hearing
    assert fast.closed == slow.closed == 1


def test_a_slow_receiver_is_a_condition_with_its_name() -> None:
    receiver = Receiver()
    outlets = Outlets([OutletSpec("wall", "stream", "srt://host:9710", lambda: receiver)])
    outlets.toggle("stream")
    worker = outlets.all[0].worker
    assert worker is not None
    wait_until(lambda: worker.ready)
    receiver.goes_on.clear()
    worker.offer(shot(1))
    wait_until(lambda: worker._busy_since is not None)
    late = time.perf_counter() + SLOW_SECONDS + 1
    assert "too slowly" in outlets.conditions(late)["wall"]
    receiver.goes_on.set()
    wait_until(lambda: worker.sent == 1)
    assert outlets.conditions(late) == {}
    outlets.close()


def test_however_many_hang_they_keep_the_end_of_a_show_waiting_for_five_seconds_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]

    def join(worker: Worker, seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(Worker, "join", join)
    going_on = threading.Event()

    def hanging() -> Taker:
        going_on.wait(30)
        raise OutputMissingError("It is over.")

    outlets = Outlets([OutletSpec(f"{number}", "stream", "", hanging) for number in range(3)])
    for outlet in outlets.all:
        outlet.switch(True)
    again = outlets.put(OutletSpec("again", "stream", "", hanging), outlets.all[0])
    again.switch(True)
    assert len(outlets.all) == 3
    outlets.close(lambda: now[0])
    assert now[0] == pytest.approx(105.0)
    going_on.set()


def test_every_kind_of_taker_has_an_action_that_hands_can_reach() -> None:
    for kind in {kind.name for kind in KINDS}:
        spec = ACTIONS[f"output.{kind}"]
        assert spec.for_show
        assert spec.from_outside
    assert {spec.kind for spec in outlets_of([])} <= {kind.name for kind in KINDS}


# A stream that is typed during the show

ADDRESSES = [
    "rtmp://host/app/SECRET",
    "rtmps://host:444/app/two/SECRET?word=SECRET",
    "rtmp://SECRET:SECRET@[::1]/app/SECRET/",
    "srt://host:9710?passphrase=SECRET%20123&streamid=SECRET",
    "srt://host:9710",
    "udp://239.0.0.1:1234?ttl=SECRET",
    "https://host:8080/SECRET/SECRET?token=SECRET",
    "https://SECRET:SECRET@host/whip",
    "whip://host/?SECRET",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_typed_address_is_shown_without_what_is_secret_and_means_the_same(address: str) -> None:
    shown, secret = split_secret(address.rstrip("/"))
    assert "SECRET" not in shown
    assert "host" in shown or "239.0.0.1" in shown or "[::1]" in shown
    joined = typed_stream(whole_address(shown, secret))
    assert joined == typed_stream(address)


def test_a_passphrase_that_is_typed_by_itself_is_one() -> None:
    target = typed_stream(whole_address("srt://host:9710", "ten & more=letters+")).target
    assert isinstance(target, DatagramTarget)
    assert target.passphrase == "ten & more=letters+"


@pytest.mark.parametrize(
    "nonsense",
    ["", "   ", "hello", "rtmp://", "rtmp://host", "rtmp://host/app", "rtmp://[::1", "srt://host", "ftp://a/b",
     "rtmp://host:99999/a/b", "srt://host:1?passphrase=short", "\x00", "://", "rtmp:///a/b", "é" * 5000],
)  # fmt: skip
def test_nonsense_for_an_address_is_told_as_by_the_command_line_and_begins_nothing(nonsense: str) -> None:
    typed = TypedStream(Outlets(outlets_of([])))
    before = len(typed._outlets.all)
    typed.address = nonsense
    typed.begin()
    with pytest.raises(OutputError) as told:
        typed_stream(nonsense)
    assert typed.problem == str(told.value)
    assert "\n" not in typed.problem
    assert not typed.wanted
    assert len(typed._outlets.all) == before


def test_a_typed_stream_begins_ends_and_gives_its_place_to_another_address(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.toml")
    specs = [OutletSpec("stream", "stream", "rtmp://other/app", Receiver)]
    typed = TypedStream(Outlets(specs), settings)
    typed.address = "udp://127.0.0.1:9 "
    typed.begin()
    first = typed.outlet
    assert first is not None
    assert first.spec.name == "stream 2"
    assert typed.wanted
    typed.begin()
    assert typed.outlet is first, "it is on already"
    typed.end()
    typed.address = "udp://127.0.0.1:10?streamid=SECRET"
    typed.begin()
    assert typed.outlet is not first
    assert [outlet.spec.name for outlet in typed._outlets.all] == ["stream", "stream 2"]
    assert typed.outlet is not None
    assert typed.outlet.spec.where == "udp://127.0.0.1:10"
    typed._outlets.close()
    assert not typed.wanted
    assert "SECRET" not in (tmp_path / "settings.toml").read_text()
    again = TypedStream(Outlets(), Settings(tmp_path / "settings.toml"))
    assert (again.address, again.secret) == ("udp://127.0.0.1:10", "")


def test_a_key_that_was_left_in_its_field_does_not_make_another_one_public() -> None:
    typed = TypedStream(Outlets())
    typed.address, typed.secret = "rtmp://host/app/NEW", "OLD"
    typed.hide()
    assert (typed.address, typed.secret) == ("rtmp://host/app", "NEW")
    typed.address = "rtmp://host/an/application/"
    typed.hide()
    assert (typed.address, typed.secret) == ("rtmp://host/an/application/", "NEW")
    target = typed_stream(whole_address(typed.address, typed.secret)).target
    assert isinstance(target, RtmpTarget)
    assert (target.app, target.key) == ("an/application", "NEW")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("takeover = 'sideways'", "line 1: takeover is one of pickup, scaled, jump."),
        ("stream = 3\ntakeover = 'jump'", "line 1: stream is an address"),
        ("takeover = ", "line 1: Invalid value"),
        ("takeover = 'jump'\ncolour = 'red'", "line 2: 'colour' is unknown"),
    ],
)
def test_a_settings_file_with_a_fault_is_told_and_put_aside_by_the_next_change(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    settings = Settings(path)
    assert len(settings.problems) == 1
    assert problem in settings.problems[0]
    assert settings.chosen.takeover == ("jump" if "'jump'" in text else "pickup")
    assert path.read_text() == text
    settings.change(takeover="scaled")
    assert Settings(path).chosen == settings.chosen
    assert (tmp_path / "settings.toml.refused").read_text() == text


# The canvas


@pytest.mark.parametrize("largest", [None, (32, 32)])
def test_a_shot_is_the_canvas_of_when_it_was_begun(largest: tuple[int, int] | None) -> None:
    still = Values({"show.dissolve": 0.0, "show.scaling": "stretch"})

    def picture(level: int, sequence: int) -> Picture:
        return Picture(np.full((32, 32, 3), level, np.uint8), sequence, 0.0, 0.0, 0)

    with HeadlessOutput(OutputSettings(canvas=(96, 48))) as output:
        assert output.fetch_shot() is None
        output.present(picture(60, 1), still, 0.0)
        output.begin_shot(1.0, largest)
        whole = output.read_canvas()
        output.present(picture(200, 2), still, 2.0)
        found = output.fetch_shot()
        assert output.fetch_shot() is None
        output.begin_shot(2.0)
        later = output.fetch_shot()
    assert later is not None
    assert later.pixels.mean() > 100
    assert found is not None
    assert found.time == 1.0
    if largest is None:
        np.testing.assert_array_equal(found.pixels, whole)
    else:
        assert found.pixels.shape == (16, 32, 3)
        assert np.abs(found.pixels.astype(int) - 60).max() <= 1


def test_a_canvas_without_opengl_gives_shots_too() -> None:
    canvas = MemoryCanvas((8, 6))
    canvas.begin_shot(3.0, None)
    found = canvas.fetch_shot()
    assert found is not None
    assert found.pixels.shape == (6, 8, 3)
    assert canvas.fetch_shot() is None


# Addresses and secrets

KEY = "live_123_SECRET"


@pytest.mark.parametrize(
    "address",
    [
        f"rtmp://a.example/live2/{KEY}",
        f"rtmps://a.example:4443/app/{KEY}?bandwidth=1",
        f"srt://a.example:9710?passphrase={KEY}&streamid=publish:{KEY}",
        f"https://a.example/whip/{KEY}",
    ],
)
def test_a_key_is_in_no_text_about_a_stream(address: str) -> None:
    stream = typed_stream(address)
    (spec, *_) = outlets_of([stream])
    assert KEY not in repr(stream) + stream.target.url + spec.where + repr(spec)
    assert "a.example" in spec.where
    assert any(KEY in secret for secret in secrets_of(address))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[a]\naddress = 'rtmp://h/app'\nkey = 12345678\n", 3, "key is text"),
        ("[a]\nkey = 'SECRETKEY'\n", 1, "address is text"),
        ("[a]\naddress = 'ftp://h/SECRETKEY'\n", 2, "use rtmp://"),
        ("[a]\naddress = 'rtmp://h/app/x'\nrate = 1000\n", 3, "rate is 1 to 120"),
        ("[a]\naddress = 'rtmp://h/app/x'\nsize = '7x7'\n", 2, "size is"),
        ("[a]\naddress = 'srt://h'\n", 2, "names a port"),
        ("[a]\naddress = 'srt://h:1'\npassphrase = 'short'\n", 2, "10 to 79"),
        ("[a]\naddress = 'rtmp://h/app/x'\nkex = 'SECRETKEY'\n", 3, "unknown"),
        ("[a\n", 1, ""),
    ],
)
def test_a_broken_streams_file_is_told_by_line_and_field_without_its_secrets(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    path = tmp_path / "streams.toml"
    path.write_text(text)
    with pytest.raises(OutputError, match=f"line {line}: ") as told:
        read_streams(path)
    assert says in str(told.value)
    assert "SECRETKEY" not in str(told.value)
    assert "12345678" not in str(told.value)


def test_streams_are_read_with_all_their_settings(tmp_path: Path) -> None:
    path = tmp_path / "streams.toml"
    path.write_text(
        '[twitch]\naddress = "rtmps://live.example/app"\nkey = "k"\nsize = "1920x1080"\nrate = 60\n'
        'kilobits = 6000\n\n[wall]\naddress = "srt://10.0.0.7:9710"\npassphrase = "0123456789"\n'
    )
    twitch, wall = read_streams(path)
    assert twitch.target.url == "rtmps://live.example/app"
    assert (twitch.settings.size, twitch.settings.rate, twitch.settings.kilobits) == ((1920, 1080), 60, 6000)
    assert wall.target.url == "srt://10.0.0.7:9710"
    assert read_streams(tmp_path / "none.toml") == []


def test_named_streams_are_listed_below_their_heading_without_their_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "streams.toml"
    path.write_text('[twitch]\naddress = "rtmp://live.example/app"\nkey = "very-secret"\n')
    monkeypatch.setattr(outputs, "streams_file", lambda: path)
    lines = outputs.list_outputs()
    heading = lines.index(f"Streams of {path}:")
    assert lines[heading + 1].startswith("  twitch: rtmp://live.example")
    assert "very-secret" not in "".join(lines)
    assert capsys.readouterr().out == ""


def test_spout_is_given_each_canvas_as_its_example_gives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # No Windows here: this holds the calls to what SpoutGL's example makes, and cannot say that they work.
    calls: list[tuple[object, ...]] = []
    works = [True, False]

    class SpoutSender:
        def setSenderName(self, name: str) -> None:
            calls.append(("name", name))

        def sendImage(self, *image: object) -> bool:
            calls.append(image)
            return works.pop(0)

        def setFrameSync(self, name: str) -> None:
            calls.append(("ready", name))

        def releaseSender(self) -> None:
            calls.append(("end",))

    monkeypatch.setitem(sys.modules, "SpoutGL", SimpleNamespace(SpoutSender=SpoutSender))
    monkeypatch.setitem(sys.modules, "SpoutGL.enums", SimpleNamespace(GL_RGBA=0x1908))
    taker = SpoutTaker("lavlive")
    canvas = Shot(np.full((2, 4, 3), 7, np.uint8), 0.0)
    taker.take(canvas, [])
    assert calls == [
        ("name", "lavlive"),
        (bytes([7, 7, 7, 255]) * 8, 4, 2, 0x1908, False, 0),
        ("ready", "lavlive"),
    ]
    with pytest.raises(OutputError, match="DirectX"):
        taker.take(canvas, [])
    taker.close()
    assert calls[-1] == ("end",)
    monkeypatch.setitem(sys.modules, "SpoutGL", None)
    with pytest.raises(OutputMissingError, match=r"Windows.*pip install 'lavlive\[spout\]'"):
        SpoutTaker("lavlive")


@pytest.mark.skipif(sys.platform != "linux", reason="Syphon and Spout each have a system where they are")
def test_an_output_that_this_system_cannot_have_is_told_where_it_is_asked_for() -> None:
    told: list[str] = []
    open_outlets(LiveOptions(syphon=True, spout=True), told.append).close()
    assert told == ["Syphon: macOS only", "Spout: Windows only"]


@pytest.mark.parametrize(
    ("module", "make", "line"),
    [
        ("pyvirtualcam", lambda: CameraTaker((64, 36), 30.0), r"pip install 'lavlive\[camera\]'"),
        ("syphon", lambda: SyphonTaker("lavlive"), r"pip install 'lavlive\[syphon\]'"),
    ],
)
def test_a_taker_without_its_library_says_what_to_install(
    module: str, make: Callable[[], Taker], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OutputMissingError, match=line):
        make()
