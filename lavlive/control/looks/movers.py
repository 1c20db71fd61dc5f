"""What moves in a look by itself: the beat's modulations and the sound's drives, and those of a look before.

While one look morphs into another both move, each as far as the morph has come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lavlive.control.beat.modulation import BeatModulation, modulated
from lavlive.control.beat.tempo import BeatState
from lavlive.control.looks.drives import Drive, Heard, driven
from lavlive.parameters import INDEX, ParameterKind, Values, loaded_parameters


class Movers:
    """The movers of one show's look.

    Attributes:
        modulations: what the beat moves, by parameter; another mapping with every change.
        drives: what sound moves, by parameter; the same.
    """

    def __init__(self) -> None:
        self.modulations: Mapping[str, BeatModulation] = {}
        self.drives: Mapping[str, Drive] = {}
        self._leaving: Mapping[str, BeatModulation] = {}
        self._leaving_drives: Mapping[str, Drive] = {}

    def go_to(self, modulations: Mapping[str, BeatModulation], drives: Mapping[str, Drive]) -> None:
        """Let those of another look come, and the present ones leave until `settle`."""
        self._leaving, self.modulations = self.modulations, dict(modulations)
        self._leaving_drives, self.drives = self.drives, dict(drives)

    def settle(self) -> None:
        """The look is there: the ones before move nothing any more."""
        self._leaving, self._leaving_drives = {}, {}

    def exchange(self, slots: Mapping[str, str]) -> None:
        """Let the movers of some slots of the rack go with them to others."""
        drives = {moved_name(name, slots): each for name, each in self.drives.items()}
        modulations = {moved_name(name, slots): each for name, each in self.modulations.items()}
        self.drives = {name: replace(each, name=name) for name, each in drives.items()}
        self.modulations = {name: replace(each, name=name) for name, each in modulations.items()}

    def of_what_is_there(self, values: Values) -> dict[str, Drive]:
        """The drives of the table's parameters and, of shaders, of those that are in their slots now."""
        chosen = {parameter.name for parameter in loaded_parameters(values.__getitem__)}
        return {name: drive for name, drive in self.drives.items() if name in INDEX or name in chosen}

    def numbers(self, values: Values, state: BeatState, heard: Heard, share: float) -> np.ndarray:
        """The values with what beat and sound do to them, float64 in the table's order.

        Args:
            share: how far a morph to this look has come; 1 where there is none.
        """
        numbers = values.numbers
        active = self._modulations_at(share)
        if active:
            numbers = modulated(numbers, active, state.beat)
        drives = [drive for drive in self._drives_at(share) if drive.name in INDEX]
        if not drives:
            return numbers
        moved = {drive.name: float(numbers[INDEX[drive.name]]) for drive in drives}
        driven(moved, drives, heard, values.number("mapper.y"), values.number("mapper.c"))
        numbers = numbers.copy()
        for name, number in moved.items():
            numbers[INDEX[name]] = number
        return numbers

    def loaded_numbers(
        self, values: Values, state: BeatState, heard: Heard, share: float
    ) -> dict[str, float]:
        """The same of the continuous values of what is loaded at run time, by name."""
        loaded = loaded_parameters(values.__getitem__)
        moved = {p.name: float(values[p.name]) for p in loaded if p.kind is ParameterKind.CONTINUOUS}
        for modulation in self._modulations_at(share):
            if modulation.name in moved:
                moved[modulation.name] = modulation.apply(moved[modulation.name], state.beat)
        driven(moved, self._drives_at(share), heard, values.number("mapper.y"), values.number("mapper.c"))
        return moved

    def _drives_at(self, share: float) -> list[Drive]:
        leaving = [old.faded(1 - share) for old in self._leaving_drives.values()]
        return leaving + [new.faded(share) if share < 1 else new for new in self.drives.values()]

    def _modulations_at(self, share: float) -> list[BeatModulation]:
        leaving = [old.faded(1.0 - share) for old in self._leaving.values()]
        return leaving + [new.faded(share) if share < 1 else new for new in self.modulations.values()]


def moved_name(name: str, slots: Mapping[str, str]) -> str:
    """A parameter's name after its slot has changed places."""
    group, dot, rest = name.partition(".")
    return f"{slots.get(group, group)}{dot}{rest}"
