"""The OSC server: a thread that reads datagrams, refuses what it cannot use, and enqueues the rest.

Every address is exact; no pattern is matched, no function is called by name. Nothing that arrives here
touches a file except for loading a preset that the library already knows by name, and nothing ends the
show.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lavlive.control.events import Inbox
from lavlive.control.osc.bindings import OscBinding
from lavlive.control.osc.packets import LARGEST_PACKET, BadPacket, Message, decode
from lavlive.control.osc.wishes import (
    Address,
    Foreign,
    OscEvent,
    Refused,
    SetParameter,
    Unknown,
    Wish,
    understand,
)
from lavlive.errors import ControlError
from lavlive.parameters import thread_here

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LOCAL: tuple[_Network, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)
_RECEIVE_BUFFER = 1 << 20
_MOST_ADDRESSES = 256


@dataclass(frozen=True)
class OscSettings:
    """Where to listen, whom to hear, and whom to tell.

    Attributes:
        host, port: what to bind to; port 0 takes a free one.
        allow: networks or addresses that are heard besides this computer.
        send: addresses that are always told of changes.
        required: whether the show must not begin without it, as where the user named the address.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    allow: tuple[str, ...] = ()
    send: tuple[Address, ...] = ()
    required: bool = True

    @property
    def networks(self) -> tuple[_Network, ...]:
        """Everybody who is heard.

        Raises:
            ControlError: an entry of `allow` is no address and no network.
        """
        found = list(_LOCAL)
        for entry in self.allow:
            try:
                found.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                raise ControlError(
                    f"{entry!r} is no address or network; for example 192.168.1.20 or 192.168.1.0/24."
                ) from None
        return tuple(found)

    @property
    def warning(self) -> str | None:
        """What to tell the user about a server that is open to the network, else None."""
        if self.host == "localhost" or _is_local(self.host):
            return None
        if not self.allow:
            return (
                f"OSC listens on {self.host}:{self.port} but hears this computer only: name who may send, "
                "for example --osc-allow 192.168.1.0/24."
            )
        return f"OSC is open on {self.host}:{self.port} to {', '.join(self.allow)}: no password protects it."


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_address(text: str) -> Address:
    """Read ``HOST:PORT`` or ``PORT``; an IPv6 address stands in brackets.

    Raises:
        ControlError: no port, or one out of range.
    """
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not (port.isascii() and port.isdigit() and 0 <= int(port) <= 65535):
        raise ControlError(f"An OSC address is HOST:PORT, not {text!r}; for example 127.0.0.1:9000.")
    return host, int(port)


@dataclass
class OscCounters:
    """What has arrived so far; every number only grows.

    Attributes:
        accepted: messages that were understood.
        malformed: packets, and parts of bundles, that are no OSC.
        unknown: messages to addresses that do not exist and were not learned.
        refused: values of the wrong type or not finite, and actions that may not be.
        held: accepted values that were out of range and are held at the nearest end of it.
        strangers: packets from addresses that are not heard.
        early: messages dated into the future; they are applied at once.
    """

    accepted: int = 0
    malformed: int = 0
    unknown: int = 0
    refused: int = 0
    held: int = 0
    strangers: int = 0
    early: int = 0

    @property
    def bad(self) -> int:
        """Everything that was dropped."""
        return self.malformed + self.unknown + self.refused + self.strangers


class OscServer:
    """Listens until closed. A context manager.

    Attributes:
        inbox: events for the main thread.
        counters: see `OscCounters`.
        last_problem: what was wrong with the newest bad message, for the panel.
        learned: what addresses of others' making are bound to; the main thread puts another mapping here.
        learning: whether the main thread wants to see messages to any address.
        others: when a message to an address that is not ours came last, seconds, by address.

    Raises:
        ControlError: the address cannot be bound to.
    """

    def __init__(self, settings: OscSettings) -> None:
        self.settings = settings
        self.inbox: Inbox[OscEvent] = Inbox(4096)
        self.counters = OscCounters()
        self.last_problem = ""
        self.learned: Mapping[str, Sequence[OscBinding]] = {}
        self.learning = False
        self.others: dict[str, float] = {}
        self._networks = settings.networks
        self._known_senders: dict[str, bool] = {}
        self._socket = bound_socket(settings.host, settings.port)
        self._ending = False
        self._thread = thread_here(self._run, "osc")

    @property
    def address(self) -> Address:
        """Where it listens, with the port that it got."""
        host, port, *_ = self._socket.getsockname()
        return host, port

    @property
    def socket(self) -> socket.socket:
        """The socket, for answers from the same port."""
        return self._socket

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._ending = True
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)
        self._socket.close()

    def __enter__(self) -> OscServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ending:
            try:
                packet, sender = self._socket.recvfrom(LARGEST_PACKET + 1)
            except TimeoutError:
                continue
            except OSError:
                continue
            self.take(packet, (sender[0], sender[1]), time.perf_counter())

    def take(self, packet: bytes, sender: Address, now: float) -> None:
        """Handle one datagram; never raises."""
        if not self._is_heard(sender[0]):
            self.counters.strangers += 1
            self.last_problem = f"{sender[0]} may not send"
            return
        try:
            messages = decode(packet)
        except BadPacket as reason:
            self.counters.malformed += 1
            self.last_problem = str(reason)
            return
        for message in messages:
            if isinstance(message, BadPacket):
                self.counters.malformed += 1
                self.last_problem = str(message)
            else:
                self.counters.early += message.early
                self._take_message(message, sender, now)

    def _take_message(self, message: Message, sender: Address, now: float) -> None:
        try:
            wishes = self._wishes(message, now)
        except Unknown:
            self.counters.unknown += 1
            self.last_problem = f"no address {message.address[:80]}"
        except Refused as reason:
            self.counters.refused += 1
            self.last_problem = str(reason)
        else:
            for wish in wishes:
                if isinstance(wish, SetParameter):
                    self.counters.held += wish.held
                self.inbox.put(OscEvent(message.address, sender, wish, now))
            self.counters.accepted += 1

    def _wishes(self, message: Message, now: float) -> list[Wish]:
        """What a message asks for, by our address or by one that was learned."""
        try:
            wish = understand(message)
        except Unknown:
            if len(self.others) >= _MOST_ADDRESSES and message.address not in self.others:
                self.others.clear()
            self.others[message.address] = now
            if self.learning:
                return [Foreign(message.arguments)]
            if message.address not in self.learned:
                raise
            wishes = [binding.wish(message.arguments) for binding in self.learned[message.address]]
            return [wish for wish in wishes if wish is not None]
        return [] if wish is None else [wish]

    def _is_heard(self, host: str) -> bool:
        known = self._known_senders.get(host)
        if known is None:
            address = ipaddress.ip_address(host.partition("%")[0])
            if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
                address = address.ipv4_mapped
            known = any(address in network for network in self._networks)
            if len(self._known_senders) >= 1024:
                self._known_senders.clear()
            self._known_senders[host] = known
        return known


class OscUnavailable(ControlError):
    """The address cannot be listened on, at least now."""


def bound_socket(host: str, port: int) -> socket.socket:
    """A UDP socket bound to an address; reads wait a fifth of a second at most.

    Raises:
        OscUnavailable: no such host, or a port that is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )[0]
        udp = socket.socket(family, kind, protocol)
    except OSError as reason:
        raise OscUnavailable(f"OSC cannot listen on {host}:{port}: {reason}.") from None
    try:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        udp.bind(address)
    except OSError as reason:
        udp.close()
        raise OscUnavailable(
            f"OSC cannot listen on {host}:{port}: {reason.strerror}; choose another with --osc."
        ) from None
    udp.settimeout(0.2)
    return udp
