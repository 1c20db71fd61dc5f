"""Pictures by OpenVINO: the fastest way on a CPU."""

from __future__ import annotations

import platform
import threading
from typing import Any

import numpy as np
import openvino as ov
import torch

from lavlive.generator.bends import Bends, at, factors
from lavlive.generator.runners.base import MadeOf, Pixels, WPlus
from lavlive.generator.runners.openvino_bent import BentGraph
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
        self._plan, self._settings = plan, settings
        self._bent: BentGraph | None = None
        self._building: threading.Thread | None = None
        self._threads = threads
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

    def picture_into(self, w_plus: WPlus, noise: float, out: Pixels, bends: Bends = ()) -> None:
        """See ``Runner``."""
        assert self._request is not None, "the runner is closed"
        if bends and not self._fold(bends):
            bent = self._bent_graph()
            if bent is not None:
                if self._threads is not None:
                    torch.set_num_threads(self._threads)
                bent.make(w_plus, noise, bends)
                out[...] = bent.pixels
                return
        if self._made_of.differs(w_plus, noise, bends):
            if not bends:
                self._styles.multiply_none()
            self._styles.update(w_plus)
            self._noise.fill(noise)
            self._request.infer(share_outputs=True)
        out[...] = self._pixels

    def prepare_bends(self) -> None:
        """See ``Runner``."""
        self._bent_graph()
        if self._building is not None:
            self._building.join()

    def _fold(self, bends: Bends) -> bool:
        """Whether the styles do all that the bends do; those of blocks where they do, they do from now on."""
        folded = True
        residual = any(block.shortcut is not None for block in self._plan.blocks)
        for index, block in enumerate(self._plan.blocks):
            here = at(bends, block.resolution)
            found = factors(here, block.resolution, len(block.conv1.bias)) if here and not residual else None
            folded &= found is not None or not here
            self._styles.multiply(index, found)
        return folded

    def _bent_graph(self) -> BentGraph | None:
        """The network in pieces; None while it is being built aside, which the first call begins."""
        if self._bent is None and self._building is None:
            self._building = threading.Thread(target=self._build, name="bends", daemon=True)
            self._building.start()
        return self._bent

    def _build(self) -> None:
        self._bent = BentGraph(self._plan, vector_lanes(), takes_kernels_as_inputs(), self._settings)

    def close(self) -> None:
        """See ``Runner``."""
        self._request = None
