"""Fixed pretrained features from an ONNX file, as a differentiable torch network.

A discriminator on such features converges many times faster than one from scratch (Sauer et al.,
"Projected GANs Converge Faster", 2021). The files come inside packages of the ``train`` extra; nothing of
them is in what training makes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lavlive.errors import TrainingError


@dataclass(frozen=True)
class FeatureSource:
    """Where a feature network comes from, and the tensors in it to tap, fine to coarse."""

    package: str
    file: str
    taps: tuple[str, ...]


SOURCES = {
    "nudenet": FeatureSource(
        "nudenet",
        "320n.onnx",
        (
            "/model.0/act/Mul_output_0",
            "/model.2/cv2/act/Mul_output_0",
            "/model.4/cv2/act/Mul_output_0",
            "/model.6/cv2/act/Mul_output_0",
            "/model.9/cv2/act/Mul_output_0",
        ),
    ),
    "rapidocr": FeatureSource("rapidocr", "models/PP-OCRv6_det_small.onnx", ("Add.65", "Add.121", "Add.143")),
}


def feature_network(name: str) -> FeatureNetwork:
    """The feature network ``nudenet`` or ``rapidocr``. Raises TrainingError when its package is missing."""
    source = SOURCES[name]
    spec = importlib.util.find_spec(source.package)
    if spec is None or not spec.submodule_search_locations:
        raise TrainingError(f"the package {source.package} is missing; try: pip install 'lavlive[train]'")
    path = Path(spec.submodule_search_locations[0]) / source.file
    if not path.is_file():
        raise TrainingError(f"this version of {source.package} has no {source.file}")
    return FeatureNetwork(path, source.taps)


@dataclass(frozen=True)
class Node:
    """One operation of the graph; ``name`` is its name in ONNX."""

    name: str
    operation: Callable[[Sequence[Any], dict[str, Any]], Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


class FeatureNetwork(nn.Module):
    """The part of an ONNX graph that leads to ``taps``: pictures in −1..1 to one tensor per tap.

    Raises TrainingError when the graph has an operation or a tap that is not there.
    """

    def __init__(self, path: Path, taps: Sequence[str]) -> None:
        # Not needed by who reads a network that was packed: see tools/gpu/features.py.
        import onnx
        from onnx import numpy_helper

        super().__init__()
        graph = onnx.load(str(path)).graph
        self.taps = tuple(taps)
        self.input = graph.input[0].name
        needed = set(taps)
        self.nodes: list[Node] = []
        for node in reversed(graph.node):
            if not needed & set(node.output):
                continue
            needed.update(node.input)
            if node.op_type not in _OPERATIONS:
                raise TrainingError(
                    f"{path.name} needs the operation {node.op_type}, which is not known here"
                )
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            self.nodes.insert(0, node_of(node.op_type, node.input, node.output, attributes))
        made = {name for node in self.nodes for name in node.outputs}
        if set(taps) - made:
            raise TrainingError(f"{path.name} has no tensor {sorted(set(taps) - made)[0]}")
        self.constants: dict[str, Tensor] = {}
        for initializer in graph.initializer:
            if initializer.name in needed:
                value = torch.from_numpy(np.array(numpy_helper.to_array(initializer)))
                if value.dim() == 4:
                    value = value.contiguous(memory_format=torch.channels_last)
                self.constants[initializer.name] = value

    def to_device(self, device: torch.device) -> FeatureNetwork:
        """Move the weights; returns itself."""
        self.constants = {name: value.to(device) for name, value in self.constants.items()}
        return self

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """[N, 3, H, W] in −1..1 → one [N, C, h, w] per tap."""
        values: dict[str, Any] = {**self.constants, self.input: (pictures + 1) / 2, "": None}
        for node in self.nodes:
            made = node.operation([values[name] for name in node.inputs], node.attributes)
            if len(node.outputs) == 1:
                values[node.outputs[0]] = made
            else:
                values.update(zip(node.outputs, made, strict=True))
        return [values[name] for name in self.taps]


def node_of(name: str, inputs: Sequence[str], outputs: Sequence[str], attributes: dict[str, Any]) -> Node:
    """An operation by its name in ONNX. Raises KeyError for one that is not known here."""
    return Node(name, _OPERATIONS[name], tuple(inputs), tuple(outputs), attributes)


def _pads(x: Tensor, kernel: Sequence[int], strides: Sequence[int], attributes: dict[str, Any]) -> list[int]:
    """Padding as torch.nn.functional.pad wants it: left, right, top, bottom."""
    if attributes.get("auto_pad") in (b"SAME_UPPER", "SAME_UPPER"):
        result: list[int] = []
        for axis in (1, 0):
            size = x.shape[2 + axis]
            total = max((-(-size // strides[axis]) - 1) * strides[axis] + kernel[axis] - size, 0)
            result += [total // 2, total - total // 2]
        return result
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    return [left, right, top, bottom]


def _conv(inputs: Sequence[Any], attributes: dict[str, Any]) -> Tensor:
    x, weight = inputs[0], inputs[1]
    bias = inputs[2] if len(inputs) > 2 else None
    strides = attributes.get("strides", [1, 1])
    left, right, top, bottom = _pads(x, weight.shape[2:], strides, attributes)
    if left != right or top != bottom:
        x, left, top = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, weight, bias, strides, (top, left), 1, attributes.get("group", 1))


def _max_pool(inputs: Sequence[Any], attributes: dict[str, Any]) -> Tensor:
    kernel, strides = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    x = F.pad(inputs[0], _pads(inputs[0], kernel, strides, attributes), value=-torch.inf)
    return F.max_pool2d(x, kernel, strides)


def _split(inputs: Sequence[Any], attributes: dict[str, Any]) -> tuple[Tensor, ...]:
    sizes = inputs[1].tolist() if len(inputs) > 1 else attributes["split"]
    return torch.split(inputs[0], [int(size) for size in sizes], attributes.get("axis", 0))


def _hard_sigmoid(inputs: Sequence[Any], attributes: dict[str, Any]) -> Tensor:
    y: Tensor = inputs[0] * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5)
    return y.clamp(0, 1)


def _spatial_mean(inputs: Sequence[Any], attributes: dict[str, Any]) -> Tensor:
    mean: Tensor = inputs[0].mean((2, 3), keepdim=True)
    return mean


_OPERATIONS: dict[str, Callable[[Sequence[Any], dict[str, Any]], Any]] = {
    "Conv": _conv,
    "MaxPool": _max_pool,
    "Split": _split,
    "HardSigmoid": _hard_sigmoid,
    "GlobalAveragePool": _spatial_mean,
    "ReduceMean": _spatial_mean,
    "Add": lambda i, a: i[0] + i[1],
    "Mul": lambda i, a: i[0] * i[1],
    "Div": lambda i, a: i[0] / i[1],
    "Erf": lambda i, a: torch.erf(i[0]),
    "Relu": lambda i, a: F.relu(i[0]),
    "Sigmoid": lambda i, a: torch.sigmoid(i[0]),
    "Identity": lambda i, a: i[0],
    "Concat": lambda i, a: torch.cat(list(i), a["axis"]),
}
