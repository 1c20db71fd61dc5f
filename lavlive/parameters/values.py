"""The values that the parameters have now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from lavlive.parameters.finding import checked_settings, find, known, loaded_parameters
from lavlive.parameters.parameter import Parameter, ParameterKind, Value
from lavlive.parameters.table import INDEX, TABLE


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
            parameter = known(name) if value is True else None
            if parameter is not None and not parameter.saved:
                self.set(name, False)
