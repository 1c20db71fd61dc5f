"""The encoder in a file or folder of any layout, and what a file is that holds none.

Imports no torch: it runs in a process of its own, see ``lavlive.weightfiles.reading``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from lavlive.encoder.readers.configuration import SeanetConfig
from lavlive.encoder.readers.layouts import EncoderReading, canonical, checked, inferred
from lavlive.errors import CheckpointError
from lavlive.weightfiles.arrays import Stored, StoredArray, StoredTensor
from lavlive.weightfiles.containers import container
from lavlive.weightfiles.machine import Budget
from lavlive.weightfiles.safetensorsfile import read_tensors
from lavlive.weightfiles.torchfile import read_legacy, read_pickle, read_zip
from lavlive.weightfiles.weights import Weights
from lavlive.weightfiles.window import Window

CONFIG_NAME = "config.json"
WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin", "compression_state_dict.bin")
_LARGEST_TEXT = 1 << 20
_THEIR_FIELDS = {
    "sampling_rate": "sample_rate",
    "audio_channels": "channels",
    "hidden_size": "dimension",
    "num_filters": "n_filters",
    "num_residual_layers": "n_residual_layers",
    "upsampling_ratios": "ratios",
    "kernel_size": "kernel_size",
    "last_kernel_size": "last_kernel_size",
    "residual_kernel_size": "residual_kernel_size",
    "dilation_growth_rate": "dilation_base",
    "compress": "compress",
    "num_lstm_layers": "lstm",
    "use_causal_conv": "causal",
    "pad_mode": "pad_mode",
    "normalize": "normalize",
    "chunk_length_s": "segment",
}


def find_weights(path: Path) -> Path:
    """The file of weights that ``path`` means: itself, or the one in a folder.

    Raises CheckpointError for a folder without one, and for weights in several files.
    """
    if not path.is_dir():
        return path
    for name in WEIGHT_NAMES:
        if (path / name).is_file():
            return path / name
    if list(path.glob("*.index.json")):
        raise CheckpointError(
            f"{path} holds weights in several files (sharded), which no encoder needs; save it as one"
        )
    if (path / CONFIG_NAME).is_file():
        raise CheckpointError(
            f"{path} holds a {CONFIG_NAME} without weights; lavlive reads {WEIGHT_NAMES[0]}"
        )
    raise CheckpointError(f"{path} holds no encoder; lavlive reads {', '.join(WEIGHT_NAMES)} in a folder")


def config_beside(path: Path) -> Path | None:
    """The ``config.json`` that belongs to a file of weights."""
    beside = path.with_name(CONFIG_NAME)
    return beside if path.name in WEIGHT_NAMES[:2] and beside.is_file() else None


def read_file(path: Path) -> EncoderReading:
    """The encoder in ``path``. Raises CheckpointError, whose message says what the file is."""
    with open(path, "rb") as file:
        window = Window.whole(file)
        kind = container(window)
        if kind == "safetensors":
            _, table = read_tensors(window)
            return _read_table(table, path)
        readers = {"zip": read_zip, "legacy": read_legacy, "pickle": read_pickle}
        content = readers[kind](Window.whole(file), Budget())
        if not isinstance(content, dict):
            raise CheckpointError("holds no table of tensors, so no encoder")
        return _read_content(content, path)


def _read_content(content: dict[object, object], path: Path) -> EncoderReading:
    if "best_state" in content or content.get("exported"):
        return _read_audiocraft(content)
    return _read_table(_tensors(content), path)


def _read_audiocraft(content: dict[object, object]) -> EncoderReading:
    state = content.get("best_state")
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]
    if not isinstance(state, dict):
        named = content.get("pretrained")
        raise CheckpointError(
            f"only names a model ({ascii(named)[:60]}) and holds no weights; fetch that one"
            if isinstance(named, str)
            else "holds no weights under best_state"
        )
    weights = Weights(canonical(_tensors(state)))
    config, notes = inferred(weights), []
    text = content.get("xp.cfg")
    if isinstance(text, str):
        config = _from_audiocraft(config, text)
    else:
        notes.append("the file has no settings (xp.cfg); those of the published model are taken")
    return EncoderReading("audiocraft", config, checked(config, weights), notes)


def _read_table(table: Mapping[str, Stored | float], path: Path) -> EncoderReading:
    weights = Weights(canonical(table))
    beside = config_beside(path)
    if beside is not None:
        return EncoderReading(
            "transformers",
            config := _from_transformers(_read_json(beside), weights),
            checked(config, weights),
        )
    config = inferred(weights)
    note = "the file does not say its sample rate and causality; those of a published model are taken"
    return EncoderReading("encodec", config, checked(config, weights), [note])


def _tensors(content: Mapping[object, object]) -> dict[str, Stored | float]:
    return {
        str(name): value for name, value in content.items() if isinstance(value, StoredTensor | StoredArray)
    }


def _read_json(path: Path) -> dict[str, object]:
    try:
        with open(path, "rb") as file:
            values = json.loads(Window.whole(file).content(_LARGEST_TEXT))
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is damaged: it is not JSON") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path.name} holds no table of settings")
    return values


def _from_transformers(values: dict[str, object], weights: Weights) -> SeanetConfig:
    inside = values.get("audio_encoder")
    if isinstance(inside, dict):
        values = inside
    kind = values.get("model_type", "encodec")
    if kind != "encodec":
        raise CheckpointError(f"{CONFIG_NAME} is of a {ascii(kind)[:40]}, not of an EnCodec model")
    settings = {ours: values[theirs] for theirs, ours in _THEIR_FIELDS.items() if theirs in values}
    norm = values.get("norm_type", "weight_norm")
    # A default of transformers where neither the file nor the weights say it.
    shortcut = values.get("use_conv_shortcut", True)
    if type(shortcut) is not bool:
        raise CheckpointError(f"{CONFIG_NAME}: use_conv_shortcut is {ascii(shortcut)[:40]}")
    settings["norm"] = norm if norm == "time_group_norm" else "none"
    if norm not in ("weight_norm", "time_group_norm"):
        raise CheckpointError(f"{CONFIG_NAME}: its norm {ascii(norm)[:40]} is none that lavlive has")
    try:
        return SeanetConfig(**{"true_skip": not shortcut, **settings})  # type: ignore[arg-type]
    except TypeError as error:
        raise CheckpointError(f"{CONFIG_NAME} is damaged: {ascii(str(error))[:80]}") from error


def _from_audiocraft(config: SeanetConfig, text: str) -> SeanetConfig:
    """``config`` with what audiocraft's settings say beyond the shapes: rate, causality, padding."""
    settings = _sections(text)
    changes: dict[str, object] = {}
    for section, name, ours in (
        ("", "sample_rate", "sample_rate"),
        ("encodec", "sample_rate", "sample_rate"),
        ("encodec", "causal", "causal"),
        ("encodec", "renormalize", "normalize"),
        ("seanet", "causal", "causal"),
        ("seanet", "pad_mode", "pad_mode"),
        ("seanet", "activation", "activation"),
        ("seanet", "dilation_base", "dilation_base"),
    ):
        value = settings.get((section, name))
        if value is not None:
            changes[ours] = value
    if changes.get("normalize") is True:
        raise CheckpointError(
            "an encoder that measures the whole sound's level first (renormalize): not live"
        )
    return SeanetConfig(**{**_fields(config), **changes})  # type: ignore[arg-type]


def _fields(config: SeanetConfig) -> dict[str, object]:
    return {name: getattr(config, name) for name in config.__dataclass_fields__}


def _sections(text: str) -> dict[tuple[str, str], object]:
    """The plain values of a YAML text, by section and name, as OmegaConf writes it: two levels are enough.

    References (``${…}``) are left out: what they point at is read itself.
    """
    if len(text) > _LARGEST_TEXT:
        raise CheckpointError("its settings (xp.cfg) are longer than any")
    found: dict[tuple[str, str], object] = {}
    section = ""
    for line in text.splitlines():
        match = re.fullmatch(r"( {0,2})([A-Za-z_]\w*):(?: +(.*?))?\s*", line)
        if match is None:
            continue
        indent, name, value = match.groups()
        if not indent:
            section = "" if value else name
        key = (section if indent else "", name)
        if value and not value.startswith(("${", "[", "{", "'${", '"${')):
            found.setdefault(key, _plain(value))
    return found


def _plain(value: str) -> object:
    if value in ("true", "false"):
        return value == "true"
    if re.fullmatch(r"-?\d{1,12}", value):
        return int(value)
    return value.strip("'\"")
