"""The training's fixed features in one small file, so that a machine without ONNX can use them.

A packed network is a safetensors file: its weights in half precision, and its operations as JSON in the
header. Nothing in it is run but the operations that `lavlive.training.generator_features` knows by name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from lavlive.errors import TrainingError
from lavlive.generator.checkpoint import write_atomically
from lavlive.training.generator_features import FeatureNetwork, node_of

FORMAT = "lavlive-features-1"


def pack(network: FeatureNetwork, path: Path) -> None:
    """Write a network's part that leads to its taps."""
    nodes = [[n.name, n.inputs, n.outputs, _plain(n.attributes)] for n in network.nodes]
    header = {
        "format": FORMAT,
        "input": network.input,
        "taps": json.dumps(network.taps),
        "nodes": json.dumps(nodes),
    }
    weights = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in network.constants.items()
    }
    write_atomically(path, save(weights, header))


def unpack(path: Path) -> FeatureNetwork:
    """The network of a packed file.

    Raises:
        TrainingError: the file is missing, damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            constants = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header.get("format") != FORMAT:
            raise TrainingError(f"{path} holds no packed features; make them with tools/gpu-train --pack")
        network = FeatureNetwork.__new__(FeatureNetwork)
        nn.Module.__init__(network)
        network.input = str(header["input"])
        network.taps = tuple(json.loads(header["taps"]))
        network.nodes = [node_of(*node) for node in json.loads(header["nodes"])]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path} is damaged or missing: {error}") from error
    network.constants = {name: _placed(value) for name, value in constants.items()}
    return network


def _placed(value: torch.Tensor) -> torch.Tensor:
    value = value.float() if value.is_floating_point() else value
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    """What JSON can hold; ONNX has text as bytes."""
    return {
        key: value.decode()
        if isinstance(value, bytes)
        else list(value)
        if isinstance(value, tuple)
        else value
        for key, value in attributes.items()
    }
