"""Chooses what runs an encoder: the fastest that this machine has, or the one that was asked for.

name     device         what it is
cuda     NVIDIA GPU     a captured graph per hop
onnx     CPU            ONNX Runtime
torch    CPU            always works
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np
import torch

from lavlive.encoder.base import Encoder, EncoderInfo
from lavlive.encoder.cuda_runner import CudaEncoder
from lavlive.encoder.layers import Network
from lavlive.encoder.onnx_runner import OnnxEncoder
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.encoder.segments import SegmentEncoder
from lavlive.errors import RunnerError, UsageError
from lavlive.resources import KeptChoices, cache_folder

RUNNERS = ("auto", "torch", "onnx", "cuda")
_DEVICES = {"cuda": "cuda", "onnx": "cpu", "torch": "cpu"}
_CHOICE_FILE = "encoder-runners.json"
_WARM_UPS = 5
_TRIAL_HOPS = 30

_log = logging.getLogger(__name__)


def open_encoder(
    network: Network,
    info: EncoderInfo,
    runner: str = "auto",
    threads: int = 1,
    device: str = "auto",
    folder: Path | None = None,
) -> Encoder:
    """A stream through ``network``.

    Args:
        runner: ``torch``, ``onnx`` or ``cuda``; ``auto`` times a few hops of each that can be had, once per
            machine and encoder, and takes the fastest. What it has to do without is logged.
        threads: of the CPU, for ONNX Runtime. torch's are set for the whole process by whoever owns it.
        device: ``auto``, or ``cpu`` to leave a graphics card alone, as beside a generator on the CPU.
        folder: where choices are kept; the cache folder when not given.

    Raises RunnerError for an unknown runner, and for one asked for by name that cannot be used.
    """
    if network.segment is not None:
        if runner not in ("auto", "torch"):
            raise RunnerError(f"an encoder of segments runs on torch only, not {runner!r}")
        return SegmentEncoder(network, info)
    makers: dict[str, Callable[[], Encoder]] = {
        "cuda": lambda: CudaEncoder(network, info),
        "onnx": lambda: OnnxEncoder(network, info, threads),
        "torch": lambda: StreamingEncoder(network, info),
    }
    if runner in makers:
        return makers[runner]()
    if runner != "auto":
        raise RunnerError(f"no encoder runner {runner!r}: choose {', '.join(RUNNERS)}")
    names = [name for name in makers if _can_be_had(name, device)]
    choices = _choices(folder)
    key = f"{_machine()} {','.join(names)} {threads} {info.hash}"
    kept = choices.get(key) if choices is not None else None
    if kept in names:
        opened = _try_open(makers[kept])
        if opened is not None:
            return opened
        names.remove(kept)
    fastest, measured = _fastest([(name, makers[name]) for name in names])
    # Weights without a hash, and a runner that stood in for one that failed today, are measured again.
    if choices is not None and info.hash and len(measured) == len(names):
        choices.put(key, fastest.runner, measured)
    return fastest


def hop_seconds(encoder: Encoder, hops: int = _TRIAL_HOPS) -> float:
    """Median seconds that a hop takes; the stream is as new afterwards."""
    random = np.random.default_rng(0)
    seconds = []
    for _ in range(_WARM_UPS + hops):
        samples = random.uniform(-0.5, 0.5, encoder.hop).astype(np.float32)
        began = time.perf_counter()
        encoder.step(samples)
        seconds.append(time.perf_counter() - began)
    encoder.reset()
    return median(seconds[_WARM_UPS:])


def _can_be_had(name: str, device: str) -> bool:
    return device in ("auto", _DEVICES[name]) and (name != "cuda" or torch.cuda.is_available())


def _try_open(maker: Callable[[], Encoder]) -> Encoder | None:
    try:
        return maker()
    except RunnerError as error:
        _log.warning("encoder: %s; taking the next best runner", error)
        return None


def _fastest(makers: list[tuple[str, Callable[[], Encoder]]]) -> tuple[Encoder, dict[str, float]]:
    opened: dict[str, Encoder] = {}
    for name, maker in makers:
        encoder = _try_open(maker)
        if encoder is not None:
            opened[name] = encoder
    if not opened:
        raise RunnerError("no encoder runner can be used")
    measured = {name: hop_seconds(encoder) for name, encoder in opened.items()} if len(opened) > 1 else {}
    name = min(measured, key=lambda one: measured[one]) if measured else next(iter(opened))
    return opened[name], measured


def _choices(folder: Path | None) -> KeptChoices | None:
    with suppress(OSError, UsageError):
        return KeptChoices((folder or cache_folder()) / _CHOICE_FILE)
    return None


def _machine() -> str:
    """Processor, cores, GPU and library versions, as one line."""
    parts = [platform.machine(), platform.processor(), str(os.cpu_count()), f"torch {torch.__version__}"]
    with suppress(PackageNotFoundError):
        parts.append(f"onnxruntime {version('onnxruntime')}")
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return " ".join(part for part in parts if part)
