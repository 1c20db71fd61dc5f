"""Pictures by OpenVINO: the fastest way on a CPU."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import openvino as ov
import torch

from lavlive.generator.runners.base import MadeOf, Pixels, WPlus
from lavlive.generator.runners.openvino_graph import build_graph
from lavlive.generator.runners.plan import Plan
from lavlive.generator.runners.styles import Styles


def vector_lanes() -> int:
    """Float32 numbers in a vector of this processor where cells were found to pay, else 1."""
    return 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 1


def takes_kernels_as_inputs() -> bool:
    """Whether convolutions are as fast with kernels that change: on x86; elsewhere it was not tried."""
    return platform.machine().lower() in ("x86_64", "amd64")


class OpenvinoRunner:
    """Pictures in float32 with every weight constant and all buffers made once.

    Args:
        threads: how many each picture may use; None for all cores.
    """

    name = "openvino"

    def __init__(self, plan: Plan, threads: int | None = None) -> None:
        self.height, self.width = plan.height, plan.width
        self.num_ws, self.w_dim = plan.num_ws, plan.w_dim
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            # Pinned threads could not make way for the encoder.
            "ENABLE_CPU_PINNING": False,
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._styles = Styles(plan)
        graph = build_graph(plan, self._styles, vector_lanes(), takes_kernels_as_inputs())
        compiled = ov.Core().compile_model(graph.model, "CPU", settings)
        self._request: Any = compiled.create_infer_request()
        self._noise = graph.inputs[0]
        self._pixels = np.zeros((plan.height, plan.width, 3), np.uint8)
        self._made_of = MadeOf()
        for index, values in enumerate(graph.inputs):
            self._request.set_input_tensor(index, ov.Tensor(values, shared_memory=True))
        self._request.set_output_tensor(0, ov.Tensor(self._pixels, shared_memory=True))

    def picture_into(self, w_plus: WPlus, noise: float, out: Pixels) -> None:
        """See ``Runner``."""
        assert self._request is not None, "the runner is closed"
        if self._made_of.differs(w_plus, noise):
            self._styles.update(w_plus)
            self._noise.fill(noise)
            self._request.infer(share_outputs=True)
        out[...] = self._pixels

    def close(self) -> None:
        """See ``Runner``."""
        self._request = None
