"""Opens the runner that makes a generator's pictures: the one asked for, or the fastest on this machine.

    name       device               arithmetic
    torch      CPU                  float32; always works
    openvino   CPU                  float32; StyleGAN2 only
    cuda       NVIDIA GPU           half precision where that is safe, CUDA graphs; StyleGAN3 in plain float32
    mps        Apple GPU            float32

``auto`` tries what can be had, times a few pictures of each once, and keeps the choice in the cache folder
per machine, library versions and model.
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np
import torch

from lavlive.errors import RunnerError
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.grid import Fill, Grid
from lavlive.generator.runners.alias_free_plan import AliasFreePlan
from lavlive.generator.runners.base import Runner, picture, require_colour
from lavlive.generator.runners.plans import AnyPlan, plan_of
from lavlive.generator.runners.torch_runner import TorchRunner
from lavlive.resources import KeptChoices, cache_folder

__all__ = [
    "RUNNER_NAMES",
    "Runner",
    "available_runners",
    "open_runner",
    "picture",
    "spare_threads",
    "time_pictures",
]

_NOT_BY_OPENVINO = "OpenVINO plays StyleGAN2 here; a StyleGAN3 is drawn by torch: use --runner torch or auto."
_TRIAL_WARM_UPS = 2
_TRIAL_PICTURES = 5
_TRIAL_SECONDS = 1.0
_CHOICE_FILE = "runners.json"


@dataclass(frozen=True)
class _Order:
    """What a runner is opened with; ``notes`` takes what the operator should know."""

    plan: AnyPlan
    threads: int
    folder: Path
    notes: list[str]


@dataclass(frozen=True)
class _RunnerEntry:
    """A runner by name: the device it uses, how to open it, and why it cannot be had (None when it can)."""

    device: str
    open: Callable[[_Order], Runner]
    lacking: Callable[[], str | None]


def _open_torch(order: _Order) -> Runner:
    return TorchRunner(order.plan, "cpu", order.threads)


def _open_mps(order: _Order) -> Runner:
    return TorchRunner(order.plan, "mps", order.threads)


def _open_openvino(order: _Order) -> Runner:
    if isinstance(order.plan, AliasFreePlan):
        raise RunnerError(_NOT_BY_OPENVINO)
    from lavlive.generator.runners.openvino_runner import OpenvinoRunner

    return OpenvinoRunner(order.plan, order.threads)


def _open_cuda(order: _Order) -> Runner:
    if isinstance(order.plan, AliasFreePlan):
        return TorchRunner(order.plan, "cuda")
    from lavlive.generator.runners.cuda_runner import CudaRunner

    return CudaRunner(order.plan, notes=order.notes)


def _nothing_lacking() -> str | None:
    return None


def _lacking_openvino() -> str | None:
    try:
        import openvino  # noqa: F401
    except (ImportError, OSError) as error:
        return f"OpenVINO cannot be loaded ({error}); try: pip install openvino"
    return None


def _lacking_cuda() -> str | None:
    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        return "this torch was built without CUDA; install one with it from https://pytorch.org/get-started"
    return "torch finds no CUDA device; check the driver with nvidia-smi"


def _lacking_mps() -> str | None:
    return None if torch.backends.mps.is_available() else "torch finds no Apple GPU"


_KINDS: dict[str, _RunnerEntry] = {
    "cuda": _RunnerEntry("cuda", _open_cuda, _lacking_cuda),
    "mps": _RunnerEntry("mps", _open_mps, _lacking_mps),
    "openvino": _RunnerEntry("cpu", _open_openvino, _lacking_openvino),
    "torch": _RunnerEntry("cpu", _open_torch, _nothing_lacking),
}
RUNNER_NAMES = ("auto", *_KINDS)
_SHOULD_BE_THERE = ("openvino",)
"""Ordinary dependencies: their absence is worth a note; that of a GPU is not."""


def available_runners() -> dict[str, str | None]:
    """Every runner by name, with why it cannot be had here, or None where it can."""
    return {name: kind.lacking() for name, kind in _KINDS.items()}


def spare_threads() -> int:
    """All cores but one: encoder, sound and stage share that one, so pictures stay evenly spaced."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def open_runner(
    loaded: LoadedGenerator,
    runner: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    folder: Path | None = None,
    grid: Grid | None = None,
    fill: Fill = "stretch",
) -> tuple[Runner, list[str]]:
    """A runner for a loaded generator, warm, and notes for the operator (empty when all went as hoped).

    Args:
        runner: one of ``RUNNER_NAMES``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``: what ``auto`` may choose among.
        threads: CPU threads of the runner; None for ``spare_threads``.
        folder: where choices are kept; the cache folder when not given.
        grid: size of the generator's constant, which gives pictures their shape; its own when not given.
        fill: how the constant comes to another size.

    Raises:
        RunnerError: what was asked for cannot be had; the message says what to do.
    """
    if runner not in RUNNER_NAMES:
        raise RunnerError(f"There is no runner {runner!r}; lavlive has {', '.join(RUNNER_NAMES)}.")
    require_colour(loaded.generator.config.picture_channels)
    notes: list[str] = []
    generator = loaded.generator
    plan = plan_of(generator, grid, fill)
    order = _Order(plan, threads or spare_threads(), folder or cache_folder(), notes)
    if runner != "auto":
        lacking = _KINDS[runner].lacking()
        if lacking is not None:
            raise RunnerError(f"The runner {runner} cannot be used: {lacking}; or use --runner auto.")
        return _warm(_KINDS[runner].open(order)), notes
    candidates = _candidates(device, notes, isinstance(plan, AliasFreePlan))
    choices = KeptChoices(order.folder / _CHOICE_FILE)
    shape = f" {plan.height}x{plan.width}" if plan.height != plan.width else ""
    key = f"{_machine()} {','.join(candidates)} {order.threads} {loaded.hash}{shape}"
    kept = choices.get(key)
    if kept in candidates:
        opened = _try_open(kept, order)
        if opened is not None:
            return _warm(opened), notes
        candidates.remove(kept)
    opened, measured = _fastest(candidates, order)
    choices.put(key, opened.name, measured)
    return opened, notes


def another_like(runner: Runner, plan: AnyPlan, threads: int | None = None) -> Runner:
    """A warm runner of the same kind for another plan.

    Raises:
        RunnerError: it cannot be had.
    """
    order = _Order(plan, threads or spare_threads(), cache_folder(), [])
    return _warm(_KINDS[runner.name].open(order))


def plain_runner(plan: AnyPlan, threads: int) -> Runner:
    """A runner on the CPU beside the one of a show, for measuring: nothing is compared or warmed up."""
    kind = _KINDS["torch" if isinstance(plan, AliasFreePlan) or _lacking_openvino() else "openvino"]
    return kind.open(_Order(plan, threads, cache_folder(), []))


def _candidates(device: str, notes: list[str], alias_free: bool = False) -> list[str]:
    found = []
    reasons = []
    for name, kind in _KINDS.items():
        if device not in ("auto", kind.device) or (alias_free and name == "openvino"):
            continue
        lacking = kind.lacking()
        if lacking is None:
            found.append(name)
            continue
        reasons.append(lacking)
        if name in _SHOULD_BE_THERE:
            notes.append(f"Pictures are made without {name}, slower: {lacking}.")
    if not found:
        why = "; ".join(reasons) or "lavlive knows auto, cpu, cuda and mps"
        raise RunnerError(f"The device {device} cannot be used: {why}.")
    return found


def _try_open(name: str, order: _Order) -> Runner | None:
    """Open a runner; one whose library fails on this model is noted and left out."""
    try:
        return _KINDS[name].open(order)
    except RunnerError as error:
        order.notes.append(f"The runner {name} was left out: {error}")
    except RuntimeError as error:
        # What inference libraries raise for shapes and devices that they cannot handle.
        reason = str(error).strip().splitlines()
        order.notes.append(
            f"The runner {name} was left out: {reason[-1] if reason else type(error).__name__}"
        )
    return None


def _fastest(names: list[str], order: _Order) -> tuple[Runner, dict[str, float]]:
    best: Runner | None = None
    measured: dict[str, float] = {}
    for name in names:
        opened = _try_open(name, order)
        if opened is None:
            continue
        measured[name] = time_pictures(_warm(opened), _TRIAL_PICTURES, _TRIAL_SECONDS)
        if best is None or measured[name] < measured[best.name]:
            if best is not None:
                best.close()
            best = opened
        else:
            opened.close()
    if best is None:
        raise RunnerError(" ".join(order.notes) or "No runner can be used.")
    return best, measured


def _warm(runner: Runner) -> Runner:
    """Make the pictures that are slow because they are the first."""
    time_pictures(runner, _TRIAL_WARM_UPS, enough=_TRIAL_SECONDS)
    return runner


def time_pictures(runner: Runner, count: int, enough: float = math.inf) -> float:
    """Median seconds per picture over ``count`` pictures of random w+, fewer after ``enough`` seconds.

    They are other ones at every call: runners do not make a picture again that they have just made.
    """
    random = np.random.default_rng()
    out = np.empty((runner.height, runner.width, 3), np.uint8)
    seconds: list[float] = []
    while len(seconds) < count and sum(seconds) <= enough:
        w_plus = random.standard_normal((runner.num_ws, runner.w_dim), np.float32)
        began = time.perf_counter()
        runner.picture_into(w_plus, 1.0, out)
        seconds.append(time.perf_counter() - began)
    return median(seconds)


def _machine() -> str:
    """Processor, cores, GPU and library versions, as one line."""
    parts = [platform.machine(), platform.processor(), str(os.cpu_count()), f"torch {torch.__version__}"]
    with suppress(PackageNotFoundError):
        parts.append(f"openvino {version('openvino')}")
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return " ".join(part for part in parts if part)
