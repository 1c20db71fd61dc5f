"""Presets: a look in a TOML file.

    schema = 1
    name = "Slow tide"
    description = "one line for the performer"
    key = 1                        # number key, optional
    model = "silk"                 # of the bank that is open, optional
    mix = "nebula"                 # the model that is mixed in, optional

    [values]
    mapper.y = 0.8                 # what is not named is at its default

    [beat."mapper.y"]              # optional: moved by the beat
    shape = "sine"
    beats = 4
    depth = 0.2

    [drive."fx1.feedback.zoom"]    # optional: an input of a shader, or a dial, moved by sound
    source = "coarse"              # or another layer group, onset, level, bass, mid, treble, chroma
    depth = 0.4
    seed = 7

    [[keyframe]]                   # optional, up to 16: a moment that was kept
    model = "1f3a…"                # of this model alone
    code = "…"

A shader that is gone, or an input that it no longer has, is left out with a note; the rest works.
A preset is text that is checked: nothing in it is run, and no part of it is used unless all of it is
right. A number out of its range is held at the nearest end, and told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from lavlive.checking import FieldError, plain, read_as, read_fields
from lavlive.control.beat.modulation import PERIODS, BeatModulation, Shape
from lavlive.control.looks.drives import LARGEST_SEED, SOURCES, Drive
from lavlive.control.looks.toml_files import TomlFile, flatten, read_toml, write_toml
from lavlive.errors import ParameterError, PresetError
from lavlive.link.keyframes import MOST, Keyframe
from lavlive.parameters import (
    TABLE,
    Parameter,
    ParameterKind,
    Value,
    can_be_driven,
    find,
    is_loaded,
    loaded_parameters,
)

SCHEMA = 1
LONGEST_NAME = 64
_SIGNS = '/ \\ : * ? " < > |'
_FORBIDDEN = frozenset(_SIGNS.replace(" ", ""))
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)}
"""What Windows does not allow as a file's name."""


@dataclass(frozen=True)
class Preset:
    """A look: every saved parameter's value, and what the beat moves.

    Attributes:
        name: as the performer sees it.
        description: one line.
        key: number key that recalls it, 0 to 9, or None.
        values: every saved parameter, checked.
        beat: modulations by the beat, by parameter name.
        path: the file it came from.
        held: a line for each value in that file that was out of range.
        model: the model that it is made for, by its name in the bank, or "" for any.
        drives: what sound moves, by parameter name.
        notes: what of it was left out, a line each.
        keyframes: moments that were kept, of this model and others.
        mix: the model that is mixed in, by its name in the bank, or "".
    """

    name: str
    description: str = ""
    key: int | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    beat: Mapping[str, BeatModulation] = field(default_factory=dict)
    path: Path | None = field(default=None, compare=False)
    held: tuple[str, ...] = field(default=(), compare=False)
    model: str = ""
    drives: Mapping[str, Drive] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=(), compare=False)
    keyframes: tuple[Keyframe, ...] = ()
    mix: str = ""


_MODEL = "model is the name of a model in quotes, as N and P show it."
_MIX = "mix is the name of a model in quotes, as N and P show it."
_BEATS = Meta(description=f"beats is one of {', '.join(f'{period:g}' for period in PERIODS)}.")
_KEYFRAMES = f"keyframe holds up to {MOST} tables: [[keyframe]]."
_DEPTH = Meta(ge=-1, le=1, description="depth is a share of the range from -1 to 1.")


@dataclass(frozen=True)
class _PresetFile:
    """What a preset's file may hold; what stands in `values` and `beat` has the table's own limits."""

    schema: Annotated[int, Meta(ge=1, description="a preset begins with schema = 1.")]
    name: Annotated[str, Meta(description="A preset needs a name.")]
    description: Annotated[
        str, Meta(pattern=r"\A[^\n]*\Z", description="the description is one line of text.")
    ] = ""
    key: Annotated[int, Meta(ge=0, le=9, description="key is a number from 0 to 9.")] | None = None
    model: Annotated[str, Meta(max_length=LONGEST_NAME, description=_MODEL)] = ""
    mix: Annotated[str, Meta(max_length=LONGEST_NAME, description=_MIX)] = ""
    values: Annotated[dict[str, Any], Meta(description="values is a table: [values].")] = field(
        default_factory=dict
    )
    beat: Annotated[dict[str, Any], Meta(description='beat holds tables: [beat."mapper.y"].')] = field(
        default_factory=dict
    )
    drive: Annotated[dict[str, Any], Meta(description='drive holds tables: [drive."fx1.feedback.zoom"].')] = (
        field(default_factory=dict)
    )
    keyframe: Annotated[
        list[dict[str, Any]],
        Meta(max_length=MOST, description=_KEYFRAMES),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class _BeatTable:
    """What a table below ``beat`` may hold; `low` and `high` have the parameter's own limits."""

    shape: Annotated[
        Shape, Meta(description=f"shape is one of {', '.join(shape.value for shape in Shape)}.")
    ] = Shape.SINE
    beats: Annotated[float, _BEATS] = 4.0
    depth: Annotated[float, _DEPTH] = 0.25
    low: Any = None
    high: Any = None


@dataclass(frozen=True)
class _DriveTable:
    """What a table below ``drive`` may hold."""

    source: Annotated[str, Meta(description=f"source is one of {', '.join(SOURCES)}.")] = "middle"
    depth: Annotated[float, _DEPTH] = 0.5
    seed: Annotated[
        int,
        Meta(ge=0, le=LARGEST_SEED, description=f"seed is a whole number from 0 to {LARGEST_SEED}."),
    ] = 0


def check_name(name: object) -> str:
    """A preset's name that is safe as a file's name too.

    Raises:
        PresetError: empty, too long, hidden, or with characters that name folders or devices.
    """
    if not isinstance(name, str) or not name.strip():
        raise PresetError("A preset needs a name.")
    name = name.strip()
    if len(name) > LONGEST_NAME:
        raise PresetError(f"A preset's name has at most {LONGEST_NAME} letters, not {len(name)}.")
    if name.startswith(".") or name.endswith(".") or ".." in name:
        raise PresetError(f"A preset's name cannot begin or end with a dot or hold two: {name!r}.")
    if any(letter in _FORBIDDEN or not letter.isprintable() for letter in name):
        raise PresetError(
            f"A preset's name has none of / \\ : * ? \" < > | and no control characters: {name!r}."
        )
    return name


def file_stem(name: str) -> str:
    """The file's name, without its ending, for a preset's name: two names that differ by case share it."""
    stem = "-".join(check_name(name).lower().split())
    return f"{stem}-preset" if stem.split(".")[0] in _DEVICES else stem


def read_preset(path: Path) -> Preset:
    """Read and check a preset file.

    Raises:
        PresetError: with file, line and reason.
    """
    file = read_toml(path, PresetError)
    written, faults = read_fields(_PresetFile, file.content)
    if written.get("schema", 0) > SCHEMA:
        newer = f"schema {written['schema']} is newer than this lavlive, which reads {SCHEMA}."
        raise file.fault("schema", newer)
    for fault in sorted(faults, key=lambda fault: fault.key != "schema"):
        raise file.fault(fault.key, fault.reason)
    found = _PresetFile(**written)
    try:
        name = check_name(found.name)
    except PresetError as reason:
        raise file.fault("name", str(reason)) from None
    if not found.model.isprintable():
        raise file.fault("model", _MODEL)
    if not found.mix.isprintable():
        raise file.fault("mix", _MIX)
    notes: list[str] = []
    values, beat = _read_values(file, found.values, notes), _read_beat(file, found.beat, notes)
    drives, held = _read_drives(file, found.drive, notes), tuple(file.held)
    return Preset(
        name,
        found.description,
        found.key,
        values,
        beat,
        path,
        held,
        found.model,
        drives,
        tuple(notes),
        _read_keyframes(file, found.keyframe),
        found.mix,
    )


def write_preset(preset: Preset, path: Path) -> None:
    """Write a preset whole, or leave the old file as it was.

    Raises:
        PresetError: the folder cannot be written to.
    """
    content: dict[str, object] = {"schema": SCHEMA, "name": preset.name, "description": preset.description}
    if preset.key is not None:
        content["key"] = preset.key
    if preset.model:
        content["model"] = preset.model
    if preset.mix:
        content["mix"] = preset.mix
    content["values"] = nested(preset.values)
    if preset.beat:
        content["beat"] = {name: modulation.to_table() for name, modulation in preset.beat.items()}
    if preset.drives:
        content["drive"] = {name: drive.to_table() for name, drive in preset.drives.items()}
    if preset.keyframes:
        content["keyframe"] = [plain(keyframe) for keyframe in preset.keyframes]
    write_toml(path, content, PresetError)


def defaults(written: Mapping[str, object] | None = None) -> dict[str, Value]:
    """The saved parameters at their defaults, with those of the shaders that `written` names."""
    chosen = written or {}
    loaded = loaded_parameters(lambda name: chosen.get(name, find(name).default))
    return {parameter.name: parameter.default for parameter in (*TABLE, *loaded) if parameter.saved}


def nested(values: Mapping[str, Value]) -> dict[str, object]:
    """Dotted names as nested tables, with a table's own values before its tables."""
    tables: dict[str, object] = {}
    for name in sorted(values, key=lambda name: name.count(".")):
        *groups, last = name.split(".")
        table = tables
        for group in groups:
            inner = table.setdefault(group, {})
            assert isinstance(inner, dict)
            table = inner
        table[last] = values[name]
    return tables


def _read_values(file: TomlFile, table: Mapping[str, object], notes: list[str]) -> dict[str, Value]:
    written = flatten(table)
    values = defaults(written)
    for key, value in written.items():
        try:
            values[key] = file.hold(f"values.{key}", *_exact(_saved(key), value))
        except ParameterError as reason:
            if not is_loaded(key):
                raise file.fault(f"values.{key}", str(reason)) from None
            notes.append(f"{file.path.stem}: {reason} It is left out.")
    return values


def _saved(name: str) -> Parameter:
    parameter = find(name)
    if not parameter.saved:
        raise ParameterError(f"{name} belongs to the show and not to a preset.")
    return parameter


def _exact(parameter: Parameter, value: object) -> tuple[Parameter, object]:
    """Both, when the value's TOML type is right: a number in quotes is a mistake in a file."""
    if isinstance(value, str) and parameter.kind is not ParameterKind.CHOICE:
        raise ParameterError(f"{parameter.name} is not written in quotes: {value!r}.")
    return parameter, value


def _read_drives(file: TomlFile, tables: Mapping[str, object], notes: list[str]) -> dict[str, Drive]:
    found: dict[str, Drive] = {}
    for name, settings in tables.items():
        where = f'drive."{name}"'
        if not can_be_driven(name):
            raise file.fault(
                where,
                "a drive moves an input of a shader, such as fx1.feedback.zoom, or a dial: dial.fine.1.",
            )
        if not isinstance(settings, dict):
            raise file.fault(where, f'write [drive."{name}"] and the settings below it.')
        try:
            table = read_as(_DriveTable, settings)
        except FieldError as fault:
            raise file.fault(f"{where}.{fault.key}", str(fault)) from None
        if table.source not in SOURCES:
            raise file.fault(f"{where}.source", f"source is one of {', '.join(SOURCES)}.")
        try:
            continuous = _saved(name).kind is ParameterKind.CONTINUOUS
        except ParameterError as reason:
            if not is_loaded(name):
                raise file.fault(where, str(reason)) from None
            notes.append(f"{file.path.stem}: {reason} Its drive is left out.")
            continue
        if not continuous:
            raise file.fault(where, f"{name} is not continuous; sound cannot move it.")
        found[name] = Drive(name, table.source, table.depth, table.seed)
    return found


def _read_keyframes(file: TomlFile, tables: list[dict[str, Any]]) -> tuple[Keyframe, ...]:
    found = []
    for index, table in enumerate(tables):
        try:
            keyframe = read_as(Keyframe, table)
            keyframe.w  # noqa: B018, damage is told here
        except FieldError as fault:
            raise file.fault(f"keyframe.{index}.{fault.key}", str(fault)) from None
        except ValueError as reason:
            raise file.fault(f"keyframe.{index}.code", str(reason)) from None
        found.append(keyframe)
    return tuple(found)


def _read_beat(file: TomlFile, tables: Mapping[str, object], notes: list[str]) -> dict[str, BeatModulation]:
    found: dict[str, BeatModulation] = {}
    for name, settings in tables.items():
        try:
            parameter = _saved(name)
        except ParameterError as reason:
            if is_loaded(name):
                notes.append(f"{file.path.stem}: {reason} Its beat is left out.")
                continue
            raise file.fault(f"beat.{name}", str(reason)) from None
        if parameter.kind is not ParameterKind.CONTINUOUS:
            raise file.fault(f'beat."{name}"', f"{name} is not continuous; the beat cannot move it.")
        if not isinstance(settings, dict):
            raise file.fault(f'beat."{name}"', f'write [beat."{name}"] and the settings below it.')
        found[name] = _read_modulation(file, parameter, settings)
    return found


def _read_modulation(file: TomlFile, parameter: Parameter, settings: Mapping[str, object]) -> BeatModulation:
    where = f'beat."{parameter.name}"'
    try:
        table = read_as(_BeatTable, settings)
    except FieldError as reason:
        raise file.fault(f"{where}.{reason.key}", str(reason)) from None
    if table.beats not in PERIODS:
        raise file.fault(f"{where}.beats", _BEATS.description or "")
    if math.isnan(table.depth):
        raise file.fault(f"{where}.depth", _DEPTH.description or "")
    ends: dict[str, float] = {}
    for end, default in (("low", parameter.low), ("high", parameter.high)):
        try:
            written = _exact(parameter, settings.get(end, default))
            ends[end] = parameter.number(file.hold(f"{where}.{end}", *written))
        except ParameterError as reason:
            raise file.fault(f"{where}.{end}", str(reason)) from None
    if ends["low"] >= ends["high"]:
        raise file.fault(f"{where}.high", "low must be below high.")
    return BeatModulation(parameter.name, table.shape, table.beats, table.depth, ends["low"], ends["high"])
