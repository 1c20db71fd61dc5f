"""Everything under the performer's hands, joined: the one object that the show talks to."""

from __future__ import annotations

import threading
from types import TracebackType

import numpy as np

from lavlive.control.actions import ACTIONS, Action
from lavlive.control.binding_files import BindingFolders
from lavlive.control.events import ControlEvent
from lavlive.control.midi import DeviceChange, MidiPorts
from lavlive.control.midi_system import MidiSystem
from lavlive.control.router import Router
from lavlive.parameters import Value, Values


class Control:
    """MIDI, keys and the values that they move; belongs to the stage's main thread.

    A context manager. Other threads only fill inboxes; `step` empties them once a picture.
    """

    def __init__(
        self,
        values: Values,
        bindings: BindingFolders,
        midi: MidiSystem | None = None,
        midi_only: str | None = None,
    ) -> None:
        self.values = values
        self.midi = MidiPorts(midi, midi_only) if midi is not None else None
        self.bindings = bindings
        self.router = Router(values, self._from_hands)
        self._owner = threading.get_ident()

    def __enter__(self) -> Control:
        if self.midi is not None:
            self.midi.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every port."""
        if self.midi is not None:
            self.midi.close()

    @property
    def revision(self) -> int:
        """Grows whenever `numbers` would give something new."""
        return self.values.revision

    def numbers(self, now: float) -> np.ndarray:
        """The values for the engine, float64 in the table's order."""
        return self.values.numbers

    def step(self, now: float) -> list[Action]:
        """Apply what has come in since the last call; returns what the show has to do itself."""
        if threading.get_ident() != self._owner:
            raise RuntimeError("Control.step belongs to the thread that made the Control.")
        asked: list[Action] = []
        if self.midi is not None:
            for event in self.midi.inbox.drain():
                if isinstance(event, ControlEvent):
                    asked += self.router.handle(event)
                elif isinstance(event, DeviceChange):
                    self._device_changed(event)
        return [action for action in asked if ACTIONS[action.name].for_show]

    def _device_changed(self, event: DeviceChange) -> None:
        if not event.connected:
            self.router.forget_positions(event.device)
        elif event.device not in self.router.devices:
            self.router.connect(event.device, self.bindings.find(event.device))

    def _from_hands(self, name: str, value: Value) -> None:
        self.values.set(name, value)
