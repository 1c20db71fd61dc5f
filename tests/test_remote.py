"""The page for phones: who comes in, what a phone may ask, what it is told, and what it cannot break."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from lavlive.control.actions import ACTIONS, Action
from lavlive.control.control import Control
from lavlive.control.events import Inbox
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.state import ShowState, read_state_file
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.osc.wishes import SetParameter
from lavlive.control.remote.addresses import own_addresses, url_of
from lavlive.control.remote.desk import FIRST, Clerk, Look, Meters, Scene, Told, alarm_of, sound_of
from lavlive.control.remote.door import PORT, Admitted, Door, parse_place, read_key
from lavlive.control.remote.limits import Bucket
from lavlive.control.remote.messages import (
    Left,
    Nudge,
    Refused,
    RemoteEvent,
    Touched,
    nudged,
    read,
    understand,
)
from lavlive.control.remote.remote import MISSING, Remote, RemoteSettings
from lavlive.control.remote.server import MOST_PHONES, Patience, RemoteServer
from lavlive.errors import ControlError
from lavlive.parameters import TABLE, Values, find
from lavlive.resources import shipped
from lavlive.show.phones import tell_phones
from lavlive.stage.notices import Notices
from lavlive.stage.panel.remote import code_of
from tests.support.waiting import wait_until

KEY = "abcdefghijklmnop"
PAGE = (shipped("data") / "remote.html").read_bytes()


# Messages


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ('{"kind": "turn", "name": "mapper.y", "at": 0.25}', SetParameter("mapper.y", 1.0)),
        ('{"kind": "turn", "name": "show.blackout", "at": 1}', SetParameter("show.blackout", True)),
        ('{"kind": "turn", "name": "projection.seed", "at": 1.0}', SetParameter("projection.seed", 9999)),
        ('{"kind": "choose", "name": "show.scaling", "value": "fit"}', SetParameter("show.scaling", "fit")),
        ('{"kind": "step", "name": "mapper.y", "by": -1}', Nudge("mapper.y", -1)),
        ('{"kind": "reset", "name": "mapper.y"}', SetParameter("mapper.y", find("mapper.y").default)),
        ('{"kind": "touch", "name": "mapper.y", "on": true}', Touched("mapper.y", True)),
        ('{"kind": "do", "action": "tap"}', Action("tap")),
        ('{"kind": "do", "action": "preset.load", "argument": "House"}', Action("preset.load", "House")),
    ],
)
def test_a_message_asks_for_what_it_says(text: str, wish: object) -> None:
    assert understand(read(text)) == wish


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "null", "[]", "{}", '{"kind": "turn"}', '{"kind": "quit"}', b"\xff\xfe",
        '{"kind": "turn", "name": "mapper.y", "at": 1.01}',
        '{"kind": "turn", "name": "mapper.y", "at": -0.01}',
        '{"kind": "turn", "name": "mapper.y", "at": NaN}',
        '{"kind": "turn", "name": "mapper.y", "at": 1e999}',
        '{"kind": "turn", "name": "mapper.y", "at": "0.5"}',
        '{"kind": "turn", "name": "mapper.y", "at": true}',
        '{"kind": "turn", "name": "mapper.y", "at": 0.5, "more": 1}',
        '{"kind": "turn", "name": "mapper.z", "at": 0.5}',
        '{"kind": "turn", "name": "show.flash_limit", "at": 0}',
        '{"kind": "reset", "name": "show.flash_limit"}',
        '{"kind": "turn", "name": "fx1.nowhere.amount", "at": 0}',
        '{"kind": "step", "name": "mapper.y", "by": 2}',
        '{"kind": "choose", "name": "mapper.y", "value": "1.5"}',
        '{"kind": "choose", "name": "show.scaling", "value": "melt"}',
        '{"kind": "do", "action": "quit"}',
        '{"kind": "do", "action": "lock"}',
        '{"kind": "do", "action": "tap", "argument": "twice"}',
        '{"kind": "do", "action": "preset.load"}',
        '{"kind": "do", "action": "preset.load", "argument": "' + "x" * 97 + '"}',
        "[" * 400,
    ],
)  # fmt: skip
def test_what_is_no_message_of_a_phone_is_refused(text: str | bytes) -> None:
    with pytest.raises(Refused):
        understand(read(text))


_VALUES = st.sampled_from(
    ["turn", "touch", "choose", "step", "reset", "do", "mapper.y", "show.scaling", "fit", "tap", "", "\ud800"]
) | st.one_of(st.floats(), st.integers(), st.booleans(), st.none())
_FIELDS = st.sampled_from(["kind", "name", "at", "on", "by", "value", "action", "argument"])


@settings(max_examples=30)
@given(st.binary(max_size=40) | st.dictionaries(_FIELDS, _VALUES, max_size=4).map(json.dumps))
def test_no_message_does_more_than_be_refused_or_set_what_is_in_range(text: bytes | str) -> None:
    try:
        wish = understand(read(text))
    except Refused:
        return
    if isinstance(wish, SetParameter):
        assert find(wish.name).check(wish.value) == wish.value
    else:
        assert isinstance(wish, Touched | Nudge | Action)


def test_a_step_is_a_hundredth_of_the_way_or_the_next_whole_number_and_ends_at_the_ends() -> None:
    y, seed = find("mapper.y"), find("projection.seed")
    assert nudged(y, 2.0, 1) == pytest.approx(2.04)
    assert nudged(y, 4.0, 1) == 4.0
    assert nudged(seed, 41, 1) == 42
    assert nudged(seed, 0, -1) == 0
    assert nudged(find("show.scaling"), "fill", 1) == "fit"


# Limits


def test_a_flood_waits_and_a_pause_gives_its_burst_back() -> None:
    bucket = Bucket(rate=10, burst=3, now=100.0)
    assert [bucket.take(100.0) for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.2])
    assert bucket.take(100.4) == 0.0
    assert [bucket.take(200.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.1])


# The door


@pytest.mark.parametrize(
    ("path", "host", "origin", "upgrades", "status"),
    [
        (f"/?key={KEY}", "192.168.1.5:9080", None, False, 200),
        (f"/?key={KEY}", "[fe80::1]:9080", None, False, 200),
        (f"/?key={KEY}", "localhost:9080", None, False, 200),
        (f"/?key={KEY}", "desk.example:9080", None, False, 200),
        ("/", "192.168.1.5:9080", None, False, 403),
        ("/?key=", "192.168.1.5:9080", None, False, 403),
        (f"/?key={KEY}x", "192.168.1.5:9080", None, False, 403),
        ("/?key=%ff%fe", "192.168.1.5:9080", None, False, 403),
        (f"/?key={KEY}", None, None, False, 403),
        (f"/?key={KEY}", "evil.example:9080", None, False, 403),
        (f"/?key={KEY}", "192.168.1.5:9080; script-src *", None, False, 403),
        (f"/index.html?key={KEY}", "192.168.1.5:9080", None, False, 404),
        (f"/../etc/passwd?key={KEY}", "192.168.1.5:9080", None, False, 404),
        ("/?" + "a=1&" * 20 + f"key={KEY}", "192.168.1.5:9080", None, False, 404),
        ("//[", "192.168.1.5:9080", None, False, 404),
        (f"/desk?key={KEY}", "192.168.1.5:9080", None, False, 404),
        (f"/?key={KEY}", "192.168.1.5:9080", "http://192.168.1.5:9080", True, 404),
        (f"/desk?key={KEY}", "192.168.1.5:9080", "http://192.168.1.5:9080", True, 101),
        (f"/desk?key={KEY}", "192.168.1.5:9080", None, True, 101),
        (f"/desk?key={KEY}", "192.168.1.5:9080", "http://evil.example", True, 403),
        (f"/desk?key={KEY}", "192.168.1.5:9080", "http://192.168.1.5:8000", True, 403),
        (f"/desk?key={KEY}", "192.168.1.5:9080", "null", True, 403),
        (f"/desk?key={KEY}", "evil.example:9080", "http://evil.example:9080", True, 403),
        ("/desk", "192.168.1.5:9080", "http://192.168.1.5:9080", True, 403),
    ],
)
def test_only_who_has_the_key_comes_in_and_only_by_the_shows_own_page(
    path: str, host: str | None, origin: str | None, upgrades: bool, status: int
) -> None:
    answer = Door(KEY, PAGE, "desk.example").ask("GET", path, host, origin, upgrades)
    assert (101 if isinstance(answer, Admitted) else answer.status) == status


def test_nothing_but_get_is_answered() -> None:
    for method in ("POST", "HEAD", "OPTIONS", ""):
        answer = Door(KEY, PAGE).ask(method, f"/?key={KEY}", "127.0.0.1:1", None, False)
        assert not isinstance(answer, Admitted)
        assert answer.status == 404


def test_the_key_is_made_once_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "remote.key"
    key, told = read_key(path)
    assert told == ""
    assert read_key(path) == (key, "")
    assert path.stat().st_mode & 0o077 == 0
    assert read_key(None)[0] != key
    path.write_text("short")
    other, told = read_key(path)
    assert other not in (key, "short")
    assert "new one" in told
    assert read_key(path) == (other, "")


def test_a_key_file_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    path = tmp_path / "remote.key"
    path.write_text("no key")
    path.chmod(0o644)
    key, told = read_key(path)
    assert "held no key" in told
    assert path.read_text().strip() == key
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_cannot_be_kept_is_for_this_show_and_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    key, told = read_key(tmp_path / "file" / "remote.key")
    assert len(key) == 16
    assert "for this show only" in told
    (tmp_path / "remote.key").mkdir()
    assert "for this show only" in read_key(tmp_path / "remote.key")[1]


def test_a_place_is_a_port_or_a_host_and_a_port() -> None:
    assert parse_place("") == ("0.0.0.0", PORT)
    assert parse_place("9100") == ("0.0.0.0", 9100)
    assert parse_place("192.168.1.5:9100") == ("192.168.1.5", 9100)
    assert parse_place("[::1]:9100") == ("::1", 9100)
    for wrong in ("desk", "desk:", "1:70000", "9080x"):
        with pytest.raises(ControlError, match="--remote takes PORT or HOST:PORT"):
            parse_place(wrong)
    assert own_addresses("desk.local") == ["desk.local"]
    assert own_addresses("0.0.0.0")
    assert url_of("::1", 9, KEY) == f"http://[::1]:9/?key={KEY}"


# The page


def test_the_page_needs_nothing_from_anywhere_else() -> None:
    page = PAGE.decode()
    assert not re.search(r"https?://|\bsrc\s*=|@import|url\(", page.replace("`${scheme}://", ""))
    assert set(re.findall(r'href="([^"]*)"', page)) == {"data:,"}
    assert not re.search(r"innerHTML|insertAdjacent|document\.write|\son\w+=", page)


def test_what_the_page_names_is_there() -> None:
    page = PAGE.decode()
    done = set(re.findall(r'action: "([^"]+)"', page)) | set(re.findall(r'"(\w+\.\w+|undo)"(?=[,}])', page))
    actions = {name for name in done if name in ACTIONS}
    assert {"tap", "undo", "preset.load", "model.next", "model.previous", "projection.reroll"} <= actions
    for name in done - actions:
        find(name)
    for name in FIRST:
        find(name)


# What a phone is told


def scene(**changed: Any) -> Scene:
    values = Values()
    made = Scene(TABLE, tuple(values.numbers.tolist()), ("House", "Dub"), Look(), Meters())
    return replace(made, **changed)


def told(phone: Told, shown: Scene) -> dict[str, dict[str, Any]]:
    return {message["kind"]: message for message in map(json.loads, phone.news(shown))}


def test_a_new_phone_is_told_everything_and_then_only_what_changes() -> None:
    phone, first = Told(Clerk()), scene()
    news = told(phone, first)
    assert list(news) == ["desk", "moved", "look", "meters"]
    rows = news["desk"]["rows"]
    assert news["desk"]["presets"] == ["House", "Dub"]
    assert [row["name"] for row in rows] == [p.name for p in TABLE if not p.guarded]
    assert [index for index, _, _ in news["moved"]["rows"]] == list(range(len(rows)))
    assert told(phone, first) == {}
    numbers = list(first.numbers)
    last = len(TABLE) - 1
    numbers[0], numbers[last] = 1.0, TABLE[last].number("mid")
    moved = scene(numbers=tuple(numbers))
    assert told(phone, moved)["moved"]["rows"] == [
        [0, 0.25, "1.00"],
        [len(rows) - 1, pytest.approx(TABLE[last].to_unit("mid"), abs=1e-4), "mid"],
    ]
    assert list(told(phone, replace(moved, look=Look(preset="Dub")))) == ["look"]


def test_a_phone_that_missed_some_scenes_is_told_the_newest_alone() -> None:
    phone = Told(Clerk())
    phone.news(scene())
    numbers = list(scene().numbers)
    for number in (0.5, 3.0):
        numbers[0] = number
    assert told(phone, scene(numbers=tuple(numbers)))["moved"]["rows"] == [[0, 0.75, "3.00"]]


def test_another_desk_is_told_with_all_its_values() -> None:
    phone, before = Told(Clerk()), scene()
    phone.news(before)
    fewer = scene(parameters=TABLE[:5], numbers=before.numbers[:5])
    news = told(phone, fewer)
    assert len(news["desk"]["rows"]) == len(news["moved"]["rows"]) == 5


def test_the_lamp_says_what_is_wrong_with_the_sound() -> None:
    assert sound_of(0.0, 0.0, False, False) == "silent"
    assert sound_of(0.1, 0.5, True, False) == "silent"
    assert sound_of(0.1, 0.5, False, True) == "quiet"
    assert sound_of(0.5, 1.0, False, True) == "loud"
    assert sound_of(0.3, 0.9, False, False) == "good"
    assert len(alarm_of("x" * 1000)) == 300
    assert alarm_of(None) == ""


# Thumbs


def test_a_fader_under_two_thumbs_is_let_go_by_the_last_and_by_a_phone_that_goes() -> None:
    remote = Remote(RemoteSettings(), lambda line: None)
    inbox: Inbox[RemoteEvent] = Inbox(16)
    remote.server = SimpleNamespace(inbox=inbox, stop=lambda: None, close=lambda: None)  # type: ignore[assignment]

    def hear(*events: tuple[int, Any]) -> list[Any]:
        for phone, wish in events:
            inbox.put(RemoteEvent(phone, wish, 0.0))
        return list(remote.take())

    on, off = Touched("mapper.y", True), Touched("mapper.y", False)
    assert hear((1, on), (2, on)) == [on]
    assert hear((1, off), (1, off)) == []
    assert hear((2, Left())) == [off]
    assert hear((3, off), (3, Left())) == []
    assert hear((4, on)) == [on]
    remote.close()
    assert remote.take() == [off]
    assert remote.take() == []


# A real server


class Rig:
    """Controls with a remote, and the show's part of telling phones."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        library = PresetLibrary(None, folder)
        self.control = Control(
            Values({"show.morph": 0.0}),
            BindingFolders(folder, folder),
            presets=library,
            remote=RemoteSettings("127.0.0.1:0", folder / "remote.key"),
        )
        self.control.looks.save("Dusk")
        self.control.values.set("mapper.c", 0.5)
        self.control.looks.save("Dawn")
        self.phones: list[ClientConnection] = []
        self.said: list[str] = []
        self.show: Any = SimpleNamespace(
            control=self.control,
            link=SimpleNamespace(number=lambda name: {"picture.rate": 57.0}.get(name, 0.0)),
            notices=Notices(self.said.append),
            model_name="bloom",
            model_is_loading=False,
        )

    @property
    def server(self) -> RemoteServer:
        assert self.control.remote.server is not None
        return self.control.remote.server

    @property
    def url(self) -> str:
        return self.control.remote.urls[0]

    def listens(self) -> None:
        """Wait until phones can come."""
        self.until(lambda: self.control.remote.urls)

    def phone(self, more: str = "", **named: Any) -> ClientConnection:
        url = self.url.replace("http:", "ws:").replace("/?", "/desk?") + more
        opened = connect(url, compression=None, close_timeout=0.5, **named)
        phone = opened.__enter__()
        self.phones.append(phone)
        return phone

    def step(self) -> list[Action]:
        self.now += 0.05
        asked = self.control.step(self.now)
        tell_phones(self.show, self.now)
        return asked

    def until(self, condition: Callable[[], object]) -> list[Action]:
        asked: list[Action] = []
        wait_until(condition, 10.0, meanwhile=lambda: asked.extend(self.step()))
        return asked

    def hear(self, phone: ClientConnection, kind: str, wanted: Callable[[Any], object] = bool) -> Any:
        """The first message of a kind with which something is so; the show goes on meanwhile."""
        for _ in range(2000):
            self.step()
            try:
                message = json.loads(phone.recv(timeout=0.005))
            except TimeoutError:
                continue
            if message["kind"] == kind and wanted(message):
                return message
        raise AssertionError(f"no {kind}")

    def close(self) -> None:
        for phone in self.phones:
            phone.close_timeout = 0.1
            phone.close()
        self.control.close()


def say(phone: ClientConnection, kind: str, **body: object) -> None:
    phone.send(json.dumps({"kind": kind, **body}))


def ending_of(phone: ClientConnection) -> int:
    """The code with which the show sends a phone away, after what it told."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            phone.recv(timeout=5)
    assert phone.close_code is not None
    return int(phone.close_code)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    with rig.control:
        rig.listens()
        yield rig
        rig.close()


def test_the_page_is_served_with_the_key_and_nothing_else_is(rig: Rig) -> None:
    with urlopen(rig.url) as answer:
        assert answer.read() == PAGE
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    base = rig.url.partition("/?")[0]
    asked = [(f"{base}/", 403), (f"{base}/?key=wrong", 403), (f"{base}/favicon.ico", 404)]
    wrong = Request(rig.url, method="POST"), Request(rig.url, headers={"Host": "evil.example"})
    every: list[tuple[str | Request, int]] = [*asked, (wrong[0], 404), (wrong[1], 403)]
    for request, status in every:
        with pytest.raises(HTTPError) as refused:
            urlopen(request)
        assert refused.value.code == status
        refused.value.close()
    for more, status in (
        ({"origin": "http://evil.example"}, 403),
        ({"additional_headers": {"Host": "evil.example"}}, 404),  # two of them: which is meant?
    ):
        with pytest.raises(InvalidStatus) as turned_away:
            rig.phone(**more)
        assert turned_away.value.response.status_code == status
    assert rig.server.phones == 0


def test_a_fader_on_one_phone_moves_the_show_and_glides_on_the_other_and_undo_takes_it_back(rig: Rig) -> None:
    one, other = rig.phone(), rig.phone()
    desk = rig.hear(one, "desk")
    assert desk["presets"] == ["Dawn", "Dusk"]
    place = [row["name"] for row in desk["rows"]].index("mapper.y")
    before = rig.control.values["mapper.y"]
    say(one, "touch", name="mapper.y", on=True)
    for at in (0.1, 0.2, 0.25):
        say(one, "turn", name="mapper.y", at=at)
        rig.until(lambda at=at: rig.control.values["mapper.y"] == pytest.approx(4 * at))  # type: ignore[misc]
        rig.now += 3.0  # a slow hand
    rig.hear(other, "moved", lambda message: [place, 0.25, "1.00"] in message["rows"])
    say(one, "touch", name="mapper.y", on=False)
    say(other, "do", action="undo")
    rig.until(lambda: rig.control.values["mapper.y"] == before)
    rig.hear(one, "moved", lambda message: [place, 0.5, "2.00"] in message["rows"])


def test_what_another_hand_moves_is_seen_on_the_phone(rig: Rig) -> None:
    phone = rig.phone()
    rig.hear(phone, "meters", lambda message: message["pictures"] == 57.0)
    rig.control.edit("mapper.y", 3.0, rig.now)
    rig.show.notices.raise_condition("x", "The machine is busy", rig.now)
    rig.hear(phone, "moved", lambda message: [0, 0.75, "3.00"] in message["rows"])
    look = rig.hear(phone, "look", lambda message: message["alarm"])
    assert look["alarm"] == "The machine is busy"
    assert look["model"] == "bloom"


def test_a_preset_is_chosen_and_actions_that_are_the_shows_come_to_it(rig: Rig) -> None:
    phone = rig.phone()
    say(phone, "do", action="preset.load", argument="Dawn")
    say(phone, "do", action="model.next")
    asked = rig.until(lambda: rig.server.counters.accepted == 2 and not rig.control.remote.stirred)
    assert asked == [Action("preset.loaded", "Dawn"), Action("model.next")]
    assert rig.control.values["mapper.c"] == 0.5
    assert rig.hear(phone, "look", lambda message: message["preset"])["preset"] == "Dawn"


def test_a_phone_that_says_nonsense_is_sent_away_and_the_show_hears_of_it(rig: Rig) -> None:
    rig.server._patience = Patience(bad=3)
    phone = rig.phone()
    for _ in range(5):
        phone.send("nonsense")
    assert ending_of(phone) == 1008
    rig.step()
    assert any("refused so far" in line for line in rig.control.notices())
    long = rig.phone()
    long.send("x" * 513)
    assert ending_of(long) == 1009
    rig.until(lambda: rig.server.phones == 0)


def test_a_flood_is_slowed_and_no_more_of_it_waits_than_fits(rig: Rig) -> None:
    restarted(rig, Patience(messages=1e6, burst=20), clock=lambda: 0.0)
    phone = rig.phone()
    for number in range(100):
        say(phone, "turn", name="mapper.y", at=number % 100 / 100)
    wait_until(lambda: rig.server.counters.accepted == 100, 10.0)
    assert rig.server.counters.slowed == 80
    assert len(rig.server.inbox) <= 513
    rig.step()
    assert rig.control.values["mapper.y"] == pytest.approx(3.96)


def test_so_many_phones_and_no_more_and_one_that_comes_again_takes_its_own_place(rig: Rig) -> None:
    rig.phone("&phone=mine")
    for _ in range(MOST_PHONES - 1):
        rig.phone()
    wait_until(lambda: rig.server.phones == MOST_PHONES, 10.0)
    assert ending_of(rig.phone("&phone=another")) == 1013
    again = rig.phone("&phone=mine")
    rig.hear(again, "desk")
    assert rig.server.phones == MOST_PHONES
    assert rig.server.counters.left == 1


def raw_phone(rig: Rig) -> socket.socket:
    """A phone that shakes hands and then neither reads nor answers."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", rig.server.port))
    key = rig.url.partition("key=")[2]
    client.sendall(
        f"GET /desk?key={key} HTTP/1.1\r\nHost: 127.0.0.1:{rig.server.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    return client


def restarted(rig: Rig, patience: Patience, **more: Any) -> None:
    """The server with other patience, at another port."""
    rig.control.remote.close()
    key = read_key(rig.control.remote._key_file)[0]
    rig.control.remote.server = RemoteServer("127.0.0.1", 0, Door(key, PAGE), patience, **more)
    rig.control.remote.server.start()
    rig.listens()


def test_a_phone_that_never_reads_is_left_and_the_others_play_on(rig: Rig) -> None:
    restarted(rig, Patience(send=0.05, goodbye=0.05))
    with raw_phone(rig):
        wait_until(lambda: rig.server.phones == 1, 10.0)
        phone = rig.phone()
        rig.hear(phone, "desk")
        numbers = iter(range(10**6))
        # A desk that is another each time is the most that there can be to tell.
        rig.control.looks.library.names = lambda: [f"preset {next(numbers)}"]  # type: ignore[method-assign]

        def gone() -> bool:
            rig.hear(phone, "desk")
            return rig.server.phones == 1

        wait_until(gone, 10.0)
    assert rig.server.counters.left == 1


def test_a_phone_whose_network_is_gone_is_missed_by_its_pings_and_lets_go_of_its_fader(rig: Rig) -> None:
    restarted(rig, Patience(ping=0.02, pong=0.02, goodbye=0.02))
    with raw_phone(rig):
        rig.until(lambda: rig.server.counters.left == 1)
    assert rig.server.phones == 0


def ends(client: socket.socket) -> bool:
    """Whether the show ends a connection; waits some seconds for that."""
    client.settimeout(5)
    with client, contextlib.suppress(ConnectionResetError):
        return client.recv(1) == b""
    return True


def test_who_connects_and_asks_for_nothing_is_sent_away_and_there_are_never_many(rig: Rig) -> None:
    restarted(rig, Patience(opening=60.0))
    silent = [socket.create_connection(("127.0.0.1", rig.server.port)) for _ in range(20)]
    assert all(ends(client) for client in silent[12:])
    assert len(rig.server._open) == 12
    for client in silent[:12]:
        client.close()
    restarted(rig, Patience(opening=0.05))
    assert ends(socket.create_connection(("127.0.0.1", rig.server.port)))


def test_the_end_waits_for_nobody(rig: Rig) -> None:
    phone = rig.phone()
    rig.hear(phone, "desk")
    server = rig.server
    with raw_phone(rig), socket.create_connection(("127.0.0.1", server.port)):
        wait_until(lambda: server.phones == 2, 10.0)
        rig.control.remote.switch(False)
        wait_until(lambda: not server._thread.is_alive(), 5.0)
    assert rig.control.remote.urls == ()
    assert ending_of(phone) == 1001
    rig.step()
    rig.control.remote.switch(True)
    rig.listens()


def test_a_taken_port_is_told_once_and_tried_again(rig: Rig) -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        remote = Remote(RemoteSettings(f"127.0.0.1:{port}"), told.append)
        remote.server = RemoteServer("127.0.0.1", port, Door(KEY, PAGE), Patience(again=0.02))
        remote.server.start()
        wait_until(lambda: remote.problem, 10.0)
        for _ in range(3):
            remote.look(rig.now)
        assert remote.urls == ()
    wait_until(lambda: remote.urls, 10.0)
    remote.look(rig.now)
    remote.close()
    assert len(told) == 1
    assert told[0].startswith(f"The remote cannot listen on 127.0.0.1:{port}: ")
    assert "; choose another with --remote. The show goes on without it" in told[0]


def test_the_key_is_said_in_the_terminal_and_never_where_the_picture_is(rig: Rig) -> None:
    rig.until(lambda: rig.said)
    key = rig.url.partition("key=")[2]
    assert key in "".join(rig.said)
    said = len(rig.said)
    rig.step()
    assert len(rig.said) == said
    notices = rig.show.notices
    for line in rig.control.notices():
        notices.tell(line, rig.now)
    assert not any(key in notice.text for notice in notices.history)


def test_without_its_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lavlive.control.remote.server", None)
    told: list[str] = []
    remote = Remote(RemoteSettings(""), told.append)
    remote.start()
    wait_until(lambda: told, 10.0, meanwhile=remote.take)
    assert told == [MISSING]
    assert not remote.wanted


def test_it_is_off_until_it_is_asked_for(tmp_path: Path) -> None:
    folders = BindingFolders(tmp_path, tmp_path)
    with Control(Values(), folders, remote=RemoteSettings(None, tmp_path / "key")) as off:
        off.step(time.perf_counter())
        assert off.remote.server is None
        assert not (tmp_path / "key").exists()


def test_the_code_in_the_panel_is_read_as_the_address() -> None:
    detector = pytest.importorskip("cv2").QRCodeDetector()
    url = url_of("192.168.178.123", 9080, KEY)
    pixels = code_of(url)
    assert pixels is not None
    assert detector.detectAndDecode(pixels)[0] == url


def test_a_show_that_crashed_lets_phones_in_again_where_it_did(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(ShowState(remote="9100").to_json())
    kept = read_state_file(path)
    assert kept is not None
    assert kept.remote == "9100"
    path.write_text(ShowState(remote="the hall").to_json())
    kept = read_state_file(path)
    assert kept is not None
    assert kept.remote is None
    assert ["--remote takes" in problem for problem in kept.problems] == [True]
