"""``lavlive model info`` and ``lavlive model convert``: what a generator's file holds, and a copy as ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lavlive.commands.typed import check_model_output
from lavlive.errors import UsageError
from lavlive.files import same_file
from lavlive.generator.alias_free import AliasFreeConfig, AliasFreeGenerator, AnyConfig
from lavlive.generator.checkpoint import LoadedGenerator
from lavlive.generator.importing import convert_model, open_model
from lavlive.generator.runner import plain_runner, spare_threads, time_pictures
from lavlive.generator.runners.plans import plan_of
from lavlive.generator.wstats import SAMPLES, w_statistics
from lavlive.latent.space import layer_groups

_NO_LICENCE = "the file does not say; ask whoever trained it, and mind the licence of its data"
_LONGEST = 600
_OWN_LINES = ("name", "format", "licence", "notes")


def info(path: Path, class_index: int | None = None) -> str:
    """What the generator's file at ``path`` holds, one fact a line.

    W's statistics are those of ``class_index``, or of all classes together.
    Raises CheckpointError when it is no generator that lavlive plays.
    """
    loaded = open_model(path)
    config, card = loaded.generator.config, loaded.card
    facts = [
        ("name", card.get("name", path.stem)),
        ("format", card.get("format", "lavlive safetensors")),
        ("resolution", _size(config)),
        ("layers", _layers(config)),
        ("network", _network(config)),
        ("parameters", _parameters(loaded)),
        *_speed(loaded),
        ("classes", f"{config.class_count}: 0 to {config.class_count - 1}" if config.class_count else "none"),
        ("W", _w(loaded, class_index)),
        ("licence", card.get("licence", _NO_LICENCE)),
        *[("note", note) for note in _texts(card.get("notes"))],
        *[(str(key), value) for key, value in card.items() if key not in _OWN_LINES],
        ("sha256", loaded.hash),
    ]
    width = 2 + max(len(name) for name, _ in facts)
    return "\n".join(f"{name:<{width}}{_printable(value)}" for name, value in facts)


def convert(path: Path, output: Path) -> str:
    """Write the generator at ``path`` as lavlive's safetensors to ``output``; one line of what was done.

    Raises UsageError for an output that is the input or has another ending, CheckpointError for a file
    that cannot be read or written.
    """
    check_model_output(output)
    if same_file(output, path):
        raise UsageError(f"{output} is the file to be converted; give another name")
    loaded = convert_model(path, output)
    config = loaded.generator.config
    megabytes = output.stat().st_size / 1e6
    lines = [f"{output}: {_size(config)}, {megabytes:.0f} MB, float32"]
    lines += [f"note: {_printable(note)}" for note in _texts(loaded.card.get("notes"))]
    lines.append(f"licence: {_printable(loaded.card.get('licence', _NO_LICENCE))}")
    return "\n".join(lines)


def _size(config: AnyConfig) -> str:
    """Height and width of a picture, and the constant that one of another shape grows from."""
    height, width = config.size(config.resolution)
    if isinstance(config, AliasFreeConfig) or (config.rows, config.columns) == (4, 4):
        return f"{height} × {width}"
    return f"{height} × {width} (height × width), from a constant of {config.rows} × {config.columns}"


def _layers(config: AnyConfig) -> str:
    groups = layer_groups(config.layer_resolutions).tolist()
    counts = [f"{groups.count(index)} {name}" for index, name in enumerate(("coarse", "middle", "fine"))]
    return f"{config.num_ws} ({', '.join(counts)})"


def _network(config: AnyConfig) -> str:
    if isinstance(config, AliasFreeConfig):
        return (
            f"StyleGAN3-{config.kind} (alias-free), {config.input_channels} to {config.layers[-2].channels} "
            f"channels, mapping of {config.mapping_layers} layers"
        )
    widths = f"{config.channels(4)} to {config.channels(config.resolution)} channels"
    least = f", channel_min {config.channel_min}" if config.channel_min > 1 else ""
    return (
        f"{config.architecture}, {widths} (channel_base {config.channel_base}, "
        f"channel_max {config.channel_max}{least}), mapping of {config.mapping_layers} layers"
    )


def _parameters(loaded: LoadedGenerator) -> str:
    def count(module: nn.Module) -> float:
        return sum(parameter.numel() for parameter in module.parameters()) / 1e6

    generator = loaded.generator
    return (
        f"{count(generator):.1f} million (mapping {count(generator.mapping):.1f}, "
        f"synthesis {count(generator.synthesis):.1f})"
    )


def _speed(loaded: LoadedGenerator) -> list[tuple[str, str]]:
    """Of a StyleGAN3, which is slow enough for it to matter what can be done with it: measured now."""
    if not isinstance(loaded.generator, AliasFreeGenerator):
        return []
    runner = plain_runner(plan_of(loaded.generator), spare_threads())
    time_pictures(runner, 1)
    seconds = time_pictures(runner, 3, enough=2.0)
    runner.close()
    return [
        (
            "speed",
            f"{seconds * 1000:.0f} ms a picture on this processor by torch ({1 / seconds:.2g} a second), "
            f"threads: {spare_threads()}",
        )
    ]


def _w(loaded: LoadedGenerator, class_index: int | None) -> str:
    statistics = w_statistics(loaded.generator, loaded.hash, class_index=class_index)
    of_class = f" of class {class_index}" if class_index is not None else ""
    return (
        f"{len(statistics.mean)} dimensions, mean's length {np.linalg.norm(statistics.mean):.3g}, deviation "
        f"{statistics.std.min():.3g} to {statistics.std.max():.3g} (mean {statistics.std.mean():.3g}), "
        f"from {SAMPLES} z{of_class}"
    )


def _texts(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _printable(value: object) -> str:
    """A card's value on one line; nothing that a stranger wrote into it steers the terminal."""
    if isinstance(value, dict):
        value = ", ".join(f"{str(key).replace('_', ' ')} {part}" for key, part in value.items())
    text = " ".join(str(value).split())
    return "".join(letter for letter in text if letter.isprintable())[:_LONGEST]
