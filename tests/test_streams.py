"""Streams, received by real receivers on this machine: whole, in sync, and with a clear word when refused."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from lavlive.errors import OutputError
from lavlive.stage.canvas.readback import Shot
from lavlive.stage.output.takers.addresses import Stream, typed_stream
from lavlive.stage.output.takers.base import SoundBlock, Taker
from lavlive.stage.output.takers.live_encoder import LiveEncoder, LiveSettings, choose_encoder, starts
from lavlive.stage.output.takers.rtmp import RtmpPublisher, RtmpTarget, _Messages
from lavlive.stage.output.takers.stream import StreamTaker
from lavlive.stage.output.takers.transports import DatagramTarget, SrtSender, _Datagrams
from tests.support.receivers import FLASHES, SIZE, Receiver, feed, free_port, srt_server
from tests.support.waiting import wait_until

SETTINGS = LiveSettings(SIZE, 30, 400, "software")
IN_SYNC = 0.045
"""Seconds by which sound may be early before the eye notices (ITU-R BT.1359)."""


def stream_to(address: str) -> Stream:
    return Stream("test", typed_stream(address).target, SETTINGS)


def open_when_there(opening: Callable[[], Taker]) -> Taker:
    """As soon as the server listens, which nothing tells."""
    opened: list[Taker] = []

    def tried() -> bool:
        with contextlib.suppress(OutputError):
            opened.append(opening())
        return bool(opened)

    wait_until(tried, what=lambda: "no server listened")
    return opened[0]


def check(receiver: Receiver) -> None:
    received = receiver.received
    assert received.shape == SIZE[::-1]
    flashes, claps = received.flashes(), received.claps()
    assert len(flashes) == len(claps) == len(FLASHES)
    assert np.diff(flashes) == pytest.approx(np.diff(FLASHES), abs=0.04)
    assert np.abs(np.subtract(flashes, claps)).max() < IN_SYNC


def test_an_rtmp_server_gets_pictures_and_sound_in_sync() -> None:
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    receiver = Receiver(address, {"listen": "1"})
    taker = open_when_there(lambda: StreamTaker(stream_to(address)))
    feed(taker, ppm=200.0)
    taker.close()
    receiver.join(20)
    check(receiver)


def test_an_srt_receiver_gets_pictures_and_sound_in_sync_behind_a_passphrase() -> None:
    port, further = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    receiver = Receiver(f"udp://127.0.0.1:{further}?fifo_size=100000", patience=0.4)
    with srt_server(f"udp://127.0.0.1:{further}", port, "&passphrase=0123456789ab"):
        wait_until(lambda: "passphrase is wrong" in refusal(port))
        target = DatagramTarget("srt", "127.0.0.1", port, "0123456789ab", "show", 20)
        taker = open_when_there(lambda: StreamTaker(Stream("test", target, SETTINGS)))
        feed(taker)
        # What is sent has still to pass the receiver's buffer, of the latency's length.
        wait_until(lambda: len(receiver.received.claps()) == len(FLASHES))
        wait_until(lambda: len(receiver.received.flashes()) == len(FLASHES))
        taker.close()
    receiver.join(20)
    check(receiver)


def refusal(port: int) -> str:
    """What a caller with the wrong passphrase is told."""
    with pytest.raises(OutputError) as told:
        SrtSender(DatagramTarget("srt", "127.0.0.1", port, "0123456789zz"), seconds=0.3)
    return str(told.value)


def test_a_transport_stream_over_udp_is_in_sync() -> None:
    address = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    receiver = Receiver(f"{address}?fifo_size=100000", patience=0.4)
    time.sleep(0.2)  # nobody knows when a socket of UDP listens
    taker = StreamTaker(stream_to(address))
    feed(taker)
    wait_until(lambda: len(receiver.received.claps()) == len(FLASHES))
    taker.close()
    receiver.join(20)
    check(receiver)


class Server(threading.Thread):
    """Accepts one connection and does something with it; `port` is where."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        super().__init__(daemon=True)
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(30)
        self.port = self._listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        connection, _ = self._listener.accept()
        if sys.platform != "win32":  # not settimeout: with that, MSG_WAITALL waits for nothing
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 30, 0))
        with connection, self._listener:
            self._serve(connection)


def greet(connection: socket.socket) -> None:
    """The beginning of a server of RTMP."""
    data = connection.recv(1537, socket.MSG_WAITALL)
    connection.sendall(b"\x03" + bytes(1536) + data[1:])
    connection.recv(1536, socket.MSG_WAITALL)


def refuse(connection: socket.socket) -> None:
    from lavlive.stage.output.takers.rtmp import _amf

    greet(connection)
    body = b"".join(
        _amf(value)
        for value in (
            "_error",
            1.0,
            None,
            {"code": "NetConnection.Connect.Rejected", "description": "KEYKEY"},
        )
    )
    connection.sendall(b"\x03\0\0\0" + len(body).to_bytes(3, "big") + b"\x14\0\0\0\0" + body)
    while connection.recv(1000):
        pass


def target_at(port: int, **further: object) -> RtmpTarget:
    return RtmpTarget("rtmp", "127.0.0.1", port, "live", "KEYKEY", **further)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("serve", "says"),
    [
        (refuse, "refuses the connection (NetConnection.Connect.Rejected)"),
        (
            lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 80),
            "is no RTMP server",
        ),
        (lambda connection: None, "ended the connection"),
        (
            lambda connection: connection.recv(100_000, socket.MSG_WAITALL),
            "does not answer like an RTMP server",
        ),
    ],
)
def test_a_server_that_refuses_is_named_and_the_key_is_not(
    serve: Callable[[socket.socket], None], says: str
) -> None:
    server = Server(serve)
    with pytest.raises(OutputError) as told:
        RtmpPublisher(target_at(server.port), seconds=0.5)
    assert says in str(told.value)
    assert "KEYKEY" not in str(told.value) + repr(told.value)
    server.join(10)


def test_a_server_that_reads_nothing_is_left_after_a_while() -> None:
    from lavlive.stage.output.takers.rtmp import _amf

    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        greet(connection)
        answers = [
            b"".join(map(_amf, ("_result", 1.0, None, {"code": "NetConnection.Connect.Success"}))),
            b"".join(map(_amf, ("_result", 4.0, None, 1.0))),
            b"".join(map(_amf, ("onStatus", 0.0, None, {"code": "NetStream.Publish.Start"}))),
        ]
        for body in answers:
            connection.sendall(b"\x03\0\0\0" + len(body).to_bytes(3, "big") + b"\x14\0\0\0\0" + body)
        done.wait(30)

    server = Server(serve)
    publisher = RtmpPublisher(target_at(server.port), seconds=0.3)
    tag = b"\x09" + (100_000).to_bytes(3, "big") + bytes(7) + bytes(100_000) + bytes(4)
    with pytest.raises(OutputError, match="not take the stream fast enough"):
        publisher.write(bytes(13) + tag * 80)
    publisher.close()
    done.set()
    server.join(10)


def test_rtmps_goes_to_servers_with_a_good_certificate_only(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")

    def serve(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as safe:
                assert safe.recv(1) == b"\x03"
                safe.sendall(b"\x05" + bytes(1536))
        except OSError:
            pass

    def publish(known: str | None) -> str:
        server = Server(serve)
        with pytest.raises(OutputError) as told:
            RtmpPublisher(RtmpTarget("rtmps", "localhost", server.port, "live", "KEYKEY", known), seconds=5.0)
        server.join(10)
        return str(told.value)

    assert "cannot be reached safely" in publish(None)
    assert "is no RTMP server" in publish(str(certificate))


def _certificate(folder: Path) -> Path:
    """One for localhost, signed by itself."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize("kind", ["flv", "mpegts"])
def test_sound_that_comes_long_after_the_first_pictures_does_not_end_the_stream(kind: str) -> None:
    class Sink:
        written = 0

        def write(self, data: bytes) -> int:
            self.written += len(data)
            return len(data)

        def close(self) -> None:
            pass

    encoder = LiveEncoder(Sink(), kind, SETTINGS)
    pixels = np.full((90, 160, 3), 90, np.uint8)
    for seconds in (0.0, 1.0, 2.0):  # as on a machine that is busy
        encoder.take(Shot(pixels, seconds), [])
    encoder.take(Shot(pixels, 2.1), [SoundBlock(np.zeros((4800, 2), np.float32), 2.0)])
    for number in range(30):
        encoder.take(Shot(pixels, 2.2 + number / 30), [])
    encoder.close()


def test_an_encoder_of_a_card_that_is_not_there_is_passed_over() -> None:
    assert not starts("h264_made_up", {}, SETTINGS)
    assert choose_encoder(SETTINGS)[0] == "libx264"
    with pytest.raises(OutputError, match="does not start here"):
        choose_encoder(LiveSettings(SIZE, 30, 400, "h264_made_up"))


def test_a_canvas_of_another_shape_or_size_is_fitted_while_the_stream_goes_on() -> None:
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    receiver = Receiver(address, {"listen": "1"})
    taker = open_when_there(lambda: StreamTaker(stream_to(address)))
    for number, (width, height) in enumerate([(160, 90), (320, 90), (64, 64), (161, 91)] * 4):
        pixels = np.full((height, width, 3), 200, np.uint8)
        taker.take(Shot(pixels, number / 30), [SoundBlock(np.zeros((1600, 2), np.float32), number / 30)])
    taker.close()
    receiver.join(20)
    assert receiver.received.shape == SIZE[::-1]
    assert len(receiver.received.pictures) >= 12


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process write over its arguments")
def test_a_key_that_was_typed_is_gone_from_the_list_of_processes() -> None:
    program = (
        "import sys; from lavlive.commands.hiding import hide_from_processes as hide; "
        "assert hide(['SECRETKEY']); print(open('/proc/self/cmdline').read()); "
        "assert sys.argv[1].endswith('/SECRETKEY')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "rtmp://host/app/SECRETKEY"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "SECRETKEY" not in ran.stdout
    assert "rtmp://host/app/xxxxxxxxx" in ran.stdout


class Kept:
    """Keeps what a muxer writes."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def close(self) -> None:
        pass


def pictures_in(data: bytes) -> list[float]:
    """Times of the pictures in what was muxed, seconds."""
    with av.open(io.BytesIO(data)) as container:
        return [float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.pts]


@pytest.mark.parametrize("kind", ["flv", "mpegts"])
def test_pictures_wait_for_no_sound_that_comes_late_or_not_at_all(kind: str) -> None:
    kept = Kept()
    encoder = LiveEncoder(kept, kind, LiveSettings((64, 36), 30, 400, "software"))
    random = np.random.default_rng(0)
    length = 0
    for number in range(30):  # noise, so that no picture is small
        length = len(kept.data)
        encoder.take(Shot(random.integers(0, 255, (36, 64, 3), np.uint8), 50 + number / 30), [])
    sent = pictures_in(bytes(kept.data[:length]))
    encoder.close()
    assert sent[-1] - sent[0] >= 26 / 30


@pytest.mark.parametrize("kind", ["flv", "mpegts"])
def test_a_loop_whose_time_wavers_loses_no_picture_of_a_stream(kind: str) -> None:
    kept = Kept()
    encoder = LiveEncoder(kept, kind, LiveSettings((64, 36), 30, 400, "software"))
    wavers = np.random.default_rng(0).uniform(-0.008, 0.008, 60)
    for number in range(60):
        encoder.take(Shot(np.zeros((36, 64, 3), np.uint8), 50 + number / 30 + wavers[number]), [])
    encoder.close()
    steps = np.diff(pictures_in(bytes(kept.data)))
    assert len(steps) >= 57
    assert steps == pytest.approx(1 / 30, abs=0.0011)


def test_the_end_of_a_picture_is_sent_without_waiting_for_the_next() -> None:
    sent: list[bytes] = []

    class Datagrams(_Datagrams):
        def _send(self, data: bytes) -> None:
            sent.append(data)

    written = bytes(range(188)) * 9
    datagrams = Datagrams()
    datagrams.write(written[:1500])
    assert [len(each) for each in sent] == [7 * 188]
    datagrams.write(written[1500:])
    assert [len(each) for each in sent] == [7 * 188, 2 * 188]
    assert b"".join(sent) == written


def test_rtmp_counts_on_after_four_hours_and_forty_minutes_where_its_short_times_end() -> None:
    sent = bytearray()
    publisher = RtmpPublisher.__new__(RtmpPublisher)
    publisher._waiting, publisher._header_seen, publisher._chunk = bytearray(), False, 128
    publisher._socket = SimpleNamespace(sendall=sent.extend)  # type: ignore[assignment]
    time = 8 * 3_600_000 + 5
    body = bytes(range(250)) * 2
    head = b"\x09" + len(body).to_bytes(3, "big") + (time & 0xFFFFFF).to_bytes(3, "big")
    publisher._waiting += bytes(13) + head + bytes([time >> 24]) + bytes(3) + body + bytes(4)
    ((kind, told, given),) = publisher._tags()
    assert (kind, told, given) == (9, time, body)
    publisher._send(kind, given, channel=6, stream=1, time=told)
    extended = time.to_bytes(4, "big")
    assert sent[1:4] == b"\xff\xff\xff"
    assert sent[12:16] == extended
    assert sent[16 + 128 :][:5] == b"\xc6" + extended
    received = _Messages()
    received.feed(bytes(sent))
    assert list(received.messages()) == [(9, body)]
