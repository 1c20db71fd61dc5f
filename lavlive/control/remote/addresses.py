"""Where a phone finds this computer: the addresses that it has in its networks."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from lavlive.control.remote.door import EVERYWHERE

_VIRTUAL = ("docker", "br-", "veth", "virbr", "vmnet", "vbox", "podman", "lxc", "tun", "tap", "wg")
"""How networks begin that no phone is in."""


def own_addresses(host: str) -> list[str]:
    """Names or addresses at which a listener at `host` is found from other machines, the likeliest first.

    Where this computer is in no network it is the loopback address, which it alone can use.
    """
    if host not in (EVERYWHERE, "::", ""):
        return [host]
    found = [address for address in (_of_the_default_route(), *_of_networks()) if address]
    return list(dict.fromkeys(found)) or ["127.0.0.1"]


def url_of(address: str, port: int, key: str) -> str:
    """What a phone opens."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}/?key={key}"


def _of_the_default_route() -> str | None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("192.0.2.1", 9))  # chooses a route; sends nothing
        address = str(udp.getsockname()[0])
        return address if _is_of_a_network(address) else None
    return None


def _of_networks() -> list[str]:
    import psutil

    found: list[tuple[bool, str]] = []
    with contextlib.suppress(OSError):
        states = psutil.net_if_stats()
        for name, addresses in psutil.net_if_addrs().items():
            if name in states and not states[name].isup:
                continue
            found += [
                (name.lower().startswith(_VIRTUAL), each.address)
                for each in addresses
                if each.family == socket.AF_INET and _is_of_a_network(each.address)
            ]
    return [address for _, address in sorted(found, key=lambda each: each[0])]


def _is_of_a_network(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)
