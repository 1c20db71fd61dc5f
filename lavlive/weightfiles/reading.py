"""Foreign files from outside: what can be told before they are read, and the process that reads them."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lavlive.errors import CheckpointError
from lavlive.weightfiles.containers import container
from lavlive.weightfiles.window import Window

_POLL = 0.05
# A training snapshot of 1024² with its optimisers has about 1 GB.
_LARGEST_FILE = 4 << 30
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What reading one file may cost.

    ``memory``: bytes of the reading process. ``processor_seconds``: its time, of which an honest file of
    350 MB takes one. ``seconds``: on the clock, generous, since a show may be running beside it. A long
    file gets more of both, at ``bytes_per_second``.
    """

    memory: int = 1800 << 20
    processor_seconds: float = 8.0
    seconds: float = 30.0
    bytes_per_second: float = 20e6


def check_file(path: Path) -> None:
    """Raise CheckpointError unless ``path`` is a file of a size and kind that can hold weights."""
    try:
        found = path.stat()
        mode, size = found.st_mode, found.st_size
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    if stat.S_ISDIR(mode):
        raise CheckpointError(f"{path} is a folder; name the file in it")
    if not stat.S_ISREG(mode):
        raise CheckpointError(f"{path} is a device or a pipe, not a file")
    if size > _LARGEST_FILE:
        raise CheckpointError(
            f"{path} has {size / 1e9:,.0f} GB; no file of weights has more than {_LARGEST_FILE / 1e9:.0f} GB"
        )
    # Before anything long is done with it, such as its checksum: what says it is something else is that.
    try:
        with open(path, "rb") as file:
            container(Window.whole(file))
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hex. Raises CheckpointError."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error


def read_in_child(module: str, path: Path, weights: Path, limits: Limits) -> dict[str, Any]:
    """Run ``module`` on ``path`` in a process of its own under ``limits``; its answer.

    The weights go to ``weights``, a safetensors file. Raises CheckpointError with what the reader says.
    """
    more = path.stat().st_size / limits.bytes_per_second
    request = {
        "file": str(path.resolve()),
        "output": str(weights),
        "memory": limits.memory,
        "seconds": math.ceil(limits.processor_seconds + more),
    }
    # -P: a file that lies beside the model and is called numpy.py is not imported.
    command = [sys.executable, "-P", "-m", module]
    package = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    try:
        output, complaint = _watch(process, request, time.perf_counter() + limits.seconds + more)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    try:
        answer = json.loads(output)
    except ValueError:
        _log.debug("the reader ended with %s: %s", process.returncode, complaint.decode(errors="replace"))
        raise CheckpointError(
            "damaged or hostile: the process that read it was ended, it took more time or memory than any "
            f"file of its kind takes (status {process.returncode}); nothing of the file was run"
        ) from None
    if "error" in answer:
        raise CheckpointError(answer["error"])
    return dict(answer)


def _watch(process: subprocess.Popen[bytes], request: dict[str, Any], deadline: float) -> tuple[bytes, bytes]:
    """Give ``process`` its ``request``; what it says to it, and what it complains of.

    It limits itself where the system lets it; here it is watched on every system, and ended when it takes
    more than the request allows.
    """
    watched = psutil.Process(process.pid)
    message: bytes | None = json.dumps(request).encode()
    while True:
        try:
            return process.communicate(message, timeout=_POLL)
        except subprocess.TimeoutExpired:
            message = None  # communicate keeps what it has not sent yet
        try:
            memory, times = watched.memory_info().rss, watched.cpu_times()
        except psutil.Error:
            continue  # it has just ended
        spent = times.user + times.system
        if memory > request["memory"] or spent > request["seconds"] or time.perf_counter() > deadline:
            process.kill()
