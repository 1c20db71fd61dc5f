"""What a capable user would do without us: the textbook generator, exported once, run by a fast library.

On a CPU torch's ONNX exporter, then OpenVINO or ONNX Runtime, with all the threads that torch has and in
float32; on an NVIDIA GPU torch's compiler in half precision. The weights are those of the network; the
modulated ones are made inside the graph for every picture, as published.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lavlive.bench.baselines import Textbook
from lavlive.generator.network import Generator, SynthesisNetwork

Make = Callable[[np.ndarray], np.ndarray]
"""w+ float32 [L, w_dim] to a picture, uint8 [H, W, 3]."""
_OPSET = 17


@dataclass
class Exported:
    """The baselines that could be had, by name, and why others could not."""

    makers: dict[str, Make] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)


class _Graph(nn.Module):
    """The textbook as the exporter wants it."""

    def __init__(self, synthesis: SynthesisNetwork) -> None:
        super().__init__()
        self.synthesis = synthesis
        self._textbook = Textbook(synthesis)

    def forward(self, w_plus: Tensor) -> Tensor:
        """w+ [1, L, w_dim] → uint8 [1, H, W, 3]."""
        return self._textbook.forward(w_plus)


def export(synthesis: SynthesisNetwork, num_ws: int, w_dim: int) -> bytes:
    """The textbook for one picture as an ONNX model, by torch's own exporter."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that needs no other package warns of its age
        torch.onnx.export(
            _Graph(synthesis).eval(),
            (torch.zeros(1, num_ws, w_dim),),
            buffer,  # type: ignore[arg-type]  # what this exporter takes, too
            input_names=["w_plus"],
            output_names=["pixels"],
            opset_version=_OPSET,
            dynamo=False,
        )
    return buffer.getvalue()


def exported_baselines(generator: Generator, threads: int | None = None) -> Exported:
    """Every one that this machine can run; what fails is named, so that nothing is left out in silence."""
    found = Exported()
    count = threads or os.cpu_count() or 1
    try:
        model = export(generator.synthesis, generator.num_ws, generator.config.w_dim)
    except Exception as failure:  # whatever an exporter raises for a network that it does not take
        found.lacking["export"] = _first_line(failure)
    else:
        for name, opened in (("OpenVINO", _openvino), ("ONNX Runtime", _onnx_runtime)):
            try:
                made = opened(model, count)
                made(np.zeros((generator.num_ws, generator.config.w_dim), np.float32))
            except Exception as failure:  # likewise
                found.lacking[name] = _first_line(failure)
            else:
                found.makers[f"textbook exported, {name}"] = made
    if torch.cuda.is_available():
        try:
            found.makers["textbook, torch.compile"] = _compiled(generator)
        except Exception as failure:  # likewise
            found.lacking["torch.compile"] = _first_line(failure)
    return found


def _openvino(model: bytes, threads: int) -> Make:
    import openvino

    core: Any = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(core.read_model(model), "CPU", settings).create_infer_request()

    def make(w_plus: np.ndarray) -> np.ndarray:
        pixels: np.ndarray = request.infer([w_plus[None]])[0][0]
        return pixels

    return make


def _onnx_runtime(model: bytes, threads: int) -> Make:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])

    def make(w_plus: np.ndarray) -> np.ndarray:
        pixels: np.ndarray = session.run(None, {"w_plus": w_plus[None]})[0][0]
        return pixels

    return make


def _compiled(generator: Generator) -> Make:
    """In half precision on the GPU, with torch's own CUDA graphs. Never run on a GPU by us."""
    there = Generator(generator.config)
    there.load_state_dict(generator.state_dict())
    there.freeze().half().to("cuda")
    picture = torch.compile(Textbook(there.synthesis).forward, mode="reduce-overhead")

    def make(w_plus: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            pixels: Tensor = picture(torch.from_numpy(w_plus)[None].to("cuda", torch.float16))
        made: np.ndarray = pixels[0].cpu().numpy()
        return made

    make(np.zeros((generator.num_ws, generator.config.w_dim), np.float32))
    return make


def _first_line(failure: Exception) -> str:
    lines = str(failure).strip().splitlines()
    return f"{type(failure).__name__}: {lines[0][:200] if lines else 'no reason given'}"
