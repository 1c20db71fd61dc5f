"""Of which kind a failure is, told from its type and its number, never from its words."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator

import torch

from lavlive.errors import LavliveError, ModelDoesNotFitError, SourceError
from lavlive.link.messages import Failing, FailureKind

_CUDA_MEMORY_ALLOCATION = 2
"""cudaErrorMemoryAllocation; 700, an illegal memory access, is another matter."""
_OUT_OF_MEMORY: tuple[type[BaseException], ...] = (MemoryError, torch.cuda.OutOfMemoryError)


def kind_of(failure: BaseException) -> FailureKind:
    """The kind of a failure, or of what it was raised from."""
    for error in _chain(failure):
        if isinstance(error, ModelDoesNotFitError):
            return FailureKind.MODEL_DOES_NOT_FIT
        if _is_out_of_memory(error):
            return FailureKind.OUT_OF_MEMORY
        if isinstance(error, SourceError):
            return FailureKind.DEVICE_AWAY
    return FailureKind.UNUSABLE if isinstance(failure, LavliveError) else FailureKind.WORKER_FAILED


def account(failure: BaseException) -> Failing:
    """What the stage is told of a failure that ends the engine."""
    trace = "".join(traceback.format_exception(failure))
    return Failing(kind_of(failure), f"{type(failure).__name__}: {failure}", trace)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, _OUT_OF_MEMORY):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # torch.AcceleratorError carries CUDA's number, where torch is new enough to have it.
    return getattr(error, "error_code", None) == _CUDA_MEMORY_ALLOCATION


def _chain(failure: BaseException) -> Iterator[BaseException]:
    error: BaseException | None = failure
    while error is not None:
        yield error
        error = error.__cause__
