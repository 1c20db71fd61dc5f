"""Work that is captured once as a CUDA graph and then replayed: one launch instead of hundreds.

    stream      priority   who
    encoder     high       the encoder's live graph, from the latent worker
    pictures    normal     the live graphs of all models, one after the other, from the picture worker
    loading     normal     warming up, capturing and measuring, from whoever loads

These three are all there are in a process, however many models come and go. torch hands out 32 streams of
each priority in turn, so streams of one's own for every model would, after some swaps, be the very stream
that the encoder is live on.

Written against torch's documented interface and never run on a GPU by us; `tools/gpu-check` is there to do
it. On a CPU the work is simply done.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Generic, Literal, TypeVar

import torch

Role = Literal["encoder", "pictures", "loading"]
Result = TypeVar("Result")

_WARM_UPS = 3
_PRIORITIES: dict[Role, int] = {"encoder": -1, "pictures": 0, "loading": 0}
_capturing = threading.Lock()


def stream(role: Role, device: torch.device) -> torch.cuda.Stream:
    """The process's only stream for that role on a CUDA device."""
    return _stream(role, torch.cuda.current_device() if device.index is None else device.index)


@cache
def _stream(role: Role, index: int) -> torch.cuda.Stream:
    return torch.cuda.Stream(torch.device("cuda", index), priority=_PRIORITIES[role])


@contextmanager
def exactly(benchmark: bool) -> Iterator[None]:
    """Within it cuDNN convolves without TF32, which keeps 10 bits of 24 where float32 was asked for.

    The switches are of the whole process, so this belongs around loading only: replayed graphs keep what
    they were captured with. Products of matrices are without TF32 unless somebody turned it on, and here
    in any case.

    Args:
        benchmark: try cuDNN's algorithms and take the fastest, which keeps the GPU busy for a while.
    """
    products = torch.get_float32_matmul_precision()
    with torch.backends.cudnn.flags(enabled=True, benchmark=benchmark, allow_tf32=False):
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(products)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Garbage that is collected during a capture may hold CUDA objects, whose end would break it."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Captured(Generic[Result]):
    """A function without arguments, from inputs at fixed places to a result at a fixed place.

    Args:
        work: is called a few times to warm up and once to be captured. It should not refer to its owner:
            memory on the GPU would then be held until Python looks for cycles.
        device: where it works; on anything but a CUDA device `run` calls it.
        live: the stream that it is replayed on in the show.

    Attributes:
        result: what `work` returned; on a GPU it is whole after `wait`.
    """

    def __init__(self, work: Callable[[], Result], device: torch.device, live: Role) -> None:
        self._work = work
        self._graph: torch.cuda.CUDAGraph | None = None
        if device.type != "cuda":
            self.result = work()
            return
        self._live = stream(live, device)
        self._loading = stream("loading", device)
        # A thread that waits for an ordinary event keeps a processor busy.
        self._done = torch.cuda.Event(blocking=True)
        with _capturing, torch.cuda.device(device):
            # Inputs and weights were made on another stream.
            self._loading.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(self._loading):
                for _ in range(_WARM_UPS):
                    self.result = work()
            self._loading.synchronize()
            self._graph = self._capture()

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Capture without what `torch.cuda.graph` does first in every version or in some.

        It waits for all streams, collects garbage with Python's lock held, beside the audio callback, and
        gives cached memory back, for which the whole GPU has to come to rest.
        """
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._loading), _without_garbage_collection():
            # In the mode "global" an allocation by another thread, as of the running show, ends the capture.
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                self.result = self._work()
            finally:
                graph.capture_end()
        return graph

    def on_stream(self, loading: bool = False) -> AbstractContextManager[object]:
        """Within it, torch's work goes to the stream on which `run` replays."""
        if self._graph is None:
            return torch.cuda.stream(None)
        return torch.cuda.stream(self._loading if loading else self._live)

    def run(self, loading: bool = False) -> Result:
        """Begin the work; what is read from `result` on the same stream comes after it.

        Args:
            loading: on the stream for loading, so that a running show does not wait for it.
        """
        if self._graph is None:
            self.result = self._work()
        else:
            with self.on_stream(loading):
                self._graph.replay()
        return self.result

    def wait(self, loading: bool = False) -> None:
        """Wait until all that was begun on the stream is done; the thread sleeps meanwhile."""
        if self._graph is not None:
            self._done.record(self._loading if loading else self._live)
            self._done.synchronize()
