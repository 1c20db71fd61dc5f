"""The look that a show or a rendering begins with."""

from __future__ import annotations

from collections.abc import Mapping

from lavlive.control.looks.drives import Drive
from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.parameters import Value, Values, loaded_parameters
from lavlive.resources import bundled_generators, config_folder, shipped

DEFAULT_EFFECTS: dict[str, Value] = {
    "fx1.shader": "flow",
    "fx1.flow.amount": 0.25,
    "fx1.flow.memory": 0.5,
    "fx2.shader": "bloom",
    "fx2.bloom.amount": 0.45,
}
"""A little flow and light over whatever the generator makes, in its own colours."""

DEFAULT_DRIVES = (Drive("fx1.flow.amount", "middle", 0.15, 1), Drive("fx2.bloom.amount", "onset", 0.15, 0))
"""What moves them: the layers of middle size, and onsets."""


def preset_library() -> PresetLibrary:
    """The presets that ship with lavlive and the user's own."""
    return PresetLibrary(shipped("presets"), config_folder() / "presets")


def initial_model(preset: str | None, model: str | None) -> str | None:
    """The model at the start: what was typed, else the preset's if it ships with lavlive, else None.

    Raises:
        PresetError: there is no such preset.
    """
    if model or not preset:
        return model
    wanted = preset_library().find(preset).model
    return wanted if wanted in bundled_generators() else None


def initial_values(preset: str | None, settings: Mapping[str, object]) -> Values:
    """The parameters at the start: defaults, then a preset, then `settings`.

    Raises:
        PresetError: there is no such preset.
        ParameterError: a name that is none, or a value out of its range.
    """
    return initial_looks(preset, settings).values


def initial_looks(preset: str | None, settings: Mapping[str, object], bare: bool = False) -> Looks:
    """The look at the start, with what moves by beat and sound.

    Args:
        bare: without the default look's effects.

    Raises:
        PresetError: there is no such preset.
        ParameterError: a name that is none, or a value out of its range.
    """
    library = preset_library()
    looks = Looks(Values(), library)
    if preset:
        found = library.find(preset)
        looks.values.update(found.values)
        looks.begin_with(found)
    elif not bare:
        begin_with_effects(looks)
    looks.values.update(settings)
    return looks


def begin_with_effects(looks: Looks) -> None:
    """The default look's effects, for a show that begins without a preset; none where there is no rack."""
    rows = {parameter.name for parameter in loaded_parameters(lambda name: DEFAULT_EFFECTS.get(name, "none"))}
    if not DEFAULT_EFFECTS.keys() <= rows:
        return
    looks.values.update(DEFAULT_EFFECTS)
    looks.drive_by({drive.name: drive for drive in DEFAULT_DRIVES})
