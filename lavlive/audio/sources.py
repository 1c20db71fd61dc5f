"""Where sound comes from: a line-in, a loopback of what the machine plays, or a track.

    spec = SourceSpec("track", "song.flac")
    with open_source(spec) as source:
        cutter = HopCutter()
        while source.state != "ended":
            block = source.read()
            hops = cutter.step(block) if block else []

A source that loses its device stays a source: its state becomes "lost", it tries the same device again
every 2 s by name, never another one instead, and is "running" when it has it back.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from lavlive.audio import devices, portaudio, pulse, wasapi
from lavlive.audio.block import MAX_CHANNELS, Clock
from lavlive.audio.players import SilentPlayer, play_aloud
from lavlive.audio.source import Capture, Source, SourceEvent
from lavlive.audio.tracks import Track
from lavlive.errors import SourceError
from lavlive.resources import shipped

__all__ = ["Source", "SourceEvent", "SourceSpec", "open_source"]

Kind = Literal["input", "loopback", "track", "demo"]


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What to listen to; all that a restarted engine needs to open the same source.

    Attributes:
        kind: "input" (line-in), "loopback" (what the machine plays), "track", or "demo".
        name: of the device (any part that is unique, or its index) or the track's path; None for the
            system's default device. Unused for "demo".
        aloud: a track is played through the default output too.
        loop: a track begins again after its end.
        channels: which channels to mix, counted from 1; None takes all of a track or loopback, and the
            first two of an interface.
    """

    kind: Kind
    name: str | None = None
    aloud: bool = False
    loop: bool = True
    channels: tuple[int, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SourceSpec:
        """From what `to_json` gave, perhaps read from a file.

        Raises:
            SourceError: a value has the wrong type.
        """
        if not isinstance(values, dict):
            raise SourceError(f"not a description of a sound source: {values!r}")
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        if isinstance(channels := known.get("channels"), list):
            known["channels"] = tuple(channels)
        spec = cls(**known) if "kind" in known else None
        if (
            spec is None
            or spec.kind not in get_args(Kind)
            or not isinstance(spec.name, str | None)
            or not isinstance(spec.aloud, bool)
            or not isinstance(spec.loop, bool)
            or (spec.kind == "track" and not spec.name)
            or not _are_channels(spec.channels)
        ):
            raise SourceError(f"not a description of a sound source: {values!r}")
        return spec


def _are_channels(channels: object) -> bool:
    if channels is None:
        return True
    return (
        isinstance(channels, tuple)
        and len(channels) > 0
        and all(isinstance(channel, int) and 1 <= channel <= MAX_CHANNELS for channel in channels)
    )


def open_source(spec: SourceSpec, clock: Clock = time.perf_counter) -> Source:
    """A source for a description; its `start` opens it.

    Args:
        spec: what to listen to.
        clock: seconds.
    """
    opener = _TrackOpener(spec, clock) if spec.kind in ("track", "demo") else _DeviceOpener(spec, clock)
    return Source(opener, clock, spec.channels)


@dataclass
class _TrackOpener:
    spec: SourceSpec
    clock: Clock

    def __call__(self) -> Capture:
        path = str(shipped("data") / "demo.ogg") if self.spec.kind == "demo" else str(self.spec.name)
        if self.spec.aloud:
            return play_aloud(path, self.spec.loop, self.clock)
        return SilentPlayer(Track(path), self.spec.loop, self.clock)


@dataclass
class _DeviceOpener:
    """Opens the device that the name meant the first time, and from then on that one only."""

    spec: SourceSpec
    clock: Clock
    device: devices.Device | None = None

    def __call__(self) -> Capture:
        if self.device is not None:
            # A source of the sound server is asked for by its own name, without PortAudio's lists.
            if self.device.index < 0:
                return self._open(self.device)
            return self._open(devices.find_again(self.device))
        find = devices.find_input if self.spec.kind == "input" else devices.find_loopback
        device = find(self.spec.name)
        capture = self._open(device)
        self.device = device
        return capture

    def _open(self, device: devices.Device) -> Capture:
        if device.system == "PulseAudio":
            return pulse.PulseCapture(device.id, self.clock)
        if device.kind == "loopback" and device.index < 0:
            return wasapi.LoopbackCapture(device.id, self.clock)
        channels = None if self.spec.channels is None else max(self.spec.channels)
        return portaudio.InputCapture(device.index, self.clock, channels)
