"""The meters that the engine's latent worker publishes are those of the same hop offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np

from lavlive.audio.block import Block
from lavlive.audio.tracks import read_track
from lavlive.diagnosis.meters import Diagnosis
from lavlive.engine.latent_worker import LatentWorker, TimedLatent
from lavlive.engine.loading import load_distribution, load_path
from lavlive.engine.mailbox import Mailbox
from lavlive.engine.offline import latents_of
from lavlive.latent.space import Space
from lavlive.link.memory import SharedBlock
from lavlive.parameters import Values
from lavlive.resources import shipped
from tests.support.waiting import wait_until

DEMO = str(shipped("data") / "demo.ogg")
SECONDS = 4.0


class Unhurried:
    """A source that gives the demo in uneven blocks, each when it is asked for: no machine is too slow."""

    rate, channels, xruns, dropped_samples, name, state = 44_100, 2, 0, 0, "demo", "running"

    def __init__(self) -> None:
        self.ended = False
        self._blocks = self._cut()

    def _cut(self) -> Iterator[Block]:
        sizes = np.random.default_rng(0).integers(100, 3000, 10_000)
        with read_track(DEMO) as track:
            self.rate, self.channels = track.rate, track.channels
            heard = 0
            for size in sizes:
                samples = track.read(int(size))
                heard += len(samples)
                if not len(samples) or heard > SECONDS * track.rate:
                    return
                yield Block(samples, track.rate, heard / track.rate)

    def hear(self, pick: object) -> None:
        """It has no other channels."""

    def read(self) -> Block | None:
        block = next(self._blocks, None)
        self.ended = block is None
        return block


def test_live_meters_equal_offline_ones() -> None:
    distribution = load_distribution(None)
    space = Space(np.zeros(512, np.float32), np.ones(512, np.float32), np.zeros(14, int), distribution)
    source, values = Unhurried(), Values({"mapper.y": 1.5})
    with SharedBlock.create() as link:
        link.write_parameters(values.numbers, 0)
        mailbox: Mailbox[TimedLatent] = Mailbox()
        worker = LatentWorker(link, load_path("bundled"), cast(Any, source), mailbox, space=lambda: space)
        worker.start()
        wait_until(lambda: source.ended or worker.failure is not None, 120.0)
        worker.stop()
        assert worker.failure is None
        hops = int(link.number("latent.hops"))
        live = link.read_signs().numbers()
    assert hops > 200
    path = load_path("bundled")
    diagnosis = Diagnosis(path.rate, distribution)
    with read_track(DEMO) as track:
        for _, (_, latent) in zip(range(hops), latents_of(track, path, values), strict=False):
            offline = diagnosis.step(latent)
    assert latent.hop == hops - 1
    assert _largest_difference(live, offline.numbers()) <= 1e-5
    assert _largest_difference(live, diagnosis.step(latent).numbers()) > 1e-5


def _largest_difference(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> float:
    return max(
        float(np.max(np.nan_to_num(np.abs(values - other[name]), nan=0.0)))
        if np.array_equal(np.isnan(values), np.isnan(other[name]))
        else np.inf
        for name, values in one.items()
    )
