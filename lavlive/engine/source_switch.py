"""The source that an engine listens to, and the change to another one.

Opening a device may take seconds, and a bad driver may never return: that happens in a thread of its own,
while the engine goes on with what it has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from lavlive.audio import portaudio
from lavlive.audio.sources import Source, SourceSpec, open_source
from lavlive.engine.mailbox import Mailbox
from lavlive.errors import LavliveError
from lavlive.link.messages import (
    EngineEvent,
    SourceLost,
    SourceNotice,
    SourceOpened,
    SourceRefused,
    SourceRunning,
)

_LOOK_SECONDS = 0.5
_STUCK_SECONDS = 2.0
_TOLD: dict[str, type[SourceLost | SourceRunning | SourceNotice]] = {
    "lost": SourceLost,
    "running": SourceRunning,
}


class SourceSwitch:
    """Owns the source.

    Args:
        spec: what to listen to at first.
        tell: takes events for the stage.

    Attributes:
        on_change: takes another source as soon as its sound comes; the old one is stopped after it.
    """

    def __init__(self, spec: SourceSpec, tell: Callable[[EngineEvent], None]) -> None:
        self.on_change: Callable[[Source], None] = lambda _: None
        self._listening = (open_source(spec), spec)
        self._told: tuple[Source, str] | None = None
        self._tell = tell
        self._wanted: Mailbox[SourceSpec] = Mailbox()
        self._ending = threading.Event()
        self._stuck_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="source switch", daemon=True)

    @property
    def source(self) -> Source:
        """What is listened to now."""
        return self._listening[0]

    def start(self, resumed: bool) -> None:
        """Let sound come.

        Args:
            resumed: this is the middle of a show: come back at once and wait for a device that is away.

        Raises:
            SourceError: at the beginning of a show the device or track cannot be opened.
        """
        if not resumed:
            self.source.start()
        self._thread.start()

    def change(self, spec: SourceSpec) -> None:
        """Open another source and listen to it; what cannot be opened is told, and changes nothing."""
        self._wanted.put(spec)

    def step(self) -> None:
        """Tell what happened to the source, and which device it turned out to be."""
        source, spec = self._listening
        for event in source.events():
            self._tell(_TOLD.get(event.kind, SourceNotice)(event.text))
        if source.address and (source, source.address) != self._told:
            self._told = source, source.address
            self._tell(SourceOpened(_found(spec, source.address)))

    def stuck(self, now: float) -> bool:
        """Whether a driver holds a lost device for so long that only another process can open it again.

        JACK's library never returns from the closing of a stream whose server was killed.
        """
        if self.source.state != "lost" or not portaudio.hangs():
            self._stuck_since = None
            return False
        if self._stuck_since is None:
            self._stuck_since = now
        return now - self._stuck_since > _STUCK_SECONDS

    def stop(self) -> None:
        """Let go of the device."""
        self._ending.set()
        self.source.stop()

    def _run(self) -> None:
        if self.source.state == "idle":
            self.source.start(wait_for_device=True)
            if self._ending.is_set():  # a driver may have hung over the end
                self.source.stop()
        while not self._ending.is_set():
            spec = self._wanted.take(_LOOK_SECONDS)
            if spec is not None:
                self._open(spec)

    def _open(self, spec: SourceSpec) -> None:
        source = open_source(spec)
        try:
            source.start()
        except LavliveError as error:
            self._refuse(spec, str(error))
        except Exception as error:  # whatever a driver raises, the old source goes on
            self._refuse(spec, f"{type(error).__name__}: {error}")
        else:
            if self._ending.is_set():
                source.stop()
                return
            old = self.source
            self._listening = source, spec
            self.on_change(source)
            self._tell(SourceRunning(f"Listening to {source.name}"))
            old.stop()

    def _refuse(self, spec: SourceSpec, text: str) -> None:
        self._tell(SourceRefused(spec, text))


def _found(spec: SourceSpec, address: str) -> SourceSpec:
    """The description that means the device which was found, and no other."""
    return replace(spec, name=address) if spec.kind in ("input", "loopback") else spec
