"""Shared memory that the GPU writes into itself.

Pictures cross from the engine to the stage through shared memory. Pages that the driver has pinned can be
the target of the GPU's own copy, so a picture needs no buffer in between and no copy by a processor.

Never run on a GPU by us.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def pinned(memory: Sequence[np.ndarray]) -> Iterator[bool]:
    """Pin arrays' pages as long as the block lasts; False where one cannot be, which only costs speed.

    The arrays' own memory is pinned, whoever else maps it; it is given back before it is unmapped.
    """
    if not torch.cuda.is_available():
        yield False
        return
    runtime = torch.cuda.cudart()
    places = [(array.ctypes.data, array.nbytes) for array in memory]
    done = [address for address, size in places if int(runtime.cudaHostRegister(address, size, 0)) == 0]
    try:
        yield len(done) == len(places)
    finally:
        if done:
            torch.cuda.synchronize()
        for address in done:
            runtime.cudaHostUnregister(address)


def is_pinned(memory: np.ndarray) -> bool:
    """Whether the GPU can write into an array itself, to its last byte: a slot may be pinned in part."""
    if not torch.cuda.is_available():
        return False
    ends = memory.reshape(-1)[:1], memory.reshape(-1)[-1:]
    return all(torch.from_numpy(end).is_pinned() for end in ends)
