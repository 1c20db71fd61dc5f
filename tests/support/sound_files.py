"""Small sound files of every kind, made with ffmpeg's libraries when a test wants them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def encode(
    path: Path,
    sound: np.ndarray,
    rate: int,
    codec: str,
    *,
    layout: str = "stereo",
    with_pictures: bool = False,
    muxer: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write sound, float32 [n, channels], with a codec into the container that the name's ending means."""
    with av.open(str(path), "w", options=muxer or {}) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 128_000
        video = out.add_stream("mpeg4", rate=25) if with_pictures else None
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T, np.float32), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=rate, frame_size=stream.frame_size or 0
        )
        for piece in resampler.resample(frame) + resampler.resample(None):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
        if video is not None:
            for _ in range(len(sound) * 25 // rate):
                out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
            out.mux(video.encode(None))
    return path


def in_the_centre(sound: np.ndarray) -> np.ndarray:
    """A mono sound [n] as 5.1 with everything in the centre, float32 [n, 6]."""
    wide = np.zeros((len(sound), 6), np.float32)
    wide[:, 2] = sound
    return wide
