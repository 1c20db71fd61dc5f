"""Tensors and arrays that stay in the file until they are wanted.

A pickle says of a tensor where its numbers lie and how they are strode; here all of that is checked
against the bytes that are really there before a single one is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lavlive.errors import CheckpointError
from lavlive.weightfiles.machine import Stateful
from lavlive.weightfiles.window import Window

Array = npt.NDArray[np.float32]

_DIMENSIONS = 8
_LARGEST = 512 << 20
_BFLOAT16 = "bfloat16"
# Item sizes by numpy's letters, and the one format that numpy does not have.
_ITEM_SIZES = {
    "f2": 2, "f4": 4, "f8": 8, "i1": 1, "i2": 2, "i4": 4, "i8": 8, "u1": 1, "u2": 2, "u4": 4, "u8": 8,
    "b1": 1, _BFLOAT16: 2,
}  # fmt: skip


class NumberType(Stateful):
    """A numpy dtype from the allow-list: plain numbers, no objects, no records, no text."""

    def __init__(self, code: object) -> None:
        if not isinstance(code, str) or code.lstrip("<>=|") not in _ITEM_SIZES:
            raise CheckpointError(f"holds numbers of the type {ascii(code)[:40]}; refused")
        self.code = code.lstrip("<>=|")
        self.order: Literal["<", ">"] = ">" if code.startswith(">") else "<"

    @property
    def whole(self) -> bool:
        """Whether its numbers have no fractions, as no weights do."""
        return self.code[0] in "iub" and self.code != _BFLOAT16

    @property
    def size(self) -> int:
        """Bytes of one number."""
        return _ITEM_SIZES[self.code]

    def receive(self, state: object) -> None:
        """numpy's state of a dtype: (version, byte order, subtype, names, fields, …)."""
        plain = isinstance(state, tuple) and len(state) >= 5 and state[2:5] == (None, None, None)
        if not plain or not isinstance(state, tuple) or state[1] not in ("<", ">", "|", "="):
            raise CheckpointError("holds an array of records, which no file of weights does; refused")
        self.order = ">" if state[1] == ">" else "<"

    def decode(self, content: bytes) -> Array:
        """A flat float32 array of the numbers in ``content``."""
        if self.code == _BFLOAT16:
            return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
        # A float64 beyond float32's range becomes infinite here and is refused when it is looked at.
        with np.errstate(over="ignore"):
            return np.frombuffer(content, np.dtype(self.code).newbyteorder(self.order)).astype(np.float32)


@dataclass
class Storage:
    """``count`` numbers in the file; where they lie may be learned after the storage itself."""

    kind: NumberType
    count: int
    content: Window | None = None


@dataclass(frozen=True)
class StoredTensor:
    """A view of a storage: torch's offset, sizes and strides, in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        count = checked_count(self.shape)
        if len(self.strides) != len(self.shape) or self.offset < 0 or min(self.strides, default=0) < 0:
            raise CheckpointError("damaged: a tensor's strides do not fit its shape")
        last = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if count and (count > self.storage.count or self.offset + last >= self.storage.count):
            raise CheckpointError(
                f"damaged: a tensor of shape {self.shape} lies on {self.storage.count} numbers"
            )

    @property
    def kind(self) -> NumberType:
        """Of its numbers."""
        return self.storage.kind

    def read(self) -> Array:
        """The numbers, float32, C-contiguous."""
        if not math.prod(self.shape):
            return np.zeros(self.shape, np.float32)
        kind = self.storage.kind
        reach = 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if self.storage.content is None:
            raise CheckpointError("damaged: a tensor's numbers are missing")
        part = self.storage.content.part(self.offset * kind.size, reach * kind.size)
        flat = kind.decode(part.content(_LARGEST))
        strides = tuple(stride * flat.itemsize for stride in self.strides)
        return np.array(np.lib.stride_tricks.as_strided(flat, self.shape, strides), order="C")


class StoredArray(Stateful):
    """A numpy array; empty until its state arrives."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.kind = NumberType("f4")
        self._fortran = False
        self._content: Window | bytes = b""

    @classmethod
    def of(cls, kind: object, shape: object, content: object, fortran: bool) -> StoredArray:
        """An array from its parts. Raises CheckpointError when they do not fit together."""
        array = cls()
        array.receive((1, shape, kind, fortran, content))
        return array

    def receive(self, state: object) -> None:
        """numpy's state of an array: (version, shape, dtype, whether in Fortran's order, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise CheckpointError("damaged: an array's state has not five parts")
        _, shape, kind, fortran, content = state
        if not isinstance(kind, NumberType):
            raise CheckpointError("damaged: an array without a type of numbers; refused")
        if isinstance(content, list):
            raise CheckpointError("holds an array of Python objects, which no file of weights does; refused")
        if not isinstance(content, Window | bytes):
            raise CheckpointError("damaged: an array without bytes")
        shape = sizes(shape)
        length = len(content) if isinstance(content, bytes) else content.length
        if checked_count(shape) * kind.size != length:
            raise CheckpointError(f"damaged: an array of shape {shape} has {length} bytes")
        self.shape, self.kind, self._fortran, self._content = shape, kind, bool(fortran), content

    def read(self) -> Array:
        """The numbers, float32, C-contiguous."""
        content = self._content if isinstance(self._content, bytes) else self._content.content(_LARGEST)
        flat = self.kind.decode(content)
        if self._fortran:
            return np.array(flat.reshape(self.shape[::-1]).T, order="C")
        return flat.reshape(self.shape)


Stored = StoredTensor | StoredArray


def sizes(value: object) -> tuple[int, ...]:
    """``value`` as a shape or strides. Raises CheckpointError for anything but a few whole numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if not isinstance(value, tuple | list) or len(value) > _DIMENSIONS:
        raise CheckpointError("damaged: a shape that is none")
    if not all(isinstance(size, int) and not isinstance(size, bool) for size in value):
        raise CheckpointError("damaged: a shape that is none")
    return tuple(value)


def checked_count(shape: tuple[int, ...]) -> int:
    """How many numbers an array of ``shape`` holds. Raises CheckpointError for a negative size."""
    if min(shape, default=0) < 0:
        raise CheckpointError(f"damaged: an array of shape {shape}")
    return math.prod(shape)
