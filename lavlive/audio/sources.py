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
from lavlive.audio.channels import ALL, FRONT, Pick
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
    usual = FRONT if spec.kind == "input" else ALL
    pick = usual if spec.channels is None else Pick.parse(spec.channels)
    if spec.kind in ("track", "demo"):
        return Source(_TrackOpener(spec, clock), clock, pick)
    opener = _DeviceOpener(spec, clock, pick)
    return Source(opener, clock, pick, opener.widen)


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
    pick: Pick
    device: devices.Device | None = None
    _opened: int = 0

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

    def widen(self, pick: Pick) -> bool:
        """Open the device for these channels the next time; whether it has more of them than are open."""
        if self.device is None or not 0 < self._opened < _width(pick, self.device):
            return False
        self.pick = pick
        return True

    def _open(self, device: devices.Device) -> Capture:
        if device.system == "PulseAudio":
            return pulse.PulseCapture(device.id, self.clock)
        if device.kind == "loopback" and device.index < 0:
            return wasapi.LoopbackCapture(device.id, self.clock)
        capture = portaudio.InputCapture(device.index, self.clock, _width(self.pick, device))
        self._opened = capture.ring.channels
        return capture


def _width(pick: Pick, device: devices.Device) -> int:
    """How many of an interface's channels to open, from the first on: some have dozens.

    One that has too few is opened as it is; whoever picks from it says so.
    """
    wanted = device.channels if pick.word == "all" else max(2, pick.needs)
    return min(wanted, device.channels)
