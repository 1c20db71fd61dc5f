"""What video files can be made of: from a codec's name to an encoder that PyAV has here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import av
from av.codec.codec import UnknownCodecError

from lavlive.errors import RecordingError


@dataclass(frozen=True)
class VideoCodec:
    """One row of the table.

    Attributes:
        encoders: ffmpeg's names, the best first.
        help: what it is good for.
        suffixes: files that can hold it.
        pixels: ffmpeg's name of the pixels' format.
        quick: options while the show goes on.
        thorough: options where there is time.
        tag: four letters that players want to see in an .mp4 or .mov; "" leaves that to ffmpeg.
        keyframes_only: whether every picture stands for itself.
    """

    encoders: tuple[str, ...]
    help: str
    suffixes: tuple[str, ...] = (".mp4", ".mov", ".mkv")
    pixels: str = "yuv420p"
    quick: Mapping[str, str] = field(default_factory=dict)
    thorough: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    keyframes_only: bool = False


CODECS: Mapping[str, VideoCodec] = {
    "h264": VideoCodec(
        ("libx264", "mpeg4"),
        "plays everywhere",
        quick={"preset": "superfast", "crf": "18", "bf": "0", "rc-lookahead": "0"},
        # As close to our pictures as medium at 17, for two fifths of its time and a seventh more bytes.
        thorough={"preset": "veryfast", "crf": "16"},
    ),
    "h265": VideoCodec(
        ("libx265",),
        "smaller files, more work",
        quick={"preset": "ultrafast", "crf": "20", "x265-params": "log-level=error:bframes=0:rc-lookahead=0"},
        thorough={"preset": "fast", "crf": "18", "x265-params": "log-level=error"},
        tag="hvc1",
    ),
    "av1": VideoCodec(
        ("libsvtav1",),
        "the smallest files",
        suffixes=(".mp4", ".mkv"),
        quick={"preset": "11", "crf": "28", "svtav1-params": "pred-struct=1"},
        thorough={"preset": "8", "crf": "24"},
    ),
    "prores": VideoCodec(
        ("prores_ks", "prores"),
        "ProRes 422 for editing: large, every picture whole",
        suffixes=(".mov", ".mkv"),
        pixels="yuv422p10le",
        quick={"profile": "2"},
        thorough={"profile": "2"},
        keyframes_only=True,
    ),
    "hap": VideoCodec(
        ("hap",),
        "for media servers; needs an ffmpeg with an encoder for it, which PyAV's has not",
        suffixes=(".mov",),
        pixels="rgba",
        keyframes_only=True,
    ),
}
"""By the name that is typed."""


def find_codec(name: str, suffix: str = "") -> VideoCodec:
    """The codec of that name, if there is an encoder for it here.

    Args:
        suffix: of the file that is to hold it; "" for any.

    Raises:
        RecordingError: an unknown name, no encoder, or a file that cannot hold it.
    """
    codec = CODECS.get(name)
    if codec is None:
        raise RecordingError(f"There is no codec {name!r}; there are {', '.join(available_codecs())}.")
    if encoder_of(codec) is None:
        there = ", ".join(available_codecs())
        raise RecordingError(f"No encoder for {name} is in this PyAV; use one of {there}.")
    if suffix and suffix.lower() not in codec.suffixes:
        raise RecordingError(f"{name} goes into {', '.join(codec.suffixes)}, not into {suffix}.")
    return codec


def encoder_of(codec: VideoCodec) -> str | None:
    """ffmpeg's name of the encoder that is used, None where there is none."""
    return next((name for name in codec.encoders if has_encoder(name)), None)


def has_encoder(name: str) -> bool:
    """Whether PyAV brings an encoder of that name; those of graphics cards may still not start."""
    try:
        av.codec.Codec(name, "w")
    except UnknownCodecError:
        return False
    return True


def available_codecs() -> list[str]:
    """The names of all that can be encoded here."""
    return [name for name, codec in CODECS.items() if encoder_of(codec) is not None]
