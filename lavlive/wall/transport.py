"""Carries the wall's messages over Eclipse Zenoh; with `scouting` the only file that knows it.

The conductor is a router that listens at one address; nodes connect to it alone. There are two links to each,
on one port: messages go as datagrams (UDP), for one that is lost is better passed over than waited for; what
Zenoh's sides must know of each other, who listens to what, goes by TCP, where nothing is lost. When a queue
is full, messages are dropped, never waited for.

    HOST[:PORT]                 TCP and UDP
    tcp/ tls/ quic/HOST:PORT    that alone: what is lost holds up what follows; tls, quic want certificates

Beyond this machine a key is asked for, which both sides prove to have without sending it. It keeps strangers
out; what is told is readable on the network except by ``tls/`` and ``quic/``.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lavlive.errors import WallError
from lavlive.files import read_whole

if TYPE_CHECKING:
    import zenoh

PORT = 7447
LOOPBACK = "127.0.0.1"
MOMENT, LOOK, PING, REPORT = (f"lavlive/wall/{name}" for name in ("moment", "look", "ping", "report"))

FIND = "find"
"""What is typed for a conductor's address where its answer to scouting is to be taken."""
GROUP = "224.0.0.224:7449"
"""Where conductors that are opened to the network hear who looks for them."""
MOST_PUBLISHERS = 300
"""Topics that are kept ready: as many nodes as a conductor counts, and its own."""

_USER = "lavlive"
_LARGEST_KEY_FILE = 1 << 16
_LEASE_MS = 1000
"""A side that has been silent for so long is gone, and its place is free for a new one."""
_TRY_MS = 1000
_SECURE = ("tls", "quic")
_BOTH = ""
_PROTOCOLS = ("tcp", *_SECURE)
_MISSING = "The wall wants Eclipse Zenoh: pip install 'lavlive[wall]'."

Take = Callable[[bytes], object]


def pong_topic(node: str) -> str:
    """Where the answers to one node's pings go, so that the others need not hear them."""
    return f"lavlive/wall/pong/{hashlib.sha256(node.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a conductor is reached.

    Attributes:
        protocol: ``tcp``, ``tls`` or ``quic``; "" for TCP and UDP beside each other.
        host, port: of the conductor.
    """

    protocol: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``[PROTOCOL/]HOST[:PORT]``; an IPv6 host stands in brackets.

        Raises:
            WallError: it is no address.
        """
        protocol, slash, rest = text.strip().partition("/")
        if not slash:
            protocol, rest = _BOTH, text.strip()
        host, colon, port = rest.rpartition(":")
        if not colon or rest.endswith("]"):
            host, port = rest, str(PORT)
        number = int(port) if port.isdigit() else 0
        known = protocol in _PROTOCOLS or not slash
        if not known or not host or "/" in host or not 0 < number < 65_536:
            raise WallError(
                f"{text!r} is no address of a conductor: give HOST:PORT, such as 192.168.1.10:{PORT}, or "
                f"one of {', '.join(_PROTOCOLS)} before it, such as tls/wall.example:{PORT}."
            )
        return cls(protocol, host.strip("[]"), number)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}/{host}:{self.port}".lstrip("/")

    def endpoints(self) -> list[str]:
        """As Zenoh writes it: what each link is for, where there are two."""
        if self.protocol:
            return [str(self)]
        return [f"tcp/{self}?rel=1", f"udp/{self}?rel=0"]

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to talk to each other.

    Attributes:
        key: both sides have the same; None asks for none, which only the loopback may.
        certificates: for tls and quic, a folder with ``ca.pem`` and, of the conductor, ``cert.pem`` and
            ``key.pem``.
    """

    key: str | None = None
    certificates: Path | None = None


class Transport:
    """One open session; a context manager. Callbacks come in a thread of Zenoh's, one after another."""

    def __init__(self, session: zenoh.Session, secrets: Callable[[], None]) -> None:
        import zenoh

        self._session = session
        self._forget = secrets
        self._publishers: dict[str, zenoh.Publisher] = {}
        self._declaring = threading.Lock()  # the conductor's thread publishes, and Zenoh's answers
        self._drop = zenoh.CongestionControl.DROP
        self._unreliable = zenoh.Reliability.BEST_EFFORT
        self._subscribers: list[Any] = []

    @classmethod
    def conduct(
        cls, address: Address, access: Access, interface: str | None = None, group: str = GROUP
    ) -> Transport:
        """Listen as a conductor.

        Args:
            interface: on which it can be found by scouting. None for all, and for none where only this
                machine reaches it.
            group: where it hears who looks for it.

        Raises:
            WallError: Zenoh is missing, the port is taken, a key or certificates are missing.
        """
        if not address.is_loopback and not access.key:
            raise WallError(
                f"{address} can be reached by others: say with --wall-key FILE which key nodes must have."
            )
        config = _config("router", address, access)
        config["listen/endpoints"] = address.endpoints()
        if interface is not None or not address.is_loopback:
            config["scouting/multicast/enabled"] = True
            config["scouting/multicast/address"] = group
            config["scouting/multicast/interface"] = interface or "auto"
            config["scouting/multicast/autoconnect"] = {"router": [], "peer": []}
            config["scouting/multicast/listen"] = True
        with contextlib.ExitStack() as stack:
            if access.key:
                config["transport/auth/usrpwd/dictionary_file"] = stack.enter_context(_key_file(access.key))
            try:
                session = _open(config)
            except _zenoh_error() as error:
                raise WallError(_why_not_listening(address, str(error))) from None
            return cls(session, stack.pop_all().close)

    @classmethod
    def follow(cls, address: Address, access: Access, patience: float = 1.5) -> Transport:
        """Connect to a conductor; waits `patience` seconds for it. The connection mends itself later.

        Raises:
            WallError: Zenoh is missing, or no conductor answered that takes this key.
        """
        config = _config("peer", address, access)
        config["connect/endpoints"] = address.endpoints()
        config["listen/endpoints"] = []
        config["connect/timeout_ms"] = round(1000 * patience)
        config["connect/exit_on_failure"] = True
        config["connect/retry"] = {"period_init_ms": 100, "period_max_ms": 300, "period_increase_factor": 1.5}
        try:
            return cls(_open(config), lambda: None)
        except _zenoh_error():
            doubt = "takes the key of this node" if access.key else "wants no key"
            raise WallError(f"No conductor answers at {address} that {doubt}") from None

    @classmethod
    def follow_any(cls, addresses: list[Address], access: Access, patience: float = 1.5) -> Transport:
        """Connect to the first of some addresses of one conductor that answers, as `follow` does.

        Raises:
            WallError: none does; of the last one.
        """
        for address in addresses[:-1]:
            with contextlib.suppress(WallError):
                return cls.follow(address, access, patience)
        return cls.follow(addresses[-1], access, patience)

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell everybody who listens; what cannot be sent at once is dropped."""
        with contextlib.suppress(_zenoh_error()):  # a session that closes
            self._publisher(topic).put(payload)

    def _publisher(self, topic: str) -> zenoh.Publisher:
        """What publishes a topic; of more than `MOST_PUBLISHERS` the one that rested longest is let go of.

        A node has another name with every start, and each name is a topic of its own.
        """
        with self._declaring:
            publisher = self._publishers.pop(topic, None)
            if publisher is None:
                while len(self._publishers) >= MOST_PUBLISHERS:
                    self._publishers.pop(next(iter(self._publishers))).undeclare()
                publisher = self._session.declare_publisher(
                    topic, congestion_control=self._drop, express=True, reliability=self._unreliable
                )
            self._publishers[topic] = publisher
            return publisher

    def subscribe(self, topic: str, take: Take) -> None:
        """Have `take` called with every payload."""
        self._subscribers.append(
            self._session.declare_subscriber(topic, lambda sample: take(sample.payload.to_bytes()))
        )

    def close(self) -> None:
        """End the session; a second call does nothing."""
        with contextlib.suppress(_zenoh_error()):
            self._session.close()
        self._forget()
        self._forget = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def zenoh_library() -> Any:
    """Eclipse Zenoh's package.

    Raises:
        WallError: it is missing.
    """
    try:
        import zenoh
    except ImportError:
        raise WallError(_MISSING) from None
    return zenoh


def _zenoh_error() -> type[Exception]:
    error: type[Exception] = zenoh_library().ZError
    return error


def _config(mode: str, address: Address, access: Access) -> dict[str, object]:
    config: dict[str, object] = {
        "mode": mode,
        "scouting/multicast/enabled": False,
        "scouting/gossip/enabled": False,
        "transport/link/tx/lease": _LEASE_MS,
        "transport/unicast/open_timeout": _TRY_MS,
        "transport/unicast/max_links": 2,
    }
    if access.key:
        config["transport/auth/usrpwd/user"] = _USER
        config["transport/auth/usrpwd/password"] = access.key
    if address.protocol not in _SECURE:
        return config
    folder = access.certificates
    wanted = ["ca.pem", *(("cert.pem", "key.pem") if mode == "router" else ())]
    missing = [name for name in wanted if folder is None or not (folder / name).is_file()]
    if missing or folder is None:
        where = f" in {folder}" if folder is not None else ", in a folder named by --wall-certificates"
        raise WallError(f"{address.protocol} wants {', '.join(missing)}{where}.")
    config["transport/link/tls/root_ca_certificate"] = str(folder / "ca.pem")
    if mode == "router":
        config["transport/link/tls/listen_certificate"] = str(folder / "cert.pem")
        config["transport/link/tls/listen_private_key"] = str(folder / "key.pem")
    return config


def _open(values: dict[str, object]) -> zenoh.Session:
    library = zenoh_library()
    config = library.Config()
    for name, value in values.items():
        config.insert_json5(name, json.dumps(value))
    session: zenoh.Session = library.open(config)
    return session


@contextlib.contextmanager
def _key_file(key: str) -> Any:
    """The key as Zenoh reads it, in a file that only this user can read, for as long as it is needed."""
    handle, path = tempfile.mkstemp(prefix="lavlive-wall-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{_USER}:{key}\n")
        yield path
    finally:
        Path(path).unlink(missing_ok=True)


def _why_not_listening(address: Address, told: str) -> str:
    if "in use" in told:
        return (
            f"{address} is taken, perhaps by another conductor: end it, or give another port, such as "
            f"--conduct {address.host}:{address.port + 1}."
        )
    return f"The conductor cannot listen at {address}: {told.splitlines()[0][:200]}"


def read_key(path: str | Path) -> str:
    """The key in a file: its first line.

    Raises:
        WallError: there is none, or it has a colon, a space or fewer than 8 letters.
    """
    try:
        key = read_whole(path, _LARGEST_KEY_FILE).decode("utf-8").splitlines()[:1]
    except OSError as error:
        raise WallError(f"The wall's key {path} cannot be read: {error.strerror or error}.") from None
    except ValueError:
        raise WallError(f"The wall's key {path} cannot be read: it is not UTF-8 text.") from None
    if not key or not 8 <= len(key[0]) <= 200 or any(letter in ": \t" for letter in key[0]):
        raise WallError(
            f"{path} holds no key: its first line is the key, 8 letters or more without spaces and colons."
        )
    return key[0]
