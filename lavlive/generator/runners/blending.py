"""Pictures of a live mixture: weights between two networks, moved while the show runs.

    shares move     ─► torch: the moved blocks' weights are made anew before the picture, and stay in place
    shares rest 1 s ─► the runner that A has is built for this very mixture, aside, and takes over

So a knob is followed at once, at the price of a pass over the weights that moved and of torch's pictures,
and a mixture that stands still costs what a model of its own does. Graphs of an inference library hold their
weights as constants: blending in one would double every convolution for ever, rebuilding one per picture
takes seconds.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lavlive.errors import LavliveError
from lavlive.generator.mixing import Shares, mix_tensor
from lavlive.generator.runners.base import MadeOf, Runner
from lavlive.generator.runners.plan import Plan
from lavlive.generator.runners.planned import PlannedSynthesis
from lavlive.generator.runners.torch_runner import TorchRunner

REST_SECONDS = 1.0


class BlendedRunner(TorchRunner):
    """torch's pictures of two plans of one shape; `blend` sets how much of the second there is."""

    def __init__(self, one: Plan, other: Plan, device: str = "cpu", threads: int | None = None) -> None:
        super().__init__(one, device, threads)
        first, second = self._synthesis, PlannedSynthesis(other).to(self._device)
        assert isinstance(first, PlannedSynthesis)
        # The plans' arrays are the networks' own weights: what is blended lies beside them.
        self._synthesis = copy.deepcopy(first)
        self._ends: tuple[PlannedSynthesis, PlannedSynthesis] | None = first, second
        self._shares: dict[int, float] = {}

    def blend(self, shares: Shares) -> None:
        """Have the weights of these shares of the second network, by resolution, from the next picture on."""
        assert isinstance(self._synthesis, PlannedSynthesis), "the runner is closed"
        assert self._ends is not None
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        with torch.inference_mode():
            for mixed, one, other in zip(
                self._synthesis.blocks, self._ends[0].blocks, self._ends[1].blocks, strict=True
            ):
                share = shares.get(int(mixed.resolution), 0.0)  # type: ignore[arg-type]
                if share == self._shares.get(int(mixed.resolution), 0.0):  # type: ignore[arg-type]
                    continue
                _mix(mixed, one, other, share)
                self._made_of = MadeOf()
        self._shares = dict(shares)

    def close(self) -> None:
        """See ``Runner``."""
        super().close()
        self._ends = None


def _mix(mixed: nn.Module, one: nn.Module, other: nn.Module, share: float) -> None:
    """A block's buffers as of `mixing.mixed`: a plan's arrays are linear in what is mixed, squares apart."""
    for out, start, end in zip(mixed.buffers(), one.buffers(), other.buffers(), strict=True):
        mix_tensor(out, start, end, share)
    if share in (0.0, 1.0):
        return
    block: Any = mixed
    for conv in (block.conv0, block.conv1):
        if conv is not None:
            # Squares of mixed weights, not mixed squares; a doubling one has its inputs first.
            squares = conv.weight.square().sum((2, 3))
            conv.square.copy_(squares.t() if conv.up else squares)


class Blend:
    """Which runner makes the next picture of a mixture. The picture worker's, but for what it builds aside.

    Args:
        one, other: the plans of A and B, of one shape.
        plan_of: makes the plan of a mixture, `mixing.mixed`.
        device: of torch's pictures while shares move.
        build: opens a runner for a mixture that rests, warm; None where torch's is as good.
        threads: of torch's pictures.
    """

    def __init__(
        self,
        one: Plan,
        other: Plan,
        plan_of: Callable[[Shares], Plan],
        device: str = "cpu",
        build: Callable[[Plan], Runner] | None = None,
        threads: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan_of = plan_of
        self._moving = BlendedRunner(one, other, device, threads)
        self._build = build
        self._clock = clock
        self._shares: dict[int, float] = {}
        self._since = clock()
        self._resting: tuple[dict[int, float], Runner] | None = None
        self._built: tuple[dict[int, float], Runner] | None = None
        self._builder: threading.Thread | None = None
        self._closed = False
        self._lock = threading.Lock()

    def runner(self, shares: Shares) -> Runner | None:
        """The runner of these shares; None where nothing is B's."""
        if not any(shares.values()):
            self._shares = {}
            return None
        now = self._clock()
        if shares != self._shares:
            self._shares, self._since = dict(shares), now
        self._take_built()
        if self._resting is not None and self._resting[0] == self._shares:
            return self._resting[1]
        if now - self._since >= REST_SECONDS:
            self._begin_building()
        self._moving.blend(self._shares)
        return self._moving

    def _take_built(self) -> None:
        with self._lock:
            built, self._built = self._built, None
        if built is None:
            return
        if self._resting is not None:
            self._resting[1].close()
        self._resting = built

    def _begin_building(self) -> None:
        if self._build is None or (self._builder is not None and self._builder.is_alive()):
            return
        self._builder = threading.Thread(
            target=self._run, args=(self._build, dict(self._shares)), name="mixture", daemon=True
        )
        self._builder.start()

    def _run(self, build: Callable[[Plan], Runner], shares: dict[int, float]) -> None:
        try:
            torch.set_num_threads(1)  # OpenMP keeps this per calling thread
            built = build(self._plan_of(shares))
        except (LavliveError, RuntimeError, MemoryError):
            self._build = None  # torch goes on
            return
        with self._lock:
            if not self._closed:
                self._built = shares, built
                return
        built.close()

    def stay_with_torch(self) -> None:
        """Build nothing aside."""
        self._build = None

    def close(self) -> None:
        """Let go of all runners; one that is being built closes itself."""
        with self._lock:
            self._closed = True
            built, self._built = self._built, None
        for pair in (self._resting, built):
            if pair is not None:
                pair[1].close()
        self._resting = None
        self._moving.close()
