"""The steps of `tools/gpu-check`. Each fills a table of figures, so that those before a failure are kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from lavlive.bench.baselines import Textbook
from lavlive.bench.measure import interleave
from lavlive.encoder.layers import Network
from lavlive.encoder.seanet import StreamingEncoder, StreamState, advance
from lavlive.errors import RunnerError
from lavlive.generator.network import Generator
from lavlive.generator.runners.base import Runner, picture
from lavlive.generator.runners.cuda_runner import CudaRunner, Precision, memory_needed
from lavlive.generator.runners.plan import Plan, make_plan
from lavlive.gpu.pinned import is_pinned, pinned
from lavlive.link.memory import SharedBlock
from tools.gpu.material import encoder_network, generator, w_plus

Figures = dict[str, Any]
HOP_SECONDS = 320 / 24_000
_LEAST_PICTURES = 3


@dataclass(frozen=True)
class Sizes:
    """How large and how long everything is."""

    device: torch.device
    small: bool
    resolutions: tuple[int, ...]
    widths: dict[str, Any]
    filters: tuple[int, ...]
    seconds: float
    both_seconds: float
    swaps: int
    engine_seconds: float

    @classmethod
    def on_gpu(cls) -> Sizes:
        """What a show uses: config F at three sizes, the bundled encoder and the published one."""
        return cls(torch.device("cuda", 0), False, (256, 512, 1024), {}, (16, 32), 8.0, 60.0, 20, 30.0)

    @classmethod
    def on_cpu(cls) -> Sizes:
        """So small that a test has the time."""
        widths = {"channel_base": 256, "channel_max": 16, "w_dim": 32, "z_dim": 32}
        return cls(torch.device("cpu"), True, (16, 32), widths, (4,), 0.05, 0.5, 2, 1.0)

    def finish(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def runner(self, made: Generator, notes: list[str] | None = None) -> CudaRunner:
        """The runner under test."""
        plan = make_plan(made.synthesis, made.mapping.w_mean)
        return CudaRunner(plan, str(self.device), notes)

    def memory(self) -> dict[str, int]:
        """MiB of the device."""
        if self.device.type != "cuda":
            return {"allocated": 0, "reserved": 0, "free": 0}
        return {
            "allocated": torch.cuda.memory_allocated(self.device) >> 20,
            "reserved": torch.cuda.memory_reserved(self.device) >> 20,
            "free": torch.cuda.mem_get_info(self.device)[0] >> 20,
        }


def correctness(sizes: Sizes, found: Figures) -> None:
    """Pictures beside float32 on the CPU at the smallest size, and beside float32 on the device at all."""
    cases: list[tuple[str, int, dict[str, Any]]] = [(f"{r}² skip", r, {}) for r in sizes.resolutions]
    smallest = sizes.resolutions[0]
    cases += [(f"{smallest}² {kind}", smallest, {"architecture": kind}) for kind in ("resnet", "orig")]
    cases.append((f"{smallest}² clamped", smallest, {"conv_clamp": 256.0}))
    for name, resolution, settings in cases:
        made = generator(resolution, **sizes.widths, **settings)
        notes: list[str] = []
        opened = sizes.runner(made, notes)
        ws = w_plus(made, 4)
        pictures = np.stack([picture(opened, w) for w in ws]).astype(np.int16)
        exact = _exact(sizes, made, ws)
        gap = np.abs(pictures - exact)
        found[f"{name}: precision"] = str(opened.precision)
        found[f"{name}: largest difference, of 255"] = int(gap.max())
        found[f"{name}: mean difference"] = float(gap.mean())
        found[f"{name}: spread of the exact pictures"] = float(exact.std())
        if resolution == smallest:
            with torch.inference_mode():
                on_cpu = Textbook(made.synthesis).picture(torch.from_numpy(ws)).numpy()
            found[f"{name}: exact ones beside the CPU's, largest"] = int(np.abs(exact - on_cpu).max())
        if notes:
            found[f"{name}: notes"] = "; ".join(notes)
        if gap.max() > 8 or gap.mean() > 0.25:
            raise AssertionError(f"{name}: {gap.max()} of 255, mean {gap.mean():.3f}, is beyond the bound")
        opened.close()


def _exact(sizes: Sizes, made: Generator, ws: np.ndarray) -> np.ndarray:
    """By the book, in float32 without TF32, int16 [N, H, W, 3]."""
    book = Textbook(_moved(made, sizes).synthesis)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        made_there = [book.picture(torch.from_numpy(w)[None].to(sizes.device))[0].cpu() for w in ws]
    made.to("cpu")
    return torch.stack(made_there).numpy().astype(np.int16)


def _moved(made: Generator, sizes: Sizes) -> Generator:
    made.to(sizes.device)
    return made


def pinned_slots(sizes: Sizes, found: Figures) -> None:
    """A picture straight into the link's slot, beside one through a buffer and a copy."""
    made = generator(sizes.resolutions[-1], **sizes.widths)
    opened = sizes.runner(made)
    ws = w_plus(made, 4)
    with SharedBlock.create() as link, pinned(link.slots_for(opened.height, opened.width)) as done:
        slot = link.next_slot(opened.height, opened.width)
        found["the link is pinned"] = done
        found["the slot counts as pinned"] = is_pinned(slot)
        buffer = np.empty_like(slot)
        opened.picture_into(ws[0], 1.0, slot)
        opened.picture_into(ws[0], 1.0, buffer)
        if not np.array_equal(slot, buffer):
            raise AssertionError("the picture in the slot is not that in the buffer")
        # The picture stands still, so only the way to the host is measured.
        tasks = {
            "to the slot, ms": partial(opened.picture_into, ws[0], 1.0, slot),
            "to a buffer and the slot, ms": partial(_by_a_buffer, opened, ws[0], buffer, slot),
        }
        for name, samples in interleave(tasks, sizes.seconds / 4).items():
            found[name] = samples.summary.p10
        tasks.clear()
        del slot
    opened.close()


def _by_a_buffer(runner: Runner, w: np.ndarray, buffer: np.ndarray, slot: np.ndarray) -> None:
    runner.picture_into(w, 1.0, buffer)
    np.copyto(slot, buffer)


def pictures(sizes: Sizes, found: Figures) -> None:
    """The runner beside what a capable user would do instead, in turn, and the ratio to the best of that."""
    for resolution in sizes.resolutions:
        made = generator(resolution, **sizes.widths)
        opened = sizes.runner(made)
        ws = w_plus(made, 8)
        ours = f"{resolution}²: lavlive"
        with ExitStack() as stack:
            link = stack.enter_context(SharedBlock.create())
            stack.enter_context(pinned(link.slots_for(opened.height, opened.width)))
            slot = link.next_slot(opened.height, opened.width)
            tasks = {ours: _in_turn(ws, partial(_make_into, opened, slot))}
            tasks |= {
                f"{resolution}²: {name}": task for name, task in _baselines(sizes, made, ws, found).items()
            }
            results = interleave(tasks, sizes.seconds)
            tasks.clear()
            del slot
        best = min((r.summary.p10, name) for name, r in results.items() if name != ours)
        for name, samples in results.items():
            found[f"{name}, ms"] = samples.summary.p10
            found[f"{name}, p99 ms"] = samples.summary.p99
        found[f"{resolution}²: times faster than the best of them"] = best[0] / results[ours].summary.p10
        book = results[f"{resolution}²: textbook float32"].summary.p10
        found[f"{resolution}²: times faster than the textbook"] = book / results[ours].summary.p10
        found[f"{resolution}²: memory, MiB"] = sizes.memory()
        opened.close()


def _make_into(runner: Any, place: np.ndarray, w_plus: np.ndarray) -> None:
    runner.picture_into(w_plus, 1.0, place)


def _in_turn(ws: np.ndarray, use: Callable[[np.ndarray], object]) -> Callable[[], object]:
    position = 0

    def task() -> None:
        nonlocal position
        position = (position + 1) % len(ws)
        use(ws[position])

    return task


def _baselines(
    sizes: Sizes, made: Generator, ws: np.ndarray, found: Figures
) -> dict[str, Callable[[], object]]:
    """The textbook in float32, in half precision, with channels last, and through torch's compiler.

    Each ends with the picture in the host's memory, as ours does.
    """
    exact = _copy(made).to(sizes.device)
    tasks = {"textbook float32": _book(sizes, Textbook(exact.synthesis).picture, ws, torch.float32)}
    if sizes.device.type != "cuda":
        return tasks
    half = _copy(made).to(sizes.device).half()
    tasks["textbook half"] = _book(sizes, Textbook(half.synthesis).picture, ws, torch.float16)
    last = _copy(made).to(sizes.device).half().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    tasks["textbook half, channels last"] = _book(sizes, Textbook(last.synthesis).picture, ws, torch.float16)
    try:
        compiled = torch.no_grad()(torch.compile(Textbook(half.synthesis).forward, mode="reduce-overhead"))
        task = _book(sizes, compiled, ws, torch.float16)
        began = time.perf_counter()
        task()
        found[f"{made.config.resolution}²: torch.compile took, s"] = time.perf_counter() - began
        tasks["textbook half, torch.compile"] = task
    except Exception as failure:  # no compiler here, or one that does not take it
        found[f"{made.config.resolution}²: torch.compile"] = f"failed: {str(failure).splitlines()[0][:120]}"
    return tasks


def _copy(made: Generator) -> Generator:
    other = Generator(made.config)
    other.load_state_dict(made.state_dict())
    return other.freeze()


def _book(
    sizes: Sizes, make: Callable[[torch.Tensor], torch.Tensor], ws: np.ndarray, dtype: torch.dtype
) -> Callable[[], object]:
    return _in_turn(ws, lambda w: make(torch.from_numpy(w)[None].to(sizes.device, dtype)).cpu())


def encoder(sizes: Sizes, found: Figures) -> None:
    """A hop as a graph, beside the same layers eagerly on the device and on the CPU; and the same latents."""
    hops = np.random.default_rng(0).uniform(-0.3, 0.3, (200, 320)).astype(np.float32)
    for filters in sizes.filters:
        network = encoder_network(filters)
        on_cpu = StreamingEncoder(network)
        tasks = {f"{filters} filters: torch on the CPU": _in_turn(hops, on_cpu.step)}
        tasks[f"{filters} filters: eager on the device"] = _in_turn(hops, eager_hop(network, sizes))
        if sizes.device.type == "cuda":
            from lavlive.encoder.cuda_runner import CudaEncoder

            graphed = CudaEncoder(network, device=sizes.device)
            expected, got = on_cpu.step(hops[:50].reshape(-1)), graphed.step(hops[:50].reshape(-1))
            found[f"{filters} filters: largest difference to the CPU"] = float(np.abs(expected - got).max())
            tasks[f"{filters} filters: graph"] = _in_turn(hops, graphed.step)
        for name, samples in interleave(tasks, sizes.seconds).items():
            found[f"{name}, ms a hop"] = samples.summary.p10
            found[f"{name}, p99 ms"] = samples.summary.p99


def eager_hop(network: Network, sizes: Sizes) -> Callable[[np.ndarray], object]:
    """One hop through the layers on the device without a graph."""
    from lavlive.encoder.cuda_runner import _moved

    layers = tuple(_moved(layer, sizes.device) for layer in network.layers)
    state = StreamState(network, sizes.device)

    def step(hop: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            sound = torch.from_numpy(hop)[None, None].to(sizes.device)
            return advance(layers, sound, iter(state.tensors.values())).cpu()

    return step


def hearing(sizes: Sizes) -> Any:
    """An encoder as the show would have it."""
    network = encoder_network(sizes.filters[0])
    if sizes.device.type != "cuda":
        return StreamingEncoder(network)
    from lavlive.encoder.cuda_runner import CudaEncoder

    return CudaEncoder(network, device=sizes.device)


class Listener:
    """Encodes 75 hops a second in a thread, as the latent worker does, and notes how long each took."""

    def __init__(self, encoder: Any) -> None:
        self.seconds: list[float] = []
        self.late = 0
        self._encoder = encoder
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener")

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        hop = np.random.default_rng(0).uniform(-0.3, 0.3, 320).astype(np.float32)
        due = time.perf_counter()
        while not self.seconds or not self._ending.is_set():
            began = time.perf_counter()
            self._encoder.step(hop)
            now = time.perf_counter()
            self.seconds.append(now - began)
            due += HOP_SECONDS
            if now > due:
                self.late += 1
                due = now
            time.sleep(max(0.0, due - now))

    def report(self, found: Figures) -> None:
        """Percentiles of the hops."""
        milliseconds = np.asarray(self.seconds) * 1000
        for name, share in (("median", 50), ("p99", 99), ("worst", 100)):
            found[f"hop, {name} ms"] = float(np.percentile(milliseconds, share))
        found["hops"] = len(milliseconds)
        found["hops that came too late"] = self.late


def show_pictures(
    opened: Callable[[], Runner], ws: np.ndarray, seconds: float, rate: float | None
) -> np.ndarray:
    """Make pictures for that long, `rate` a second or as many as can be; when each was there, seconds."""
    runner = opened()
    out = np.empty((runner.height, runner.width, 3), np.uint8)
    times: list[float] = []
    began = due = time.perf_counter()
    while len(times) < _LEAST_PICTURES or time.perf_counter() < began + seconds:
        runner = opened()
        if out.shape != (runner.height, runner.width, 3):
            out = np.empty((runner.height, runner.width, 3), np.uint8)
        runner.picture_into(ws[len(times) % len(ws)], 1.0, out)
        times.append(time.perf_counter())
        if rate is not None:
            due = max(due + 1 / rate, times[-1] - 0.5 / rate)
            time.sleep(max(0.0, due - time.perf_counter()))
    return np.asarray(times)


def both_at_once(sizes: Sizes, found: Figures) -> None:
    """Sound and the largest pictures together: as many pictures as can be, then 60 a second."""
    made = generator(sizes.resolutions[-1], **sizes.widths)
    runner, ws = sizes.runner(made), w_plus(made, 16)
    for name, rate in (("as many as can be", None), ("60 a second", 60.0)):
        part: Figures = {}
        with Listener(hearing(sizes)) as listener:
            times = show_pictures(lambda: runner, ws, sizes.both_seconds / 2, rate)
        spacing = np.diff(times) * 1000
        part["pictures/s"] = float(1000 / spacing.mean())
        part["spacing, median ms"] = float(np.median(spacing))
        part["spacing, p99 − median ms"] = float(np.percentile(spacing, 99) - np.median(spacing))
        part["spacing, worst ms"] = float(spacing.max())
        listener.report(part)
        found |= {f"{name}: {key}": value for key, value in part.items()}
    runner.close()


def swaps(sizes: Sizes, found: Figures) -> None:
    """Other models loaded beside the shown one, and taken: the longest gaps, and memory after each."""
    resolution = sizes.resolutions[-1]
    made = generator(resolution, **sizes.widths)
    ws = w_plus(made, 16)
    shown = [sizes.runner(made)]
    waiting: list[CudaRunner] = []
    taken = threading.Event()
    loads: list[float] = []
    memory: list[dict[str, int]] = [sizes.memory()]
    failures: list[str] = []

    def load_one_after_the_other() -> None:
        for _ in range(sizes.swaps):
            began = time.perf_counter()
            try:
                following = sizes.runner(made)
            except Exception as failure:
                failures.append(f"{type(failure).__name__}: {failure}")
                return
            loads.append(time.perf_counter() - began)
            taken.clear()
            waiting.append(following)
            taken.wait(10.0)
            memory.append(sizes.memory())

    def take() -> CudaRunner:
        """The one to show; the thread of pictures closes the one before, as in a show."""
        if waiting:
            shown[0].close()
            shown[0] = waiting.pop()
            taken.set()
        return shown[0]

    loader = threading.Thread(target=load_one_after_the_other, name="loader")
    with Listener(hearing(sizes)) as listener:
        quiet = show_pictures(take, ws, min(sizes.seconds, 4.0), 60.0)
        loader.start()
        times = [quiet]
        while loader.is_alive():
            times.append(show_pictures(take, ws, 0.25, 60.0))
        loader.join()
    during = np.concatenate(times[1:]) if len(times) > 1 else quiet
    found["swaps"] = len(loads)
    found["loading, median s"] = float(np.median(loads)) if loads else float("nan")
    found["longest gap before, ms"] = float(np.diff(quiet).max() * 1000)
    found["longest gap while swapping, ms"] = float(np.diff(during).max() * 1000)
    found["p99 gap while swapping, ms"] = float(np.percentile(np.diff(during), 99) * 1000)
    listener.report(found)
    found["memory after each, MiB"] = memory
    shown[0].close()
    if failures:
        raise AssertionError(failures[0])


def out_of_memory(sizes: Sizes, found: Figures) -> None:
    """With little left the runner takes half precision, with less it refuses; and it works again after."""
    made = generator(sizes.resolutions[-1], **sizes.widths)
    plan = make_plan(made.synthesis, made.mapping.w_mean)
    exact, half = memory_needed(plan, Precision(None)), memory_needed(plan, Precision(4))
    found["needed, float32 and half, MiB"] = [exact >> 20, half >> 20]
    for name, left in (("little", (exact + half) // 2), ("too little", half // 3)):
        notes: list[str] = []
        try:
            with _only(sizes, left):
                opened = _open_with(sizes, plan, notes, left)
                found[f"{name}: opened with"] = str(opened.precision)
                opened.close()
        except RunnerError as refusal:
            found[f"{name}: refused"] = str(refusal)
        if notes:
            found[f"{name}: notes"] = "; ".join(notes)
    if "too little: refused" not in found:
        raise AssertionError("a model that does not fit was not refused")
    again = sizes.runner(made)
    found["afterwards: opened with"] = str(again.precision)
    again.close()


def _open_with(sizes: Sizes, plan: Plan, notes: list[str], left: int) -> CudaRunner:
    """On a GPU what is left is found out by the runner itself."""
    return CudaRunner(plan, str(sizes.device), notes, None if sizes.device.type == "cuda" else left)


class _only:
    """Within it no more than so many bytes of the device are free."""

    def __init__(self, sizes: Sizes, left: int) -> None:
        self._sizes, self._left = sizes, left
        self._taken: list[torch.Tensor] = []

    def __enter__(self) -> None:
        if self._sizes.device.type != "cuda":
            return
        torch.cuda.empty_cache()
        surplus = torch.cuda.mem_get_info(self._sizes.device)[0] - self._left
        if surplus > 0:
            self._taken.append(torch.empty(surplus, dtype=torch.uint8, device=self._sizes.device))

    def __exit__(self, *_: object) -> None:
        self._taken.clear()
        if self._sizes.device.type == "cuda":
            torch.cuda.empty_cache()


def engine(sizes: Sizes, found: Figures) -> None:
    """A whole headless show on the demo track, played silently, with the largest model."""
    import tempfile
    from pathlib import Path

    from lavlive.bench.show import measure_show
    from lavlive.generator.checkpoint import save_generator
    from lavlive.link.settings import EngineSettings

    if sizes.small:
        found["left out"] = "on the CPU; tests/test_bench.py measures a whole show there"
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "largest.safetensors"
        save_generator(path, generator(sizes.resolutions[-1]), {"name": "largest", "trained": False})
        results = measure_show(EngineSettings(model=str(path), runner="cuda"), sizes.engine_seconds)
    found |= results.to_json()


def canvas(sizes: Sizes, found: Figures) -> None:
    """A new picture on a canvas of 1080p and of 4K through EGL, with no effect, with three and with six."""
    from lavlive.bench.canvas import measure_canvas

    if sizes.small:
        found["left out"] = "on the CPU; tests/test_bench.py measures the canvas there"
        return
    for name, size in {"1920 × 1080": (1920, 1080), "3840 × 2160": (3840, 2160)}.items():
        results = measure_canvas(sizes.seconds / 4, size)
        found["drawn by"] = results.renderer
        for count, summary in results.slots.items():
            found[f"{name}, {count} effects: drawn and read back, ms"] = summary.p10
            found[f"{name}, {count} effects: p99 ms"] = summary.p99
