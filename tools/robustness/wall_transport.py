"""How evenly the wall's transport carries: a conductor and nodes in processes of their own, without networks.

    python -m tools.robustness.wall_transport --minutes 30 --nodes 2

Prints, for each node, the longest time between two Moments, lost ones, and how late they came (both processes
read one clock here); for the conductor its processor time and what it sends. Nothing is drawn. A thread of
each process notes when that was not let run: of each gap is told what share such stalls explain, and what is
left is the transport's, or its threads'.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import deque
from typing import Any

import numpy as np
import psutil

from lavlive.parameters import Values
from lavlive.wall.conductor import Conductor, Hop, Snapshot
from lavlive.wall.follower import Follower
from lavlive.wall.messages import Moment, encode, read_from_conductor
from lavlive.wall.threads import POLL_SECONDS
from lavlive.wall.transport import LOOK, MOMENT, PING, REPORT, Access, Address, Transport, pong_topic
from tools.robustness.heartbeat import Heartbeat, Span, covered

_HOP_SECONDS = 1 / 75


class Gaps:
    """The longest times between two steps.

    Attributes:
        longest: seconds, and the time of `time.perf_counter` at its end, the longest first.
    """

    def __init__(self) -> None:
        self.longest: list[tuple[float, float]] = []
        self._last: float | None = None

    def step(self, now: float) -> None:
        """It goes on."""
        if self._last is not None and now - self._last > 0.1:
            self.longest.append((round(now - self._last, 3), round(now, 3)))
            self.longest = sorted(self.longest, reverse=True)[:20]
        self._last = now


def conduct(address: Address, seconds: float, heart: Heartbeat) -> dict[str, float]:
    """Conduct a made-up show; returns what it cost."""
    conductor = Conductor(time.time_ns() & 0xFFFFFFFF, "probe")
    conductor.show(Snapshot(Values().numbers, 1, moved={f"fx{n}.shader.input": 0.5 for n in range(1, 7)}))
    chance = np.random.default_rng(0)
    deviations = chance.normal(size=(64, 3, 512))
    sent = messages = 0
    late = deque[float](maxlen=20_000)
    heart.stalls.clear()
    with Transport.conduct(address, Access()) as transport:

        def take(payload: bytes) -> None:
            answer = conductor.take(payload, time.perf_counter())
            if answer is not None:
                transport.publish(pong_topic(answer.node), encode(answer))

        transport.subscribe(PING, take)
        transport.subscribe(REPORT, take)
        process, began = psutil.Process(), time.perf_counter()
        cpu = sum(process.cpu_times()[:2])
        due, number = began, 0
        while (now := time.perf_counter()) - began < seconds:
            number = int((now - began) / _HOP_SECONDS)
            hop = Hop(number, began + number * _HOP_SECONDS, deviations[number % 64])
            for message in conductor.step(hop, now):
                payload = encode(message)
                transport.publish(MOMENT if isinstance(message, Moment) else LOOK, payload)
                sent += len(payload)
                messages += 1
            late.append(time.perf_counter() - now)
            due += POLL_SECONDS
            time.sleep(max(due - time.perf_counter(), 0.0005))
        nodes = [node for node in conductor.nodes(now) if node.there(now)]
        lasted = time.perf_counter() - began
        return {
            "seconds": round(lasted, 1),
            "cpu_percent": round(100 * (sum(process.cpu_times()[:2]) - cpu) / lasted, 1),
            "kilobytes_per_second_to_each": round(sent / lasted / 1000, 1),
            "messages_per_second": round(messages / lasted, 1),
            "step_p99_ms": round(1000 * float(np.quantile(late, 0.99)), 2),
            "nodes_at_the_end": len(nodes),
            "delay_ms": round(1000 * conductor.delay, 1),
            "worst_lateness_ms": round(1000 * max((n.report.lateness for n in nodes), default=0.0), 1),
            "lost": sum(n.report.lost for n in nodes),
            "late": sum(n.report.late for n in nodes),
            "worst_offset_ms": round(1000 * max((abs(n.report.offset) for n in nodes), default=0.0), 3),
            "longest_stall": round(heart.longest, 3),
            "megabytes": round(process.memory_info().rss / 1e6, 1),
        }


def follow(address: Address, seconds: float, count: int, light: bool) -> dict[str, Any]:
    """Be some nodes that draw nothing; each has a session of its own."""
    followers = [Follower(f"probe {index}-{time.time_ns() % 100_000}", "probe") for index in range(count)]
    sessions = []
    gaps = [Gaps() for _ in range(count)]
    heart = Heartbeat()
    ways = deque[float](maxlen=500_000)
    came = [deque[int](maxlen=50_000) for _ in range(count)]
    began = time.perf_counter()

    def hear(index: int, payload: bytes) -> None:
        now = time.perf_counter()
        gaps[index].step(now)
        message = read_from_conductor(payload) if light or len(ways) < 1000 else None
        if isinstance(message, Moment):
            ways.append(now - message.sent)
            came[index].append(message.sequence)
        if not light:
            followers[index].take(payload, now)

    for index, follower in enumerate(followers):
        session = Transport.follow(address, Access())
        sessions.append(session)
        session.subscribe(MOMENT, lambda payload, index=index: hear(index, payload))  # type: ignore[misc]
        session.subscribe(LOOK, lambda payload, f=follower: f.take(payload, time.perf_counter()))  # type: ignore[misc]
        pongs = pong_topic(follower.node)
        session.subscribe(pongs, lambda payload, f=follower: f.take(payload, time.perf_counter()))  # type: ignore[misc]
    times = deque[float](maxlen=200_000)
    while time.perf_counter() - began < seconds:
        now = time.perf_counter()
        shown = []
        for follower, session in zip(followers, sessions, strict=True):
            for message in follower.asks(now):
                session.publish(PING, encode(message))
            due = follower.step(now) if not light else None
            if due is not None:
                shown.append(due.time)
            if follower.wants_report(now):
                session.publish(REPORT, encode(follower.report(0.0, 0.0, "", "")))
        if len(shown) == count and now - began > 10:
            times.append(max(shown) - min(shown))
        time.sleep(0.01)
    for session in sessions:
        session.close()
    longest = sorted((gap for each in gaps for gap in each.longest), reverse=True)[:20]
    return {
        "nodes": count,
        "longest_gaps": longest,
        "stalls": heart.stalls,
        "longest_stall": round(heart.longest, 3),
        "moments_that_came": sum(map(len, came)),
        "of": sum(max(each) - min(each) + 1 for each in came if each),
        "way_ms_median_p99_most": [round(1000 * float(np.quantile(ways, q)), 2) for q in (0.5, 0.99, 1)],
        "lost": sum(f.buffer.lost for f in followers),
        "late": sum(f.buffer.late for f in followers),
        "content_difference_p95_ms": round(1000 * float(np.quantile(times, 0.95)), 3) if times else -1.0,
    }


def explain(gaps: list[tuple[float, float]], stalls: list[Span]) -> list[str]:
    """A line on each gap: how long, and how much of it the processes' own stalls explain.

    Args:
        gaps: seconds, and the time at their ends.
        stalls: of the conductor's process and of the node's.
    """
    lines, left = [], 0.0
    for length, end in gaps:
        # What stood still just before delayed what should have come at the gap's end.
        own = covered((end - length, end), stalls)
        left = max(left, length - own)
        before = [(end - length - to, to - begin) for begin, to in stalls if 0 <= end - length - to < 3.0]
        after = f", {min(before)[0]:.2f} s after one of {min(before)[1]:.2f} s" if before else ""
        lines.append(f"gap of {length:.3f} s: {100 * own / length:.0f} % of it own stalls{after}")
    return [
        *lines[:8],
        f"longest gap {max(gaps)[0] if gaps else 0:.3f} s, longest without stalls {left:.3f} s",
    ]


def main() -> int:
    """The probe: itself conducts, a child follows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--processes", type=int, default=1, help="that the nodes are shared out to")
    parser.add_argument("--address", default="127.0.0.1:7461")
    parser.add_argument("--light", action="store_true", help="nodes only listen, ask and report: for many")
    parser.add_argument("--follow", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    address, seconds = Address.parse(options.address), 60 * options.minutes
    import zenoh

    zenoh.try_init_log_from_env()  # RUST_LOG=zenoh_transport=warn tells of links that are closed
    if options.follow:
        print(json.dumps(follow(address, seconds, options.nodes, options.light)), flush=True)
        return 0
    share = max(1, options.nodes // options.processes)
    command = [
        sys.executable,
        "-m",
        "tools.robustness.wall_transport",
        "--follow",
        "--address",
        options.address,
    ]
    command += ["--minutes", str((seconds - 4) / 60), "--nodes", str(share)]
    command += ["--light"] if options.light else []
    children = []
    try:
        # They begin a second later and try for 1.5 s.
        children = [
            subprocess.Popen(
                ["sh", "-c", 'sleep 1; exec "$@"', "sh", *command], stdout=subprocess.PIPE, text=True
            )
            for _ in range(options.processes)
        ]
        heart = Heartbeat()
        print("conductor", json.dumps(conduct(address, seconds, heart)), flush=True)
        for child in children:
            *logged, last = child.communicate(timeout=60)[0].splitlines()  # Zenoh logs to standard output
            print("\n".join(logged), file=sys.stderr)
            told = json.loads(last)
            stalls = [tuple(stall) for stall in told.pop("stalls")]
            gaps = [tuple(gap) for gap in told.pop("longest_gaps")]
            print("nodes", json.dumps(told))
            print("\n".join(explain(gaps, [*heart.stalls, *stalls])), flush=True)
    finally:
        for child in children:
            child.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
