"""Chooses what runs an encoder: the fastest that this machine has, or the one that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from lavlive.encoder.base import Encoder, EncoderInfo
from lavlive.encoder.cuda_runner import CudaEncoder
from lavlive.encoder.layers import Network
from lavlive.encoder.onnx_runner import OnnxEncoder
from lavlive.encoder.seanet import StreamingEncoder
from lavlive.errors import RunnerError

RUNNERS = ("auto", "torch", "onnx", "cuda")

_log = logging.getLogger(__name__)


def open_encoder(network: Network, info: EncoderInfo, runner: str = "auto", threads: int = 1) -> Encoder:
    """A stream through ``network``.

    Args:
        runner: ``torch``, ``onnx`` or ``cuda``; ``auto`` takes CUDA where there is a device, ONNX Runtime
            where there is none, torch where neither can be used, and logs what it had to do without.
        threads: of the CPU, for ONNX Runtime. torch's are set for the whole process by whoever owns it.

    Raises RunnerError for an unknown runner, and for one asked for by name that cannot be used.
    """
    makers: dict[str, Callable[[], Encoder]] = {
        "cuda": lambda: CudaEncoder(network, info),
        "onnx": lambda: OnnxEncoder(network, info, threads),
        "torch": lambda: StreamingEncoder(network, info),
    }
    if runner in makers:
        return makers[runner]()
    if runner != "auto":
        raise RunnerError(f"no encoder runner {runner!r}: choose {', '.join(RUNNERS)}")
    for name in ("cuda", "onnx"):
        if name == "cuda" and not torch.cuda.is_available():
            continue
        try:
            return makers[name]()
        except RunnerError as error:
            _log.warning("encoder: %s; taking the next best runner", error)
    return makers["torch"]()
