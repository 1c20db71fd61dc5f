"""The OSC server: a thread that reads datagrams, refuses what it cannot use, and enqueues the rest.

Every address is exact; no pattern is matched, no function is called by name. Nothing that arrives here
touches a file except for loading a preset that the library already knows by name, and nothing ends the
show.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from lavlive.control.actions import ACTIONS, Action, check_action
from lavlive.control.events import Inbox
from lavlive.control.osc.packets import LARGEST_PACKET, Argument, BadPacket, Message, decode
from lavlive.errors import ControlError, ParameterError
from lavlive.parameters import NAMES, TABLE, Parameter, Value

PREFIX = "/lavlive/"
Address = tuple[str, int]
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LOCAL: tuple[_Network, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)
_RECEIVE_BUFFER = 1 << 20


@dataclass(frozen=True)
class OscSettings:
    """Where to listen, whom to hear, and whom to tell.

    Attributes:
        host, port: what to bind to; port 0 takes a free one.
        allow: networks or addresses that are heard besides this computer.
        send: addresses that are always told of changes.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    allow: tuple[str, ...] = ()
    send: tuple[Address, ...] = ()

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


@dataclass(frozen=True, slots=True)
class SetParameter:
    """Somebody set a parameter; the value is checked."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Somebody wants to be told of changes at a port of theirs, or no longer does."""

    port: int
    normalised: bool
    ends: bool = False


@dataclass(frozen=True, slots=True)
class AskTable:
    """Somebody wants to know what there is."""


@dataclass(frozen=True, slots=True)
class OscEvent:
    """A message that was understood."""

    address: str
    sender: Address
    wish: SetParameter | Action | Subscribe | AskTable
    time: float

    @property
    def key(self) -> Hashable:
        """What an overfull inbox keeps the newest of."""
        return self.address


@dataclass
class OscCounters:
    """What has arrived so far; every number only grows.

    Attributes:
        accepted: messages that were understood.
        malformed: packets that are no OSC.
        unknown: messages to addresses that do not exist.
        refused: values of the wrong type, not finite or out of range, and actions that may not be.
        strangers: packets from addresses that are not heard.
        early: messages dated into the future; they are applied at once.
    """

    accepted: int = 0
    malformed: int = 0
    unknown: int = 0
    refused: int = 0
    strangers: int = 0
    early: int = 0

    @property
    def bad(self) -> int:
        """Everything that was dropped."""
        return self.malformed + self.unknown + self.refused + self.strangers


def parameter_address(name: str) -> str:
    """A parameter's OSC address."""
    return PREFIX + name.replace(".", "/")


def normalised_address(name: str) -> str:
    """The address at which a parameter is set by its place in its range."""
    return f"{PREFIX}norm/{name.replace('.', '/')}"


@dataclass(frozen=True)
class _Addresses:
    own: Mapping[str, Parameter] = field(
        default_factory=lambda: {parameter_address(p.name): p for p in TABLE}
    )
    normalised: Mapping[str, Parameter] = field(
        default_factory=lambda: {normalised_address(p.name): p for p in TABLE}
    )
    actions: Mapping[str, str] = field(
        default_factory=lambda: {
            parameter_address(name): name
            for name, spec in ACTIONS.items()
            if spec.from_outside and name not in NAMES
        }
    )


ADDRESSES = _Addresses()


class Refused(ValueError):
    """A message whose values cannot be used."""


class Unknown(ValueError):
    """A message to an address that does not exist."""


def understand(message: Message) -> SetParameter | Action | Subscribe | AskTable | None:
    """What a message asks for; None for the release of a button.

    Raises:
        Unknown: there is no such address.
        Refused: the arguments do not fit it.
    """
    address, arguments = message.address, message.arguments
    own, normalised = ADDRESSES.own.get(address), ADDRESSES.normalised.get(address)
    for parameter in (own, normalised):
        if parameter is not None and parameter.guarded:
            raise Refused(f"{parameter.name} is changed in the panel only")
    if own is not None:
        return _set(own, arguments)
    if normalised is not None:
        return _set_normalised(normalised, arguments)
    if name := ADDRESSES.actions.get(address):
        return _action(name, arguments)
    if address == f"{PREFIX}?":
        return AskTable()
    if address in (f"{PREFIX}subscribe", f"{PREFIX}unsubscribe"):
        return _subscribe(arguments, ends=address.endswith("unsubscribe"))
    raise Unknown(address)


def _set(parameter: Parameter, arguments: tuple[Argument, ...]) -> SetParameter:
    if len(arguments) != 1:
        raise Refused(f"{parameter.name} takes one value")
    try:
        return SetParameter(parameter.name, parameter.check(arguments[0]))
    except (ParameterError, OverflowError) as reason:
        raise Refused(str(reason)) from None


def _set_normalised(parameter: Parameter, arguments: tuple[Argument, ...]) -> SetParameter:
    match arguments:
        case (int() | float() as position,) if 0.0 <= position <= 1.0:
            return SetParameter(parameter.name, parameter.from_unit(float(position)))
    raise Refused(f"{parameter.name} normalised takes one number from 0 to 1")


def _action(name: str, arguments: tuple[Argument, ...]) -> Action | None:
    spec = ACTIONS[name]
    if not spec.argument:
        match arguments:
            case ():
                return Action(name)
            case (int() | float() as pressed,) if pressed == pressed:
                return Action(name) if pressed else None
        raise Refused(f"{name} takes nothing, or 1 for pressed and 0 for released")
    match arguments:
        case (bool(),):
            raise Refused(f"{name} takes a {spec.argument}")
        case (str() as text,):
            argument = text.strip()
        case (int() as number,):
            argument = str(number)
        case (float() as number,) if number.is_integer():
            argument = str(int(number))
        case _:
            raise Refused(f"{name} takes a {spec.argument}")
    try:
        return check_action(Action(name, argument))
    except ControlError as reason:
        raise Refused(str(reason)) from None


def _subscribe(arguments: tuple[Argument, ...], ends: bool) -> Subscribe:
    match arguments:
        case ():
            return Subscribe(0, False, ends)
        case (int() as port,) if 0 < port < 65536:
            return Subscribe(port, False, ends)
        case (int() as port, "norm") if 0 < port < 65536:
            return Subscribe(port, True, ends)
    raise Refused("subscribe takes a port, and norm for values from 0 to 1")


class OscServer:
    """Listens until closed. A context manager.

    Attributes:
        inbox: events for the main thread.
        counters: see `OscCounters`.
        last_problem: what was wrong with the newest bad message, for the panel.

    Raises:
        ControlError: the address cannot be bound to.
    """

    def __init__(self, settings: OscSettings) -> None:
        self.settings = settings
        self.inbox: Inbox[OscEvent] = Inbox(4096)
        self.counters = OscCounters()
        self.last_problem = ""
        self._networks = settings.networks
        self._known_senders: dict[str, bool] = {}
        self._socket = bound_socket(settings.host, settings.port)
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)

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
            self.counters.early += message.early
            self._take_message(message, sender, now)

    def _take_message(self, message: Message, sender: Address, now: float) -> None:
        try:
            wish = understand(message)
        except Unknown:
            self.counters.unknown += 1
            self.last_problem = f"no address {message.address[:80]}"
        except Refused as reason:
            self.counters.refused += 1
            self.last_problem = str(reason)
        else:
            self.counters.accepted += 1
            if wish is not None:
                self.inbox.put(OscEvent(message.address, sender, wish, now))

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


def bound_socket(host: str, port: int) -> socket.socket:
    """A UDP socket bound to an address; reads wait a fifth of a second at most.

    Raises:
        ControlError: no such host, or a port that is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )[0]
        udp = socket.socket(family, kind, protocol)
    except OSError as reason:
        raise ControlError(f"OSC cannot listen on {host}:{port}: {reason}.") from None
    try:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        udp.bind(address)
    except OSError as reason:
        udp.close()
        raise ControlError(
            f"OSC cannot listen on {host}:{port}: {reason.strerror}; choose another with --osc."
        ) from None
    udp.settimeout(0.2)
    return udp
