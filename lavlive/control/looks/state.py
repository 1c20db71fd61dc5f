"""The whole state of a show, kept on disk so that a crash loses a second at most."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from lavlive.audio.spec import SourceSpec
from lavlive.checking import plain, read_fields
from lavlive.control.remote.door import parse_place
from lavlive.errors import ControlError, ParameterError, PresetError
from lavlive.files import read_whole, write_whole
from lavlive.link.keyframes import MOST, Keyframe
from lavlive.parameters import Value, find, thread_here

SCHEMA = 1
_PERIOD = 1.0
_LARGEST = 1 << 20
MASTER = "show.master"
"""Goes on where it was, for it dims a wall of light all night; but not at black."""
_NEVER_RESTORED = ("show.blackout", "show.freeze")


@dataclass(frozen=True)
class ShowState:
    """What a show needs to go on where it was.

    Attributes:
        values: parameters by name, checked.
        preset: the preset recalled last, or "".
        source: what was listened to, None where that is not known.
        model: a bundled model's name or a file's path, or None for the first bundled one.
        snapshots: the values kept under the numbers 1 to 8.
        clean: whether the show was ended by the performer.
        encoder: ``bundled``, ``encodec`` or a path.
        learned: path of a learned projection, or None.
        keyframes: moments that were kept.
        mix: the model that is mixed in, by its name in the bank, or "".
        remote: where phones were let in, as ``--remote`` takes it; None where they were not.
        problems: what its file held that could not be used, one line each with file, line and field.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    preset: str = ""
    source: SourceSpec | None = None
    model: str | None = None
    snapshots: Mapping[int, Mapping[str, Value]] = field(default_factory=dict)
    clean: bool = False
    encoder: str = "bundled"
    learned: str | None = None
    keyframes: tuple[Keyframe, ...] = ()
    problems: tuple[str, ...] = field(default=(), compare=False)
    mix: str = ""
    remote: str | None = None

    def to_json(self) -> str:
        """As the text of the state file."""
        return json.dumps(
            {
                "schema": SCHEMA,
                "clean": self.clean,
                "preset": self.preset,
                "source": None if self.source is None else plain(self.source),
                "model": self.model,
                "encoder": self.encoder,
                "learned": self.learned,
                "mix": self.mix,
                "remote": self.remote,
                "keyframes": [plain(keyframe) for keyframe in self.keyframes],
                "values": dict(self.values),
                "snapshots": {str(number): dict(kept) for number, kept in self.snapshots.items()},
            },
            indent=1,
        )


@dataclass(frozen=True)
class _StateFile:
    """What a state file may hold; values and snapshots have the parameters' own limits."""

    schema: Annotated[int, Meta(ge=SCHEMA, le=SCHEMA)]
    clean: bool = False
    preset: str = ""
    source: SourceSpec | None = None
    model: str | None = None
    encoder: Annotated[str, Meta(min_length=1)] = "bundled"
    learned: str | None = None
    mix: str = ""
    remote: str | None = None
    keyframes: tuple[Keyframe, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)


class _Damaged(PresetError):
    """A file that holds no whole state."""


class StateKeeper:
    """Writes the state once a second, from a thread of its own so that no picture waits for a disk.

    The file is replaced whole; the one before is kept beside it as ``.bak``.

    Attributes:
        problem: why the last write failed, None when it did not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._newest: deque[ShowState] = deque(maxlen=1)
        self._written: str | None = None
        self._due = float("-inf")
        self._wake = threading.Event()
        self._ending = False
        self.problem: str | None = None
        self._thread = thread_here(self._run, "state keeper")
        self._thread.start()

    def step(self, state: Callable[[], ShowState], now: float) -> None:
        """Have the present state written, if a second has gone by: only then it is asked for."""
        if now >= self._due:
            self._due = now + _PERIOD
            self._newest.append(state())
            self._wake.set()

    def close(self, state: ShowState | None = None) -> None:
        """Write a last state and end the thread."""
        if state is not None:
            self._newest.append(state)
        self._ending = True
        self._wake.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            ending = self._ending
            while self._newest:
                self._write(self._newest.pop())
            if ending:
                return

    def _write(self, state: ShowState) -> None:
        try:
            text = state.to_json()
            if text == self._written:
                return
            if _is_whole(self._path):
                write_whole(backup_of(self._path), read_whole(self._path, _LARGEST))
            write_whole(self._path, text.encode("utf-8"))
        except Exception as reason:  # a thread that ended here would keep nothing more, and nobody would know
            detail = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
            self.problem = f"{self._path} cannot be written: {detail}."
        else:
            self.problem, self._written = None, text


def _is_whole(path: Path) -> bool:
    try:
        return read_state_file(path) is not None
    except PresetError:
        return False


def backup_of(path: Path) -> Path:
    """Where the state before the last is kept."""
    return path.with_name(f"{path.name}.bak")


def read_state(path: Path) -> ShowState | None:
    """The last state, else the one before it; damage is never an error, `problems` tell of it.

    Where neither is whole, a state of a fresh show that holds only these; where there is no file, None.
    """
    damage: list[str] = []
    for candidate in (path, backup_of(path)):
        try:
            state = read_state_file(candidate)
        except _Damaged as reason:
            damage.append(f"{reason} The show goes on without it.")
            continue
        if state is not None:
            return replace(state, problems=(*damage, *state.problems))
    # Nothing is taken from damage, but it is told.
    return ShowState(clean=True, problems=tuple(damage)) if damage else None


def read_state_file(path: Path) -> ShowState | None:
    """The state in one file, None where there is no file; what no longer fits is left out and told.

    Raises:
        PresetError: there is no whole state in it; the message gives file, line and reason.
    """
    try:
        data = read_whole(path, _LARGEST)
    except FileNotFoundError:
        return None
    except OSError as reason:
        raise _Damaged(f"{path} cannot be read: {reason.strerror or reason}.") from None
    try:
        text = data.decode("utf-8")
        content = json.loads(text)
    except json.JSONDecodeError as reason:
        raise _Damaged(f"{path}, line {reason.lineno}: no state of a show ({reason.msg}).") from None
    except (ValueError, RecursionError) as reason:
        raise _Damaged(f"{path}, line 1: no state of a show ({reason}).") from None
    written, faults = read_fields(_StateFile, _renewed(content))
    if "schema" not in written:
        raise _Damaged(f"{path}, line {line_of(text, 'schema')}: schema is {SCHEMA} in a state of a show.")
    problems = [(fault.key.split("."), fault.reason) for fault in faults]
    file = _StateFile(**written)
    values = _values(file.values, ("values",), problems, restored=True)
    snapshots = {}
    for number, kept in file.snapshots.items():
        if number in "12345678" and len(number) == 1:
            snapshots[int(number)] = _values(kept, ("snapshots", number), problems)
        else:
            problems.append((["snapshots", number], f"snapshots are numbered 1 to 8, not {number[:20]!r}."))
    return ShowState(
        values=values,
        preset=file.preset,
        source=file.source,
        model=file.model,
        encoder=file.encoder,
        learned=file.learned,
        snapshots=snapshots,
        keyframes=_undamaged(file.keyframes, problems),
        clean=file.clean,
        mix=file.mix,
        remote=_a_place(file.remote, problems),
        problems=tuple(f"{path}, line {line_of(text, *keys)}: {reason}" for keys, reason in problems),
    )


def _undamaged(
    keyframes: tuple[Keyframe, ...], problems: list[tuple[list[str], str]]
) -> tuple[Keyframe, ...]:
    """Those whose codes can be read; the others are told in `problems`."""
    kept = []
    for keyframe in keyframes[:MOST]:
        try:
            keyframe.w  # noqa: B018
        except ValueError as reason:
            problems.append((["keyframes"], str(reason)))
        else:
            kept.append(keyframe)
    return tuple(kept)


def _a_place(remote: str | None, problems: list[tuple[list[str], str]]) -> str | None:
    """Where phones were let in, None where that cannot be: it is told in `problems` then."""
    try:
        if remote is not None:
            parse_place(remote)
    except ControlError as reason:
        problems.append((["remote"], str(reason)))
        return None
    return remote


def _renewed(content: object) -> object:
    """What versions before wrote differently: the channels of a source were a list of numbers."""
    match content:
        case {"source": {"channels": [_, *_] as numbers, **source}, **rest}:
            return rest | {"source": source | {"channels": ",".join(map(str, numbers))}}
    return content


def line_of(text: str, *keys: str) -> int:
    """The line of JSON, from 1, on which the last of nested keys stands; else of its nearest parent."""
    at = 0
    for key in keys:
        found = re.compile(re.escape(json.dumps(key)) + r"\s*:").search(text, at)
        if found is None:
            break
        at = found.start()
    return text.count("\n", 0, at) + 1


def _values(
    written: Mapping[str, object],
    place: tuple[str, ...],
    problems: list[tuple[list[str], str]],
    restored: bool = False,
) -> dict[str, Value]:
    """The parameters that still exist, with the values that they still take or the nearest ones.

    What is left out or moved is told in `problems`. A show that comes back is never black or frozen.
    """
    values: dict[str, Value] = {}
    for name, value in written.items():
        if restored and name in _NEVER_RESTORED:
            continue
        try:
            nearest, held = find(name).hold(value)
        except (ParameterError, OverflowError) as reason:
            problems.append(([*place, name], str(reason)))
            continue
        if restored and name == MASTER and nearest == 0:
            continue
        values[name] = nearest
        if held:
            problems.append(([*place, name], f"{name} cannot be {value}; it is held at {nearest}."))
    return values
