"""The wall over Zenoh, in one process, on this machine's loopback."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lavlive.errors import WallError
from lavlive.parameters import Values
from lavlive.wall.conductor import Conductor, Hop, Snapshot
from lavlive.wall.follower import Follower
from lavlive.wall.messages import Ping, encode, read_from_conductor
from lavlive.wall.scouting import addresses_of, find
from lavlive.wall.transport import (
    MOMENT,
    MOST_PUBLISHERS,
    PING,
    Access,
    Address,
    Transport,
    pong_topic,
    read_key,
)
from tests.support.waiting import wait_until

pytest.importorskip("zenoh")
PATIENCE = 10.0


@pytest.fixture
def address() -> Address:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return Address("", "127.0.0.1", probe.getsockname()[1])


def test_moments_and_answers_travel_and_a_wrong_key_does_not(address: Address) -> None:
    conductor, follower = Conductor(5, "test"), Follower("a/*?", "test")
    conductor.show(Snapshot(Values({"mapper.y": 1.5}).numbers, 3))
    access = Access("a key of letters")
    with Transport.conduct(address, access) as told, Transport.follow(address, access, PATIENCE) as node:

        def answer(payload: bytes) -> None:
            pong = conductor.take(payload, time.perf_counter())
            if pong is not None:
                told.publish(pong_topic(pong.node), encode(pong))

        told.subscribe(PING, answer)
        node.subscribe(MOMENT, lambda payload: follower.take(payload, time.perf_counter()))
        node.subscribe(pong_topic(follower.node), lambda payload: follower.take(payload, time.perf_counter()))
        numbers = iter(range(100_000))

        def go_on() -> None:
            now = time.perf_counter()
            for message in conductor.step(Hop(next(numbers), now, np.zeros((3, 512))), now):
                told.publish(MOMENT, encode(message))
            for ping in follower.asks(now):
                node.publish(PING, encode(ping))
            follower.step(now)

        wait_until(
            lambda: follower.clock.known and follower.buffer.newest is not None,
            PATIENCE,
            lambda: "no moment and pongs",
            go_on,
        )
        assert follower.buffer.newest is not None
        assert follower.buffer.newest.moment.show == 5
        assert abs(follower.clock.offset) < 0.5  # one clock, on a busy machine
        with pytest.raises(WallError, match=r"No conductor answers at .* takes the key"):
            Transport.follow(address, Access("another key"), 0.6)
        with pytest.raises(WallError, match=r"is taken, perhaps by another conductor.*--conduct"):
            Transport.conduct(address, access)


def test_a_conductor_that_comes_back_is_heard_again(address: Address) -> None:
    heard: list[int] = []
    arrived = threading.Event()

    def take(payload: bytes) -> None:
        pong = read_from_conductor(payload)
        heard.append(pong.show)
        arrived.set()

    def speak(transport: Transport, run: int) -> None:
        pong = Conductor(run, "test").take(encode(Ping(node="a", number=1, sent=1.0)), 2.0)
        assert pong is not None
        transport.publish(pong_topic("a"), encode(pong))

    first = Transport.conduct(address, Access())
    with Transport.follow(address, Access(), PATIENCE) as node:
        node.subscribe(pong_topic("a"), take)
        wait_until(lambda: 1 in heard, PATIENCE, lambda: "no first conductor", lambda: speak(first, 1))
        first.close()
        with Transport.conduct(address, Access()) as second:
            wait_until(lambda: 2 in heard, PATIENCE, lambda: "no second conductor", lambda: speak(second, 2))


def test_nodes_that_come_and_go_under_ever_other_names_fill_no_memory() -> None:
    there: dict[str, int] = {}

    def declare(topic: str, **_: object) -> SimpleNamespace:
        there[topic] = 0

        def put(payload: bytes) -> None:
            there[topic] += 1

        return SimpleNamespace(put=put, undeclare=lambda: there.pop(topic))

    session: Any = SimpleNamespace(declare_publisher=declare)
    transport = Transport(session, lambda: None)
    for number in range(3 * MOST_PUBLISHERS):
        transport.publish(MOMENT, b"told again and again")
        transport.publish(pong_topic(f"node {number}"), b"answered once")
    assert len(there) == MOST_PUBLISHERS
    assert there[MOMENT] == 3 * MOST_PUBLISHERS, "what is used is kept"


def test_an_address_is_read_as_people_write_it() -> None:
    assert str(Address.parse("192.168.1.10")) == "192.168.1.10:7447"
    assert Address.parse("stage.local:9000").endpoints() == [
        "tcp/stage.local:9000?rel=1",
        "udp/stage.local:9000?rel=0",
    ]
    assert Address.parse("tls/[::1]").endpoints() == ["tls/[::1]:7447"]
    assert str(Address.parse("tls/wall.example")) == "tls/wall.example:7447"
    assert str(Address.parse("tcp/[::1]:7000")) == "tcp/[::1]:7000"
    assert Address.parse("[::1]").is_loopback
    assert Address.parse("localhost").is_loopback
    assert not Address.parse("0.0.0.0").is_loopback


@pytest.mark.parametrize(
    "text", ["", "host:", "host:99999", "http/host:80", "udp/host", "udp/", "a/b/c", "host:x"]
)
def test_what_is_no_address_is_told_with_an_example(text: str) -> None:
    with pytest.raises(WallError, match=r"no address of a conductor.*192.168.1.10:7447"):
        Address.parse(text)


def test_beyond_this_machine_a_key_is_wanted_and_certificates_for_tls(tmp_path: Path) -> None:
    with pytest.raises(WallError, match="--wall-key"):
        Transport.conduct(Address.parse("0.0.0.0:7999"), Access())
    with pytest.raises(WallError, match=r"tls wants ca.pem, cert.pem, key.pem.*--wall-certificates"):
        Transport.conduct(Address.parse("tls/127.0.0.1:7999"), Access())
    (tmp_path / "ca.pem").touch()
    with pytest.raises(WallError, match=r"wants cert.pem, key.pem in"):
        Transport.conduct(Address.parse("tls/127.0.0.1:7999"), Access(None, tmp_path))


def test_a_key_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("long-enough\nanything\n")
    assert read_key(file) == "long-enough"
    for bad in ("", "short\n", "with a space\n", "with:colon\n"):
        file.write_text(bad)
        with pytest.raises(WallError, match="holds no key"):
            read_key(file)
    with pytest.raises(WallError, match="cannot be read"):
        read_key(tmp_path / "missing")


def test_without_zenoh_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zenoh", None)
    with pytest.raises(WallError, match=r"pip install 'lavlive\[wall\]'"):
        Transport.follow(Address.parse("127.0.0.1"), Access())


def test_a_conductor_is_found_by_scouting_and_one_of_two_is_not_guessed(address: Address) -> None:
    # A group of its own, for other tests conduct at the same time; and loopback's interface only.
    group = f"224.0.0.224:{address.port}"
    access = Access("a key of letters")
    with Transport.conduct(address, access, "lo", group):
        assert find("lo", group) == [address]
        other = Address("", "127.0.0.1", address.port - 1)
        with (
            Transport.conduct(other, access, "lo", group),
            pytest.raises(WallError, match=rf"2 conductors are found: give one of .*{other.port}.*--connect"),
        ):
            find("lo", group)


def test_a_conductor_of_this_machine_alone_does_not_answer_scouting(address: Address) -> None:
    group = f"224.0.0.224:{address.port}"
    with (
        Transport.conduct(address, Access(), group=group),
        pytest.raises(WallError, match=r"No conductor is found.*--conduct 0.0.0.0.*--connect find"),
    ):
        find("lo", group, patience=0.2)


def test_of_several_addresses_the_first_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Address("", "10.0.0.1", 1), Address("", "10.0.0.2", 2)
    tried: list[Address] = []

    def follow(address: Address, access: Access, patience: float) -> str:
        tried.append(address)
        if address == first:
            raise WallError("No conductor answers")
        return "a session"

    monkeypatch.setattr(Transport, "follow", follow)
    assert Transport.follow_any([first, second], Access()) == "a session"
    assert tried == [first, second]
    with pytest.raises(WallError, match="No conductor answers"):
        Transport.follow_any([first], Access())


def test_addresses_are_taken_from_locators_each_once() -> None:
    told = ["udp/[fd00::2]:7447?rel=0", "tcp/10.0.0.5:7447?rel=1", "udp/10.0.0.5:7447", "unixsock/a/b", "x"]
    assert [str(each) for each in addresses_of(told)] == ["10.0.0.5:7447", "[fd00::2]:7447"]
    assert [str(each) for each in addresses_of(["tls/10.0.0.5:7447"])] == ["tls/10.0.0.5:7447"]
