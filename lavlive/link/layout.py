"""Where everything lies in the memory that stage and engine share.

A slot has room for the largest picture that may come, and takes as much memory as the model's pictures
do: the system gives memory to what is written (on Windows it keeps the whole in reserve).
"""

from __future__ import annotations

import numpy as np

from lavlive.diagnosis.signs import LENGTHS
from lavlive.link.contents import BeatClock, Journey
from lavlive.parameters import TABLE

MAX_RESOLUTION = 2048
MAX_PIXELS = 2 * MAX_RESOLUTION * MAX_RESOLUTION
"""Of a picture; a wide one has more than a square one of the same model."""
SLOTS = 4
SOUND_FRAMES = 1 << 18
"""Length of the sound ring: 5 s at 48 kHz, 1.4 s at 192 kHz."""

WIDEST_W = 1024
"""Dimensions of the widest W that we read."""

METERS: dict[str, int] = {
    "engine.heartbeat": 1,
    "engine.started": 1,
    "audio.rate": 1,
    "audio.channels": 1,
    "audio.level": 1,
    "audio.peak": 1,
    "audio.clipped": 1,
    "audio.invalid": 1,
    "audio.offset": 1,
    "audio.silent": 1,
    "audio.opposite": 1,
    "audio.gain": 1,
    "audio.too_quiet": 1,
    "audio.xruns": 1,
    "audio.dropped": 1,
    "audio.waveform": 256,
    "audio.spectrum": 64,
    "audio.onset": 1,
    "audio.chroma": 12,
    "latent.hops": 1,
    "latent.invalid": 1,
    "latent.parameter_revision": 1,
    "latent.motion": 3,
    "latent.deviation": 3,
    "latent.histogram": 32,
    "latent.groups": 3 * WIDEST_W,
    "latent.width": 1,
    "latent.groups_version": 1,
    "latent.groups_captured": 1,
    "time.encode": 1,
    "time.map": 1,
    "time.smooth": 3,
    "time.generate": 1,
    "picture.rate": 1,
    "picture.count": 1,
    "picture.limited": 1,
    "picture.change": 1,
    **{f"diagnosis.{name}": length for name, length in LENGTHS.items()},
}
"""Name and length of every meter; seconds, hertz and counts, as the name says."""

_SLOT_HEADER = np.dtype(
    [
        ("sequence", "<i8"),
        ("height", "<i8"),
        ("width", "<i8"),
        ("captured", "<f8"),
        ("made", "<f8"),
        ("parameter_revision", "<i8"),
        ("journey", "<f8", (len(Journey._fields),)),
    ]
)
BLOCK = np.dtype(
    [
        ("version", "<i8"),
        ("newest", "<i8"),
        ("slots", _SLOT_HEADER, (SLOTS,)),
        ("sound_rate", "<i8"),
        ("sound_position", "<i8"),
        ("sound_captured", "<f8"),
        ("sound", "<f4", (SOUND_FRAMES, 2)),
        ("parameter_version", "<i8"),
        ("parameter_revision", "<i8"),
        ("parameters", "<f8", (len(TABLE),)),
        ("beat_version", "<i8"),
        ("beat", "<f8", (len(BeatClock._fields),)),
        ("meters", [(name, "<f8", (length,)) for name, length in METERS.items()]),
    ]
)
PIXELS_AT = (BLOCK.itemsize + 4095) // 4096 * 4096
SLOT_BYTES = MAX_PIXELS * 3
LAYOUT_VERSION = BLOCK.itemsize * 1000 + len(METERS)
