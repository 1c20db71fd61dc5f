"""OSC over real sockets: heard exactly, refused strictly, answered."""

from __future__ import annotations

import math
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from lavlive.commands.choices import osc_settings
from lavlive.control.actions import Action
from lavlive.control.control import Control
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.midi.binding_files import BindingFolders
from lavlive.control.osc.packets import LARGEST_PACKET, BadPacket, Message, decode
from lavlive.control.osc.server import OscServer, OscSettings, parse_address
from lavlive.errors import ControlError
from lavlive.parameters import TABLE, Values
from lavlive.resources import shipped
from tests.support.waiting import wait_until

ANYONE = ("127.0.0.1", 5000)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    library = PresetLibrary(shipped("presets"), tmp_path)
    with Control(
        Values(), BindingFolders(tmp_path, tmp_path), osc=OscSettings(port=0), presets=library
    ) as control:
        yield control


@pytest.fixture
def client(control: Control) -> Iterator[SimpleUDPClient]:
    assert control.osc is not None
    client = SimpleUDPClient(*control.osc.address)
    yield client
    client._sock.close()


def settle(control: Control, sent: int) -> list[Action]:
    """Wait until so many messages were judged, then apply them."""
    assert control.osc is not None
    counters = control.osc.counters
    wait_until(lambda: counters.accepted + counters.bad >= sent)
    return control.step(time.perf_counter())


def message(address: str, *arguments: object) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build().dgram


def bundle(seconds_from_now: float, *contents: bytes) -> bytes:
    builder = OscBundleBuilder(time.time() + seconds_from_now)
    for content in contents:
        builder.add_content(OscMessage(content))
    return builder.build().dgram


def test_every_parameter_is_set_in_its_own_unit_and_by_its_place_in_the_range(
    control: Control, client: SimpleUDPClient
) -> None:
    client.send_message("/lavlive/mapper/y", 1.3)
    client.send_message("/lavlive/norm/smoothing/coarse", 1.0)
    client.send_message("/lavlive/projection/seed", 42)
    client.send_message("/lavlive/show/freeze", True)
    client.send_message("/lavlive/projection/hold", 1.0)
    client.send_message("/lavlive/projection/kind", "orthogonal")
    settle(control, 6)
    assert control.values["mapper.y"] == pytest.approx(1.3)
    assert control.values["smoothing.coarse"] == 8.0
    assert control.values["projection.seed"] == 42
    assert control.values["show.freeze"] is True
    assert control.values["projection.hold"] is True
    assert control.values["projection.kind"] == "orthogonal"
    assert control.osc.counters.bad == 0


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("/lavlive/mapper/y", ("1.5",)),
        ("/lavlive/mapper/y", (None,)),
        ("/lavlive/projection/hold", ("on",)),
        ("/lavlive/mapper/y", (math.nan,)),
        ("/lavlive/mapper/y", (math.inf,)),
        ("/lavlive/mapper/y", (True,)),
        ("/lavlive/mapper/y", ()),
        ("/lavlive/mapper/y", (1.0, 2.0)),
        ("/lavlive/norm/mapper/y", (math.inf,)),
        ("/lavlive/norm/mapper/y", (math.nan,)),
        ("/lavlive/norm/mapper/y", ("0.5",)),
        ("/lavlive/projection/seed", (1.5,)),
        ("/lavlive/projection/kind", ("cubic",)),
        ("/lavlive/show/freeze", (0.5,)),
        ("/lavlive/snapshot/store", (9,)),
        ("/lavlive/snapshot/store", (1.5,)),
        ("/lavlive/preset/load", ()),
        ("/lavlive/preset/load", ("x" * 65,)),
        ("/lavlive/tap", ("now",)),
        ("/lavlive/subscribe", (70000,)),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_counted(
    address: str, arguments: tuple[object, ...]
) -> None:
    server = OscServer(OscSettings(port=0))
    server.take(message(address, *arguments), ANYONE, 0.0)
    server.close()
    assert (server.counters.refused, server.counters.accepted, len(server.inbox)) == (1, 0, 0)
    assert server.last_problem


@pytest.mark.parametrize(
    ("address", "sent", "value"),
    [
        ("/lavlive/mapper/y", 4.1, 4.0),
        ("/lavlive/mapper/y", -7, 0.0),
        ("/lavlive/norm/mapper/y", 1.01, 4.0),
        ("/lavlive/norm/mapper/y", -(2**40), 0.0),
        ("/lavlive/projection/seed", 2**40, 9999),
    ],
)
def test_a_number_out_of_range_is_held_at_the_nearest_end_and_counted(
    address: str, sent: float, value: float
) -> None:
    server = OscServer(OscSettings(port=0))
    server.take(message(address, sent), ANYONE, 0.0)
    server.close()
    assert (server.counters.accepted, server.counters.held, server.counters.bad) == (1, 1, 0)
    (event,) = server.inbox.drain()
    assert event.wish.value == value


def test_an_impulse_presses_and_nil_is_nothing_after_the_address() -> None:
    server = OscServer(OscSettings(port=0))
    for tags in (b",I\0\0", b",N\0\0"):
        server.take(b"/lavlive/tap\0\0\0\0" + tags, ANYONE, 0.0)
        server.take(b"/lavlive/mapper/y\0\0\0" + tags, ANYONE, 0.0)
    server.close()
    assert [event.wish for event in server.inbox.drain()] == [Action("tap"), Action("tap")]
    assert (server.counters.refused, server.counters.malformed) == (2, 0)


def test_what_is_wrong_with_one_message_of_a_bundle_is_that_messages_alone() -> None:
    foreign = [
        b"/foreign\0\0\0\0,bt\0\0\0\0\5hello\0\0\0" + bytes(8),
        b"/foreign\0\0\0\0,?\0\0",
        b"/foreign\0\0\0\0,f\0\0",
        b"no message at all   ",
        message("/lavlive/mapper/y", "1.5"),
        b"/lavlive/mapper/y\0\0\0,N\0\0",
    ]
    parts = [message("/lavlive/mapper/c", 0.3), *foreign, message("/lavlive/mapper/y", 2.0)]
    packet = b"#bundle\0" + bytes(7) + b"\1"
    for part in parts:
        packet += len(part).to_bytes(4, "big") + part
    nested = b"#bundle\0" + bytes(7) + b"\1" + len(packet).to_bytes(4, "big") + packet
    for sent in (packet, nested):
        server = OscServer(OscSettings(port=0))
        server.take(sent, ANYONE, 0.0)
        server.close()
        found = [(event.wish.name, event.wish.value) for event in server.inbox.drain()]
        assert found == [("mapper.c", pytest.approx(0.3)), ("mapper.y", 2.0)]
        counters = server.counters
        assert (counters.unknown, counters.malformed, counters.refused) == (1, 3, 2)
    cut = OscServer(OscSettings(port=0))
    cut.take(packet[:-4], ANYONE, 0.0)
    cut.close()
    assert [event.wish.name for event in cut.inbox.drain()] == ["mapper.c"]


@pytest.mark.parametrize(
    "address",
    [
        "/lavlive/mapper/*",
        "/lavlive/mapper/[xy]",
        "/lavlive/maper/y",
        "/lavlive/quit",
        "/lavlive/fullscreen",
        "/*",
        "/",
    ],
)
def test_only_exact_addresses_exist_and_none_ends_the_show(address: str) -> None:
    server = OscServer(OscSettings(port=0))
    server.take(message(address, 1.0), ANYONE, 0.0)
    server.close()
    assert (server.counters.unknown, len(server.inbox)) == (1, 0)


def test_actions_are_done_or_handed_to_the_show(control: Control, client: SimpleUDPClient) -> None:
    client.send_message("/lavlive/preset/load", "House")
    client.send_message("/lavlive/model/next", [])
    client.send_message("/lavlive/model/previous", 1.0)
    client.send_message("/lavlive/model/previous", 0.0)
    client.send_message("/lavlive/preset/load", "../../etc/passwd")
    client.send_message("/lavlive/projection/reroll", [])
    client.send_message("/lavlive/snapshot/store", 2)
    client.send_message("/lavlive/tap", [])
    asked = settle(control, 8)
    assert asked == [Action("preset.loaded", "House"), Action("model.next"), Action("model.previous")]
    assert any("no preset" in notice for notice in control.notices())
    assert 2 in control.looks.snapshots


def test_a_bundle_dated_into_the_future_is_applied_at_once_and_starts_nothing(
    control: Control, client: SimpleUDPClient
) -> None:
    threads = threading.active_count()
    for index in range(100):
        client._sock.sendto(
            bundle(3600.0 * 24, message("/lavlive/mapper/y", index / 50)), control.osc.address
        )
    settle(control, 100)
    assert control.values["mapper.y"] == pytest.approx(99 / 50)
    assert control.osc.counters.early == 100
    assert threading.active_count() == threads


def random_packet(chance: random.Random) -> bytes:
    """A packet of one of many kinds of wrongness, or by chance a right one."""
    right = message("/lavlive/mapper/y", chance.uniform(-10, 10))
    match chance.randrange(8):
        case 0:
            return chance.randbytes(chance.randrange(200))
        case 1:
            return right[: chance.randrange(len(right))]
        case 2:
            damaged = bytearray(right)
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            return bytes(damaged)
        case 3:
            inner = right
            for _ in range(chance.randrange(1, 12)):
                inner = b"#bundle\0" + chance.randbytes(8) + len(inner).to_bytes(4, "big") + inner
            return inner
        case 4:
            return b"#bundle\0" + bytes(8) + chance.randbytes(4) + right
        case 5:
            return b"/lavlive/mapper/y\0\0\0,f\0\0" + chance.randbytes(4)
        case 6:
            return (
                b"/lavlive/mapper/y\0\0\0,"
                + bytes(chance.choices(b"ifsbhdtTFNIrmc[]", k=3))
                + chance.randbytes(24)
            )
        case _:
            return message("/" + "".join(chance.choices("lavive/?*[]{}", k=12)), chance.random())


def test_a_hundred_thousand_random_packets_are_judged_and_nothing_wrong_gets_through() -> None:
    chance = random.Random(7)
    server = OscServer(OscSettings(port=0))
    packets = [random_packet(chance) for _ in range(10_000)]
    for round_ in range(10):
        for packet in packets:
            server.take(packet, ANYONE, float(round_))
        for event in server.inbox.drain():
            if not isinstance(event.wish, Action):
                TABLE[0].check(event.wish.value)
    server.close()
    judged = server.counters.accepted + server.counters.bad
    assert judged >= 100_000
    assert server.counters.malformed > 30_000
    assert server.counters.refused > 300
    assert server.counters.held > 3_000
    assert len(server.inbox) == 0


def test_malformed_packets_through_the_socket_leave_the_server_at_work(
    control: Control, client: SimpleUDPClient
) -> None:
    chance = random.Random(3)
    threads = threading.active_count()
    for index in range(3000):
        client._sock.sendto(random_packet(chance)[:60000], control.osc.address)
        if index % 50 == 0:
            time.sleep(0.002)
    client._sock.sendto(bytes(LARGEST_PACKET + 100), control.osc.address)
    time.sleep(0.05)
    client.send_message("/lavlive/mapper/y", 2.75)
    wait_until(lambda: control.step(time.perf_counter()) == [] and control.values["mapper.y"] == 2.75)
    assert control.osc.counters.malformed > 500
    assert threading.active_count() == threads


def test_five_thousand_valid_messages_a_second_are_all_heard(
    control: Control, client: SimpleUDPClient
) -> None:
    packets = [message(f"/lavlive/norm/{'mapper/y' if i % 2 else 'mapper/c'}", i / 5000) for i in range(5000)]
    longest = 0
    start = time.perf_counter()
    for index, packet in enumerate(packets):
        while time.perf_counter() - start < index / 5000:
            time.sleep(0.0002)
        client._sock.sendto(packet, control.osc.address)
        if index % 83 == 0:
            longest = max(longest, len(control.osc.inbox))
            control.step(time.perf_counter())
    settle(control, 5000)
    assert control.osc.counters.accepted == 5000
    assert control.values["mapper.y"] == pytest.approx(4 * 4999 / 5000)
    assert control.values["mapper.c"] == pytest.approx(4998 / 5000)
    assert longest < 4096
    assert control.osc.inbox.dropped == control.osc.inbox.coalesced == 0


@given(st.binary(max_size=100))
def test_no_bytes_break_the_decoder(packet: bytes) -> None:
    for prefix in (b"", b"/lavlive/mapper/y\0\0\0", b"#bundle\0" + bytes(7) + b"\1"):
        try:
            messages = decode(prefix + packet)
        except BadPacket:
            continue
        assert all(isinstance(message, Message | BadPacket) for message in messages)


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


@given(st.lists(st.one_of(st.integers(-(2**31), 2**31 - 1), st.booleans(), words), max_size=8))
def test_what_python_osc_writes_is_read_as_it_was_meant(arguments: list[Any]) -> None:
    assert decode(message("/any/where", *arguments)) == [Message("/any/where", tuple(arguments))]
    assert decode(struct.pack(">4s4sd", b"/d\0\0", b",d\0\0", 0.1)) == [Message("/d", (0.1,))]


def inbox_socket() -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    listening.settimeout(2.0)
    return listening


def heard(listening: socket.socket, until: str | None = None) -> list[Message]:
    """Everything that has arrived; with `until`, wait for that address."""
    found: list[Message] = []
    listening.settimeout(2.0 if until else 0.05)
    while until is None or not any(item.address == until for item in found):
        try:
            found += [part for part in decode(listening.recv(65536)) if isinstance(part, Message)]
        except TimeoutError:
            break
    return found


def test_the_table_answers_whoever_asks(control: Control) -> None:
    with inbox_socket() as surface:
        surface.sendto(message("/lavlive/?"), control.osc.address)
        settle(control, 1)
        table = heard(surface, until="/lavlive/?/end")
    parameters = [item.arguments for item in table if item.address == "/lavlive/?/parameter"]
    assert [row[0] for row in parameters] == ["/lavlive/" + p.name.replace(".", "/") for p in TABLE]
    first = float(TABLE[0].default)
    assert parameters[0][1:6] == ("continuous", first, first, 0.0, 4.0)
    assert any(
        item.arguments[0] == "/lavlive/preset/load" for item in table if item.address == "/lavlive/?/action"
    )
    assert ("House",) in [item.arguments for item in table if item.address == "/lavlive/?/preset"]


def test_subscribers_are_told_of_changes_but_not_of_their_own_while_a_finger_moves(control: Control) -> None:
    with inbox_socket() as surface, inbox_socket() as other:
        port = other.getsockname()[1]
        surface.sendto(message("/lavlive/subscribe"), control.osc.address)
        surface.sendto(message("/lavlive/subscribe", port, "norm"), control.osc.address)
        settle(control, 2)
        heard(surface), heard(other)
        control.edit("mapper.y", 2.5, 0.0)
        now = time.perf_counter() + 1.0
        control.step(now)
        assert heard(surface) == [Message("/lavlive/mapper/y", (2.5,))]
        assert heard(other) == [Message("/lavlive/norm/mapper/y", (0.625,))]
        surface.sendto(message("/lavlive/mapper/y", 3.0), control.osc.address)
        wait_until(lambda: control.osc.counters.accepted >= 3)
        control.step(now + 0.1)
        assert heard(surface) == []
        control.step(now + 1.0)
        assert heard(surface) == []
        surface.sendto(message("/lavlive/unsubscribe"), control.osc.address)
        wait_until(lambda: control.osc.counters.accepted >= 4)
        control.edit("mapper.y", 1.0, 0.0)
        control.step(now + 2.0)
        assert heard(surface) == []
        control.step(now + 100.0)
        assert control.surfaces.sender.subscribers == ()


def test_outgoing_state_is_sent_twenty_times_a_second_at_most(tmp_path: Path) -> None:
    with inbox_socket() as surface:
        settings = OscSettings(port=0, send=(surface.getsockname(),))
        with Control(Values(), BindingFolders(tmp_path, tmp_path), osc=settings) as control:
            control.step(0.0)
            assert len(heard(surface)) == len(TABLE)
            for index in range(100):
                control.edit("mapper.y", index / 100, 0.0)
                control.step(1.0 + index / 100)
            told = heard(surface)
    assert 15 <= len(told) <= 21
    assert {item.address for item in told} == {"/lavlive/mapper/y"}


def test_only_this_computer_is_heard_unless_others_are_named() -> None:
    for allow, expected in (((), 0), (("192.168.1.0/24",), 1), (("10.0.0.1",), 0)):
        server = OscServer(OscSettings(port=0, allow=allow))
        server.take(message("/lavlive/mapper/y", 1.0), ("192.168.1.77", 9), 0.0)
        server.take(message("/lavlive/mapper/y", 1.0), ("::ffff:127.0.0.1", 9), 0.0)
        server.close()
        assert server.counters.accepted == expected + 1
        assert server.counters.strangers == 1 - expected


def test_an_open_server_warns_and_a_closed_one_does_not() -> None:
    assert OscSettings().warning is None
    assert "hears this computer only" in str(OscSettings(host="0.0.0.0").warning)
    assert "no password" in str(OscSettings(host="0.0.0.0", allow=("10.0.0.0/8",)).warning)


def test_addresses_are_read_as_they_are_typed() -> None:
    assert parse_address("0.0.0.0:9000") == ("0.0.0.0", 9000)
    assert parse_address("9001") == ("127.0.0.1", 9001)
    assert parse_address("[::1]:9000") == ("::1", 9000)
    for wrong in ("", "localhost", "x:y", "x:99999", "x:-1"):
        with pytest.raises(ControlError, match="HOST:PORT"):
            parse_address(wrong)
    with pytest.raises(ControlError, match="network"):
        OscServer(OscSettings(port=0, allow=("home",)))


def test_a_taken_port_does_not_keep_the_show_from_beginning_unless_it_was_asked_for(tmp_path: Path) -> None:
    with inbox_socket() as taken:
        port = taken.getsockname()[1]
        folders = BindingFolders(tmp_path, tmp_path)
        with pytest.raises(ControlError, match="choose another"):
            Control(Values(), folders, osc=OscSettings(port=port))
        control = Control(Values(), folders, osc=OscSettings(port=port, required=False))
        assert control.osc is None
        with control:
            for now in (0.0, 1.0, 5.1, 20.0):
                control.step(now)
            (told,) = control.notices()
            assert "in use" in told
            assert "goes on without OSC" in told
            taken.close()
            control.step(26.0)
            assert control.notices() == [f"OSC is heard on 127.0.0.1:{port} now"]
            client = SimpleUDPClient("127.0.0.1", port)
            client.send_message("/lavlive/mapper/y", 2.5)
            client._sock.close()
            settle(control, 1)
            assert control.values["mapper.y"] == 2.5
    assert osc_settings(None, [], []) == OscSettings(required=False)
    assert osc_settings("127.0.0.1:9000", [], []) == OscSettings(required=True)


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    with inbox_socket() as taken, pytest.raises(ControlError, match="choose another"):
        OscServer(OscSettings(port=taken.getsockname()[1]))
