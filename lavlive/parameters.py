"""The one table of parameters, and the values that they have now.

The table makes the panel, the OSC addresses, the MIDI targets, the presets' schema,
``--set NAME=VALUE`` and the README's reference. Nothing else repeats a range.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from lavlive.errors import ParameterError

GROUPS = ("coarse", "middle", "fine")
"""The layer groups of a generator, by the resolution at which a layer works."""

Value = float | int | bool | str
"""What a parameter holds: float (continuous), int (integer), bool (switch), str (choice)."""


class ParameterKind(Enum):
    """What values a parameter takes, and so how it is drawn, bound and moved."""

    CONTINUOUS = "continuous"
    INTEGER = "integer"
    SWITCH = "switch"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: dotted name, as in ``--set`` and, with slashes, in OSC addresses.
        default: value at start.
        low, high: inclusive range in `unit`; for a choice, 0 and the number of choices − 1.
        unit: unit of the value, empty for pure numbers.
        help: one line for a performer.
        kind: see `ParameterKind`.
        choices: names of a choice's values, in order.
        curve: ``linear``, or ``log`` where equal turns of a knob should be equal ratios.
        saved: whether presets hold it.
        guarded: whether it protects the audience, so that no knob, message or preset may move it: only the
            panel after a question, and ``--set``.
    """

    name: str
    default: Value
    low: float
    high: float
    unit: str
    help: str
    kind: ParameterKind = ParameterKind.CONTINUOUS
    choices: tuple[str, ...] = ()
    curve: str = "linear"
    saved: bool = True
    guarded: bool = False

    @property
    def glides(self) -> bool:
        """Whether the engine moves it smoothly to a new value."""
        return self.kind is ParameterKind.CONTINUOUS

    def number(self, value: Value) -> float:
        """The value as the number that travels in the link: an index for choices, 0 or 1 for switches."""
        if self.kind is ParameterKind.CHOICE:
            return float(self.choices.index(str(value)))
        return float(value)

    def value(self, number: float) -> Value:
        """The inverse of `number`, rounded to the kind and held inside the range."""
        number = min(max(number, self.low), self.high)
        match self.kind:
            case ParameterKind.CONTINUOUS:
                return number
            case ParameterKind.INTEGER:
                return round(number)
            case ParameterKind.SWITCH:
                return number >= 0.5
            case ParameterKind.CHOICE:
                return self.choices[round(number)]

    def to_unit(self, value: Value) -> float:
        """Position of a value in its range, 0 to 1, along the parameter's curve."""
        number = self.number(value)
        if self.curve == "log":
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)

    def from_unit(self, position: float) -> Value:
        """The value at a position 0 to 1; positions outside are held at the ends."""
        position = min(max(position, 0.0), 1.0)
        if self.curve == "log":
            return self.value(self.low * (self.high / self.low) ** position)
        return self.value(self.low + position * (self.high - self.low))

    def check(self, value: object) -> Value:
        """The value, converted to this parameter's kind.

        Takes numbers, bools, names of choices, and text as typed after ``--set``.

        Raises:
            ParameterError: of another type, not finite, or outside the range; the message gives the range.
        """
        match self.kind:
            case ParameterKind.SWITCH:
                return self._switch(value)
            case ParameterKind.CHOICE:
                return self._choice(value)
            case _:
                return self._number_in_range(value)

    def hold(self, value: object) -> tuple[Value, bool]:
        """As `check`, but a number outside the range is held at the nearest end; True where it was.

        This is the rule for all that comes from surfaces and files (MIDI, OSC, presets, bindings, states):
        the show goes on, and what was held is counted or told. What a person types is checked instead.

        Raises:
            ParameterError: of another type, or not finite.
        """
        if self.kind in (ParameterKind.CONTINUOUS, ParameterKind.INTEGER) and isinstance(value, int | float):
            finite = isinstance(value, int) or math.isfinite(value)
            nearest = min(max(value, self.low), self.high)
            if finite and not isinstance(value, bool) and nearest != value:
                return self.value(float(nearest)), True
        return self.check(value), False

    def _switch(self, value: object) -> bool:
        if isinstance(value, str) and value.lower() in ("on", "true", "yes", "1"):
            return True
        if isinstance(value, str) and value.lower() in ("off", "false", "no", "0"):
            return False
        if isinstance(value, bool | int | float) and value in (0, 1):
            return bool(value)
        raise ParameterError(f"{self.name} is a switch: use on or off, not {value!r}.")

    def _choice(self, value: object) -> str:
        if isinstance(value, str) and value in self.choices:
            return value
        raise ParameterError(f"{self.name} is one of {', '.join(self.choices)}, not {value!r}.")

    def _number_in_range(self, value: object) -> float | int:
        allowed = f"{self.name} takes {self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}"
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ParameterError(f"{allowed}, not {value!r}.")
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise ParameterError(f"{allowed}, not {value!r}.") from None
        number = self._unrounded(number)
        if not math.isfinite(number) or not self.low <= number <= self.high:
            raise ParameterError(f"{allowed}, not {value}.")
        if self.kind is ParameterKind.INTEGER:
            if number != round(number):
                raise ParameterError(f"{self.name} takes whole numbers, not {value}.")
            return int(number)
        return number

    def _unrounded(self, number: float) -> float:
        """An end of the range where `number` is that end as the reference prints it, in three digits."""
        for end in (self.low, self.high):
            if number == float(f"{end:.3g}"):
                return end
        return number


def _per_group(
    prefix: str,
    defaults: tuple[float, float, float],
    low: float,
    high: float,
    unit: str,
    text: str,
    curve: str,
) -> list[Parameter]:
    return [
        Parameter(f"{prefix}.{group}", default, low, high, unit, text.format(group=group), curve=curve)
        for group, default in zip(GROUPS, defaults, strict=True)
    ]


def _switch(name: str, default: bool, text: str, saved: bool = True) -> Parameter:
    return Parameter(name, default, 0, 1, "", text, ParameterKind.SWITCH, saved=saved)


def _choice(
    name: str, choices: tuple[str, ...], text: str, saved: bool = True, default: str | None = None
) -> Parameter:
    return Parameter(
        name, default or choices[0], 0, len(choices) - 1, "", text, ParameterKind.CHOICE, choices, saved=saved
    )


DIALS_PER_GROUP = 8
"""Directions of a model that can be turned, at most."""

BEND_SLOTS = (1, 2, 3)
BEND_KINDS = (
    *("off", "translate x", "translate y", "rotate", "zoom", "mirror", "multiply", "ablate", "invert"),
    *("threshold", "erode", "dilate", "wrap"),
)
BEND_PLACES = (*GROUPS, "8", "16", "32", "64")
"""Where features are bent: in the layers of a group, or at one resolution of square pictures."""

LATENT_HEADS = ("dial", "anchor", "loop", "bend")
"""First parts of the names of what hands do in W; sound may drive it as it drives the inputs of shaders."""

ONE_HOP = 320 / 24_000
"""Seconds of one encoder step; the shortest smoothing window."""

CHANNELS = (
    "source",
    *("all", "left", "right", "mid", "side"),
    *(f"{first},{first + 1}" for first in range(1, 32, 2)),
    *(str(channel) for channel in range(1, 33)),
)
"""Which channels are heard: "source" means as the source was opened."""

TABLE: tuple[Parameter, ...] = (
    Parameter("mapper.y", 2.0, 0, 4, "W_std", "spread: how far sound drives the picture from the mean"),
    Parameter("mapper.c", 0.1, 0, 1, "", "leak: 0 holds outliers back, 1 lets them through"),
    Parameter("mapper.adapt", 60.0, 0, 120, "s", "time in which the mapper adapts to the programme, 0 = off"),
    Parameter(
        "mapper.place",
        0.7,
        0,
        2,
        "W_std",
        "how far pieces and sections live apart in W: 0 all about its middle",
    ),
    Parameter(
        "projection.seed", 0, 0, 9999, "", "which random projection from sound to W", ParameterKind.INTEGER
    ),
    _choice(
        "projection.kind",
        ("random", "orthogonal", "identity", "learned", "even"),
        "how sound is projected into W",
        default="even",
    ),
    Parameter("projection.glide", 1.0, 0, 30, "s", "time to walk from one projection to the next"),
    _switch("projection.hold", False, "stop the walk between two projections where it is"),
    *_per_group(
        "smoothing", (1.2, 0.4, 0.15), ONE_HOP, 8, "s", "window of the moving average, {group} layers", "log"
    ),
    Parameter(
        "smoothing.keep_energy", 1.0, 0, 1, "", "how much of the motion that smoothing takes away is restored"
    ),
    *_per_group(
        "modulation.onset", (0, 0, 0), 0, 2, "W_std", "how far onsets push the {group} layers", "linear"
    ),
    *_per_group(
        "modulation.chroma", (0, 0, 0), 0, 2, "W_std", "how far harmony turns the {group} layers", "linear"
    ),
    *(
        Parameter(
            f"dial.{group}.{number}",
            0.0,
            -3,
            3,
            "",
            f"dial {number} of the {group} layers: what it does depends on the model",
        )
        for group in GROUPS
        for number in range(1, DIALS_PER_GROUP + 1)
    ),
    Parameter("anchor.amount", 0.0, 0, 1, "", "how far the middle that sound moves around is the anchor"),
    _choice("anchor.kind", ("keyframe", "random", "class"), "what the anchor is"),
    Parameter(
        "anchor.number",
        1,
        0,
        9999,
        "",
        "which keyframe, random w or class",
        ParameterKind.INTEGER,
    ),
    Parameter("anchor.glide", 2.0, 0, 30, "s", "time to walk from one anchor to the next"),
    *_per_group(
        "loop.amount", (0, 0, 0), 0, 1, "", "{group} layers: 0 follows the sound, 1 the loop alone", "linear"
    ),
    _choice("loop.clock", ("beats", "seconds"), "what the loop is as long as"),
    _choice("loop.beats", ("1", "2", "4", "8", "16", "32", "64"), "beats of one turn", default="8"),
    Parameter("loop.seconds", 8.0, 1, 120, "s", "seconds of one turn", curve="log"),
    _choice("loop.way", ("around", "back", "forth and back"), "how the loop goes through the keyframes"),
    _choice("loop.curve", ("spherical", "straight"), "how it goes from one to the next"),
    Parameter("loop.noise", 0.0, 0, 2, "W_std", "radius of a closed random walk besides"),
    Parameter("loop.noise_seconds", 12.0, 1, 120, "s", "seconds of one turn of that", curve="log"),
    *(
        row
        for slot in BEND_SLOTS
        for row in (
            _choice(f"bend.{slot}.kind", BEND_KINDS, "what is done to features inside the generator"),
            _choice(
                f"bend.{slot}.where",
                BEND_PLACES,
                "in which layers, or at which resolution",
                default="middle",
            ),
            Parameter(f"bend.{slot}.amount", 0.0, -1, 1, "", "how far; at 0 it is nothing and costs nothing"),
            Parameter(f"bend.{slot}.share", 1.0, 0, 1, "", "how many of the features there"),
            Parameter(f"bend.{slot}.seed", 0, 0, 9999, "", "which ones", ParameterKind.INTEGER),
        )
    ),
    Parameter("generator.truncation", 1.0, 0, 1.5, "psi", "below 1: safer and plainer, above 1: wilder"),
    Parameter("generator.noise", 1.0, 0, 2, "", "strength of the generator's fixed noise"),
    Parameter("generator.class", 0, 0, 9999, "", "class of a class-conditional model", ParameterKind.INTEGER),
    _choice("show.scaling", ("fill", "fit", "stretch"), "how the picture meets the projector's shape", False),
    _choice(
        "show.upscale",
        ("edges", "spline"),
        "how small pictures are enlarged: sharp along their edges, or as soft as they are",
        False,
    ),
    Parameter("show.dissolve", 0.033, 0, 1, "s", "cross-dissolve between pictures"),
    Parameter("show.idle", 0.5, 0, 1, "", "how far the picture breathes while nothing sounds"),
    Parameter("show.swap_fade", 2.0, 0, 30, "s", "cross-fade from one model to the next", saved=False),
    Parameter("show.morph", 2.0, 0, 60, "s", "time to morph from one preset to the next", saved=False),
    Parameter("show.fader", 0.0, 0, 1, "", "cross-fader between the two presets chosen for it", saved=False),
    _choice(
        "show.quantise",
        ("off", "beat", "bar", "2 bars", "4 bars"),
        "what presets, re-rolls and models wait for",
        saved=False,
    ),
    Parameter(
        "show.flash_limit",
        True,
        0,
        1,
        "",
        "hold back flashes that can hurt people",
        ParameterKind.SWITCH,
        saved=False,
        guarded=True,
    ),
    _switch("show.freeze", False, "hold the picture", saved=False),
    _switch("show.blackout", False, "fade the canvas to black", saved=False),
    _switch("assist.on", False, "let y, c, energy and windows drift out of what looks wrong", saved=False),
    Parameter(
        "audio.gain", 0.0, -24, 48, "dB", "how much the sound is raised before it is heard", saved=False
    ),
    _switch(
        "audio.auto_gain", True, "raise music that is too quiet, slowly; noise is left alone", saved=False
    ),
    _choice("audio.channels", CHANNELS, "which channels of the source are heard", saved=False),
)
"""Every parameter, in the order in which it is shown."""

LOADED_GROUPS = ("gen", "fx1", "fx2", "fx3", "fx4", "fx5", "fx6")
"""First parts of the names of what is loaded at run time: the generator's slot and the effects' slots."""

TRANSITION, DISSOLVE = "show.transition", "dissolve"
"""Which transition is drawn, and the choice that draws none."""
LOADED_NAMES = (TRANSITION,)
"""What is loaded at run time besides: the choice among transitions."""


class LoadedParameters(Protocol):
    """Parameters of the stage that join the table at run time: the slots, and the inputs of their shaders.

    They never reach the engine. Their names begin with one of `LOADED_GROUPS`.
    """

    def find(self, name: str) -> Parameter | None:
        """The parameter of that name, chosen now or not; None if nothing that was read has it."""

    def present(self, value_of: Callable[[str], object]) -> list[Parameter]:
        """Those that mean something now, in the order in which they are shown.

        Args:
            value_of: gives the present value of a slot's own parameter, such as ``fx1.shader``.
        """


_joined: LoadedParameters | None = None


def join_table(loaded: LoadedParameters | None) -> None:
    """Let what is loaded at run time stand beside the table, for this process; None takes it away."""
    global _joined
    _joined = loaded


def is_loaded(name: str) -> bool:
    """Whether a name belongs to what is loaded at run time."""
    return name in LOADED_NAMES or name.partition(".")[0] in LOADED_GROUPS


def can_be_driven(name: str) -> bool:
    """Whether sound may move a parameter: an input of a shader, or what hands do in W."""
    return is_loaded(name) or name.partition(".")[0] in LATENT_HEADS


def loaded_parameters(value_of: Callable[[str], object]) -> list[Parameter]:
    """What is loaded now, as `LoadedParameters.present`; nothing where nothing has joined."""
    return _joined.present(value_of) if _joined is not None else []


NAMES: tuple[str, ...] = tuple(parameter.name for parameter in TABLE)
GLIDES = np.array([parameter.glides for parameter in TABLE])
"""Which parameters move smoothly, bool in the table's order; the others jump."""
INDEX: Mapping[str, int] = {name: index for index, name in enumerate(NAMES)}


def find(name: str) -> Parameter:
    """The parameter of that exact name.

    Raises:
        ParameterError: no such parameter; the message names the nearest.
    """
    if name in INDEX:
        return TABLE[INDEX[name]]
    if _joined is not None and (loaded := _joined.find(name)) is not None:
        return loaded
    if is_loaded(name):
        raise ParameterError(f"There is no parameter {name!r}: no shader here has it.")
    near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)
    raise ParameterError(f"There is no parameter {name!r}; did you mean {near[0]}?")


def checked_settings(settings: Mapping[str, object]) -> dict[str, Value]:
    """The values as their parameters take them.

    Raises:
        ParameterError: an unknown name, or a value out of range.
    """
    return {name: find(name).check(value) for name, value in settings.items()}


class Values(Mapping[str, Value]):
    """The present value of every parameter: a checked mapping, cheap to copy into the link.

    `revision` grows by one with every change, so a reader knows when to look. `numbers` holds the table's;
    what is loaded at run time is kept beside them, by name, and is the stage's alone.
    """

    def __init__(self, settings: Mapping[str, object] | None = None) -> None:
        self.numbers = np.array([parameter.number(parameter.default) for parameter in TABLE])
        self.revision = 0
        self._loaded: dict[str, Value] = {}
        if settings:
            self.update(settings)

    def __getitem__(self, name: str) -> Value:
        if name in INDEX:
            return TABLE[INDEX[name]].value(float(self.numbers[INDEX[name]]))
        parameter = find(name)
        value = self._loaded.get(name, parameter.default)
        # The file that it comes from may have changed since the value was set.
        if parameter.kind is ParameterKind.CHOICE:
            return value if value in parameter.choices else parameter.default
        return parameter.value(float(value)) if not isinstance(value, str) else parameter.default

    def __iter__(self) -> Iterator[str]:
        return (parameter.name for parameter in self.parameters())

    def __len__(self) -> int:
        return len(self.parameters())

    def parameters(self) -> list[Parameter]:
        """The table, and what is loaded now."""
        return [*TABLE, *loaded_parameters(self.__getitem__)]

    def __repr__(self) -> str:
        changed = {p.name: self[p.name] for p in self.parameters() if self[p.name] != p.default}
        return f"Values({changed})"

    def number(self, name: str) -> float:
        """The value as a number, without rounding: what travels in the link."""
        if name in INDEX:
            return float(self.numbers[INDEX[name]])
        return find(name).number(self[name])

    def set(self, name: str, value: object) -> Value:
        """Check and store one value.

        Raises:
            ParameterError: unknown name or value out of range; nothing is stored then.
        """
        parameter = find(name)
        checked = parameter.check(value)
        if name in INDEX:
            self.numbers[INDEX[name]] = parameter.number(checked)
        else:
            self._loaded[name] = checked
        self.revision += 1
        return checked

    def update(self, settings: Mapping[str, object]) -> None:
        """Store several values, or none of them if one is refused."""
        for name, value in checked_settings(settings).items():
            self.set(name, value)

    def copy(self) -> Values:
        """An independent copy with the same values."""
        other = Values()
        other.numbers[:] = self.numbers
        other._loaded = dict(self._loaded)
        return other

    def saved(self) -> dict[str, Value]:
        """What a preset holds."""
        return {parameter.name: self[parameter.name] for parameter in self.parameters() if parameter.saved}

    def end_events(self) -> None:
        """Buttons of what is loaded are down for one picture."""
        for name, value in list(self._loaded.items()):
            if value is True and not find(name).saved:
                self.set(name, False)


class Glide:
    """Moves the continuous parameters smoothly towards their targets; the others jump.

    An exponential approach: after `seconds` a step is 95 % done. The first call jumps, so a run that
    starts with given values has them from its first hop.
    """

    def __init__(self, seconds: float = 0.05) -> None:
        self._time_constant = seconds / 3.0
        self.numbers = np.full(len(TABLE), np.nan)

    def step(self, targets: np.ndarray, elapsed: float) -> np.ndarray:
        """Advance by `elapsed` seconds towards `targets` [len(TABLE)]; returns the present numbers."""
        keep = math.exp(-elapsed / self._time_constant)
        moved = targets + (self.numbers - targets) * keep
        near = np.abs(moved - targets) <= 1e-6 * (1.0 + np.abs(targets))
        self.numbers = np.where(GLIDES & np.isfinite(moved) & ~near, moved, targets)
        return self.numbers

    def jump(self, targets: np.ndarray) -> None:
        """Be at the targets at once."""
        self.numbers = targets.copy()


def _shown(choices: tuple[str, ...]) -> str:
    """A choice's values; of very many, those with a name and the first and last of the others."""
    words = [choice for choice in choices if not choice[0].isdigit() or len(choices) <= 12]
    numbers = [choice for choice in choices if choice not in words]
    return ", ".join([*words, *([numbers[0], "…", numbers[-1]] if numbers else [])])


def reference(parameters: Iterable[Parameter] = TABLE) -> str:
    """The table as Markdown, as the README shows it."""
    lines = ["| name | default | range | unit | what it does |", "|---|---|---|---|---|"]
    for p in parameters:
        bounds = _shown(p.choices) or (
            "off, on" if p.kind is ParameterKind.SWITCH else f"{p.low:.3g} – {p.high:g}"
        )
        default = ("on" if p.default else "off") if p.kind is ParameterKind.SWITCH else p.default
        lines.append(f"| {p.name} | {default} | {bounds} | {p.unit} | {p.help} |")
    return "\n".join(lines)
