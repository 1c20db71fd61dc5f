"""lavlive's own generator file: safetensors, with the configuration and the card as JSON in its header.

Nothing in such a file is ever run. Foreign formats are read by ``lavlive.generator.readers``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lavlive.errors import CheckpointError
from lavlive.files import write_whole
from lavlive.generator.alias_free import AliasFreeConfig, AliasFreeGenerator, AnyConfig, AnyGenerator
from lavlive.generator.network import Generator, GeneratorConfig
from lavlive.generator.shapes import expected_shapes
from lavlive.weightfiles.weights import check_values

FORMAT = "lavlive-generator-1"
_FRACTIONS = ("F16", "BF16", "F32", "F64")


@dataclass(frozen=True)
class LoadedGenerator:
    """A generator ready to run, what is known of it, and the SHA-256 of its file's bytes."""

    generator: AnyGenerator
    card: dict[str, Any]
    hash: str


def config_of(values: dict[str, Any]) -> AnyConfig:
    """The configuration of a StyleGAN2, or of a StyleGAN3, which lists its layers. Raises as they do."""
    return _kind_of(values)(**values)


def _kind_of(values: dict[str, Any]) -> type[GeneratorConfig] | type[AliasFreeConfig]:
    return AliasFreeConfig if "layers" in values else GeneratorConfig


def build(config: AnyConfig) -> AnyGenerator:
    """A generator of a configuration, with weights as training begins with."""
    return AliasFreeGenerator(config) if isinstance(config, AliasFreeConfig) else Generator(config)


def stylegan2_of(loaded: LoadedGenerator) -> Generator:
    """The generator, for what only a StyleGAN2 can do. Raises CheckpointError for a StyleGAN3."""
    if isinstance(loaded.generator, AliasFreeGenerator):
        raise CheckpointError(
            f"{loaded.card.get('name', 'the model')} is a StyleGAN3; this takes a StyleGAN2"
        )
    return loaded.generator


def save_generator(
    path: str | Path, generator: AnyGenerator, card: dict[str, Any], dtype: torch.dtype = torch.float16
) -> None:
    """Write ``generator`` and its ``card`` (anything JSON can hold) to ``path``.

    The file appears whole or not at all: a full disk leaves an older file as it was.
    Raises CheckpointError when it cannot be written.
    """
    tensors = {name: tensor.to(dtype).contiguous().cpu() for name, tensor in generator.state_dict().items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{name} holds values that are not finite or do not fit {dtype}; not saved")
    metadata = {
        "format": FORMAT,
        "config": json.dumps(_written(generator.config)),
        "card": json.dumps(card, ensure_ascii=False),
    }
    write_atomically(Path(path), save(tensors, metadata))


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside ``path``, then rename over it. Raises CheckpointError, leaving the older file."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {path}: {error.strerror or error}; any older file is kept"
        ) from error


def load_generator(path: str | Path) -> LoadedGenerator:
    """Read a file that ``save_generator`` wrote; the generator comes in float32, frozen.

    Raises CheckpointError when it is missing, damaged, of another format or of another architecture.
    """
    path = Path(path)
    config, card = _read_header(path)
    # Shapes first: a damaged header must not allocate what it claims.
    expected = dict(expected_shapes(asdict(config)))
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            _check_shapes(path, expected, {name: tuple(part.get_shape()) for name, part in slices.items()})
            for name in expected:
                if slices[name].get_dtype() not in _FRACTIONS:
                    raise CheckpointError(
                        f"{path}: {name} holds {slices[name].get_dtype()} numbers, which no weights are"
                    )
            found = {name: file.get_tensor(name).float() for name in expected}
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    for name, tensor in found.items():
        try:
            check_values(name, tensor.numpy())
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
    generator = build(config)
    generator.load_state_dict(found)
    return LoadedGenerator(generator.freeze(), card, digest)


def _written(config: AnyConfig) -> dict[str, Any]:
    """A configuration as files hold it: that of a square network as versions before wide ones wrote it."""
    values = asdict(config)
    if isinstance(config, GeneratorConfig) and (config.rows, config.columns) == (4, 4):
        del values["rows"], values["columns"]
    return values


def _check_shapes(
    path: Path, expected: dict[str, tuple[int, ...]], shapes: dict[str, tuple[int, ...]]
) -> None:
    for name, shape in expected.items():
        if name not in shapes:
            raise CheckpointError(f"{path} lacks {name}: its weights do not belong to its configuration")
        if shapes[name] != shape:
            raise CheckpointError(f"{path}: {name} is {shapes[name]}, not {shape}")
    extra = sorted(set(shapes) - set(expected))
    if extra:
        raise CheckpointError(f"{path} holds {extra[0]!a}, which no generator of its configuration has")


def _read_header(path: Path) -> tuple[AnyConfig, dict[str, Any]]:
    if not path.is_file():
        raise CheckpointError(f"there is no generator file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a safetensors file or is cut short: {error}") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a safetensors file, but not a lavlive generator; try: lavlive model convert"
        )
    try:
        values = json.loads(metadata["config"])
        card = json.loads(metadata["card"])
        known = {entry.name for entry in fields(_kind_of(values))}
        if set(values) - known:
            raise CheckpointError(f"{path} was made by a newer lavlive: {sorted(set(values) - known)}")
        config = config_of(values)
    except (KeyError, TypeError, ValueError, RecursionError, ArithmeticError, AttributeError) as error:
        raise CheckpointError(f"{path} has a damaged header: {str(error)[:200]}") from error
    if not isinstance(card, dict):
        raise CheckpointError(f"{path} has a damaged header: its card is not a table")
    return config, card
