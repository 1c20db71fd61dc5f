"""A conductor that is killed and started again, as processes over Zenoh on this machine, with two nodes.

    python -m tools.robustness.wall_kill --times 5

For each kill: how long the node showed on, how long after the new conductor listens it showed something
again, and whether what hands had set is the same then. The second node ends before; the first one's content
must go on meanwhile.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time

import numpy as np

from lavlive.parameters import Values
from lavlive.wall.conductor import Conductor, Hop, Snapshot
from lavlive.wall.follower import Due, Follower
from lavlive.wall.messages import Report
from lavlive.wall.threads import Conducting, Following
from lavlive.wall.transport import Access, Address, Transport

_SET = {"mapper.y": 1.375, "show.freeze": True}


def conduct(address: Address) -> int:
    """Be a conductor until killed."""
    conductor = Conductor(time.time_ns() & 0xFFFFFFFF, "probe")
    conductor.show(Snapshot(Values(_SET).numbers, 1))

    def hop() -> Hop:
        now = time.perf_counter()
        return Hop(int(now * 75), int(now * 75) / 75, np.zeros((3, 512)))

    conducting = Conducting(conductor, Transport.conduct(address, Access()), hop)
    print(time.perf_counter(), flush=True)
    conducting.start()
    while True:
        time.sleep(1)


class WatchedNode:
    """A node that draws nothing: when it showed what."""

    def __init__(self, address: Address, name: str) -> None:
        self.follower = Follower(name, "probe")
        self.shown: list[float] = []
        self.thread = Following(
            self.follower, lambda: Transport.follow(address, Access()), self._write, self._report
        )
        self.thread.start()

    def _write(self, due: Due) -> None:
        self.shown.append(time.perf_counter())

    def _report(self) -> Report:
        return self.follower.report(0.0, 0.0, "", "")

    def shown_after(self, when: float, patience: float = 20.0) -> float:
        """When it first showed something after a time; inf where it did not."""
        deadline = time.perf_counter() + patience
        while time.perf_counter() < deadline:
            for at in self.shown[-2000:]:
                if at > when:
                    return at
            time.sleep(0.01)
        return float("inf")


def _begin(address: str) -> tuple[subprocess.Popen[str], float]:
    command = [sys.executable, "-m", "tools.robustness.wall_kill", "--conduct", "--address", address]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    return child, float(child.stdout.readline())


def main() -> int:
    """Kill and look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--address", default="127.0.0.1:7465")
    parser.add_argument("--conduct", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    address = Address.parse(options.address)
    if options.conduct:
        return conduct(address)
    node, other = WatchedNode(address, "one"), WatchedNode(address, "other")
    child, up = _begin(options.address)
    try:
        print(f"first picture {node.shown_after(up) - up:.3f} s after the conductor listens")
        time.sleep(2.0)
        before = time.perf_counter()
        threading.Thread(target=other.thread.close, daemon=True).start()
        time.sleep(2.0)
        gaps = np.diff([at for at in node.shown if at > before])
        print(f"another node gone: longest time without content {gaps.max():.3f} s")
        for _ in range(options.times):
            child.kill()
            child.wait()
            killed = time.perf_counter()
            time.sleep(2.0)
            held = max((at for at in node.shown if at > killed), default=killed) - killed
            child, up = _begin(options.address)
            back = node.shown_after(up) - up
            newest = node.follower.buffer.newest
            same = newest is not None and np.allclose(newest.numbers, Values(_SET).numbers, rtol=1e-6)
            print(f"killed: shown on for {held:.2f} s, then held; back {back:.3f} s after, same {same}")
            time.sleep(1.0)
    finally:
        child.kill()
        node.thread.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
