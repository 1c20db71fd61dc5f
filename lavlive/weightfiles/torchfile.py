"""The two containers that ``torch.save`` writes, read without torch.

The zip (torch 1.6 and newer) has a pickle, ``data.pkl``, and one uncompressed entry for each storage. The
older layout has five pickles one after the other (a magic number, a version, the writer's machine, the
object, the order of the storages) and then each storage: its count, int64, and its numbers. NVIDIA's
pickles hold one such file inside themselves for every tensor.

Why not ``torch.load(weights_only=True)``: before torch 2.6 it could be made to run code
(CVE-2025-32434), and it reads every storage, of which a training snapshot has ten times what we need.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from lavlive.errors import CheckpointError
from lavlive.weightfiles.arrays import NumberType, Storage
from lavlive.weightfiles.machine import Budget, Machine, Make, Name
from lavlive.weightfiles.names import KNOWN, STORAGES
from lavlive.weightfiles.window import Window

LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_LEGACY_VERSION = 1001
_LOCAL_HEADER = 30
_ENTRIES = 20_000
_PICKLE = 256 << 20


def read_pickle(window: Window, budget: Budget) -> object:
    """The object in a bare pickle, as NVIDIA's codebases write it; tensors are files within the file."""

    def nested(arguments: tuple[object, ...]) -> object:
        content = arguments[0] if len(arguments) == 1 else None
        if isinstance(content, bytes):
            content = Window.whole(io.BytesIO(content))
        if not isinstance(content, Window):
            raise CheckpointError("damaged: a tensor's storage without bytes")
        storage = read_legacy(content, budget)
        if not isinstance(storage, Storage):
            raise CheckpointError("damaged: a tensor's storage holds something else")
        return storage

    known: dict[tuple[str, str], Make | None] = {**KNOWN, ("torch.storage", "_load_from_bytes"): nested}
    return Machine(window, known, budget=budget).load()


def read_legacy(window: Window, budget: Budget) -> object:
    """The object in a file of ``torch.save`` before version 1.6."""
    storages: dict[str, Storage] = {}

    def storage(identifier: object) -> Storage:
        # Where the numbers lie is known once all pickles are read.
        key, kind, count = _storage_identifier(identifier)
        return _same(storages.setdefault(key, Storage(kind, count)), kind, count)

    def plain() -> object:
        return Machine(window, {}, budget=budget).load()

    if window.read(len(LEGACY_MAGIC)) != LEGACY_MAGIC:
        raise CheckpointError("damaged: a tensor's storage does not begin like one")
    if plain() != _LEGACY_VERSION:
        raise CheckpointError("is a torch file of an unknown version")
    machine = plain()
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise CheckpointError("was written on a big-endian computer, which lavlive does not read")
    found = Machine(window, KNOWN, storage, budget).load()
    order = plain()
    if not isinstance(order, list) or len(order) != len(storages):
        raise CheckpointError("damaged: the list of storages does not fit the object")
    for key in order:
        placed = storages.get(key) if isinstance(key, str) else None
        if placed is None or int.from_bytes(window.read(8), "little") != placed.count:
            raise CheckpointError("damaged: a storage has another length than announced")
        placed.content = window.take(placed.count * placed.kind.size)
    return found


def read_zip(window: Window, budget: Budget) -> object:
    """The object in a file of ``torch.save`` since version 1.6."""
    entries = list_zip(window)
    names = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(names) != 1:
        raise CheckpointError("is a zip archive, but not one that torch wrote; unpack it first")
    folder = names[0][: -len("data.pkl")]
    order = entries.get(f"{folder}byteorder")
    if order is not None and order.content(16).strip() != b"little":
        raise CheckpointError("was written on a big-endian computer, which lavlive does not read")
    storages: dict[str, Storage] = {}

    def storage(identifier: object) -> Storage:
        key, kind, count = _storage_identifier(identifier)
        if key not in storages:
            entry = entries.get(f"{folder}data/{key}")
            if entry is None or entry.length != count * kind.size:
                raise CheckpointError(f"damaged: storage {ascii(key)[:40]} is missing or of another length")
            storages[key] = Storage(kind, count, entry)
        return _same(storages[key], kind, count)

    if entries[names[0]].length > _PICKLE:
        raise CheckpointError("damaged: its list of tensors is larger than any network's")
    return Machine(entries[names[0]], KNOWN, storage, budget).load()


def list_zip(window: Window) -> Mapping[str, Window]:
    """The uncompressed entries of a zip archive, in the file, unread."""
    try:
        with zipfile.ZipFile(window.file) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(f"is a damaged or unfinished zip archive: {ascii(str(error))[:80]}") from error
    if len(listed) > _ENTRIES:
        raise CheckpointError(f"is a zip archive of {len(listed)} files, which is no file of weights")
    entries = {}
    for entry in listed:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            continue  # torch writes its entries plain; what is packed cannot be meant
        if entry.filename in entries:
            raise CheckpointError(f"damaged: it holds {ascii(entry.filename)[:80]} twice")
        header = window.part(entry.header_offset, _LOCAL_HEADER).content(_LOCAL_HEADER)
        start = (
            _LOCAL_HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        )
        entries[entry.filename] = window.part(entry.header_offset + start, entry.file_size)
    return entries


def _same(storage: Storage, kind: NumberType, count: int) -> Storage:
    if storage.kind.code != kind.code or storage.count != count:
        raise CheckpointError("damaged: one storage has two lengths")
    return storage


def _storage_identifier(identifier: object) -> tuple[str, NumberType, int]:
    """("storage", kind, key, place, count, …) → key, kind, count."""
    if not isinstance(identifier, tuple) or len(identifier) < 5 or identifier[0] != "storage":
        raise CheckpointError("refers to something outside itself that is no tensor; refused")
    kind, key, count = identifier[1], identifier[2], identifier[4]
    if not isinstance(kind, Name) or kind.module != "torch" or kind.name not in STORAGES:
        raise CheckpointError("refers to a storage of an unknown kind; refused")
    if not isinstance(key, str) or type(count) is not int or count < 0:
        raise CheckpointError("damaged: a storage without a name or a length")
    if len(identifier) > 5 and identifier[5] is not None:
        raise CheckpointError("holds views of storages, as torch wrote them before 0.4; save it anew")
    return key, NumberType(STORAGES[kind.name]), count
