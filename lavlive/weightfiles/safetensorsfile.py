"""Safetensors read without running anything and without believing the header.

Eight bytes with the header's length, the header as JSON, then the numbers. Every shape and offset is checked
against the bytes that are there; tensors stay in the file until they are wanted.
"""

from __future__ import annotations

import json

from lavlive.errors import CheckpointError
from lavlive.weightfiles.arrays import NumberType, Storage, StoredTensor, checked_count, sizes
from lavlive.weightfiles.window import Window

_HEADER_LIMIT = 16 << 20
_TENSORS = 20_000
_KINDS = {
    "F64": "f8", "F32": "f4", "F16": "f2", "BF16": "bfloat16", "BOOL": "b1",
    "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1", "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1",
}  # fmt: skip


def read_header(window: Window) -> dict[str, object]:
    """The header's table. Raises CheckpointError when it is damaged, or names something twice."""
    length = int.from_bytes(window.read(8), "little")
    if length > min(_HEADER_LIMIT, window.remaining):
        raise CheckpointError(
            "a damaged safetensors file: its header is longer than the file or than can be meant"
        )
    try:
        header = json.loads(window.read(length), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise CheckpointError("a damaged safetensors file: its header is not JSON") from error
    return header if isinstance(header, dict) else {}


def read_metadata(header: dict[str, object]) -> dict[str, str]:
    """What the writer put beside the tensors."""
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict):
        return {}
    return {str(name): value for name, value in metadata.items() if isinstance(value, str)}


def read_tensors(window: Window) -> tuple[dict[str, str], dict[str, StoredTensor]]:
    """The metadata and all tensors, unread. Raises CheckpointError for what does not fit together."""
    window = window.part(0, window.length)
    header = read_header(window)
    numbers = window.take(window.remaining)
    tensors = {}
    if len(header) > _TENSORS:
        raise CheckpointError(f"a safetensors file of {len(header)} tensors, which no network has")
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        tensors[name] = _tensor(name, entry, numbers)
    return read_metadata(header), tensors


def _tensor(name: str, entry: object, numbers: Window) -> StoredTensor:
    shown = ascii(name)[:80]
    if not isinstance(entry, dict):
        raise CheckpointError(f"a damaged safetensors file: of {shown} it says nothing")
    kind, shape, offsets = entry.get("dtype"), sizes(entry.get("shape")), sizes(entry.get("data_offsets"))
    if not isinstance(kind, str) or kind not in _KINDS:
        raise CheckpointError(f"{shown} holds numbers of the kind {ascii(kind)[:20]}, which no weights are")
    type_of_number = NumberType(_KINDS[kind])
    count = checked_count(shape)
    if len(offsets) != 2 or offsets[1] - offsets[0] != count * type_of_number.size:
        raise CheckpointError(f"a damaged safetensors file: {shown} has other bytes than its shape asks for")
    storage = Storage(type_of_number, count, numbers.part(offsets[0], offsets[1] - offsets[0]))
    strides = [1]
    for size in shape[:0:-1]:
        strides.append(strides[-1] * size)
    return StoredTensor(storage, 0, shape, tuple(reversed(strides[: len(shape)])))


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table: dict[str, object] = {}
    for name, value in pairs:
        if name in table:
            raise CheckpointError(f"damaged: it holds {ascii(name)[:80]} twice")
        table[name] = value
    return table
