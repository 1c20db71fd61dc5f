"""Opens a generator of any kind that lavlive reads; foreign files are converted once and then cached.

lavlive's own safetensors ─────────────────────────────────────► LoadedGenerator
.pkl, .pt ──► SHA-256 ──► cached conversion? ── no ──► child ──► LoadedGenerator
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors.torch import load_file

import lavlive
from lavlive.errors import CheckpointError
from lavlive.generator.checkpoint import LoadedGenerator, load_generator, save_generator
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.readers.recognise import container, is_own
from lavlive.generator.readers.window import Window
from lavlive.generator.wstats import measure_w
from lavlive.resources import cache_folder

# Part of the cache's file names: a newer reader may read the same file better.
_READER_VERSION = 2
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


def open_model(path: str | Path) -> LoadedGenerator:
    """A generator from a file: lavlive's own, or any format of ``lavlive.generator.readers``.

    Nothing in the file is ever run. A foreign file is converted in a process of its own, and the conversion
    is kept in the cache under the file's SHA-256.

    Raises CheckpointError, whose message says what the file is and why it cannot be played.
    """
    path = Path(path)
    _check_file(path)
    if is_own(path):
        return load_generator(path)
    digest = _digest(path)
    cached = cache_folder() / "models" / f"{digest[:32]}-{_READER_VERSION}.safetensors"
    if cached.is_file():
        try:
            return load_generator(cached)
        except CheckpointError as error:
            _log.warning("converting %s again: %s", path, error)
    return convert_model(path, cached, digest)


def convert_model(
    path: str | Path, output: str | Path, digest: str | None = None, limits: Limits | None = None
) -> LoadedGenerator:
    """Convert ``path`` to lavlive's own format at ``output``, in float32, and return what was written.

    ``digest`` is the SHA-256 of ``path``, where the caller knows it. Raises CheckpointError.
    """
    path, output = Path(path), Path(output)
    _check_file(path)
    if is_own(path):
        loaded = load_generator(path)
        save_generator(output, loaded.generator, loaded.card, torch.float32)
        return load_generator(output)
    with tempfile.TemporaryDirectory(prefix="lavlive-") as folder:
        weights = Path(folder) / "weights.safetensors"
        try:
            answer = _read_in_child(path, weights, limits or Limits())
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        generator = _build(answer["config"], weights)
    card = {
        "name": path.stem,
        "source": path.name,
        "source_sha256": digest or _digest(path),
        "format": answer["format"],
        "licence": answer["licence"],
        "notes": answer["notes"],
    }
    save_generator(output, generator, card, torch.float32)
    return load_generator(output)


def _check_file(path: Path) -> None:
    try:
        found = path.stat()
        mode, size = found.st_mode, found.st_size
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    if stat.S_ISDIR(mode):
        raise CheckpointError(f"{path} is a folder; name the file in it (.pkl, .pt or .safetensors)")
    if not stat.S_ISREG(mode):
        raise CheckpointError(f"{path} is a device or a pipe, not a file")
    if size > _LARGEST_FILE:
        raise CheckpointError(
            f"{path} has {size / 1e9:,.0f} GB, more than any StyleGAN2's file ({_LARGEST_FILE / 1e9:.0f} GB)"
        )
    # Before anything long is done with it, such as its checksum: what says it is something else is that.
    try:
        with open(path, "rb") as file:
            container(Window.whole(file))
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _digest(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error


def _build(config: dict[str, Any], weights: Path) -> Generator:
    generator = Generator(GeneratorConfig(**config))
    state = load_file(weights)
    has_mean = "mapping.w_mean" in state
    state.setdefault("mapping.w_mean", torch.zeros(generator.config.w_dim))
    generator.load_state_dict(state)
    if not has_mean:
        generator.mapping.w_mean.copy_(torch.from_numpy(measure_w(generator).mean))
    return generator


def _read_in_child(path: Path, weights: Path, limits: Limits) -> dict[str, Any]:
    """Run ``lavlive.generator.readers.child`` on ``path`` under ``limits``; its answer."""
    more = path.stat().st_size / limits.bytes_per_second
    request = {
        "file": str(path.resolve()),
        "output": str(weights),
        "memory": limits.memory,
        "seconds": math.ceil(limits.processor_seconds + more),
    }
    # -P: a file that lies beside the model and is called numpy.py is not imported.
    command = [sys.executable, "-P", "-m", "lavlive.generator.readers.child"]
    package = str(Path(lavlive.__file__).parent.parent)
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
            f"StyleGAN2 file takes (status {process.returncode}); nothing of the file was run"
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
