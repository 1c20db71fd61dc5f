"""What stands beside a model's file about its dials: the dials themselves, and what people call them.

    silk.safetensors     the model
    silk.dials.npz       its dials, so that no search is needed (``lavlive model directions --keep``)
    silk.dials.toml      names: [names], coarse.1 = "opening" (``lavlive model directions --name``)

Both say of which model they are, by its hash; those of another model are left out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tomli_w

from lavlive.errors import CheckpointError
from lavlive.files import replacing, write_whole
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.dials import Dials, dials_of, read_dials, remembered_dials
from lavlive.generator.wstats import w_statistics
from lavlive.parameters import DIALS_PER_GROUP, GROUPS

LONGEST_NAME = 40
_LARGEST = 64 * 1024
_KEPT = 32
"""Letters of the hash that tell models apart."""
DIAL_NAMES = tuple(f"{group}.{number + 1}" for group in GROUPS for number in range(DIALS_PER_GROUP))


@dataclass(frozen=True)
class FoundDials:
    """A model's dials, what people call them (by ``coarse.1`` and so on), and lines for the operator."""

    dials: Dials
    names: Mapping[str, str]
    notes: tuple[str, ...] = ()


def find_beside(
    file: Path,
    loaded: LoadedGenerator,
    groups: np.ndarray,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[float], object] = lambda share: None,
    threads: int = 1,
    search: bool = True,
) -> FoundDials | None:
    """The dials of a model: those beside its file, else as ``dials_of``; None where there are none.

    Args:
        search: whether to find and measure them where nobody has; ``stop`` ends that.
    """
    notes: list[str] = []
    names: Mapping[str, str] = {}
    try:
        names = read_names(file, loaded.hash)
    except CheckpointError as reason:
        notes.append(f"{reason} The names are left out.")
    dials = None
    try:
        dials = _kept_dials(file, loaded.hash, loaded.generator.config.w_dim)
    except CheckpointError as reason:
        notes.append(f"{reason} They are found anew.")
    if dials is None:
        dials = remembered_dials(loaded)
    if dials is None and search and not stop():
        dials = dials_of(loaded, w_statistics(loaded.generator, loaded.hash), groups, stop, progress, threads)
    return None if dials is None else FoundDials(dials, names, tuple(notes))


def keep_dials(file: Path, model_hash: str, dials: Dials) -> Path:
    """Write a model's dials beside its file.

    Raises:
        CheckpointError: the folder cannot be written to.
    """
    path = file.with_suffix(".dials.npz")
    try:
        with replacing(path) as beside, beside.open("wb") as kept:
            np.savez_compressed(kept, model=np.array(model_hash[:_KEPT]), **asdict(dials))
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _kept_dials(file: Path, model_hash: str, w_dim: int) -> Dials | None:
    path = file.with_suffix(".dials.npz")
    if not path.is_file():
        return None
    try:
        with open(path, "rb") as kept, np.load(kept, allow_pickle=False) as stored:
            of_model = str(stored["model"])
    except Exception as error:  # whatever a damaged file makes numpy raise
        raise CheckpointError(f"{path} holds no dials ({error}).") from error
    if of_model != model_hash[:_KEPT]:
        raise CheckpointError(f"{path} holds the dials of another model.")
    dials = read_dials(path, w_dim)
    if dials is None:
        raise CheckpointError(f"{path} holds no dials of a W of {w_dim} dimensions.")
    return dials


def read_names(file: Path, model_hash: str) -> dict[str, str]:
    """What people call a model's dials; nothing where they have not said.

    Raises:
        CheckpointError: the file beside the model is damaged, or of another model.
    """
    path = file.with_suffix(".dials.toml")
    if not path.is_file():
        return {}
    try:
        text = path.read_bytes()[: _LARGEST + 1]
        content = tomllib.loads(text.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error
    if content.get("model") != model_hash[:_KEPT]:
        raise CheckpointError(f"{path} names the dials of another model.")
    names = content.get("names", {})
    flat = {
        f"{group}.{number}": name
        for group, table in (names.items() if isinstance(names, dict) else ())
        if isinstance(table, dict)
        for number, name in table.items()
    }
    return {
        dial: " ".join(name.split())[:LONGEST_NAME]
        for dial, name in flat.items()
        if dial in DIAL_NAMES and isinstance(name, str) and name.isprintable()
    }


def write_names(file: Path, model_hash: str, names: Mapping[str, str]) -> Path:
    """Write what people call a model's dials beside its file.

    Raises:
        CheckpointError: a dial or a name that cannot be, or a folder that cannot be written to.
    """
    tables: dict[str, dict[str, str]] = {}
    for dial, name in names.items():
        if dial not in DIAL_NAMES:
            raise CheckpointError(f"There is no dial {dial!r}: they are coarse.1 to fine.{DIALS_PER_GROUP}.")
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise CheckpointError(f"A dial's name has 1 to {LONGEST_NAME} letters, not {name!r}.")
        group, number = dial.split(".")
        tables.setdefault(group, {})[number] = name.strip()
    path = file.with_suffix(".dials.toml")
    try:
        write_whole(path, tomli_w.dumps({"model": model_hash[:_KEPT], "names": tables}).encode())
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from error
    return path
