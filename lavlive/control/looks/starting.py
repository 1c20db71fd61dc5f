"""The look that a show or a rendering begins with."""

from __future__ import annotations

from lavlive.control.looks.library import PresetLibrary
from lavlive.control.looks.looks import Looks
from lavlive.parameters import Values, parse_setting
from lavlive.resources import bundled_generators, config_folder, shipped


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


def initial_values(preset: str | None, settings: list[str]) -> Values:
    """The parameters at the start: defaults, then a preset, then ``--set``.

    Raises:
        PresetError: there is no such preset.
        ParameterError: a name or a value that ``--set`` may not have.
    """
    return initial_looks(preset, settings).values


def initial_looks(preset: str | None, settings: list[str]) -> Looks:
    """The look at the start, with what moves by beat and sound.

    Raises:
        PresetError: there is no such preset.
        ParameterError: a name or a value that ``--set`` may not have.
    """
    library = preset_library()
    looks = Looks(Values(), library)
    if preset:
        found = library.find(preset)
        looks.values.update(found.values)
        looks.begin_with(found)
    looks.values.update(dict(parse_setting(setting) for setting in settings))
    return looks
