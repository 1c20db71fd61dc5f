"""Opens a generator of any kind that lavlive reads; foreign files are converted once and then cached.

lavlive's own safetensors ─────────────────────────────────────► LoadedGenerator
.pkl, .pt ──► SHA-256 ──► cached conversion? ── no ──► child ──► LoadedGenerator
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from lavlive.errors import CheckpointError
from lavlive.generator.alias_free import AnyGenerator
from lavlive.generator.checkpoint import (
    LoadedGenerator,
    build,
    config_of,
    load_generator,
    save_generator,
)
from lavlive.generator.readers.recognise import is_own
from lavlive.generator.wstats import measure_w
from lavlive.resources import cache_folder
from lavlive.weightfiles.reading import Limits, check_file, file_hash, read_in_child

# Part of the cache's file names: a newer reader may read the same file better.
_READER_VERSION = 3
_log = logging.getLogger(__name__)


def open_model(path: str | Path) -> LoadedGenerator:
    """A generator from a file: lavlive's own, or any format of ``lavlive.generator.readers``.

    Nothing in the file is ever run. A foreign file is converted in a process of its own, and the conversion
    is kept in the cache under the file's SHA-256.

    Raises CheckpointError, whose message says what the file is and why it cannot be played.
    """
    path = Path(path)
    check_file(path)
    if is_own(path):
        return load_generator(path)
    digest = file_hash(path)
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
    check_file(path)
    if is_own(path):
        loaded = load_generator(path)
        save_generator(output, loaded.generator, loaded.card, torch.float32)
        return load_generator(output)
    with tempfile.TemporaryDirectory(prefix="lavlive-") as folder:
        weights = Path(folder) / "weights.safetensors"
        try:
            answer = read_in_child("lavlive.generator.readers.child", path, weights, limits or Limits())
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        generator = _build(answer["config"], weights)
    card = {
        "name": path.stem,
        "source": path.name,
        "source_sha256": digest or file_hash(path),
        "format": answer["format"],
        "licence": answer["licence"],
        "notes": answer["notes"],
    }
    save_generator(output, generator, card, torch.float32)
    return load_generator(output)


def _build(config: dict[str, Any], weights: Path) -> AnyGenerator:
    generator = build(config_of(config))
    state = load_file(weights)
    has_mean = "mapping.w_mean" in state
    state.setdefault("mapping.w_mean", torch.zeros(generator.config.w_dim))
    generator.load_state_dict(state)
    if not has_mean:
        generator.mapping.w_mean.copy_(torch.from_numpy(measure_w(generator).mean))
    return generator
