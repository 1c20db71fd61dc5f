"""What a binding in a file moves: a parameter or an action, and which part of the range."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lavlive.control.actions import ACTIONS, Action, parse_action
from lavlive.control.looks.toml_files import TomlFile, line_of
from lavlive.errors import ControlError, LavliveError, ParameterError
from lavlive.parameters import ParameterKind, find, is_loaded, known


def read_target(file: TomlFile, place: str, table: Mapping[str, object]) -> str | Action:
    """The parameter's name or the action of the binding's table at a dotted place of the file.

    Raises:
        ControlError: neither or both, unknown, or not to be had from outside.
    """

    def fault(key: str, reason: str) -> LavliveError:
        return file.fault(f"{place}.{key}", reason)

    if ("parameter" in table) == ("action" in table):
        raise fault("", "a binding has either a parameter or an action.")
    key = "action" if "action" in table else "parameter"
    try:
        if key == "action":
            action = parse_action(str(table[key]))
            if ACTIONS[action.name].from_outside:
                return action
            reason = f"{action} can be done by the keyboard only."
        else:
            name = str(table[key])
            parameter = known(name) if is_loaded(name) else find(name)
            if parameter is None:
                file.held.append(
                    f"{file.path}, line {line_of(file.text, f'{place}.{key}')}: no shader here has {name}; "
                    "its control does nothing until one has."
                )
                return name
            if not parameter.guarded:
                return parameter.name
            reason = f"{parameter.name} is changed in the panel only."
    except (ControlError, ParameterError) as error:
        raise fault(key, str(error)) from None
    raise fault(key, reason)


def read_ends(
    file: TomlFile, place: str, table: Mapping[str, object], target: str | Action
) -> tuple[float | None, float | None]:
    """``low`` and ``high`` of such a table; one that is out of range is held at the nearest end.

    Raises:
        ControlError: not numbers, not of a number, or not in order.
    """

    def fault(key: str, reason: str) -> LavliveError:
        return file.fault(f"{place}.{key}", reason)

    parameter = known(target) if isinstance(target, str) else None
    awaited = parameter is None and isinstance(target, str)
    ends: dict[str, float] = {}
    for key in ("low", "high"):
        if key not in table:
            continue
        if awaited:
            value = table[key]
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise fault(key, f"{key} is a number.")
            ends[key] = float(value)
            continue
        if parameter is None or parameter.kind not in (ParameterKind.CONTINUOUS, ParameterKind.INTEGER):
            raise fault(key, f"{key} belongs to a parameter that is a number.")
        try:
            ends[key] = parameter.number(file.hold(f"{place}.{key}", parameter, table[key]))
        except ParameterError as error:
            raise fault(key, str(error)) from None
    low, high = ends.get("low"), ends.get("high")
    if parameter is not None:
        lowest = parameter.low if low is None else low
        highest = parameter.high if high is None else high
        if lowest >= highest:
            raise fault("high" if high is not None else "low", "low must be below high; invert turns round.")
    return low, high
