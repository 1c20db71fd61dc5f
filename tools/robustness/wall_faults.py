"""A real wall over a bad network: over Zenoh's UDP, through a relay that delays and loses.

    python -m tools.robustness.wall_faults --minutes 10

Conductor, relay and nodes are processes; each datagram is delayed by 0 to 40 ms (20 ± 20) and 2 % are lost,
each way. The two nodes' clocks are 50 ms apart and drift by 50 ppm against each other. It stands in for `tc
netem` where the kernel has none. Prints how far apart the nodes' contents are at the same true time, losses,
and memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections import deque

import numpy as np
import psutil

from lavlive.wall.follower import Due, Follower
from lavlive.wall.threads import Following
from lavlive.wall.transport import Access, Address, Transport


class _Upstream(asyncio.DatagramProtocol):
    """From the conductor back to one node."""

    def __init__(self, relay: Relay, client: tuple[str, int]) -> None:
        self.relay, self.client = relay, client

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.relay.later(lambda: self.relay.transport.sendto(data, self.client))


class Relay(asyncio.DatagramProtocol):
    """Stands before a conductor, and makes the way there and back a bad one."""

    def __init__(self, to: tuple[str, int], jitter: float, loss: float) -> None:
        self.transport: asyncio.DatagramTransport
        self._to, self._jitter, self._loss = to, jitter, loss
        self._ways: dict[tuple[str, int], asyncio.Future[asyncio.DatagramTransport]] = {}
        self._chance = random.Random(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        if address not in self._ways:
            self._ways[address] = asyncio.ensure_future(self._way_for(address))
        way = self._ways[address]
        self.later(lambda: way.add_done_callback(lambda done: done.result().sendto(data)))

    def later(self, send: object) -> None:
        """Send after a while, or never."""
        if self._chance.random() >= self._loss:
            asyncio.get_running_loop().call_later(self._jitter * self._chance.random(), send)  # type: ignore[arg-type]

    async def _way_for(self, client: tuple[str, int]) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Upstream(self, client), remote_addr=self._to
        )
        return transport


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, jitter: float) -> None:
    """TCP loses nothing and keeps the order; what is lost is late. So it is only delayed here."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            await asyncio.sleep(jitter * random.random())
            writer.write(data)
    writer.close()


async def relay(port: int, to: int, jitter: float, loss: float) -> None:
    """Relay until killed."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(
        lambda: Relay(("127.0.0.1", to), jitter, loss), local_addr=("127.0.0.1", port)
    )

    async def both_ways(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", to)
            await asyncio.gather(_carry(reader, back, jitter), _carry(there, writer, jitter))
        writer.close()

    server = await asyncio.start_server(both_ways, "127.0.0.1", port)
    await server.serve_forever()


class WrongNode:
    """A node with a wrong clock: what it shows, less the true time."""

    def __init__(self, address: Address, name: str, offset: float, drift: float) -> None:
        self.follower = Follower(name, "probe")
        self.shown = deque[tuple[float, float]](maxlen=2_000)
        self.thread = Following(
            self.follower,
            lambda: Transport.follow(address, Access()),
            self._write,
            lambda: self.follower.report(0.0, 0.0, "", ""),
            clock=lambda: time.perf_counter() * (1 + drift) + offset,
        )
        self._offset, self._drift = offset, drift
        self.thread.start()

    def _write(self, due: Due) -> None:
        true = (due.due - self._offset) / (1 + self._drift)
        self.shown.append((true, due.time - true))


def _apart(one: WrongNode, other: WrongNode) -> np.ndarray:
    """Seconds between the contents of two nodes at the same true times."""
    first, second = np.array(one.shown), np.array(other.shown)
    one.shown.clear()
    other.shown.clear()
    if len(first) < 2 or len(second) < 2:
        return np.zeros(0)
    inside = (first[:, 0] > second[0, 0]) & (first[:, 0] < second[-1, 0])
    return np.abs(first[inside, 1] - np.interp(first[inside, 0], second[:, 0], second[:, 1]))


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--jitter", type=float, default=0.040)
    parser.add_argument("--loss", type=float, default=0.02)
    parser.add_argument("--port", type=int, default=7471, help="of the relay; the conductor has the next one")
    parser.add_argument("--relay", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.relay:
        asyncio.run(relay(options.port, options.port + 1, options.jitter, options.loss))
        return 0
    this = [sys.executable, "-m", "tools.robustness.wall_faults", "--relay", "--port", str(options.port)]
    this += ["--jitter", str(options.jitter), "--loss", str(options.loss)]
    conductor = [sys.executable, "-m", "tools.robustness.wall_kill", "--conduct"]
    conductor += ["--address", f"127.0.0.1:{options.port + 1}"]
    children = [subprocess.Popen(this), subprocess.Popen(conductor, stdout=subprocess.PIPE)]
    address = Address.parse(f"127.0.0.1:{options.port}")
    nodes = [WrongNode(address, "left", 0.025, 25e-6), WrongNode(address, "right", -0.025, -25e-6)]
    apart: list[np.ndarray] = []
    memory: list[tuple[float, float]] = []
    try:
        time.sleep(15.0)
        for node in nodes:
            node.shown.clear()
        end = time.perf_counter() + 60 * options.minutes
        while time.perf_counter() < end:
            time.sleep(5.0)
            apart.append(_apart(*nodes))
            own = psutil.Process().memory_info().rss / 1e6
            memory.append((own, psutil.Process(children[1].pid).memory_info().rss / 1e6))
    finally:
        for node in nodes:
            node.thread.close()
        for child in children:
            child.kill()
    found = 1000 * np.concatenate(apart)
    print(
        f"{options.minutes:g} minutes, {len(found)} moments: median {np.median(found):.3f} ms, "
        f"p95 {np.quantile(found, 0.95):.3f}, p99 {np.quantile(found, 0.99):.3f}, most {found.max():.1f}"
    )
    for node in nodes:
        buffer, clock = node.follower.buffer, node.follower.clock
        print(
            f"{node.follower.node}: lost {buffer.lost}, late {buffer.late}, "
            f"slope {1e6 * clock.slope:.1f} ppm, Moments within {1000 * buffer.lateness:.1f} ms"
        )
    quarter = memory[len(memory) // 4]
    print(
        f"memory after a quarter and at the end: nodes {quarter[0]:.1f}, {memory[-1][0]:.1f} MB, "
        f"conductor {quarter[1]:.1f}, {memory[-1][1]:.1f} MB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
