"""The kinds of takers, by name: what each needs, and whether this machine has it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lavlive.errors import LavliveError
from lavlive.stage.output.takers.addresses import Stream, WhipTarget
from lavlive.stage.output.takers.base import Taker
from lavlive.stage.output.takers.outlets import OutletSpec

CAMERA_SIZE, CAMERA_RATE = (1280, 720), 30.0
_CAMERAS = Path("/sys/devices/virtual/video4linux")


@dataclass(frozen=True)
class TakerKind:
    """One row of the table.

    Attributes:
        name: as in the action ``output.NAME``.
        help: what it is, for a performer.
        lacks: what this machine lacks for it, "" for nothing.
        note: what the performer should know besides.
    """

    name: str
    help: str
    lacks: Callable[[], str]
    note: str = ""


def _module(name: str, how: str) -> str:
    return "" if importlib.util.find_spec(name) is not None else how


def _srt() -> str:
    from lavlive.stage.output.takers.transports import srt_library

    try:
        srt_library()
    except LavliveError as error:
        return str(error)
    return ""


def _camera() -> str:
    lacking = _module("pyvirtualcam", "pip install 'lavlive[camera]' (GPL)")
    if not lacking and sys.platform.startswith("linux") and not any(_CAMERAS.glob("video*")):
        return "no virtual camera: modprobe v4l2loopback"
    return lacking


def _syphon() -> str:
    return "macOS only" if sys.platform != "darwin" else _module("syphon", "pip install 'lavlive[syphon]'")


def _spout() -> str:
    return "Windows only" if sys.platform != "win32" else _module("SpoutGL", "pip install 'lavlive[spout]'")


KINDS: tuple[TakerKind, ...] = (
    TakerKind("stream", "RTMP and RTMPS (YouTube, Twitch, nginx), MPEG-TS over UDP", lambda: ""),
    TakerKind("stream", "SRT", _srt),
    TakerKind("stream", "WHIP (WebRTC)", lambda: _module("aiortc", "pip install 'lavlive[whip]'")),
    TakerKind(
        "ndi",
        "NDI, pictures and sound on the network",
        lambda: _module("cyndilib", "pip install 'lavlive[ndi]'"),
    ),
    TakerKind("camera", "a camera for other programs", _camera, "never run by us"),
    TakerKind("syphon", "Syphon", _syphon, "never run by us"),
    TakerKind("spout", "Spout", _spout, "never run by us"),
)
"""In the order in which they are listed."""


def outlets_of(streams: Sequence[Stream], name: str = "lavlive") -> list[OutletSpec]:
    """Every outlet that a show has: its streams, and one of each other kind.

    Args:
        name: under which others find the canvas.
    """
    specs = [stream_spec(stream) for stream in streams]
    specs.append(OutletSpec("ndi", "ndi", f"NDI, as {name}", lambda: _ndi(name)))
    specs.append(OutletSpec("camera", "camera", "a virtual camera", _open_camera, CAMERA_RATE, CAMERA_SIZE))
    if sys.platform == "darwin":
        specs.append(OutletSpec("syphon", "syphon", f"Syphon, as {name}", lambda: _open_syphon(name)))
    if sys.platform == "win32":
        specs.append(OutletSpec("spout", "spout", f"Spout, as {name}", lambda: _open_spout(name)))
    return specs


def stream_spec(stream: Stream) -> OutletSpec:
    """A stream as one of the outlets."""
    settings = stream.settings
    return OutletSpec(
        stream.name, "stream", stream.target.url, lambda: _open_stream(stream), settings.rate, settings.size
    )


def _open_stream(stream: Stream) -> Taker:
    if isinstance(stream.target, WhipTarget):
        from lavlive.stage.output.takers.whip import WhipTaker

        return WhipTaker(stream.target, stream.settings)
    from lavlive.stage.output.takers.stream import StreamTaker

    return StreamTaker(stream)


def _ndi(name: str) -> Taker:
    from lavlive.stage.output.takers.ndi import NdiTaker

    return NdiTaker(name)


def _open_camera() -> Taker:
    from lavlive.stage.output.takers.camera import CameraTaker

    return CameraTaker(CAMERA_SIZE, CAMERA_RATE)


def _open_syphon(name: str) -> Taker:
    from lavlive.stage.output.takers.syphon import SyphonTaker

    return SyphonTaker(name)


def _open_spout(name: str) -> Taker:
    from lavlive.stage.output.takers.spout import SpoutTaker

    return SpoutTaker(name)
