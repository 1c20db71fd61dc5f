"""Finds a conductor without its address, by Zenoh's scouting: a question to everybody on the network.

    node ── who conducts? ──► 224.0.0.224:7449 (multicast) ──► conductors that are opened to the network
    conductor ── its addresses ──► that node

Zenoh's own programs ask and answer on another port (7446), so nobody but lavlive is found here. What answers
is believed no more than that: it has to prove that it has the key, as everywhere.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable

from lavlive.errors import WallError
from lavlive.wall.transport import FIND, GROUP, Address, zenoh_library

_PATIENCE = 1.5
_MORE_SECONDS = 0.3
"""After the first answer: a second conductor would have answered by then."""
_POLL_SECONDS = 0.02


def find(interface: str = "auto", group: str = GROUP, patience: float = _PATIENCE) -> list[Address]:
    """The addresses of the one conductor on this network.

    Args:
        interface: name of the network interface to ask on; "auto" for all that carry multicast.
        group: HOST:PORT that conductors listen to.
        patience: seconds to wait for the first answer.

    Raises:
        WallError: Zenoh is missing, nobody answers, or more than one conductor does.
    """
    library = zenoh_library()
    config = library.Config()
    config.insert_json5("scouting/multicast/address", json.dumps(group))
    config.insert_json5("scouting/multicast/interface", json.dumps(interface))
    found: dict[str, list[str]] = {}
    scout = library.scout(what="router", config=config)
    try:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            hello = scout.try_recv()
            if hello is None:
                time.sleep(_POLL_SECONDS)
                continue
            if not found:
                deadline = min(deadline, time.monotonic() + _MORE_SECONDS)
            found[str(hello.zid)] = [str(locator) for locator in hello.locators]
    finally:
        scout.stop()
    conductors = [addresses for told in found.values() if (addresses := addresses_of(told))]
    if not conductors:
        raise WallError(
            "No conductor is found on this network: is one opened with --conduct 0.0.0.0? Some networks do "
            f"not carry the question (multicast): then give its address instead of --connect {FIND}."
        )
    if len(conductors) > 1:
        first = ", ".join(sorted(str(addresses[0]) for addresses in conductors))
        raise WallError(f"{len(conductors)} conductors are found: give one of {first} with --connect.")
    return conductors[0]


def addresses_of(locators: Iterable[str]) -> list[Address]:
    """The addresses that Zenoh's locators name, each once, IPv4 first; what is none of ours is left out."""
    addresses: list[Address] = []
    for locator in locators:
        protocol, _, rest = locator.partition("?")[0].partition("#")[0].partition("/")
        told = rest if protocol in ("tcp", "udp") else f"{protocol}/{rest}"
        with contextlib.suppress(WallError):
            address = Address.parse(told)
            if address not in addresses:
                addresses.append(address)
    return sorted(addresses, key=lambda address: ":" in address.host)
