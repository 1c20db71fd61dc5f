"""The sound devices of this machine: what there is, and which one a name means.

A name may be any part of a device's name in any case, as long as it fits one device only; or the index
that the listing shows. A device is found again by its whole name, so that none is taken for another.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from lavlive.audio import portaudio, pulse, wasapi
from lavlive.errors import SourceError

DeviceKind = Literal["input", "loopback", "output"]

_VIRTUAL_CABLES = ("blackhole", "loopback audio", "soundflower", "vb-cable", "background music")
_NO_VIRTUAL_CABLE = (
    "macOS gives no loopback of its own: install BlackHole (brew install blackhole-2ch), then make a "
    "Multi-Output Device of it and your loudspeakers in Audio MIDI Setup"
)


@dataclass(frozen=True, slots=True)
class Device:
    """A device that sound can come from or go to.

    Attributes:
        kind: "input", "loopback" (what an output plays) or "output".
        system: which part of the machine offers it: "ALSA", "Core Audio", "PulseAudio", …
        name: as the system shows it.
        id: what opens it again: its name, or the sound server's own name for it.
        index: PortAudio's, or −1.
        channels: 1 and more.
        rate: its usual rate in hertz.
        default: what is taken when no name is given.
    """

    kind: DeviceKind
    system: str
    name: str
    id: str
    index: int
    channels: int
    rate: int
    default: bool

    def __str__(self) -> str:
        where = self.system if self.index < 0 else f"{self.system}, index {self.index}"
        return f"“{self.name}” ({where})"


@dataclass(frozen=True, slots=True)
class Listing:
    """Devices of one kind, and why there are not more.

    Attributes:
        devices: perhaps none.
        reason: one line, when a sound system could not be asked; else empty.
    """

    devices: tuple[Device, ...]
    reason: str = ""


def list_inputs() -> Listing:
    """Line-ins and microphones: PortAudio's, and under Linux the sound server's before them.

    The server's come first so that its default is the default: PortAudio's "default" means whatever the
    server chooses at any time, and a microphone may take an unplugged line-in's place there.
    """
    listers = [lambda: _portaudio("input")]
    if sys.platform.startswith("linux"):
        listers.insert(0, lambda: _pulse("input"))
    return _collect(listers)


def list_outputs() -> Listing:
    """Where a track can be played aloud."""
    return _collect([lambda: _portaudio("output")])


def list_loopbacks() -> Listing:
    """What gives the sound that this machine plays."""
    if sys.platform.startswith("linux"):
        return _collect([lambda: _pulse("loopback")])
    if sys.platform == "win32":
        return _collect([_wasapi])
    listing = _collect([_virtual_cables])
    return listing if listing.devices else Listing((), listing.reason or _NO_VIRTUAL_CABLE)


def find_input(name: str | int | None) -> Device:
    """The input that a name or an index means; None means the system's default.

    Raises:
        SourceError: none or several fit; the message lists them.
    """
    return choose(name, list_inputs(), "input")


def find_loopback(name: str | int | None) -> Device:
    """The loopback that a name means; None means that of the default output.

    Raises:
        SourceError: none or several fit; the message lists them.
    """
    return choose(name, list_loopbacks(), "loopback")


def find_output(name: str | int | None) -> Device:
    """The output that a name or an index means; None means the system's default.

    Raises:
        SourceError: none or several fit; the message lists them.
    """
    return choose(name, list_outputs(), "output")


def find_again(device: Device) -> Device:
    """The same device in a fresh listing, whatever its index is now.

    ALSA numbers cards as they come, so "(hw:1,0)" in a name may have become "(hw:2,0)".

    Raises:
        SourceError: it is not there.
    """
    lister = {"input": list_inputs, "output": list_outputs, "loopback": list_loopbacks}[device.kind]
    listing = lister()
    there = [other for other in listing.devices if other.system == device.system]
    same = [other for other in there if other.id == device.id]
    same = same or [other for other in there if _bare(other.id) == _bare(device.id)]
    same = [other for other in same if other.index == device.index] if len(same) > 1 else same
    if not same:
        raise SourceError(f"{device} is not there" + (f": {listing.reason}" if listing.reason else ""))
    return same[0]


def choose(name: str | int | None, listing: Listing, kind: DeviceKind) -> Device:
    """The one device of a listing that a name, an index or None (the default) means.

    Raises:
        SourceError: none or several fit; the message lists them.
    """
    devices = listing.devices
    if not devices:
        raise SourceError(f"there is no {kind}" + (f": {listing.reason}" if listing.reason else ""))
    if name is None:
        fitting = [device for device in devices if device.default][:1]
        wanted = f"default {kind}"
    elif isinstance(name, int) or name.strip().isdecimal():
        fitting = [device for device in devices if device.index == int(name) >= 0]
        wanted = f"{kind} with index {name}"
    else:
        fitting = _fitting(name, devices)
        wanted = f"{kind} “{name}”"
    if len(fitting) > 1:
        raise SourceError(f"{wanted} fits several: {_listed(fitting)}; give more of the name, or the index")
    if not fitting:
        raise SourceError(f"there is no {wanted}; there are: {_listed(devices)}")
    return fitting[0]


def _fitting(name: str, devices: Sequence[Device]) -> list[Device]:
    wanted = name.casefold().strip()
    exact = [device for device in devices if wanted in (device.name.casefold(), device.id.casefold())]
    return exact or [
        device for device in devices if wanted in device.name.casefold() or wanted in device.id.casefold()
    ]


def _listed(devices: Sequence[Device]) -> str:
    return ", ".join(str(device) for device in devices)


def _bare(name: str) -> str:
    return re.sub(r"\s*\(hw:\d+,\d+\)", "", name)


def _collect(listers: Sequence[Callable[[], list[Device]]]) -> Listing:
    devices: list[Device] = []
    reasons: list[str] = []
    for lister in listers:
        try:
            devices += lister()
        except SourceError as error:
            reasons.append(str(error))
    return Listing(tuple(devices), "; ".join(reasons))


def _portaudio(kind: Literal["input", "output"]) -> list[Device]:
    found = [
        Device(
            kind, entry.system, entry.name, entry.name, entry.index, entry.channels, entry.rate, entry.default
        )
        for entry in portaudio.entries(kind)
    ]
    # Windows shows every device once per driver model; WASAPI is the one with whole names and low delay.
    best = [device for device in found if "WASAPI" in device.system]
    return best or found


def _pulse(kind: Literal["input", "loopback"]) -> list[Device]:
    return [
        Device(
            kind,
            "PulseAudio",
            source.description,
            source.id,
            -1,
            source.channels,
            source.rate,
            source.default,
        )
        for source in pulse.list_sources()
        if source.monitor == (kind == "loopback")
    ]


def _wasapi() -> list[Device]:
    return [
        Device("loopback", "WASAPI", name, name, -1, channels, wasapi.RATE, default)
        for name, channels, default in wasapi.list_loopbacks()
    ]


def _virtual_cables() -> list[Device]:
    cables = [
        device
        for device in _portaudio("input")
        if any(cable in device.name.casefold() for cable in _VIRTUAL_CABLES)
    ]
    return [
        Device("loopback", cable.system, cable.name, cable.id, cable.index, cable.channels, cable.rate, first)
        for cable, first in zip(cables, [True] + [False] * len(cables), strict=False)
    ]
