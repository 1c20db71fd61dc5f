"""The latent worker's way with the link: what it does while parameters are being written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lavlive.audio.block import Block
from lavlive.engine.latent_worker import LatentWorker, TimedLatent
from lavlive.engine.mailbox import Mailbox
from lavlive.latent.space import Space, WDistribution
from lavlive.link.memory import SharedBlock
from lavlive.parameters import INDEX, Values
from tests.test_path import path_over


class OneBlock:
    """A source that has a tenth of a second to give, once."""

    rate, channels, xruns, dropped_samples = 24_000, 1, 0, 0

    def __init__(self) -> None:
        self.blocks = [Block(np.zeros((2400, 1), np.float32), 24_000, 1.0)]

    def hear(self, pick: object) -> None:
        """It has one channel only."""

    def read(self) -> Block | None:
        return self.blocks.pop() if self.blocks else None


def one_block() -> Any:
    return OneBlock()


@pytest.fixture
def link() -> Iterator[SharedBlock]:
    with SharedBlock.create() as made:
        yield made


def test_half_written_parameters_at_the_very_beginning_do_not_end_the_worker(link: SharedBlock) -> None:
    path, _ = path_over(np.random.default_rng(0).standard_normal((100, 128)))
    mailbox: Mailbox[TimedLatent] = Mailbox()
    worker = LatentWorker(link, path, one_block(), mailbox)
    link.write_parameters(np.full(len(Values().numbers), np.nan), 1)
    link._block["parameter_version"] += 1
    assert worker._work()
    timed = mailbox.take(0)
    assert timed is not None
    assert timed.parameter_revision == -1
    assert timed.latent.numbers[INDEX["mapper.y"]] == Values().number("mapper.y")


def test_a_latent_is_as_old_as_its_own_sound_however_far_the_encoder_hears_ahead(link: SharedBlock) -> None:
    """What the latency is counted from: the same sound at the same time, heard 75 ms further."""

    def captured(lookahead: float) -> float:
        path, encoder = path_over(np.zeros((100, 128)))
        encoder.lookahead = lookahead
        mailbox: Mailbox[TimedLatent] = Mailbox()
        assert LatentWorker(link, path, one_block(), mailbox)._work()
        timed = mailbox.take(0)
        assert timed is not None
        return timed.captured

    assert captured(0.0) - captured(0.075) == pytest.approx(0.075)


def test_between_blocks_the_worker_rests_by_the_timer_of_high_resolution(link: SharedBlock) -> None:
    path, _ = path_over(np.zeros((100, 128)))
    rests: list[float] = []

    def sleep(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            worker._stop.set()

    worker = LatentWorker(link, path, one_block(), Mailbox(), sleep=sleep)
    worker._run()
    assert worker.failure is None
    assert rests == [0.002] * 3


def test_the_path_takes_the_width_of_the_models_w_and_the_meters_go_on(link: SharedBlock) -> None:
    path, _ = path_over(np.random.default_rng(0).standard_normal((100, 128)))
    distribution = WDistribution(np.eye(64, dtype=np.float32), np.linspace(0.5, 2.0, 501))
    shown = [
        Space(np.zeros(512), np.ones(512), np.zeros(4, int)),
        Space(np.zeros(64), np.ones(64), np.zeros(4, int), distribution),
    ]
    link.write_parameters(Values().numbers, 1)
    mailbox: Mailbox[TimedLatent] = Mailbox()
    now = [0]
    worker = LatentWorker(
        link, path, one_block(), mailbox, space=lambda: shown[now[0]], width=lambda: len(shown[now[0]].mean)
    )
    for now[0], width in ((0, 512), (1, 64)):
        worker.listen_to(one_block())
        assert worker._work()
        timed = mailbox.take(0)
        assert timed is not None
        assert timed.latent.deviation.shape == (3, width)
    signs = link.read_signs()
    assert np.isfinite(signs.strangeness).all()
    assert 0 < signs.heard < 0.2
    assert link.number("latent.hops") > 10
