"""Bindings files: TOML files that say for which device they are.

lavlive ships some, and keeps the user's own in the configuration folder; a user's file takes the shipped
one's place. What a file is called does not matter: its ``device`` names a device, or several by a pattern.
A broken file is refused with its line and left as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from enum import Enum
from pathlib import Path

from lavlive.control.events import MidiControl, MidiControlKind
from lavlive.control.looks.toml_files import TomlFile, read_toml, write_toml
from lavlive.control.midi.bindings import DEFAULTS, Binding, BindingSet, Mode
from lavlive.control.midi.takeover import TakeoverMode
from lavlive.control.targets import read_ends, read_target
from lavlive.control.travel import Curve
from lavlive.errors import ControlError, LavliveError
from lavlive.files import version_of

SCHEMA = 1
_HIGHEST = {MidiControlKind.NRPN: 16383, MidiControlKind.CC14: 31}
_MOST_FILES = 1000


class BindingFolders:
    """Finds a device's bindings and keeps what the user changes.

    Attributes:
        refused: the errors of files that could not be used, newest state, by path.
        held: a line for each value in a file that was out of range.
    """

    def __init__(self, shipped: Path, user: Path) -> None:
        self._shipped = shipped
        self._user = user
        self._known: dict[Path, tuple[tuple[int, int], BindingSet]] = {}
        self.refused: dict[Path, LavliveError] = {}
        self.held: list[str] = []

    def find(self, device: str) -> BindingSet:
        """The user's set that fits the device best, else the shipped one, else an empty one.

        A set with the device's name is better than one with a pattern, a longer pattern better than a
        shorter one, and of two with the same name or pattern the file that was changed last.
        """
        for folder in (self._user, self._shipped):
            fitting = [found for found in self._sets(folder) if found.fits(device)]
            if fitting:
                return max(fitting, key=lambda found: _fitness(found, device))
        return BindingSet(device)

    def unused(self, devices: Collection[str]) -> list[str]:
        """The user's files that none of these devices uses, each with the reason; without refused ones."""
        used = {self.find(device).path: device for device in devices}
        reasons = []
        for found in self._sets(self._user):
            assert found.path is not None
            if found.path in used:
                continue
            fitting = [device for device in devices if found.fits(device)]
            if not fitting:
                reasons.append(f"{found.path.name} is for {found.device!r}, which is not plugged in")
            else:
                better = self.find(fitting[0]).path
                assert better is not None
                reasons.append(f"{found.path.name} is for {found.device!r}, for which {better.name} is used")
        return reasons

    def _sets(self, folder: Path) -> list[BindingSet]:
        try:
            paths = sorted(path for path in folder.glob("*.toml") if not path.name.startswith("."))
        except OSError:  # a folder that may not be looked into holds nothing for us
            return []
        return [found for path in paths[:_MOST_FILES] if (found := self._read(path))]

    def save(self, bindings: BindingSet) -> Path:
        """Write a device's set into the user's file that it came from, else into one named after the device.

        A refused file of that name is kept beside it.

        Raises:
            ControlError: the folder cannot be written to.
        """
        path = bindings.path
        if path is None or path.parent != self._user:
            path = self._user / file_name(bindings.device)
        if path in self.refused and path.exists():
            path.replace(path.with_suffix(".toml.refused"))
            del self.refused[path]
        content: dict[str, object] = {
            "schema": SCHEMA,
            "device": bindings.device,
            "feedback": bindings.feedback,
            "binding": [binding.to_table() for binding in bindings.bindings],
        }
        write_toml(path, content, ControlError)
        return path

    def _read(self, path: Path) -> BindingSet | None:
        """The set in a file, read anew when the file has changed."""
        stamp = version_of(path)
        if stamp is None:
            return None
        if path in self._known and self._known[path][0] == stamp:
            return self._known[path][1]
        try:
            found = read_bindings(path)
        except ControlError as reason:
            self.refused[path] = reason
            return None
        self.refused.pop(path, None)
        self.held += found.held
        self._known[path] = (stamp, found)
        return found


def _fitness(found: BindingSet, device: str) -> tuple[bool, int, int, str]:
    """How well a set fits a device that it fits: greater is better."""
    assert found.path is not None
    try:
        changed = found.path.stat().st_mtime_ns
    except OSError:
        changed = 0
    return found.is_named(device), len(found.device), changed, found.path.name


def file_name(device: str) -> str:
    """A file's name for a device's, readable and never the same for two devices."""
    readable = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")[:40] or "device"
    return f"{readable}-{hashlib.sha256(device.encode()).hexdigest()[:8]}.toml"


def read_bindings(path: Path) -> BindingSet:
    """Read a bindings file.

    Raises:
        ControlError: it cannot be used; the message gives file, line and reason.
    """
    file = read_toml(path, ControlError)
    schema = file.content.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise file.fault("schema", "bindings begin with schema = 1.")
    if schema > SCHEMA:
        raise file.fault("schema", f"schema {schema} is newer than this lavlive, which reads {SCHEMA}.")
    for key in file.content:
        if key not in ("schema", "device", "feedback", "binding"):
            raise file.fault(
                key, f"{key!r} is unknown; a bindings file has schema, device, feedback, binding."
            )
    device = file.content.get("device")
    if not isinstance(device, str) or not device:
        raise file.fault("device", "device is the name of a MIDI device, in quotes.")
    feedback = file.content.get("feedback", False)
    if not isinstance(feedback, bool):
        raise file.fault("feedback", "feedback is true or false.")
    tables = file.content.get("binding", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise file.fault("binding", "bindings are [[binding]] tables.")
    bindings = tuple(_read_binding(file, index, table) for index, table in enumerate(tables))
    return BindingSet(device, bindings, feedback, path, tuple(file.held))


def _read_binding(file: TomlFile, index: int, table: Mapping[str, object]) -> Binding:
    def fault(key: str, reason: str) -> LavliveError:
        return file.fault(f"binding.{index}.{key}", reason)

    known = {"source", "channel", "number", "parameter", "action", *DEFAULTS}
    for key in table:
        if key not in known:
            raise fault(key, f"{key!r} is unknown in a binding.")

    def word(key: str, kind: type[Enum], default: str | None = None) -> Enum:
        try:
            return kind(table.get(key, default))
        except ValueError:
            words = ", ".join(member.value for member in kind)
            raise fault(key, f"{key} is one of {words}.") from None

    def whole(key: str, low: int, high: int, default: int | None) -> int:
        value = table.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise fault(key, f"{key} is a whole number from {low} to {high}.")
        return value

    kind = word("source", MidiControlKind)
    assert isinstance(kind, MidiControlKind)
    wheel = kind in (MidiControlKind.BEND, MidiControlKind.PRESSURE)
    number = whole("number", 0, 0 if wheel else _HIGHEST.get(kind, 127), 0 if wheel else None)
    control = MidiControl(kind, whole("channel", 0, 16, 0), number)

    target = read_target(file, f"binding.{index}", table)
    mode = word("mode", Mode, "absolute")
    takeover = word("takeover", TakeoverMode) if "takeover" in table else None
    curve = word("curve", Curve, "linear")
    assert isinstance(mode, Mode)
    assert takeover is None or isinstance(takeover, TakeoverMode)
    assert isinstance(curve, Curve)
    invert = table.get("invert", False)
    if not isinstance(invert, bool):
        raise fault("invert", "invert is true or false.")
    low, high = read_ends(file, f"binding.{index}", table, target)
    step = table.get("step", 0.01)
    if not isinstance(step, int | float) or isinstance(step, bool) or not 0 < step <= 1:
        raise fault("step", "step is above 0 and at most 1.")
    return Binding(control, target, mode, takeover, invert, low, high, curve, float(step))
