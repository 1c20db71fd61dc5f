"""Files that want to do harm. Each would leave a canary, take all memory or never end, if it were trusted."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from lavlive.generator.network import Generator, GeneratorConfig
from tests.support.foreign_files import (
    EasyDict,
    Persistent,
    evil_source,
    fixture,
    nvidia_module,
    nvidia_pickle,
    rosinality_table,
    tensorflow_pickle,
    their_modules,
    torch_file,
)

GIGABYTE = 1 << 30


class Calls:
    """Pickles as a call of ``function`` with ``arguments``, and a state where one is given."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, state: Any = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


def touch(canary: Path) -> str:
    """A shell's command that leaves the canary."""
    return f"{sys.executable} -c \"open('{canary}', 'w')\""


def short(text: str) -> bytes:
    """Opcode for a short text."""
    return b"\x8c" + bytes([len(text)]) + text.encode()


def named(module: str, name: str) -> bytes:
    """Opcode for a name."""
    return f"c{module}\n{name}\n".encode()


def long_bytes(content: bytes) -> bytes:
    """Opcode for a byte string."""
    return b"B" + struct.pack("<I", len(content)) + content


def nested_storage(content: bytes) -> bytes:
    """A pickle with a tensor's storage, as torch nests it, of ``content``."""
    return b"\x80\x04" + named("torch.storage", "_load_from_bytes") + long_bytes(content) + b"\x85R."


def array_pickle(shape: bytes, kind: bytes, content: bytes) -> bytes:
    """A pickle of one numpy array from the opcodes of its parts."""
    array = (
        named("numpy.core.multiarray", "_reconstruct") + named("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
    )
    return b"\x80\x04" + array + b"(K\x01" + shape + kind + b"\x89" + content + b"tb."


def float_kind(code: str = "f4") -> bytes:
    """Opcodes of a numpy dtype."""
    return named("numpy", "dtype") + short(code) + b"\x89\x88\x87R"


def tensor_on_storage(size: bytes, stride: bytes, count: int = 4) -> bytes:
    """A pickle of one tensor over a nested storage of ``count`` numbers."""
    stored = io.BytesIO()
    torch.save(torch.zeros(count)._typed_storage(), stored, _use_new_zipfile_serialization=False)
    storage = named("torch.storage", "_load_from_bytes") + long_bytes(stored.getvalue()) + b"\x85R"
    rest = named("collections", "OrderedDict") + b")R"
    return (
        b"\x80\x04"
        + named("torch._utils", "_rebuild_tensor_v2")
        + b"("
        + storage
        + b"K\x00"
        + size
        + stride
        + b"\x89"
        + rest
        + b"tR."
    )


def zip_of(entries: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packing) as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return content.getvalue()


def old_tar(canary: Path) -> bytes:
    """torch's oldest container, through which ``weights_only`` could be passed by (CVE-2025-32434)."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("storages", "tensors", "pickle"):
            entry = pickle.dumps(Calls(os.system, touch(canary)))
            info = tarfile.TarInfo(name)
            info.size = len(entry)
            archive.addfile(info, io.BytesIO(entry))
    return content.getvalue()


def laughs(levels: int) -> bytes:
    """Lists that each hold the one before ten times."""
    return b"\x80\x04]\x94" + b"".join(b"]" + b"(" + b"h\x00" * 10 + b"e\x94" for _ in range(levels)) + b"."


def doubling_modules(levels: int) -> bytes:
    """A generator whose modules each hold the one before twice."""
    data = fixture("sg3-resnet-clamp")
    module = Persistent("SynthesisLayer", "", {"_modules": {}})
    for _ in range(levels):
        module = Persistent("SynthesisBlock", "", {"_modules": {"a": module, "b": module}})
    generator = nvidia_module(data, "")
    state: Any = generator.meta["state"]
    state["_modules"]["extra"] = module
    with their_modules():
        return pickle.dumps({"G_ema": generator})


def endless_module() -> bytes:
    """A generator that is its own part."""
    inside = b"}\x940"  # memory 0: the table of its parts
    state = b"(" + short("_modules") + b"h\x00d"
    meta = b"(" + short("type") + short("class") + short("class_name") + short("Generator")
    meta += short("state") + state + b"d"
    module = named("torch_utils.persistence", "_reconstruct_persistent_obj") + meta + b"\x85R\x94"
    return b"\x80\x04" + inside + module + b"h\x00" + short("self") + b"h\x01s0."


def with_weight(value: float) -> bytes:
    """A whole generator with one weight of ``value``."""
    data = fixture("sg3-resnet-clamp")
    data.theirs["synthesis.b8.conv0.weight"].view(-1)[7] = value
    return nvidia_pickle(data)


def safetensors_header(header: bytes, length: int | None = None) -> bytes:
    """A safetensors file of a header only."""
    return struct.pack("<Q", len(header) if length is None else length) + header


def own_file(doubled: str = "", **changes: Any) -> bytes:
    """A generator of lavlive with some tensors changed, or one of them named twice."""
    made = Generator(GeneratorConfig(8, z_dim=4, w_dim=4, mapping_layers=1, channel_base=32))
    metadata = {
        "format": "lavlive-generator-1",
        "config": json.dumps(asdict(made.config)),
        "card": "{}",
    }
    content = save({**made.state_dict(), **changes}, metadata)
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].decode().rstrip()
    if doubled:
        entry = json.dumps(json.loads(header)[doubled])
        header = f'{header[:-1]},"{doubled}":{entry}}}'
    return safetensors_header(header.encode()) + content[8 + length :]


def own_header(**config: Any) -> bytes:
    """A file that says lavlive wrote it, for a generator of ``config``."""
    metadata = {"format": "lavlive-generator-1", "config": json.dumps(config), "card": "{}"}
    return safetensors_header(json.dumps({"__metadata__": metadata}).encode())


def hostile_files(folder: Path) -> dict[str, bytes]:
    """Name to content of every hostile file; none may make ``folder / "canary"`` appear."""
    canary = folder / "canary"
    command = touch(canary)
    python = f"open({str(canary)!r}, 'w')"
    honest = nvidia_pickle(fixture("sg3-resnet-clamp"))
    system = named("os", "system")
    legacy = torch_file(
        folder / "legacy.pt", rosinality_table(fixture("rosinality")), legacy=True
    ).read_bytes()
    packed = torch_file(folder / "packed.pt", rosinality_table(fixture("rosinality"))).read_bytes()
    run = pickle.dumps(Calls(os.system, command))
    eight = struct.pack("<Q", 2 * GIGABYTE)
    with their_modules():
        in_options = pickle.dumps(
            {"training_set_kwargs": EasyDict(path=Calls(os.system, command)), "G_ema": None}
        )
    return {
        # Calls
        "system through REDUCE, protocol 0": pickle.dumps(Calls(os.system, command), protocol=0),
        "system through REDUCE, protocol 4": run,
        "eval": pickle.dumps(Calls(eval, python)),
        "exec": pickle.dumps(Calls(exec, python)),
        "getattr": pickle.dumps(Calls(getattr, "text", "join")),
        "a dotted name": b"\x80\x04" + short("collections") + short("OrderedDict.fromkeys") + b"\x93)R.",
        "a name from the stack that is no text": b"\x80\x04K\x01K\x02\x93.",
        "torch.load": b"\x80\x04" + named("torch.serialization", "load") + short("/etc/passwd") + b"\x85R.",
        "numpy.load": b"\x80\x04" + named("numpy", "load") + short("/etc/passwd") + b"\x85R.",
        "system among the options": in_options,
        "system through NEWOBJ": b"\x80\x04" + system + short("true") + b"\x85\x81.",
        "system through NEWOBJ_EX": b"\x80\x04" + system + short("true") + b"\x85}\x92.",
        "keywords to a table": b"\x80\x04"
        + named("collections", "OrderedDict")
        + b")}"
        + short("a")
        + b"Ks\x92.",
        "system through INST": b"(S'true'\nios\nsystem\n.",
        "system through OBJ": b"(" + system + b"S'true'\no.",
        "an extension's code": b"\x80\x04\x82\x01.",
        "a reconstructed object": pickle.dumps(Calls(os.system, command), protocol=2).replace(
            b"posix\nsystem", b"copyreg\n_reconstructor"
        ),
        "a codec": b"\x80\x04" + named("_codecs", "encode") + short("x") + short("zlib") + b"\x86R.",
        "a call of what a call returned": b"\x80\x04" + named("collections", "OrderedDict") + b")R)R.",
        "a call of a storage's name": b"\x80\x04" + named("torch", "FloatStorage") + b")R.",
        # States
        "__setstate__ of a foreign class": pickle.dumps(Calls(io.BytesIO, state=(b"x", 0, None))),
        "BUILD on a name": b"\x80\x04"
        + named("collections", "OrderedDict")
        + b"}"
        + short("x")
        + b"K\x01sb.",
        "BUILD with slots on a name": b"\x80\x04"
        + named("torch_utils.persistence", "_reconstruct_persistent_obj")
        + b"N}"
        + short("__code__")
        + b"K\x01s\x86b.",
        "BUILD on a list": b"\x80\x04]}" + short("append") + b"K\x01sb.",
        "a network with a list as state": b"\x80\x04"
        + named("dnnlib.tflib.network", "Network")
        + b")\x81]b.",
        "a persistent object of another type": b"\x80\x04"
        + named("torch_utils.persistence", "_reconstruct_persistent_obj")
        + b"}"
        + short("type")
        + short("module")
        + b"s\x85R.",
        # Tensors within
        "system in a nested storage": nested_storage(run.ljust(5000, b"\0")),
        "system in a nested legacy file": nested_storage(legacy[:14] + run.ljust(5000, b"\0")),
        "system in a nested zip": nested_storage(zip_of({"archive/data.pkl": run})),
        "system in a nested tar": nested_storage(old_tar(canary)),
        "system in a zip": zip_of({"archive/data.pkl": run, "archive/version": b"3"}),
        "system in a tar": old_tar(canary),
        "persistent id in a bare pickle": b"\x80\x04" + short("os.system") + b"Q.",
        "persistent id of protocol 0": b"\x80\x02Pos.system\n.",
        "persistent id that is no tensor": zip_of(
            {"archive/data.pkl": b"\x80\x02(" + short("module") + short("os") + b"K\x00K\x00K\x00tQ."}
        ),
        "a storage that is not there": zip_of(
            {
                "archive/data.pkl": b"\x80\x02("
                + short("storage")
                + named("torch", "FloatStorage")
                + short("../../etc/passwd")
                + short("cpu")
                + b"K\x04tQ."
            }
        ),
        "a tensor of 2^80 numbers on 4": tensor_on_storage(
            b"\x8a\x06" + b"\xff" * 5 + b"\x7f" + b"\x8a\x06" + b"\xff" * 5 + b"\x7f\x86", b"K\x00K\x00\x86"
        ),
        "a tensor beyond its storage": tensor_on_storage(b"K\x04\x85", b"K\x09\x85"),
        "a tensor with negative strides": tensor_on_storage(b"K\x04\x85", b"J\xff\xff\xff\xff\x85"),
        "a tensor of negative size": tensor_on_storage(b"J\xff\xff\xff\xff\x85", b"K\x01\x85"),
        # Arrays
        "an array of objects": array_pickle(b"K\x01\x85", float_kind("O8"), b"]K\x01a"),
        "objects as numbers": array_pickle(b"K\x01\x85", float_kind(), b"]K\x01a"),
        "an array of 2 GB in 4 bytes": array_pickle(b"J\0\0\0\x20\x85", float_kind(), b"C\x04abcd"),
        "an array of records": array_pickle(
            b"K\x01\x85",
            float_kind()
            + b"(K\x03"
            + short("<")
            + b"N"
            + short("a")
            + b"\x85}J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"C\x04abcd",
        ),
        "an array without a type": array_pickle(b"K\x01\x85", b"N", b"C\x04abcd"),
        "a dtype of any class": b"\x80\x04" + named("numpy", "dtype") + named("numpy", "ndarray") + b"\x85R.",
        "a number of the wrong length": b"\x80\x04"
        + named("numpy.core.multiarray", "scalar")
        + float_kind()
        + b"C\x01a\x86R.",
        # Lengths, memory and time
        "2 GB of bytes announced": b"\x80\x04\x8e" + eight + b"x.",
        "2 GB of text announced": b"\x80\x04\x8d" + eight + b"x.",
        "2 GB of buffer announced": b"\x80\x05\x96" + eight + b"x.",
        "2^63 bytes announced": b"\x80\x04\x8e" + b"\xff" * 8 + b".",
        "a number of 2 GB": b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
        "a number of negative length": b"\x80\x04\x8b\xff\xff\xff\xff.",
        "a number of a million digits": b"\x80\x02I" + b"9" * 1_000_000 + b"\n.",
        "a frame of 2^60 bytes": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",
        "a billion laughs": laughs(40),
        "modules that double 60 times": doubling_modules(60),
        "a module in itself": endless_module(),
        "a list in itself": b"\x80\x04]\x94h\x00a.",
        "400 000 nested lists": b"\x80\x04" + b"]" * 400_000 + b"a" * 399_999 + b".",
        "half a million nested tuples as a key": b"\x80\x04})" + b"\x85" * 500_000 + b"Ks.",
        "a million steps": b"\x80\x04" + b"N0" * 500_000 + b"N.",
        "a million sets": b"\x80\x04" + b"\x8f" * 1_100_000 + b".",
        "text of 65 MB": b"\x80\x04X" + struct.pack("<I", 65 << 20) + b"x" * (65 << 20) + b".",
        "memory read before it was written": b"\x80\x04h\x07.",
        "memory at the highest index": b"\x80\x04Nr\xff\xff\xff\xff.",
        "a list as a key": b"\x80\x04}]K\x01s.",
        "no object": b"\x80\x04.",
        "a group without an end": b"\x80\x04t.",
        "a packed list of tensors": zip_of({"archive/data.pkl": b"\0" * 50_000_000}, zipfile.ZIP_DEFLATED),
        "a zip of 20 001 files": zip_of({f"archive/{i}": b"" for i in range(20_001)}),
        # Damage
        **{f"cut at {part} of 8": honest[: len(honest) * part // 8] for part in range(1, 8)},
        "a legacy file, cut": legacy[: len(legacy) // 2],
        "a zip, cut": packed[: len(packed) // 2],
        "a zip without its beginning": packed[len(packed) // 2 :],
        "a weight that is not a number": with_weight(float("nan")),
        "an infinite weight": with_weight(float("inf")),
        "weights beyond float32": _rosinality_with(
            folder, torch.full((1, 16, 16, 3, 3), 1e300, dtype=torch.float64)
        ),
        "weights of another shape": _rosinality_with(folder, torch.zeros(1, 16, 15, 3, 3)),
        "weights without numbers": _rosinality_with(folder, torch.zeros(1, 16, 0, 3, 3)),
        "zeros": b"\0" * 100_000,
        "weights of 3e38": _rosinality_with(folder, torch.full((1, 16, 16, 3, 3), 3e38)),
        "weights that are whole": _rosinality_with(folder, torch.ones(1, 16, 16, 3, 3, dtype=torch.int32)),
        "a tensor twice": b"\x80\x04}(" + short("g_ema") + b"N" + short("g_ema") + b"}u.",
        "a zip's entry twice": _doubled_zip(),
        "ours, weights of 3e38": own_file("", **{"mapping.w_mean": torch.full((4,), 3e38)}),
        "ours, weights that are whole": own_file("", **{"mapping.w_mean": torch.ones(4, dtype=torch.int32)}),
        "ours, a tensor twice": own_file(doubled="mapping.w_mean"),
        # safetensors
        "safetensors, header of 2^63 bytes": safetensors_header(b"{" + b" " * 100, 1 << 63),
        "safetensors, header of 2 GB": safetensors_header(b"{" + b" " * 100, 2 * GIGABYTE),
        "safetensors, header nested 100 000 times": safetensors_header(b'{"a":' * 100_000),
        "safetensors, tensors over one another": safetensors_header(
            b'{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}'
        ),
        "ours, of 2^30 pixels": own_header(resolution=1 << 30),
        "ours, of 10^9 layers": own_header(resolution=256, mapping_layers=10**9),
        "ours, 16384 channels": own_header(resolution=4096, channel_max=16384),
        "ours, sizes of text": own_header(resolution="256"),
        "ours, sizes of nothing": own_header(resolution=None),
        "ours, a filter of 10^400": own_header(resolution=256, fir=[10**400] * 4),
        "ours, a rate of 10^400": own_header(resolution=256, mapping_rate=10**400),
        "ours, a clamp of 10^400": own_header(resolution=256, conv_clamp=10**400),
        "ours, no number": own_header(resolution=256, mapping_rate=float("nan")),
    }


def _doubled_zip() -> bytes:
    """A zip with two lists of tensors."""
    content = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w") as archive:
        warnings.simplefilter("ignore")
        for _ in range(2):
            archive.writestr("archive/data.pkl", b"\x80\x04N.")
    return content.getvalue()


def _rosinality_with(folder: Path, weight: torch.Tensor) -> bytes:
    """A rosinality file whose first doubling convolution has ``weight``."""
    data = fixture("rosinality")
    data.theirs["convs.0.conv.weight"] = weight
    return torch_file(folder / "other.pt", rosinality_table(data)).read_bytes()


# These cost seconds or hundreds of megabytes by intent.
HEAVY = (
    "400 000 nested lists",
    "half a million nested tuples as a key",
    "a million sets",
    "text of 65 MB",
    "a zip of 20 001 files",
)


def harmless_files(folder: Path) -> dict[str, bytes]:
    """Whole generators with source text that would leave the canary if anything ran it."""
    source = evil_source(folder / "canary")
    return {
        "NVIDIA": nvidia_pickle(fixture("sg3-resnet-clamp"), source),
        "TensorFlow": tensorflow_pickle(fixture("tensorflow-resnet-classes"), source),
    }
