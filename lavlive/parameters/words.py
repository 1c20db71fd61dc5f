"""What parameters are called in the panel and on a phone, and how their values are written there.

Everywhere else a parameter has its dotted name; the panel's tips show it beside these words.
"""

from __future__ import annotations

from collections.abc import Mapping

from lavlive.parameters.finding import LOADED_GROUPS
from lavlive.parameters.parameter import Parameter, ParameterKind, Value
from lavlive.parameters.table import BEND_SLOTS

LAYERS: Mapping[str, str] = {"coarse": "layout", "middle": "forms", "fine": "colours"}
"""What the layer groups draw."""

SOURCES: Mapping[str, str] = {**LAYERS, "onset": "hits", "chroma": "harmony"}
"""What a drive listens to, where its name in presets is not plain."""

_TITLES: Mapping[str, str] = {
    "mapper": "sound to picture",
    "smoothing": "smoothing: how slowly it follows",
    "modulation": "hits and harmony",
    **{f"dial.{group}": f"dials: {what}" for group, what in LAYERS.items()},
    "anchor": "anchor: the middle that sound moves around",
    "loop": "loop through the keyframes",
    **{f"bend.{slot}": f"bend {slot}: the features inside" for slot in BEND_SLOTS},
    "mix": "mixture with another model",
    "audio": "sound in",
}

_LABELS: Mapping[str, str] = {
    "mapper.y": "spread (y)",
    "mapper.c": "outliers (c)",
    "mapper.adapt": "adapts within",
    "mapper.place": "distance of pieces",
    "projection.glide": "walk to the next",
    "projection.hold": "stop the walk",
    **{f"smoothing.{group}": f"{group}: {what}" for group, what in LAYERS.items()},
    "smoothing.keep_energy": "energy kept",
    **{f"modulation.onset.{group}": f"hits push {what}" for group, what in LAYERS.items()},
    **{f"modulation.chroma.{group}": f"harmony turns {what}" for group, what in LAYERS.items()},
    **{f"loop.amount.{group}": f"loop leads {what}" for group, what in LAYERS.items()},
    "loop.clock": "turns in",
    **{
        f"bend.{slot}.{name}": words
        for slot in BEND_SLOTS
        for name, words in (
            ("kind", "bend"),
            ("where", "where"),
            ("amount", "how far"),
            ("share", "share of features"),
            ("seed", "which features"),
        )
    },
    **{f"mix.{group}": f"mix {what}" for group, what in LAYERS.items()},
    "mix.from": "all layers from",
    "loop.noise": "random walk",
    "loop.noise_seconds": "its turn",
    "generator.noise": "grain",
    "show.master": "master brightness",
    "show.idle": "breath in silence",
    "show.swap_fade": "fade of models",
    "show.morph": "morph of presets",
    "show.fader": "fader A to B",
    "show.transition": "looks change by",
    "show.upscale": "small pictures become",
    "show.quantise": "wait for the beat",
    "show.flash_limit": "hold flashes back",
    "assist.on": "drift out of what looks wrong",
    "audio.auto_gain": "automatic gain",
}


def title(group: str) -> str:
    """What the parameters whose names begin with `group` are about."""
    return _TITLES.get(group, _plain(group))


def label(parameter: Parameter) -> str:
    """What a parameter is called below its group's title; of a shader's input, what its author says of it."""
    group, _, rest = parameter.name.partition(".")
    if group in LOADED_GROUPS:
        of_shader = rest.count(".") > 0
        return (parameter.help if of_shader and parameter.help else _plain(rest)).replace("_", " ")
    return _LABELS.get(parameter.name, _plain(rest))


def slot_title(group: str) -> str:
    """What a slot of the rack is called: ``shader generator`` or ``effect 3``."""
    return "shader generator" if group == LOADED_GROUPS[0] else f"effect {LOADED_GROUPS.index(group)}"


def written(parameter: Parameter, value: Value) -> str:
    """A value as a performer reads it, with its unit where it has one that is heard or seen."""
    if parameter.kind is ParameterKind.SWITCH:
        return "on" if value else "off"
    if parameter.kind is not ParameterKind.CONTINUOUS:
        return str(value)
    number = float(value)
    if parameter.unit == "s":
        return f"{number * 1000:.0f} ms" if 0 < number < 0.0995 else f"{number:.2f} s"
    if parameter.unit == "dB":
        return f"{number:+.1f} dB"
    return f"{number:.2f}"


def _plain(name: str) -> str:
    return name.replace("_", " ").replace(".", " ")
