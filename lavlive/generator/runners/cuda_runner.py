"""Pictures on an NVIDIA GPU: half precision where that is safe, static shapes, one CUDA graph per picture.

At its start the runner compares half precision with float32 on a few pictures, captures the variants of the
network (up-convolution folded or not, activation fused or not) and keeps the fastest of those whose captured
picture is the exact one, but for rounding. Nothing here needs a compiler on the user's machine: the fused
activation is compiled by NVRTC, which comes with torch.

On the device ``cpu`` the same class runs without graphs and pinned memory; tests use that. On a GPU it was
never run by us: `tools/gpu-check` is there to do it.
"""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import ClassVar

import numpy as np
import torch

from lavlive.errors import ModelDoesNotFitError, RunnerError
from lavlive.generator.bends import Bends
from lavlive.generator.runners.base import MadeOf, Pixels, WPlus
from lavlive.generator.runners.plan import LEAK, Plan
from lavlive.generator.runners.planned import Activation, PlannedSynthesis, eager_activation
from lavlive.gpu.captured import Captured, exactly
from lavlive.gpu.pinned import is_pinned

WORST_LEVELS = 8
MEAN_LEVELS = 0.25
"""Half precision is safe when no value of a picture differs by more, of 255, nor all of them on average."""

_PROBES = 3
_TRIALS = 10
_WORKSPACE_BYTES = 256 << 20
_LIVE_TENSORS = 8
_MOST_PLACES = 64
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
    _open: ClassVar[weakref.WeakSet[CudaRunner]] = weakref.WeakSet()

    def __init__(
        self, plan: Plan, device: str = "cuda", notes: list[str] | None = None, free: int | None = None
    ) -> None:
        self.height, self.width = plan.height, plan.width
        self.num_ws, self.w_dim = plan.num_ws, plan.w_dim
        self._device = torch.device(device)
        self._plan = plan
        self._eager: PlannedSynthesis | None = None
        on_gpu = self._device.type == "cuda"
        if free is None:
            free = free_memory(self._device) if on_gpu else 1 << 62
        try:
            self._static: _Static | None = self._choose(plan, free, [] if notes is None else notes)
        except torch.cuda.OutOfMemoryError as error:
            raise RunnerError(
                f"The GPU ran out of memory ({free >> 20} MiB were free); close other programs, "
                "take a smaller model, or use --runner openvino."
            ) from error
        self._made_of = MadeOf()
        self._open.add(self)
        shape = (2, self.height // 2, self.width, 3)
        self._host = torch.zeros(shape, dtype=torch.uint8, pin_memory=on_gpu)
        self._host_pixels = self._host.numpy()
        self._arrived = [torch.cuda.Event(blocking=True) for _ in range(2)] if on_gpu else []
        self._pinned: dict[int, bool] = {}

    def picture_into(self, w_plus: WPlus, noise: float, out: Pixels, bends: Bends = ()) -> None:
        """See ``Runner``.

        Into pinned memory the GPU writes itself. To other memory the picture comes in halves: the lower one
        is on its way from the GPU while the upper one is copied.
        """
        assert self._static is not None, "the runner is closed"
        if bends:
            self._bent_into(w_plus, noise, out, bends)
            return
        with torch.inference_mode(), self._static.captured.on_stream():
            if self._made_of.differs(w_plus, noise):
                self._static.begin(w_plus, noise)
            if self._is_pinned(out):
                torch.from_numpy(out).copy_(self._static.pixels, non_blocking=True)
                self._static.captured.wait()
                return
            halves = self._static.pixels.view(self._host.shape)
            for part in range(2):
                self._host[part].copy_(halves[part], non_blocking=True)
                if self._arrived:
                    self._arrived[part].record()
        half = self.height // 2
        for part in range(2):
            if self._arrived:
                self._arrived[part].synchronize()
            out[part * half : (part + 1) * half] = self._host_pixels[part]

    def _bent_into(self, w_plus: WPlus, noise: float, out: Pixels, bends: Bends) -> None:
        """A picture with bends, which no captured graph holds: eagerly, and so slower."""
        assert self._static is not None
        self.prepare_bends()
        assert self._eager is not None
        with torch.inference_mode(), self._static.captured.on_stream():
            made = self._eager(
                torch.from_numpy(w_plus).to(self._device), torch.tensor(noise, device=self._device), bends
            )
            torch.from_numpy(out).copy_(made)
        self._made_of = MadeOf()

    def prepare_bends(self) -> None:
        """See ``Runner``."""
        if self._eager is None:
            self._eager = PlannedSynthesis(self._plan, self.precision.half_from).to(self._device)

    def _is_pinned(self, out: Pixels) -> bool:
        """Whether the GPU can write there; asked once for each of the few places that pictures go to."""
        address = out.ctypes.data
        if address not in self._pinned:
            if len(self._pinned) > _MOST_PLACES:
                self._pinned.clear()
            self._pinned[address] = self._device.type == "cuda" and is_pinned(out)
        return self._pinned[address]

    def close(self) -> None:
        """See ``Runner``.

        Nothing is given back to the driver here, in the middle of a show: it would have to wait for the whole
        GPU. The next model takes the memory from torch, which asks the driver for more only when it must.
        """
        self._static = self._eager = None
        self._open.discard(self)

    def _choose(self, plan: Plan, free: int, notes: list[str]) -> _Static:
        """The fastest network that is right, and its precision."""
        self.precision, exact = self._choose_precision(plan, free, notes)
        found, reason = self._fastest(plan, exact)
        if found is None and exact is not None and self.precision.half_from is not None:
            notes.append(f"{self.precision} failed once captured ({reason}); pictures are made in float32.")
            self.precision = Precision(None)
            found, reason = self._fastest(plan, exact)
        if found is None:
            raise RunnerError(f"The GPU cannot run this model: {reason}.")
        return found

    def _choose_precision(
        self, plan: Plan, free: int, notes: list[str]
    ) -> tuple[Precision, np.ndarray | None]:
        """The precision, and the first probe's exact picture where there was room to make it."""
        affordable = affordable_precision(plan, free)
        if affordable.half_from is not None:
            notes.append(
                f"The GPU has {free >> 20} MiB free, too little for float32: {affordable}, not compared."
            )
            return affordable, None
        probes = _probes(plan, _PROBES)
        exact = self._pictures(plan, Precision(None), probes)
        for precision in (Precision(4), Precision(max(plan.resolution // 8, 8))):
            if _agree(self._pictures(plan, precision, probes), exact):
                return precision, exact[0]
        notes.append("Half precision changes this model's pictures; they are made in float32.")
        return Precision(None), exact[0]

    def _pictures(self, plan: Plan, precision: Precision, probes: np.ndarray) -> np.ndarray:
        """int16 [probes, H, W, 3], without TF32."""
        synthesis = PlannedSynthesis(plan, precision.half_from).to(self._device)
        noise = torch.ones((), device=self._device)
        with torch.inference_mode(), exactly(benchmark=False):
            made = [synthesis(torch.from_numpy(w).to(self._device), noise) for w in probes]
        return np.stack([picture.cpu().numpy() for picture in made]).astype(np.int16)

    def _fastest(self, plan: Plan, exact: np.ndarray | None) -> tuple[_Static | None, str]:
        """The fastest variant whose captured picture is right, or why there is none.

        Right is what agrees with the exact picture, or where there is none with plain torch's, the first.
        """
        probe = _probes(plan, 1)[0]
        # While a show runs, cuDNN's trials would compete with it.
        benchmark = not len(self._open)
        best: _Static | None = None
        reason = ""
        for fold, activation in product((False, True), self._activations()):
            try:
                synthesis = PlannedSynthesis(plan, self.precision.half_from, fold, activation)
                static = _Static(synthesis.to(self._device), plan, self._device, benchmark)
                pixels = static.probe(probe)
            except torch.cuda.OutOfMemoryError:
                if best is None:
                    raise
                continue
            except RuntimeError as error:
                # A driver without NVRTC, or a shape that a library refuses: another variant may do.
                # Kept as text: its traceback would hold the network's memory.
                reason = str(error).strip() or type(error).__name__
                continue
            exact = pixels.astype(np.int16) if exact is None else exact
            if not _agree(pixels, exact):
                reason = "its captured pictures are not those of float32"
                continue
            if best is None or static.seconds < best.seconds:
                best = static
        return best, reason

    def _activations(self) -> list[Activation]:
        """Ways to compute the activation: torch's own operators, and on a GPU fused by NVRTC."""
        if self._device.type != "cuda":
            return [eager_activation]
        return [eager_activation, torch.cuda.jiterator._create_jit_fn(_FUSED_CODE)]


def free_memory(device: torch.device) -> int:
    """Bytes that a model may take: what the driver has left, and what torch keeps of models that are gone."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept


def _probes(plan: Plan, count: int) -> np.ndarray:
    """Random w+, float32 [count, L, w_dim]; more of them begin with the same ones."""
    return np.random.default_rng(0).standard_normal((count, plan.num_ws, plan.w_dim), np.float32)


def _agree(pictures: np.ndarray, expected: np.ndarray) -> bool:
    difference = np.abs(pictures.astype(np.int16) - expected)
    return bool(difference.max() <= WORST_LEVELS and difference.mean() <= MEAN_LEVELS)


class _Static:
    """One network with inputs and outputs at fixed places, captured as a CUDA graph where there is one.

    Attributes:
        captured: the network from ``w_plus`` on the device to bytes.
        seconds: median per picture, copies to the host apart.
    """

    def __init__(
        self, synthesis: PlannedSynthesis, plan: Plan, device: torch.device, benchmark: bool
    ) -> None:
        on_gpu = device.type == "cuda"
        shape = (plan.num_ws, plan.w_dim)
        self._host_w_plus = torch.zeros(shape, pin_memory=on_gpu)
        self._host_array = self._host_w_plus.numpy()
        self._w_plus = w_plus = torch.zeros(shape, device=device)
        self._noise = strength = torch.ones((), device=device)
        self._noise_value = 1.0
        with torch.inference_mode(), exactly(benchmark):
            self.captured = Captured(lambda: synthesis(w_plus, strength), device, "pictures")
        self.seconds = self._measure(_TRIALS if on_gpu else 1)

    @property
    def pixels(self) -> torch.Tensor:
        """The picture begun last, uint8 [H, W, 3]; on a GPU for the stream on which it was begun."""
        made: torch.Tensor = self.captured.result
        return made

    def begin(self, w_plus: WPlus, noise: float, loading: bool = False) -> None:
        """Begin a picture; the call is made within ``captured.on_stream(loading)``."""
        if noise != self._noise_value:
            self._noise.fill_(noise)
            self._noise_value = noise
        self._host_array[...] = w_plus
        self._w_plus.copy_(self._host_w_plus, non_blocking=True)
        self.captured.run(loading)

    def probe(self, w_plus: WPlus) -> np.ndarray:
        """A picture of its own, uint8 [H, W, 3], made while others are shown."""
        with torch.inference_mode(), self.captured.on_stream(loading=True):
            self.begin(w_plus, 1.0, loading=True)
            pixels: np.ndarray = self.pixels.cpu().numpy()
        return pixels.copy()

    def _measure(self, trials: int) -> float:
        seconds = []
        for _ in range(trials):
            began = time.perf_counter()
            with torch.inference_mode(), self.captured.on_stream(loading=True):
                self.begin(self._host_array.copy(), self._noise_value, loading=True)
            self.captured.wait(loading=True)
            seconds.append(time.perf_counter() - began)
        return median(seconds)
