"""The one table of parameters.

It makes the panel, the OSC addresses, the MIDI targets, the presets' schema, ``--set NAME=VALUE`` and the
reference in the documents. Nothing else repeats a range.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lavlive.parameters.parameter import Parameter, ParameterKind

GROUPS = ("coarse", "middle", "fine")
"""The layer groups of a generator, by the resolution at which a layer works."""
_COARSE_UP_TO, _MIDDLE_UP_TO = 8, 32


def group_of(resolution: int) -> int:
    """Which of `GROUPS` a layer is in: 0 coarse (4²–8²), 1 middle (16²–32²), 2 fine."""
    return 0 if resolution <= _COARSE_UP_TO else 1 if resolution <= _MIDDLE_UP_TO else 2


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

MIX_PLACES = ("off", "8", "16", "32", "64", "128", "256", "512", "1024")
"""From which resolution of square pictures on all layers are another model's."""

LATENT_HEADS = ("dial", "anchor", "loop", "bend", "mix")
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
        "smoothing", (1.2, 0.4, 0.2), ONE_HOP, 8, "s", "window of the moving average, {group} layers", "log"
    ),
    Parameter(
        "smoothing.keep_energy", 1.0, 0, 1, "", "how much of the motion that smoothing takes away is restored"
    ),
    Parameter(
        "smoothing.roundness",
        1.0,
        0,
        1,
        "",
        "0: averaged once, as in the paper; 1: twice, as late and calmer",
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
    *_per_group(
        "mix", (0, 0, 0), 0, 1, "", "{group} layers: 0 this model's, 1 those of the model mixed in", "linear"
    ),
    _choice("mix.from", MIX_PLACES, "from this resolution on, all layers are those of the model mixed in"),
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
    Parameter("show.master", 1.0, 0, 1, "", "how bright all that is shown is: 0 is black", saved=False),
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

NAMES: tuple[str, ...] = tuple(parameter.name for parameter in TABLE)
GLIDES = np.array([parameter.glides for parameter in TABLE])
"""Which parameters move smoothly, bool in the table's order; the others jump."""
INDEX: Mapping[str, int] = {name: index for index, name in enumerate(NAMES)}
