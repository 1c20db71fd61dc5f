"""The whole state of a show, kept on disk so that a crash loses a second at most."""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lavlive.control.looks.toml_files import replace_file
from lavlive.errors import ParameterError
from lavlive.parameters import Value, find

SCHEMA = 1
_PERIOD = 1.0
_LARGEST = 1 << 20
_NEVER_RESTORED = ("show.blackout", "show.freeze")


@dataclass(frozen=True)
class ShowState:
    """What a show needs to go on where it was.

    Attributes:
        values: parameters by name, checked.
        preset: the preset recalled last, or "".
        source: the sound source, as its own JSON has it.
        model: a bundled model's name or a file's path, or None for the first bundled one.
        snapshots: the values kept under the numbers 1 to 8.
        clean: whether the show was ended by the performer.
        encoder: ``bundled``, ``encodec`` or a path.
        learned: path of a learned projection, or None.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    preset: str = ""
    source: Mapping[str, object] = field(default_factory=dict)
    model: str | None = None
    snapshots: Mapping[int, Mapping[str, Value]] = field(default_factory=dict)
    clean: bool = False
    encoder: str = "bundled"
    learned: str | None = None

    def to_json(self) -> str:
        """As the text of the state file."""
        return json.dumps(
            {
                "schema": SCHEMA,
                "clean": self.clean,
                "preset": self.preset,
                "source": dict(self.source),
                "model": self.model,
                "encoder": self.encoder,
                "learned": self.learned,
                "values": dict(self.values),
                "snapshots": {str(number): dict(kept) for number, kept in self.snapshots.items()},
            },
            indent=1,
        )


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
        self._thread = threading.Thread(target=self._run, name="state keeper", daemon=True)
        self._thread.start()

    def step(self, state: ShowState, now: float) -> None:
        """Hand over the present state; it is written if a second has gone by."""
        if now >= self._due:
            self._due = now + _PERIOD
            self._newest.append(state)
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
                self._write(self._newest.pop().to_json())
            if ending:
                return

    def _write(self, text: str) -> None:
        if text == self._written:
            return
        try:
            if self._path.exists() and read_state_file(self._path) is not None:
                replace_file(backup_of(self._path), self._path.read_bytes())
            replace_file(self._path, text.encode("utf-8"))
        except (OSError, MemoryError) as reason:
            detail = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
            self.problem = f"{self._path} cannot be written: {detail}."
        else:
            self.problem, self._written = None, text


def backup_of(path: Path) -> Path:
    """Where the state before the last is kept."""
    return path.with_name(f"{path.name}.bak")


def read_state(path: Path) -> ShowState | None:
    """The last state, else the one before it, else None; damage is never an error."""
    for candidate in (path, backup_of(path)):
        state = read_state_file(candidate)
        if state is not None:
            return state
    return None


def read_state_file(path: Path) -> ShowState | None:
    """The state in one file, None where there is no whole one; what no longer fits is left out."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        return None
    model, source, snapshots = content.get("model"), content.get("source"), content.get("snapshots")
    encoder, learned = content.get("encoder"), content.get("learned")
    return ShowState(
        values=_values(content.get("values"), restored=True),
        preset=str(content.get("preset") or ""),
        source=source if isinstance(source, dict) else {},
        model=model if isinstance(model, str) else None,
        encoder=encoder if isinstance(encoder, str) and encoder else "bundled",
        learned=learned if isinstance(learned, str) else None,
        snapshots={
            int(number): _values(kept)
            for number, kept in (snapshots.items() if isinstance(snapshots, dict) else ())
            if number in "12345678" and len(number) == 1
        },
        clean=content.get("clean") is True,
    )


def _values(written: object, restored: bool = False) -> dict[str, Value]:
    """The parameters that still exist, with the values that they still take or the nearest ones.

    A show that comes back is never black or frozen.
    """
    values: dict[str, Value] = {}
    for name, value in written.items() if isinstance(written, dict) else ():
        if restored and name in _NEVER_RESTORED:
            continue
        if isinstance(value, float) and not math.isfinite(value):
            continue
        try:
            values[name], _ = find(name).hold(value)
        except ParameterError:
            continue
    return values
