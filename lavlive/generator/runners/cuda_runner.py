"""Pictures on an NVIDIA GPU: half precision where that is safe, static shapes, one CUDA graph per picture.

At its start the runner compares half precision with float32 on a few pictures, captures the variants of the
network (up-convolution folded or not, activation fused or not) and keeps the fastest. Nothing here needs a
compiler on the user's machine: the fused activation is compiled by NVRTC, which comes with torch.

On the device ``cpu`` the same class runs without graphs and pinned memory; tests use that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import product
from statistics import median

import numpy as np
import torch

from lavlive.errors import ModelDoesNotFitError, RunnerError
from lavlive.generator.runners.base import MadeOf, Picture, WPlus
from lavlive.generator.runners.plan import LEAK, Plan
from lavlive.generator.runners.planned import Activation, PlannedSynthesis, eager_activation

WORST_LEVELS = 8
MEAN_LEVELS = 0.25
"""Half precision is safe when no value of a picture differs by more, of 255, nor all of them on average."""

_PROBES = 3
_TRIALS = 10
_WARM_UPS = 3
_WORKSPACE_BYTES = 256 << 20
_LIVE_TENSORS = 8
_FUSED_CODE = f"""
template <typename T> T activation(T x, T demodulation, T noise, T bias, T follow) {{
    T y = x * demodulation + noise + bias;
    return (y < T(0) ? y * T({LEAK}) : y) * follow;
}}
"""


@dataclass(frozen=True)
class Precision:
    """Blocks from resolution ``half_from`` up run in float16; None for float32 throughout."""

    half_from: int | None

    def __str__(self) -> str:
        if self.half_from is None:
            return "float32"
        return "half precision" if self.half_from <= 4 else f"half precision from {self.half_from}²"


def memory_needed(plan: Plan, precision: Precision) -> int:
    """Bytes on the device for a plan, workspace of the convolutions included; an estimate from above."""
    total = 0
    widest = 0
    for block in plan.blocks:
        half = precision.half_from is not None and block.resolution >= precision.half_from
        size = 2 if half else 4
        for conv in (block.conv0, block.conv1):
            if conv is not None:
                # A folded up-convolution holds its kernel four times.
                total += size * conv.weight.size * (4 if conv.up else 1)
                total += 4 * (conv.affine.matrix.size + conv.square.size) + size * conv.noise.size
        widest = max(widest, size * len(block.conv1.bias) * block.height * block.width)
    return total + _LIVE_TENSORS * widest + _WORKSPACE_BYTES


def affordable_precision(plan: Plan, free: int) -> Precision:
    """Float32 where the free bytes allow it, to compare with; else half precision.

    Raises ModelDoesNotFitError, with the numbers, when even that does not fit.
    """
    for precision in (Precision(None), Precision(4)):
        if memory_needed(plan, precision) <= free:
            return precision
    needed = memory_needed(plan, Precision(4))
    raise ModelDoesNotFitError(
        f"This model needs about {needed >> 20} MiB of GPU memory, {free >> 20} MiB are free; "
        "close other programs, take a smaller model, or use --runner openvino."
    )


class CudaRunner:
    """Pictures by CUDA graphs, in the widest half precision that keeps them right.

    Args:
        device: a CUDA device; ``cpu`` for tests.
        notes: takes a line when precision had to give way.
        free: bytes that may be used; what the device says when not given.
    """

    name = "cuda"

    def __init__(
        self, plan: Plan, device: str = "cuda", notes: list[str] | None = None, free: int | None = None
    ) -> None:
        self.height, self.width = plan.height, plan.width
        self.num_ws, self.w_dim = plan.num_ws, plan.w_dim
        self._device = torch.device(device)
        on_gpu = self._device.type == "cuda"
        if free is None:
            free = torch.cuda.mem_get_info(self._device)[0] if on_gpu else 1 << 62
        try:
            self.precision = self._choose_precision(plan, free, [] if notes is None else notes)
            self._static: _Static | None = self._fastest(plan)
        except torch.cuda.OutOfMemoryError as error:
            raise RunnerError(
                f"The GPU ran out of memory ({free >> 20} MiB were free); close other programs, "
                "take a smaller model, or use --runner openvino."
            ) from error
        self._made_of = MadeOf()
        shape = (2, self.height // 2, self.width, 3)
        self._host = torch.zeros(shape, dtype=torch.uint8, pin_memory=on_gpu)
        self._host_pixels = self._host.numpy()
        self._arrived = [torch.cuda.Event() for _ in range(2)] if on_gpu else []

    def picture_into(self, w_plus: WPlus, noise: float, out: Picture) -> None:
        """See ``Runner``. The lower half is on its way from the GPU while the upper half is copied."""
        assert self._static is not None, "the runner is closed"
        half = self.height // 2
        if not self._made_of.differs(w_plus, noise):
            out[...] = self._host_pixels.reshape(out.shape)
            return
        with torch.inference_mode(), self._static.on_stream():
            self._static.run(w_plus, noise)
            halves = self._static.pixels.view(self._host.shape)
            for part in range(2):
                self._host[part].copy_(halves[part], non_blocking=True)
                if self._arrived:
                    self._arrived[part].record()
        for part in range(2):
            if self._arrived:
                self._arrived[part].synchronize()
            out[part * half : (part + 1) * half] = self._host_pixels[part]

    def close(self) -> None:
        """See ``Runner``."""
        self._static = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _choose_precision(self, plan: Plan, free: int, notes: list[str]) -> Precision:
        affordable = affordable_precision(plan, free)
        if affordable.half_from is not None:
            notes.append(
                f"The GPU has {free >> 20} MiB free, too little for float32: {affordable}, not compared."
            )
            return affordable
        probes = np.random.default_rng(0).standard_normal((_PROBES, plan.num_ws, plan.w_dim), np.float32)
        exact = self._pictures(plan, Precision(None), probes)
        for precision in (Precision(4), Precision(max(plan.resolution // 8, 8))):
            if _agree(self._pictures(plan, precision, probes), exact):
                return precision
        notes.append("Half precision changes this model's pictures; they are made in float32.")
        return Precision(None)

    def _pictures(self, plan: Plan, precision: Precision, probes: np.ndarray) -> np.ndarray:
        """int16 [probes, H, W, 3], without TF32."""
        synthesis = PlannedSynthesis(plan, precision.half_from).to(self._device)
        noise = torch.ones((), device=self._device)
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            made = [synthesis(torch.from_numpy(w).to(self._device), noise) for w in probes]
        return np.stack([picture.cpu().numpy() for picture in made]).astype(np.int16)

    def _fastest(self, plan: Plan) -> _Static:
        activations: list[Activation] = [eager_activation]
        if self._device.type == "cuda":
            activations.append(torch.cuda.jiterator._create_jit_fn(_FUSED_CODE))
        probe = np.random.default_rng(0).standard_normal((plan.num_ws, plan.w_dim), np.float32)
        expected: np.ndarray | None = None
        best: _Static | None = None
        failure: RuntimeError | None = None
        for fold, activation in product((False, True), activations):
            try:
                synthesis = PlannedSynthesis(plan, self.precision.half_from, fold, activation)
                static = _Static(synthesis.to(self._device), plan, self._device)
                pixels = static.probe(probe)
            except torch.cuda.OutOfMemoryError:
                if best is None:
                    raise
                continue
            except RuntimeError as error:
                # A driver without NVRTC, or a shape that a library refuses: another variant may do.
                failure = error
                continue
            # The first variant is plain torch; one that disagrees with it is broken, however fast.
            expected = pixels if expected is None else expected
            if best is None or (static.seconds < best.seconds and _agree(pixels, expected)):
                best = static
        if best is None:
            raise RunnerError(f"The GPU cannot run this model: {failure}") from failure
        return best


def _agree(pictures: np.ndarray, expected: np.ndarray) -> bool:
    difference = np.abs(pictures.astype(np.int16) - expected)
    return bool(difference.max() <= WORST_LEVELS and difference.mean() <= MEAN_LEVELS)


class _Static:
    """One network with inputs and outputs at fixed places, captured as a CUDA graph where there is one."""

    def __init__(self, synthesis: PlannedSynthesis, plan: Plan, device: torch.device) -> None:
        self._synthesis = synthesis
        on_gpu = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if on_gpu else None
        self._graph: torch.cuda.CUDAGraph | None = None
        shape = (plan.num_ws, plan.w_dim)
        self._host_w_plus = torch.zeros(shape, pin_memory=on_gpu)
        self._host_array = self._host_w_plus.numpy()
        self._w_plus = torch.zeros(shape, device=device)
        self._noise = torch.ones((), device=device)
        self._noise_value = 1.0
        if self._stream is not None:
            # The weights were copied on another stream.
            self._stream.wait_stream(torch.cuda.current_stream(device))
        # Benchmarking picks cuDNN's algorithms before the capture; the setting ends with the block.
        with torch.inference_mode(), self.on_stream(), torch.backends.cudnn.flags(True, benchmark=True):
            for _ in range(_WARM_UPS):
                self.pixels = synthesis(self._w_plus, self._noise)
            if self._stream is not None:
                self._stream.synchronize()
                self._graph = torch.cuda.CUDAGraph()
                # Encoder and running model go on meanwhile, in threads of their own.
                mode = "thread_local"
                with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode=mode):
                    self.pixels = synthesis(self._w_plus, self._noise)
        self.seconds = self._measure()

    def on_stream(self) -> torch.cuda.StreamContext:
        """Within it, torch's work goes to this network's own stream."""
        return torch.cuda.stream(self._stream)

    def run(self, w_plus: WPlus, noise: float) -> None:
        """Begin a picture in ``pixels``; on a GPU it is finished when the stream is."""
        if noise != self._noise_value:
            self._noise.fill_(noise)
            self._noise_value = noise
        self._host_array[...] = w_plus
        self._w_plus.copy_(self._host_w_plus, non_blocking=True)
        if self._graph is None:
            self.pixels = self._synthesis(self._w_plus, self._noise)
        else:
            self._graph.replay()

    def probe(self, w_plus: WPlus) -> np.ndarray:
        """A picture of its own, uint8 [H, W, 3]."""
        with torch.inference_mode(), self.on_stream():
            self.run(w_plus, 1.0)
            pixels: np.ndarray = self.pixels.cpu().numpy()
        return pixels.copy()

    def _measure(self) -> float:
        """Median seconds per picture, copies to the host apart."""
        seconds = []
        for _ in range(_TRIALS if self._stream is not None else 1):
            began = time.perf_counter()
            with torch.inference_mode(), self.on_stream():
                self.run(self._host_array, self._noise_value)
            if self._stream is not None:
                self._stream.synchronize()
            seconds.append(time.perf_counter() - began)
        return median(seconds)
