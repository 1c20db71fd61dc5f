"""The look that a show or a rendering begins with."""

from __future__ import annotations

from lavlive.parameters import Values, parse_setting


def initial_values(preset: str | None, settings: list[str]) -> Values:
    """The parameters at the start: defaults, then a preset, then ``--set``.

    Raises:
        PresetError, ParameterError: as they say.
    """
    values = Values()
    values.update(dict(parse_setting(setting) for setting in settings))
    return values
