"""The exact dictionary of what a pickle may name, and the placeholders that stand in for it.

A class that codebases put into their files becomes a table, a module without behaviour, a
tensor that stays in the file, or a plain value. There is no entry that imports, opens, evaluates or calls
anything. What is not listed here is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lavlive.errors import CheckpointError
from lavlive.weightfiles.arrays import NumberType, Storage, StoredArray, StoredTensor, sizes
from lavlive.weightfiles.machine import Make, Name, Stateful
from lavlive.weightfiles.window import Window

Arguments = tuple[object, ...]


@dataclass
class ModuleState(Stateful):
    """A network's module: the name of its class and its attributes, without behaviour or source text."""

    class_name: str
    attributes: dict[object, object] = field(default_factory=dict)

    def receive(self, state: object) -> None:
        """Keep the attributes."""
        if not isinstance(state, dict):
            raise CheckpointError(f"damaged: {ascii(self.class_name)[:60]} without attributes")
        self.attributes = state

    def children(self, kind: str) -> dict[object, object]:
        """``_modules``, ``_parameters`` or ``_buffers``."""
        found = self.attributes.get(kind)
        return found if isinstance(found, dict) else {}


@dataclass
class TensorflowNetwork(Stateful):
    """A network of dnnlib for TensorFlow: its state without its source text."""

    state: dict[object, object] = field(default_factory=dict)

    def receive(self, state: object) -> None:
        """Keep the state, drop the source text."""
        if not isinstance(state, dict):
            raise CheckpointError("damaged: a network without a state")
        self.state = {key: value for key, value in state.items() if key != "build_module_src"}


class Leftover(Stateful):
    """Something that training wrote beside the networks, of no use here."""

    def receive(self, state: object) -> None:
        """Nothing is kept."""


def _persistent_object(arguments: Arguments) -> ModuleState:
    meta = arguments[0] if arguments else None
    if not isinstance(meta, dict) or meta.get("type") != "class":
        raise CheckpointError("damaged: a persistent object that is no class")
    name, state = meta.get("class_name"), meta.get("state")
    if not isinstance(name, str):
        raise CheckpointError("damaged: a persistent object without a name")
    module = ModuleState(name)
    module.receive(state)
    return module


def _table(arguments: Arguments) -> dict[object, object]:
    if not arguments:
        return {}
    pairs = arguments[0]
    if isinstance(pairs, dict):
        return dict(pairs)
    if isinstance(pairs, list) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        table: dict[object, object] = {}
        for key, value in pairs:
            if not isinstance(key, str | int):
                raise CheckpointError("damaged: a table's key is neither text nor a number")
            if key in table:
                raise CheckpointError(f"damaged: it holds {ascii(key)[:80]} twice")
            table[key] = value
        return table
    raise CheckpointError("damaged: a table that is none")


def _copied(arguments: Arguments) -> object:
    """copyreg._reconstructor(class, base, state): how the old protocols write a table."""
    if len(arguments) == 3 and isinstance(arguments[0], Name) and arguments[0].name.endswith("Dict"):
        return _table(arguments[2:] if arguments[2] is not None else ())
    raise CheckpointError("copies an object that is no table; refused, and nothing was run")


def _tensor(arguments: Arguments) -> StoredTensor:
    """torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …)."""
    if len(arguments) < 4 or not isinstance(arguments[0], Storage) or type(arguments[1]) is not int:
        raise CheckpointError("damaged: a tensor without its numbers")
    return StoredTensor(arguments[0], arguments[1], sizes(arguments[2]), sizes(arguments[3]))


def _parameter(arguments: Arguments) -> StoredTensor:
    if not arguments or not isinstance(arguments[0], StoredTensor):
        raise CheckpointError("damaged: a parameter without its tensor")
    return arguments[0]


def _empty_array(_: Arguments) -> StoredArray:
    return StoredArray()


def _array_from_buffer(arguments: Arguments) -> StoredArray:
    """numpy.core.numeric._frombuffer(bytes, dtype, shape, order)."""
    if len(arguments) != 4:
        raise CheckpointError("damaged: an array without its parts")
    content, kind, shape, order = arguments
    return StoredArray.of(kind, shape, content, order == "F")


def _number_type(arguments: Arguments) -> NumberType:
    return NumberType(arguments[0] if arguments else None)


def _scalar(arguments: Arguments) -> float:
    if len(arguments) != 2 or not isinstance(arguments[0], NumberType) or not isinstance(arguments[1], bytes):
        raise CheckpointError("damaged: a number without its bytes")
    if len(arguments[1]) != arguments[0].size:
        raise CheckpointError("damaged: a number of the wrong length")
    return float(arguments[0].decode(arguments[1])[0])


def _encode(arguments: Arguments) -> bytes:
    """_codecs.encode(text, "latin1"): how protocol 2 writes bytes."""
    if len(arguments) != 2 or not isinstance(arguments[0], str) or arguments[1] not in ("latin1", "latin-1"):
        raise CheckpointError("converts text in a way that no file of weights does; refused")
    return arguments[0].encode("latin-1")


def _bytes(arguments: Arguments) -> bytes:
    if not arguments:
        return b""
    if isinstance(arguments[0], str):
        return _encode(arguments)
    raise CheckpointError("damaged: bytes that are none")


def _bytearray(arguments: Arguments) -> bytes | Window:
    if arguments and isinstance(arguments[0], bytes | Window):
        return arguments[0]
    return _bytes(arguments)


def _set(arguments: Arguments) -> list[object]:
    return list(arguments[0]) if arguments and isinstance(arguments[0], list) else []


def _shape(arguments: Arguments) -> tuple[int, ...]:
    return sizes(arguments[0]) if arguments else ()


def _text(arguments: Arguments) -> str:
    parts = [part for part in arguments if isinstance(part, str)]
    return "/".join(parts)[:4096]


def _leftover(_: Arguments) -> Leftover:
    return Leftover()


# torch's storages, by the letters of their numbers.
STORAGES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "b1",
}

KNOWN: dict[tuple[str, str], Make | None] = {
    # Tables
    ("collections", "OrderedDict"): _table,
    ("dnnlib.util", "EasyDict"): _table,
    ("dnnlib", "EasyDict"): _table,
    ("builtins", "dict"): _table,
    ("__builtin__", "dict"): _table,
    ("copyreg", "_reconstructor"): _copied,
    ("copy_reg", "_reconstructor"): _copied,
    # Networks
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent_object,
    ("dnnlib.tflib.network", "Network"): lambda _: TensorflowNetwork(),
    # Tensors
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", name): None for name in STORAGES},
    ("torch", "Size"): _shape,
    ("torch", "device"): _text,
    **{("torch", name): None for name in ("float16", "float32", "float64", "int64", "uint8", "bool")},
    # Arrays, under numpy's old and new module names
    **{
        (f"numpy.{core}.{module}", name): make
        for core in ("core", "_core")
        for module, name, make in (
            ("multiarray", "_reconstruct", _empty_array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _array_from_buffer),
        )
    },
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _number_type,
    # Plain values
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _bytes,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytearray"): _bytearray,
    ("__builtin__", "bytearray"): _bytearray,
    ("builtins", "set"): _set,
    ("__builtin__", "set"): _set,
    ("builtins", "object"): None,
    ("__builtin__", "object"): None,
    # What training scripts leave beside the networks
    ("argparse", "Namespace"): _leftover,
    ("pathlib", "PosixPath"): _text,
    ("pathlib", "WindowsPath"): _text,
    ("pathlib._local", "PosixPath"): _text,
    ("pathlib._local", "WindowsPath"): _text,
}
