"""Ten minutes of a wall over a simulated bad network.

    python -m tools.robustness.wall_simulated --minutes 10
    python -m tools.robustness.wall_simulated --minutes 1 --nodes 50

Every hop, jitter 20 ± 20 ms, 2 % loss, the nodes' clocks within 50 ms of each other and drifting by 50 ppm
against each other. Prints how far apart the nodes' contents are at the same true time, how far each is from
where the conductor wants it, and what the process's memory did. Nothing is drawn, and no clock is real.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import psutil

from tests.support.wall_network import Network, NodeClock, SimulatedWall


def main() -> int:
    """Run it; fails where the nodes are 2 ms apart or more at p95."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--jitter", type=float, default=0.040, help="seconds, from nothing to this, evenly")
    parser.add_argument("--loss", type=float, default=0.02)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clocks = [
        NodeClock(0.025 * wrong, 25e-6 * wrong)
        for wrong in np.linspace(1, -1, max(options.nodes, 2)).tolist()
    ]
    network = Network(0.001, options.jitter, options.loss)
    wall = SimulatedWall(clocks, network, options.seed, step=0.02)
    process, memory = psutil.Process(), []
    differences, errors = [], []
    end = 60 * options.minutes
    while wall.now < end:
        wall.run(min(wall.now + 15.0, end))
        memory.append(process.memory_info().rss / 1e6)
        differences.append(wall.differences(after=5.0))
        conductor = wall.conductor
        for node in wall.nodes:
            if conductor is not None:
                errors += [
                    due.time - (at - due.content.moment.delay) for at, due in node.shown if due and at > 5
                ]
            node.shown.clear()
    apart, off = 1000 * np.concatenate(differences), 1000 * np.abs(errors)
    buffers = [node.follower.buffer for node in wall.nodes]
    print(
        f"{len(clocks)} nodes, {end / 60:g} minutes, jitter 0 to {1000 * options.jitter:g} ms, "
        f"{100 * options.loss:g} % lost"
    )
    print(
        f"furthest apart: median {np.median(apart):.3f} ms, p95 {np.quantile(apart, 0.95):.3f} ms, "
        f"largest {apart.max():.3f} ms of {len(apart)}"
    )
    print(
        f"from where the conductor wants it: p95 {np.quantile(off, 0.95):.3f} ms, largest {off.max():.3f} ms"
    )
    lost, late = [b.lost for b in buffers], [b.late for b in buffers]
    print(f"lost {min(lost)} to {max(lost)}, late {min(late)} to {max(late)} each")
    print(f"memory {memory[len(memory) // 4]:.1f} MB after a quarter, {memory[-1]:.1f} MB at the end")
    return int(np.quantile(apart, 0.95) >= 2.0)


if __name__ == "__main__":
    sys.exit(main())
