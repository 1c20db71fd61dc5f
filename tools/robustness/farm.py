"""A film by Ray workers against the film in sequence, with a worker killed on the way, and a model of costs.

    python -m tools.robustness.farm --seconds 40 --workers 2 --kill      needs Ray
    python -m tools.robustness.farm --model                               a simulation, needs nothing

The films are ProRes, which encodes each picture by itself: equal canvases are equal pictures in the file.
"""

from __future__ import annotations

import argparse
import heapq
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from lavlive.commands import farm as farm_command
from lavlive.commands.farm import run_farm
from lavlive.commands.options import FarmOptions, RenderOptions
from lavlive.commands.render import run_render
from lavlive.farm.material import PREROLL_SECONDS, group_bounds
from lavlive.farm.pools import RayPool
from lavlive.resources import shipped

LOOK: dict[str, object] = {"fx1.shader": "feedback", "fx1.mix": 0.6, "show.flash_limit": True}
"""An effect with feedback, and the limiter."""


@dataclass(frozen=True)
class Costs:
    """What the parts of a film cost.

    Attributes:
        start: seconds until a worker can draw its first picture.
        group: seconds for a group besides its pictures: shaders compiled, canvases sent.
        picture: seconds that a worker takes for a picture, drawn and encoded.
        material: seconds of the latent pass for a picture, in sequence.
        join: seconds to take a part into the film.
    """

    start: float
    group: float
    picture: float
    material: float
    join: float


def film_seconds(costs: Costs, pictures: int, rate: Fraction, workers: int) -> float:
    """How long a film takes: workers beside each other, the latent pass and the joins in sequence."""
    bounds = group_bounds(pictures, rate, workers)
    preroll = round(PREROLL_SECONDS * rate)
    free = [costs.start] * workers
    head, done = 0.0, []
    for first, end in bounds:
        head += costs.material * (end - first)
        begin = max(heapq.heappop(free), head)
        drawn = end - first + min(preroll, first)
        heapq.heappush(free, begin + costs.group + drawn * costs.picture)
        done.append(begin + costs.group + drawn * costs.picture)
    joined = 0.0
    for ready in done:
        joined = max(joined, ready) + costs.join
    return joined


def model(costs: Costs, pictures: int, rate: Fraction) -> list[str]:
    """Lines of a table: workers, seconds, speed against one without a farm, share of overhead."""
    alone = pictures * (costs.picture + costs.material)
    lines = [f"in sequence: {alone:.0f} s for {pictures} pictures"]
    for workers in (1, 4, 16):
        seconds = film_seconds(costs, pictures, rate, workers)
        speed = alone / seconds
        lines.append(
            f"{workers:3} workers: {seconds:7.0f} s, {speed:5.2f} times as fast, "
            f"{100 * (1 - speed / workers):4.1f} % overhead"
        )
    return lines


def _decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.array([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def _kill_one_soon(pool: RayPool, after: float) -> None:
    def kill() -> None:
        time.sleep(after)
        import ray

        actors = pool.actors
        if actors:
            ray.kill(actors[0])
            print("killed a worker", flush=True)

    threading.Thread(target=kill, daemon=True).start()


def compare(seconds: float, workers: int, kill: bool, size: tuple[int, int], fps: int) -> int:
    """Make both films and say how far apart they are; returns the largest difference of 255."""
    common: dict[str, Any] = {
        "track": str(shipped("data") / "demo.ogg"),
        "seconds": seconds,
        "size": size,
        "fps": fps,
        "codec": "prores",
        "settings": LOOK,
        "runner": "torch",
        "model": "bloom",
    }
    if kill:
        opened = farm_command.open_pool

        def open_and_kill(recipe: Any, options: FarmOptions) -> Any:
            pool = opened(recipe, options)
            assert isinstance(pool, RayPool)
            _kill_one_soon(pool, 20.0)
            return pool

        farm_command.open_pool = open_and_kill
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        one = run_render(RenderOptions(video=Path(folder) / "sequence.mov", **common))
        middle = time.perf_counter()
        other = run_farm(FarmOptions(video=Path(folder) / "farm.mov", workers=workers, **common))
        end = time.perf_counter()
        assert one.video is not None
        assert other.video is not None
        first, second = _decoded(one.video), _decoded(other.video)
    assert first.shape == second.shape, (first.shape, second.shape)
    differences = np.abs(first.astype(np.int16) - second).reshape(len(first), -1).max(axis=1)
    bounds = group_bounds(len(first), Fraction(fps), workers)
    joins = [int(differences[begin]) for begin, _ in bounds[1:]]
    print(f"{len(first)} pictures of {size[0]} x {size[1]}, {len(bounds)} groups, {workers} workers")
    print(f"in sequence {middle - began:.1f} s, farm {end - middle:.1f} s, with the start of a cluster")
    print(f"largest difference {int(differences.max())}/255, first pictures of groups {joins}")
    return int(differences.max())


def main() -> int:
    """Compare, or print the model's table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--model", action="store_true", help="a simulation of 1, 4 and 16 workers")
    parser.add_argument("--picture", type=float, default=0.25, help="seconds a picture, for --model")
    options = parser.parse_args()
    if options.model:
        costs = Costs(start=8.0, group=2.0, picture=options.picture, material=0.013, join=0.05)
        print("\n".join(model(costs, 5 * 60 * 30, Fraction(30))))
        return 0
    return int(compare(options.seconds, options.workers, options.kill, (160, 90), options.fps) > 1)


if __name__ == "__main__":
    sys.exit(main())
