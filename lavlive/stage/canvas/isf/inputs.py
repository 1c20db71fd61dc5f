"""What a performer can move in a shader: an ISF file's inputs, and the parameters that they become."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from lavlive.errors import ShaderError
from lavlive.parameters import Parameter, ParameterKind, Value
from lavlive.stage.canvas.isf.header import Json

MOST_COLUMNS = 4096
FFT_COLUMNS = 256
WAVE_COLUMNS = 512
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_AXES = ("x", "y")
_CHANNELS = ("r", "g", "b", "a")


class InputKind(Enum):
    """The types of ISF 2."""

    EVENT = "event"
    BOOL = "bool"
    LONG = "long"
    FLOAT = "float"
    POINT = "point2D"
    COLOR = "color"
    IMAGE = "image"
    AUDIO = "audio"
    FFT = "audioFFT"


_KINDS = {kind.value.lower(): kind for kind in InputKind} | {"int": InputKind.LONG, "point": InputKind.POINT}


@dataclass(frozen=True, slots=True)
class Input:
    """One input.

    Attributes:
        name: as the shader's code has it.
        kind: see `InputKind`.
        label: for people.
        default, low, high: a number for each component; none for images and sound.
        values: the numbers that a long takes, with `labels` for people; empty where it takes any.
        columns: width of a sound's texture.
        in_pixels: whether the code wants a point in pixels; its parameters are in parts of the canvas.
    """

    name: str
    kind: InputKind
    label: str = ""
    default: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    values: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    columns: int = 0
    in_pixels: bool = False

    @property
    def is_texture(self) -> bool:
        """Whether it is sampled: an image or sound."""
        return self.kind in (InputKind.IMAGE, InputKind.AUDIO, InputKind.FFT)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What follows the input's name in the names of its parameters."""
        match self.kind:
            case InputKind.POINT:
                return tuple(f".{axis}" for axis in _AXES)
            case InputKind.COLOR:
                return tuple(f".{channel}" for channel in _CHANNELS)
            case _ if self.is_texture:
                return ()
            case _:
                return ("",)

    def parameters(self, prefix: str) -> list[Parameter]:
        """The rows that it adds to the table, under ``prefix.``; none for images and sound."""
        name, text = f"{prefix}.{self.name}", self.label or self.name
        match self.kind:
            case InputKind.EVENT:
                return [Parameter(name, False, 0, 1, "", text, ParameterKind.SWITCH, saved=False)]
            case InputKind.BOOL:
                return [Parameter(name, self.default[0] >= 0.5, 0, 1, "", text, ParameterKind.SWITCH)]
            case InputKind.LONG if self.labels:
                default = self.labels[self.values.index(int(self.default[0]))]
                return [
                    Parameter(
                        name, default, 0, len(self.labels) - 1, "", text, ParameterKind.CHOICE, self.labels
                    )
                ]
            case InputKind.LONG:
                return [
                    Parameter(
                        name, int(self.default[0]), self.low[0], self.high[0], "", text, ParameterKind.INTEGER
                    )
                ]
            case _:
                return [
                    Parameter(f"{name}{suffix}", default, low, high, "", f"{text} {suffix[1:]}".strip())
                    for suffix, default, low, high in zip(
                        self.suffixes, self.default, self.low, self.high, strict=True
                    )
                ]

    def uniform(
        self, value_of: Callable[[str], Value], size: tuple[int, int]
    ) -> bool | int | float | tuple[float, ...]:
        """What the shader's variable is set to.

        Args:
            value_of: gives a parameter's value by what follows the prefix: ``name`` or ``name.x``.
            size: of the canvas, for points in pixels.
        """
        match self.kind:
            case InputKind.EVENT | InputKind.BOOL:
                return bool(value_of(self.name))
            case InputKind.LONG if self.labels:
                value = value_of(self.name)
                return self.values[self.labels.index(str(value))] if value in self.labels else self.values[0]
            case InputKind.LONG:
                return int(value_of(self.name))
            case InputKind.FLOAT:
                return float(value_of(self.name))
            case InputKind.POINT if self.in_pixels:
                x, y = (float(value_of(self.name + suffix)) for suffix in self.suffixes)
                return x * size[0], y * size[1]
            case _:
                return tuple(float(value_of(self.name + suffix)) for suffix in self.suffixes)


def number_of(value: Json | None, fallback: float = math.nan) -> float:
    """A number as files write it: also as text, true and false."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return fallback
    return float(value) if isinstance(value, bool | int | float) else fallback


def read_input(table: Mapping[str, Json]) -> Input:
    """One entry of INPUTS, its keys in upper case.

    Raises:
        ShaderError: a name or type that cannot be; the rest of the file may still be of use.
    """
    name, kind = table.get("NAME"), table.get("TYPE")
    if not isinstance(name, str) or not _IDENTIFIER.match(name) or len(name) > 60:
        raise ShaderError(f"the input {str(name)[:40]!r} has a name that no shader can use.")
    found = _KINDS.get(str(kind).lower())
    if found is None:
        raise ShaderError(f"the input {name} is of the unknown type {str(kind)[:20]!r}.")
    label = table.get("LABEL")
    text = label if isinstance(label, str) else ""
    match found:
        case InputKind.IMAGE:
            return Input(name, found, text)
        case InputKind.AUDIO | InputKind.FFT:
            usual = FFT_COLUMNS if found is InputKind.FFT else WAVE_COLUMNS
            most = number_of(table.get("MAX"), usual)
            columns = int(most) if math.isfinite(most) and most >= 1 else usual
            return Input(name, found, text, columns=min(columns, MOST_COLUMNS))
        case InputKind.EVENT | InputKind.BOOL:
            default = number_of(table.get("DEFAULT"), 0.0)
            return Input(name, found, text, (float(default >= 0.5),), (0.0,), (1.0,))
        case InputKind.LONG:
            return _long(name, text, table)
        case InputKind.FLOAT:
            default, low, high = _span(*(_component(table.get(key), 0) for key in ("DEFAULT", "MIN", "MAX")))
            return Input(name, found, text, (default,), (low,), (high,))
        case InputKind.POINT:
            return _point(name, text, table)
        case InputKind.COLOR:
            given = [_component(table.get("DEFAULT"), index) for index in range(4)]
            rest = (0.0, 0.0, 0.0, 1.0)
            default4 = tuple(
                min(max(value, 0.0), 1.0) if math.isfinite(value) else other
                for value, other in zip(given, rest, strict=True)
            )
            return Input(name, found, text, default4, (0.0,) * 4, (1.0,) * 4)
    raise AssertionError(found)


def _component(value: Json | None, index: int) -> float:
    if isinstance(value, list):
        return number_of(value[index]) if index < len(value) else math.nan
    return number_of(value)


def _span(default: float, low: float, high: float) -> tuple[float, float, float]:
    """Default, low and high as they must be, from what may lack, be turned round or be nonsense."""
    default, low, high = (x if math.isfinite(x) and abs(x) < 1e12 else math.nan for x in (default, low, high))
    if low > high:
        low, high = high, low
    if math.isnan(low):
        low = min([0.0, *(x for x in (default,) if x < 0)])
        if high <= low:
            low = high - 1.0
    if math.isnan(high):
        high = max([low + 1.0, *(x for x in (default,) if x > low + 1.0)])
    if low == high:
        high = low + 1.0
    if math.isnan(default):
        default = min(max(0.0, low), high)
    return min(max(default, low), high), low, high


def _long(name: str, text: str, table: Mapping[str, Json]) -> Input:
    written, labels = table.get("VALUES"), table.get("LABELS")
    numbers = [number_of(value) for value in written] if isinstance(written, list) else []
    if not numbers and isinstance(labels, list):
        numbers = [float(index) for index in range(len(labels))]
    values = list(dict.fromkeys(int(number) for number in numbers if math.isfinite(number)))
    default = number_of(table.get("DEFAULT"))
    if not values:
        start, low, high = _span(default, number_of(table.get("MIN")), number_of(table.get("MAX")))
        if not math.isfinite(number_of(table.get("MAX"))):
            high = max(high, 10.0)
        return Input(
            name, InputKind.LONG, text, (float(round(start)),), (math.floor(low),), (math.ceil(high),)
        )
    names = [
        str(labels[index]) if isinstance(labels, list) and index < len(labels) else str(value)
        for index, value in enumerate(values)
    ]
    names = [
        label if label and names.count(label) == 1 else f"{label} {value}".strip()
        for label, value in zip(names, values, strict=True)
    ]
    chosen = int(default) if math.isfinite(default) and int(default) in values else values[0]
    return Input(name, InputKind.LONG, text, (float(chosen),), values=tuple(values), labels=tuple(names))


def _point(name: str, text: str, table: Mapping[str, Json]) -> Input:
    spans = [
        tuple(_component(table.get(key), axis) for key in ("DEFAULT", "MIN", "MAX")) for axis in range(2)
    ]
    if all(math.isnan(low) and math.isnan(high) for _, low, high in spans):
        defaults = [default for default, _, _ in spans]
        if all(math.isnan(default) for default in defaults):
            # Without any numbers it is a place on the canvas, in pixels.
            return Input(name, InputKind.POINT, text, (0.5, 0.5), (0.0, 0.0), (1.0, 1.0), in_pixels=True)
    checked = [_span(*span) for span in spans]
    default, low, high = zip(*checked, strict=True)
    return Input(name, InputKind.POINT, text, default, low, high)
