"""Writes files as other codebases write them, with torch's and Python's own picklers and no code of theirs.

The tables of tensors in ``fixtures/readers`` come from those codebases, and so do the pictures beside them.
"""

from __future__ import annotations

import json
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

FIXTURES = Path(__file__).parent.parent / "fixtures" / "readers"


@dataclass
class Fixture:
    """A reference's tensors under its own names, its settings, and what it made of z and w+."""

    theirs: dict[str, Tensor]
    settings: dict[str, Any]
    made: dict[str, Tensor]


def fixture(name: str) -> Fixture:
    """The fixture ``name``."""
    with safe_open(FIXTURES / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        settings = json.loads(file.metadata()["settings"])
    theirs = {key[7:]: tensor for key, tensor in tensors.items() if key.startswith("theirs/")}
    made = {key: tensor for key, tensor in tensors.items() if not key.startswith("theirs/")}
    return Fixture(theirs, settings, made)


def evil_source(canary: Path) -> str:
    """Source text that leaves a mark when it is run."""
    return f"open({str(canary)!r}, 'w').close()\n"


class Persistent:
    """Pickles as a persistent object does: a function's name, and a table with source text and state."""

    def __init__(self, class_name: str, source: str, state: dict[str, Any]) -> None:
        self.meta = {
            "type": "class",
            "version": 6,
            "module_src": source,
            "class_name": class_name,
            "state": state,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,), None


class Network:
    """Pickles as dnnlib's network for TensorFlow does."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __getstate__(self) -> dict[str, Any]:
        return self.state


class EasyDict(dict[str, Any]):
    """A table with a class of its own."""


def _reconstruct_persistent_obj(meta: object) -> None:
    raise AssertionError("a test's pickle is written, never loaded by Python")


@contextmanager
def their_modules() -> Iterator[None]:
    """While open, Python's pickler finds our stand-ins under their names."""
    modules: dict[str, dict[str, Any]] = {
        "torch_utils": {},
        "dnnlib": {},
        "dnnlib.tflib": {},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
        "dnnlib.tflib.network": {"Network": Network},
        "dnnlib.util": {"EasyDict": EasyDict},
    }
    for name, entries in modules.items():
        module = types.ModuleType(name)
        for key, value in entries.items():
            setattr(module, key, value)
            value.__module__ = name
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


def _attribute(value: Any) -> Any:
    """A module's attribute; what their code keeps as numpy's own is written as a table of one entry."""
    if isinstance(value, dict) and len(value) == 1:
        ((kind, content),) = value.items()
        makers: dict[str, Any] = {"array": np.array, "number": np.float64, "truth": np.bool_}
        return makers[kind](content)
    return value


def nvidia_module(data: Fixture, source: str, prefix: str = "") -> Persistent:
    """The module called ``prefix`` and all in it, as stylegan2-ada-pytorch pickles them."""
    settings = {name: _attribute(value) for name, value in data.settings["modules"][prefix].items()}
    class_name = settings.pop("class_name")
    start = f"{prefix}." if prefix else ""
    own = {name[len(start) :]: t for name, t in data.theirs.items() if name.startswith(start)}
    buffers = {name[len(start) :] for name in data.settings["buffers"] if name.startswith(start)}
    children = [
        name[len(start) :]
        for name in data.settings["modules"]
        if name.startswith(start) and name and "." not in name[len(start) :]
    ]
    state: dict[str, Any] = {
        "training": False,
        "_parameters": {
            name: nn.Parameter(tensor, requires_grad=False)
            for name, tensor in own.items()
            if "." not in name and name not in buffers
        },
        "_buffers": OrderedDict((name, own.get(name)) for name in sorted(buffers) if "." not in name),
        "_modules": OrderedDict((name, nvidia_module(data, source, start + name)) for name in children),
        "_forward_hooks": OrderedDict(),
        "_non_persistent_buffers_set": set(),
        "_init_args": (),
        "_init_kwargs": {"img_resolution": 32},
        **settings,
    }
    return Persistent(class_name, source, state)


def nvidia_pickle(data: Fixture, source: str = "", protocol: int = 4) -> bytes:
    """A training snapshot: options, G, D and G_ema."""
    generator = nvidia_module(data, source)
    discriminator = Persistent("Discriminator", source, {"_parameters": {}, "_modules": {}})
    with their_modules():
        snapshot = {
            "training_set_kwargs": EasyDict(path="/data/faces.zip", resolution=32),
            "G": generator,
            "D": discriminator,
            "G_ema": generator,
            "augment_pipe": None,
        }
        return pickle.dumps(snapshot, protocol=protocol)


def tensorflow_pickle(data: Fixture, source: str = "", protocol: int = 4) -> bytes:
    """(G, D, Gs) of the TensorFlow codebases; numbers of one value are numpy scalars there."""
    parts: dict[str, list[tuple[str, Any]]] = {"": [], "mapping": [], "synthesis": []}
    for name, tensor in data.theirs.items():
        folder, _, rest = name.partition("/")
        value = tensor.numpy() if tensor.ndim else np.float32(tensor)
        if name.endswith("/weight"):
            value = np.asfortranarray(value)
        if folder in parts and rest:
            parts[folder].append((rest, value))
        else:
            parts[""].append((name, value))

    def network(name: str, variables: list[tuple[str, Any]], components: dict[str, Network]) -> Network:
        return Network(
            {
                "version": 4,
                "name": name,
                "static_kwargs": data.settings["static_kwargs"],
                "components": components,
                "build_module_src": source,
                "build_func_name": name,
                "variables": variables,
            }
        )

    with their_modules():
        inside = {name: network(f"G_{name}", parts[name], {}) for name in ("mapping", "synthesis")}
        average = network("G_main", parts[""], inside)
        judge = network("D_stylegan2", [("Output/weight", np.zeros((4, 1), np.float32))], {})
        return pickle.dumps((average, judge, average), protocol=protocol)


def rosinality_table(data: Fixture, mean: bool = True) -> dict[str, Any]:
    """What rosinality's training keeps, and the mean of w where asked for."""
    state = OrderedDict((name, t) for name, t in data.theirs.items() if name != "latent_avg")
    table: dict[str, Any] = {"g": state, "d": {}, "g_ema": state, "ada_aug_p": 0.1}
    if mean:
        table["latent_avg"] = data.theirs["latent_avg"]
    return table


def torch_file(path: Path, content: object, legacy: bool = False) -> Path:
    """``content`` as ``torch.save`` writes it now, or wrote it before version 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path
