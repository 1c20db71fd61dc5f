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
from dataclasses import dataclass

from lavlive.audio import devices, portaudio, pulse, wasapi
from lavlive.audio.block import Clock
from lavlive.audio.players import SilentPlayer, play_aloud
from lavlive.audio.source import Capture, Source, SourceEvent
from lavlive.audio.spec import SourceSpec
from lavlive.audio.tracks import Track
from lavlive.resources import shipped

__all__ = ["Source", "SourceEvent", "SourceSpec", "open_source"]


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
