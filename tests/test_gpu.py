"""What can be said of the GPU's path without one: how streams are shared, what a capture does and leaves be.

The stand-in for CUDA below proves the bookkeeping and nothing else: no kernel, no graph and no timing was
ever run. `tools/gpu-check` does that where there is a GPU.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from lavlive.errors import RunnerError
from lavlive.generator.runners import cuda_runner
from lavlive.generator.runners.base import picture
from lavlive.generator.runners.cuda_runner import CudaRunner, Precision
from lavlive.generator.runners.plan import make_plan
from lavlive.gpu import captured as captured_module
from lavlive.gpu.captured import Captured, exactly, stream
from lavlive.gpu.pinned import is_pinned, pinned
from lavlive.link.memory import SharedBlock
from tests.test_runner import difference, generator, reference, some_w_plus

GPU = torch.device("cuda", 0)


class Stream:
    """One of 32 that torch hands out in turn for each priority."""

    pool = itertools.count()
    handed_out: list[Stream]

    def __init__(self, device: torch.device, priority: int = 0) -> None:
        self.place, self.priority = next(self.pool) % 32, priority
        self.handed_out.append(self)

    def wait_stream(self, other: object) -> None:
        pass

    def synchronize(self) -> None:
        pass


class Event:
    def __init__(self, blocking: bool = False) -> None:
        assert blocking, "a thread that waits for this event would keep a processor busy"
        self.recorded: object = None

    def record(self, on: object) -> None:
        self.recorded = on

    def synchronize(self) -> None:
        assert self.recorded is not None


class Graph:
    """Notes on which stream it was captured and replayed."""

    current: list[object]

    def capture_begin(self, capture_error_mode: str) -> None:
        assert capture_error_mode == "thread_local"
        assert not gc.isenabled(), "garbage that is collected now may end the capture"
        self.captured_on = self.current[-1]

    def capture_end(self) -> None:
        assert self.current[-1] is self.captured_on

    def replay(self) -> None:
        self.replayed_on = self.current[-1]


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Stream]]:
    """A stand-in for torch.cuda; the streams that were handed out."""
    Stream.handed_out, Graph.current = [], [None]

    @contextmanager
    def on(used: object) -> Iterator[None]:
        Graph.current.append(used)
        yield
        Graph.current.pop()

    @contextmanager
    def device(_: object) -> Iterator[None]:
        yield

    def forbidden(*_: object) -> None:
        raise AssertionError("this brings the whole GPU to rest in the middle of a show")

    for name, fake in {
        "Stream": Stream,
        "Event": Event,
        "CUDAGraph": Graph,
        "stream": on,
        "device": device,
        "current_stream": lambda _: None,
        "current_device": lambda: 0,
        "graph": forbidden,
        "synchronize": forbidden,
        "empty_cache": forbidden,
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    captured_module._stream.cache_clear()
    yield Stream.handed_out
    captured_module._stream.cache_clear()


def test_forty_swaps_use_three_streams_and_never_the_encoders(cuda: list[Stream]) -> None:
    encoder: Captured[None] = Captured(lambda: None, GPU, "encoder")
    for _ in range(40):
        model: Captured[None] = Captured(lambda: None, GPU, "pictures")
        model.run(loading=True)
        model.wait(loading=True)
        loaded: Any = model._graph
        assert loaded.captured_on is loaded.replayed_on is stream("loading", GPU)
        model.run()
        model.wait()
        assert loaded.replayed_on is stream("pictures", GPU)
    assert len(cuda) == 3
    live: Any = encoder._graph
    encoder.run()
    assert live.replayed_on is stream("encoder", GPU)
    assert live.replayed_on.priority == -1
    assert [used.priority for used in cuda].count(-1) == 1


def test_garbage_is_collected_again_after_a_capture_even_one_that_fails(cuda: list[Stream]) -> None:
    Captured(lambda: None, GPU, "pictures")
    assert gc.isenabled()
    calls = itertools.count()

    def fails_when_captured() -> None:
        if next(calls) == 3:
            raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="capturing"):
        Captured(fails_when_captured, GPU, "pictures")
    assert gc.isenabled()


def test_while_loading_nothing_runs_with_tf32_and_the_switches_come_back() -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with exactly(benchmark=True):
            assert not torch.backends.cudnn.allow_tf32
            assert torch.backends.cudnn.benchmark
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "high"
        assert not torch.backends.cudnn.benchmark
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_network_that_was_captured_is_held_by_its_owner_alone() -> None:
    opened = CudaRunner(make_plan(generator().synthesis), device="cpu")
    network = opened._static.captured._work.__closure__
    held = [cell.cell_contents for cell in network or () if isinstance(cell.cell_contents, torch.nn.Module)]
    assert len(held) == 1
    gc.disable()
    try:
        alive = [0]
        held[0].register_buffer("witness", torch.zeros(1))
        import weakref

        weakref.finalize(held[0], alive.append, 1)
        del network, held
        opened.close()
        assert alive == [0, 1], "without the garbage collector's help"
    finally:
        gc.enable()


def test_closing_a_model_gives_nothing_back_to_the_driver(
    cuda: list[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = CudaRunner(make_plan(generator().synthesis), device="cpu")
    opened._device = GPU
    opened.close()
    assert opened._static is None


def test_a_variant_whose_captured_picture_is_wrong_is_not_used_however_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = generator()
    probe = cuda_runner._Static.probe
    seconds = iter((1.0, 0.001))

    def broken_when_folded(self: Any, w_plus: np.ndarray) -> np.ndarray:
        self.seconds = next(seconds)
        return probe(self, w_plus) if self.seconds == 1.0 else probe(self, w_plus) // 2

    monkeypatch.setattr(cuda_runner._Static, "probe", broken_when_folded)
    opened = CudaRunner(make_plan(made.synthesis), device="cpu")
    assert opened._static is not None
    assert opened._static.seconds == 1.0
    w_plus = some_w_plus(made)
    assert difference(picture(opened, w_plus), reference(made, w_plus, 1.0)).max() <= 2


def test_captured_pictures_are_compared_with_the_exact_one_and_not_with_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = generator()
    probe = cuda_runner._Static.probe
    seen: list[Precision] = []

    def wrong_in_half(self: Any, w_plus: np.ndarray) -> np.ndarray:
        pixels = probe(self, w_plus)
        return pixels // 2 if len(seen) < 2 and seen.append(Precision(4)) is None else pixels

    monkeypatch.setattr(cuda_runner._Static, "probe", wrong_in_half)
    notes: list[str] = []
    opened = CudaRunner(make_plan(made.synthesis), device="cpu", notes=notes)
    assert opened.precision == Precision(None)
    assert "not those of float32" in notes[0]
    monkeypatch.setattr(cuda_runner._Static, "probe", lambda self, w_plus: probe(self, w_plus) // 2)
    with pytest.raises(RunnerError, match="not those of float32"):
        CudaRunner(make_plan(made.synthesis), device="cpu")


def test_cudnn_tries_its_algorithms_only_while_no_model_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bool] = []

    def noted(benchmark: bool) -> Any:
        tried.append(benchmark)
        return exactly(benchmark)

    monkeypatch.setattr(cuda_runner, "exactly", noted)
    CudaRunner._open.clear()
    plan = make_plan(generator().synthesis)
    first = CudaRunner(plan, device="cpu")
    assert any(tried)
    tried.clear()
    second = CudaRunner(plan, device="cpu")
    assert not any(tried)
    first.close()
    second.close()


def test_a_picture_is_made_in_its_place_in_the_link() -> None:
    made = generator()
    opened = CudaRunner(make_plan(made.synthesis), device="cpu")
    w_plus = some_w_plus(made)
    expected = picture(opened, w_plus)
    with SharedBlock.create() as link:
        link.write_picture(np.zeros_like(expected), 0.0, 0.0, 0)
        slot = link.next_slot(opened.height, opened.width)
        opened.picture_into(w_plus, 1.0, slot)
        before = link.read_picture()
        assert before is not None
        assert before.pixels.max() == 0, "until it is handed over, the picture before is read"
        link.write_picture(slot, 1.0, 1.0, 0)
        after = link.read_picture()
        assert after is not None
        np.testing.assert_array_equal(after.pixels, expected)
        del slot


def test_without_a_gpu_nothing_is_pinned_and_all_goes_on() -> None:
    memory = np.zeros((4, 4096), np.uint8)
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pinned(list(memory)) as done:
        assert not done
        assert not is_pinned(memory)
